//! Much in few octets: what was heard on an uplink in some seconds, and what is left of the runs of a check once
//! they are too old to be kept one by one.
//!
//! ```text
//!   up session     we ask ──▶ ✕              sent, answered, round trips, which were not answered
//!   down session   the collector asks ──▶    due, heard, in which intervals nothing came
//!
//!   answered / sent = (1 − loss up) · (1 − loss down)       heard / due = 1 − loss down
//! ```
//!
//! An answer has crossed the line twice, what the collector asks once: so the two together tell the direction of a
//! loss, also while the collector hears nothing of us.

use crate::{
    check::CheckId,
    moment::Moment,
    outcome::{Failure, Outcome},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Packets, and intervals, of one [`LineDigest`] that have a bit of their own; later ones are counted alone.
pub const BITS: u32 = u64::BITS;

/// Smallest, middle and largest of some durations, in microseconds; all zero of none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// Smallest, µs.
    pub min: u32,
    /// Median, by nearest rank, µs.
    pub median: u32,
    /// Largest, µs.
    pub max: u32,
}

impl Spread {
    /// Of durations in microseconds, which are put in order.
    pub fn of(micros: &mut [u32]) -> Spread {
        micros.sort_unstable();
        let (Some(min), Some(max)) = (micros.first(), micros.last()) else { return Spread::default() };
        Spread { min: *min, median: micros[(micros.len() - 1) / 2], max: *max }
    }
}

impl Spread {
    /// With another, of so many durations each.
    fn with(self, other: Spread, (here, there): (u32, u32)) -> Spread {
        let weighed = |spread: Spread, count: u32| u128::from(spread.median) * u128::from(count);
        let both = weighed(self, here) + weighed(other, there);
        let median = (both / (u128::from(here) + u128::from(there)).max(1)) as u32;
        Spread { min: self.min.min(other.min), median, max: self.max.max(other.max) }
    }
}

/// Whole microseconds; more than an hour and eleven minutes is that.
pub fn micros(took: Duration) -> u32 {
    u32::try_from(took.as_micros()).unwrap_or(u32::MAX)
}

/// What an agent saw of both liveness sessions of one uplink for some seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineDigest {
    /// When it begins.
    pub from: Moment,
    /// How long it lasts, whole milliseconds.
    pub lasted: Duration,
    /// The uplink: `line/session`.
    pub uplink: String,
    /// Packets sent.
    pub sent: u32,
    /// Those of them that were answered.
    pub answered: u32,
    /// Packets of the collector that were due: by their numbers, and by the interval while none came.
    pub due: u32,
    /// Packets of the collector that came.
    pub heard: u32,
    /// Round trips of those answered.
    pub rtt: Spread,
    /// Time-to-live with which our packets reach the collector, if it says so.
    pub ttl: Option<u8>,
    /// Bit n: the nth packet sent was not answered.
    pub unanswered: u64,
    /// Bit n: in the nth interval nothing of the collector's came.
    pub unheard: u64,
}

impl LineDigest {
    /// Share lost from centre to site, 0 to 1; `None` when nothing was due.
    pub fn loss_down(&self) -> Option<f64> {
        (self.due > 0).then(|| 1.0 - (f64::from(self.heard) / f64::from(self.due)).min(1.0))
    }

    /// Share lost from site to centre, 0 to 1; `None` when nothing was sent, or nothing could come back.
    pub fn loss_up(&self) -> Option<f64> {
        let back = 1.0 - self.loss_down()?;
        let asked = self.sent > 0 && back > 0.0;
        asked.then(|| (1.0 - f64::from(self.answered) / f64::from(self.sent) / back).clamp(0.0, 1.0))
    }
}

/// What is left of some runs of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckDigest {
    /// Which check ran.
    pub check: CheckId,
    /// When the first run began.
    pub from: Moment,
    /// From there to the beginning of the last, whole milliseconds.
    pub lasted: Duration,
    /// How many runs.
    pub runs: u32,
    /// Those that succeeded.
    pub succeeded: u32,
    /// Why the first that failed did.
    pub first: Option<Failure>,
    /// Why the last that failed did.
    pub last: Option<Failure>,
    /// How long those that succeeded took.
    pub took: Spread,
}

impl CheckDigest {
    /// Of runs of one check in one boot, in order of time, that all tell something of the target or all do not; `None`
    /// of none.
    pub fn of(runs: &[&Outcome]) -> Option<CheckDigest> {
        let (first, last) = (runs.first()?, runs.last()?);
        let failures = || runs.iter().filter_map(|run| run.result.as_ref().err().copied());
        let mut took: Vec<u32> =
            runs.iter().filter_map(|run| run.result.as_ref().ok()).map(|took| micros(*took)).collect();
        let lasted_ns = last.sent.mono_ns.saturating_sub(first.sent.mono_ns);
        Some(CheckDigest {
            check: first.check,
            from: first.sent,
            lasted: Duration::from_millis(lasted_ns / 1_000_000),
            runs: runs.len() as u32,
            succeeded: took.len() as u32,
            first: failures().next(),
            last: failures().next_back(),
            took: Spread::of(&mut took),
        })
    }

