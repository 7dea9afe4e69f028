//! A real agent behind a line that is held for a while, killed -9 meanwhile: what arrived of what it saw.
//!
//! ```text
//!            flows      │           held            │        flows
//!   agent ──────────────┼──────── kill -9 ┄┄┄ start ┼──────────────────
//!                                  │                │
//!              asked ≥ numbered: a run that was not yet in a batch dies with the agent
//!                                        numbered = stored: whatever has a number arrives, once
//! ```
//!
//! Three who count independently: the targets (who was asked when), the agent's spool (what was numbered) and
//! the collector's evidence (what was stored). All read the same monotonic clock.

pub mod peer;

use crate::evidence::{self, Kept, Run};
use crate::gateway;
use crate::proxy::Proxy;
use crate::stage::{Stage, wait};
use crate::targets::Targets;
use anyhow::{Context, bail};
use haidang_daemon::clock::Clock;
use haidang_probe::moment::Moment;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::thread::sleep;
use std::time::Duration;

/// Targets, each asked once a second.
const TARGETS: usize = 50;
const EVERY: &str = "1s";
/// How long connections of a killed agent may still reach the listeners.
const ECHO: Duration = Duration::from_secs(1);
/// Seconds anything may take beyond the gap before it counts as never.
const PATIENCE: u32 = 180;

/// The instants that divide a rehearsal.
#[derive(Clone, Debug)]
struct Instants {
    held: Moment,
    /// Another life of the agent begins.
    restarted: Vec<Moment>,
    released: Moment,
}

/// What three counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Runs that reached a target before the last kill.
    pub asked_before: u64,
    /// Those of them that got a number before it.
    pub numbered_before: u64,
    /// Batches numbered, and stored with repeats.
    pub batches: (u64, u64),
    /// Outcomes numbered, and stored with repeats.
    pub outcomes: (u64, u64),
    /// The same of runs begun while the line was held.
    pub of_gap: (u64, u64),
    /// Runs of the gap that are stored of the check that has the fewest.
    pub least_of_gap: u64,
    /// Boots the runs of the gap are stamped with.
    pub boots_of_gap: u64,
    /// Runs of the gap that came in batches marked as backlog.
    pub backlog_of_gap: u64,
    /// Numbered and never stored, or stored with other octets.
    pub missing: u64,
    /// Stored more than once.
    pub twice: u64,
    /// Runs whose outcome lacks though a later one of the same check and life was numbered.
    pub holes: u64,
}

impl Counts {
    /// Whether every sample of the gap arrived and none twice.
    pub fn whole(&self) -> bool {
        let equal = |(one, other): (u64, u64)| one == other && one > 0;
        equal(self.batches)
            && equal(self.outcomes)
            && equal(self.of_gap)
            && (self.missing, self.twice, self.holes) == (0, 0, 0)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("outcomes numbered by the agent, all", self.outcomes.0),
            ("outcomes stored by the collector, all", self.outcomes.1),
            ("outcomes numbered, of runs begun in the gap", self.of_gap.0),
            ("outcomes stored, of runs begun in the gap", self.of_gap.1),
            ("of these as backlog", self.backlog_of_gap),
            ("of these of the check with the fewest", self.least_of_gap),
            ("batches numbered", self.batches.0),
            ("batches stored", self.batches.1),
            ("outcomes missing", self.missing),
            ("outcomes stored twice", self.twice),
            ("runs missing between two numbered ones", self.holes),
            ("runs that reached a target before the last kill -9", self.asked_before),
            ("of these numbered before the last kill -9", self.numbered_before),
        ];
        writeln!(f, "| what | count |\n|---|--:|")?;
        rows.iter().try_for_each(|(what, count)| writeln!(f, "| {what} | {count} |"))
    }
}

