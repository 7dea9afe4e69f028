//! The last of everything, as `/metrics` shows it: what checks found, and how the agent itself fares.
//!
//! Names are Prometheus' own where the meaning is equal (`probe_success`, `ifHCInOctets`). Series are made
//! from the [`Board`] at each scrape, so a check taken out of the plan takes its series along. A check whose
//! failure says nothing of its target (no permission, no such place) has no `probe_success`: unknown is not
//! down.

mod series;

use crate::by_id::ById;
use crate::icmp;
use crate::schedule::{Lateness, Schedule, Skipped};
use crate::spool::Tally;
use haidang_probe::check::CheckId;
use haidang_probe::metric::Metric;
use haidang_probe::outcome::{Outcome, Sample};
use haidang_probe::plan::PlanDigest;
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
    /// Its samples by metric, as they are shown.
    last: Option<Outcome>,
}

impl Shown {
    /// `outcome` is the last run. Runs tell much the same: what the one before held is written over, not made anew.
    fn keep(&mut self, outcome: &Outcome) {
        let mut samples = self.last.take().map(|before| before.samples).unwrap_or_default();
        samples.truncate(outcome.samples.len());
        let (over, more) = outcome.samples.split_at(samples.len());
        for (sample, told) in samples.iter_mut().zip(over) {
            (sample.metric, sample.value) = (told.metric, told.value);
            sample.part.clone_from(&told.part);
        }
        samples.extend_from_slice(more);
        samples.sort_by_key(|sample| sample.metric);
        let Outcome { check, sent, result, .. } = *outcome;
        self.last = Some(Outcome { check, sent, result, samples });
    }

    /// The last run's samples of `metric`.
    fn samples(&self, metric: Metric) -> &[Sample] {
        let samples = self.last.as_ref().map_or(&[][..], |last| &last.samples);
        let from = samples.partition_point(|sample| sample.metric < metric);
        let count = samples[from..].partition_point(|sample| sample.metric == metric);
        &samples[from..from + count]
    }
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
        let mut last: BTreeMap<CheckId, Outcome> =
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
                shown.keep(outcome);
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
mod tests {
    use super::*;
    use crate::schedule::{Holds, Pace};
    use haidang_daemon::metrics::Metrics;
    use haidang_probe::moment::Moment;
    use haidang_probe::outcome::Failure;

    fn check<'a>(name: &'a str, target: &'a str) -> (CheckId, &'a str, &'a str) {
        (CheckId::of_name(name), name, target)
    }

    fn ran(name: &str, result: Result<Duration, Failure>, samples: Vec<Sample>) -> Outcome {
        Outcome { check: CheckId::of_name(name), sent: Moment::default(), result, samples }
    }

    fn text(board: &Board) -> String {
        let metrics = Metrics::new();
        board.register(&metrics);
        metrics.text().unwrap()
    }

    #[test]
    fn checks_show_under_the_names_people_know() {
        let board = Board::default();
        board.plan([check("portal", "portal.example:443"), check("lan", "*")], &["any/2".into()]);
        board.outcome(&ran("portal", Ok(Duration::from_millis(12)), Vec::new()));
        let octets = Sample { metric: Metric::IfInOctets, part: "eth0".into(), value: 7e12 };
        board.outcome(&ran("lan", Ok(Duration::ZERO), vec![octets]));
        let text = text(&board);
        for line in [
            "probe_success{check=\"portal\",target=\"portal.example:443\"} 1",
            "probe_duration_seconds{check=\"portal\",target=\"portal.example:443\"} 0.012",
            "ifHCInOctets{check=\"lan\",target=\"*\",part=\"eth0\"} 7000000000000",
        ] {
            assert!(
                text.lines().any(|found| found == line || found == format!("{line}.0")),
                "no {line} in\n{text}"
            );
        }
    }

