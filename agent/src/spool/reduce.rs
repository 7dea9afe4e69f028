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
//! - **No run between is lost.** The records go once what they were reduced to is durable. A crash between the two
//!   leaves the reduction as the last record: the next start reads in it what it stands for. Until what is not
//!   acknowledged is stored nothing else is numbered.
//! - **No run counts twice.** What is under way, and what the collector may have though it did not say so, is left alone:
//!   a reduction ends before it and the next begins after it. Where room is short and there is nothing else, what is
//!   in doubt is reduced all the same, told in the log.
//! - **It stands for what it holds.** Between its numbers is none that was lost, refused, or is still held.
//! - **What no row keeps is counted**: values measured beside the runs (counters, jitter), and rows and events older than
//!   [`Keep::digests`]. An event `spool-reduced` tells the batches and values that were reduced.
//! - **What does not shrink stops nothing**: it is passed over, and looked at again after a pause.
//! - A clock that was wrong makes nothing old: of another boot than this one only synchronised clocks are
//!   believed, else it is as old as this boot.
//!
//! A spool three quarters full reduces its older half without regard to age, where that makes it smaller.

use super::reduction::{Reduction, Sum};
use super::standing::INTERVALS;
use super::{Sealed, Spool, SpoolError};
use bytes::Bytes;
use haidang_journal::{Disk, Journal};
use haidang_probe::batch::{Batch, Envelope};
use haidang_probe::moment::{ClockMap, Moment};
use std::time::Duration;

/// Batches reduced at once.
const CHUNK: u64 = 256;
/// Fewer are not worth it, where room is short.
const LEAST: u64 = 16;
/// Pause once all was looked at and nothing would become smaller.
const FRUITLESS: Duration = Duration::from_secs(600);

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
    /// What the envelope which is being written stands for.
    replacing: Option<Sum>,
    /// What a start would read does not know of the last one yet.
    unstored: bool,
    /// No record is old enough before this, by the monotonic clock of that boot, where so much is kept.
    until: Option<(Moment, Keep)>,
    /// Nothing would become smaller: not tried again before this.
    fruitless: Option<(Moment, Keep)>,
    /// Numbers before this would not become smaller.
    passed: u64,
    /// Room is short and only what is in doubt is left.
    doubtful: bool,
    /// Batches reduced.
    pub(super) reduced: u64,
    /// Rows and events left out.
    pub(super) expired: u64,
    /// Values measured beside runs that were reduced.
    pub(super) samples: u64,
}

impl Reducing {
    pub(super) fn is_unstored(&self) -> bool {
        self.unstored
    }

    /// Whether the envelope that is being written is a reduction.
    pub(super) fn is_pending(&self) -> bool {
        self.replacing.is_some()
    }

    /// Whether what stands for this number waits for the disk: it is not brought meanwhile.
    pub(super) fn replaces(&self, seq: u64) -> bool {
        self.replacing.is_some_and(|sum| (sum.first..=sum.last).contains(&seq))
    }

    pub(super) fn stored(&mut self) {
        self.unstored = false;
    }

    fn pass(&mut self, next: u64) {
        (self.passed, self.until) = (next, None);
    }
}

/// Now, and what is old by it.
#[derive(Clone, Copy)]
pub(super) struct Ages {
    now: Moment,
    map: ClockMap,
    pub(super) keep: Keep,
}

