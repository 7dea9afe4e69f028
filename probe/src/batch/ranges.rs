//! Which numbers of a spool have been received: the one place that tells a repeat from news.
//!
//! ```text
//!   received 0 1 2 4 5 9   =   [0,2] [4,5] [9,9]      insert(3) → [0,5] [9,9]
//! ```
//!
//! A spool that is acknowledged in order is one range for ever; live-first sending with a backlog behind it
//! is two. More than [`MAX_RANGES`] means an agent that skips on purpose, and is refused.

use serde::{Deserialize, Serialize};

/// Ranges kept for one spool; an insert that would need more is refused and the agent told to fill holes first.
pub const MAX_RANGES: usize = 64;

/// The insert was refused: it would take more than [`MAX_RANGES`] ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {MAX_RANGES} ranges of received numbers")]
pub struct TooManyRanges;

/// A set of sequence numbers as ascending, inclusive ranges that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds `seq`. `Ok(true)` if it is new, `Ok(false)` if it is a repeat.
    pub fn insert(&mut self, seq: u64) -> Result<bool, TooManyRanges> {
        let after = self.0.partition_point(|&(first, _)| first <= seq);
        let before = after.checked_sub(1).map(|index| self.0[index].1);
        if before.is_some_and(|last| last >= seq) {
            return Ok(false);
        }
        let joins_left = before.is_some_and(|last| last + 1 == seq);
        let joins_right = after < self.0.len() && self.0[after].0 - 1 == seq;
        match (joins_left, joins_right) {
            (true, true) => {
                self.0[after - 1].1 = self.0[after].1;
                self.0.remove(after);
            }
            (true, false) => self.0[after - 1].1 = seq,
            (false, true) => self.0[after].0 = seq,
            (false, false) if self.0.len() >= MAX_RANGES => return Err(TooManyRanges),
            (false, false) => self.0.insert(after, (seq, seq)),
        }
        Ok(true)
    }

    /// Adds all from `first` to `last`, which something else stands for. Where that would be one range too many nothing is
    /// added: the numbers stay missing.
    pub fn cover(&mut self, first: u64, last: u64) {
        let joined = |&&(from, until): &&(u64, u64)| {
            from <= last.saturating_add(1) && until.saturating_add(1) >= first
        };
        let touched: Vec<(u64, u64)> = self.0.iter().filter(joined).copied().collect();
        if first > last || touched.is_empty() && self.0.len() >= MAX_RANGES {
            return;
        }
        let from = touched.first().map_or(first, |range| range.0.min(first));
        let until = touched.last().map_or(last, |range| range.1.max(last));
        self.0.retain(|range| !touched.contains(range));
        let place = self.0.partition_point(|range| range.0 < from);
        self.0.insert(place, (from, until));
    }

    /// Whether `seq` was received.
    pub fn contains(&self, seq: u64) -> bool {
        let after = self.0.partition_point(|&(first, _)| first <= seq);
        after > 0 && self.0[after - 1].1 >= seq
    }

    /// The ranges: (first, last), inclusive, ascending.
    pub fn as_slice(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// The last number received.
    pub fn last(&self) -> Option<u64> {
        self.0.last().map(|&(_, last)| last)
    }
}

impl TryFrom<Vec<(u64, u64)>> for Ranges {
    type Error = TooManyRanges;

    /// Ranges in any order, overlapping or not; a range that ends before it begins is empty.
    fn try_from(mut pairs: Vec<(u64, u64)>) -> Result<Ranges, TooManyRanges> {
        pairs.retain(|(first, last)| first <= last);
        pairs.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for (first, last) in pairs {
            match merged.last_mut() {
                Some(before) if before.1.checked_add(1).is_none_or(|next| first <= next) => {
                    before.1 = before.1.max(last);
                }
                _ => merged.push((first, last)),
            }
        }
        if merged.len() > MAX_RANGES { Err(TooManyRanges) } else { Ok(Ranges(merged)) }
    }
}

