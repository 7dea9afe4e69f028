//! Planned work: which windows there are, what each covers, and which trouble it explains.
//!
//! ```text
//!        from                      to          to + OVERRUN
//!  ────────├──── shown as such ─────┤── noticed alone ──┤──── opens, is told ────▶
//! ```
//!
//! A window changes what is shown and what opens, never what is found. It explains trouble whose root it names, and
//! trouble that stays within what it names: trouble wider than declared opens as any other.

use super::{Impact, Root, RootKind};
use crate::detect::graph::Graph;
use crate::entry::{Item, ItemKind, Maintenance};
use crate::topology::{Id, Line, Topology};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Work may last this long beyond its window before its trouble opens, ms.
pub const OVERRUN: i64 = 5 * 60_000;
/// Windows that are over are kept for this long, ms.
const KEPT: i64 = 30 * 86_400_000;
/// Windows that are not over; one more is not taken.
pub const LIVE_MAX: usize = 1_000;
/// Windows kept in all; beyond it those over longest go.
const KEPT_MAX: usize = 5_000;

/// All windows kept, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows(BTreeMap<Id, Maintenance>);

/// What is worked on now, and since when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// Sites, with the start of their window, UTC ms.
    pub sites: BTreeMap<Id, i64>,
    /// Lines, with the start of their window, UTC ms.
    pub lines: BTreeMap<Id, i64>,
}

/// A window that explains trouble now.
pub struct Current<'a> {
    /// The window.
    pub window: &'a Maintenance,
    /// Whether its end has passed.
    over: bool,
    scope: Scope<'a>,
}

/// What one window names, down to lines and sites.
struct Scope<'a> {
    sites: BTreeSet<&'a str>,
    lines: BTreeSet<&'a str>,
}

impl Windows {
    /// The windows, by id.
    pub fn all(&self) -> &BTreeMap<Id, Maintenance> {
        &self.0
    }

    /// How many are not over at `now`.
    pub fn live(&self, now: i64) -> usize {
        self.0.values().filter(|window| window.to > now).count()
    }

    /// Takes in what was said of a window; what is long over goes.
    pub fn say(&mut self, window: &Maintenance) {
        self.0.retain(|_, known| window.at - known.to < KEPT);
        let is_known = self.0.contains_key(&window.id);
        if is_known || self.live(window.at) < LIVE_MAX {
            self.0.insert(window.id.clone(), window.clone());
        }
        while self.0.len() > KEPT_MAX {
            let Some(oldest) = self.0.values().min_by_key(|window| window.to).map(|window| window.id.clone())
            else {
                return;
            };
            self.0.remove(&oldest);
        }
    }

    /// What is worked on at `now`.
    pub fn covered(&self, topology: &Topology, now: i64) -> Covered {
        let mut covered = Covered::default();
        for window in self.0.values().filter(|window| (window.from..window.to).contains(&now)) {
            let scope = Scope::of(topology, &window.items);
            let add = |all: &mut BTreeMap<Id, i64>, id: &str| {
                let from = all.entry(id.to_owned()).or_insert(window.from);
                *from = window.from.min(*from);
            };
            scope.sites.iter().for_each(|id| add(&mut covered.sites, id));
            scope.lines.iter().for_each(|id| add(&mut covered.lines, id));
        }
        covered
    }

    /// The windows that explain trouble at `now`, by id. What each names is looked up once, for all incidents.
    pub fn current<'a>(&'a self, topology: &'a Topology, now: i64) -> Vec<Current<'a>> {
        let lasts = |window: &&Maintenance| window.from <= now && now < window.to + OVERRUN;
        let current = self.0.values().filter(lasts).filter(|window| window.from < window.to);
        current
            .map(|window| Current {
                window,
                over: window.to <= now,
                scope: Scope::of(topology, &window.items),
            })
            .collect()
    }
}

