//! UTC for ticks: follows the wall clock but never turns back.

use haidang_daemon::clock::Clock;
use haidang_probe::liveness::Now;

/// How often the relation of monotonic time and UTC is looked at anew.
const LOOK_NS: u64 = 1_000_000_000;
/// How much UTC may fall behind the monotonic clock from one look to the next: 1 %, which a kernel that slews
/// its clock never reaches. A step back is made up at this pace, so ticks go on; a step ahead is taken at
/// once, and the ticks stepped over are missing.
const SLEW_NS: i64 = 10_000_000;

/// The time of the liveness thread.
pub(super) struct Time {
    clock: Clock,
    offset_ns: i64,
    bound_ns: u64,
    looked: u64,
}

impl Time {
    /// `folded` is the fold's time, UTC ms: this one goes on from there if the clock is behind.
    pub(super) fn new(clock: Clock, folded: i64) -> Time {
        let map = clock.map();
        let looked = clock.mono_ns();
        let lead = (folded - clock.utc_ms()).max(0) * 1_000_000;
        Time { clock, offset_ns: map.offset_ns + lead, bound_ns: map.bound_ns, looked }
    }

    pub(super) fn now(&mut self) -> Now {
        let mono_ns = self.clock.mono_ns();
        if mono_ns.saturating_sub(self.looked) >= LOOK_NS {
            self.look(mono_ns);
        }
        Now { mono_ns, utc_ns: mono_ns as i64 + self.offset_ns, bound_ns: self.bound_ns }
    }

    /// When a packet arrived that the kernel stamped so, and now.
    pub(super) fn arrived(&mut self, stamp_ns: Option<u64>) -> (Now, Now) {
        let now = self.now();
        (now.ago(self.clock.age_ns(stamp_ns)), now)
    }

    fn look(&mut self, mono_ns: u64) {
        let map = self.clock.map();
        let step_ms = (map.offset_ns - self.offset_ns) / 1_000_000;
        if step_ms.abs() >= 100 {
            tracing::warn!(step_ms, "the wall clock was stepped");
        }
        self.offset_ns = map.offset_ns.max(self.offset_ns - SLEW_NS);
        self.bound_ns = map.bound_ns;
        self.looked = mono_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_step_back_is_made_up_slowly_and_one_ahead_at_once() {
        let clock = Clock::manual();
        let mut time = Time::new(clock.clone(), 0);
        let before = time.now().utc_ns;
        clock.step_wall(-3_600_000);
        clock.advance(Duration::from_secs(1));
        let after = time.now().utc_ns;
        assert_eq!(after - before, 990_000_000, "99 % of the second");
        clock.step_wall(7_200_000);
        clock.advance(Duration::from_secs(1));
        assert_eq!(time.now().utc_ns / 1_000_000, clock.utc_ms());
    }

    #[test]
    fn time_goes_on_from_the_fold_if_that_is_a_little_ahead() {
        let clock = Clock::manual();
        let folded = clock.utc_ms() + 5_000;
        assert_eq!(Time::new(clock.clone(), folded).now().utc_ns / 1_000_000, folded);
    }
}
