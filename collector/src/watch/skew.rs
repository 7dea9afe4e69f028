//! How wrong an agent's clock is: the time of its newest outcome is compared with when the batch came.
//!
//! A fresh batch comes within seconds of its newest outcome. A difference that stays the same from batch to
//! batch is the clock's; one that stands alone is a batch that waited.

use serde::{Deserialize, Serialize};

/// Differences within this are the way and the batching, ms.
const USUAL: std::ops::RangeInclusive<i64> = -5_000..=1_000;
/// Differences of one wrong clock stay this close from batch to batch, ms.
const SAME: i64 = 1_500;
/// Batches in a row that show a wrong clock.
const ENOUGH: u32 = 5;

/// What the last fresh batches showed.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Skew {
    ahead_ms: i64,
    batches: u32,
    since: i64,
}

impl Skew {
    /// How far the clock is ahead (behind: negative), ms, when a fresh batch received at `received` says that
    /// its newest outcome was sent at `newest`; 0 while it may be right.
    pub fn of(&mut self, newest: i64, received: i64) -> i64 {
        let ahead = newest - received;
        let same = (ahead - self.ahead_ms).abs() <= SAME && !USUAL.contains(&ahead);
        self.batches = if same { self.batches.saturating_add(1) } else { 0 };
        if !same {
            self.since = received;
        }
        self.ahead_ms = ahead;
        self.ahead()
    }

    /// What the last fresh batches showed, ms; 0 while the clock may be right.
    pub fn ahead(&self) -> i64 {
        if self.batches >= ENOUGH { self.ahead_ms } else { 0 }
    }

    /// Since when it is wrong by that, UTC ms.
    pub fn since(&self) -> i64 {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_difference_is_the_clock_and_a_single_one_a_batch_that_waited() {
        let mut skew = Skew::default();
        for n in 0..5 {
            assert_eq!(skew.of(n * 1000 - 3_600_000, n * 1000 + 300), 0);
        }
        assert_eq!(skew.of(5_000 - 3_600_000, 5_300), -3_600_300);
        assert_eq!(skew.of(5_900, 6_300), 0);
        assert_eq!(skew.of(6_000, 306_000), 0);
        assert_eq!(skew.of(306_500, 307_000), 0);
    }
}
