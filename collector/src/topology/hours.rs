//! Service hours of a site: local time of Asia/Ho_Chi_Minh, which is UTC+7 and has no summer time.
//!
//! ```text
//!  Fri            opening     closing  opening  closing         Mon
//! ───────────────────┤███████████├────────┤████████├─────────────┤███
//! ```
//!
//! Spans that touch, also at midnight, are one: nothing closes between them.

use serde::{Deserialize, Serialize};

/// Offset of Asia/Ho_Chi_Minh from UTC, ms.
pub const VIETNAM_MS: i64 = 7 * 3_600_000;
const MINUTE_MS: i64 = 60_000;
/// Length of a day, ms.
pub const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// Days looked at for the next or last change: every day of the week, and the same day a week on.
const DAYS: i64 = 8;

/// When a site serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// Days it serves, Monday first.
    pub days: [bool; 7],
    /// Spans of such a day, minutes since midnight, in order, apart, never across midnight; `1440` is its end.
    pub spans: Vec<(u16, u16)>,
}

impl Hours {
    /// Whether it serves at `at`, UTC ms. A span holds its first moment and not its last.
    pub fn open_at(&self, at: i64) -> bool {
        let local = at + VIETNAM_MS;
        let of_day = local.rem_euclid(DAY_MS);
        let within = |(from, to): &(u16, u16)| (minutes(*from)..minutes(*to)).contains(&of_day) && from < to;
        self.serves(local.div_euclid(DAY_MS)) && self.spans.iter().any(within)
    }

    /// The last opening at or before `at`, UTC ms; `None` if it never closes or never opens.
    pub fn opening(&self, at: i64) -> Option<i64> {
        let today = day_of(at);
        let days = (0..=DAYS).map(|back| today - back);
        let starts = days.flat_map(|day| self.on(day).rev().map(|(from, _)| from));
        starts.filter(|start| *start <= at).find(|start| !self.open_at(start - 1))
    }

    /// The first opening after `at`, UTC ms.
    pub fn next_opening(&self, at: i64) -> Option<i64> {
        let starts = self.from(at).map(|(from, _)| from);
        starts.filter(|start| *start > at).find(|start| !self.open_at(start - 1))
    }

    /// The first closing after `at`, UTC ms.
    pub fn next_closing(&self, at: i64) -> Option<i64> {
        let ends = self.from(at).map(|(_, to)| to);
        ends.filter(|end| *end > at).find(|end| !self.open_at(*end))
    }

    /// The last closing at or before `at`, UTC ms.
    pub fn closing(&self, at: i64) -> Option<i64> {
        // A span that ends with its day closes on the next one: a day's ends all lie after its starts.
        let today = day_of(at);
        let days = (0..=DAYS).map(|back| today - back);
        let ends = days.flat_map(|day| self.on(day).rev().map(|(_, to)| to));
        ends.filter(|end| *end <= at).find(|end| !self.open_at(*end))
    }

    fn serves(&self, day: i64) -> bool {
        // 1970-01-01 was a Thursday.
        self.days[(day + 3).rem_euclid(7) as usize]
    }

    /// The spans of a day counted from 1970-01-01 local, as UTC ms.
    fn on(&self, day: i64) -> impl DoubleEndedIterator<Item = (i64, i64)> {
        let spans = if self.serves(day) { self.spans.as_slice() } else { &[] };
        let midnight = day * DAY_MS - VIETNAM_MS;
        let spans = spans.iter().filter(|(from, to)| from < to);
        spans.map(move |(from, to)| (midnight + minutes(*from), midnight + minutes(*to)))
    }

    /// The spans from the day of `at` on.
    fn from(&self, at: i64) -> impl Iterator<Item = (i64, i64)> {
        let today = day_of(at);
        (0..=DAYS).flat_map(move |on| self.on(today + on))
    }
}

/// The local day of `at`, `YYYYMMDD`.
pub fn day(at: i64) -> String {
    let local = jiff::Timestamp::from_millisecond(at + VIETNAM_MS).unwrap_or_default().to_string();
    local.chars().take(10).filter(char::is_ascii_digit).collect()
}

/// The local day of `at`, counted from 1970.
pub fn day_of(at: i64) -> i64 {
    (at + VIETNAM_MS).div_euclid(DAY_MS)
}

