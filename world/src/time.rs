//! Both clocks in one reading, cheap enough for every packet.

use haidang_daemon::clock::Clock;
use haidang_probe::liveness::Now;
use haidang_probe::moment::ClockMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Error the simulated gateways claim of their clocks: a site with NTP.
pub const BOUND_NS: u64 = 20_000_000;

/// Time as the simulated sites read it. Clones share one relation to UTC.
#[derive(Clone, Debug)]
pub struct Time {
    clock: Clock,
    offset_ns: Arc<AtomicI64>,
}

impl Time {
    /// Time by this clock.
    pub fn new(clock: Clock) -> Time {
        let offset_ns = Arc::new(AtomicI64::new(clock.map().offset_ns));
        Time { clock, offset_ns }
    }

    /// Relates monotonic time to UTC anew; between two calls UTC runs on by the monotonic clock.
    pub fn relate(&self) {
        self.offset_ns.store(self.clock.map().offset_ns, Ordering::Relaxed);
    }

    /// Now, or `ahead_ns` from now.
    pub fn now(&self, ahead_ns: u64) -> Now {
        let mono_ns = self.mono_ns() + ahead_ns;
        let utc_ns = mono_ns as i64 + self.offset_ns.load(Ordering::Relaxed);
        Now { mono_ns, utc_ns, bound_ns: BOUND_NS }
    }

    /// Monotonic nanoseconds.
    pub fn mono_ns(&self) -> u64 {
        self.clock.mono_ns()
    }

    /// UTC, milliseconds since 1970.
    pub fn utc_ms(&self) -> i64 {
        self.clock.utc_ms()
    }

    /// This machine's boot and how its clock relates to UTC.
    pub fn map(&self) -> ClockMap {
        ClockMap { bound_ns: BOUND_NS, ..self.clock.map() }
    }
}
