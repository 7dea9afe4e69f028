//! What was what before: communes that merged, sites that moved or were renamed.
//!
//! ```text
//!                  2025-07-01
//!   28249 ────────────┬──────────▶ 28249      asked by 28252 before the day: 28252 alone; after it: 28249
//!   28252 ────────────┤                       asked by 28249 before the day: 28249, 28252 and 28282; after it: 28249
//!   28282 ────────────┘
//!   28255 ────────────×                       ended without successor: nothing after the day, and nobody guesses
//! ```
//!
//! Days begin at midnight in Vietnam (UTC+7, no summer time). Pure: it answers from the present record, in which
//! the past stands as `valid_to`, `successor` and `formerly`.

use crate::topology::hours::{DAY_MS, VIETNAM_MS};
use crate::topology::{Commune, Former, Id, Site, Topology};
use std::collections::BTreeSet;

/// The past as a record tells it.
#[derive(Clone, Copy, Debug)]
pub struct Lineage<'t>(&'t Topology);

/// First moment of a day `YYYY-MM-DD`, UTC ms; none when it is no day.
pub fn midnight(day: &str) -> Option<i64> {
    let date: jiff::civil::Date = day.parse().ok()?;
    let utc = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond();
    Some(utc - VIETNAM_MS)
}

/// First moment of the day that `at` (UTC ms) lies in.
pub fn day_of(at: i64) -> i64 {
    (at + VIETNAM_MS).div_euclid(DAY_MS) * DAY_MS - VIETNAM_MS
}

/// Communes that ended and that nobody took over, with the moment they ended (UTC ms).
pub fn without_successor(record: &Topology) -> impl Iterator<Item = (&Id, &Commune, i64)> {
    record.communes.iter().filter(|(_, commune)| commune.successor.is_none()).filter_map(|(code, commune)| {
        let ended = commune.valid_to.as_deref().and_then(midnight)?;
        Some((code, commune, ended))
    })
}

