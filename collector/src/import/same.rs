//! A site that stands already, beside what the sheet wants of it: key by key, line by line.

use super::gather::{Wanted, WantedSite};
use super::ids;
use super::line::WantedLine;
use super::plan::{Draw, Field, Kind, What, field};
use super::present::{Entry, Present};
use super::whole::OBSERVE;
use crate::topology::Id;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Port of a STAMP reflector (RFC 8762 §4.1).
const STAMP_PORT: u16 = 862;

/// A line as it stands.
type Keys = Map<String, Value>;

/// Lines that the sheet wants at another site than they stand at: line → the site it leaves.
pub(super) fn moved(wanted: &Wanted, present: &Present) -> BTreeMap<Id, Id> {
    let mut moved = BTreeMap::new();
    for site in &wanted.sites {
        let own = present.standing(site).map(|(id, _)| id);
        for line in &site.lines {
            if let Some((from, id, _)) = present.line_of(&line.circuit)
                && own != Some(from)
            {
                moved.insert(id.to_owned(), from.clone());
            }
        }
    }
    moved
}

impl WantedSite {
    /// How the site is to be observed: as said, else as it stands, else as befits a site without an agent.
    pub(super) fn observe(&self, stands: Option<&Entry>) -> String {
        let said = self.keys.get("observe").and_then(|said| said.value.as_str());
        said.or_else(|| stands.and_then(|entry| entry.text("observe"))).unwrap_or(OBSERVE).to_owned()
    }
}

impl WantedLine {
    /// The whole entry of a line that is new where it is written; one that moves brings its keys along.
    fn entry(&self, id: &str, observe: &str, brought: Option<&Keys>) -> Keys {
        let mut keys = brought.cloned().unwrap_or_default();
        keys.extend(self.keys.iter().map(|(key, said)| ((*key).to_owned(), said.value.clone())));
        keys.insert("id".into(), json!(id));
        keys.insert("circuit".into(), json!(self.circuit));
        if keys.get("role") == Some(&json!("primary")) {
            keys.remove("role");
        }
        if let Some(wan) = &self.wan {
            keys.insert(
                "gateway".into(),
                gateway(wan.value, observe, brought.and_then(|keys| keys.get("gateway"))),
            );
        }
        keys
    }

