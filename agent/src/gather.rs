//! Finished runs and events, gathered into batches.
//!
//! Pure: time is given. A batch is due [`Flush::every`] after its first record, or once it is full; where the plan says `prompt`,
//! a check that turned from success to failure, or back, makes it due within [`PROMPT`], and everything
//! gathered goes with it, so that earlier replies of other checks are not behind the change they judge.

use crate::by_id::ById;
use haidang_probe::batch::Batch;
use haidang_probe::batch::limit::MAX_PARTS;
use haidang_probe::check::CheckId;
use haidang_probe::digest::LineDigest;
use haidang_probe::event::{Event, EventKind};
use haidang_probe::moment::{BootId, ClockMap, Moment};
use haidang_probe::outcome::Outcome;
use haidang_probe::plan::PlanDigest;
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::time::Duration;

/// Longest a change waits for others that happen with it, where the plan says `prompt`. With the sync and the
/// way it stays within the 200 ms the core agent has.
pub const PROMPT: Duration = Duration::from_millis(100);

/// Records kept while the disk takes none; beyond it the oldest go, counted.
pub const PENDING: usize = 16_384;

/// Outcomes and samples of one batch: well inside the format's limits, so that no batch is refused for its
/// size.
const OUTCOMES: usize = 4096;
const SAMPLES: usize = 32_768;
const EVENTS: usize = 768;
const LINES: usize = 256;
/// Different parts that a batch's samples speak of; events may bring as many more as there are events,
/// and digests.
const PARTS: usize = MAX_PARTS - EVENTS - LINES;

/// Boots whose clocks are remembered.
const BOOTS: usize = 8;

/// A wall clock that moved by more than this against the monotonic one was stepped, not disciplined.
const STEP_NS: u64 = 1_000_000_000;

/// When batches are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flush {
    /// Longest a record waits.
    pub every: Duration,
    /// Whether changes go at once.
    pub prompt: bool,
}

/// What is not in a batch yet.
#[derive(Debug)]
pub struct Gather {
    flush: Flush,
    outcomes: VecDeque<Outcome>,
    events: VecDeque<Event>,
    lines: VecDeque<LineDigest>,
    due_ns: Option<u64>,
    /// The disk refused last time: a full batch waits like any other.
    held: bool,
    /// Whether each check succeeded when it last ran.
    well: ById<bool>,
    clocks: BTreeMap<BootId, ClockMap>,
    dropped: u64,
}

impl Gather {
    /// Nothing gathered yet.
    pub fn new(flush: Flush) -> Gather {
        Gather {
            flush,
            outcomes: VecDeque::new(),
            events: VecDeque::new(),
            lines: VecDeque::new(),
            due_ns: None,
            held: false,
            well: ById::default(),
            clocks: BTreeMap::new(),
            dropped: 0,
        }
    }

    /// A new plan's settings and checks; what is gathered stays.
    pub fn set(&mut self, flush: Flush, checks: &BTreeSet<CheckId>) {
        self.flush = flush;
        self.well.retain(|check, _| checks.contains(check));
    }

    /// A run ended.
    pub fn outcome(&mut self, outcome: Outcome, now_ns: u64) {
        let well = outcome.result.is_ok();
        let changed = self.well.insert(outcome.check, well).is_some_and(|before| before != well);
        self.outcomes.push_back(outcome);
        self.due_within(if changed && self.flush.prompt { PROMPT } else { self.flush.every }, now_ns);
        if self.outcomes.len() >= OUTCOMES && !self.held {
            self.due_ns = Some(now_ns);
        }
        self.limit();
    }

    /// Something came unasked.
    pub fn event(&mut self, event: Event, now_ns: u64) {
        self.events.push_back(event);
        self.due_within(if self.flush.prompt { PROMPT } else { self.flush.every }, now_ns);
        self.limit();
    }

    /// Some seconds of an uplink are over.
    pub fn line(&mut self, digest: LineDigest, now_ns: u64) {
        self.lines.push_back(digest);
        self.due_within(self.flush.every, now_ns);
        self.limit();
    }

    /// When [`Gather::take`] should be called; `None` with nothing gathered.
    pub fn due_ns(&self) -> Option<u64> {
        self.due_ns
    }

