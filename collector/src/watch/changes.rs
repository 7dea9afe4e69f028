//! What was changed about each site, from one reading of the record to the next.
//!
//! ```text
//! record before ─┐
//!                ├─▶ added, renamed, moved; its lines and devices added, renamed, removed
//! record after ──┘
//! ```
//!
//! The first record is no change. Each site keeps its newest [`KEPT`]; a site that is recorded no more is
//! forgotten, unless another one says that it was known so (`formerly`): then it goes on there.

use crate::topology::{Id, Site, Topology};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Changes kept of one site.
pub const KEPT: usize = 40;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum What {
    Added,
    Removed,
    Renamed,
    Moved,
}

/// What it was done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Of {
    Site,
    Line,
    Device,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When the record with it was taken over, UTC ms.
    pub at: i64,
    /// What was done.
    pub what: What,
    /// To what.
    pub of: Of,
    /// Its name; a line's circuit.
    pub name: String,
    /// Before and after, where both have words.
    pub turned: Option<(String, String)>,
}

/// The changes of all sites, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Changes {
    sites: BTreeMap<Id, VecDeque<Change>>,
}

impl Changes {
    /// A record takes the place of another at `at` (UTC ms).
    pub fn configure(&mut self, old: &Topology, new: &Topology, at: i64) {
        let first = old.sites.is_empty();
        let mut before = std::mem::take(&mut self.sites);
        for (id, site) in &new.sites {
            let known = known_as(id, site, old);
            let mut kept = known.and_then(|known| before.remove(known)).unwrap_or_default();
            let found = match known {
                _ if first => Vec::new(),
                Some(known) => between(known, old, id, new),
                None => vec![(What::Added, Of::Site, site.name.clone(), None)],
            };
            for (what, of, name, turned) in found {
                kept.push_front(Change { at, what, of, name, turned });
            }
            kept.truncate(KEPT);
            if !kept.is_empty() {
                self.sites.insert(id.clone(), kept);
            }
        }
    }

    /// Of one site, newest first.
    pub fn of(&self, site: &str) -> impl Iterator<Item = &Change> {
        self.sites.get(site).into_iter().flatten()
    }
}

/// The id the site stands under in the record before: its own, else the last of its former ones.
fn known_as<'t>(id: &'t Id, site: &'t Site, old: &Topology) -> Option<&'t Id> {
    let former = site.formerly.iter().rev().filter_map(|former| former.id.as_ref());
    std::iter::once(id).chain(former).find(|known| old.sites.contains_key(*known))
}

type Found = (What, Of, String, Option<(String, String)>);

fn between(before: &Id, old: &Topology, after: &Id, new: &Topology) -> Vec<Found> {
    let (Some(was), Some(is)) = (old.sites.get(before), new.sites.get(after)) else { return Vec::new() };
    let mut found = Vec::new();
    if was.name != is.name {
        found.push((What::Renamed, Of::Site, is.name.clone(), Some((was.name.clone(), is.name.clone()))));
    }
    if was.commune != is.commune {
        let turned = was.commune.as_ref().zip(is.commune.as_ref());
        let turned = turned.map(|(from, to)| (commune(old, from), commune(new, to)));
        found.push((What::Moved, Of::Site, is.name.clone(), turned));
    }
    let lines = |record: &Topology, site: &Id| -> BTreeMap<Id, String> {
        record.lines_of(site).map(|(id, line)| (id.clone(), line.circuit.clone())).collect()
    };
    let devices = |site: &Site| -> BTreeMap<Id, String> {
        site.devices.iter().map(|(id, device)| (id.clone(), device.name.clone())).collect()
    };
    found.extend(things(Of::Line, &lines(old, before), &lines(new, after)));
    found.extend(things(Of::Device, &devices(was), &devices(is)));
    found
}

/// What happened to named things between two records, in order of id.
fn things(of: Of, old: &BTreeMap<Id, String>, new: &BTreeMap<Id, String>) -> Vec<Found> {
    let gone = old.iter().filter(|(id, _)| !new.contains_key(*id));
    let gone = gone.map(|(_, name)| (What::Removed, of, name.clone(), None));
    let here = new.iter().filter_map(|(id, name)| match old.get(id) {
        None => Some((What::Added, of, name.clone(), None)),
        Some(was) if was != name => {
            Some((What::Renamed, of, name.clone(), Some((was.clone(), name.clone()))))
        }
        Some(_) => None,
    });
    gone.chain(here).collect()
}

