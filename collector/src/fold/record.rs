//! The `evidence` journal as the fold uses it: append, sync, checkpoints, and getting up after a failed sync.
//!
//! A failed sync leaves no trust in what the kernel holds, so the journal is opened anew and what was not
//! durable is appended again, under the same positions: the fold has applied it already.
//!
//! Cursors: `checkpoint` stands at the newest durable checkpoint; `hour-00`…`hour-25` stand at a checkpoint of
//! each of the last 26 hours of running, so that a start finds the batches of a day without reading more.

use crate::entry::{Checkpoint, Entry};
use haidang_journal::{Appended, Disk, Error, Item, Journal, OnFull, Position, Reader, Settings};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Bytes of a segment, the unit in which the oldest goes.
const SEGMENT_BYTES: u64 = 64 << 20;
/// Longest record: a batch is at most 1 MiB, a province's record and its checkpoint are far below this.
const MAX_RECORD: u32 = 16 << 20;
/// Name of the cursor at the newest checkpoint.
const CHECKPOINT: &str = "checkpoint";
/// Hours marked by cursors.
const HOURS: i64 = 26;

/// The journal, open for writing.
pub(super) struct Record<D: Disk> {
    disk: D,
    max_bytes: u64,
    /// None after the disk failed; the next use opens it anew.
    evidence: Option<Journal<D>>,
    /// Appended since the last sync: position and bytes.
    unsynced: Vec<(u64, Vec<u8>)>,
    /// The hour whose cursor was set last.
    hour: Option<i64>,
    /// Records dropped to the bound since this start.
    dropped: u64,
}

impl<D: Disk + Clone> Record<D> {
    /// Opens the journal, or makes it.
    pub(super) fn open(disk: D, max_bytes: u64) -> Result<Record<D>, Error> {
        let evidence = Some(open(&disk, max_bytes)?);
        Ok(Record { disk, max_bytes, evidence, unsynced: Vec::new(), hour: None, dropped: 0 })
    }

    /// Appends an entry; gives its position. Not durable before [`Record::sync`].
    pub(super) fn append(&mut self, entry: &Entry) -> Result<u64, Error> {
        let bytes = entry.encode();
        let appended = self.evidence()?.append(&bytes);
        if matches!(appended, Err(Error::Disk { .. } | Error::Failed { .. })) {
            self.evidence = None;
        }
        let Appended { position, dropped } = appended?;
        if dropped > 0 {
            self.dropped += dropped;
            tracing::info!(records = dropped, "the journal reached its bound: its oldest records went");
        }
        self.unsynced.push((position.0, bytes));
        Ok(position.0)
    }

    /// Makes everything appended durable.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        let synced = self.evidence()?.sync();
        match &synced {
            Ok(()) => self.unsynced.clear(),
            Err(_) => self.evidence = None,
        }
        synced
    }

    /// Notes that a start may begin at this checkpoint, and that its hour begins there. `at` is UTC ms.
    pub(super) fn mark(&mut self, checkpoint: u64, at: i64) -> Result<(), Error> {
        let hour = at.div_euclid(3_600_000);
        let evidence = self.evidence()?;
        evidence.set_cursor(CHECKPOINT, Position(checkpoint))?;
        if self.hour != Some(hour) {
            self.evidence()?.set_cursor(&hour_cursor(hour), Position(checkpoint))?;
            self.hour = Some(hour);
        }
        Ok(())
    }

    /// Positions of the checkpoints that cursors stand at and that are kept, newest first.
    pub(super) fn checkpoints(&mut self) -> Result<BTreeSet<Reverse<u64>>, Error> {
        let evidence = self.evidence()?;
        let marked = (0..HOURS).filter_map(|hour| evidence.cursor(&hour_cursor(hour)));
        let all = marked.chain(evidence.cursor(CHECKPOINT));
        Ok(all.filter(|position| *position >= evidence.first()).map(|position| Reverse(position.0)).collect())
    }

    /// The checkpoint at a position, if that is one.
    pub(super) fn checkpoint(&mut self, position: u64) -> Result<Option<Checkpoint>, Error> {
        let item = self.evidence()?.read(Position(position)).next().transpose()?;
        let Some(Item::Record { bytes, .. }) = item else { return Ok(None) };
        let Ok(Entry::Checkpoint(checkpoint)) = Entry::decode(&bytes) else { return Ok(None) };
        Ok(Some(checkpoint))
    }

    /// A position before every batch of the last day of running.
    pub(super) fn day_ago(&mut self) -> Result<u64, Error> {
        let evidence = self.evidence()?;
        let first = evidence.first();
        let marked = (0..HOURS).filter_map(|hour| evidence.cursor(&hour_cursor(hour))).min();
        // With fewer cursors than that the day began before the first of them.
        let full = (0..HOURS).all(|hour| evidence.cursor(&hour_cursor(hour)).is_some());
        Ok(marked.filter(|_| full).unwrap_or(first).max(first).0)
    }

    /// The durable records from `from` on.
    pub(super) fn read(&mut self, from: u64) -> Result<Reader<D>, Error> {
        Ok(self.evidence()?.read(Position(from)))
    }

    /// Octets on disk, and records dropped to the bound since this start.
    pub(super) fn size(&self) -> (u64, u64) {
        (self.evidence.as_ref().map_or(0, Journal::bytes), self.dropped)
    }

    /// The oldest position held.
    pub(super) fn first(&mut self) -> Result<u64, Error> {
        Ok(self.evidence()?.first().0)
    }

    /// The journal; opened anew when its last sync failed, with what was not durable appended again.
    fn evidence(&mut self) -> Result<&mut Journal<D>, Error> {
        let evidence = match self.evidence.take() {
            Some(evidence) => evidence,
            None => self.reopen()?,
        };
        Ok(self.evidence.insert(evidence))
    }

    fn reopen(&self) -> Result<Journal<D>, Error> {
        let mut evidence = open(&self.disk, self.max_bytes)?;
        for (position, bytes) in &self.unsynced {
            if *position >= evidence.next().0 {
                evidence.append(bytes)?;
            }
        }
        tracing::info!(records = self.unsynced.len(), "the journal was opened anew");
        Ok(evidence)
    }
}

fn open<D: Disk + Clone>(disk: &D, max_bytes: u64) -> Result<Journal<D>, Error> {
    let settings = Settings {
        segment_bytes: SEGMENT_BYTES,
        max_bytes,
        on_full: OnFull::DropOldest,
        max_record: MAX_RECORD,
    };
    let (evidence, opened) = Journal::open(disk.clone(), settings)?;
    if let Some(repair) = &opened.repaired {
        let (path, bytes) = (&repair.path, repair.bytes_cut);
        tracing::warn!(path, offset = repair.offset, bytes, "a torn tail was cut");
    }
    if opened.damaged > 0 || opened.marks_lost {
        tracing::warn!(records = opened.damaged, cursors_lost = opened.marks_lost, "the journal is damaged");
    }
    Ok(evidence)
}

fn hour_cursor(hour: i64) -> String {
    format!("hour-{:02}", hour.rem_euclid(HOURS))
}
