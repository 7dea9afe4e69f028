//! Timestamps as STAMP carries them: NTP 64-bit (RFC 5905 §6) and the error estimate (RFC 4656 §4.1.2).

/// Seconds from 1900 to 1970.
const UNIX_EPOCH: i64 = 2_208_988_800;
const NS: i64 = 1_000_000_000;

/// One reading of both clocks; whoever owns the clocks makes it, as close to the packet as it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Nanoseconds of the monotonic clock.
    pub mono_ns: u64,
    /// UTC nanoseconds since 1970.
    pub utc_ns: i64,
    /// Half-width of the error of `utc_ns`; `u64::MAX` when the clock is not synchronised.
    pub bound_ns: u64,
}

/// An NTP timestamp: seconds since 1900 in the upper half, their fraction in the lower. It wraps in
/// 2036, so only differences have a meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ntp(pub u64);

impl Ntp {
    /// The timestamp of a point in time, UTC nanoseconds since 1970.
    pub fn from_utc_ns(utc_ns: i64) -> Ntp {
        let seconds = (utc_ns.div_euclid(NS) + UNIX_EPOCH) as u64;
        let fraction = ((utc_ns.rem_euclid(NS) as u64) << 32) / NS as u64;
        Ntp(seconds << 32 | fraction)
    }

    /// What these octets mean where they hold PTP's truncated format (RFC 8877 §4.3): seconds and nanoseconds since
    /// 1970. TAI is not turned into UTC, so against an NTP timestamp it is some 37 s ahead.
    #[must_use]
    pub fn read_as_ptp(self) -> Ntp {
        let seconds = (self.0 >> 32).wrapping_add(UNIX_EPOCH as u64) & u64::from(u32::MAX);
        let fraction = ((self.0 & u64::from(u32::MAX)) << 32) / NS as u64;
        Ntp(seconds << 32 | fraction.min(u64::from(u32::MAX)))
    }

    /// Nanoseconds from `earlier` to this, right within ± 68 years.
    pub fn ns_since(self, earlier: Ntp) -> i64 {
        let units = self.0.wrapping_sub(earlier.0) as i64;
        ((i128::from(units) * i128::from(NS)) >> 32) as i64
    }
}

/// How wrong a timestamp may be: `S Z scale(6) multiplier(8)`, multiplier × 2^(scale − 32) seconds. S says
/// that the clock is synchronised; Z is 0 for NTP timestamps, 1 for PTP's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorEstimate(pub u16);

impl ErrorEstimate {
    /// The estimate for an error of at most `bound_ns`, rounded up.
    pub fn from_bound_ns(bound_ns: u64) -> ErrorEstimate {
        if bound_ns == u64::MAX {
            return ErrorEstimate(63 << 8 | 255);
        }
        let mut units = ((u128::from(bound_ns) << 32).div_ceil(NS as u128)).max(1);
        let mut scale = 0;
        while units > 255 {
            units = units.div_ceil(2);
            scale += 1;
        }
        ErrorEstimate(1 << 15 | scale << 8 | units as u16)
    }

    /// Whether the timestamps beside it are PTP's.
    pub fn is_ptp(self) -> bool {
        self.0 & 1 << 14 != 0
    }

    /// The bound it stands for, nanoseconds; `u64::MAX` when the clock is not synchronised, and for a multiplier of 0,
    /// which says nothing (RFC 4656 §4.1.2).
    pub fn bound_ns(self) -> u64 {
        let (scale, multiplier) = (u32::from(self.0 >> 8 & 63), u128::from(self.0 & 255));
        if self.0 >> 15 == 0 || multiplier == 0 {
            return u64::MAX;
        }
        // 8 bits of multiplier, 63 of scale and 30 of nanoseconds stay within 128.
        u64::try_from((multiplier * NS as u128) << scale >> 32).unwrap_or(u64::MAX)
    }
}

impl Now {
    /// The reading of so many nanoseconds ago.
    #[must_use]
    pub fn ago(self, ns: u64) -> Now {
        Now { mono_ns: self.mono_ns.saturating_sub(ns), utc_ns: self.utc_ns - ns as i64, ..self }
    }

    /// The UTC reading as a packet carries it.
    pub fn ntp(&self) -> Ntp {
        Ntp::from_utc_ns(self.utc_ns)
    }

    /// The error of the UTC reading as a packet carries it.
    pub fn error(&self) -> ErrorEstimate {
        ErrorEstimate::from_bound_ns(self.bound_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_from_1900() {
        assert_eq!(Ntp::from_utc_ns(0).0, 0x83aa_7e80_0000_0000);
        assert_eq!(Ntp::from_utc_ns(500_000_000).0, 0x83aa_7e80_8000_0000);
        assert_eq!(Ntp::from_utc_ns(-1_500_000_000).0, 0x83aa_7e7e_8000_0000);
    }

    #[test]
    fn differences_survive_the_wrap_of_2036() {
        let wrap = 2_085_978_496 * NS;
        assert_eq!(Ntp::from_utc_ns(wrap).0, 0);
        assert_eq!(Ntp::from_utc_ns(wrap + NS).ns_since(Ntp::from_utc_ns(wrap - NS)), 2 * NS);
    }

    #[test]
    fn an_unsynchronised_clock_says_so() {
        assert_eq!(ErrorEstimate::from_bound_ns(u64::MAX).0 >> 15, 0);
        assert_eq!(ErrorEstimate::from_bound_ns(u64::MAX).bound_ns(), u64::MAX);
        assert_eq!(ErrorEstimate::from_bound_ns(0).0, 0x8001);
        assert_eq!(
            ErrorEstimate(0x8000).bound_ns(),
            u64::MAX,
            "synchronised, and wrong by nothing: nobody is"
        );
    }

    #[test]
    fn a_ptp_reading_is_the_same_instant_save_for_leap_seconds() {
        let ptp = Ntp((1_795_000_000 << 32) + 250_000_000);
        let ntp = Ntp::from_utc_ns(1_795_000_000 * NS + 250_000_000);
        assert!(ptp.read_as_ptp().ns_since(ntp).abs() <= 1);
        assert!(!ErrorEstimate(0x8001).is_ptp() && ErrorEstimate(0xc001).is_ptp());
    }

    proptest! {
        #[test]
        fn differences_are_right_to_a_nanosecond(at in 0..4_000_000_000 * NS, step in -(NS * 3600)..NS * 3600) {
            let found = Ntp::from_utc_ns(at + step).ns_since(Ntp::from_utc_ns(at));
            prop_assert!((found - step).abs() <= 1, "{} is not {}", found, step);
        }

        #[test]
        fn estimates_round_up_by_less_than_one_percent(bound in 1_000..u64::MAX / 4) {
            let read = ErrorEstimate::from_bound_ns(bound).bound_ns();
            prop_assert!(read + 1 >= bound, "{} below {}", read, bound);
            prop_assert!(read as f64 <= bound as f64 * 1.01 + 2.0, "{} far above {}", read, bound);
        }
    }
}