impl Current<'_> {
    /// Whether it explains trouble with this root by itself: it names the root, or everything that suffers is within
    /// it. `lines` are those silenced, where lines are. An overrun explains only what began in time.
    pub fn explains(&self, began: i64, root: &Root, sites: &BTreeMap<Id, Impact>, lines: &[&str]) -> bool {
        let Current { window, over, scope } = self;
        if *over && began >= window.to {
            return false;
        }
        let of_lines = !lines.is_empty() && lines.iter().all(|line| scope.lines.contains(line));
        let of_sites = !sites.is_empty() && sites.keys().all(|site| scope.sites.contains(site.as_str()));
        scope.names(root, &window.items) || of_lines || of_sites
    }
}

impl<'a> Scope<'a> {
    fn of(topology: &'a Topology, items: &[Item]) -> Scope<'a> {
        let covers = |id: &Id, line: &Line| items.iter().any(|item| is_of(topology, item, id, line));
        let lines: BTreeSet<&str> =
            topology.lines.iter().filter(|(id, line)| covers(id, line)).map(|(id, _)| id.as_str()).collect();
        let named = |id: &Id, commune: Option<&Id>| {
            items.iter().any(|item| match item.kind {
                ItemKind::Site => item.id == *id,
                ItemKind::Commune => Some(&item.id) == commune,
                _ => false,
            })
        };
        let mut by_site: BTreeMap<&str, bool> = BTreeMap::new();
        for (id, line) in &topology.lines {
            *by_site.entry(&line.site).or_insert(true) &= lines.contains(id.as_str());
        }
        let all_lines = |id: &str| by_site.get(id) == Some(&true);
        let within =
            topology.sites.iter().filter(|(id, site)| named(id, site.commune.as_ref()) || all_lines(id));
        let sites = within.map(|(id, _)| id.as_str()).collect();
        Scope { sites, lines }
    }

    fn names(&self, root: &Root, items: &[Item]) -> bool {
        let item = |kind| items.iter().any(|item| item.kind == kind && item.id == root.id);
        match root.kind {
            RootKind::Site | RootKind::Agent => self.sites.contains(root.id.as_str()),
            RootKind::Line => self.lines.contains(root.id.as_str()),
            RootKind::HandOff => item(ItemKind::HandOff),
            RootKind::Carrier => item(ItemKind::Carrier),
            RootKind::Pop => item(ItemKind::Pop),
            RootKind::Device => item(ItemKind::Device),
            RootKind::Service => item(ItemKind::Service),
            RootKind::Group | RootKind::Core | RootKind::Collector => false,
        }
    }
}

/// Whether a line lies within what an item names.
fn is_of(topology: &Topology, item: &Item, id: &Id, line: &Line) -> bool {
    match item.kind {
        ItemKind::Line => *id == item.id,
        ItemKind::Site => line.site == item.id,
        ItemKind::Commune => {
            topology.sites.get(&line.site).is_some_and(|site| site.commune.as_ref() == Some(&item.id))
        }
        ItemKind::Pop => line.pop.as_ref() == Some(&item.id),
        ItemKind::Carrier => line.carrier == item.id,
        ItemKind::HandOff => line.hand_off == item.id,
        ItemKind::Service | ItemKind::Device => false,
    }
}

/// Ids of lines by index.
pub fn ids<'g>(graph: &'g Graph, lines: &BTreeSet<usize>) -> Vec<&'g str> {
    lines.iter().map(|line| graph.lines[*line].id.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Site;

    fn record() -> Topology {
        let mut t = Topology::default();
        for (site, lines) in [("a", vec!["a1", "a2"]), ("b", vec!["b1"])] {
            t.sites.insert(site.into(), Site { commune: Some("c".into()), ..Site::default() });
            for line in lines {
                let carrier = if line.ends_with('1') { "vnpt" } else { "viettel" };
                let line_of = Line { site: site.into(), carrier: carrier.into(), ..Line::default() };
                t.lines.insert(line.into(), line_of);
            }
        }
        t
    }

    fn window(id: &str, kind: ItemKind, of: &str, from: i64, to: i64) -> Maintenance {
        let items = vec![Item { kind, id: of.into() }];
        Maintenance {
            at: 0,
            id: id.into(),
            person: "an".into(),
            items,
            from,
            to,
            reason: "thay nguồn".into(),
        }
    }

    fn root(kind: RootKind, id: &str) -> Root {
        Root { kind, id: id.into(), name: id.into() }
    }

    fn explained(window: &Maintenance, now: i64, root: &Root, sites: &[&str]) -> bool {
        began(window, window.from, now, root, sites)
    }

    fn began(window: &Maintenance, began: i64, now: i64, root: &Root, sites: &[&str]) -> bool {
        let mut windows = Windows::default();
        windows.say(window);
        let sites = sites.iter().map(|site| (site.to_string(), Impact::Down)).collect();
        windows.current(&record(), now).iter().any(|current| current.explains(began, root, &sites, &[]))
    }

    #[test]
    fn a_window_covers_what_it_names_and_a_site_whose_every_line_it_covers() {
        let mut windows = Windows::default();
        windows.say(&window("1", ItemKind::Carrier, "vnpt", 10, 20));
        let covered = windows.covered(&record(), 10);
        assert_eq!(covered.lines.keys().collect::<Vec<_>>(), ["a1", "b1"]);
        assert_eq!(covered.sites, BTreeMap::from([("b".to_owned(), 10)]));
        assert_eq!(windows.covered(&record(), 20), Covered::default());
    }

    #[test]
    fn trouble_is_explained_until_the_overrun_and_no_wider_than_declared() {
        let site = window("1", ItemKind::Site, "a", 10, 20);
        let of_a = root(RootKind::Site, "a");
        assert!(!explained(&site, 9, &of_a, &["a"]));
        assert!(explained(&site, 10, &of_a, &["a"]));
        assert!(explained(&site, 19 + OVERRUN, &of_a, &["a"]));
        assert!(!explained(&site, 20 + OVERRUN, &of_a, &["a"]));
        assert!(!explained(&site, 15, &root(RootKind::Pop, "p"), &["a", "b"]));
        assert!(explained(&site, 15, &root(RootKind::Pop, "p"), &["a"]));
        let commune = window("1", ItemKind::Commune, "c", 10, 20);
        assert!(explained(&commune, 15, &root(RootKind::Pop, "p"), &["a", "b"]));
    }

    #[test]
    fn an_overrun_does_not_explain_what_began_after_the_window() {
        let (site, of_a) = (window("1", ItemKind::Site, "a", 10, 20), root(RootKind::Site, "a"));
        assert!(began(&site, 19, 25, &of_a, &["a"]));
        assert!(!began(&site, 20, 25, &of_a, &["a"]));
    }

    #[test]
    fn the_last_word_on_a_window_holds_and_one_too_many_is_not_taken() {
        let mut windows = Windows::default();
        windows.say(&window("1", ItemKind::Site, "a", 10, 20));
        windows.say(&Maintenance { at: 5, to: 5, ..window("1", ItemKind::Site, "a", 10, 20) });
        assert_eq!((windows.all()["1"].to, windows.live(6)), (5, 0));
        assert!(windows.current(&record(), 12).is_empty());
        for number in 0..=LIVE_MAX {
            windows.say(&Maintenance { at: 6, ..window(&format!("w{number}"), ItemKind::Site, "a", 10, 20) });
        }
        assert_eq!(windows.live(10), LIVE_MAX);
        windows
            .say(&Maintenance { at: KEPT + 20, ..window("late", ItemKind::Site, "a", KEPT + 30, KEPT + 40) });
        assert_eq!(windows.all().keys().collect::<Vec<_>>(), ["late"]);
    }
}
