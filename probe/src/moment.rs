//! When something happened, as the machine that saw it can honestly say it.
//!
//! An agent stamps with a boot id and nanoseconds of its monotonic clock, which survives suspend and never
//! steps. A [`ClockMap`] in each batch says how that boot's monotonic clock relates to UTC, and how far
//! the relation may be wrong. The collector turns a [`Moment`] into UTC once, at ingest.

use serde::{Deserialize, Serialize};

/// Identity of one boot of a machine, 16 random bytes (Linux: `/proc/sys/kernel/random/boot_id`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BootId(pub [u8; 16]);

/// A point on one boot's monotonic clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Moment {
    /// The boot the clock belongs to.
    pub boot: BootId,
    /// Nanoseconds since that boot, suspend included (`CLOCK_BOOTTIME`).
    pub mono_ns: u64,
}

/// How one boot's monotonic clock relates to UTC: `utc_ns = mono_ns + offset_ns`, within `bound_ns`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockMap {
    /// The boot described.
    pub boot: BootId,
    /// UTC nanoseconds at monotonic zero.
    pub offset_ns: i64,
    /// Half-width of the error, nanoseconds; `u64::MAX` when the clock is known not to be synchronised.
    pub bound_ns: u64,
}

impl ClockMap {
    /// UTC of `mono_ns` on this boot, milliseconds since 1970.
    pub fn utc_ms(&self, mono_ns: u64) -> i64 {
        (i128::from(mono_ns) + i128::from(self.offset_ns)).div_euclid(1_000_000) as i64
    }
}
