//! Answers: samples of several series folded into steps.

use super::head::{Place, WINDOW_MS, group_of, window_of};
use super::stream::{Sample, merge};
use super::{Store, chunk};
use haidang_probe::{check::CheckId, metric::Metric};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// Resolution of answers.
pub const BUCKET_MS: i64 = 10_000;
/// Hours of series one answer may read: a month of seventy series.
const HOURS_MAX: i64 = 50_000;

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
    /// First instant no longer wanted, rounded up to [`BUCKET_MS`].
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

/// The answer would read more than one answer may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "that is {hours} hours of series, and an answer reads at most {HOURS_MAX}; ask for one check, or a shorter time"
)]
pub struct TooMuch {
    /// Hours of series asked for.
    pub hours: i64,
}

impl Store {
    /// The points of a question, oldest first. It reads the disk: not a thing for a thread that others wait for.
    pub fn query(&self, question: &Question<'_>) -> Result<Vec<Point>, TooMuch> {
        let from = (question.from.div_euclid(BUCKET_MS) * BUCKET_MS).max(0);
        let to = question.to.saturating_add(BUCKET_MS - 1).div_euclid(BUCKET_MS) * BUCKET_MS;
        let mut steps = Steps::new((question.step.max(BUCKET_MS) / BUCKET_MS) * BUCKET_MS);
        let ids: Vec<u32> = {
            let ring = self.ring();
            let select = |(site, check): &(&str, Option<CheckId>)| {
                ring.head.select(site, *check, question.metric, question.part)
            };
            question.checks.iter().flat_map(select).collect()
        };
        let hours = (to - from).max(0) / WINDOW_MS + 1;
        let hours = hours.saturating_mul(ids.len() as i64);
        if hours > HOURS_MAX {
            return Err(TooMuch { hours });
        }
        for id in ids {
            let mut start = window_of(group_of(id), from);
            while start < to {
                for sample in self.samples((start, id)) {
                    if sample.0 >= from && sample.0 < to {
                        steps.add(sample);
                    }
                }
                start += WINDOW_MS;
            }
        }
        Ok(steps.points())
    }

    /// The samples of a window, wherever they stand; of one instant the first.
    fn samples(&self, place: Place) -> Vec<Sample> {
        // The head before the shelf: what is sealed between the two is then read twice, never not at all.
        let (open, sealing) = {
            let ring = self.ring();
            (ring.head.stream(place).cloned(), ring.sealing.get(&place).cloned())
        };
        // An answer is given of what reads.
        let mut samples = self.sealed(place).unwrap_or_else(|error| {
            self.unread(place, &error);
            Vec::new()
        });
        let later = [sealing.map(|window| window.stream.samples()), open.map(|stream| stream.samples())];
        for later in later.into_iter().flatten() {
            if samples.is_empty() {
                samples = later;
            } else {
                merge(&mut samples, &later);
            }
        }
        samples
    }

    /// The samples of a window that are on the shelf. A chunk that does not read is counted and holds none.
    ///
    /// # Errors
    /// The shelf's: what it holds is not known.
    pub(super) fn sealed(&self, place: Place) -> fjall::Result<Vec<Sample>> {
        let Some(chunk) = self.shelf.chunk(place)? else { return Ok(Vec::new()) };
        Ok(chunk::decode(place.0, &chunk).unwrap_or_else(|garbled| {
            self.unread(place, &garbled);
            Vec::new()
        }))
    }

    fn unread(&self, (window, series): Place, why: &dyn std::fmt::Display) {
        if self.garbled.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(%why, window, series, "a chunk of samples does not read");
        }
    }
}

/// Samples folded into steps, most of them into the step of the one before.
struct Steps {
    width: i64,
    done: BTreeMap<i64, Point>,
    open: Option<Point>,
}

impl Steps {
    fn new(width: i64) -> Steps {
        Steps { width, done: BTreeMap::new(), open: None }
    }

    fn add(&mut self, (at, value): Sample) {
        let at = at.div_euclid(self.width) * self.width;
        // While points are open `avg` holds the sum.
        let one = Point { at, min: value, avg: value, max: value, count: 1 };
        match &mut self.open {
            Some(open) if open.at == at => fold(open, &one),
            open => {
                if let Some(full) = open.replace(one) {
                    close(&mut self.done, full);
                }
            }
        }
    }

    fn points(mut self) -> Vec<Point> {
        if let Some(last) = self.open.take() {
            close(&mut self.done, last);
        }
        let mean = |point: Point| Point { avg: point.avg / point.count as f64, ..point };
        self.done.into_values().map(mean).collect()
    }
}

fn close(done: &mut BTreeMap<i64, Point>, full: Point) {
    done.entry(full.at).and_modify(|point| fold(point, &full)).or_insert(full);
}

fn fold(point: &mut Point, other: &Point) {
    point.min = point.min.min(other.min);
    point.max = point.max.max(other.max);
    point.avg += other.avg;
    point.count += other.count;
}