    /// A batch of the oldest records, if there are any. `map` relates the clock of `now`'s boot to UTC.
    pub fn take(&mut self, now: Moment, map: ClockMap, digest: PlanDigest) -> Option<Batch> {
        self.remember(now, map);
        self.held = false;
        let count = self.fitting();
        let outcomes: Vec<Outcome> = self.outcomes.drain(..count).collect();
        let events: Vec<Event> = self.events.drain(..self.events.len().min(EVENTS)).collect();
        let lines: Vec<LineDigest> = self.lines.drain(..self.lines.len().min(LINES)).collect();
        if self.outcomes.is_empty() && self.events.is_empty() && self.lines.is_empty() {
            self.due_ns = None;
        }
        if outcomes.is_empty() && events.is_empty() && lines.is_empty() {
            return None;
        }
        let boots: BTreeSet<BootId> = outcomes
            .iter()
            .map(|outcome| outcome.sent.boot)
            .chain(events.iter().map(|event| event.at.boot))
            .chain(lines.iter().map(|line| line.from.boot))
            .collect();
        let clocks = boots.iter().filter_map(|boot| self.clocks.get(boot).copied()).collect();
        Some(Batch { clocks, outcomes, events, lines, plan_digest: digest, ..Batch::default() })
    }

    /// Takes back what could not be sealed; it is tried again a flush later.
    pub fn give_back(&mut self, batch: Batch, now_ns: u64) {
        for outcome in batch.outcomes.into_iter().rev() {
            self.outcomes.push_front(outcome);
        }
        for event in batch.events.into_iter().rev() {
            self.events.push_front(event);
        }
        for line in batch.lines.into_iter().rev() {
            self.lines.push_front(line);
        }
        (self.due_ns, self.held) = (None, true);
        self.due_within(self.flush.every, now_ns);
        self.limit();
    }

