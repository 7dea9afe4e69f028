//! Offices that are switched off: silence outside a site's hours is rest, not a fault, and tells nothing of what
//! lies above.
//!
//! ```text
//! alive ──falls silent, closed or about to close──▶ off ──answers──▶ alive
//!                                                    └──not back BACK_BY after the opening──▶ fault at the site,
//!                                                                                            began at the opening
//! ```
//!
//! Only a site whose record says so may be off, or one that learned it. A silence that began in hours stays what
//! it was; a site of which another line answers is not off. Each span of the day has its opening: after lunch too.

use super::{
    BACK_BY, Detector, LEAVE_EARLY, STALE, Shows,
    fault::Change,
    graph::{Graph, SiteRoute},
    narrow::BREWING,
    root::{Ready, beneath},
};
use crate::topology::{Hours, OffOutsideHours};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Nights that a site's habit is learned from; it is used to being off once it was in most of them.
const NIGHTS: usize = 7;
/// A site closed for less than this has no night to learn from, ms.
const NIGHT: i64 = 4 * 3_600_000;
/// Lines of a site that fall silent within this of each other were switched off one after the other, ms.
const SHUT_DOWN: i64 = 5 * 60_000;
/// How often habits are looked at, ms.
const LOOK: i64 = 60_000;

/// What a site did in its last nights.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Habit {
    /// Whether it was off, oldest first; at most [`NIGHTS`].
    off: VecDeque<bool>,
    /// Middle of the last night looked at, UTC ms.
    night: i64,
}

impl Habit {
    /// That of a site which was off in all its nights.
    #[cfg(test)]
    pub fn used_to_nights() -> Habit {
        Habit { off: [true; NIGHTS].into(), night: 0 }
    }

    fn is_off_at_night(&self) -> bool {
        self.off.iter().filter(|off| **off).count() * 2 > NIGHTS
    }

    fn note(&mut self, night: i64, off: bool) {
        self.night = night;
        self.off.push_back(off);
        while self.off.len() > NIGHTS {
            self.off.pop_front();
        }
    }
}

impl Detector {
    /// Whether a line's silence since `began` is that of an office switched off: it began while the site was closed
    /// or about to close, or before anything was heard since the opening, it is not missed yet, and no other line of
    /// the site answers.
    pub(super) fn excused(&self, graph: &Graph, line: usize, began: i64) -> bool {
        let route = &graph.lines[line];
        let heard = self.ok[route.node];
        let may = self.hours(graph, route.site).is_some_and(|hours| is_rest(hours, began, heard));
        let rests = may && !self.missed(graph, line, began);
        let answers = |other: &usize| {
            let doubted =
                matches!(self.lines[*other], Shows::Silent(_) | Shows::Off(_)) || self.doubted(graph, *other);
            *other != line && self.ok[graph.lines[*other].node] >= began + BREWING && !doubted
        };
        rests && !graph.sites[route.site].lines.iter().any(answers)
    }

    /// Whether the site of a line may have been off at `at`.
    pub(super) fn closed(&self, graph: &Graph, line: usize, at: i64) -> bool {
        self.hours(graph, graph.lines[line].site).is_some_and(|hours| is_closed(hours, at))
    }

    /// Whether a line is off, or silent as one that is.
    pub(super) fn perhaps_off(&self, graph: &Graph, line: usize) -> bool {
        if matches!(self.lines[line], Shows::Off(_)) {
            return true;
        }
        let silence = self.silence(graph, line, self.ok[graph.lines[line].node]);
        silence.began.is_some_and(|began| self.excused(graph, line, began))
    }

    /// Whether a line that is off since `since` should be back by now.
    pub(super) fn missed(&self, graph: &Graph, line: usize, since: i64) -> bool {
        let hours = self.hours(graph, graph.lines[line].site);
        // A record that lets it rest no more misses it at once.
        hours.is_none_or(|hours| expected(hours, since).is_some_and(|opening| self.now >= opening + BACK_BY))
    }

    /// From when a line that went off at `since`, and is missed, should have been back.
    fn expected_since(&self, graph: &Graph, line: usize, since: i64) -> i64 {
        let hours = self.hours(graph, graph.lines[line].site);
        hours.and_then(|hours| expected(hours, since)).map_or(since, |opening| opening.max(since))
    }

    /// Since when a silent agent is missed: see [`Detector::missed_at`].
    pub(super) fn agent_missed(&self, graph: &Graph, site: usize, began: i64) -> Option<i64> {
        self.missed_at(graph, site, began, self.ok[graph.sites[site].agent])
    }

    /// Since when something at a site is missed that is silent since `began` and was last heard at `heard`: with its
    /// office it may be off, and then it is for now not missed.
    pub fn missed_at(&self, graph: &Graph, site: usize, began: i64, heard: i64) -> Option<i64> {
        let Some(hours) = self.hours(graph, site).filter(|hours| is_rest(hours, began, heard)) else {
            return Some(began);
        };
        let opening = expected(hours, began)?;
        (self.now >= opening + BACK_BY).then_some(opening.max(began))
    }

