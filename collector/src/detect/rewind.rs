//! A start at an earlier time than the last tick: the clock had been wrong, or is now. What is known keeps its age.

use super::Detector;

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
        self.falls.rewind(by);
        self.told_until -= by;
    }
}