    /// Records dropped because the disk took none for too long.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn due_within(&mut self, span: Duration, now_ns: u64) {
        let due_ns = now_ns + span.as_nanos() as u64;
        self.due_ns = Some(self.due_ns.map_or(due_ns, |before| before.min(due_ns)));
    }

    fn limit(&mut self) {
        while self.outcomes.len() > PENDING {
            self.outcomes.pop_front();
            self.dropped += 1;
        }
        while self.events.len() > PENDING {
            self.events.pop_front();
            self.dropped += 1;
        }
        while self.lines.len() > PENDING {
            self.lines.pop_front();
            self.dropped += 1;
        }
    }

    /// How many of the oldest outcomes fit in one batch. One always goes, or an oversized one would block the rest for
    /// ever.
    fn fitting(&self) -> usize {
        let (mut samples, mut parts, mut last) = (0, HashSet::new(), "");
        for (nth, outcome) in self.outcomes.iter().take(OUTCOMES).enumerate() {
            samples += outcome.samples.len();
            for sample in &outcome.samples {
                // Samples come interface by interface.
                if sample.part != last || parts.is_empty() {
                    last = &sample.part;
                    parts.insert(last);
                }
            }
            if samples > SAMPLES || parts.len() > PARTS {
                return nth.max(1);
            }
        }
        self.outcomes.len().min(OUTCOMES)
    }

    fn remember(&mut self, now: Moment, map: ClockMap) {
        let before = self.clocks.insert(map.boot, map);
        if before.is_some_and(|before| before.offset_ns.abs_diff(map.offset_ns) > STEP_NS) {
            self.events.push_back(Event::new(now, EventKind::ClockStepped, ""));
        }
        while self.clocks.len() > BOOTS {
            let Some(other) = self.clocks.keys().copied().find(|boot| *boot != map.boot) else { return };
            self.clocks.remove(&other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_probe::metric::Metric;
    use haidang_probe::outcome::{Failure, Sample};

    const MS: u64 = 1_000_000;
    const SECOND: Flush = Flush { every: Duration::from_secs(1), prompt: false };
    const AT_ONCE: Flush = Flush { every: Duration::from_secs(1), prompt: true };
    const BOOT: BootId = BootId([1; 16]);

    fn run(check: u32, well: bool) -> Outcome {
        let sent = Moment { boot: BOOT, mono_ns: 0 };
        let result = if well { Ok(Duration::ZERO) } else { Err(Failure::Timeout) };
        Outcome { check: CheckId(check), sent, result, samples: Vec::new() }
    }

    fn take(gather: &mut Gather) -> Option<Batch> {
        let map = ClockMap { boot: BOOT, ..ClockMap::default() };
        gather.take(Moment { boot: BOOT, mono_ns: 0 }, map, PlanDigest::default())
    }

    #[test]
    fn a_record_waits_no_longer_than_the_flush() {
        let mut gather = Gather::new(SECOND);
        gather.outcome(run(1, true), 0);
        gather.outcome(run(1, false), 900 * MS);
        assert_eq!(gather.due_ns(), Some(1000 * MS), "not prompt: a change waits as the rest");
        assert_eq!(take(&mut gather).map(|batch| (batch.outcomes.len(), batch.clocks.len())), Some((2, 1)));
        assert_eq!((gather.due_ns(), take(&mut gather)), (None, None));
    }

    #[test]
    fn a_change_takes_all_that_was_gathered_with_it() {
        let mut gather = Gather::new(AT_ONCE);
        gather.outcome(run(1, true), 0);
        assert_eq!(gather.due_ns(), Some(1000 * MS), "the first run is no change");
        take(&mut gather);
        gather.outcome(run(2, true), 1100 * MS);
        gather.outcome(run(1, false), 1200 * MS);
        assert_eq!(gather.due_ns(), Some(1300 * MS));
        assert_eq!(take(&mut gather).unwrap().outcomes, [run(2, true), run(1, false)]);
        gather.outcome(run(1, false), 2000 * MS);
        assert_eq!(gather.due_ns(), Some(3000 * MS), "still failing is no change");
        gather.outcome(run(1, true), 2100 * MS);
        assert_eq!(gather.due_ns(), Some(2200 * MS), "recovery is");
    }

    #[test]
    fn a_full_batch_is_due_at_once_save_when_the_disk_has_just_refused_one() {
        let mut gather = Gather::new(SECOND);
        for check in 0..OUTCOMES as u32 {
            assert_ne!(gather.due_ns(), Some(300 * MS), "not full yet");
            gather.outcome(run(check, true), 300 * MS);
        }
        assert_eq!(gather.due_ns(), Some(300 * MS));
        let batch = take(&mut gather).unwrap();
        assert_eq!((batch.outcomes.len(), gather.due_ns()), (OUTCOMES, None));
        gather.give_back(batch, 400 * MS);
        gather.outcome(run(1, true), 500 * MS);
        assert_eq!(gather.due_ns(), Some(1400 * MS));
    }

    #[test]
    fn switches_with_many_ports_are_spread_over_batches() {
        let mut gather = Gather::new(SECOND);
        for switch in 0..5 {
            let port =
                |port| Sample { metric: Metric::IfInOctets, part: format!("{switch}/{port}"), value: 0.0 };
            gather.outcome(Outcome { samples: (0..1024).map(port).collect(), ..run(switch, true) }, 0);
        }
        let taken: Vec<usize> =
            std::iter::from_fn(|| take(&mut gather)).map(|batch| batch.outcomes.len()).collect();
        assert_eq!(taken, [3, 2]);
    }

    #[test]
    fn digests_alone_are_worth_a_batch_and_come_back_with_it() {
        let mut gather = Gather::new(SECOND);
        let digest =
            |sent| LineDigest { from: Moment { boot: BOOT, mono_ns: 0 }, sent, ..LineDigest::default() };
        gather.line(digest(1), 0);
        gather.line(digest(2), 0);
        assert_eq!(gather.due_ns(), Some(1000 * MS));
        let batch = take(&mut gather).unwrap();
        assert_eq!((batch.lines.len(), batch.clocks.len(), take(&mut gather)), (2, 1, None));
        gather.give_back(batch, 0);
        assert_eq!(take(&mut gather).unwrap().lines, [digest(1), digest(2)]);
    }

    #[test]
    fn what_could_not_be_sealed_comes_back_in_order() {
        let mut gather = Gather::new(SECOND);
        for check in 0..3 {
            gather.outcome(run(check, true), 0);
        }
        let batch = take(&mut gather).unwrap();
        gather.outcome(run(3, true), 0);
        gather.give_back(batch, 0);
        let checks: Vec<u32> =
            take(&mut gather).unwrap().outcomes.iter().map(|outcome| outcome.check.0).collect();
        assert_eq!(checks, [0, 1, 2, 3]);
    }

    #[test]
    fn while_the_disk_takes_nothing_the_oldest_go_and_are_counted() {
        let mut gather = Gather::new(SECOND);
        for check in 0..PENDING as u32 + 2 {
            gather.outcome(run(check, true), 0);
        }
        assert_eq!(gather.dropped(), 2);
        let batch = take(&mut gather).unwrap();
        assert_eq!((batch.outcomes.len(), batch.outcomes[0].check), (OUTCOMES, CheckId(2)));
        assert!(gather.due_ns().is_some(), "the rest is due as well");
    }

    #[test]
    fn a_step_of_the_wall_clock_is_an_event() {
        let mut gather = Gather::new(SECOND);
        let now = Moment { boot: BOOT, mono_ns: 5 };
        let map = |offset_ns| ClockMap { boot: BOOT, offset_ns, bound_ns: 0 };
        assert_eq!(gather.take(now, map(0), PlanDigest::default()), None);
        assert_eq!(gather.take(now, map(STEP_NS as i64), PlanDigest::default()), None, "disciplined");
        let batch = gather.take(now, map(-1), PlanDigest::default()).unwrap();
        assert_eq!(batch.events[0].kind, EventKind::ClockStepped);
    }
}
