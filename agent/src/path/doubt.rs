//! When the way to somebody is traced without a check asking for it. Pure: time is given.
//!
//! | | traced |
//! |---|---|
//! | a check misses for the second time, or answers again after that | once |
//! | the collector is no longer heard on an uplink, or is again | at once |
//! | it still is not | each [`SILENT_EVERY`]; a metered uplink each [`SILENT_METERED`] |
//! | an uplink that is not metered, else | each [`ROUTINE`]: what a later change is compared with |
//!
//! A target is not traced again for a check within [`PAUSE`]; nor an uplink, a metered one within [`SILENT_METERED`]: it
//! is traced then, if it fell silent or came back meanwhile. So is one of which no trace could be made.

use crate::by_id::ById;
use haidang_probe::check::CheckId;
use haidang_probe::outcome::{Failure, Outcome};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// Misses in a row after which a check's target is doubted.
pub const MISSES: u8 = 2;
/// Between two traces of one target for checks, or by one uplink.
pub const PAUSE: Duration = Duration::from_secs(10);
/// Between two traces by an uplink on which the collector is not heard.
pub const SILENT_EVERY: Duration = Duration::from_secs(60);
/// The same where volume is paid for, and between any two there: about 15 MB in a month of silence.
pub const SILENT_METERED: Duration = Duration::from_secs(600);
/// Between two traces by an uplink that fares well.
pub const ROUTINE: Duration = Duration::from_secs(1800);

/// Targets whose last trace is remembered; beyond it those whose pause is over are forgotten.
const PAUSES: usize = 1024;

/// Which checks miss.
#[derive(Debug, Default)]
pub struct Checks {
    /// Misses in a row; a check that answers has none.
    misses: ById<u8>,
}

impl Checks {
    /// A run ended; true when the way to its target is doubted now, or is no longer.
    pub fn saw(&mut self, outcome: &Outcome) -> bool {
        let silent = match outcome.result {
            // Of an answer that displeases, or refuses, the way is whole.
            Ok(_) => false,
            Err(Failure::Timeout | Failure::Unreachable | Failure::Prohibited | Failure::Circle) => true,
            Err(failure) if failure.tells_of_target() => false,
            Err(_) => return false,
        };
        if silent {
            let misses = self.misses.entry(outcome.check).or_default();
            *misses = misses.saturating_add(1);
            return *misses == MISSES;
        }
        // Most checks answer: nothing is kept of them.
        !self.misses.is_empty() && self.misses.remove(&outcome.check).is_some_and(|misses| misses >= MISSES)
    }

    /// Forgets checks that are no longer asked.
    pub fn retain(&mut self, asked: impl Fn(CheckId) -> bool) {
        self.misses.retain(|check, _| asked(*check));
    }
}

/// When each uplink is traced.
#[derive(Debug, Default)]
pub struct Uplinks {
    ways: BTreeMap<String, Turn>,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    silent: bool,
    /// It fell silent or came back, and no trace has shown it yet.
    owed: bool,
    /// When it is traced though nothing has happened.
    next_ns: u64,
    /// Not before.
    rests_ns: u64,
}

impl Uplinks {
    /// How an uplink fares at `now_ns`: whether it is traced now, and if so, whether it is doubted.
    pub fn due(&mut self, uplink: &str, silent: bool, metered: bool, now_ns: u64) -> Option<bool> {
        let first = Turn { silent, owed: silent, next_ns: now_ns, rests_ns: now_ns };
        let turn = self.ways.entry(uplink.into()).or_insert(first);
        turn.owed |= turn.silent != silent;
        turn.silent = silent;
        let doubted = turn.owed || silent;
        let due = turn.owed || turn.next_ns <= now_ns;
        if !due || turn.rests_ns > now_ns || metered && !doubted {
            return None;
        }
        let (rest, next) = match (silent, metered) {
            (_, true) => (SILENT_METERED, SILENT_METERED),
            (true, false) => (PAUSE, SILENT_EVERY),
            (false, false) => (PAUSE, ROUTINE),
        };
        *turn = Turn { silent, owed: false, next_ns: after(now_ns, next), rests_ns: after(now_ns, rest) };
        Some(doubted)
    }

    /// The trace that was due could not be made, and is after the next rest.
    pub fn failed(&mut self, uplink: &str, doubted: bool) {
        if let Some(turn) = self.ways.get_mut(uplink) {
            turn.owed |= doubted;
            turn.next_ns = turn.rests_ns;
        }
    }

    /// Forgets uplinks that are gone.
    pub fn retain(&mut self, used: impl Fn(&str) -> bool) {
        self.ways.retain(|uplink, _| used(uplink));
    }
}

fn after(now_ns: u64, pause: Duration) -> u64 {
    now_ns + pause.as_nanos() as u64
}

/// Targets that were just traced for a check.
#[derive(Debug, Default)]
pub struct Pauses(BTreeMap<IpAddr, u64>);

