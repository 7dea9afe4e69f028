//! The faults that stand, and the orders that change them.
//!
//! ```text
//! cut … │ pop … │ carrier … │ hand-off …     one more fault stands (again: nothing changes)
//! heal                                       none stands
//! heal cut …                                 that one no longer stands; what another silences stays silent
//! list                                       says what stands
//! ```

use crate::fault::Fault;
use crate::map::{Map, Part};
use haidang_collector::topology::Id;
use std::collections::{BTreeMap, BTreeSet};

/// Lines named in an answer; of more only the count is said.
const NAMED: usize = 8;

/// The faults that stand, by their text.
#[derive(Clone, Debug, Default)]
pub struct Standing(BTreeMap<String, BTreeSet<Part>>);

/// What an order did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What is told to whoever gave the order.
    pub told: String,
    /// For the truth log; `None` when nothing changed.
    pub change: Option<Change>,
}

/// A change of what is silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The order in its one spelling.
    pub order: String,
    /// Lines that fell silent or speak again.
    pub lines: BTreeSet<Id>,
    /// Sites of these lines.
    pub sites: BTreeSet<Id>,
}

impl Standing {
    /// Carries out one order.
    ///
    /// # Errors
    /// What is wrong with it, for a person; nothing changed.
    pub fn order(&mut self, text: &str, map: &Map) -> Result<Done, String> {
        let text = text.trim();
        let (verb, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        match (verb, rest.trim()) {
            ("list", "") => Ok(Done { told: self.list(map), change: None }),
            ("heal", "") => Ok(self.heal_all(map)),
            ("heal", fault) => self.heal(&Fault::parse(fault, map)?, map),
            _ => Ok(self.strike(Fault::parse(text, map)?, map)),
        }
    }

    /// Everything silent now.
    pub fn silent(&self) -> BTreeSet<Part> {
        self.0.values().flatten().cloned().collect()
    }

    fn strike(&mut self, fault: Fault, map: &Map) -> Done {
        if self.0.contains_key(&fault.text) {
            return Done { told: format!("{}: stands already", fault.text), change: None };
        }
        let before = self.silent();
        let (lines, sites) = lines_and_sites(&fault.parts, map);
        let told = format!("{}: {} silent", fault.text, counted(&lines, &sites));
        self.0.insert(fault.text.clone(), fault.parts);
        Done { told, change: Some(self.change(fault.text, &before, map)) }
    }

    fn heal(&mut self, fault: &Fault, map: &Map) -> Result<Done, String> {
        let before = self.silent();
        if self.0.remove(&fault.text).is_none() {
            return Err(format!("`{}` does not stand; {}", fault.text, self.list(map)));
        }
        let change = self.change(format!("heal {}", fault.text), &before, map);
        let told = format!("heal {}: {} speak again", fault.text, counted(&change.lines, &change.sites));
        Ok(Done { told, change: Some(change) })
    }

    fn heal_all(&mut self, map: &Map) -> Done {
        let before = self.silent();
        if self.0.is_empty() {
            return Done { told: "heal: nothing stands".into(), change: None };
        }
        self.0.clear();
        let change = self.change("heal".into(), &before, map);
        Done {
            told: format!("heal: {} speak again", counted(&change.lines, &change.sites)),
            change: Some(change),
        }
    }

    fn list(&self, map: &Map) -> String {
        if self.0.is_empty() {
            return "nothing stands".into();
        }
        let told = self.0.iter().map(|(text, parts)| {
            let (lines, sites) = lines_and_sites(parts, map);
            format!("{text}: {}", counted(&lines, &sites))
        });
        told.collect::<Vec<_>>().join("\n")
    }

    fn change(&self, order: String, before: &BTreeSet<Part>, map: &Map) -> Change {
        let changed = self.silent().symmetric_difference(before).cloned().collect();
        let (lines, sites) = lines_and_sites(&changed, map);
        Change { order, lines, sites }
    }
}

fn lines_and_sites(parts: &BTreeSet<Part>, map: &Map) -> (BTreeSet<Id>, BTreeSet<Id>) {
    let line = |part: &Part| match part {
        Part::Line(id) => Some(id.clone()),
        _ => None,
    };
    let lines: BTreeSet<Id> = parts.iter().filter_map(line).collect();
    let sites =
        lines.iter().filter_map(|id| map.topology.lines.get(id)).map(|line| line.site.clone()).collect();
    (lines, sites)
}

/// `2 lines of 1 site (28250-1, 28250-2)`.
fn counted(lines: &BTreeSet<Id>, sites: &BTreeSet<Id>) -> String {
    let some = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let counts = format!("{} of {}", some(lines.len(), "line"), some(sites.len(), "site"));
    if lines.is_empty() || lines.len() > NAMED {
        return counts;
    }
    format!("{counts} ({})", lines.iter().cloned().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::tests::map;

    fn told(standing: &mut Standing, order: &str) -> String {
        standing.order(order, &map()).unwrap().told
    }

    fn line(id: &str) -> Part {
        Part::Line(id.into())
    }

    #[test]
    fn an_order_says_what_it_did() {
        let mut standing = Standing::default();
        assert_eq!(told(&mut standing, "heal"), "heal: nothing stands");
        assert_eq!(told(&mut standing, "cut dao thanh"), "cut 28249: 1 line of 1 site (28249-1) silent");
        assert_eq!(told(&mut standing, "cut 28249"), "cut 28249: stands already");
        assert_eq!(told(&mut standing, "list"), "cut 28249: 1 line of 1 site (28249-1)");
        assert_eq!(told(&mut standing, "heal"), "heal: 1 line of 1 site (28249-1) speak again");
        assert_eq!(told(&mut standing, "list"), "nothing stands");
    }

    #[test]
    fn what_another_fault_silences_stays_silent() {
        let mut standing = Standing::default();
        told(&mut standing, "cut 28250");
        let second = standing.order("carrier vnpt", &map()).unwrap().change.unwrap();
        assert_eq!(Vec::from_iter(second.lines), ["28249-1", "28252-1"], "28250-1 was silent before");
        let healed = standing.order("heal carrier vnpt", &map()).unwrap().change.unwrap();
        assert_eq!(Vec::from_iter(healed.sites), ["28249-tt", "28252-tt"]);
        assert_eq!(standing.silent(), BTreeSet::from([line("28250-1"), line("28250-2")]));
    }

    #[test]
    fn nothing_changes_without_a_change() {
        let mut standing = Standing::default();
        assert_eq!(standing.order("heal", &map()).unwrap().change, None);
        told(&mut standing, "pop an");
        for order in ["pop an", "list"] {
            assert_eq!(standing.order(order, &map()).unwrap().change, None, "{order}");
        }
    }

    #[test]
    fn healing_what_does_not_stand_says_what_does() {
        let mut standing = Standing::default();
        told(&mut standing, "pop an");
        let wrong = standing.order("heal pop cai-be", &map()).unwrap_err();
        assert!(wrong.starts_with("`pop cai-be` does not stand; pop an: 2 lines"), "{wrong}");
        let wrong = standing.order("heel", &map()).unwrap_err();
        assert!(wrong.starts_with("unknown fault `heel`"), "{wrong}");
        assert_eq!(standing.silent().len(), 2);
    }
}
