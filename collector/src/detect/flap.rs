//! Lines that fall and rise again and again: one trouble, not one a fall (detection decision 7).

use super::graph::Graph;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So many falls of a line …
const OFTEN: usize = 3;
/// … within this make it flap, ms.
const WITHIN: i64 = 600_000;
/// A flapping line must live for so long before it is over, ms, …
const QUIET: i64 = 180_000;
/// … and for so many of its last periods.
const QUIET_PERIODS: i64 = 4;

/// When each line fell silent lately, UTC ms, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Falls {
    lines: BTreeMap<usize, Vec<i64>>,
}

impl Falls {
    /// A line fell silent at `at`.
    pub fn fell(&mut self, line: usize, at: i64) {
        let falls = self.lines.entry(line).or_default();
        falls.retain(|before| at - before < WITHIN);
        if falls.last() != Some(&at) {
            falls.push(at);
        }
        if falls.len() > OFTEN {
            falls.remove(0);
        }
    }

    /// The time between its last two falls, when a line flaps at `now`.
    pub fn period(&self, line: usize, now: i64) -> Option<i64> {
        let [first, .., before, last] = self.lines.get(&line)?[..] else { return None };
        (now - first < WITHIN).then_some(last - before)
    }

    /// The same under another record.
    pub fn moved(&self, renumber: impl Fn(&usize) -> Option<usize>) -> Falls {
        let lines = self.lines.iter().filter_map(|(line, falls)| Some((renumber(line)?, falls.clone())));
        Falls { lines: lines.collect() }
    }

    /// Moves all times back by `by`, ms.
    pub fn rewind(&mut self, by: i64) {
        self.lines.values_mut().flatten().for_each(|fall| *fall -= by);
    }

    /// Lines that have not fallen lately are forgotten.
    pub fn forget(&mut self, graph: &Graph, now: i64) {
        self.lines.retain(|line, falls| {
            *line < graph.lines.len() && falls.last().is_some_and(|last| now - last < WITHIN)
        });
    }
}

/// How long all must live before a fault that flaps with this period is over, ms.
pub fn quiet(period: i64) -> i64 {
    QUIET.max(period.saturating_mul(QUIET_PERIODS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_falls_within_ten_minutes_flap_and_two_do_not() {
        let mut falls = Falls::default();
        falls.fell(7, 0);
        falls.fell(7, 60_000);
        assert_eq!(falls.period(7, 60_000), None);
        falls.fell(7, 90_000);
        assert_eq!(falls.period(7, 91_000), Some(30_000));
        assert_eq!(falls.period(7, 600_000), None);
        assert_eq!((quiet(30_000), quiet(100_000)), (180_000, 400_000));
    }

    #[test]
    fn falls_far_apart_are_each_their_own() {
        let mut falls = Falls::default();
        (0..9).for_each(|n| falls.fell(7, n * 301_000));
        assert_eq!(falls.period(7, 8 * 301_000), None);
    }
}