/// Rehearses a gap of `seconds` on stage `number`, with so many kills -9 spread evenly over it, and counts.
///
/// # Errors
/// When a program fails, or something that must happen never does.
pub fn rehearse(number: u8, seconds: u64, kills: u32) -> anyhow::Result<Counts> {
    let clock = Clock::machine()?;
    let targets = Targets::start(TARGETS, &clock)?;
    let mut stage = gateway::stage(number, &targets, EVERY)?;
    let proxy = Proxy::start(stage.agents_port(), stage.stamp_port())?;
    stage.change_plan(|plan| {
        for uplink in &mut plan.uplinks {
            uplink.collector = format!("http://{}", proxy.batches);
            uplink.stamp = proxy.stamp;
        }
    })?;
    stage.start_collector()?;
    stage.start_agent()?;
    wait("each target to be asked twice", PATIENCE, || Ok(asked_since(&targets, None).then_some(())))?;
    wait("the first acknowledgement", PATIENCE, || {
        Ok((evidence::acknowledged(&stage.agent_folder())? > 0).then_some(()))
    })?;
    proxy.hold();
    let held = clock.moment();
    let part = Duration::from_secs(seconds) / (kills + 1);
    let (mut restarted, mut before) = (Vec::new(), Vec::new());
    for _ in 0..kills {
        sleep(part);
        stage.kill_agent()?;
        sleep(ECHO);
        restarted.push(clock.moment());
        before = evidence::numbered(&stage.agent_folder())?;
        stage.start_agent()?;
    }
    sleep(part);
    let released = clock.moment();
    proxy.release();
    let end = drained(&stage, &targets, released)?;
    count(&stage, &targets, &before, &Instants { held, restarted, released }, end)
}

/// Waits until the agent knows everything up to a batch after the gap to be kept; the number behind that batch.
fn drained(stage: &Stage, targets: &Targets, released: Moment) -> anyhow::Result<u64> {
    wait("each target to be asked twice after the gap", PATIENCE, || {
        Ok(asked_since(targets, Some(released)).then_some(()))
    })?;
    let end = evidence::numbered(&stage.agent_folder())?.len() as u64;
    wait("the backlog to be acknowledged", PATIENCE, || {
        Ok((evidence::acknowledged(&stage.agent_folder())? >= end).then_some(()))
    })?;
    Ok(end)
}

fn asked_since(targets: &Targets, since: Option<Moment>) -> bool {
    let late = |at: &&Moment| since.is_none_or(|since| at.mono_ns > since.mono_ns);
    targets.asked().iter().all(|asked| asked.iter().filter(late).count() >= 2)
}

fn count(
    stage: &Stage,
    targets: &Targets,
    before: &[Kept],
    instants: &Instants,
    end: u64,
) -> anyhow::Result<Counts> {
    let numbered: Vec<Kept> =
        evidence::numbered(&stage.agent_folder())?.into_iter().filter(|batch| batch.seq < end).collect();
    let stored: Vec<Kept> = evidence::stored(&stage.collector_folder(), gateway::SITE)?
        .into_iter()
        .filter(|batch| batch.seq < end)
        .collect();
    if !numbered.starts_with(before) {
        bail!("the spool holds other batches after the kill -9 than at it");
    }
    let in_gap =
        |(_, sent): &&Run| (instants.held.mono_ns..instants.released.mono_ns).contains(&sent.mono_ns);
    let (told, kept) = (evidence::runs(&numbered)?, evidence::runs(&stored)?);
    let octets: BTreeMap<u64, &[u8]> = stored.iter().map(|batch| (batch.seq, &batch.octets[..])).collect();
    let lost: Vec<&Kept> =
        numbered.iter().filter(|batch| octets.get(&batch.seq) != Some(&&batch.octets[..])).collect();
    let once: BTreeSet<&Run> = kept.iter().collect();
    let asked = targets.asked();
    let gap: Vec<&Run> = kept.iter().filter(in_gap).collect();
    let mut late = Vec::new();
    for batch in &stored {
        if batch.is_backlog()? {
            late.push(batch);
        }
    }
    let late = evidence::runs(late)?;
    let of_check = |target| gap.iter().filter(|(check, _)| *check == Targets::check(target)).count() as u64;
    let last = instants.restarted.last().map_or(0, |at| at.mono_ns);
    let early = |at: &&Moment| at.mono_ns < last;
    Ok(Counts {
        asked_before: asked.iter().flatten().filter(early).count() as u64,
        numbered_before: evidence::runs(before)?.len() as u64,
        batches: (numbered.len() as u64, stored.len() as u64),
        outcomes: (told.len() as u64, kept.len() as u64),
        of_gap: (told.iter().filter(in_gap).count() as u64, kept.iter().filter(in_gap).count() as u64),
        least_of_gap: (0..TARGETS).map(of_check).min().unwrap_or(0),
        boots_of_gap: gap.iter().map(|(_, sent)| sent.boot).collect::<BTreeSet<_>>().len() as u64,
        backlog_of_gap: late.iter().filter(in_gap).count() as u64,
        missing: evidence::runs(lost)?.len() as u64,
        twice: (kept.len() - once.len()) as u64,
        holes: holes(&asked, &told, &instants.restarted)?,
    })
}

