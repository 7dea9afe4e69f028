//! How late runs start: counts by how far behind their time, as Prometheus' histograms are.
//!
//! A run may start as late as the end of its slot (10 ms) without anything being amiss. Later than that, the agent's one
//! thread was kept from its work: by a device that costs too much, by a machine that is too busy, by a suspend.

use std::time::Duration;

/// Upper bounds of the counts; beyond the last is one more.
pub const BOUNDS: [Duration; 8] = [
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(10),
];

/// How late runs started, since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lateness {
    counts: [u64; BOUNDS.len() + 1],
    sum: Duration,
}

impl Lateness {
    /// A run started so late.
    pub fn count(&mut self, late: Duration) {
        let place = BOUNDS.iter().position(|bound| late <= *bound).unwrap_or(BOUNDS.len());
        self.counts[place] += 1;
        self.sum = self.sum.saturating_add(late);
    }

    /// Runs started.
    pub fn runs(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All lateness together.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// Runs up to each bound in seconds and above the one before; the last bound is infinite.
    pub fn buckets(&self) -> [(f64, u64); BOUNDS.len() + 1] {
        std::array::from_fn(|nth| {
            (BOUNDS.get(nth).map_or(f64::INFINITY, Duration::as_secs_f64), self.counts[nth])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_counts_under_the_first_bound_that_holds_it() {
        let mut lateness = Lateness::default();
        for late_ms in [0, 5, 6, 250, 251, 3_600_000] {
            lateness.count(Duration::from_millis(late_ms));
        }
        assert_eq!(lateness.buckets().map(|(_, runs)| runs), [2, 1, 0, 0, 0, 1, 1, 0, 1]);
        assert_eq!((lateness.runs(), lateness.sum()), (6, Duration::from_millis(3_600_512)));
    }
}
