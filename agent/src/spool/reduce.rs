//! What is too old to be kept run by run becomes digests, before anything has to go.
//!
//! ```text
//!   oldest                                                       newest
//!   [ 0 … 255 ][ 256 …            raw                     ][ 9000 ]
//!        └── runs of a check ─▶ one row · events and digests as they are ──▶ 9001: replaces 0-255, sealed as any other
//!                                                                              │ synced
//!                                              the cursor passes 255, their space is given back
//! ```
//!
//! # What it promises
//!
//! - **Nothing between is lost.** The records go once what they were reduced to is durable. A crash between the two
//!   leaves the reduction as the last record: the next start reads in it what it stands for. Until the cursor says
//!   the same nothing else is numbered.
//! - **What is under way is left alone**, and all after it: a batch is not brought and reduced at once.
//! - **It is counted**: batches reduced, and rows and events older than [`Keep::digests`], which are left out. The
//!   reduction tells how many batches it stands for as an event `spool-reduced`.
//! - A clock that was wrong makes nothing old: of another boot than this one only synchronised clocks are
//!   believed, else it is as old as this boot.
//!
//! A spool three quarters full reduces its older half without regard to age, where that makes it smaller.

use super::{Sealed, Spool, SpoolError};
use haidang_journal::{Disk, Journal};
use haidang_probe::batch::{Batch, Envelope};
use haidang_probe::check::CheckId;
use haidang_probe::digest::CheckDigest;
use haidang_probe::event::{Event, EventKind, Field};
use haidang_probe::moment::{BootId, ClockMap, Moment};
use haidang_probe::outcome::Outcome;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Batches reduced at once.
const CHUNK: u64 = 256;
/// Fewer are not worth it, where room is short.
const LEAST: u64 = 16;
/// Runs held in memory meanwhile.
const RUNS: usize = 16_384;
/// Pause after a reduction that would have made nothing smaller.
const FRUITLESS: Duration = Duration::from_secs(600);
/// Rows and events of a reduction, but for those of its first batch.
const ROWS: usize = 8_192;

/// How long what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Runs one by one.
    pub raw: Duration,
    /// Digests and events.
    pub digests: Duration,
}

/// How far a reduction has come.
#[derive(Debug, Default)]
pub(super) struct Reducing {
    /// Numbers that the envelope which is being written stands for.
    replacing: Option<(u64, u64)>,
    /// The cursor does not know of the last one yet.
    unstored: bool,
    /// No record is old enough before this, by the monotonic clock of that boot.
    until: Option<Moment>,
    /// Nothing would become smaller: not tried again before this.
    fruitless: Option<Moment>,
    /// Numbers under way to the collector.
    lent: BTreeSet<u64>,
    /// Batches reduced.
    pub(super) reduced: u64,
    /// Rows and events left out.
    pub(super) expired: u64,
}

impl Reducing {
    pub(super) fn is_unstored(&self) -> bool {
        self.unstored
    }

    /// Whether what stands for this number waits for the disk: it is not brought meanwhile.
    pub(super) fn replaces(&self, seq: u64) -> bool {
        self.replacing.is_some_and(|(first, last)| (first..=last).contains(&seq))
    }

    pub(super) fn stored(&mut self) {
        self.unstored = false;
    }
}

/// Now, and what is old by it.
#[derive(Clone, Copy)]
struct Ages {
    now: Moment,
    map: ClockMap,
    keep: Keep,
}

impl Ages {
    /// How old something of a batch with these clocks is, at least.
    fn of(&self, at: Moment, clocks: &[ClockMap]) -> Duration {
        let known = |map: &&ClockMap| map.bound_ns != u64::MAX;
        let ns = if at.boot == self.now.boot {
            self.now.mono_ns.saturating_sub(at.mono_ns)
        } else {
            let then = clocks.iter().find(|map| map.boot == at.boot).filter(known);
            let apart = then.filter(|_| known(&&self.map)).map(|then| {
                let ms = self.map.utc_ms(self.now.mono_ns).saturating_sub(then.utc_ms(at.mono_ns));
                u64::try_from(ms).unwrap_or(0).saturating_mul(1_000_000)
            });
            // It ended before this boot began.
            self.now.mono_ns.max(apart.unwrap_or(0))
        };
        Duration::from_nanos(ns)
    }

