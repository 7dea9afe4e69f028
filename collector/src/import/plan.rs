//! What an import would change: the wanted beside the present, entry by entry and key by key.
//!
//! Lines are found again by their circuit; a circuit nobody records, at a site with one line of that carrier and role
//! that the sheet no longer names, is that line with a new circuit. Empty cells leave what stands. What the sheet does
//! not name stays and is told as gone, unless removing was asked for.

use super::gather::{Wanted, WantedSite};
use super::ids;
use super::official::{self, Communes};
use super::present::{Entry, Present, SITES};
use super::problem::{Problem, Problems};
use super::render;
use super::same::moved;
use crate::topology::Id;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What happens to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It is new.
    Added,
    /// Some of its keys change.
    Changed,
    /// The sheet no longer names it; it stays.
    Gone,
    /// The sheet no longer names it, and it goes.
    Removed,
}

/// Kinds of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// An area.
    Area,
    /// A commune.
    Commune,
    /// A site, with its lines when it is new.
    Site,
    /// A line of a site.
    Line,
}

/// One key of an entry: what it says and what it would say.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The key.
    pub key: String,
    /// What it says now.
    pub old: Option<Value>,
    /// What it would say.
    pub new: Value,
}

impl Field {
    /// Whether its values may be seen on the administrator's terminal alone: addresses, VLANs and whatever a person
    /// wrote by hand.
    pub fn restricted(&self) -> bool {
        !render::is_shown(&self.key)
    }
}

/// One entry that does not stay as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What happens to it.
    pub kind: Kind,
    /// What it is.
    pub what: What,
    /// Its id or code.
    pub id: Id,
    /// The site of a line.
    pub site: Option<Id>,
    /// Its name; a line's circuit.
    pub name: String,
    /// The file, relative to the directory.
    pub file: PathBuf,
    /// Its keys: all of them when it is new, those that change when it is not.
    pub fields: Vec<Field>,
}

/// All that would change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In the order it is written.
    pub changes: Vec<Change>,
    /// Sites and lines the sheet names and that stay as they are.
    pub unchanged: (usize, usize),
}

impl Plan {
    /// Whether files would be written.
    pub fn writes(&self) -> bool {
        self.changes.iter().any(|change| change.kind != Kind::Gone)
    }

    /// How many of a kind.
    pub fn count(&self, kind: Kind, what: What) -> usize {
        self.changes.iter().filter(|change| change.kind == kind && change.what == what).count()
    }
}

/// Compares; what the sheet wants of entries in files that are not the import's is an error at its cell.
pub fn plan(
    wanted: &Wanted,
    present: &Present,
    communes: &Communes,
    remove: bool,
    problems: &mut Problems,
) -> Plan {
    let ids = |entries: &BTreeMap<Id, Entry>| entries.keys().cloned().collect::<BTreeSet<_>>();
    let lines = present.sites.values().flat_map(Entry::lines).map(|(id, _)| id.to_owned()).collect();
    let mut draw = Draw {
        present,
        remove,
        plan: Plan::default(),
        sites: ids(&present.sites),
        lines,
        named: BTreeSet::new(),
        moved: moved(wanted, present),
        problems,
    };
    draw.areas(wanted);
    draw.communes(wanted, communes);
    for site in &wanted.sites {
        draw.site(site);
    }
    draw.gone();
    draw.plan
}

/// A plan while it is drawn.
pub(super) struct Draw<'p> {
    pub(super) present: &'p Present,
    pub(super) remove: bool,
    pub(super) plan: Plan,
    /// Ids in use.
    sites: BTreeSet<Id>,
    pub(super) lines: BTreeSet<Id>,
    /// Present sites that the sheet names.
    named: BTreeSet<Id>,
    /// Lines that leave the site they stand at, and that site.
    pub(super) moved: BTreeMap<Id, Id>,
    pub(super) problems: &'p mut Problems,
}