    /// What changes of a line that stands.
    fn changes(&self, stands: &Keys, observe: &str) -> Vec<Field> {
        let mut wanted: Vec<(&'static str, Value)> = vec![("circuit", json!(self.circuit))];
        wanted.extend(self.keys.iter().map(|(key, said)| (*key, said.value.clone())));
        if let Some(wan) = &self.wan {
            wanted.push(("gateway", gateway(wan.value, observe, stands.get("gateway"))));
        }
        differing(wanted, stands)
    }
}

/// The keys that say something else than they are to.
fn differing(wanted: Vec<(&'static str, Value)>, stands: &Keys) -> Vec<Field> {
    let meant = |key: &str, value: &Value| {
        // What a record means where it says nothing.
        (key == "role" && *value == json!("primary")) || (key == "rehearsal" && *value == json!(false))
    };
    let differs = |(key, value): &(&'static str, Value)| match stands.get(*key) {
        Some(old) => old != value,
        None => !meant(key, value),
    };
    let field = |(key, new): (&str, Value)| Field { key: key.to_owned(), old: stands.get(key).cloned(), new };
    wanted.into_iter().filter(differs).map(field).collect()
}

/// What the core agent asks at the site's end. A question that asks this address already stays as somebody tuned it.
fn gateway(wan: Ipv4Addr, observe: &str, stands: Option<&Value>) -> Value {
    let probe = if observe == "reflector" { "stamp" } else { "icmp" };
    let asked = stands.and_then(|ask| ask.get("target")).and_then(Value::as_str);
    let asks = stands.and_then(|ask| ask.get("probe")).and_then(Value::as_str);
    let fits = match observe {
        "reflector" => asks == Some("stamp"),
        "ping-only" => asks.is_some_and(|probe| probe != "stamp"),
        _ => asks.is_some(),
    };
    let (Some(ask), Some(asked), true) = (stands, asked, fits) else {
        let target = if probe == "stamp" { format!("{wan}:{STAMP_PORT}") } else { wan.to_string() };
        return json!({ "probe": probe, "target": target, "every": "500ms", "timeout": "700ms" });
    };
    let (address, port) =
        asked.split_once(':').map_or((asked, None), |(address, port)| (address, Some(port)));
    let mut ask = ask.clone();
    if address.parse() != Ok(wan) {
        ask["target"] = json!(port.map_or(wan.to_string(), |port| format!("{wan}:{port}")));
    }
    ask
}

impl Draw<'_> {
    /// What changes of a site that stands, and of its lines.
    pub(super) fn same_site(&mut self, id: &Id, entry: &Entry, site: &WantedSite) {
        let observe = site.observe(Some(entry));
        let before = self.plan.changes.len();
        let needed = self.lines(id, entry, site, &observe);
        let mut wanted = vec![("name", json!(site.name)), ("commune", json!(site.commune))];
        wanted.extend(site.keys.iter().map(|(key, said)| (*key, said.value.clone())));
        wanted.push(("needs", needs(entry, &needed)));
        let fields = differing(wanted, &entry.keys);
        if fields.is_empty() {
            let same = self.plan.changes.len() == before;
            self.plan.unchanged.0 += usize::from(same);
            return;
        }
        self.push(Kind::Changed, What::Site, id, None, &site.name, &entry.file, fields);
    }

    /// What changes of the lines; the ids of those the site has then.
    fn lines(&mut self, id: &Id, entry: &Entry, site: &WantedSite, observe: &str) -> Vec<Id> {
        let mut left: Vec<(Id, Keys)> =
            entry.lines().map(|(id, keys)| (id.to_owned(), keys.clone())).collect();
        let mut needed: Vec<Id> = left.iter().map(|(id, _)| id.clone()).collect();
        for wanted in &site.lines {
            let found = same_line(&left, wanted, site).map(|at| left.remove(at));
            if let Some((line, stands)) = found {
                let fields = wanted.changes(&stands, observe);
                if fields.is_empty() {
                    self.plan.unchanged.1 += 1;
                } else {
                    self.push(
                        Kind::Changed,
                        What::Line,
                        &line,
                        Some(id),
                        &wanted.circuit,
                        &entry.file,
                        fields,
                    );
                }
                continue;
            }
            let whole = self.new_line(wanted, id, observe);
            let line = whole["id"].as_str().unwrap_or_default().to_owned();
            needed.push(line.clone());
            let fields = whole.into_iter().map(|(key, value)| field(&key, value)).collect();
            self.push(Kind::Added, What::Line, &line, Some(id), &wanted.circuit, &entry.file, fields);
        }
        for (line, keys) in left {
            let leaves = self.moved.contains_key(&line);
            let kind = if leaves || self.remove { Kind::Removed } else { Kind::Gone };
            let circuit = keys.get("circuit").and_then(Value::as_str).unwrap_or_default();
            self.push(kind, What::Line, &line, Some(id), circuit, &entry.file, Vec::new());
            if kind == Kind::Removed {
                needed.retain(|known| *known != line);
            }
        }
        needed
    }

    /// The entry of a line that `site` has not yet: one of another site comes as it is, under its id; what it leaves
    /// is told there.
    pub(super) fn new_line(&mut self, wanted: &WantedLine, site: &str, observe: &str) -> Keys {
        let moved = self.present.line_of(&wanted.circuit).filter(|(from, ..)| *from != site);
        let id = moved.map_or_else(|| ids::line(site, &self.lines), |(_, line, _)| line.to_owned());
        self.lines.insert(id.clone());
        wanted.entry(&id, observe, moved.map(|(.., keys)| keys))
    }

    /// A site the sheet no longer names, and lines of it that the sheet names elsewhere.
    pub(super) fn gone_site(&mut self, id: &Id, entry: &Entry) {
        let kind = if self.remove { Kind::Removed } else { Kind::Gone };
        let name = entry.text("name").unwrap_or_default();
        self.push(kind, What::Site, id, None, name, &entry.file, Vec::new());
        if self.remove {
            return;
        }
        let (leave, stay): (Vec<_>, Vec<_>) =
            entry.lines().partition(|(line, _)| self.moved.contains_key(*line));
        for (line, keys) in &leave {
            let circuit = keys.get("circuit").and_then(Value::as_str).unwrap_or_default();
            self.push(Kind::Removed, What::Line, line, Some(id), circuit, &entry.file, Vec::new());
        }
        if !leave.is_empty() {
            let stay: Vec<Id> = stay.iter().map(|(line, _)| (*line).to_owned()).collect();
            let fields = differing(vec![("needs", needs(entry, &stay))], &entry.keys);
            self.push(Kind::Changed, What::Site, id, None, name, &entry.file, fields);
        }
    }
}

/// Where a wanted line stands among those left: by circuit; else as the one line of its carrier and role whose
/// circuit the sheet names nowhere at the site.
fn same_line(left: &[(Id, Keys)], wanted: &WantedLine, site: &WantedSite) -> Option<usize> {
    let text = |keys: &Keys, key: &str| keys.get(key).and_then(Value::as_str).map(str::to_owned);
    let by_circuit =
        left.iter().position(|(_, keys)| text(keys, "circuit").as_deref() == Some(&wanted.circuit));
    if by_circuit.is_some() {
        return by_circuit;
    }
    let said = |key: &str| wanted.keys.get(key).and_then(|said| said.value.as_str());
    let named =
        |circuit: Option<String>| site.lines.iter().any(|line| circuit.as_deref() == Some(&line.circuit));
    let alike = |(_, keys): &&(Id, Keys)| {
        text(keys, "carrier").as_deref() == said("carrier")
            && text(keys, "role").as_deref().unwrap_or("primary") == said("role").unwrap_or("primary")
            && !named(text(keys, "circuit"))
    };
    let mut places = left.iter().enumerate().filter(|(_, line)| alike(line)).map(|(at, _)| at);
    places.next().filter(|_| places.next().is_none())
}

/// The edge a site has, over these lines.
fn needs(entry: &Entry, lines: &[Id]) -> Value {
    let stands = entry.keys.get("needs");
    let edge = if stands.is_some_and(|needs| needs.get("all_of").is_some()) { "all_of" } else { "any_of" };
    let named = |needs: &Value| needs.get(edge).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut now: Vec<&str> = lines.iter().map(String::as_str).collect();
    let listed = stands.map(named).unwrap_or_default();
    let mut before: Vec<&str> = listed.iter().filter_map(Value::as_str).collect();
    now.sort_unstable();
    before.sort_unstable();
    match stands {
        // The order somebody chose means nothing, and stays.
        Some(needs) if now == before => needs.clone(),
        _ => json!({ edge: lines }),
    }
}
