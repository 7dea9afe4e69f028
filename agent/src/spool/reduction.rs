//! Batches on their way to be one.
//!
//! ```text
//!   runs, by boot, check and whether they tell of the target ──▶ a row each ─┐
//!   rows of earlier reductions ──────────────────────────────────────────────┴─▶ those that follow each other are one
//!   events, digests of lines, clocks of each boot ──▶ as they are                up to SPAN
//! ```

use super::reduce::Ages;
use haidang_probe::batch::Batch;
use haidang_probe::check::CheckId;
use haidang_probe::digest::CheckDigest;
use haidang_probe::event::{Event, EventKind, Field};
use haidang_probe::moment::{BootId, ClockMap, Moment};
use haidang_probe::outcome::Outcome;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Runs held in memory, but for those of the first batch.
const RUNS: usize = 16_384;
/// Rows and events of a reduction, but for those of its first batch.
const ROWS: usize = 8_191;
/// Longest time one row tells of.
const SPAN: Duration = Duration::from_secs(6 * 3_600);

/// What a reduction stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// The first number, of any reduction before it.
    pub(super) first: u64,
    /// The last number.
    pub(super) last: u64,
    /// Batches it is made of.
    pub(super) batches: u64,
    /// Those of them that are no reductions.
    pub(super) raw: u64,
    /// Their octets.
    pub(super) octets: usize,
    /// Values beside runs, left out.
    pub(super) samples: u64,
    /// Rows and events left out for their age.
    pub(super) expired: u64,
}

/// Batches on their way to be one.
#[derive(Default)]
pub(super) struct Reduction {
    sum: Sum,
    clocks: BTreeMap<BootId, ClockMap>,
    /// Apart from others those that tell nothing of the target: unknown is not down.
    runs: BTreeMap<(BootId, CheckId, bool), Vec<Outcome>>,
    held: usize,
    kept: Batch,
}

impl Reduction {
    pub(super) fn sum(&self) -> Sum {
        self.sum
    }

    /// From the first to the last number it would stand for with that batch, which may be a reduction itself.
    pub(super) fn hull(&self, seq: u64, batch: &Batch) -> (u64, u64) {
        let from = batch.replaces.map_or(seq, |(first, _)| first.min(seq));
        (if self.sum.batches == 0 { from } else { from.min(self.sum.first) }, seq)
    }

    pub(super) fn has_room(&self, batch: &Batch) -> bool {
        self.sum.batches == 0
            || self.held + batch.outcomes.len() <= RUNS && records(&self.kept) + records(batch) <= ROWS
    }

    pub(super) fn take(&mut self, (seq, octets): (u64, usize), batch: Batch, ages: &Ages) {
        (self.sum.first, self.sum.last) = self.hull(seq, &batch);
        self.sum.batches += 1;
        self.sum.raw += u64::from(batch.replaces.is_none());
        self.sum.octets += octets;
        self.held += batch.outcomes.len();
        let (already, came) = (records(&self.kept), records(&batch));
        let Batch { clocks, outcomes, events, lines, checks, plan_digest, .. } = batch;
        let young = |at: Moment| ages.of(at, &clocks) < ages.keep.digests;
        self.kept.events.extend(events.into_iter().filter(|event| young(event.at)));
        self.kept.lines.extend(lines.into_iter().filter(|line| young(line.from)));
        self.kept.checks.extend(checks.into_iter().filter(|digest| young(digest.from)));
        self.sum.expired += (already + came - records(&self.kept)) as u64;
        for outcome in outcomes {
            self.sum.samples += outcome.samples.len() as u64;
            let tells = outcome.result.as_ref().err().is_none_or(|failure| failure.tells_of_target());
            let runs = self.runs.entry((outcome.sent.boot, outcome.check, tells)).or_default();
            runs.push(Outcome { samples: Vec::new(), ..outcome });
        }
        clocks.into_iter().for_each(|map| self.clock(map));
        self.kept.plan_digest = plan_digest;
    }

    /// Of a boot the map that is least wrong is kept: a clock may have run away, or been set, since.
    fn clock(&mut self, map: ClockMap) {
        let kept = self.clocks.entry(map.boot).or_insert(map);
        if map.bound_ns < kept.bound_ns {
            *kept = map;
        }
    }

    /// The batch they become at `now`, which `map` relates to UTC.
    pub(super) fn batch(mut self, now: Moment, map: ClockMap) -> Batch {
        for runs in self.runs.values_mut() {
            runs.sort_by_key(|run| run.sent.mono_ns);
            self.kept.checks.extend(CheckDigest::of(&runs.iter().collect::<Vec<_>>()));
        }
        self.kept.checks = merged(self.kept.checks);
        if self.sum.raw > 0 {
            let told = Event::new(now, EventKind::SpoolReduced, "");
            let told = told.with(Field::Count, self.sum.raw.to_string());
            self.kept.events.push(told.with(Field::Samples, self.sum.samples.to_string()));
            self.clocks.entry(map.boot).or_insert(map);
        }
        let spoken = self.kept.events.iter().map(|event| event.at.boot);
        let spoken = spoken.chain(self.kept.lines.iter().map(|line| line.from.boot));
        let spoken: BTreeSet<BootId> =
            spoken.chain(self.kept.checks.iter().map(|digest| digest.from.boot)).collect();
        let clocks = self.clocks.into_values().filter(|map| spoken.contains(&map.boot));
        let replaces = Some((self.sum.first, self.sum.last));
        Batch { clocks: clocks.collect(), replaces, backlog: true, ..self.kept }
    }
}

/// What of a batch stays as it is.
fn records(batch: &Batch) -> usize {
    batch.events.len() + batch.lines.len() + batch.checks.len()
}

/// Rows of one check and boot that follow each other, as one.
fn merged(mut rows: Vec<CheckDigest>) -> Vec<CheckDigest> {
    let kind = |row: &CheckDigest| (row.from.boot, row.check, row.success().is_some());
    rows.sort_by_key(|row| (kind(row), row.from.mono_ns));
    let mut merged: Vec<CheckDigest> = Vec::with_capacity(rows.len());
    for row in rows {
        match merged.last_mut() {
            Some(before) if kind(before) == kind(&row) && before.with(&row).lasted <= SPAN => {
                *before = before.with(&row);
            }
            _ => merged.push(row),
        }
    }
    merged
}
