//! What an agent saw while it could not be heard, and what that says of the silence (field.md 10).
//!
//! ```text
//! silence began ─── nothing is heard ─── answered again ─── backlog comes ─▶ conclusion
//!                 boot id, gateway, LAN, as the agent saw them
//! ```
//!
//! A boot id speaks for the machine the agent runs on and for nothing else: on the gateway it tells power from
//! line, on a box behind it only the gateway's LAN side does. What the backlog does not show stays open.

use crate::incident::{Cause, Kind, learned::Learned};
use crate::topology::{DeviceKind, Id, Observe, Site, Supply, Topology};
use haidang_probe::{check::CheckId, moment::BootId, outcome::Outcome};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is seen this near the ends of a gap may be of either side, ms.
const EDGE: i64 = 2_000;
/// A gap is covered when the backlog has come this near to its end, ms.
const COVERED: i64 = 15_000;
/// A machine away for longer did not merely restart, ms.
const RESTART: i64 = 120_000;
/// How long a backlog is waited for, ms.
const KEPT: i64 = 7 * 86_400_000;
/// Most gaps waited for; beyond it the oldest go, and their causes stay open.
const MOST: usize = 1_000;
/// Fewest runs of a check that say something.
const RUNS: u32 = 2;

/// The gaps of all agents, by incident, and the boot each agent was last heard of.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Gaps {
    gaps: BTreeMap<Id, Gap>,
    boots: BTreeMap<Id, Boot>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Boot {
    id: BootId,
    /// When a fresh batch of it last came, UTC ms.
    heard: i64,
}

/// One silence of a site. Times are UTC ms.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Gap {
    site: Id,
    began: i64,
    ended: Option<i64>,
    /// The boot before it.
    boot: Option<BootId>,
    gateway: Tally,
    lan: Tally,
    /// Latest run of any check within it.
    seen: i64,
    /// What it was is told.
    told: bool,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Tally {
    answered: u32,
    failed: u32,
}

impl Tally {
    fn count(&mut self, answered: bool) {
        if answered {
            self.answered += 1;
        } else {
            self.failed += 1;
        }
    }

    fn lived(self) -> bool {
        self.answered >= RUNS && self.failed <= self.answered / 10
    }

    fn gone(self) -> bool {
        self.failed >= RUNS && self.answered <= self.failed
    }
}

/// A silence the detector judges now.
pub struct Silence {
    /// Its incident.
    pub incident: Id,
    /// The site.
    pub site: Id,
    /// First missed send, UTC ms.
    pub began: i64,
    /// First reply after it, UTC ms.
    pub ended: Option<i64>,
}

impl Gaps {
    /// Keeps up with the silences of sites: a new one, one that ended, one that fell silent anew.
    pub fn follow(&mut self, silences: Vec<Silence>, now: i64) {
        let live: BTreeSet<&Id> = silences.iter().map(|silence| &silence.incident).collect();
        self.gaps.retain(|incident, gap| live.contains(incident) || !gap.told && now - gap.began < KEPT);
        for Silence { incident, site, began, ended } in silences {
            let boot = self.boots.get(&site).map(|boot| boot.id);
            let new = || Gap::new(site, began, boot);
            match self.gaps.get_mut(&incident) {
                Some(gap) if gap.ended.is_some_and(|over| began > over) => *gap = Gap { ended, ..new() },
                Some(gap) => gap.ended = ended,
                None => _ = self.gaps.insert(incident, Gap { ended, ..new() }),
            }
        }
        while self.gaps.len() > MOST
            && let Some(oldest) = self.gaps.iter().min_by_key(|(_, gap)| gap.began).map(|(id, _)| id.clone())
        {
            self.gaps.remove(&oldest);
        }
    }

    /// Another record: what it no longer has is forgotten.
    pub fn configure(&mut self, topology: &Topology) {
        self.boots.retain(|site, _| topology.sites.contains_key(site));
    }

    /// Moves all times back by `by`, ms.
    pub fn rewind(&mut self, by: i64) {
        self.boots.values_mut().for_each(|boot| boot.heard -= by);
        for gap in self.gaps.values_mut() {
            gap.began -= by;
            gap.seen -= by;
            gap.ended = gap.ended.map(|ended| ended - by);
        }
    }

    /// Takes in a batch of a site's agent: its outcomes with their times, and when a fresh one came.
    pub fn heard(&mut self, id: &str, site: &Site, outcomes: &[(i64, &Outcome)], fresh: Option<i64>) {
        if let (Some(heard), Some((_, newest))) = (fresh, outcomes.last()) {
            self.boots.insert(id.to_owned(), Boot { id: newest.sent.boot, heard });
        }
        if !self.gaps.values().any(|gap| gap.site == id) {
            return;
        }
        let parts = parts(site);
        for gap in self.gaps.values_mut().filter(|gap| gap.site == id) {
            outcomes.iter().for_each(|(at, outcome)| gap.count(*at, outcome, &parts));
        }
    }

