//! What faults do to the province, and how they go on in time. Pure.
//!
//! ```text
//! steady      ▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔▔   until it is healed; of several sites each has its own beginning
//! flapping    ▔▔▁▁▁▔▔▁▁▁▔▔▁▁▁     down, up, so many times or until it is healed
//! passing     ▔▔▔▔▔▁              until it is over
//! ```

use crate::map::Part;
use crate::switches::{ALL, Power};
use haidang_collector::topology::Id;
use std::collections::{BTreeMap, BTreeSet};

/// What is not as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Packets lost each way, per [`ALL`]; a part with [`ALL`] is silent.
    pub lost: BTreeMap<Part, u32>,
    /// Sites whose mains are away, and what still has power there.
    pub dark: BTreeMap<Id, Power>,
    /// Services whose checks fail.
    pub failing: BTreeSet<Id>,
    /// How far the clock of a site's agent is off, nanoseconds.
    pub clocks: BTreeMap<Id, i64>,
    /// Sites whose gateway rides on its backup line by its own choice ([`crate::failover`]).
    pub on_backup: BTreeSet<Id>,
}

impl Effects {
    /// These parts are silent.
    pub fn silent(parts: impl IntoIterator<Item = Part>) -> Effects {
        Effects { lost: parts.into_iter().map(|part| (part, ALL)).collect(), ..Effects::default() }
    }

    /// Adds what another fault does: of two losses, and of two that take power, the worse counts; clocks add up.
    pub fn add(&mut self, other: &Effects) {
        for (part, &lost) in &other.lost {
            let known = self.lost.entry(part.clone()).or_default();
            *known = lost.max(*known);
        }
        for (site, &power) in &other.dark {
            let known = self.dark.entry(site.clone()).or_default();
            *known = power.max(*known);
        }
        for (site, off_ns) in &other.clocks {
            let known = self.clocks.entry(site.clone()).or_default();
            *known = known.saturating_add(*off_ns);
        }
        self.failing.extend(other.failing.iter().cloned());
        self.on_backup.extend(other.on_backup.iter().cloned());
    }
}

/// Something that begins some time after the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How long after, nanoseconds.
    pub after_ns: u64,
    /// What it does then.
    pub effects: Effects,
}

/// How a fault goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Until it is healed.
    Steady,
    /// Down and up again, so often or until it is healed. Nanoseconds, neither is 0.
    Flapping {
        /// How long it is down.
        down_ns: u64,
        /// How long it is up.
        up_ns: u64,
        /// How often.
        times: Option<u64>,
    },
    /// Until it is over by itself, nanoseconds.
    Passing(u64),
    /// It does nothing itself, and lets others happen: so many in a month.
    Background(u32),
}

/// Steps and their course.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plot {
    /// What begins when, in order of time.
    pub steps: Vec<Step>,
    /// How it goes on.
    pub course: Course,
}

impl Plot {
    /// One thing that begins at once.
    pub fn at_once(effects: Effects, course: Course) -> Plot {
        Plot { steps: vec![Step { after_ns: 0, effects }], course }
    }

    /// What it does so long after its order; `None` once it is over.
    pub fn effects(&self, after_ns: u64) -> Option<Effects> {
        if self.end_ns().is_some_and(|end_ns| after_ns >= end_ns) {
            return None;
        }
        let mut effects = Effects::default();
        if let Course::Flapping { down_ns, up_ns, .. } = self.course
            && after_ns % (down_ns + up_ns) >= down_ns
        {
            return Some(effects);
        }
        self.steps
            .iter()
            .filter(|step| step.after_ns <= after_ns)
            .for_each(|step| effects.add(&step.effects));
        Some(effects)
    }

    /// All it does at its worst.
    pub fn worst(&self) -> Effects {
        let mut effects = Effects::default();
        self.steps.iter().for_each(|step| effects.add(&step.effects));
        effects
    }

    /// When it next changes, so long after its order; never when `None`.
    pub fn next_ns(&self, after_ns: u64) -> Option<u64> {
        let turn = match self.course {
            Course::Flapping { down_ns, up_ns, .. } => {
                let round = after_ns / (down_ns + up_ns) * (down_ns + up_ns);
                [round + down_ns, round + down_ns + up_ns].into_iter().find(|turn| *turn > after_ns)
            }
            _ => self.steps.iter().map(|step| step.after_ns).find(|begins| *begins > after_ns),
        };
        let over = self.end_ns().filter(|end_ns| *end_ns > after_ns);
        turn.into_iter().chain(over).min()
    }

    fn end_ns(&self) -> Option<u64> {
        match self.course {
            Course::Passing(lasts_ns) => Some(lasts_ns),
            // After the last time down nothing is left to come.
            Course::Flapping { down_ns, up_ns, times } => {
                Some(times?.saturating_mul(down_ns + up_ns).saturating_sub(up_ns))
            }
            Course::Steady | Course::Background(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Effects {
        Effects::silent([Part::Line("28249-1".into())])
    }

    #[test]
    fn a_flapping_line_goes_down_so_often_and_is_over() {
        let course = Course::Flapping { down_ns: 2, up_ns: 3, times: Some(2) };
        let plot = Plot::at_once(line(), course);
        let down = |after_ns| plot.effects(after_ns).map(|effects| effects == line());
        assert_eq!((0..5).map(down).collect::<Vec<_>>(), [true, true, false, false, false].map(Some));
        assert_eq!([down(5), down(6), down(7), down(99)], [Some(true), Some(true), None, None]);
        let mut turns = Vec::new();
        let mut at = 0;
        while let Some(next) = plot.next_ns(at) {
            turns.push(next);
            at = next;
            if plot.effects(at).is_none() {
                break;
            }
        }
        assert_eq!(turns, [2, 5, 7]);
        let forever = Plot::at_once(line(), Course::Flapping { down_ns: 2, up_ns: 3, times: None });
        assert_eq!(forever.effects(5_000_001), Some(line()));
    }

    #[test]
    fn what_passes_is_over_and_what_is_steady_is_not() {
        let passing = Plot::at_once(line(), Course::Passing(10));
        assert_eq!((passing.effects(9), passing.effects(10)), (Some(line()), None));
        assert_eq!((passing.next_ns(0), passing.next_ns(10)), (Some(10), None));
        let steady = Plot::at_once(line(), Course::Steady);
        assert_eq!((steady.effects(u64::MAX), steady.next_ns(0)), (Some(line()), None));
    }

    #[test]
    fn of_two_losses_the_worse_counts_and_clocks_add_up() {
        let clock = |off_ns| Effects { clocks: [("28249-tt".into(), off_ns)].into(), ..Effects::default() };
        let mut both = line();
        both.add(&Effects { lost: [(Part::Line("28249-1".into()), 30_000)].into(), ..clock(5) });
        both.add(&clock(-3));
        assert_eq!(both, Effects { lost: line().lost, ..clock(2) });
    }
}
