//! How fast the backlog may go, so that it never crowds out live batches or the site's own traffic.
//!
//! ```text
//!   a backlog batch was acknowledged within QUICK ─▶ an eighth faster, up to MOST
//!   it took longer, or did not get there          ─▶ half as fast, down to LEAST, one at a time
//! ```
//!
//! A thin line shows itself by batches that take long: its queue holds them, and would hold live ones behind them.

use std::time::Duration;

/// Backlog batches under way at once; with the live one they stay within what a collector takes of one agent. It
/// acknowledges after a group commit of up to 200 ms: one at a time would take two minutes for an outage of ten.
pub const BACKLOG_LANES: usize = 3;

/// Bytes a second of backlog at most, over all uplinks: 1 Mbit/s. Ten minutes of 50 checks (some 200 KB) take
/// seconds, a day of them some minutes.
pub const MOST: u64 = 128 * 1024;

/// Bytes a second at least, however thin the line seems: 16 kbit/s.
pub const LEAST: u64 = 2 * 1024;

/// An acknowledgement that takes longer than this, group commit and way included, came over a line that is full.
pub const QUICK: Duration = Duration::from_secs(1);

/// A bucket that holds one second's bytes. It may be overdrawn once, so that a batch larger than it passes.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    per_second: u64,
    bytes: i64,
    filled_ns: u64,
}

impl Rate {
    /// A full bucket.
    pub fn new(now_ns: u64) -> Rate {
        Rate { per_second: MOST, bytes: MOST as i64, filled_ns: now_ns }
    }

    /// When the next batch may go: now, or later.
    pub fn ready_ns(&mut self, now_ns: u64) -> u64 {
        let passed_ns = u128::from(now_ns.saturating_sub(self.filled_ns));
        let gained = (passed_ns * u128::from(self.per_second) / 1_000_000_000) as i64;
        if gained > 0 {
            self.filled_ns = now_ns;
            self.bytes = self.bytes.saturating_add(gained).min(self.per_second as i64);
        }
        if self.bytes > 0 {
            return now_ns;
        }
        now_ns + (1 - self.bytes) as u64 * 1_000_000_000 / self.per_second + 1
    }

    /// A batch of this size goes.
    pub fn spend(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes as i64);
    }

    /// How long a batch of the backlog took to be acknowledged; `None` when it did not get there.
    pub fn learn(&mut self, took: Option<Duration>) {
        let quick = took.is_some_and(|took| took <= QUICK);
        let next = if quick { self.per_second + self.per_second / 8 } else { self.per_second / 2 };
        self.per_second = next.clamp(LEAST, MOST);
    }

    /// Batches that may be under way at once: of a line that is full, one.
    pub fn lanes(&self) -> usize {
        if self.per_second == MOST { BACKLOG_LANES } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    const SECOND: u64 = 1_000_000_000;

    /// Bytes sent in this many seconds, always asking again when told to.
    fn sent(seconds: u64, batch: usize) -> u64 {
        let (mut rate, mut now, mut sent) = (Rate::new(0), 0, 0);
        while now < seconds * SECOND {
            let ready = rate.ready_ns(now);
            if ready > now {
                now = ready;
                continue;
            }
            rate.spend(batch);
            sent += batch as u64;
        }
        sent
    }

    #[test]
    fn small_and_large_batches_keep_to_the_rate() {
        for batch in [300, 20_000, 1 << 20] {
            let least = 60 * MOST;
            let most = least + MOST + batch as u64;
            let sent = sent(60, batch);
            assert!((least..=most).contains(&sent), "{sent} bytes in batches of {batch}");
        }
    }

    #[test]
    fn quiet_time_saves_up_one_second_and_no_more() {
        let mut rate = Rate::new(0);
        rate.ready_ns(3_600 * SECOND);
        rate.spend(MOST as usize);
        assert!(rate.ready_ns(3_600 * SECOND) > 3_600 * SECOND);
    }

    /// Plays a backlog without end over a line of so many bytes a second, which answers 200 ms after a batch is
    /// through. Gives the longest that a live batch would have waited behind it, and the bytes brought in ten minutes;
    /// both after the first minute, in which the line is learnt.
    fn played(line: u64, batch: u64) -> (Duration, u64) {
        let (mut rate, mut free_ns, mut brought, mut waits_ns) = (Rate::new(0), 0, 0, 0);
        let mut under_way: VecDeque<(u64, u64)> = VecDeque::new();
        for now in (0..660 * SECOND).step_by(10_000_000) {
            let measured = now >= 60 * SECOND;
            while let Some((sent, answered)) = under_way.front().copied().filter(|(_, at)| *at <= now) {
                under_way.pop_front();
                rate.learn(Some(Duration::from_nanos(answered - sent)));
                brought += if measured { batch } else { 0 };
            }
            while under_way.len() < rate.lanes() && rate.ready_ns(now) == now {
                rate.spend(batch as usize);
                free_ns = free_ns.max(now) + batch * SECOND / line;
                under_way.push_back((now, free_ns + SECOND / 5));
            }
            waits_ns = waits_ns.max(if measured { free_ns.saturating_sub(now) } else { 0 });
        }
        (Duration::from_nanos(waits_ns), brought)
    }

    #[test]
    fn a_thin_line_is_never_drowned_and_its_backlog_goes_on() {
        for line in [4 << 10, 8 << 10, 16 << 10, 64 << 10] {
            let (waits, brought) = played(line, 4 << 10);
            // A live batch has five seconds to get there.
            assert!(
                waits <= QUICK + Duration::from_millis(500),
                "{waits:?} behind the backlog at {line} bytes a second"
            );
            assert!(brought >= 600 * LEAST / 2, "{brought} bytes in ten minutes at {line} bytes a second");
        }
    }

    #[test]
    fn a_wide_line_gives_the_backlog_all_that_it_may_have() {
        let (waits, brought) = played(2 << 20, 32 << 10);
        assert!(waits < Duration::from_millis(100), "{waits:?}");
        assert!(brought >= 600 * MOST * 9 / 10, "{brought}");
    }

    #[test]
    fn what_does_not_get_there_halves_the_rate_down_to_the_least_and_answers_bring_it_back() {
        let mut rate = Rate::new(0);
        assert_eq!(rate.lanes(), BACKLOG_LANES);
        (0..20).for_each(|_| rate.learn(None));
        assert_eq!((rate.per_second, rate.lanes()), (LEAST, 1));
        (0..60).for_each(|_| rate.learn(Some(QUICK)));
        assert_eq!((rate.per_second, rate.lanes()), (MOST, BACKLOG_LANES));
    }
}
