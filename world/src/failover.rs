//! Gateways that fail over by themselves, in front of agents on a box behind them. Pure.
//!
//! ```text
//! primary              ▔▔▔▔▔▔▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▔▔▔▔▔▔▔▔▔▔▔▔▔▔
//! what follows rides   on the primary ╌5 s╌▶ on the backup ╌10 s╌▶ on the primary
//! what is pinned       each on its own line, whatever happens
//! ```
//!
//! The gateway masks the box, so what follows its choice comes from the address of the line it rides on, and from
//! another port after each change. A gateway without power forgets what it chose, and begins on its primary.

use crate::fault::effects::Effects;
use crate::map::{Map, Part};
use crate::standing::Change;
use crate::switches::ALL;
use haidang_collector::topology::{Id, Observe, Role, Site, Topology};
use std::collections::{BTreeMap, BTreeSet};

/// How long the primary is silent, while the backup lives, until the gateway leaves it, nanoseconds.
pub const AWAY_NS: u64 = 5_000_000_000;
/// How long it is good again until the gateway returns, nanoseconds.
pub const BACK_NS: u64 = 10_000_000_000;

/// The two lines that a gateway chooses from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// What it rides on while it can.
    pub primary: Id,
    /// What it rides on otherwise.
    pub backup: Id,
}

impl Pair {
    /// The lines of a simulated site whose agent stands behind its gateway; `None` where nothing is chosen.
    pub fn of(id: &str, site: &Site, topology: &Topology) -> Option<Pair> {
        let line = |role: Role| {
            let mut lines = topology.lines.iter().filter(|(_, line)| line.site == id && line.role == role);
            lines.next().map(|(line, _)| line.clone())
        };
        let chooses = site.rehearsal && site.observe == Observe::BoxBehind;
        chooses.then(|| Some(Pair { primary: line(Role::Primary)?, backup: line(Role::Backup)? }))?
    }
}

/// All gateways that choose, by their site.
#[derive(Clone, Debug)]
pub struct Gateways(BTreeMap<Id, Gateway>);

#[derive(Clone, Debug)]
struct Gateway {
    pair: Pair,
    on_backup: bool,
    /// Since when it would rather ride on the other.
    since_ns: Option<u64>,
}

impl Gateways {
    /// Those of the map, each on its primary.
    pub fn new(map: &Map) -> Gateways {
        let sites = map.topology.sites.iter();
        let pairs = sites.filter_map(|(id, site)| Some((id.clone(), Pair::of(id, site, &map.topology)?)));
        Gateways(pairs.map(|(id, pair)| (id, Gateway { pair, on_backup: false, since_ns: None })).collect())
    }

    /// Lets them look at what is broken as of `now_ns`; those that changed over, each with the line it rides on now.
    pub fn tick(&mut self, broken: &Effects, now_ns: u64) -> Vec<Change> {
        let lives = |line: &Id| broken.lost.get(&Part::Line(line.clone())).is_none_or(|lost| *lost < ALL);
        let mut changes = Vec::new();
        for (site, gateway) in &mut self.0 {
            if broken.dark.contains_key(site) {
                (gateway.on_backup, gateway.since_ns) = (false, None);
            } else if gateway.look(lives, now_ns) {
                changes.push(gateway.told(site));
            }
        }
        changes
    }

    /// When one of them next changes over, if nothing else happens; never when `None`.
    pub fn due_ns(&self) -> Option<u64> {
        self.0.values().filter_map(|gateway| Some(gateway.since_ns? + gateway.patience_ns())).min()
    }

    /// Sites whose gateway rides on its backup.
    pub fn on_backup(&self) -> BTreeSet<Id> {
        let away = self.0.iter().filter(|(_, gateway)| gateway.on_backup);
        away.map(|(site, _)| site.clone()).collect()
    }
}

impl Gateway {
    /// Whether it changes over now.
    fn look(&mut self, lives: impl Fn(&Id) -> bool, now_ns: u64) -> bool {
        let Pair { primary, backup } = &self.pair;
        let wants = if self.on_backup { lives(primary) } else { !lives(primary) && lives(backup) };
        let since_ns = *self.since_ns.get_or_insert(now_ns);
        let changes = wants && now_ns.saturating_sub(since_ns) >= self.patience_ns();
        self.on_backup ^= changes;
        self.since_ns = self.since_ns.filter(|_| wants && !changes);
        changes
    }

