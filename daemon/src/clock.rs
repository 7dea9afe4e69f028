//! The only place where time is read. Everybody else is told.
//!
//! A [`Clock`] gives three things that must never be mixed up:
//!
//! ```text
//!             survives suspend   steps with NTP   starts again at boot
//! mono_ns()        yes               no               yes       stamps what an agent saw
//! steady_ns()      yes               no               no        deadlines inside this process
//! utc_ms()         yes               yes              no        for people, and for certificates
//! ```
//!
//! `mono_ns` and `steady_ns` differ only when a boot file gives the process a boot other than the
//! machine's, and that file changes while the process runs. [`Clock::map`] relates `mono_ns` to UTC and
//! says how wrong the relation may be. Tests use [`Clock::manual`]: it moves only when told.
//!
//! ```
//! use haidang_daemon::clock::Clock;
//! use std::time::Duration;
//!
//! let clock = Clock::manual(); // in a program: Clock::machine()? or Clock::with_boot_file(path)?
//! let seen = clock.moment();
//! clock.advance(Duration::from_secs(2));
//! clock.step_wall(-500);
//! assert_eq!(clock.mono_ns() - seen.mono_ns, 2_000_000_000);
//! assert_eq!(clock.map().utc_ms(clock.mono_ns()), clock.utc_ms());
//! ```

mod boot;
mod sync;

use boot::Boot;
pub use boot::BootError;
use haidang_probe::moment::{BootId, ClockMap, Moment};
use rustix::time::{ClockId, clock_gettime};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
pub use sync::Kept;

/// Readings tried for one [`Clock::map`]; the tightest bracket is kept.
const MAP_READINGS: usize = 5;

/// Longest a stamped packet waits to be read; an older stamp is of a clock that was stepped.
const STAMP_KEPT_NS: u64 = 1_000_000_000;

/// A source of time, cheap to clone. All clones of a manual clock move together.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    Machine(Boot),
    Manual(Mutex<Manual>),
}

/// State of a manual clock. `offset` keeps wall time apart from monotonic time, so that either can move alone.
#[derive(Clone, Copy, Debug)]
struct Manual {
    boot: BootId,
    steady_ns: u64,
    booted_ns: u64,
    wall_offset_ns: i64,
    bound_ns: u64,
}

impl Clock {
    /// The machine's clocks and its own boot id.
    ///
    /// # Errors
    /// When `/proc/sys/kernel/random/boot_id` cannot be read: without it a stamp has no meaning.
    pub fn machine() -> Result<Clock, BootError> {
        Ok(Clock(Arc::new(Source::Machine(Boot::machine()?))))
    }

    /// The machine's clocks with the boot that `path` describes, re-read when the file changes:
    /// `{"boot_id": UUID, "booted_at": seconds since 1970, "monotonic_ns": CLOCK_MONOTONIC at that boot}`.
    ///
    /// For a process that speaks for another box: a gateway whose agent runs elsewhere, or a laboratory.
    pub fn with_boot_file(path: &Path) -> Result<Clock, BootError> {
        Ok(Clock(Arc::new(Source::Machine(Boot::from_file(path, raw_ns(ClockId::Monotonic))?))))
    }

    /// A clock that stands still at monotonic zero, 2026-01-01 00:00 UTC, until told to move.
    pub fn manual() -> Clock {
        const WALL_NS: i64 = 1_767_225_600_000_000_000;
        let manual = Manual {
            boot: BootId([1; 16]),
            steady_ns: 0,
            booted_ns: 0,
            wall_offset_ns: WALL_NS,
            bound_ns: 1_000_000,
        };
        Clock(Arc::new(Source::Manual(Mutex::new(manual))))
    }

    /// Nanoseconds since the boot of [`Clock::boot`], suspend included. Starts again at a new boot.
    pub fn mono_ns(&self) -> u64 {
        self.moment().mono_ns
    }

    /// Nanoseconds that only ever grow while this process lives, suspend included. For deadlines.
    pub fn steady_ns(&self) -> u64 {
        match &*self.0 {
            Source::Machine(_) => raw_ns(ClockId::Boottime),
            Source::Manual(manual) => lock(manual).steady_ns,
        }
    }

