//! A plan as people see it: one item an entry, values as text, and which of them only an administrator's terminal shows.

use super::plan::{Change, Field, Kind, Plan, What};
use super::render;
use crate::topology::Id;
use serde_json::Value;

/// One entry that does not stay as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
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
    /// Its keys: all of them when it is new, those that change when it is not.
    pub fields: Vec<Shown>,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The key.
    pub key: String,
    /// What it says now.
    pub old: Option<String>,
    /// What it would say.
    pub new: String,
    /// Neither may be seen but on the administrator's terminal.
    pub restricted: bool,
}

/// The items of a plan; lines of a new site follow it.
pub fn items(plan: &Plan) -> Vec<Item> {
    plan.changes.iter().flat_map(|change| std::iter::once(item(change)).chain(lines(change))).collect()
}

fn item(change: &Change) -> Item {
    let fields = change.fields.iter().filter(|field| field.key != "lines").map(shown).collect();
    let Change { kind, what, id, site, name, .. } = change.clone();
    Item { kind, what, id, site, name, fields }
}

fn lines(change: &Change) -> Vec<Item> {
    let lines =
        change.fields.iter().find(|field| field.key == "lines").and_then(|field| field.new.as_array());
    let of_site = lines.into_iter().flatten().filter_map(Value::as_object).map(|line| {
        let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let field =
            |(key, new): (&String, &Value)| shown(&Field { key: key.clone(), old: None, new: new.clone() });
        Item {
            kind: change.kind,
            what: What::Line,
            id: text("id"),
            site: Some(change.id.clone()),
            name: text("circuit"),
            fields: line.iter().map(field).collect(),
        }
    });
    of_site.collect()
}

fn shown(field: &Field) -> Shown {
    Shown {
        key: field.key.clone(),
        old: field.old.as_ref().map(text),
        new: text(&field.new),
        restricted: field.restricted(),
    }
}

/// A value as people say it: `Chị Hoa, 0912345678`, `mon-fri, 07:00-11:30, 13:00-17:00`.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(table) => render::ordered(table).into_iter().map(part).collect::<Vec<_>>().join(", "),
        other => render::flow(other),
    }
}

/// A value in a table, under its key where that says something.
fn part((key, value): (&String, &Value)) -> String {
    match key.as_str() {
        "name" | "phone" | "days" | "spans" => text(value),
        _ => format!("{key} {}", text(value)),
    }
}

/// How many sites or lines there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// New ones.
    pub added: usize,
    /// Ones that change.
    pub changed: usize,
    /// Ones the sheet no longer names, which stay.
    pub gone: usize,
    /// Ones the sheet no longer names, which go.
    pub removed: usize,
    /// Ones that stay as they are.
    pub unchanged: usize,
}

/// The sites or the lines of a plan, counted.
pub fn counts(plan: &Plan, what: What) -> Counts {
    let count = |kind| items(plan).iter().filter(|item| item.kind == kind && item.what == what).count();
    let unchanged = match what {
        What::Site => plan.unchanged.0,
        What::Line => plan.unchanged.1,
        What::Area | What::Commune => 0,
    };
    Counts {
        added: count(Kind::Added),
        changed: count(Kind::Changed),
        gone: count(Kind::Gone),
        removed: count(Kind::Removed),
        unchanged,
    }
}

/// One line for people: `sites: 3 added, 297 unchanged; lines: 3 added, 1 changed, 296 unchanged`.
pub fn summary(plan: &Plan) -> String {
    let told = |name: &str, what| {
        let Counts { added, changed, gone, removed, unchanged } = counts(plan, what);
        let all = [
            (added, "added"),
            (changed, "changed"),
            (gone, "gone"),
            (removed, "removed"),
            (unchanged, "unchanged"),
        ];
        let some = all.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        let some: Vec<String> = some.collect();
        format!("{name}: {}", if some.is_empty() { "none".into() } else { some.join(", ") })
    };
    format!("{}; {}", told("sites", What::Site), told("lines", What::Line))
}