    fn patience_ns(&self) -> u64 {
        if self.on_backup { BACK_NS } else { AWAY_NS }
    }

    fn told(&self, site: &Id) -> Change {
        let Pair { primary, backup } = &self.pair;
        let (turn, line) = if self.on_backup { ("failover", backup) } else { ("failback", primary) };
        Change { order: format!("{turn} {site}"), lines: [line.clone()].into(), sites: [site.clone()].into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::place;
    use crate::map::tests::map;
    use crate::switches::Power;

    const SECOND: u64 = 1_000_000_000;

    /// 28250 has a box behind its gateway here, as 28252 has, which has one line alone.
    fn behind() -> Map {
        let mut map = map();
        for site in map.topology.sites.values_mut().filter(|site| site.commune.as_deref() == Some("28250")) {
            site.observe = Observe::BoxBehind;
        }
        map
    }

    fn silent(lines: &[&str]) -> Effects {
        Effects::silent(lines.iter().map(|line| Part::Line((*line).into())))
    }

    /// Ticks of whole seconds from `from_s` to before `to_s`; what changed over, and when.
    fn passed(gateways: &mut Gateways, broken: &Effects, from_s: u64, to_s: u64) -> Vec<(u64, String)> {
        let mut told = Vec::new();
        for second in from_s..to_s {
            let changes = gateways.tick(broken, second * SECOND);
            told.extend(changes.into_iter().map(|change| (second, change.order)));
        }
        told
    }

    #[test]
    fn what_follows_leaves_a_silent_primary_and_returns_once_it_has_been_good() {
        let mut gateways = Gateways::new(&behind());
        let (cut, well) = (silent(&["28250-1"]), Effects::default());
        assert_eq!(passed(&mut gateways, &well, 0, 100), []);
        assert_eq!(passed(&mut gateways, &cut, 100, 102), []);
        assert_eq!(gateways.due_ns(), Some(105 * SECOND));
        assert_eq!(passed(&mut gateways, &cut, 102, 200), [(105, "failover 28250-tt".into())]);
        assert_eq!(gateways.on_backup(), ["28250-tt".into()].into());
        assert_eq!(gateways.due_ns(), None);
        assert_eq!(passed(&mut gateways, &well, 200, 205), []);
        assert_eq!(passed(&mut gateways, &cut, 205, 206), [], "good for too short");
        assert_eq!(passed(&mut gateways, &well, 206, 300), [(216, "failback 28250-tt".into())]);
        assert_eq!(gateways.on_backup(), BTreeSet::new());
    }

    #[test]
    fn a_short_silence_changes_nothing_nor_does_one_of_both_lines() {
        let mut gateways = Gateways::new(&behind());
        for (broken, from_s, to_s) in [
            (silent(&["28250-1"]), 0, 4),
            (Effects::default(), 4, 6),
            (silent(&["28250-1"]), 6, 10),
            (silent(&["28250-1", "28250-2"]), 10, 50),
            (silent(&["28250-2"]), 50, 90),
        ] {
            assert_eq!(passed(&mut gateways, &broken, from_s, to_s), []);
        }
    }

    #[test]
    fn a_gateway_that_lost_its_power_begins_on_its_primary() {
        let map = behind();
        let mut gateways = Gateways::new(&map);
        assert_eq!(passed(&mut gateways, &silent(&["28250-1"]), 0, 20).len(), 1);
        let site = "28250-tt".to_owned();
        let dark = place::dark([&site], Power::BoxAlone, &map);
        assert_eq!(passed(&mut gateways, &dark, 20, 30), []);
        assert_eq!(gateways.on_backup(), BTreeSet::new());
    }

    #[test]
    fn only_a_gateway_with_a_box_behind_it_and_two_lines_chooses() {
        assert!(Gateways::new(&map()).0.is_empty());
        assert_eq!(Gateways::new(&behind()).0.into_keys().collect::<Vec<_>>(), ["28250-tt"]);
    }
}