    /// UTC, milliseconds since 1970. May step; never subtract two of these to get a duration.
    pub fn utc_ms(&self) -> i64 {
        match &*self.0 {
            Source::Machine(_) => wall_ns().div_euclid(1_000_000) as i64,
            Source::Manual(manual) => {
                let now = lock(manual);
                (i128::from(now.steady_ns) + i128::from(now.wall_offset_ns)).div_euclid(1_000_000) as i64
            }
        }
    }

    /// UTC by the kernel's own reading, nanoseconds since 1970: the clock it stamps packets with (`SO_TIMESTAMPNS`),
    /// also where a rehearsal put another clock under this program. For nothing but comparing with such stamps.
    pub fn stamp_ns(&self) -> u64 {
        match &*self.0 {
            Source::Machine(_) => raw_ns(ClockId::Realtime),
            Source::Manual(manual) => {
                let now = lock(manual);
                (i128::from(now.steady_ns) + i128::from(now.wall_offset_ns)) as u64
            }
        }
    }

    /// How long ago the kernel stamped a packet, nanoseconds; 0 where it did not, or its clock was stepped since.
    pub fn age_ns(&self, stamp_ns: Option<u64>) -> u64 {
        let age = stamp_ns.and_then(|stamp_ns| self.stamp_ns().checked_sub(stamp_ns));
        age.filter(|age| *age < STAMP_KEPT_NS).unwrap_or(0)
    }

    /// Identity of the present boot.
    pub fn boot(&self) -> BootId {
        self.moment().boot
    }

    /// Now, on the present boot's clock: boot and nanoseconds read together.
    pub fn moment(&self) -> Moment {
        match &*self.0 {
            Source::Machine(boot) => machine_moment(boot),
            Source::Manual(manual) => {
                let now = lock(manual);
                Moment { boot: now.boot, mono_ns: now.steady_ns - now.booted_ns }
            }
        }
    }

    /// Time since the present boot.
    pub fn uptime(&self) -> Duration {
        Duration::from_nanos(self.mono_ns())
    }

    /// How well the wall clock is kept; `None` where the kernel does not answer (a sandbox may refuse the call).
    pub fn kept(&self) -> Option<Kept> {
        match &*self.0 {
            Source::Machine(_) => sync::kept(),
            Source::Manual(manual) => {
                let bound_ns = lock(manual).bound_ns;
                let (bound, synchronised) = (Duration::from_nanos(bound_ns), bound_ns != u64::MAX);
                Some(Kept { synchronised, max_error: bound, estimated_error: bound })
            }
        }
    }

    /// How this boot's monotonic clock relates to UTC now. The bound is the kernel's own maximum error
    /// (`adjtimex`, RFC 5905 root distance) plus what reading two clocks one after the other may add;
    /// `u64::MAX` when the kernel says that nothing disciplines its clock.
    pub fn map(&self) -> ClockMap {
        match &*self.0 {
            Source::Machine(boot) => machine_map(boot),
            Source::Manual(manual) => {
                let now = lock(manual);
                ClockMap {
                    boot: now.boot,
                    offset_ns: now.wall_offset_ns + now.booted_ns as i64,
                    bound_ns: now.bound_ns,
                }
            }
        }
    }
}

/// Moving a manual clock. On the machine's clock these do nothing: nobody moves that from here.
impl Clock {
    /// Time passes: monotonic and wall together.
    pub fn advance(&self, by: Duration) {
        self.change(|now| now.steady_ns += by.as_nanos() as u64);
    }

    /// The wall clock steps, as NTP or a person would; monotonic time does not notice.
    pub fn step_wall(&self, by_ms: i64) {
        self.change(|now| now.wall_offset_ns += by_ms * 1_000_000);
    }

    /// The box boots again: a new id, monotonic time starts at zero.
    pub fn reboot(&self, boot: BootId) {
        self.change(|now| {
            now.boot = boot;
            now.booted_ns = now.steady_ns;
        });
    }

