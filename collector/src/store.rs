//! The last 24 hours of every series, in memory, rebuilt from the journal at start.
//!
//! ```text
//! (site, check) ─▶ strip ─▶ chunk 14:00 (packed) · chunk 14:20 (packed) · chunk 14:40 (open)
//!                             │
//!                             ├─ when each row was seen, to the millisecond: repeats are found by it
//!                             └─ per series (metric, part): count, min, avg, max of each 10 s
//! ```
//!
//! A row is what one run of a check measured at one instant; its values are one sample of each of its series.
//! What it promises:
//!
//! - A sample counts once: a row whose (site, check, millisecond) was seen is dropped and counted.
//! - A late row lands in its own place however late, up to [`KEPT_MS`]; one older, or ahead of us by more
//!   than [`AHEAD_MS`], is dropped and counted.
//! - Whole numbers are exact up to 2^53; fractions keep 24 bits. Times resolve to [`BUCKET_MS`] in answers.
//! - Memory is bounded: at most [`MAX_SERIES`] series, [`MAX_SERIES_OF_SITE`] of one site; values of one more are
//!   refused and counted, and so are rows beyond ten a second of one check. Packed, a
//!   sample of a check asked twice a second costs less than 1 octet, of one asked each 10 s less than 4 (a
//!   test holds it to that): a day of 220 lines asked twice a second takes some 50 MB.
//!
//! It reads no clock: `now` is given, UTC milliseconds like every time here.

mod page;
mod strip;

use haidang_probe::batch::Batch;
use haidang_probe::{check::CheckId, metric::Metric};
use page::Cell;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use strip::{Inserted, Strip};

/// How long samples are kept.
pub const KEPT_MS: i64 = 86_400_000;
/// How far ahead of us a sample may be.
pub const AHEAD_MS: i64 = 300_000;
/// Resolution of answers.
pub const BUCKET_MS: i64 = 10_000;
/// Series held at once.
pub const MAX_SERIES: usize = 20_000;
/// Series of one site: an agent that invents them leaves room for the others.
pub const MAX_SERIES_OF_SITE: usize = MAX_SERIES / 2;

/// What one run of a check measured at one instant.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Site whose agent asked.
    pub site: &'a str,
    /// Which check.
    pub check: CheckId,
    /// When, UTC ms.
    pub at: i64,
    /// Metric, part of the target (or empty), value.
    pub values: &'a [(Metric, &'a str, f64)],
}

/// Which series to fold together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// Site and check; all checks of the site where none is given.
    pub checks: Vec<(&'a str, Option<CheckId>)>,
    /// Metric.
    pub metric: Metric,
    /// Part of the target; all parts where none is given.
    pub part: Option<&'a str>,
    /// First instant, UTC ms, rounded down to [`BUCKET_MS`].
    pub from: i64,
    /// First instant no longer wanted.
    pub to: i64,
    /// Width of a point, ms; at least [`BUCKET_MS`], rounded down to a multiple of it.
    pub step: i64,
}

/// What a step held. Steps without a sample have no point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Start of the step, UTC ms; a multiple of the step.
    pub at: i64,
    /// Smallest sample.
    pub min: f64,
    /// Mean of the samples.
    pub avg: f64,
    /// Largest sample.
    pub max: f64,
    /// How many samples.
    pub count: u64,
}

/// What the store holds and dropped since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Series held.
    pub series: usize,
    /// Octets of packed chunks held.
    pub packed: usize,
    /// Rows taken.
    pub rows: u64,
    /// Rows seen before.
    pub repeats: u64,
    /// Rows older than [`KEPT_MS`].
    pub late: u64,
    /// Rows further ahead than [`AHEAD_MS`].
    pub ahead: u64,
    /// Outcomes of a boot whose clock nobody described.
    pub unplaced: u64,
    /// Values beyond the limits of series, or no number; rows beyond ten a second of one check.
    pub refused: u64,
}

/// The ring. Share it by `Arc`.
#[derive(Default)]
pub struct Store(Mutex<Ring>);

#[derive(Default)]
struct Ring {
    sites: BTreeMap<String, Site>,
    counts: Counts,
    swept: i64,
}

#[derive(Default)]
struct Site {
    strips: BTreeMap<CheckId, Strip>,
    /// Series of all its strips.
    series: usize,
}

impl Store {
    /// Takes a row. `now` says what is late and what is ahead.
    pub fn push(&self, row: Row<'_>, now: i64) {
        self.ring().push(row, now);
    }