/// A commune by its kind and name, or by its code when it is not recorded.
pub fn commune(record: &Topology, code: &str) -> String {
    record.communes.get(code).map_or_else(|| code.to_owned(), |one| format!("{} {}", one.kind, one.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Commune, Former, Line};

    fn record(edit: impl FnOnce(&mut Topology)) -> Topology {
        let mut record = Topology::default();
        for (code, name) in [("1", "Đạo Thạnh"), ("2", "Mỹ Tho")] {
            let commune = Commune {
                name: name.into(),
                kind: "phường".into(),
                area: None,
                valid_from: None,
                valid_to: None,
                successor: None,
            };
            record.communes.insert(code.into(), commune);
        }
        let site = Site { name: "UBND".into(), commune: Some("1".into()), ..Site::default() };
        record.sites.insert("s".into(), site);
        let line = Line { site: "s".into(), circuit: "C-1".into(), ..Line::default() };
        record.lines.insert("l".into(), line);
        edit(&mut record);
        record
    }

    fn told(changes: &Changes, site: &str) -> Vec<String> {
        let words = |change: &Change| {
            format!("{} {:?} {:?} {} {:?}", change.at, change.what, change.of, change.name, change.turned)
        };
        changes.of(site).map(words).collect()
    }

    fn after(edit: impl FnOnce(&mut Topology)) -> Changes {
        let mut changes = Changes::default();
        changes.configure(&Topology::default(), &record(|_| ()), 1);
        changes.configure(&record(|_| ()), &record(edit), 2);
        changes
    }

    #[test]
    fn the_first_record_and_the_same_one_again_are_no_change() {
        assert!(told(&after(|_| ()), "s").is_empty());
    }

    #[test]
    fn a_new_name_and_a_move_say_from_what_to_what() {
        let changes = after(|record| {
            let site = record.sites.get_mut("s").unwrap();
            (site.name, site.commune) = ("Trung tâm".into(), Some("2".into()));
        });
        assert_eq!(
            told(&changes, "s"),
            [
                r#"2 Moved Site Trung tâm Some(("phường Đạo Thạnh", "phường Mỹ Tho"))"#,
                r#"2 Renamed Site Trung tâm Some(("UBND", "Trung tâm"))"#,
            ]
        );
    }

    #[test]
    fn lines_come_go_and_change_their_circuit() {
        let changes = after(|record| {
            record.lines.get_mut("l").unwrap().circuit = "C-9".into();
            let second = Line { site: "s".into(), circuit: "C-2".into(), ..Line::default() };
            record.lines.insert("m".into(), second);
        });
        assert_eq!(
            told(&changes, "s"),
            ["2 Added Line C-2 None", r#"2 Renamed Line C-9 Some(("C-1", "C-9"))"#]
        );
        let changes = after(|record| record.lines.clear());
        assert_eq!(told(&changes, "s"), ["2 Removed Line C-1 None"]);
    }

    #[test]
    fn a_site_under_a_new_id_keeps_its_changes_and_is_not_new() {
        let mut changes = after(|record| record.sites.get_mut("s").unwrap().name = "Trung tâm".into());
        let renamed = record(|record| {
            let mut site = record.sites.remove("s").unwrap();
            site.name = "Trung tâm".into();
            site.formerly = vec![Former { until: "2025-07-01".into(), id: Some("s".into()), commune: None }];
            record.sites.insert("t".into(), site);
            record.lines.get_mut("l").unwrap().site = "t".into();
        });
        let before = record(|record| record.sites.get_mut("s").unwrap().name = "Trung tâm".into());
        changes.configure(&before, &renamed, 3);
        assert_eq!(told(&changes, "t"), [r#"2 Renamed Site Trung tâm Some(("UBND", "Trung tâm"))"#]);
        assert!(told(&changes, "s").is_empty());
    }

    #[test]
    fn a_record_edited_for_ever_keeps_the_newest() {
        let mut changes = Changes::default();
        let named = |n: usize| record(|record| record.sites.get_mut("s").unwrap().name = n.to_string());
        for n in 0..KEPT * 2 {
            changes.configure(&named(n), &named(n + 1), n as i64);
        }
        assert_eq!(changes.of("s").count(), KEPT);
        assert_eq!(changes.of("s").next().unwrap().at, KEPT as i64 * 2 - 1);
    }
}
