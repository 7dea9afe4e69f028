//! What the agent saw, numbered and on disk, until the collector has it. Everything passes through here:
//! there is no "offline mode".
//!
//! ```text
//!   batch ─ seal ─▶ envelope (number, hash of the last) ─ append ─ sync ─▶ may be sent ─ ack ─▶ forgotten
//!                     number = position in the journal      fdatasync
//!
//!   DATA/spool/id         random identity of this spool, 16 hex digits, and whose it is
//!             /journal/   the envelopes, as they travel; `standing`: what is not acknowledged, and may have left
//!             /refused/   envelopes the collector will never take, at most REFUSED_KEPT
//! ```
//!
//! A record older than the plan's `spool_raw` is reduced before it would have to go: [`Spool::reduce`].
//!
//! # What it promises
//!
//! - **A number is never used twice.** It is the journal's position, and an envelope leaves only after it is
//!   synced: neither kill -9 nor a power cut can give a number that was sent to another batch.
//! - **What was numbered is neither lost nor doubled.** After a failed write the same bytes are written again
//!   under the same number, unless they turn out to be on disk already.
//! - **The size is bounded**: at the plan's `spool_bytes` the oldest go first; those not acknowledged are
//!   counted.
//! - **The cursor** (first number not acknowledged), and the holes behind it, are stored each [`PERSIST_SEALS`] batches
//!   and at the end. After a crash a few batches are sent again; the collector knows them by number.

mod doubt;
mod error;
mod identity;
mod reduce;
mod reduction;
mod standing;
mod unacked;

pub use error::SpoolError;
pub(crate) use identity::write_whole;
pub use reduce::Keep;
pub use unacked::Unacked;

use bytes::Bytes;
use haidang_journal::{Disk, Files, Item, Journal, Loss, OnFull, Position, Reader, Settings};
use haidang_probe::batch::{Batch, Envelope, limit, sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Bytes of one segment of the journal: the unit in which the oldest go.
pub const SEGMENT_BYTES: u64 = 2 << 20;

/// Smallest `spool_bytes` a plan may ask for.
pub const LEAST_BYTES: u64 = 2 * SEGMENT_BYTES;

/// Refused envelopes kept for a person to look at; later ones are only counted.
pub const REFUSED_KEPT: u64 = 32;

/// Batches sealed between two writes of the cursor.
pub const PERSIST_SEALS: u32 = 16;

const CURSOR: &str = "acked";

/// A numbered batch, durable and immutable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its number.
    pub seq: u64,
    /// The encoded envelope, as it travels.
    pub bytes: Bytes,
}

/// How full the spool is and what it lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Bytes on disk.
    pub bytes: u64,
    /// Batches not acknowledged.
    pub unacked: u64,
    /// Intervals they form.
    pub intervals: usize,
    /// Batches lost before they were acknowledged: to the bound or to damage, since the process started.
    pub lost: u64,
    /// Batches the collector refused for good, since the process started.
    pub refused: u64,
    /// Batches reduced to digests, since the process started.
    pub reduced: u64,
    /// Digests, of checks and lines, and events that were too old to be kept, since the process started.
    pub expired: u64,
    /// Values measured beside runs that were reduced: no row keeps them. Since the process started.
    pub samples: u64,
}

/// The one writer of a spool, on files or on any other disk.
pub struct Spool<D: Disk = Files> {
    directory: PathBuf,
    disk: D,
    settings: Settings,
    agent: String,
    id: u64,
    journal: Option<Journal<D>>,
    reader: Option<Reader<D>>,
    next: u64,
    prev_sha256: [u8; 32],
    /// An envelope whose writing failed: on disk or not, it keeps its number.
    unsure: Option<Sealed>,
    newest: Option<Sealed>,
    unacked: Unacked,
    /// Lost or refused: no reduction stands for these.
    gone: Unacked,
    /// What a start would be told.
    written: standing::Standing,
    doubt: doubt::Doubt,
    since_persisted: u32,
    lost: u64,
    refused: u64,
    reducing: reduce::Reducing,
}

impl Spool {
    /// Opens or makes the spool below `directory`, cutting what a crash left half-written.
    pub fn open(directory: &Path, agent: &str, max_bytes: u64) -> Result<Spool, SpoolError> {
        let id = identity::of(directory, agent)?;
        Spool::on(Files::new(directory.join("journal")), directory, (agent, id), max_bytes)
    }
}