    /// Judges silent lines that are or may be off: they go off, or are missed, each by itself. What stands beneath
    /// a live wider root is its.
    pub(super) fn judge_resting(&mut self, graph: &Graph, lines: &[usize]) -> Vec<Change> {
        let mut changes = Vec::new();
        for line in lines.iter().copied() {
            let Some(silent) = self.ready(graph, line) else { continue };
            let (is_off, began) = match self.lines[line] {
                Shows::Off(since) if !self.missed(graph, line, since) => continue,
                Shows::Off(since) => (true, self.expected_since(graph, line, since)),
                _ => (false, silent),
            };
            let above = self.faults.iter().find(|(_, fault)| fault.shared && beneath(graph, &fault.at, line));
            if let Some((id, is_silent)) = above.map(|(id, fault)| (*id, fault.cleared.is_none())) {
                if is_silent {
                    self.join(id, Ready { line, began });
                    changes.push(Change::Revised(id));
                }
                continue;
            }
            if !self.waited(began) {
                continue;
            }
            if is_off {
                changes.extend(self.judge_site(graph, Ready { line, began }));
            } else {
                self.switch_off(graph, line, began);
            }
        }
        changes
    }

    /// A line goes off, with those of its site that went just before it.
    fn switch_off(&mut self, graph: &Graph, line: usize, since: i64) {
        let mut lines = vec![(line, since)];
        for other in &graph.sites[graph.lines[line].site].lines {
            if let Shows::Silent(began) = self.lines[*other]
                && (0..=SHUT_DOWN).contains(&(since - began))
                && self.closed(graph, *other, began)
                && !self.in_wide_fault(*other)
            {
                lines.push((*other, began));
            }
        }
        for (line, since) in lines {
            self.faults.values_mut().for_each(|fault| fault.lines.retain(|member| *member != line));
            self.lines[line] = Shows::Off(since);
            // Only answers from now on count as its return.
            graph.lines[line].streams.iter().for_each(|number| self.streams[*number].interrupt());
        }
    }

    /// Looks, in the middle of a night, at which sites are off.
    pub(super) fn learn_nights(&mut self, graph: &Graph) {
        if self.now.div_euclid(LOOK) == self.looked.div_euclid(LOOK) {
            return;
        }
        self.looked = self.now;
        for (number, site) in graph.sites.iter().enumerate() {
            let Some(hours) = site.hours.as_ref().filter(|_| site.off == OffOutsideHours::Learn) else {
                continue;
            };
            let Some(middle) = night(hours, self.now) else { continue };
            if self.now < middle || self.habits[number].night == middle {
                continue;
            }
            if let Some(off) = self.is_off(site, hours, graph) {
                self.habits[number].note(middle, off);
            }
        }
    }

    /// Whether a site is off now; `None` when that cannot be told.
    fn is_off(&self, site: &SiteRoute, hours: &Hours, graph: &Graph) -> Option<bool> {
        let mut off = None;
        for line in &site.lines {
            match self.lines[*line] {
                Shows::Alive => {
                    let heard = self.now - self.ok[graph.lines[*line].node] <= STALE;
                    return heard.then_some(false);
                }
                Shows::Off(_) => off = Some(true),
                Shows::Silent(began) if is_closed(hours, began) && !self.in_wide_fault(*line) => {
                    off = Some(true);
                }
                Shows::Silent(_) | Shows::Unknown => {}
            }
        }
        off
    }

    fn in_wide_fault(&self, line: usize) -> bool {
        self.faults.values().any(|fault| fault.shared && fault.lines.contains(&line))
    }

    /// The hours of a site that may be off outside them.
    fn hours<'a>(&self, graph: &'a Graph, site: usize) -> Option<&'a Hours> {
        let route = &graph.sites[site];
        let may = match route.off {
            OffOutsideHours::Yes => true,
            OffOutsideHours::No => false,
            OffOutsideHours::Learn => self.habits.get(site).is_some_and(Habit::is_off_at_night),
        };
        route.hours.as_ref().filter(|_| may)
    }
}

/// Whether an office may be off at `at`: it is closed, or people are about to leave.
fn is_closed(hours: &Hours, at: i64) -> bool {
    !hours.open_at(at) || hours.next_closing(at).is_some_and(|closing| closing - at <= LEAVE_EARLY)
}

/// Whether a silence since `began`, of what was last heard at `heard`, may be an office's rest.
fn is_rest(hours: &Hours, began: i64, heard: i64) -> bool {
    is_closed(hours, began) || hours.opening(began).is_some_and(|opening| heard < opening)
}

/// From when an office that went off at `since` should be back; `None` if it never opens.
fn expected(hours: &Hours, since: i64) -> Option<i64> {
    if is_closed(hours, since) { hours.next_opening(since) } else { hours.opening(since) }
}

/// Middle of the night that `at` lies in.
fn night(hours: &Hours, at: i64) -> Option<i64> {
    let (closing, opening) = (hours.closing(at)?, hours.next_opening(at)?);
    let is_night = !hours.open_at(at) && opening - closing >= NIGHT;
    is_night.then_some(closing + (opening - closing) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_of_the_last_nights_make_a_habit_and_break_it() {
        let mut habit = Habit::default();
        for night in 0..3 {
            habit.note(night, true);
            assert!(!habit.is_off_at_night(), "three nights are not most of seven");
        }
        habit.note(3, true);
        assert!(habit.is_off_at_night());
        for night in 4..7 {
            habit.note(night, false);
            assert!(habit.is_off_at_night());
        }
        habit.note(7, false);
        assert!(!habit.is_off_at_night());
        assert_eq!(habit.off.len(), NIGHTS);
    }
}
