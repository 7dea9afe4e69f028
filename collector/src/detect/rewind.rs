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
        self.told_until = self.told_until.map(|told| told - by);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Detector, WAIT, WAIT_LATE};

    #[test]
    fn a_core_agent_that_never_told_is_not_late_after_a_clock_was_set_back() {
        let mut detector = Detector { now: 100_000_000, ..Detector::default() };
        detector.rewind(90_000_000);
        detector.now = 10_000_000;
        assert!(detector.waited(detector.now - WAIT), "not only after {WAIT_LATE} ms");
    }
}