    /// The error bound that [`Clock::map`] states from now on, nanoseconds.
    pub fn set_bound_ns(&self, bound_ns: u64) {
        self.change(|now| now.bound_ns = bound_ns);
    }

    fn change(&self, by: impl FnOnce(&mut Manual)) {
        if let Source::Manual(manual) = &*self.0 {
            by(&mut lock(manual));
        }
    }
}

fn machine_moment(boot: &Boot) -> Moment {
    if boot.is_machine() {
        return Moment { boot: boot.now(0).id, mono_ns: raw_ns(ClockId::Boottime) };
    }
    let monotonic = raw_ns(ClockId::Monotonic);
    let present = boot.now(monotonic);
    Moment { boot: present.id, mono_ns: monotonic.saturating_sub(present.monotonic_ns) }
}

fn machine_map(boot: &Boot) -> ClockMap {
    let mut best: Option<(u64, Moment, i128)> = None;
    for _ in 0..MAP_READINGS {
        let before = machine_moment(boot);
        let wall = wall_ns();
        let after = machine_moment(boot);
        let gap = after.mono_ns.saturating_sub(before.mono_ns);
        if before.boot == after.boot && best.is_none_or(|(least, ..)| gap < least) {
            best = Some((gap, before, wall));
        }
    }
    // Five readings cannot all straddle a change of the boot file, which is looked at once a second.
    let (gap, at, wall) = best.unwrap_or_else(|| (u64::MAX, machine_moment(boot), wall_ns()));
    let middle = i128::from(at.mono_ns) + i128::from(gap / 2);
    let bound_ns = sync::max_error_ns().map_or(u64::MAX, |error| error.saturating_add(gap.div_ceil(2)));
    ClockMap { boot: at.boot, offset_ns: (wall - middle) as i64, bound_ns }
}

fn raw_ns(id: ClockId) -> u64 {
    let now = clock_gettime(id);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Read through the system's C library, where a rehearsal can put another clock under a program (libfaketime).
#[allow(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
fn wall_ns() -> i128 {
    match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => since.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}

/// A clock whose lock was poisoned by a panicking test is still a clock.
fn lock(manual: &Mutex<Manual>) -> std::sync::MutexGuard<'_, Manual> {
    manual.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stepping_the_wall_leaves_monotonic_time_alone() {
        let clock = Clock::manual();
        let other = clock.clone();
        clock.advance(Duration::from_secs(5));
        let utc = clock.utc_ms();
        clock.step_wall(-3_600_000);
        assert_eq!(other.mono_ns(), 5_000_000_000, "clones move together");
        assert_eq!(other.utc_ms(), utc - 3_600_000);
        assert_eq!(clock.map().utc_ms(clock.mono_ns()), clock.utc_ms(), "the map follows the step");
    }

    #[test]
    fn reboot_restarts_moments_but_not_deadlines() {
        let clock = Clock::manual();
        clock.advance(Duration::from_secs(60));
        let (utc, steady) = (clock.utc_ms(), clock.steady_ns());
        clock.reboot(BootId([9; 16]));
        assert_eq!(clock.moment(), Moment { boot: BootId([9; 16]), mono_ns: 0 });
        assert_eq!(clock.uptime(), Duration::ZERO);
        assert_eq!((clock.utc_ms(), clock.steady_ns()), (utc, steady));
        assert_eq!(clock.map().utc_ms(0), utc);
    }

    #[test]
    fn machine_clock_agrees_with_its_own_map() {
        let clock = Clock::machine().unwrap();
        let map = clock.map();
        assert_eq!(map.boot, clock.boot());
        assert_ne!(map.boot, BootId::default());
        let drift = clock.utc_ms() - map.utc_ms(clock.mono_ns());
        assert!(drift.abs() < 5_000, "map and clock are {drift} ms apart");
        let (earlier, later) = (clock.mono_ns(), clock.mono_ns());
        assert!(earlier <= later);
    }

    #[test]
    fn moving_the_machine_clock_does_nothing() {
        let clock = Clock::machine().unwrap();
        let before = clock.map().offset_ns;
        clock.step_wall(86_400_000);
        assert!((clock.map().offset_ns - before).abs() < 3_600_000_000_000);
    }
}