impl Draw<'_> {
    fn areas(&mut self, wanted: &Wanted) {
        for (id, name) in wanted.areas.iter().filter(|(id, _)| !self.present.areas.contains_key(*id)) {
            let fields = vec![field("id", json!(id)), field("name", json!(name))];
            self.push(Kind::Added, What::Area, id, None, name, &areas_file(), fields);
        }
    }

    fn communes(&mut self, wanted: &Wanted, known: &Communes) {
        let codes: BTreeSet<&Id> = wanted.sites.iter().map(|site| &site.commune).collect();
        for code in codes {
            let area = wanted.area_of.get(code);
            let Some(entry) = self.present.communes.get(code) else {
                let Some(known) = known.get(code) else { continue };
                let mut fields = vec![
                    field("code", json!(code)),
                    field("name", json!(known.name)),
                    field("kind", json!(known.kind)),
                ];
                fields.extend(area.map(|area| field("area", json!(area.value))));
                fields.push(field("valid_from", json!(official::SINCE)));
                self.push(Kind::Added, What::Commune, code, None, &known.full(), &commune_file(code), fields);
                continue;
            };
            let Some(area) = area.filter(|area| entry.text("area") != Some(&area.value)) else { continue };
            if !entry.is_ours() {
                let file = entry.file.display();
                let message = format!(
                    "commune `{code}` stands in {file}, which import does not write; its area stays as it is"
                );
                self.problems.warnings.push(Problem::of_row(area.place.clone(), message));
                continue;
            }
            let fields = vec![Field {
                key: "area".into(),
                old: entry.keys.get("area").cloned(),
                new: json!(area.value),
            }];
            let name = entry.text("name").unwrap_or_default().to_owned();
            self.push(Kind::Changed, What::Commune, code, None, &name, &entry.file, fields);
        }
    }

    fn site(&mut self, site: &WantedSite) {
        let found = self.present.standing(site).filter(|(id, _)| !self.named.contains(*id));
        match found.map(|(id, entry)| (id.clone(), entry.clone())) {
            Some((id, entry)) => {
                self.named.insert(id.clone());
                let start = (self.plan.changes.len(), self.problems.errors.len());
                self.same_site(&id, &entry, site);
                self.not_ours(&id, &entry, site, start);
            }
            None => self.new_site(site),
        }
    }

    /// An entry in a file of somebody else's must say already what the sheet says.
    fn not_ours(&mut self, id: &str, entry: &Entry, site: &WantedSite, (changes, errors): (usize, usize)) {
        if entry.is_ours() || self.problems.errors.len() > errors {
            return;
        }
        for change in self.plan.changes.split_off(changes).iter().filter(|change| change.kind != Kind::Gone) {
            let keys =
                change.fields.iter().map(|field| format!("`{}`", field.key)).collect::<Vec<_>>().join(", ");
            let file = entry.file.display();
            let message = format!(
                "{} `{}` of site `{id}` differs in {keys}, and stands in {file}, which import does not write; \
                 change it there, or move the site into `{SITES}/`",
                change.what.name(),
                change.id
            );
            let line = site.lines.iter().find(|line| line.circuit == change.name).map(|line| &line.place);
            let place = line.unwrap_or(&site.place).clone();
            self.problems.errors.push(Problem::of_row(place, message));
        }
    }

    fn new_site(&mut self, site: &WantedSite) {
        let id = site.id.clone().unwrap_or_else(|| ids::site(&site.commune, &site.name, &self.sites));
        self.sites.insert(id.clone());
        let mut fields = vec![
            field("id", json!(id)),
            field("name", json!(site.name)),
            field("commune", json!(site.commune)),
        ];
        let observe = site.observe(None);
        fields.push(field("observe", json!(observe)));
        let said = site.keys.iter().filter(|(key, said)| **key != "observe" && said.value != json!(false));
        fields.extend(said.map(|(key, said)| field(key, said.value.clone())));
        let mut lines = Vec::new();
        for wanted in &site.lines {
            lines.push(Value::Object(self.new_line(wanted, &id, &observe)));
        }
        let names: Vec<&Value> = lines.iter().map(|line| &line["id"]).collect();
        fields.push(field("needs", json!({ "any_of": names })));
        fields.push(field("lines", json!(lines)));
        self.push(Kind::Added, What::Site, &id, None, &site.name, &commune_file(&site.commune), fields);
    }

    /// What the sheet no longer names.
    fn gone(&mut self) {
        let present = self.present;
        let ours =
            present.sites.iter().filter(|(_, entry)| entry.is_ours() && entry.text("kind") != Some("core"));
        for (id, entry) in ours.filter(|(id, _)| !self.named.contains(*id)).collect::<Vec<_>>() {
            self.gone_site(id, entry);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one change, each of another kind")]
    pub(super) fn push(
        &mut self,
        kind: Kind,
        what: What,
        id: &str,
        site: Option<&str>,
        name: &str,
        file: &std::path::Path,
        fields: Vec<Field>,
    ) {
        let (id, name, file) = (id.to_owned(), name.to_owned(), file.to_path_buf());
        self.plan.changes.push(Change { kind, what, id, site: site.map(str::to_owned), name, file, fields });
    }
}

impl What {
    /// In messages.
    pub fn name(self) -> &'static str {
        match self {
            What::Area => "area",
            What::Commune => "commune",
            What::Site => "site",
            What::Line => "line",
        }
    }
}

impl Kind {
    /// In messages.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Added => "added",
            Kind::Changed => "changed",
            Kind::Gone => "gone",
            Kind::Removed => "removed",
        }
    }
}

/// A key of something new.
pub(super) fn field(key: &str, new: Value) -> Field {
    Field { key: key.to_owned(), old: None, new }
}

/// One file a commune: its sites are edited together, and a change shows in the file of its commune alone.
fn commune_file(code: &str) -> PathBuf {
    PathBuf::from(SITES).join(format!("{code}.yml"))
}

fn areas_file() -> PathBuf {
    PathBuf::from(SITES).join("areas.yml")
}

/// An entry as the text of a new one needs it.
pub fn entry(fields: &[Field]) -> Map<String, Value> {
    fields.iter().map(|field| (field.key.clone(), field.new.clone())).collect()
}
