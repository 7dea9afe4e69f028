//! The last of everything, as `/metrics` shows it: what checks found, and how the agent itself fares.
//!
//! Names are Prometheus' own where the meaning is equal (`probe_success`, `ifHCInOctets`). Series are made
//! from the [`Board`] at each scrape, so a check taken out of the plan takes its series along. A check whose
//! failure says nothing of its target (no permission, no such place) has no `probe_success`: unknown is not
//! down.

mod run;
mod series;

use crate::by_id::ById;
use crate::icmp;
use crate::schedule::{Lateness, Schedule, Skipped};
use crate::spool::Tally;
use haidang_probe::check::CheckId;
use haidang_probe::outcome::{Outcome, Sample};
use haidang_probe::plan::PlanDigest;
use run::Run;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The figures shown; cheap to clone, all clones are one board.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Facts>>);

#[derive(Debug, Default)]
struct Facts {
    /// By id.
    checks: Vec<Shown>,
    /// Where among them each is.
    places: ById<usize>,
    uplinks: BTreeMap<String, Fares>,
    spool: Tally,
    skipped: Skipped,
    lateness: Lateness,
    in_flight: usize,
    echoes: icmp::Tally,
    dropped: u64,
    plan: PlanFacts,
    /// Checks and listeners that rest after a fault.
    resting: usize,
    /// Octets of metered lines this month.
    metered: BTreeMap<String, u64>,
    /// Traces on doubt, and why others were left out.
    traces: u64,
    untraced: BTreeMap<&'static str, u64>,
}

/// One check and its last run.
#[derive(Debug)]
struct Shown {
    check: CheckId,
    name: String,
    target: String,
    last: Option<Run>,
}

/// How one uplink fares.
#[derive(Clone, Debug, Default)]
struct Fares {
    brought: u64,
    failed: u64,
    heard: Option<bool>,
    /// Whether its socket could be bound as the plan says.
    bound: Option<bool>,
    round_trip: Option<Duration>,
    /// What its measurement told last.
    quality: Vec<Sample>,
    /// The last hop to the collector that answered its last trace.
    last_hop: Option<u8>,
    /// Whether it leaves as the machine's default route does.
    default: Option<bool>,
}

/// What became of delivered plans.
#[derive(Debug, Default)]
struct PlanFacts {
    digest: PlanDigest,
    delivered: bool,
    taken: u64,
    refused: u64,
    unkept: u64,
}