    fn is_before(&self, until: Moment) -> bool {
        until.boot == self.now.boot && self.now.mono_ns < until.mono_ns
    }

    fn after(&self, span: Duration) -> Moment {
        Moment { mono_ns: self.now.mono_ns.saturating_add(span.as_nanos() as u64), ..self.now }
    }

    /// How old the newest thing of a batch is.
    fn of_batch(&self, batch: &Batch) -> Duration {
        let outcomes = batch.outcomes.iter().map(|outcome| outcome.sent);
        let events = batch.events.iter().map(|event| event.at);
        let seen = outcomes.chain(events).chain(batch.lines.iter().map(|line| line.from));
        seen.map(|at| self.of(at, &batch.clocks)).min().unwrap_or(Duration::MAX)
    }
}

impl<D: Disk + Clone> Spool<D> {
    /// Reduces the oldest batches to one, if they are old enough or room is short. `map` relates `now` to UTC. Gives
    /// what was sealed; call it again then.
    ///
    /// # Errors
    /// As [`Spool::seal`]; nothing has gone then.
    pub fn reduce(&mut self, now: Moment, map: ClockMap, keep: Keep) -> Result<Option<Sealed>, SpoolError> {
        self.settle()?;
        let ages = Ages { now, map, keep };
        if self.reducing.fruitless.is_some_and(|until| ages.is_before(until)) {
            return Ok(None);
        }
        let most = if self.is_short() { (self.unacked.len() / 2).min(CHUNK) } else { CHUNK };
        if !self.is_short() && !self.holds_old(&ages)? {
            return Ok(None);
        }
        let mut reduction = Reduction::default();
        self.gather(&mut reduction, most, &ages)?;
        let Some((first, last)) = reduction.replaces else { return Ok(None) };
        let (octets, expired) = (reduction.octets, reduction.expired);
        let encoded = self.encode(&reduction.batch(now, map));
        let sealed = match encoded {
            Ok(sealed) if sealed.len() <= octets / 4 * 3 => sealed,
            other => {
                self.reducing.fruitless = Some(ages.after(FRUITLESS));
                return other.map(|_| None);
            }
        };
        self.reducing.expired += expired;
        self.reducing.replacing = Some((first, last));
        let sealed = self.number(sealed);
        if let Err(error) = self.settle() {
            tracing::warn!(seq = sealed.seq, %error, "a reduction waits for the disk");
        }
        Ok(Some(sealed))
    }

    /// A batch is on its way to the collector.
    pub fn lend(&mut self, seq: u64) {
        self.reducing.lent.insert(seq);
    }

    /// It no longer is, whatever became of it.
    pub fn returned(&mut self, seq: u64) {
        self.reducing.lent.remove(&seq);
    }

    /// None is.
    pub fn all_returned(&mut self) {
        self.reducing.lent.clear();
    }

    fn is_short(&self) -> bool {
        let bytes = self.journal.as_ref().map_or(0, Journal::bytes);
        bytes > self.settings.max_bytes / 4 * 3 && self.unacked.len() >= LEAST
    }

    /// Whether a chunk of batches is older than records are kept. One is read, and no more until it may be.
    fn holds_old(&mut self, ages: &Ages) -> Result<bool, SpoolError> {
        if self.reducing.until.is_some_and(|until| ages.is_before(until)) {
            return Ok(false);
        }
        let Some(seq) = self.unacked.nth(CHUNK - 1) else { return Ok(false) };
        let Some(sealed) = self.read(seq)? else { return Ok(false) };
        let age = ages.of_batch(&Envelope::decode(&sealed.bytes)?.open()?);
        let left = ages.keep.raw.saturating_sub(age);
        self.reducing.until = (!left.is_zero()).then(|| ages.after(left));
        Ok(left.is_zero())
    }

    fn gather(&mut self, reduction: &mut Reduction, most: u64, ages: &Ages) -> Result<(), SpoolError> {
        let (mut from, short) = (0, self.is_short());
        while let Some(seq) = self.unacked.next(from) {
            if reduction.batches == most || self.reducing.lent.contains(&seq) || !self.durable(seq) {
                return Ok(());
            }
            from = seq + 1;
            let Some(sealed) = self.read(seq)? else { continue };
            let batch = Envelope::decode(&sealed.bytes)?.open()?;
            let old = short || ages.of_batch(&batch) >= ages.keep.raw;
            if !old || !reduction.has_room(&batch) {
                return Ok(());
            }
            reduction.octets += sealed.bytes.len();
            reduction.take(seq, batch, ages);
        }
        Ok(())
    }