    /// Takes the outcomes of a batch that `site`'s agent sent and that came at `received`, placed in time by
    /// the batch's own clock maps. An outcome that tells nothing of its target (no permission) gives no
    /// `probe_success`: unknown is not down.
    pub fn push_batch(&self, site: &str, batch: &Batch, received: i64) {
        let mut placed: Vec<_> = batch
            .outcomes
            .iter()
            .filter_map(|outcome| {
                let clock = batch.clocks.iter().find(|clock| clock.boot == outcome.sent.boot)?;
                Some((outcome.check, clock.utc_ms(outcome.sent.mono_ns), outcome))
            })
            .collect();
        // Each chunk is opened once for a batch, whatever order it came in.
        placed.sort_by_key(|(check, at, _)| (*check, *at));
        let mut ring = self.ring();
        ring.counts.unplaced += (batch.outcomes.len() - placed.len()) as u64;
        for (check, at, outcome) in placed {
            let mut values = Vec::with_capacity(outcome.samples.len() + 2);
            match &outcome.result {
                Ok(took) => {
                    values.push((Metric::ProbeSuccess, "", 1.0));
                    values.push((Metric::ProbeDuration, "", took.as_secs_f64()));
                }
                Err(failure) if failure.tells_of_target() => values.push((Metric::ProbeSuccess, "", 0.0)),
                Err(_) => {}
            }
            values.extend(outcome.samples.iter().map(|s| (s.metric, s.part.as_str(), s.value)));
            ring.push(Row { site, check, at, values: &values }, received);
        }
    }

    /// The points of a question, oldest first.
    pub fn query(&self, question: &Question<'_>) -> Vec<Point> {
        let step = (question.step.max(BUCKET_MS) / BUCKET_MS) * BUCKET_MS;
        let mut steps: BTreeMap<i64, Cell> = BTreeMap::new();
        let ring = self.ring();
        for &(site, check) in &question.checks {
            let Some(site) = ring.sites.get(site) else { continue };
            let chosen = site.strips.iter().filter(|(id, _)| check.is_none_or(|wanted| wanted == **id));
            for (_, strip) in chosen {
                strip.cells(question.metric, question.part, question.from, question.to, |at, cell| {
                    let start = at.div_euclid(step) * step;
                    steps.entry(start).and_modify(|sum| sum.merge(cell)).or_insert(*cell);
                });
            }
        }
        drop(ring);
        steps.into_iter().map(|(at, cell)| cell.point(at)).collect()
    }

    /// What is held and what was dropped.
    pub fn counts(&self) -> Counts {
        let ring = self.ring();
        let strips = || ring.sites.values().flat_map(|site| site.strips.values());
        Counts { packed: strips().map(Strip::packed).sum(), ..ring.counts }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, row: Row<'_>, now: i64) {
        self.sweep(now);
        if row.values.is_empty() {
            return;
        }
        if row.at < now - KEPT_MS {
            self.counts.late += 1;
            return;
        }
        if row.at > now + AHEAD_MS {
            self.counts.ahead += 1;
            return;
        }
        if !self.sites.contains_key(row.site) {
            self.sites.insert(row.site.to_owned(), Site::default());
        }
        let Some(site) = self.sites.get_mut(row.site) else { return };
        let strip = site.strips.entry(row.check).or_default();
        let room = (MAX_SERIES - self.counts.series).min(MAX_SERIES_OF_SITE - site.series);
        let known = strip.series();
        let (columns, refused) = strip.columns(row.values, room);
        self.counts.series += strip.series() - known;
        site.series += strip.series() - known;
        self.counts.refused += refused;
        if columns.is_empty() {
            if strip.series() == 0 {
                site.strips.remove(&row.check);
            }
            return;
        }
        match strip.insert(row.at, &columns) {
            Inserted::New => self.counts.rows += 1,
            Inserted::Repeat => self.counts.repeats += 1,
            Inserted::Full => self.counts.refused += 1,
        }
    }

    /// Lets chunks go that have passed out of the window, and what is empty then. Runs once a chunk's length.
    fn sweep(&mut self, now: i64) {
        let horizon = strip::chunk_of(now - KEPT_MS);
        if horizon <= self.swept {
            return;
        }
        self.swept = horizon;
        for site in self.sites.values_mut() {
            site.strips.retain(|_, strip| strip.keep_from(horizon));
            site.series = site.strips.values().map(Strip::series).sum();
        }
        self.sites.retain(|_, site| !site.strips.is_empty());
        self.counts.series = self.sites.values().map(|site| site.series).sum();
    }
}

#[cfg(test)]
mod tests;