impl<D: Disk + Clone> Spool<D> {
    /// The same with the journal on `disk`, for the agent and the spool's identity `of`; only what is set aside
    /// stands in `directory`.
    pub fn on(disk: D, directory: &Path, of: (&str, u64), max_bytes: u64) -> Result<Spool<D>, SpoolError> {
        let (agent, id) = of;
        let settings = Settings {
            segment_bytes: SEGMENT_BYTES,
            max_bytes: max_bytes.max(LEAST_BYTES),
            on_full: OnFull::DropOldest,
            max_record: limit::MAX_ENVELOPE_BYTES as u32,
        };
        let mut spool = Spool {
            directory: directory.into(),
            disk,
            settings,
            agent: agent.into(),
            id,
            journal: None,
            reader: None,
            next: 0,
            prev_sha256: [0; 32],
            unsure: None,
            newest: None,
            unacked: Unacked::default(),
            gone: Unacked::default(),
            written: standing::Standing::default(),
            doubt: doubt::Doubt::default(),
            since_persisted: 0,
            lost: 0,
            refused: 0,
            reducing: reduce::Reducing::default(),
        };
        spool.open_journal()?;
        spool.take_stock()?;
        Ok(spool)
    }

    /// The spool's identity.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Number of the next batch.
    pub fn next_seq(&self) -> u64 {
        self.next
    }

    /// Numbers `batch` and makes it durable. An error means that it was not taken: after any but
    /// [`SpoolError::Batch`] try it again.
    pub fn seal(&mut self, batch: &Batch) -> Result<Sealed, SpoolError> {
        self.settle()?;
        let octets = self.encode(batch)?;
        let sealed = self.number(octets);
        self.since_persisted += 1;
        if self.since_persisted >= PERSIST_SEALS
            && let Err(error) = self.persist()
        {
            tracing::warn!(%error, "cursor not stored; acknowledged batches may be sent again");
        }
        Ok(sealed)
    }

    /// The envelope that `batch` would be.
    fn encode(&self, batch: &Batch) -> Result<Bytes, SpoolError> {
        let envelope = Envelope::seal(&self.agent, self.id, self.next, self.prev_sha256, batch)?;
        Ok(envelope.encode().into())
    }

    /// Gives an envelope its number and writes it; to the caller it is taken.
    fn number(&mut self, bytes: Bytes) -> Sealed {
        let sealed = Sealed { seq: self.next, bytes };
        self.prev_sha256 = sha256(&sealed.bytes);
        self.next += 1;
        self.unsure = Some(sealed.clone());
        if let Err(error) = self.write_unsure() {
            tracing::warn!(seq = sealed.seq, %error, "batch is kept in memory until the disk takes it");
        }
        sealed
    }

    /// Whether `seq` is durable, and so may be sent.
    pub fn durable(&self, seq: u64) -> bool {
        self.unsure.as_ref().is_none_or(|unsure| seq < unsure.seq)
    }

    /// The newest batch of what was just seen, if it is durable and not acknowledged; a reduction is old.
    pub fn newest(&self) -> Option<Sealed> {
        let waits = |newest: &Sealed| !self.reducing.replaces(newest.seq);
        self.newest.clone().filter(|newest| self.unacked.contains(newest.seq) && waits(newest))
    }

    /// The oldest batch not acknowledged and not in `under_way`.
    pub fn oldest_but(&mut self, under_way: &BTreeSet<u64>) -> Result<Option<Sealed>, SpoolError> {
        let mut from = 0;
        while let Some(seq) = self.unacked.next(from) {
            from = seq + 1;
            if under_way.contains(&seq) || !self.durable(seq) || self.reducing.replaces(seq) {
                continue;
            }
            if let Some(sealed) = self.read(seq)? {
                return Ok(Some(sealed));
            }
        }
        Ok(None)
    }

    /// The collector will never take this batch: it is counted, kept aside for a person, and not sent again.
    pub fn set_aside(&mut self, sealed: &Sealed) {
        self.unacked.remove(sealed.seq, sealed.seq);
        self.gone.put(sealed.seq, sealed.seq);
        self.refused += 1;
        if self.refused > REFUSED_KEPT {
            return;
        }
        let path = self.directory.join("refused");
        let kept = std::fs::create_dir_all(&path)
            .and_then(|()| std::fs::write(path.join(format!("{}.batch", sealed.seq)), &sealed.bytes));
        if let Err(error) = kept {
            tracing::warn!(seq = sealed.seq, %error, "refused batch could not be set aside");
        }
    }

    /// How full the spool is and what it lost.
    pub fn tally(&self) -> Tally {
        Tally {
            bytes: self.journal.as_ref().map_or(0, Journal::bytes),
            unacked: self.unacked.len(),
            intervals: self.unacked.intervals(),
            lost: self.lost,
            refused: self.refused,
            reduced: self.reducing.reduced,
            expired: self.reducing.expired,
            samples: self.reducing.samples,
        }
    }