    /// What was just written may stand for others: they are no longer sent.
    pub(super) fn replaced(&mut self) {
        let Some((first, last)) = self.reducing.replacing.take() else { return };
        let batches = self.unacked.remove(first, last);
        self.reducing.reduced += batches;
        self.reducing.unstored = true;
        tracing::info!(batches, first, last, "old batches reduced to digests");
    }

    /// At a start: the last record may stand for others of which the cursor does not know.
    pub(super) fn recover(&mut self, last: &Sealed) {
        let opened = Envelope::decode(&last.bytes).and_then(|envelope| envelope.open());
        let Some((first, until)) = opened.ok().and_then(|batch| batch.replaces) else { return };
        self.reducing.unstored = self.unacked.remove(first, until) > 0;
    }
}

/// Batches on their way to be one.
#[derive(Default)]
struct Reduction {
    replaces: Option<(u64, u64)>,
    batches: u64,
    octets: usize,
    clocks: BTreeMap<BootId, ClockMap>,
    /// Apart from others those that tell nothing of the target: unknown is not down.
    runs: BTreeMap<(BootId, CheckId, bool), Vec<Outcome>>,
    held: usize,
    kept: Batch,
    expired: u64,
}

impl Reduction {
    fn has_room(&self, batch: &Batch) -> bool {
        let kept = |batch: &Batch| batch.events.len() + batch.lines.len() + batch.checks.len();
        self.batches == 0
            || self.held + batch.outcomes.len() <= RUNS && kept(&self.kept) + kept(batch) <= ROWS
    }

    fn take(&mut self, seq: u64, batch: Batch, ages: &Ages) {
        // What an earlier reduction stands for, this one does now.
        let from = batch.replaces.map_or(seq, |(first, _)| first.min(seq));
        self.replaces = Some((self.replaces.map_or(from, |(first, _)| first.min(from)), seq));
        self.batches += 1;
        self.held += batch.outcomes.len();
        let Batch { clocks, outcomes, events, lines, checks, plan_digest, .. } = batch;
        let young = |at: Moment| ages.of(at, &clocks) < ages.keep.digests;
        let before = events.len() + lines.len() + checks.len();
        let already = self.kept.events.len() + self.kept.lines.len() + self.kept.checks.len();
        self.kept.events.extend(events.into_iter().filter(|event| young(event.at)));
        self.kept.lines.extend(lines.into_iter().filter(|line| young(line.from)));
        self.kept.checks.extend(checks.into_iter().filter(|digest| young(digest.from)));
        let after = self.kept.events.len() + self.kept.lines.len() + self.kept.checks.len();
        self.expired += (already + before - after) as u64;
        for outcome in outcomes {
            let tells = outcome.result.as_ref().err().is_none_or(|failure| failure.tells_of_target());
            let runs = self.runs.entry((outcome.sent.boot, outcome.check, tells)).or_default();
            runs.push(Outcome { samples: Vec::new(), ..outcome });
        }
        self.clocks.extend(clocks.into_iter().map(|map| (map.boot, map)));
        self.kept.plan_digest = plan_digest;
    }

    fn batch(mut self, now: Moment, map: ClockMap) -> Batch {
        for runs in self.runs.values_mut() {
            runs.sort_by_key(|run| run.sent.mono_ns);
            self.kept.checks.extend(CheckDigest::of(&runs.iter().collect::<Vec<_>>()));
        }
        let told = Event::new(now, EventKind::SpoolReduced, "");
        self.kept.events.push(told.with(Field::Count, self.batches.to_string()));
        self.clocks.insert(map.boot, map);
        let spoken = self.kept.events.iter().map(|event| event.at.boot);
        let spoken = spoken.chain(self.kept.lines.iter().map(|line| line.from.boot));
        let spoken: BTreeSet<BootId> =
            spoken.chain(self.kept.checks.iter().map(|digest| digest.from.boot)).collect();
        let clocks = self.clocks.into_values().filter(|map| spoken.contains(&map.boot));
        Batch { clocks: clocks.collect(), replaces: self.replaces, backlog: true, ..self.kept }
    }
}

#[cfg(test)]
mod tests;
