//! How fast the backlog may go, so that it never crowds out live batches or the site's own traffic.

/// Bytes a second of backlog, over all uplinks: 1 Mbit/s. Ten minutes of 50 checks (some 200 KB) take
/// seconds, a day of them some minutes.
pub const BACKLOG_BYTES_PER_SECOND: u64 = 128 * 1024;

/// A bucket that holds one second's bytes. It may be overdrawn once, so that a batch larger than it passes.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    bytes: i64,
    filled_ns: u64,
}

impl Rate {
    /// A full bucket.
    pub fn new(now_ns: u64) -> Rate {
        Rate { bytes: BACKLOG_BYTES_PER_SECOND as i64, filled_ns: now_ns }
    }

    /// When the next batch may go: now, or later.
    pub fn ready_ns(&mut self, now_ns: u64) -> u64 {
        let passed_ns = u128::from(now_ns.saturating_sub(self.filled_ns));
        let gained = (passed_ns * u128::from(BACKLOG_BYTES_PER_SECOND) / 1_000_000_000) as i64;
        if gained > 0 {
            self.filled_ns = now_ns;
            self.bytes = self.bytes.saturating_add(gained).min(BACKLOG_BYTES_PER_SECOND as i64);
        }
        if self.bytes > 0 {
            return now_ns;
        }
        now_ns + (1 - self.bytes) as u64 * 1_000_000_000 / BACKLOG_BYTES_PER_SECOND + 1
    }

    /// A batch of this size goes.
    pub fn spend(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes sent in this many seconds, always asking again when told to.
    fn sent(seconds: u64, batch: usize) -> u64 {
        let (mut rate, mut now, mut sent) = (Rate::new(0), 0, 0);
        while now < seconds * 1_000_000_000 {
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
            let least = 60 * BACKLOG_BYTES_PER_SECOND;
            let most = least + BACKLOG_BYTES_PER_SECOND + batch as u64;
            let sent = sent(60, batch);
            assert!((least..=most).contains(&sent), "{sent} bytes in batches of {batch}");
        }
    }

    #[test]
    fn quiet_time_saves_up_one_second_and_no_more() {
        let mut rate = Rate::new(0);
        rate.ready_ns(3_600_000_000_000);
        rate.spend(BACKLOG_BYTES_PER_SECOND as usize);
        assert!(rate.ready_ns(3_600_000_000_000) > 3_600_000_000_000);
    }
}