    /// This and the row of `later` runs of the same check and boot, that tell of the target as these do, as one. The
    /// median of both is not known: it is between theirs, and told as their mean by successes.
    #[must_use]
    pub fn with(&self, later: &CheckDigest) -> CheckDigest {
        let ms = |row: &CheckDigest| row.from.mono_ns / 1_000_000 + row.lasted.as_millis() as u64;
        let end = ms(self).max(ms(later));
        CheckDigest {
            lasted: Duration::from_millis(end.saturating_sub(self.from.mono_ns / 1_000_000)),
            runs: self.runs.saturating_add(later.runs),
            succeeded: self.succeeded.saturating_add(later.succeeded),
            first: self.first.or(later.first),
            last: later.last.or(self.last),
            took: match (self.succeeded, later.succeeded) {
                (0, _) => later.took,
                (_, 0) => self.took,
                (here, there) => self.took.with(later.took, (here, there)),
            },
            ..*self
        }
    }

    /// Share of its runs that succeeded; `None` where they tell nothing of the target.
    pub fn success(&self) -> Option<f64> {
        let told = self.succeeded > 0 || self.last.is_some_and(Failure::tells_of_target);
        (told && self.runs > 0).then(|| f64::from(self.succeeded) / f64::from(self.runs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sent: u32, answered: u32, due: u32, heard: u32) -> (Option<f64>, Option<f64>) {
        let digest = LineDigest { sent, answered, due, heard, ..LineDigest::default() };
        (digest.loss_up(), digest.loss_down())
    }

    #[test]
    fn the_direction_of_a_loss_is_told() {
        assert_eq!(line(10, 10, 10, 10), (Some(0.0), Some(0.0)));
        assert_eq!(line(10, 0, 10, 10), (Some(1.0), Some(0.0)), "cut upwards: what the centre asks comes");
        assert_eq!(line(10, 5, 10, 5), (Some(0.0), Some(0.5)), "lost on the way down");
        assert_eq!(line(10, 0, 10, 0), (None, Some(1.0)), "nothing comes: upwards nobody knows");
        assert_eq!(line(0, 0, 0, 0), (None, None));
    }

    #[test]
    fn a_train_that_brings_more_than_was_due_is_no_loss() {
        assert_eq!(line(10, 10, 10, 30), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn runs_become_one_row() {
        let sent = |second: u64| Moment { mono_ns: second * 1_000_000_000, ..Moment::default() };
        let run =
            |second, result| Outcome { check: CheckId(7), sent: sent(second), result, samples: Vec::new() };
        let took = |ms| Ok(Duration::from_millis(ms));
        let runs =
            [run(1, took(4)), run(2, Err(Failure::Timeout)), run(3, Err(Failure::Refused)), run(5, took(2))];
        let digest = CheckDigest::of(&runs.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!((digest.check, digest.from, digest.lasted), (CheckId(7), sent(1), Duration::from_secs(4)));
        assert_eq!((digest.runs, digest.succeeded, digest.success()), (4, 2, Some(0.5)));
        assert_eq!((digest.first, digest.last), (Some(Failure::Timeout), Some(Failure::Refused)));
        assert_eq!(digest.took, Spread { min: 2_000, median: 2_000, max: 4_000 });
        assert_eq!(CheckDigest::of(&[]), None);
    }

    #[test]
    fn rows_that_follow_each_other_are_one() {
        let sent = |second: u64| Moment { mono_ns: second * 1_000_000_000, ..Moment::default() };
        let run =
            |second, result| Outcome { check: CheckId(7), sent: sent(second), result, samples: Vec::new() };
        let took = |ms| Ok(Duration::from_millis(ms));
        let row = |runs: &[Outcome]| CheckDigest::of(&runs.iter().collect::<Vec<_>>()).unwrap();
        let one = row(&[run(1, took(4)), run(2, took(4)), run(3, Err(Failure::Timeout))]);
        let other = row(&[run(10, Err(Failure::Refused)), run(20, took(1))]);
        let both = one.with(&other);
        assert_eq!((both.from, both.lasted), (sent(1), Duration::from_secs(19)));
        assert_eq!((both.runs, both.succeeded), (5, 3));
        assert_eq!((both.first, both.last), (Some(Failure::Timeout), Some(Failure::Refused)));
        assert_eq!(both.took, Spread { min: 1_000, median: 3_000, max: 4_000 });
        let none = row(&[run(30, Err(Failure::Timeout))]);
        assert_eq!((none.with(&one).took, one.with(&none).took), (one.took, one.took));
        assert_eq!(one.with(&none).last, Some(Failure::Timeout));
    }

    #[test]
    fn what_was_never_permitted_is_no_success_and_no_failure() {
        let run = Outcome {
            check: CheckId(1),
            sent: Moment::default(),
            result: Err(Failure::NotPermitted),
            samples: Vec::new(),
        };
        assert_eq!(CheckDigest::of(&[&run]).unwrap().success(), None);
    }
}