impl Ages {
    /// How old something of a batch with these clocks is, at least.
    pub(super) fn of(&self, at: Moment, clocks: &[ClockMap]) -> Duration {
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

    /// Whether that time has not come; told for other spans to keep it says nothing.
    fn is_before(&self, until: Option<(Moment, Keep)>) -> bool {
        until.is_some_and(|(until, keep)| {
            until.boot == self.now.boot && self.now.mono_ns < until.mono_ns && keep == self.keep
        })
    }

    fn after(&self, span: Duration) -> (Moment, Keep) {
        let mono_ns = self.now.mono_ns.saturating_add(span.as_nanos() as u64);
        (Moment { mono_ns, ..self.now }, self.keep)
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
        if ages.is_before(self.reducing.fruitless)
            || self.unacked.intervals() + self.gone.intervals() >= INTERVALS
        {
            return Ok(None);
        }
        let short = self.is_short()?;
        self.reducing.doubtful &= short;
        let begins = short || self.holds_old(&ages)?;
        let chunk = if begins { self.chunk(short, &ages) } else { Ok(None) };
        let Some((sum, octets)) = chunk? else {
            if begins || self.reducing.passed > 0 {
                self.reducing.pass(0);
                (self.reducing.doubtful, self.reducing.fruitless) = (false, Some(ages.after(FRUITLESS)));
            }
            return Ok(None);
        };
        if octets.len() > sum.octets / 4 * 3 {
            self.reducing.pass(sum.last + 1);
            return Ok(None);
        }
        if self.doubt.of_any(sum.first, sum.last) {
            tracing::warn!(batches = sum.batches, "reduced for want of room, though perhaps already brought");
        }
        self.reducing.replacing = Some(sum);
        let sealed = self.number(octets);
        if let Err(error) = self.settle() {
            tracing::warn!(seq = sealed.seq, %error, "a reduction waits for the disk");
        }
        Ok(Some(sealed))
    }

    fn is_short(&mut self) -> Result<bool, SpoolError> {
        let most = self.settings.max_bytes / 4 * 3;
        let short = |spool: &Self| spool.journal.as_ref().map_or(0, Journal::bytes) > most;
        if self.unacked.len() < LEAST || !short(self) {
            return Ok(false);
        }
        // What was acknowledged may still lie there.
        self.persist()?;
        Ok(short(self))
    }

    /// Whether a chunk of batches is older than records are kept. One is read, and no more until it may be.
    fn holds_old(&mut self, ages: &Ages) -> Result<bool, SpoolError> {
        if ages.is_before(self.reducing.until) {
            return Ok(false);
        }
        let passed = self.reducing.passed.checked_sub(1).map_or(0, |last| self.unacked.count(0, last));
        let Some(seq) = self.unacked.nth(passed + CHUNK - 1) else { return Ok(false) };
        let Some(sealed) = self.read(seq)? else { return Ok(false) };
        let age = ages.of_batch(&Envelope::decode(&sealed.bytes)?.open()?);
        let left = ages.keep.raw.saturating_sub(age);
        self.reducing.until = (!left.is_zero()).then(|| ages.after(left));
        Ok(left.is_zero())
    }

    /// The oldest batches that may be one, and the envelope they would be; fewer where it would be beyond a limit.
    fn chunk(&mut self, short: bool, ages: &Ages) -> Result<Option<(Sum, Bytes)>, SpoolError> {
        let mut most = CHUNK;
        loop {
            let mut found = self.gather(most, short, ages)?;
            if found.is_none() && short && !self.reducing.doubtful {
                self.reducing.pass(0);
                self.reducing.doubtful = true;
                found = self.gather(most, short, ages)?;
            }
            let Some(reduction) = found else { return Ok(None) };
            let sum = reduction.sum();
            match self.encode(&reduction.batch(ages.now, ages.map)) {
                Ok(octets) => return Ok(Some((sum, octets))),
                Err(SpoolError::Batch(refusal)) if sum.batches > 1 => {
                    tracing::debug!(%refusal, batches = sum.batches, "fewer batches are reduced at once");
                    most = sum.batches / 2;
                }
                Err(error) => {
                    self.reducing.pass(sum.last + 1);
                    return Err(error);
                }
            }
        }
    }

    /// The first run of batches, after those passed over, that may be one.
    fn gather(&mut self, most: u64, short: bool, ages: &Ages) -> Result<Option<Reduction>, SpoolError> {
        let half = self.unacked.nth(self.unacked.len() / 2).filter(|_| short);
        let (mut from, mut reduction) = (self.reducing.passed, Reduction::default());
        while let Some(seq) = self.unacked.next(from).filter(|seq| half.is_none_or(|half| *seq < half)) {
            from = seq + 1;
            if reduction.sum().batches == most {
                break;
            }
            let batch = self.spare(seq)?;
            if batch.as_ref().is_some_and(|(_, batch)| !short && ages.of_batch(batch) < ages.keep.raw) {
                break;
            }
            match batch.filter(|(_, batch)| self.may_join(&reduction, seq, batch)) {
                Some((octets, batch)) => reduction.take((seq, octets), batch, ages),
                None if reduction.sum().batches > 0 => break,
                None => {}
            }
        }
        Ok((reduction.sum().batches > 0).then_some(reduction))
    }

    /// A batch that the collector does not have, and its octets.
    fn spare(&mut self, seq: u64) -> Result<Option<(usize, Batch)>, SpoolError> {
        let doubted = self.doubt.of(seq) && !self.reducing.doubtful;
        if doubted || self.doubt.is_lent(seq) {
            return Ok(None);
        }
        let Some(sealed) = self.read(seq)? else { return Ok(None) };
        let opened = Envelope::decode(&sealed.bytes).and_then(|envelope| envelope.open());
        Ok(opened.ok().map(|batch| (sealed.bytes.len(), batch)))
    }

    /// Whether there is room for it, and nothing would be between the numbers but what the reduction stands for.
    fn may_join(&self, reduction: &Reduction, seq: u64, batch: &Batch) -> bool {
        let (first, last) = reduction.hull(seq, batch);
        let alone = self.unacked.count(first, last) == reduction.sum().batches + 1;
        alone && self.gone.count(first, last) == 0 && reduction.has_room(batch)
    }

    /// What was just written may stand for others: they are no longer sent.
    pub(super) fn replaced(&mut self) {
        let Some(sum) = self.reducing.replacing.take() else { return };
        let Sum { first, last, raw: batches, samples, .. } = sum;
        self.unacked.remove(first, last);
        self.reducing.reduced += batches;
        self.reducing.expired += sum.expired;
        self.reducing.samples += samples;
        self.reducing.unstored = true;
        tracing::info!(batches, samples, first, last, "old batches reduced to digests");
    }

    /// At a start: the last record may stand for others of which nothing else tells.
    pub(super) fn recover(&mut self, last: &Sealed) {
        let opened = Envelope::decode(&last.bytes).and_then(|envelope| envelope.open());
        let Some((first, until)) = opened.ok().and_then(|batch| batch.replaces) else { return };
        self.reducing.unstored = self.unacked.remove(first, until) > 0;
    }
}

#[cfg(test)]
mod tests;
