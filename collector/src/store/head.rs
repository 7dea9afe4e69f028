//! Every series known, and the open end of each: what is not sealed yet.
//!
//! ```text
//! site ─▶ check ─▶ (metric, part) ─▶ id ─▶ Series { definition, windows }
//!                                              └─ window 13:45… (late) · window 14:45… (open)
//! ```
//!
//! Windows are an hour long. A series of group g (its id modulo [`GROUPS`]) has windows that begin g quarters
//! of an hour after the full hour, so that a quarter of the series is sealed at a time and never all.
//!
//! An id is given again only once nothing of its last bearer is left: see [`Head::forget`].

use super::record::Definition;
use super::stream::{Sample, Stream, Taken};
pub(super) use crate::topology::hours::DAY_MS;
use haidang_probe::{check::CheckId, metric::Metric};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Length of a window, ms.
pub(super) const WINDOW_MS: i64 = 3_600_000;
/// Groups of series sealed in turn.
pub(super) const GROUPS: u8 = 4;

/// The group of a series.
pub(super) fn group_of(id: u32) -> u8 {
    (id % u32::from(GROUPS)) as u8
}

/// Start of the window of a group that holds an instant.
pub(super) fn window_of(group: u8, at: i64) -> i64 {
    let offset = i64::from(group) * (WINDOW_MS / i64::from(GROUPS));
    (at - offset).div_euclid(WINDOW_MS) * WINDOW_MS + offset
}

/// Day of an instant, counted from 1970.
pub(super) fn day_of(at: i64) -> i64 {
    at.div_euclid(DAY_MS)
}

/// Where a window's samples stand: its start, and the series.
pub(super) type Place = (i64, u32);

/// Samples of one series within one window, not sealed.
#[derive(Clone, Debug)]
pub(super) struct Window {
    start: i64,
    /// Position in `samples` of the record that opened it.
    opened: u64,
    /// Its samples.
    pub stream: Stream,
}

/// A series and its open windows.
#[derive(Debug)]
struct Series {
    definition: Definition,
    windows: Vec<Window>,
    /// Day of its newest sample.
    day: i64,
    /// The day that stands in its row on disk; 0 when it has none.
    saved: i64,
}

/// Series of one check at one site.
type Members = Vec<(Metric, Box<str>, u32)>;

#[derive(Debug, Default)]
struct Site {
    checks: BTreeMap<CheckId, Members>,
    series: usize,
}

/// All series.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Looked up for every row, and never walked through: a search by order would be a third of the work.
    sites: HashMap<Box<str>, Site>,
    series: Vec<Option<Series>>,
    free: BTreeSet<u32>,
    count: usize,
    octets: usize,
}

impl Head {
    /// How many series there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Octets of all open windows.
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// The series of a check: metric, part, id.
    pub fn members(&self, site: &str, check: CheckId) -> &[(Metric, Box<str>, u32)] {
        let members = self.sites.get(site).and_then(|site| site.checks.get(&check));
        members.map_or(&[], Vec::as_slice)
    }

    /// Makes a series; `None` when there would be more than `most`, or more than half as many of its site.
    pub fn make(&mut self, definition: Definition, most: usize) -> Option<u32> {
        let of_site = self.sites.get(definition.site.as_str()).map_or(0, |site| site.series);
        if self.count >= most || of_site >= most.div_ceil(2) {
            return None;
        }
        let id = self.free.first().copied().unwrap_or(self.series.len() as u32);
        self.place(id, definition, 0, 0);
        Some(id)
    }

    /// Puts a series that stands on disk in its place, instead of another that had its id before.
    pub fn place(&mut self, id: u32, definition: Definition, day: i64, saved: i64) {
        let slot = id as usize;
        if self.series.len() <= slot {
            self.free.extend(self.series.len() as u32..id);
            self.series.resize_with(slot + 1, || None);
        }
        if self.series[slot].as_ref().is_some_and(|known| known.definition == definition) {
            return;
        }
        self.remove(id);
        self.free.remove(&id);
        if !self.sites.contains_key(definition.site.as_str()) {
            self.sites.insert(definition.site.as_str().into(), Site::default());
        }
        if let Some(site) = self.sites.get_mut(definition.site.as_str()) {
            let members = site.checks.entry(definition.check).or_default();
            members.push((definition.metric, definition.part.as_str().into(), id));
            members.shrink_to_fit();
            site.series += 1;
        }
        self.count += 1;
        self.series[slot] = Some(Series { definition, windows: Vec::new(), day, saved });
    }

    /// Ids of a site's series of this metric: of one check or all, of one part or all.
    pub fn select(&self, site: &str, check: Option<CheckId>, metric: Metric, part: Option<&str>) -> Vec<u32> {
        let Some(site) = self.sites.get(site) else { return Vec::new() };
        let checks = site.checks.iter().filter(|(id, _)| check.is_none_or(|wanted| wanted == **id));
        let members = checks.flat_map(|(_, members)| members);
        let wanted = members.filter(|(m, p, _)| *m == metric && part.is_none_or(|wanted| wanted == &**p));
        wanted.map(|(_, _, id)| *id).collect()
    }

    /// Puts samples of one window and one series in, in order of time; the record at `position` brought them.
    /// `None` when there is no such series; the truth beside what was taken says that the window is new.
    pub fn insert(&mut self, (start, id): Place, samples: &[Sample], position: u64) -> Option<(Taken, bool)> {
        let series = self.series.get_mut(id as usize)?.as_mut()?;
        series.day = series.day.max(samples.last().map_or(0, |(at, _)| day_of(*at)));
        let known = series.windows.iter().rposition(|window| window.start == start);
        if known.is_none() {
            series.windows.reserve_exact(1);
            series.windows.push(Window { start, opened: position, stream: Stream::default() });
        }
        let number = known.unwrap_or(series.windows.len() - 1);
        let stream = &mut series.windows[number].stream;
        let before = stream.octets();
        let taken = stream.insert(samples);
        self.octets = self.octets + stream.octets() - before;
        Some((taken, known.is_none()))
    }

