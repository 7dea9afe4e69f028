//! A start at an earlier time than the last tick: the clock had been wrong, or is now. What is known keeps its age.

use super::{Detector, Shows};

impl Detector {
    /// Moves everything that has a time back by `by`, ms, so that its age stays.
    pub(super) fn rewind(&mut self, by: i64) {
        self.streams.iter_mut().for_each(|stream| stream.rewind(by));
        self.ok.iter_mut().for_each(|ok| *ok = ok.saturating_sub(by));
        for fault in self.faults.values_mut() {
            for time in [&mut fault.began, &mut fault.fell, &mut fault.judged] {
                *time -= by;
            }
            for time in [&mut fault.cleared, &mut fault.returned].into_iter().flatten() {
                *time -= by;
            }
        }
        let now = self.now - by;
        for line in &mut self.lines {
            match line {
                Shows::Silent(began) => *began -= by,
                // When an office closes is a time of day: that it was in the future is all that is known to be wrong.
                Shows::Off(since) => *since = now.min(*since),
                Shows::Alive | Shows::Unknown => {}
            }
        }
        self.falls.rewind(by);
        self.told_until -= by;
    }
}
