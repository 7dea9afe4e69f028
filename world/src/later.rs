//! What is still under way on a line: given with the time it arrives, taken once it has. Pure.

use std::collections::VecDeque;

/// Most things under way on one line. More is a flood: the newest is dropped, as a full queue of a line does.
pub const UNDER_WAY: usize = 64;

/// Things under way, in order of arrival: a line's delay is constant, so the first sent arrives first.
#[derive(Clone, Debug)]
pub struct Later<T> {
    queue: VecDeque<(u64, T)>,
    dropped: u64,
}

impl<T> Default for Later<T> {
    fn default() -> Later<T> {
        Later { queue: VecDeque::new(), dropped: 0 }
    }
}

impl<T> Later<T> {
    /// Sends `thing`; it arrives at `due_ns`.
    pub fn send(&mut self, due_ns: u64, thing: T) {
        if self.queue.len() == UNDER_WAY {
            self.dropped += 1;
            return;
        }
        self.queue.push_back((due_ns, thing));
    }

    /// When the next one arrives.
    pub fn due_ns(&self) -> Option<u64> {
        self.queue.front().map(|(due_ns, _)| *due_ns)
    }

    /// The next one that has arrived by `now_ns`.
    pub fn take(&mut self, now_ns: u64) -> Option<T> {
        self.due_ns().filter(|due_ns| *due_ns <= now_ns)?;
        self.queue.pop_front().map(|(_, thing)| thing)
    }

    /// How many were dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_arrives_before_its_time() {
        let mut later = Later::default();
        later.send(10, 'a');
        later.send(20, 'b');
        assert_eq!((later.due_ns(), later.take(9)), (Some(10), None));
        assert_eq!((later.take(25), later.take(25), later.take(25)), (Some('a'), Some('b'), None));
    }

    #[test]
    fn a_flood_is_dropped_and_counted() {
        let mut later = Later::default();
        for number in 0..UNDER_WAY + 3 {
            later.send(0, number);
        }
        assert_eq!(later.dropped(), 3);
        assert_eq!(std::iter::from_fn(|| later.take(0)).last(), Some(UNDER_WAY - 1));
    }
}
