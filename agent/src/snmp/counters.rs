//! Counters of a device that wrap at 2^32, carried on to 64 bits; and whether it began anew.
//!
//! ```text
//! told      4294967000   200          150 (device restarted)
//! noted     4294967000   4294967496   150       it falls only where the device's own counter began anew
//! ```

use std::collections::BTreeMap;

/// Hundredths of a second in which two readings of a clock may differ for reasons of the way.
const SLACK_TICKS: u64 = 3_000;

/// Wrapping counters of a device, by the name of what they count of.
#[derive(Debug, Default)]
pub struct Counters(BTreeMap<String, Known>);

#[derive(Debug, Default)]
struct Known {
    /// `ifCounterDiscontinuityTime`.
    began: Option<u64>,
    counts: BTreeMap<u16, (u32, u64)>,
}

impl Counters {
    /// Counter `which` of `part` says `now`; `began` tells since when it counts. Gives what it would say if it were of
    /// 64 bits.
    pub fn carry(&mut self, part: &str, which: u16, began: Option<u64>, now: u32) -> u64 {
        if !self.0.contains_key(part) {
            self.0.insert(part.to_owned(), Known::default());
        }
        let Some(known) = self.0.get_mut(part) else { return u64::from(now) };
        if known.began != began {
            known.counts.clear();
            known.began = began;
        }
        let (last, total) = known.counts.entry(which).or_insert((now, u64::from(now)));
        *total += u64::from(now.wrapping_sub(*last));
        *last = now;
        *total
    }

    /// All begin anew: the device did.
    pub fn forget(&mut self) {
        self.0.clear();
    }

    /// Forgets what is of parts that are gone.
    pub fn retain(&mut self, stays: impl Fn(&str) -> bool) {
        self.0.retain(|part, _| stays(part));
    }
}

/// The device's own clock (`sysUpTime`), as it was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpTime {
    /// Hundredths of a second; wraps after 497 days.
    pub ticks: u32,
    /// When it was read, nanoseconds of our steady clock.
    pub read_ns: u64,
}

impl UpTime {
    /// Whether the device began anew between `self` and `now`: its clock is behind where it should be, other than by
    /// its wrap.
    pub fn restarted(self, now: UpTime) -> bool {
        let passed = now.read_ns.saturating_sub(self.read_ns) / 10_000_000;
        let due = u64::from(self.ticks) + passed;
        now.ticks < self.ticks && due + SLACK_TICKS < 1 << 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrap_goes_on_and_a_restart_begins_anew() {
        let mut counters = Counters::default();
        assert_eq!(counters.carry("eth0", 1, Some(7), u32::MAX - 9), u64::from(u32::MAX) - 9);
        assert_eq!(counters.carry("eth0", 1, Some(7), 190), (1 << 32) + 190);
        assert_eq!(counters.carry("eth0", 2, Some(7), 5), 5, "each counter has its own");
        assert_eq!(counters.carry("eth0", 1, Some(8), 150), 150, "its discontinuity time moved");
        counters.forget();
        assert_eq!(counters.carry("eth0", 1, Some(8), 20), 20);
    }

    #[test]
    fn a_clock_that_wraps_is_no_restart() {
        let at = |ticks, seconds: u64| UpTime { ticks, read_ns: seconds * 1_000_000_000 };
        assert!(at(90_000, 0).restarted(at(100, 60)));
        assert!(!at(90_000, 0).restarted(at(96_000, 60)));
        assert!(!at(u32::MAX - 1_000, 0).restarted(at(5_000, 60)));
    }
}
