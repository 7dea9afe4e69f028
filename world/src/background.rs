//! What happens in a province on any day: single sites fall silent, for seconds to an hour. Pure and seeded: the
//! same rate gives the same interruptions at the same times after its order.
//!
//! The gaps between two are exponential, how long one lasts is log-uniform, two of five are power cuts. A site is
//! struck once at a time.

use crate::fault::Fault;
use crate::fault::effects::{Course, Effects, Plot};
use crate::fault::place::{dark, left};
use crate::map::{Map, Part};
use crate::weather::{hash, mix, share};
use haidang_collector::topology::Id;

/// Interruptions in a month of 30 days, when nothing else is said.
pub const PER_MONTH: u32 = 300;
/// Most of them: a hundred a minute, for a drill.
pub const MOST_PER_MONTH: u32 = 4_320_000;
/// How the name of each interruption begins.
pub const NAME: &str = "background ";

const MONTH_NS: f64 = 30.0 * 86_400e9;
/// Shortest and longest interruption, nanoseconds.
const SHORTEST_NS: f64 = 5e9;
const LONGEST_NS: f64 = 3_600e9;
/// Share of power cuts.
const POWER: f64 = 0.4;

/// Interruptions to come.
#[derive(Clone, Debug)]
pub struct Background {
    per_month: u32,
    drawn: u64,
    due_ns: u64,
}

impl Background {
    /// From `now_ns` on, so many in a month.
    pub fn new(per_month: u32, now_ns: u64) -> Background {
        let mut background = Background { per_month, drawn: 0, due_ns: now_ns };
        background.due_ns += background.gap_ns();
        background
    }

    /// When the next one begins.
    pub fn due_ns(&self) -> u64 {
        self.due_ns
    }

    /// The next one, and the draw of the one after it; `None` when there is no site to strike.
    pub fn next(&mut self, map: &Map) -> Option<Fault> {
        let sites: Vec<Id> = map.sites(|_, _| true).into_iter().collect();
        let site = sites.get((self.draw() * sites.len() as f64) as usize);
        let (power, lasts) = (self.draw() < POWER, self.draw());
        let lasts_ns = SHORTEST_NS * (LONGEST_NS / SHORTEST_NS).powf(lasts);
        self.due_ns += self.gap_ns();
        let site = site?;
        let (verb, fate, effects) = if power {
            ("power", "without power", dark([site], left(site, map), map))
        } else {
            let lines = map.lines(|_, line| line.site == *site);
            ("cut", "silent", Effects::silent(lines.into_iter().map(Part::Line)))
        };
        let (name, text) = (format!("{NAME}{site}"), format!("{NAME}{verb} {site}"));
        let plot = Plot::at_once(effects, Course::Passing(lasts_ns as u64));
        Some(Fault { name, text, fate: fate.into(), plot })
    }

    fn gap_ns(&mut self) -> u64 {
        let mean_ns = MONTH_NS / f64::from(self.per_month);
        (-(1.0 - self.draw()).ln() * mean_ns) as u64
    }

    fn draw(&mut self) -> f64 {
        self.drawn += 1;
        share(mix(hash("background") ^ mix(self.drawn)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::tests::map;
    use std::collections::BTreeSet;

    #[test]
    fn as_many_in_a_month_as_were_asked_for_at_every_site() {
        let map = map();
        let mut background = Background::new(1_000, 0);
        let (mut count, mut sites, mut cuts, mut longest) = (0u32, BTreeSet::new(), 0u32, 0u64);
        while background.due_ns() < MONTH_NS as u64 {
            let fault = background.next(&map).unwrap();
            let Course::Passing(lasts_ns) = fault.plot.course else { panic!("{fault:?}") };
            assert!((SHORTEST_NS as u64..=LONGEST_NS as u64).contains(&lasts_ns));
            let effects = fault.plot.worst();
            assert!(!effects.lost.is_empty());
            cuts += u32::from(effects.dark.is_empty());
            sites.insert(fault.text.rsplit_once(' ').unwrap().1.to_owned());
            longest = longest.max(lasts_ns);
            count += 1;
        }
        // 1 000 ± 6 standard deviations.
        assert!((810..1_190).contains(&count), "{count}");
        assert!((count / 2..count * 7 / 10).contains(&cuts), "{cuts} of {count} are cuts");
        assert_eq!(sites.len(), 3);
        assert!(longest > 30 * 60 * 1_000_000_000);
    }

    #[test]
    fn the_same_rate_gives_the_same_interruptions() {
        let map = map();
        let drawn = |rate| {
            let mut background = Background::new(rate, 0);
            (0..20).map(|_| (background.due_ns(), background.next(&map))).collect::<Vec<_>>()
        };
        assert_eq!(drawn(300), drawn(300));
        assert_ne!(drawn(300), drawn(600));
    }
}
