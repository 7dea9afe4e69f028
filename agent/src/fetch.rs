//! When the collector's orders are fetched.
//!
//! ```text
//!   acknowledgement names a digest ── other than what runs, not refused before, rested ──▶ fetch
//!        ▲                                                                                  │
//!        └── failed: rest 2, 4, 8 … 60 s ◀──────────────────────────────────────────────────┤
//!        └── silent uplinks: not asked for again for a day
//!        └── refused: not asked for again ◀── judged ◀── orders ────────────────────────────┘
//! ```
//!
//! Pure. Acknowledgements come by the second, so a fetch that failed is looked at again without a timer.

use haidang_probe::plan::PlanDigest;
use std::time::Duration;

/// Rest after the first fetch that fails, and after each that succeeds.
const SHORTEST: Duration = Duration::from_secs(2);
/// Longest rest.
const LONGEST: Duration = Duration::from_secs(60);
/// Orders whose uplinks carried nothing are tried again after this: the line may just have been cut.
const SILENT: Duration = Duration::from_secs(86_400);

/// What is known of fetching.
#[derive(Debug, Default)]
pub struct Fetch {
    under_way: bool,
    failures: u32,
    rests_until_ns: u64,
    /// Which, and until when.
    refused: Option<(PlanDigest, u64)>,
}

impl Fetch {
    /// Whether to fetch now: `wanted` is what the collector named, `runs` what runs.
    pub fn starts(&mut self, wanted: PlanDigest, runs: PlanDigest, now_ns: u64) -> bool {
        let refused = self.refused.is_some_and(|(digest, until_ns)| digest == wanted && now_ns < until_ns);
        let news = wanted != PlanDigest::default() && wanted != runs && !refused;
        let starts = news && !self.under_way && now_ns >= self.rests_until_ns;
        self.under_way |= starts;
        starts
    }

    /// No orders came.
    pub fn failed(&mut self, now_ns: u64) {
        let rest = SHORTEST.saturating_mul(1 << self.failures.min(8)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.ended(rest, now_ns);
    }

    /// Orders came. They are not asked for again when they are refused.
    pub fn came(&mut self, digest: PlanDigest, refused: bool, now_ns: u64) {
        self.failures = 0;
        self.refused = refused.then_some((digest, u64::MAX));
        self.ended(SHORTEST, now_ns);
    }

    /// The orders that came led to nobody.
    pub fn silent(&mut self, digest: PlanDigest, now_ns: u64) {
        self.refused = Some((digest, now_ns + SILENT.as_nanos() as u64));
    }

    fn ended(&mut self, rest: Duration, now_ns: u64) {
        self.under_way = false;
        self.rests_until_ns = now_ns + rest.as_nanos() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const OLD: PlanDigest = PlanDigest([1; 8]);
    const NEW: PlanDigest = PlanDigest([2; 8]);

    #[test]
    fn other_orders_are_fetched_once_at_a_time() {
        let mut fetch = Fetch::default();
        assert!(!fetch.starts(PlanDigest::default(), OLD, 0), "the collector has none for us");
        assert!(!fetch.starts(OLD, OLD, 0));
        assert!(fetch.starts(NEW, OLD, 0) && !fetch.starts(NEW, OLD, 0));
        fetch.came(NEW, false, 0);
        assert!(!fetch.starts(OLD, NEW, SECOND), "each edit within two seconds is one fetch");
        assert!(fetch.starts(OLD, NEW, 2 * SECOND));
    }

    #[test]
    fn what_was_refused_is_not_fetched_again_but_its_successor_is() {
        let mut fetch = Fetch::default();
        assert!(fetch.starts(NEW, OLD, 0));
        fetch.came(NEW, true, 0);
        assert!(!fetch.starts(NEW, OLD, 60 * SECOND));
        assert!(fetch.starts(PlanDigest([3; 8]), OLD, 60 * SECOND));
    }

    #[test]
    fn a_collector_that_does_not_answer_is_asked_ever_more_seldom() {
        let mut fetch = Fetch::default();
        let mut now_ns = 0;
        let rests: Vec<u64> = (0..7)
            .map(|_| {
                assert!(fetch.starts(NEW, OLD, now_ns));
                fetch.failed(now_ns);
                let rest_ns = fetch.rests_until_ns - now_ns;
                now_ns = fetch.rests_until_ns;
                rest_ns / SECOND
            })
            .collect();
        assert_eq!(rests, [2, 4, 8, 16, 32, 60, 60]);
    }
}