fn minutes(of_day: u16) -> i64 {
    i64::from(of_day) * MINUTE_MS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-11-20, a Friday, at this local time, UTC ms.
    fn friday(hour: i64, minute: i64) -> i64 {
        1_795_107_600_000 + (hour * 60 + minute) * MINUTE_MS
    }

    fn office() -> Hours {
        Hours { days: [true, true, true, true, true, false, false], spans: vec![(420, 690), (780, 1020)] }
    }

    #[test]
    fn an_office_opens_in_the_morning_closes_for_lunch_and_rests_at_the_weekend() {
        let hours = office();
        assert!(!hours.open_at(friday(6, 59)) && hours.open_at(friday(7, 0)));
        assert!(hours.open_at(friday(11, 29)) && !hours.open_at(friday(11, 30)));
        assert_eq!(hours.next_closing(friday(8, 0)), Some(friday(11, 30)));
        assert_eq!(hours.next_opening(friday(11, 30)), Some(friday(13, 0)));
        assert_eq!(hours.next_opening(friday(17, 0)), Some(friday(72 + 7, 0)));
        assert_eq!(hours.opening(friday(72 + 6, 59)), Some(friday(13, 0)));
        assert_eq!(hours.closing(friday(48, 0)), Some(friday(17, 0)));
        assert_eq!(hours.opening(friday(7, 0)), Some(friday(7, 0)));
    }

    #[test]
    fn what_never_closes_has_no_opening_and_what_never_opens_has_no_closing() {
        let always = Hours { days: [true; 7], spans: vec![(0, 720), (720, 1440)] };
        let never = Hours { days: [false; 7], spans: vec![(420, 690)] };
        for hours in [always, never] {
            assert_eq!((hours.opening(friday(9, 0)), hours.next_opening(friday(9, 0))), (None, None));
            assert_eq!((hours.closing(friday(9, 0)), hours.next_closing(friday(9, 0))), (None, None));
        }
    }

    #[test]
    fn the_day_begins_at_midnight_in_vietnam() {
        assert_eq!(
            (day(friday(0, 0) - 1), day(friday(0, 0))),
            ("20261119".to_owned(), "20261120".to_owned())
        );
    }

    #[test]
    fn a_night_shift_is_one_span_over_midnight() {
        let hours = Hours { days: [true; 7], spans: vec![(0, 360), (1320, 1440)] };
        assert!(hours.open_at(friday(23, 59)) && hours.open_at(friday(24, 0)));
        assert_eq!(hours.next_closing(friday(22, 0)), Some(friday(30, 0)));
        assert_eq!(hours.opening(friday(25, 0)), Some(friday(22, 0)));
    }

    prop_compose! {
        fn any_hours()(days in any::<[bool; 7]>(), mut cuts in prop::collection::btree_set(0u16..=1440, 2..7)) -> Hours {
            if cuts.len() % 2 == 1 {
                cuts.pop_first();
            }
            let cuts: Vec<u16> = cuts.into_iter().collect();
            Hours { days, spans: cuts.chunks(2).map(|span| (span[0], span[1])).collect() }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn changes_are_where_it_opens_and_closes(hours in any_hours(), minute in 0i64..20_160) {
            let at = friday(0, 0) + minute * MINUTE_MS;
            for opening in [hours.opening(at), hours.next_opening(at)].into_iter().flatten() {
                prop_assert!(hours.open_at(opening) && !hours.open_at(opening - 1));
            }
            for closing in [hours.closing(at), hours.next_closing(at)].into_iter().flatten() {
                prop_assert!(!hours.open_at(closing) && hours.open_at(closing - 1));
            }
        }

        #[test]
        fn between_two_changes_nothing_changes(hours in any_hours(), minute in 0i64..20_160) {
            let at = friday(0, 0) + minute * MINUTE_MS;
            let last = hours.opening(at).max(hours.closing(at));
            let next = [hours.next_opening(at), hours.next_closing(at)].into_iter().flatten().min();
            if let (Some(last), Some(next)) = (last, next) {
                prop_assert!(last <= at && at < next);
                for step in 0..(next - last) / MINUTE_MS {
                    prop_assert_eq!(hours.open_at(last + step * MINUTE_MS), hours.open_at(at));
                }
            }
        }
    }
}
