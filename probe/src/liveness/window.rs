//! Which of the last 64 sequence numbers were counted (the sliding window of RFC 4303 §3.4.3).

use super::Dropped;

/// Sequence numbers the window looks back over.
pub const WINDOW: u32 = 64;

/// A sliding window of counted sequence numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    highest: u32,
    /// Bit n: `highest − n` was counted.
    seen: u64,
}

impl Window {
    /// A window whose first counted number is `seq`. All numbers before it are taken for counted: they may
    /// be recordings of packets counted before a restart.
    pub fn open(seq: u32) -> Window {
        Window { highest: seq, seen: u64::MAX }
    }

    /// Counts `seq`, or says why not.
    pub fn count(&mut self, seq: u32) -> Result<(), Dropped> {
        if seq > self.highest {
            self.seen = self.seen.checked_shl(seq - self.highest).unwrap_or(0) | 1;
            self.highest = seq;
            return Ok(());
        }
        let behind = self.highest - seq;
        if behind >= WINDOW {
            return Err(Dropped::Late);
        }
        let bit = 1 << behind;
        if self.seen & bit != 0 {
            return Err(Dropped::Replayed);
        }
        self.seen |= bit;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn counts_what_a_set_with_a_short_memory_counts(
            first in 0u32..100,
            steps in prop::collection::vec(-80i64..80, 0..300),
        ) {
            let mut window = Window::open(first);
            let mut counted: BTreeSet<u32> = (0..=first).collect();
            for step in steps {
                let highest = *counted.last().unwrap();
                let seq = (i64::from(highest) + step).max(0) as u32;
                let expected = match seq {
                    _ if seq > highest => Ok(()),
                    _ if highest - seq >= WINDOW => Err(Dropped::Late),
                    _ if counted.contains(&seq) => Err(Dropped::Replayed),
                    _ => Ok(()),
                };
                prop_assert_eq!(window.count(seq), expected);
                if expected.is_ok() {
                    counted.insert(seq);
                }
            }
        }
    }

    #[test]
    fn a_leap_forgets_what_is_out_of_sight() {
        let mut window = Window::open(0);
        assert_eq!(window.count(u32::MAX), Ok(()));
        assert_eq!(window.count(u32::MAX), Err(Dropped::Replayed));
        assert_eq!(window.count(u32::MAX - 63), Ok(()));
        assert_eq!(window.count(u32::MAX - 64), Err(Dropped::Late));
    }
}