    /// What is known by now of silences that are over, each told once.
    pub fn conclude(&mut self, topology: &Topology) -> Vec<(Id, Learned)> {
        let mut known = Vec::new();
        for (incident, gap) in self.gaps.iter_mut().filter(|(_, gap)| !gap.told) {
            let Some(site) = topology.sites.get(&gap.site) else { continue };
            if let Some(learned) = gap.conclusion(site, self.boots.get(&gap.site), topology) {
                gap.told = true;
                known.push((incident.clone(), learned));
            }
        }
        known
    }
}

impl Gap {
    fn new(site: Id, began: i64, boot: Option<BootId>) -> Gap {
        let (gateway, lan) = (Tally::default(), Tally::default());
        Gap { site, began, ended: None, boot, gateway, lan, seen: began, told: false }
    }

    fn count(&mut self, at: i64, outcome: &Outcome, parts: &BTreeMap<CheckId, DeviceKind>) {
        let ended = self.ended.unwrap_or(i64::MAX);
        if at < self.began + EDGE || at > ended.saturating_sub(EDGE) {
            return;
        }
        self.seen = self.seen.max(at);
        let tells = outcome.result.as_ref().err().is_none_or(|failure| failure.tells_of_target());
        match parts.get(&outcome.check) {
            Some(DeviceKind::Gateway) if tells => self.gateway.count(outcome.result.is_ok()),
            Some(_) if tells => self.lan.count(outcome.result.is_ok()),
            _ => {}
        }
    }

    /// What the agent's evidence says, once it is all there; `None` while it is not, or says nothing.
    fn conclusion(&self, site: &Site, boot: Option<&Boot>, topology: &Topology) -> Option<Learned> {
        let ended = self.ended?;
        let (before, after) = (self.boot?, boot.filter(|boot| boot.heard > ended)?);
        if before != after.id {
            return Some(restarted(site, ended - self.began));
        }
        if site.observe == Observe::Gateway {
            return Some(line(site, topology, "boot"));
        }
        if self.seen < ended - COVERED {
            return None;
        }
        if self.gateway.gone() {
            return Some(gateway(site, self.lan.lived()));
        }
        self.gateway.lived().then(|| line(site, topology, "gateway"))
    }
}

/// What the site's checks ask about.
fn parts(site: &Site) -> BTreeMap<CheckId, DeviceKind> {
    let devices = site.devices.values();
    devices.flat_map(|device| device.checks.iter().map(|check| (check.id(), device.kind))).collect()
}

/// The machine that carries the agent lost power, or restarted.
fn restarted(site: &Site, lasted: i64) -> Learned {
    let away = lasted >= RESTART;
    let (kind, power) = match (away, site.observe) {
        (true, _) | (false, Observe::BoxBehind) => (Kind::Power, 5.0),
        (false, _) => (Kind::Restart, 1.0),
    };
    Learned {
        line: None,
        kind: Some(kind),
        causes: vec![(Cause::Power, power), (Cause::Equipment, 1.0)],
        of: "boot",
        lived: false,
    }
}

/// The gateway was gone from the LAN while the box lived. Without a word on what feeds them that may be the
/// gateway itself.
fn gateway(site: &Site, lan_lived: bool) -> Learned {
    let fed_apart = site.power.gateway == Some(Supply::Mains) && site.power.agent == Some(Supply::Ups);
    let (kind, power) = if fed_apart { (Kind::GatewayPower, 5.0) } else { (Kind::GatewayDown, 1.0) };
    let mut causes = vec![(Cause::Power, power), (Cause::Equipment, 1.0)];
    if !lan_lived {
        causes.push((Cause::Lan, 0.5));
    }
    Learned { line: None, kind: Some(kind), causes, of: "gateway", lived: false }
}

/// What stands at the site lived through it: it was its line, or all of them.
fn line(site: &Site, topology: &Topology, of: &'static str) -> Learned {
    let only = match site.needs.lines() {
        [line] => topology.lines.get(line).map(|record| (line.clone(), record.circuit.clone())),
        _ => None,
    };
    let kind = only.is_some().then_some(Kind::LineDown);
    Learned { line: only, kind, causes: vec![(Cause::Line, 1.0)], of, lived: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_probe::moment::Moment;
    use std::time::Duration;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_boot_heard_by_a_clock_that_was_ahead_concludes_nothing_of_a_silence_after_it() {
        let site = Site { observe: Observe::Gateway, ..Site::default() };
        let topology = Topology { sites: [("a".to_owned(), site.clone())].into(), ..Topology::default() };
        let sent = Moment { boot: BootId([1; 16]), ..Moment::default() };
        let outcome = Outcome { check: CheckId(1), sent, result: Ok(Duration::ZERO), samples: Vec::new() };
        let silence = |began: i64, ended| Silence { incident: "SC-1".into(), site: "a".into(), began, ended };
        let mut gaps = Gaps::default();
        gaps.heard("a", &site, &[(10 * HOUR, &outcome)], Some(10 * HOUR));
        gaps.rewind(2 * HOUR);
        gaps.follow(vec![silence(8 * HOUR + 1_000, Some(8 * HOUR + 60_000))], 8 * HOUR + 61_000);
        assert!(gaps.conclude(&topology).is_empty(), "nothing came since");
        gaps.heard("a", &site, &[(8 * HOUR, &outcome)], Some(8 * HOUR + 62_000));
        assert_eq!(gaps.conclude(&topology).len(), 1);
    }
}