/// Runs that reached their target but have no outcome, though a later run of the same life has one.
///
/// In each life the n-th outcome of a check must belong to the n-th time its target was asked, so it was sent
/// before that; after a hole, outcomes are sent later than the asking they are compared with.
fn holes(asked: &[Vec<Moment>], told: &[Run], restarted: &[Moment]) -> anyhow::Result<u64> {
    let mut holes = 0;
    for (target, asked) in asked.iter().enumerate() {
        let mut sent: Vec<u64> = told
            .iter()
            .filter(|(check, _)| *check == Targets::check(target))
            .map(|(_, sent)| sent.mono_ns)
            .collect();
        sent.sort_unstable();
        let first = sent.first().with_context(|| format!("target {target} has no outcome"))?;
        if asked.first().is_none_or(|asked| asked.mono_ns < *first) {
            holes += 1;
        }
        for life in 0..=restarted.len() {
            let of_life = |ns: &u64| restarted.iter().filter(|at| *ns >= at.mono_ns).count() == life;
            let asked = asked.iter().map(|at| at.mono_ns).filter(of_life);
            let sent: Vec<u64> = sent.iter().copied().filter(of_life).collect();
            let asked: Vec<u64> = asked.collect();
            let late = sent.iter().zip(&asked).filter(|(sent, asked)| sent > asked).count();
            holes += (late + sent.len().saturating_sub(asked.len())) as u64;
        }
    }
    Ok(holes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_probe::moment::BootId;

    fn at(mono_ns: u64) -> Moment {
        Moment { boot: BootId([1; 16]), mono_ns }
    }

    fn told(sent: &[u64]) -> Vec<Run> {
        sent.iter().map(|ns| (Targets::check(0), at(*ns))).collect()
    }

    #[test]
    fn a_run_without_outcome_is_a_hole_unless_it_is_the_last_of_its_life() {
        let asked = [[11, 21, 31, 111, 121].map(at).to_vec()];
        let holes = |sent: &[u64]| holes(&asked, &told(sent), &[at(100)]).unwrap();
        assert_eq!(holes(&[10, 20, 30, 110, 120]), 0);
        assert_eq!(holes(&[10, 20, 110]), 0, "the ends of both lives");
        assert_eq!(holes(&[10, 30, 110, 120]), 1);
        assert_eq!(holes(&[10, 20, 30, 120]), 1);
    }

    #[test]
    fn counts_are_whole_only_without_any_loss() {
        let whole = Counts { batches: (3, 3), outcomes: (9, 9), of_gap: (4, 4), ..Counts::default() };
        assert!(whole.whole());
        for wrong in [
            Counts { missing: 1, ..whole },
            Counts { twice: 1, ..whole },
            Counts { holes: 1, ..whole },
            Counts { of_gap: (0, 0), ..whole },
            Counts { outcomes: (9, 10), ..whole },
        ] {
            assert!(!wrong.whole(), "{wrong:?}");
        }
    }
}