    #[test]
    fn the_last_run_alone_is_shown_however_its_samples_come() {
        let board = Board::default();
        board.plan([check("lan", "*")], &[]);
        let sample = |metric, part: &str, value| Sample { metric, part: part.into(), value };
        let (octets, state) = (Metric::IfInOctets, Metric::IfOperStatus);
        let first = vec![sample(state, "a", 1.0), sample(octets, "a", 5.0), sample(octets, "b", 6.0)];
        board.outcome(&ran("lan", Ok(Duration::ZERO), first));
        let second = vec![sample(octets, "c", 7.0), sample(state, "c", 2.0)];
        board.outcome(&ran("lan", Ok(Duration::ZERO), second));
        let text = text(&board);
        let of_parts: Vec<&str> = text.lines().filter(|line| line.contains("part=")).collect();
        assert_eq!(
            of_parts,
            [
                "ifHCInOctets{check=\"lan\",target=\"*\",part=\"c\"} 7.0",
                "ifOperStatus{check=\"lan\",target=\"*\",part=\"c\"} 2.0",
            ]
        );
    }

    #[test]
    fn unknown_is_not_down() {
        let board = Board::default();
        board.plan([check("a", "a:1"), check("b", "b:1")], &[]);
        board.outcome(&ran("a", Err(Failure::NotPermitted), Vec::new()));
        board.outcome(&ran("b", Err(Failure::Refused), Vec::new()));
        let text = text(&board);
        assert!(!text.contains("probe_success{check=\"a\""), "{text}");
        assert!(
            text.contains("probe_unknown{check=\"a\",target=\"a:1\",failure=\"not-permitted\"} 1"),
            "{text}"
        );
        assert!(text.contains("probe_success{check=\"b\",target=\"b:1\"} 0"), "{text}");
    }

    #[test]
    fn a_removed_check_loses_its_series_and_a_kept_one_keeps_them() {
        let board = Board::default();
        board.plan([check("a", "a:1"), check("b", "b:1")], &["x/2".into()]);
        board.outcome(&ran("a", Ok(Duration::ZERO), Vec::new()));
        board.outcome(&ran("b", Ok(Duration::ZERO), Vec::new()));
        board.batch("x/2", true);
        board.plan([check("b", "b:1")], &["y/4".into()]);
        board.outcome(&ran("a", Ok(Duration::ZERO), Vec::new()));
        let text = text(&board);
        assert!(!text.contains("check=\"a\"") && text.contains("probe_success{check=\"b\""), "{text}");
        assert!(!text.contains("x/2") && text.contains("uplink=\"y/4\""), "{text}");
    }

    #[test]
    fn how_late_runs_start_shows() {
        let (board, mut schedule) = (Board::default(), Schedule::default());
        let pace = Pace { every: Duration::from_secs(1), length: Duration::ZERO, holds: Holds::Task };
        schedule.set(CheckId(1), pace, 0);
        let due = schedule.next_ns().unwrap();
        assert!(schedule.due(due + 30_000_000).is_some());
        board.schedule(&schedule);
        let text = text(&board);
        for line in [
            "haidang_agent_run_lateness_seconds_bucket{le=\"0.025\"} 0",
            "haidang_agent_run_lateness_seconds_bucket{le=\"0.05\"} 1",
            "haidang_agent_run_lateness_seconds_bucket{le=\"+Inf\"} 1",
            "haidang_agent_run_lateness_seconds_count 1",
        ] {
            assert!(text.contains(line), "no {line} in\n{text}");
        }
    }

    #[test]
    fn the_plan_that_runs_and_what_became_of_others_shows() {
        let board = Board::default();
        board.runs(PlanDigest([0xab; 8]), true);
        board.plan_taken(false);
        board.plan_refused();
        let text = text(&board);
        for line in [
            "haidang_agent_plan{digest=\"abababababababab\",source=\"collector\"} 1",
            "haidang_agent_plans_taken_total 1",
            "haidang_agent_plans_refused_total 1",
            "haidang_agent_plans_unkept_total 1",
        ] {
            assert!(text.contains(line), "no {line} in\n{text}");
        }
    }
}
