//! Every series of the province: what was measured, for as long as the settings say.
//!
//! ```text
//! batch, ticks ─▶ take ─┬─▶ samples (journal) ······ read again at a start ······┐
//! (the fold's thread)   └─▶ head: the open hour of each series, few octets each ◀┘
//!                             └─ each quarter of an hour a quarter of the series ─▶ shelf: a chunk per hour
//!                                (the store's own thread)                            └─ a day past keeping goes
//! ```
//!
//! What it promises:
//!
//! - **Nothing acknowledged is lost.** A batch is durable in `evidence` before its agent hears so; the samples
//!   made of it need no second sync then: `samples` is synced each second, and says up to where in `evidence`
//!   it holds everything. A start reads `evidence` again from there ([`Store::resume`]).
//! - **A sample counts once**: of one series and one instant the first stays, the others are counted, whether
//!   they meet in the head, when an hour is sealed, or in an answer.
//! - **A chunk on the shelf is never replaced without what it holds**, whatever else was lost or forgotten.
//! - **Late samples land in their place**, however late, up to what is kept; older ones, and those ahead of us
//!   by more than [`AHEAD_MS`], are dropped and counted.
//! - **Numbers are exact** to the last bit; durations are taken to the microsecond. Answers resolve to
//!   [`BUCKET_MS`].
//! - **Everything is bounded** and what a bound costs is counted: series in all, half of them of one site, ten
//!   samples a second of each, octets of the head ([`HEAD_MAX`]), octets that wait for the disk
//!   ([`PENDING_MAX`]). While the journal takes nothing the store goes on from memory, and the next start reads
//!   more of `evidence`.
//! - **A damaged chunk** is counted and passed over; it never stops the program.
//!
//! It reads no clock: `now` is given, UTC milliseconds like every time here.

mod chunk;
mod digest;
mod head;
mod log;
mod number;
mod open;
mod query;
mod record;
mod shelf;
mod stream;
mod take;
mod upkeep;

pub use open::OpenError;
pub use query::{BUCKET_MS, Point, Question, TooMuch};
pub use take::{AGENT, Row};
pub use upkeep::{SealError, Upkeep};

use crate::config::Series;
use head::{GROUPS, Head, Place, Window};
use log::Log;
use record::{Definition, Entry, Record};
use shelf::Shelf;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Name of the samples' journal within the collector's directory.
pub const SAMPLES: &str = "samples";
/// Name of the shelf within the collector's directory.
pub const SERIES: &str = "series";
/// How far ahead of us a sample may be.
pub const AHEAD_MS: i64 = 300_000;
/// Octets of unsealed samples in memory: some half a million series.
pub const HEAD_MAX: usize = 512 << 20;
/// Octets of records that may wait for the disk.
pub const PENDING_MAX: usize = 64 << 20;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long samples are kept, ms.
    pub keep_ms: i64,
    /// Series held at once; one site may have half of them.
    pub max_series: usize,
    /// Octets of the `samples` journal.
    pub journal_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { keep_ms: 30 * head::DAY_MS, max_series: 100_000, journal_bytes: 2 << 30 }
    }
}

impl From<Series> for Limits {
    fn from(Series { keep_ms, max_series }: Series) -> Limits {
        Limits { keep_ms, max_series, ..Limits::default() }
    }
}

/// What the store holds, and what it took and dropped since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Series held.
    pub series: usize,
    /// Octets of unsealed samples in memory.
    pub head: usize,
    /// Octets of sealed chunks.
    pub sealed: u64,
    /// Octets of the `samples` journal.
    pub journal: u64,
    /// Samples taken.
    pub samples: u64,
    /// Samples of a series and instant that were there.
    pub repeats: u64,
    /// Samples older than is kept.
    pub late: u64,
    /// Samples further ahead than [`AHEAD_MS`].
    pub ahead: u64,
    /// Outcomes of a boot whose clock nobody described.
    pub unplaced: u64,
    /// Samples beyond a limit, or no number.
    pub refused: u64,
    /// Records the `samples` journal could not take: what they held is in memory alone until it is sealed, and the
    /// next start reads it from `evidence`.
    pub behind: u64,
    /// Chunks that did not read.
    pub garbled: u64,
}