impl Board {
    /// The checks (id, name, target) and uplinks of a plan just taken over; what is not among them is forgotten.
    pub fn plan<'a>(
        &self,
        checks: impl IntoIterator<Item = (CheckId, &'a str, &'a str)>,
        uplinks: &[String],
    ) {
        let mut facts = self.facts();
        let before = std::mem::take(&mut facts.checks);
        let mut last: BTreeMap<CheckId, Run> =
            before.into_iter().filter_map(|shown| Some((shown.check, shown.last?))).collect();
        facts.checks = checks
            .into_iter()
            .map(|(check, name, target)| {
                let last = last.remove(&check);
                Shown { check, name: name.into(), target: target.into(), last }
            })
            .collect();
        facts.checks.sort_by_key(|shown| shown.check);
        facts.places = facts.checks.iter().enumerate().map(|(place, shown)| (shown.check, place)).collect();
        facts.uplinks.retain(|name, _| uplinks.contains(name));
        for name in uplinks {
            facts.uplinks.entry(name.clone()).or_default();
        }
    }

    /// Which plan runs, and whether the collector delivered it.
    pub fn runs(&self, digest: PlanDigest, delivered: bool) {
        let mut facts = self.facts();
        (facts.plan.digest, facts.plan.delivered) = (digest, delivered);
    }

    /// A delivered plan was taken over; `kept` tells whether it is on disk for the next start.
    pub fn plan_taken(&self, kept: bool) {
        let mut facts = self.facts();
        facts.plan.taken += 1;
        facts.plan.unkept += u64::from(!kept);
    }

    /// A delivered plan is not good; the last good one runs on.
    pub fn plan_refused(&self) {
        self.facts().plan.refused += 1;
    }

    /// What metered lines carried this month, octets.
    pub fn metered(&self, octets: BTreeMap<String, u64>) {
        self.facts().metered = octets;
    }

    /// Whether no uplink shown before `uplink` is of the same line.
    pub fn is_first_of(&self, line: &str, uplink: &str) -> bool {
        let facts = self.facts();
        let mut shown = facts.uplinks.keys().map(String::as_str);
        let same = |name: &&str| name.rsplit_once('/').is_some_and(|(of, _)| of == line);
        shown.find(same).is_none_or(|first| first == uplink)
    }

    /// How many checks and listeners rest after a fault.
    pub fn resting(&self, resting: usize) {
        self.facts().resting = resting;
    }

    /// An uplink's socket could be bound as the plan says, or not.
    pub fn bound(&self, uplink: &str, bound: bool) {
        if let Some(fares) = self.facts().uplinks.get_mut(uplink) {
            fares.bound = Some(bound);
        }
    }

    /// A run ended.
    pub fn outcome(&self, outcome: &Outcome) {
        self.outcomes(std::slice::from_ref(outcome));
    }

    /// Runs ended, many at once.
    pub fn outcomes(&self, outcomes: &[Outcome]) {
        let mut facts = self.facts();
        let Facts { checks, places, .. } = &mut *facts;
        for outcome in outcomes {
            if let Some(shown) = places.get(&outcome.check).and_then(|place| checks.get_mut(*place)) {
                match &mut shown.last {
                    Some(last) => last.follow(outcome),
                    none => *none = Some(Run::of(outcome)),
                }
            }
        }
    }

    /// How the ICMP engine fares.
    pub fn echoes(&self, echoes: icmp::Tally) {
        self.facts().echoes = echoes;
    }

    /// How the schedule fares.
    pub fn schedule(&self, schedule: &Schedule) {
        let mut facts = self.facts();
        (facts.skipped, facts.in_flight) = (schedule.skipped(), schedule.in_flight());
        facts.lateness = schedule.lateness();
    }

    /// How the spool fares.
    pub fn spool(&self, tally: Tally) {
        self.facts().spool = tally;
    }

    /// Records dropped before they were numbered, since start.
    pub fn dropped(&self, dropped: u64) {
        self.facts().dropped = dropped;
    }

    /// An uplink brought a batch, or did not.
    pub fn batch(&self, uplink: &str, brought: bool) {
        if let Some(fares) = self.facts().uplinks.get_mut(uplink) {
            if brought {
                fares.brought += 1;
            } else {
                fares.failed += 1;
            }
        }
    }

    /// The collector's liveness packets arrive on an uplink, or no longer.
    pub fn heard(&self, uplink: &str, heard: bool) {
        if let Some(fares) = self.facts().uplinks.get_mut(uplink) {
            fares.heard = Some(heard);
            fares.round_trip = fares.round_trip.filter(|_| heard);
        }
    }

    /// How good an uplink was, last time it was measured.
    pub fn quality(&self, uplink: &str, samples: &[Sample]) {
        if let Some(fares) = self.facts().uplinks.get_mut(uplink) {
            fares.quality = samples.to_vec();
        }
    }

    /// The last round trip of an uplink's up session.
    pub fn round_trip(&self, uplink: &str, round_trip: Duration) {
        self.facts().uplinks.entry(uplink.into()).or_default().round_trip = Some(round_trip);
    }

    /// An uplink was traced: the last hop that answered, and whether it leaves as the default route does.
    pub fn way(&self, uplink: &str, last_hop: u8, default: Option<bool>) {
        if let Some(fares) = self.facts().uplinks.get_mut(uplink) {
            (fares.last_hop, fares.default) = (Some(last_hop), default);
        }
    }

    /// The way to a target or to the collector was traced on doubt.
    pub fn traced(&self) {
        self.facts().traces += 1;
    }

    /// A trace was left out.
    pub fn trace_left_out(&self, reason: &'static str) {
        *self.facts().untraced.entry(reason).or_default() += 1;
    }

    /// The last round trip of an uplink's up session, while it is heard.
    pub fn round_trip_of(&self, uplink: &str) -> Option<Duration> {
        self.facts().uplinks.get(uplink)?.round_trip
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
