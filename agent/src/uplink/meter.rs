//! What metered uplinks carried this month, against what they may.
//!
//! ```text
//! DATA/metered.json   {"2026-11": {"28249-2": 1834012}}     octets by line; written each 10 minutes and at the end
//! ```
//!
//! Liveness packets are counted as they are on the wire (IP and UDP heads included), batches with an allowance for
//! what carries them. Months are those of Asia/Ho_Chi_Minh. A kill loses at most ten minutes of the count. A later
//! month begins it anew; an earlier one does not, nor does a clock that is not set: a gateway without a battery boots
//! in the past, and would else have its whole budget again after each power cut.

use crate::dial::certificate::RELEASED;
use crate::spool::write_whole;
use haidang_probe::plan::Uplink;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Heads of a UDP packet, IPv4 and UDP.
const HEADS: usize = 28;
/// What a batch costs beside its own octets: heads of TCP and HTTP, the answer, now and then a TLS handshake.
const AROUND_A_BATCH: usize = 6_000;
/// A clock before this is not set, UTC ms.
const RELEASED_MS: i64 = RELEASED as i64 * 1_000;
/// Octets of a megabyte as carriers count them.
const MB: u64 = 1_000_000;
/// Name of the file in the agent's directory.
const FILE: &str = "metered.json";
/// Indochina time, ahead of UTC by so much.
const AHEAD_MS: i64 = 7 * 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// The count; cheap to clone, all clones are one count.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Mutex<Count>>);

#[derive(Debug, Default)]
struct Count {
    month: String,
    octets: BTreeMap<String, u64>,
}

impl Meter {
    /// The count kept in the agent's directory; from nothing where there is none that reads.
    pub fn restore(directory: &Path) -> Meter {
        let kept = std::fs::read(path(directory)).ok();
        let months: BTreeMap<String, BTreeMap<String, u64>> =
            kept.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let (month, octets) = months.into_iter().next_back().unwrap_or_default();
        Meter(Arc::new(Mutex::new(Count { month, octets })))
    }

    /// Keeps the count in the agent's directory. Nothing is written where nothing is metered.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep(&self, directory: &Path) -> std::io::Result<()> {
        let count = self.count();
        if count.octets.is_empty() {
            return Ok(());
        }
        let text = serde_json::to_vec(&BTreeMap::from([(&count.month, &count.octets)])).unwrap_or_default();
        drop(count);
        write_whole(&path(directory), &text)
    }

    /// A liveness packet went or came at `now_ms` (UTC).
    pub fn packet(&self, uplink: &Uplink, octets: usize, now_ms: i64) {
        self.spend(uplink, octets + HEADS, now_ms);
    }

    /// A batch is brought, or orders are fetched, at `now_ms` (UTC).
    pub fn exchange(&self, uplink: &Uplink, octets: usize, now_ms: i64) {
        self.spend(uplink, octets + AROUND_A_BATCH, now_ms);
    }

    /// Whether the uplink may carry another batch at `now_ms` (UTC).
    pub fn affords(&self, uplink: &Uplink, now_ms: i64) -> bool {
        let Some(budget) = uplink.budget_mb.filter(|_| uplink.metered) else { return true };
        let mut count = self.count();
        count.turn(now_ms);
        count.octets.get(&uplink.line).is_none_or(|octets| *octets < u64::from(budget) * MB)
    }

    /// Octets of each line this month.
    pub fn octets(&self) -> BTreeMap<String, u64> {
        self.count().octets.clone()
    }

    fn spend(&self, uplink: &Uplink, octets: usize, now_ms: i64) {
        if !uplink.metered {
            return;
        }
        let mut count = self.count();
        count.turn(now_ms);
        *count.octets.entry(uplink.line.clone()).or_default() += octets as u64;
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    fn turn(&mut self, now_ms: i64) {
        let month = month(now_ms);
        if now_ms < RELEASED_MS || month <= self.month {
            return;
        }
        // What was spent before the clock was ever set belongs to the month it turns out to be.
        let octets = if self.month.is_empty() { std::mem::take(&mut self.octets) } else { BTreeMap::new() };
        *self = Count { month, octets };
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// The month of an instant, `2026-11`: days to a civil date as in Howard Hinnant's `civil_from_days`.
fn month(utc_ms: i64) -> String {
    let days = (utc_ms + AHEAD_MS).div_euclid(DAY_MS) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::good;

    /// 2026-11-30 23:59:59.999 in Hà Nội.
    const LAST: i64 = 1_796_057_999_999;

    fn metered(budget_mb: Option<u32>) -> Uplink {
        let own = good().plan.uplinks.remove(0);
        Uplink { line: "4g".into(), metered: true, budget_mb, ..own }
    }

    #[test]
    fn a_month_ends_at_midnight_in_vietnam() {
        assert_eq!((month(LAST), month(LAST + 1)), ("2026-11".into(), "2026-12".into()));
        assert_eq!(month(951_782_400_000 - AHEAD_MS), "2000-02", "29 February 2000");
        assert_eq!(month(0), "1970-01");
    }

    #[test]
    fn a_spent_budget_carries_nothing_until_the_next_month() {
        let (meter, line) = (Meter::default(), metered(Some(1)));
        assert!(meter.affords(&line, LAST));
        meter.exchange(&line, 999_999, LAST);
        assert!(!meter.affords(&line, LAST) && meter.affords(&line, LAST + 1));
        assert!(meter.affords(&metered(None), LAST), "no budget is no limit");
    }

    #[test]
    fn a_boot_without_a_clock_does_not_give_the_budget_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (meter, line) = (Meter::default(), metered(Some(1)));
        meter.exchange(&line, 500_000, 0);
        assert_eq!(meter.octets()["4g"], 506_000, "spent before the clock was ever set");
        meter.exchange(&line, 500_000, LAST);
        assert!(!meter.affords(&line, LAST));
        meter.keep(dir.path()).unwrap();
        let booted = Meter::restore(dir.path());
        for unset in [0, RELEASED_MS - 1, RELEASED_MS, LAST] {
            booted.packet(&line, 0, unset);
            assert!(!booted.affords(&line, unset), "{unset}");
        }
        assert!(booted.affords(&line, LAST + 1), "the next month");
    }

    #[test]
    fn liveness_at_its_interval_costs_what_the_guide_says() {
        let (meter, line) = (Meter::default(), metered(None));
        for _ in 0..30 * 24 * 60 {
            (0..4).for_each(|_| meter.packet(&line, 164, LAST));
        }
        assert!((30 * MB..36 * MB).contains(&meter.octets()["4g"]));
    }

    #[test]
    fn the_count_survives_a_restart_and_only_metered_lines_are_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let (meter, line) = (Meter::default(), metered(Some(1)));
        meter.keep(dir.path()).unwrap();
        assert!(!path(dir.path()).exists(), "nothing metered, nothing written");
        meter.packet(&Uplink { metered: false, ..line.clone() }, 1_000, LAST);
        meter.packet(&line, 1_000, LAST);
        meter.keep(dir.path()).unwrap();
        assert_eq!(Meter::restore(dir.path()).octets(), BTreeMap::from([("4g".into(), 1_028)]));
    }
}
