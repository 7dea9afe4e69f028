//! How long a site or a commune was what, day by day or step by step, and in all.
//!
//! At each moment a commune is the worst of its sites that were recorded then; where it merged, the sites that
//! spoke for it ([`Lineage::speaking`]). `Down` and `Affected` both are down: nobody there could work. Moments of
//! which nothing is known count as unknown, so that shares always add up to their span.

use super::Turn;
use crate::{
    lineage::{Lineage, day_of},
    topology::{Id, Topology, hours::DAY_MS},
    watch::Verdict,
};
use std::collections::{BTreeMap, BTreeSet};

/// Whose availability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A site's, by any id it ever had.
    Site(Id),
    /// A commune's, by any code it ever had.
    Commune(Id),
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Whose.
    pub whose: Whose,
    /// First moment, UTC ms.
    pub from: i64,
    /// First moment no longer wanted, UTC ms.
    pub to: i64,
    /// Width of an answer, ms; a day of Vietnam where none is given.
    pub step: Option<i64>,
}

/// What was written down of the sites asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Turns by site, in order of time.
    pub turns: BTreeMap<Id, Vec<Turn>>,
    /// Spells in which nobody looked, in order of time.
    pub blind: Vec<(i64, i64)>,
    /// The last moment at which anybody looked, UTC ms.
    pub seen_to: i64,
}

/// How long it was what, between two moments; all in ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// First moment, UTC.
    pub from: i64,
    /// First moment after it, UTC.
    pub to: i64,
    /// Everything worked.
    pub up: i64,
    /// It worked, with something broken.
    pub degraded: i64,
    /// It did not work, through its own fault or another's.
    pub down: i64,
    /// Nobody can tell.
    pub unknown: i64,
    /// Switched off outside its hours.
    pub off: i64,
    /// Planned work.
    pub maintenance: i64,
}

impl Whose {
    /// The sites whose turns are needed, under all their ids. `recorded_in` finds the sites ever recorded in some
    /// communes.
    ///
    /// # Errors
    /// Those of `recorded_in`.
    pub fn sites<E>(
        &self,
        record: &Topology,
        recorded_in: impl FnOnce(&BTreeSet<Id>) -> Result<BTreeSet<Id>, E>,
    ) -> Result<BTreeSet<Id>, E> {
        let lineage = Lineage::of(record);
        match self {
            Whose::Site(site) => Ok(lineage.ids(site)),
            Whose::Commune(code) => {
                let related = lineage.related(code);
                let mut sites = recorded_in(&related)?;
                sites.extend(lineage.sites_in(&related));
                Ok(sites)
            }
        }
    }
}

/// The shares of each step, oldest first.
pub fn shares(record: &Topology, written: &Written, question: &Question) -> Vec<Share> {
    let lineage = Lineage::of(record);
    let steps = steps(question);
    let mut edges: BTreeSet<i64> = steps.iter().copied().collect();
    edges.extend(lineage.ends());
    edges.extend(written.turns.values().flatten().map(|turn| turn.from));
    edges.extend(written.blind.iter().flat_map(|(from, to)| [*from, *to]));
    edges.extend([question.from, question.to, written.seen_to]);
    let edges: Vec<i64> = edges.range(question.from..=question.to).copied().collect();
    let mut shares: Vec<Share> = Vec::with_capacity(steps.len());
    for pair in edges.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        if steps.contains(&from) {
            shares.push(Share { from, to: from, ..Share::default() });
        }
        if let Some(share) = shares.last_mut() {
            share.add(verdict(lineage, written, &question.whose, from), to - from);
        }
    }
    shares
}

/// All of them together.
pub fn total(question: &Question, shares: &[Share]) -> Share {
    let empty = Share { from: question.from, to: question.from, ..Share::default() };
    shares.iter().fold(empty, |sum, share| Share {
        from: sum.from,
        to: share.to,
        up: sum.up + share.up,
        degraded: sum.degraded + share.degraded,
        down: sum.down + share.down,
        unknown: sum.unknown + share.unknown,
        off: sum.off + share.off,
        maintenance: sum.maintenance + share.maintenance,
    })
}

