//! Readings of both clocks for STAMP packets, cheap enough for hundreds of packets a second.
//!
//! Relating the monotonic clock to UTC takes several readings and a system call; the relation is kept for
//! [`KEPT`], in which neither clock drifts by anything a timestamp could show.

use haidang_daemon::clock::Clock;
use haidang_probe::liveness::Now;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long the relation of the clocks is kept.
const KEPT: Duration = Duration::from_secs(1);

/// Reads [`Now`]. Cheap to clone; clones share the relation.
#[derive(Clone, Debug)]
pub struct Timestamps {
    clock: Clock,
    relation: Arc<Mutex<Option<Relation>>>,
}

/// UTC less steady time, as of `read_ns`.
#[derive(Clone, Copy, Debug)]
struct Relation {
    read_ns: u64,
    offset_ns: i128,
    bound_ns: u64,
}

impl Timestamps {
    /// Timestamps of `clock`.
    pub fn of(clock: &Clock) -> Timestamps {
        Timestamps { clock: clock.clone(), relation: Arc::default() }
    }

    /// Now. `mono_ns` is the clock's steady time: it does not jump when a boot file names a new boot.
    pub fn now(&self) -> Now {
        let steady_ns = self.clock.steady_ns();
        let relation = self.relation(steady_ns);
        let utc_ns = (i128::from(steady_ns) + relation.offset_ns) as i64;
        Now { mono_ns: steady_ns, utc_ns, bound_ns: relation.bound_ns }
    }

    /// When a packet arrived that the kernel stamped so, if it did.
    pub fn arrived(&self, stamp_ns: Option<u64>) -> Now {
        self.now().ago(self.clock.age_ns(stamp_ns))
    }

    fn relation(&self, steady_ns: u64) -> Relation {
        let mut kept = self.relation.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(relation) = kept.filter(|kept| steady_ns - kept.read_ns < KEPT.as_nanos() as u64) {
            return relation;
        }
        let map = self.clock.map();
        let ahead_ns = i128::from(self.clock.mono_ns()) - i128::from(steady_ns);
        let offset_ns = i128::from(map.offset_ns) + ahead_ns;
        *kept.insert(Relation { read_ns: steady_ns, offset_ns, bound_ns: map.bound_ns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_probe::moment::BootId;

    #[test]
    fn follows_utc_and_does_not_jump_at_a_new_boot() {
        let clock = Clock::manual();
        clock.advance(Duration::from_secs(100));
        let timestamps = Timestamps::of(&clock);
        assert_eq!(timestamps.now().utc_ns / 1_000_000, clock.utc_ms());
        clock.advance(Duration::from_millis(500));
        clock.reboot(BootId([7; 16]));
        let now = timestamps.now();
        assert_eq!((now.mono_ns, now.utc_ns / 1_000_000), (100_500_000_000, clock.utc_ms()));
        clock.advance(Duration::from_secs(2));
        assert_eq!(timestamps.now().utc_ns / 1_000_000, clock.utc_ms());
    }

    #[test]
    fn a_step_of_the_wall_shows_within_a_second() {
        let clock = Clock::manual();
        let timestamps = Timestamps::of(&clock);
        timestamps.now();
        clock.step_wall(-5_000);
        clock.advance(KEPT);
        assert_eq!(timestamps.now().utc_ns / 1_000_000, clock.utc_ms());
    }
}