impl Pauses {
    /// Whether `target` may be traced at `now_ns`; it pauses from then on.
    pub fn may(&mut self, target: IpAddr, now_ns: u64) -> bool {
        if self.0.get(&target).is_some_and(|until_ns| now_ns < *until_ns) {
            return false;
        }
        if self.0.len() >= PAUSES {
            self.0.retain(|_, until_ns| now_ns < *until_ns);
        }
        if self.0.len() < PAUSES {
            self.0.insert(target, after(now_ns, PAUSE));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_probe::moment::Moment;

    const SECOND: u64 = 1_000_000_000;
    const MISS: Result<Duration, Failure> = Err(Failure::Timeout);
    const ANSWER: Result<Duration, Failure> = Ok(Duration::ZERO);

    /// Whether each run makes a trace due.
    fn saw(runs: &[Result<Duration, Failure>]) -> Vec<bool> {
        let mut checks = Checks::default();
        let run = |result: &Result<Duration, Failure>| Outcome {
            check: CheckId(1),
            sent: Moment::default(),
            result: *result,
            samples: Vec::new(),
        };
        runs.iter().map(|result| checks.saw(&run(result))).collect()
    }

    #[test]
    fn the_second_miss_and_the_return_are_traced() {
        assert_eq!(
            saw(&[ANSWER, MISS, MISS, MISS, ANSWER, ANSWER]),
            [false, false, true, false, true, false]
        );
        assert_eq!(saw(&[MISS, ANSWER, MISS, ANSWER]), [false; 4], "one miss is none");
    }

    #[test]
    fn an_answer_that_displeases_and_our_own_failures_are_no_misses() {
        let (status, ours) = (Err(Failure::Status), Err(Failure::Local));
        assert_eq!(saw(&[status, status, status]), [false; 3]);
        assert_eq!(saw(&[MISS, ours, MISS]), [false, false, true], "ours tells nothing");
        assert_eq!(saw(&[MISS, MISS, Err(Failure::Refused)]), [false, true, true], "it is reached again");
    }

    #[test]
    fn an_uplink_is_traced_at_once_when_silent_and_each_minute_while_it_is() {
        let mut uplinks = Uplinks::default();
        let mut due = |silent, second| uplinks.due("a/2", silent, false, second * SECOND);
        assert_eq!(due(false, 0), Some(false), "what a change is compared with");
        assert_eq!(due(false, 1), None);
        assert_eq!(due(true, 10), Some(true));
        assert_eq!((due(true, 69), due(true, 70)), (None, Some(true)));
        assert_eq!(due(false, 100), Some(true), "it is back");
        assert_eq!((due(false, 1_899), due(false, 1_900)), (None, Some(false)));
    }

    #[test]
    fn a_metered_uplink_is_traced_in_doubt_alone() {
        let mut uplinks = Uplinks::default();
        let mut due = |silent, second| uplinks.due("b/4", silent, true, second * SECOND);
        assert_eq!((due(false, 0), due(false, 9_000)), (None, None));
        assert_eq!((due(true, 9_001), due(true, 9_600), due(true, 9_601)), (Some(true), None, Some(true)));
        assert_eq!((due(false, 10_300), due(false, 99_000)), (Some(true), None));
    }

    #[test]
    fn an_uplink_that_flaps_is_traced_no_more_often_than_it_may() {
        for (metered, most) in [(false, 360), (true, 6)] {
            let mut uplinks = Uplinks::default();
            let flaps = |second: u64| second / 3 % 2 == 1;
            let mut due = |second| uplinks.due("a/2", flaps(second), metered, second * SECOND);
            let traced = (0..3_600).filter(|second| due(*second).is_some()).count();
            assert!((most - 1..=most).contains(&traced), "{traced} in an hour, metered {metered}");
        }
    }

    #[test]
    fn a_change_while_it_rests_is_traced_after() {
        let mut uplinks = Uplinks::default();
        let mut due = |silent, second| uplinks.due("b/4", silent, true, second * SECOND);
        assert_eq!((due(true, 0), due(false, 10), due(false, 599)), (Some(true), None, None));
        assert_eq!((due(false, 600), due(false, 1_200)), (Some(true), None));
    }

    #[test]
    fn a_trace_that_could_not_be_made_is_made_soon() {
        let mut uplinks = Uplinks::default();
        assert_eq!(uplinks.due("a/2", true, false, 0), Some(true));
        uplinks.failed("a/2", true);
        assert_eq!(uplinks.due("a/2", false, false, 9 * SECOND), None);
        assert_eq!(
            uplinks.due("a/2", false, false, 10 * SECOND),
            Some(true),
            "doubted still, though it is back"
        );
        uplinks.failed("a/2", false);
        assert_eq!(uplinks.due("a/2", false, false, 20 * SECOND), Some(false));
    }

    #[test]
    fn an_uplink_that_begins_silent_is_doubted() {
        assert_eq!(Uplinks::default().due("a/2", true, false, 0), Some(true));
    }

    #[test]
    fn a_target_that_flaps_is_traced_now_and_then() {
        let (mut pauses, target) = (Pauses::default(), IpAddr::from([10, 0, 0, 1]));
        assert_eq!(
            [0, 1, 9, 10, 11].map(|second| pauses.may(target, second * SECOND)),
            [true, false, false, true, false]
        );
        for other in 0..2 * PAUSES as u32 {
            assert!(pauses.may(IpAddr::from(other.to_be_bytes()), 0));
        }
        assert!(pauses.0.len() <= PAUSES);
    }
}