/// Where steps begin.
fn steps(question: &Question) -> BTreeSet<i64> {
    let (first, width) = match question.step {
        Some(step) => (question.from, step.max(1)),
        None => (day_of(question.from), DAY_MS),
    };
    let begins = (first..question.to).step_by(usize::try_from(width).unwrap_or(usize::MAX));
    begins.map(|begin| begin.max(question.from)).collect()
}

/// What it was at `at`.
fn verdict(lineage: Lineage<'_>, written: &Written, whose: &Whose, at: i64) -> Option<Verdict> {
    let blind = written.blind.partition_point(|(from, _)| *from <= at).checked_sub(1);
    if at >= written.seen_to || blind.is_some_and(|last| at < written.blind[last].1) {
        return None;
    }
    let speaking = match whose {
        Whose::Site(_) => BTreeSet::new(),
        Whose::Commune(code) => lineage.speaking(code, at),
    };
    let of = |(site, turns): (&Id, &Vec<Turn>)| {
        let turn = &turns[turns.partition_point(|turn| turn.from <= at).checked_sub(1)?];
        let counts = match whose {
            Whose::Site(_) => true,
            Whose::Commune(_) => {
                let lay_in = lineage.place(site, turn.commune.as_deref(), at);
                lay_in.is_some_and(|code| speaking.contains(&code))
            }
        };
        turn.verdict.filter(|_| counts)
    };
    written.turns.iter().filter_map(of).max()
}

impl Share {
    fn add(&mut self, verdict: Option<Verdict>, ms: i64) {
        self.to += ms;
        *match verdict {
            Some(Verdict::Up) => &mut self.up,
            Some(Verdict::Degraded) => &mut self.degraded,
            Some(Verdict::Down | Verdict::Affected) => &mut self.down,
            Some(Verdict::OffHours) => &mut self.off,
            Some(Verdict::Maintenance) => &mut self.maintenance,
            Some(Verdict::Unknown) | None => &mut self.unknown,
        } += ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn turn(from: i64, verdict: Verdict) -> Turn {
        Turn { from, verdict: Some(verdict), commune: Some("28249".into()) }
    }

    fn written(turns: &[(&str, Vec<Turn>)]) -> Written {
        let turns = turns.iter().map(|(site, turns)| ((*site).to_owned(), turns.clone())).collect();
        Written { turns, blind: Vec::new(), seen_to: i64::MAX }
    }

    fn ask(written: &Written, whose: Whose, from: i64, to: i64) -> Share {
        let question = Question { whose, from, to, step: Some(to - from) };
        total(&question, &shares(&Topology::default(), written, &question))
    }

    #[test]
    fn shares_add_up_and_what_is_not_known_is_unknown() {
        let turns = vec![turn(HOUR, Verdict::Up), turn(3 * HOUR, Verdict::Down), turn(4 * HOUR, Verdict::Up)];
        let mut written = written(&[("a", turns)]);
        written.blind.push((5 * HOUR, 6 * HOUR));
        written.seen_to = 7 * HOUR;
        let all = ask(&written, Whose::Site("a".into()), 0, 10 * HOUR);
        assert_eq!((all.up, all.down, all.unknown), (4 * HOUR, HOUR, 5 * HOUR));
        assert_eq!(all.to - all.from, 10 * HOUR);
    }

    #[test]
    fn a_commune_is_the_worst_of_its_sites() {
        let written = written(&[
            ("a", vec![turn(0, Verdict::Up), turn(2 * HOUR, Verdict::Degraded)]),
            ("b", vec![turn(0, Verdict::Up), turn(3 * HOUR, Verdict::Affected)]),
            ("c", vec![Turn { commune: Some("28250".into()), ..turn(0, Verdict::Down) }]),
        ]);
        let all = ask(&written, Whose::Commune("28249".into()), 0, 4 * HOUR);
        assert_eq!((all.up, all.degraded, all.down), (2 * HOUR, HOUR, HOUR));
    }

    #[test]
    fn days_are_those_of_vietnam() {
        let written = written(&[("a", vec![turn(0, Verdict::Up)])]);
        let question = Question { whose: Whose::Site("a".into()), from: 0, to: 48 * HOUR, step: None };
        let all = shares(&Topology::default(), &written, &question);
        let days: Vec<i64> = all.iter().map(|day| (day.to - day.from) / HOUR).collect();
        assert_eq!(days, [17, 24, 7]);
    }
}
