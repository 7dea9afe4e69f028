//! The `samples` journal as the store uses it: written in turns, got up after a failed sync, cut behind what
//! is sealed.
//!
//! Records have their positions before they are written: they wait in order, and nobody else writes here.

use super::record::SAMPLES_MAX;
use haidang_journal::{Error, Files, Item, Journal, OnFull, Position, Settings};
use std::path::Path;

/// Octets of a segment, the unit in which what is sealed goes.
const SEGMENT: u64 = 4 << 20;
/// Longest record: every sample of it in its longest form.
const RECORD: u32 = SAMPLES_MAX as u32 * 24 + (1 << 20);

/// The journal, open for writing.
pub(super) struct Log {
    disk: Files,
    max_bytes: u64,
    /// None after the disk failed; the next use opens it anew.
    journal: Option<Journal<Files>>,
    /// Not durable yet: position and octets.
    unsynced: Vec<(u64, Vec<u8>)>,
}

/// What the journal held at a start.
pub(super) enum Held {
    /// A record.
    Record {
        /// Its position.
        position: u64,
        /// Its octets.
        octets: Vec<u8>,
    },
    /// Records are gone that were not dropped: damage.
    Damage,
}

impl Log {
    /// Opens the journal in a directory, or makes it.
    pub fn open(dir: &Path, max_bytes: u64) -> Result<Log, Error> {
        let disk = Files::new(dir);
        let journal = Some(open(&disk, max_bytes)?);
        Ok(Log { disk, max_bytes, journal, unsynced: Vec::new() })
    }

    /// Position of the next record.
    pub fn next(&mut self) -> Result<u64, Error> {
        Ok(self.journal()?.next().0)
    }

    /// Gives everything the journal holds, in order.
    pub fn read(&mut self, mut take: impl FnMut(Held)) -> Result<(), Error> {
        let journal = self.journal()?;
        for item in journal.read(journal.first()) {
            take(match item? {
                Item::Record { position, bytes } => Held::Record { position: position.0, octets: bytes },
                Item::Gap(gap) => {
                    tracing::warn!(from = gap.from.0, to = gap.to.0, loss = ?gap.loss, "samples are gone");
                    Held::Damage
                }
            });
        }
        Ok(())
    }

    /// Writes records, the first at `position`, and makes them durable. What fails is kept for the next call.
    pub fn write(&mut self, position: u64, records: Vec<Vec<u8>>) -> Result<(), Error> {
        self.unsynced.extend((position..).zip(records));
        let Some(journal) = &mut self.journal else { return self.journal().map(drop) };
        let next = journal.next().0;
        let new = self.unsynced.iter().filter(|(position, _)| *position >= next);
        let written = new.map(|(_, octets)| octets).try_for_each(|octets| journal.append(octets).map(drop));
        // Also when the journal is full: what it took is to be durable.
        let synced = journal.sync().and(written);
        match &synced {
            Ok(()) => self.unsynced.clear(),
            // Room comes with the next windows sealed; what was taken stays taken.
            Err(Error::Full { .. }) => {}
            Err(_) => self.journal = None,
        }
        synced
    }

    /// Octets that wait because the disk failed.
    pub fn waiting(&self) -> usize {
        self.unsynced.iter().map(|(_, octets)| octets.len()).sum()
    }

    /// Octets on disk.
    pub fn octets(&self) -> u64 {
        self.journal.as_ref().map_or(0, Journal::bytes)
    }

    /// Lets records before this position go, by whole segments.
    pub fn drop_before(&mut self, position: u64) -> Result<(), Error> {
        self.journal()?.drop_before(Position(position))
    }

    fn journal(&mut self) -> Result<&mut Journal<Files>, Error> {
        let journal = match self.journal.take() {
            Some(journal) => journal,
            None => self.reopen()?,
        };
        Ok(self.journal.insert(journal))
    }

    /// A failed sync leaves no trust in what the kernel holds: what was not durable is appended again.
    fn reopen(&mut self) -> Result<Journal<Files>, Error> {
        let mut journal = open(&self.disk, self.max_bytes)?;
        for (position, octets) in &self.unsynced {
            if *position >= journal.next().0 {
                journal.append(octets)?;
            }
        }
        journal.sync()?;
        self.unsynced.clear();
        tracing::info!("the journal of samples was opened anew");
        Ok(journal)
    }
}

fn open(disk: &Files, max_bytes: u64) -> Result<Journal<Files>, Error> {
    let settings =
        Settings { segment_bytes: SEGMENT, max_bytes, on_full: OnFull::Refuse, max_record: RECORD };
    let (journal, opened) = Journal::open(disk.clone(), settings)?;
    if let Some(repair) = &opened.repaired {
        tracing::warn!(path = repair.path, bytes = repair.bytes_cut, "a torn tail of samples was cut");
    }
    Ok(journal)
}