    /// Makes good what an earlier failure left: nothing is numbered before that.
    fn settle(&mut self) -> Result<(), SpoolError> {
        self.write_unsure()?;
        // A start finds a reduction that nothing stored knows of only where it is the last record.
        if self.reducing.is_unstored() { self.persist() } else { Ok(()) }
    }

    /// Writes what an earlier failure left unsure, unless it is on disk after all.
    fn write_unsure(&mut self) -> Result<(), SpoolError> {
        let Some(sealed) = self.unsure.take() else { return Ok(()) };
        match self.write(&sealed) {
            Ok(()) => {
                self.unacked.sealed(sealed.seq);
                if !self.reducing.is_pending() {
                    self.newest = Some(sealed);
                }
                // Before what the bound took is counted: what a reduction stands for is not lost.
                self.replaced();
                self.count_dropped();
                Ok(())
            }
            Err(error) => {
                // Opened anew, the journal says what it holds; a failed sync proves nothing.
                (self.journal, self.reader) = (None, None);
                self.unsure = Some(sealed);
                Err(error)
            }
        }
    }

    fn write(&mut self, sealed: &Sealed) -> Result<(), SpoolError> {
        let directory = self.directory.clone();
        let journal = self.open_journal()?;
        if journal.next() < Position(sealed.seq) {
            return Err(SpoolError::Shrunk { directory, next: journal.next().0, seq: sealed.seq });
        }
        if journal.next() == Position(sealed.seq) {
            journal
                .append(&sealed.bytes)
                .map_err(|source| SpoolError::Journal { directory: directory.clone(), source })?;
        }
        journal.sync().map_err(|source| SpoolError::Journal { directory, source })
    }

    /// The bound may have taken what was never acknowledged.
    fn count_dropped(&mut self) {
        let first = self.journal.as_ref().map_or(0, |journal| journal.first().0);
        if first > 0 {
            self.lose(0, first - 1, "the spool is full");
        }
    }

    fn lose(&mut self, first: u64, last: u64, why: &str) {
        let taken = self.unacked.take(first, last);
        let lost = taken.len();
        if lost > 0 {
            taken.as_slice().iter().for_each(|&(first, last)| self.gone.put(first, last));
            self.lost += lost;
            tracing::warn!(batches = lost, why, "batches lost before they were acknowledged");
        }
    }

    /// `None` for a batch that cannot be had any more.
    fn read(&mut self, seq: u64) -> Result<Option<Sealed>, SpoolError> {
        let mut reader = match self.reader.take() {
            Some(reader) if reader.position() <= Position(seq) => reader,
            _ => self.open_journal()?.read(Position(seq)),
        };
        while reader.position() <= Position(seq) {
            match reader.next() {
                Some(Ok(Item::Record { position, bytes })) if position.0 == seq => {
                    self.reader = Some(reader);
                    return Ok(Some(Sealed { seq, bytes: bytes.into() }));
                }
                Some(Ok(Item::Record { .. })) => {}
                Some(Ok(Item::Gap(gap))) => {
                    let why = if gap.loss == Loss::Dropped { "the spool was full" } else { "damage on disk" };
                    self.lose(gap.from.0, gap.to.0.saturating_sub(1), why);
                }
                Some(Err(source)) => {
                    return Err(SpoolError::Journal { directory: self.directory.clone(), source });
                }
                None => return Ok(None),
            }
        }
        self.reader = Some(reader);
        Ok(None)
    }

    fn open_journal(&mut self) -> Result<&mut Journal<D>, SpoolError> {
        if let Some(ref mut journal) = self.journal {
            return Ok(journal);
        }
        let (journal, opened) = Journal::open(self.disk.clone(), self.settings)
            .map_err(|source| SpoolError::Journal { directory: self.directory.clone(), source })?;
        if let Some(repair) = &opened.repaired {
            tracing::info!(bytes = repair.bytes_cut, "spool: cut what a crash left half-written");
        }
        Ok(self.journal.insert(journal))
    }

    /// What an earlier run left: the next number, the hash it chains to, and what was not acknowledged.
    fn take_stock(&mut self) -> Result<(), SpoolError> {
        let journal = self.open_journal()?;
        let (first, next) = (journal.first().0, journal.next().0);
        let cursor = journal.cursor(CURSOR).map_or(first, |cursor| cursor.0.max(first));
        self.next = next;
        self.recall(cursor, next)?;
        self.doubt = doubt::Doubt::earlier(self.written.sent.min(next));
        if let Some(last) = next.checked_sub(1) {
            match self.read(last)? {
                Some(sealed) => {
                    self.prev_sha256 = sha256(&sealed.bytes);
                    self.recover(&sealed);
                }
                None => {
                    tracing::warn!(seq = last, "the last batch is damaged; the chain of hashes starts anew");
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