/// All series. Share it by `Arc`. The default one keeps nothing on disk.
#[derive(Default)]
pub struct Store {
    limits: Limits,
    ring: Mutex<Ring>,
    shelf: Shelf,
    log: Option<Mutex<Log>>,
    /// Held while windows are being sealed: one at a time.
    turn: Mutex<()>,
    garbled: AtomicU64,
}

/// What is in memory.
#[derive(Default)]
struct Ring {
    head: Head,
    /// Taken out of the head and not yet on the shelf.
    sealing: BTreeMap<Place, Arc<Window>>,
    /// Windows of each group that begin before this are sealed, but for late samples of theirs.
    upto: [i64; GROUPS as usize],
    /// Windows opened for late samples since the last seal.
    late_windows: usize,
    queue: Queue,
    /// When each agent's delay was told last, UTC ms.
    delays: BTreeMap<String, i64>,
    counts: Counts,
}

/// Records on their way to the journal.
#[derive(Default)]
struct Queue {
    /// Whether there is a journal.
    kept: bool,
    records: Vec<Vec<u8>>,
    octets: usize,
    /// Position of the next record.
    next: u64,
    /// Position in `evidence` of the last entry that stands in the journal or the queue with all before it.
    through: Option<u64>,
    /// Records were refused: `through` stands still until what they held is sealed. Position then.
    behind: Option<u64>,
}

impl Queue {
    /// Puts a record in, from the entry of `evidence` given; says whether there was room. Gives its position.
    fn put(&mut self, record: &Record, evidence: Option<u64>) -> (u64, bool) {
        let position = self.next;
        if !self.kept {
            return (position, true);
        }
        if self.octets > PENDING_MAX {
            self.behind.get_or_insert(position);
            return (position, false);
        }
        if self.behind.is_none() {
            self.through = self.through.max(evidence);
        }
        // Without a word of `evidence` yet nothing of it is claimed: the count is one more than the position.
        let octets = record.encode(self.through.map_or(0, |through| through + 1));
        self.octets += octets.len();
        self.records.push(octets);
        self.next += 1;
        (position, true)
    }
}

impl Store {
    /// Where in `evidence` a start must read again from; `None` when nothing of it is known.
    pub fn resume(&self) -> Option<u64> {
        self.ring().queue.through.map(|through| through + 1)
    }

    /// The oldest instant of which something may be kept at `now`, UTC ms.
    pub fn oldest(&self, now: i64) -> i64 {
        now - self.limits.keep_ms
    }

    /// Writes what waits for the disk, and syncs it.
    pub fn flush(&self) -> Result<(), haidang_journal::Error> {
        let Some(log) = &self.log else { return Ok(()) };
        let mut log = lock(log);
        let (position, records) = {
            let queue = &mut self.ring().queue;
            let records = std::mem::take(&mut queue.records);
            (queue.next - records.len() as u64, records)
        };
        let written = log.write(position, records);
        let queue = &mut self.ring().queue;
        queue.octets = log.waiting() + queue.records.iter().map(Vec::len).sum::<usize>();
        written
    }

    /// What is held and what was dropped.
    pub fn counts(&self) -> Counts {
        let (journal, too_long) = self.log.as_ref().map_or((0, 0), |log| {
            let log = lock(log);
            (log.octets(), log.too_long())
        });
        let ring = self.ring();
        let (series, head) = (ring.head.count(), ring.head.octets());
        let mut counts = ring.counts;
        drop(ring);
        counts.behind += too_long;
        let (sealed, garbled) = (self.shelf.octets(), self.garbled.load(Ordering::Relaxed));
        Counts { series, head, sealed, journal, garbled, ..counts }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        lock(&self.ring)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