impl From<Ranges> for Vec<(u64, u64)> {
    fn from(ranges: Ranges) -> Self {
        ranges.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_hole_that_would_be_one_range_too_many_stays_and_one_that_joins_does_not() {
        let mut ranges = Ranges::default();
        (0..MAX_RANGES as u64).for_each(|nth| assert_eq!(ranges.insert(nth * 10), Ok(true)));
        ranges.cover(100_000, 100_005);
        assert!(!ranges.contains(100_000));
        ranges.cover(1, 9);
        assert!((0..=10).all(|seq| ranges.contains(seq)) && ranges.as_slice().len() == MAX_RANGES - 1);
    }

    proptest! {
        #[test]
        fn covers_as_a_set_of_numbers(seqs in prop::collection::vec(0u64..60, 0..40), holes in prop::collection::vec((0u64..60, 0u64..9), 0..8)) {
            let mut ranges = Ranges::default();
            let mut model = BTreeSet::new();
            for seq in seqs {
                prop_assert_eq!(ranges.insert(seq), Ok(model.insert(seq)));
            }
            for (first, more) in holes {
                ranges.cover(first, first + more);
                model.extend(first..=first + more);
            }
            for seq in 0..72 {
                prop_assert_eq!(ranges.contains(seq), model.contains(&seq));
            }
            for pair in ranges.as_slice().windows(2) {
                prop_assert!(pair[0].1 + 1 < pair[1].0, "ranges touch: {:?}", ranges);
            }
        }

        #[test]
        fn behaves_as_a_set_of_numbers(seqs in prop::collection::vec(0u64..60, 0..200)) {
            let mut ranges = Ranges::default();
            let mut model = BTreeSet::new();
            for seq in seqs {
                prop_assert_eq!(ranges.insert(seq), Ok(model.insert(seq)));
            }
            prop_assert_eq!(ranges.last(), model.last().copied());
            for seq in 0..62 {
                prop_assert_eq!(ranges.contains(seq), model.contains(&seq));
            }
            for pair in ranges.as_slice().windows(2) {
                prop_assert!(pair[0].1 + 1 < pair[1].0, "ranges touch: {:?}", ranges);
            }
            let again = Ranges::try_from(Vec::from(ranges.clone()));
            prop_assert_eq!(again, Ok(ranges));
        }

        #[test]
        fn refuses_only_what_needs_one_range_too_many(seqs in prop::collection::vec(0u64..400, 0..400)) {
            let mut ranges = Ranges::default();
            let mut model = BTreeSet::new();
            for seq in seqs {
                let alone = !model.contains(&seq)
                    && !model.contains(&(seq + 1))
                    && !seq.checked_sub(1).is_some_and(|before| model.contains(&before));
                if alone && ranges.as_slice().len() == MAX_RANGES {
                    prop_assert_eq!(ranges.insert(seq), Err(TooManyRanges));
                } else {
                    prop_assert_eq!(ranges.insert(seq), Ok(model.insert(seq)));
                }
                prop_assert!(ranges.as_slice().len() <= MAX_RANGES);
            }
        }
    }

    #[test]
    fn holds_the_largest_numbers() {
        let mut ranges = Ranges::default();
        assert_eq!(ranges.insert(u64::MAX), Ok(true));
        assert_eq!(ranges.insert(u64::MAX - 1), Ok(true));
        assert_eq!(ranges.insert(u64::MAX), Ok(false));
        assert_eq!(ranges.as_slice(), [(u64::MAX - 1, u64::MAX)]);
    }

    #[test]
    fn a_stored_form_that_is_out_of_order_is_put_right() {
        let ranges = Ranges::try_from(vec![(5, 9), (0, 4), (7, 12), (20, 3)]);
        assert_eq!(ranges, Ok(Ranges(vec![(0, 12)])));
    }
}