impl<'t> Lineage<'t> {
    /// The past of this record.
    pub fn of(record: &'t Topology) -> Lineage<'t> {
        Lineage(record)
    }

    /// The commune that stood for `code` at `at`: itself while it existed, then its successor; none when it ended
    /// without one.
    pub fn standing(&self, code: &str, at: i64) -> Option<Id> {
        let mut code = code.to_owned();
        // No chain of successors is longer than there are communes.
        for _ in 0..=self.0.communes.len() {
            let Some(commune) = self.0.communes.get(&code).filter(|commune| ended(commune, at)) else {
                return Some(code);
            };
            code = commune.successor.clone()?;
        }
        None
    }

    /// The communes whose sites speak for `code` at `at`: the one that stood for it, and before a merger all those
    /// that it was to be.
    pub fn speaking(&self, code: &str, at: i64) -> BTreeSet<Id> {
        let Some(standing) = self.standing(code, at) else { return BTreeSet::new() };
        self.with_predecessors(standing, |commune| !ended(commune, at))
    }

    /// Every commune that may ever speak for `code`.
    pub fn related(&self, code: &str) -> BTreeSet<Id> {
        let last = self.standing(code, i64::MAX);
        let mut all = self.with_predecessors(code.to_owned(), |_| true);
        all.extend(last.into_iter().flat_map(|last| self.with_predecessors(last, |_| true)));
        all
    }

    fn with_predecessors(self, code: Id, counts: impl Fn(&Commune) -> bool) -> BTreeSet<Id> {
        let (mut all, mut next) = (BTreeSet::new(), vec![code]);
        while let Some(code) = next.pop() {
            let of =
                |(_, commune): &(&Id, &Commune)| commune.successor.as_ref() == Some(&code) && counts(commune);
            next.extend(
                self.0.communes.iter().filter(of).map(|(id, _)| id).filter(|id| !all.contains(*id)).cloned(),
            );
            all.insert(code);
        }
        all
    }

    /// The commune in which what was recorded as `site` lay at `at`; `recorded` is what the record said then.
    pub fn place(&self, site: &str, recorded: Option<&str>, at: i64) -> Option<Id> {
        let before = |former: &&Former| midnight(&former.until).is_some_and(|until| at < until);
        let former = self.known_as(site).and_then(|(_, record)| record.formerly.iter().find(before));
        let code = former.and_then(|former| former.commune.as_deref()).or(recorded)?;
        self.standing(code, at)
    }

    /// All ids under which `site` was ever recorded, itself among them, whichever of them is given.
    pub fn ids(&self, site: &str) -> BTreeSet<Id> {
        let mut ids = BTreeSet::from([site.to_owned()]);
        if let Some((id, record)) = self.known_as(site) {
            ids.insert(id.clone());
            ids.extend(record.formerly.iter().filter_map(|former| former.id.clone()));
        }
        ids
    }

    /// The site of the present record that is, or was, known as `id`.
    pub fn known_as(&self, id: &str) -> Option<(&'t Id, &'t Site)> {
        let was = |site: &Site| site.formerly.iter().any(|former| former.id.as_deref() == Some(id));
        self.0.sites.get_key_value(id).or_else(|| self.0.sites.iter().find(|(_, site)| was(site)))
    }

    /// Whether what was recorded as `site` lay, at `at`, in a commune that speaks for `code`.
    pub fn lay_in(&self, site: &str, code: &str, at: i64) -> bool {
        let recorded = self.known_as(site).and_then(|(_, record)| record.commune.as_deref());
        self.place(site, recorded, at).is_some_and(|commune| self.speaking(code, at).contains(&commune))
    }

    /// Sites that lie, or lay, in one of these communes, under all their ids.
    pub fn sites_in(&self, communes: &BTreeSet<Id>) -> BTreeSet<Id> {
        let within = |commune: &Option<Id>| commune.as_ref().is_some_and(|code| communes.contains(code));
        let lay = |site: &Site| site.formerly.iter().any(|former| within(&former.commune));
        let sites = self.0.sites.iter().filter(|(_, site)| within(&site.commune) || lay(site));
        sites.flat_map(|(id, _)| self.ids(id)).collect()
    }

    /// Every moment at which something of the record ended, UTC ms.
    pub fn ends(&self) -> BTreeSet<i64> {
        let communes = self.0.communes.values().filter_map(|commune| commune.valid_to.as_deref());
        let sites =
            self.0.sites.values().flat_map(|site| site.formerly.iter().map(|former| former.until.as_str()));
        communes.chain(sites).filter_map(midnight).collect()
    }
}

fn ended(commune: &Commune, at: i64) -> bool {
    commune.valid_to.as_deref().and_then(midnight).is_some_and(|end| end <= at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commune(ends: bool, successor: Option<&str>) -> Commune {
        Commune {
            name: "N".into(),
            kind: "xã".into(),
            area: None,
            valid_from: None,
            valid_to: ends.then(|| "2025-07-01".into()),
            successor: successor.map(str::to_owned),
        }
    }

    fn record() -> Topology {
        let mut record = Topology::default();
        for (code, ends, successor) in [
            ("28249", false, None),
            ("28252", true, Some("28249")),
            ("28282", true, Some("28249")),
            ("28255", true, None),
        ] {
            record.communes.insert(code.into(), commune(ends, successor));
        }
        let moved =
            Former { until: "2025-07-01".into(), id: Some("28252-tt".into()), commune: Some("28252".into()) };
        let site = Site { commune: Some("28249".into()), formerly: vec![moved], ..Site::default() };
        record.sites.insert("28249-2".into(), site);
        record
    }

    const DAY: i64 = 1_751_302_800_000;

    fn set(ids: &[&str]) -> BTreeSet<Id> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn a_day_begins_at_midnight_in_vietnam() {
        assert_eq!(midnight("2025-07-01"), Some(DAY));
        assert_eq!((day_of(DAY), day_of(DAY - 1)), (DAY, DAY - DAY_MS));
        assert_eq!(midnight("2025-02-30"), None);
    }

    #[test]
    fn an_old_code_speaks_for_itself_and_then_for_its_successor() {
        let record = record();
        let lineage = Lineage::of(&record);
        assert_eq!(lineage.speaking("28252", DAY - 1), set(&["28252"]));
        assert_eq!(lineage.speaking("28252", DAY), set(&["28249"]));
        assert_eq!(lineage.speaking("28249", DAY - 1), set(&["28249", "28252", "28282"]));
        assert_eq!(lineage.speaking("28249", DAY), set(&["28249"]));
        assert_eq!(lineage.related("28252"), set(&["28249", "28252", "28282"]));
    }

    #[test]
    fn what_ended_without_successor_is_nothing_afterwards() {
        let record = record();
        let lineage = Lineage::of(&record);
        assert_eq!(lineage.speaking("28255", DAY - 1), set(&["28255"]));
        assert_eq!(lineage.speaking("28255", DAY), set(&[]));
        let all: Vec<_> = without_successor(&record).map(|(code, _, at)| (code.as_str(), at)).collect();
        assert_eq!(all, [("28255", DAY)]);
    }

    #[test]
    fn a_site_is_found_by_every_id_it_had_and_where_it_lay() {
        let record = record();
        let lineage = Lineage::of(&record);
        assert_eq!(lineage.ids("28252-tt"), set(&["28249-2", "28252-tt"]));
        assert_eq!(lineage.ids("28249-2"), lineage.ids("28252-tt"));
        assert_eq!(
            lineage.place("28249-2", Some("28249"), DAY - 1),
            Some("28252".into()),
            "edited before the day"
        );
        assert_eq!(
            lineage.place("28252-tt", Some("28252"), DAY),
            Some("28249".into()),
            "edited after the day"
        );
        assert_eq!(lineage.sites_in(&set(&["28252"])), lineage.ids("28249-2"));
        let lay = |code, at| lineage.lay_in("28249-2", code, at);
        assert!(lay("28252", DAY - 1) && lay("28249", DAY - 1) && !lay("28282", DAY - 1));
        assert!(lay("28252", DAY) && lay("28249", DAY) && lay("28282", DAY), "all three are one commune now");
        assert!(!lineage.lay_in("nobody", "28249", DAY));
    }
}