    /// The samples of a window of a series, if it is open.
    pub fn stream(&self, (start, id): Place) -> Option<&Stream> {
        let series = self.series.get(id as usize)?.as_ref()?;
        series.windows.iter().find(|window| window.start == start).map(|window| &window.stream)
    }

    /// Takes out the windows of a group that begin before `upto`.
    pub fn take(&mut self, group: u8, upto: i64) -> BTreeMap<Place, Window> {
        let mut taken = BTreeMap::new();
        let step = usize::from(GROUPS);
        for (id, series) in self.series.iter_mut().enumerate().skip(usize::from(group)).step_by(step) {
            let Some(series) = series else { continue };
            for window in series.windows.extract_if(.., |window| window.start < upto) {
                self.octets -= window.stream.octets();
                taken.insert((window.start, id as u32), window);
            }
        }
        taken
    }

    /// Puts windows back that were taken out and not sealed.
    pub fn put_back(&mut self, windows: BTreeMap<Place, Window>) {
        for ((start, id), mut window) in windows {
            let Some(Some(series)) = self.series.get_mut(id as usize) else { continue };
            // What came meanwhile came later.
            for newer in series.windows.extract_if(.., |newer| newer.start == start) {
                self.octets -= newer.stream.octets();
                window.stream.insert(&newer.stream.samples());
            }
            self.octets += window.stream.octets();
            series.windows.push(window);
        }
    }

    /// Position of the oldest record in `samples` that an open window still needs.
    pub fn oldest(&self) -> Option<u64> {
        let windows = self.series.iter().flatten().flat_map(|series| &series.windows);
        windows.map(|window| window.opened).min()
    }

    /// Series of a group whose row on disk is not of their newest day: id, definition, day.
    pub fn unsaved(&self, group: u8) -> Vec<(u32, Definition, i64)> {
        let step = usize::from(GROUPS);
        let all = self.series.iter().enumerate().skip(usize::from(group)).step_by(step);
        all.filter_map(|(id, series)| {
            let series = series.as_ref().filter(|series| series.saved != series.day)?;
            Some((id as u32, series.definition.clone(), series.day))
        })
        .collect()
    }

    /// Notes that a row of this day stands on disk.
    pub fn saved(&mut self, id: u32, day: i64) {
        if let Some(Some(series)) = self.series.get_mut(id as usize) {
            series.saved = day;
        }
    }

    /// Forgets series without a sample since `day` began: every chunk of theirs is gone by then. Gives their
    /// ids.
    pub fn forget(&mut self, day: i64) -> Vec<u32> {
        let past = |series: &Series| series.day < day && series.windows.is_empty();
        let all = self.series.iter().enumerate();
        let gone: Vec<u32> =
            all.filter(|(_, series)| series.as_ref().is_some_and(past)).map(|(id, _)| id as u32).collect();
        gone.iter().for_each(|id| self.remove(*id));
        gone
    }

    fn remove(&mut self, id: u32) {
        let Some(series) = self.series.get_mut(id as usize).and_then(Option::take) else { return };
        let Definition { site: name, check, .. } = &series.definition;
        if let Some(site) = self.sites.get_mut(name.as_str()) {
            site.series -= 1;
            if let Some(members) = site.checks.get_mut(check) {
                members.retain(|(_, _, member)| *member != id);
            }
            site.checks.retain(|_, members| !members.is_empty());
            if site.series == 0 {
                self.sites.remove(name.as_str());
            }
        }
        self.octets -= series.windows.iter().map(|window| window.stream.octets()).sum::<usize>();
        self.count -= 1;
        self.free.insert(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(site: &str, part: usize) -> Definition {
        let part = format!("eth{part}");
        Definition { site: site.into(), check: CheckId(1), metric: Metric::IfInOctets, part }
    }

    #[test]
    fn windows_of_a_group_begin_quarters_of_an_hour_after_the_full_hour() {
        let hour = 1_795_305_600_000;
        assert_eq!(window_of(0, hour + 5), hour);
        assert_eq!(window_of(1, hour + 5), hour - 2_700_000);
        assert_eq!(window_of(3, hour + 2_700_000), hour + 2_700_000);
    }

    #[test]
    fn a_site_that_invents_series_leaves_room_for_others() {
        let mut head = Head::default();
        let made = (0..10).filter(|n| head.make(definition("greedy", *n), 10).is_some()).count();
        assert_eq!(made, 5);
        assert!(head.make(definition("another", 0), 10).is_some());
    }

    #[test]
    fn an_id_is_given_again_once_its_series_is_forgotten() {
        let mut head = Head::default();
        let (old, kept) =
            (head.make(definition("a", 0), 10).unwrap(), head.make(definition("a", 1), 10).unwrap());
        let at = 9 * DAY_MS;
        for (id, at) in [(old, at), (kept, at + DAY_MS)] {
            head.insert((window_of(group_of(id), at), id), &[(at, 1.0)], 0).unwrap();
        }
        assert!(head.forget(10).is_empty(), "its window is still open");
        head.take(group_of(old), i64::MAX);
        assert_eq!(head.forget(10), [old]);
        assert_eq!(head.members("a", CheckId(1)).len(), 1);
        assert_eq!(head.select("a", None, Metric::IfInOctets, None), [kept]);
        assert_eq!((head.make(definition("b", 7), 10), head.count()), (Some(old), 2));
    }
}
