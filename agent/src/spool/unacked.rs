//! Which batches the collector has not acknowledged, as intervals.
//!
//! ```text
//!   sealed 0 … 99, acknowledged 0-39 and, sent live after an outage, 95-99:   [40, 94]
//! ```
//!
//! One interval in quiet times, one more for each outage: live batches go first and leave the outage behind
//! as a hole, which the backlog fills in order.

/// Ascending, inclusive intervals that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unacked(Vec<(u64, u64)>);

impl Unacked {
    /// Everything from `first` up to, and without, `next`.
    pub fn between(first: u64, next: u64) -> Unacked {
        Unacked(if first < next { vec![(first, next - 1)] } else { Vec::new() })
    }

    /// Takes in a batch just sealed; numbers come in order.
    pub fn sealed(&mut self, seq: u64) {
        match self.0.last_mut() {
            Some((_, last)) if *last + 1 == seq => *last = seq,
            Some((_, last)) if *last >= seq => {}
            _ => self.0.push((seq, seq)),
        }
    }

    /// Puts in `first..=last`, whatever of it is in already.
    pub fn put(&mut self, first: u64, last: u64) {
        let apart = |&(from, to): &(u64, u64)| to.saturating_add(1) < first || from > last.saturating_add(1);
        let (mut from, mut to) = (first, last);
        self.0.retain(|interval| {
            if !apart(interval) {
                (from, to) = (from.min(interval.0), to.max(interval.1));
            }
            apart(interval)
        });
        let place = self.0.partition_point(|interval| interval.0 < from);
        self.0.insert(place, (from, to));
    }

    /// Takes out `first..=last`; gives those of them that were in.
    pub fn take(&mut self, first: u64, last: u64) -> Unacked {
        let (mut left, mut taken) = (Vec::with_capacity(self.0.len() + 1), Vec::new());
        for &(from, to) in &self.0 {
            if to < first || from > last {
                left.push((from, to));
                continue;
            }
            if from < first {
                left.push((from, first - 1));
            }
            if to > last {
                left.push((last + 1, to));
            }
            taken.push((from.max(first), to.min(last)));
        }
        self.0 = left;
        Unacked(taken)
    }

    /// Takes out `first..=last`; how many of them were in.
    pub fn remove(&mut self, first: u64, last: u64) -> u64 {
        self.take(first, last).len()
    }

    /// How many of `first..=last` are in.
    pub fn count(&self, first: u64, last: u64) -> u64 {
        let shared = |(from, to): &(u64, u64)| (*to.min(&last) + 1).saturating_sub(*from.max(&first));
        self.0.iter().map(shared).sum()
    }

    /// The intervals.
    pub fn as_slice(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// The first number at or after `from`.
    pub fn next(&self, from: u64) -> Option<u64> {
        self.0.iter().find(|(_, last)| *last >= from).map(|(first, _)| from.max(*first))
    }

    /// The number with so many before it.
    pub fn nth(&self, mut before: u64) -> Option<u64> {
        for (first, last) in &self.0 {
            if before <= last - first {
                return Some(first + before);
            }
            before -= last - first + 1;
        }
        None
    }

    /// The oldest number.
    pub fn first(&self) -> Option<u64> {
        self.0.first().map(|(first, _)| *first)
    }

    /// Whether `seq` is in.
    pub fn contains(&self, seq: u64) -> bool {
        self.next(seq) == Some(seq)
    }

    /// How many numbers are in.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// Whether everything is acknowledged.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many intervals there are.
    pub fn intervals(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_one_interval() {
        let mut unacked = Unacked::between(40, 100);
        assert_eq!(unacked.remove(95, 99), 5);
        unacked.sealed(100);
        assert_eq!((unacked.intervals(), unacked.len()), (2, 56));
        assert_eq!((unacked.first(), unacked.next(95)), (Some(40), Some(100)));
        assert_eq!([0, 54, 55, 56].map(|nth| unacked.nth(nth)), [Some(40), Some(94), Some(100), None]);
    }

    #[test]
    fn acknowledgements_in_any_order_leave_nothing() {
        let mut unacked = Unacked::between(0, 10);
        for (first, last) in [(3, 5), (5, 5), (0, 0), (9, 20), (1, 8)] {
            unacked.remove(first, last);
        }
        assert!(unacked.is_empty());
        assert_eq!(unacked.next(0), None);
    }

    #[test]
    fn what_is_put_in_joins_what_it_touches() {
        let mut unacked = Unacked::between(10, 20);
        unacked.put(30, 39);
        unacked.put(50, 50);
        unacked.put(20, 29);
        assert_eq!(unacked.as_slice(), [(10, 39), (50, 50)]);
        unacked.put(0, 3);
        unacked.put(12, 13);
        assert_eq!(unacked.as_slice(), [(0, 3), (10, 39), (50, 50)]);
        assert_eq!([(0, 99), (2, 10), (40, 49), (39, 50)].map(|(a, b)| unacked.count(a, b)), [35, 3, 0, 2]);
        assert_eq!(unacked.take(2, 11).as_slice(), [(2, 3), (10, 11)]);
    }

    #[test]
    fn counts_only_what_was_in() {
        let mut unacked = Unacked::between(10, 20);
        assert_eq!(unacked.remove(0, 11), 2);
        assert_eq!(unacked.remove(0, 11), 0);
        assert!(unacked.contains(12) && !unacked.contains(11) && !unacked.contains(20));
    }
}
