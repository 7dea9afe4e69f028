//! The `samples` journal as the store uses it: written in turns, got up after a failed sync, cut behind what
//! is sealed.
//!
//! Records have their positions before they are written: they wait in order, and nobody else writes here.

use super::record::{FRESH_MAX, Record, SAMPLES_MAX};
use haidang_journal::{Error, Files, Item, Journal, OnFull, Position, Settings};
use std::path::Path;

/// Octets of a segment, the unit in which what is sealed goes.
const SEGMENT: u64 = 4 << 20;
/// Longest record: every sample of it in its longest form, and the series that are new in it.
const RECORD: u32 = (SAMPLES_MAX * 24 + 2 * FRESH_MAX) as u32;

/// The journal, open for writing.
pub(super) struct Log {
    disk: Files,
    max_bytes: u64,
    /// None after the disk failed; the next use opens it anew.
    journal: Option<Journal<Files>>,
    /// Not durable yet: position and octets.
    unsynced: Vec<(u64, Vec<u8>)>,
    /// Records too long for the journal, which were dropped.
    too_long: u64,
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
        Ok(Log { disk, max_bytes, journal, unsynced: Vec::new(), too_long: 0 })
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
        let mut new = self.unsynced.iter().filter(|(position, _)| *position >= next);
        let written = new.try_for_each(|(_, octets)| append(journal, octets, &mut self.too_long));
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

    /// Records dropped because they are longer than the journal takes.
    pub fn too_long(&self) -> u64 {
        self.too_long
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
                append(&mut journal, octets, &mut self.too_long)?;
            }
        }
        journal.sync()?;
        self.unsynced.clear();
        tracing::info!("the journal of samples was opened anew");
        Ok(journal)
    }
}

/// Appends a record. One too long would stand for ever in the way of those behind it: an empty one takes its place,
/// because positions are given already.
fn append(journal: &mut Journal<Files>, octets: &[u8], too_long: &mut u64) -> Result<(), Error> {
    let mut appended = journal.append(octets);
    if matches!(appended, Err(Error::TooLong { .. })) {
        *too_long += 1;
        tracing::warn!(
            octets = octets.len(),
            "a record of samples is too long for the journal and is dropped"
        );
        appended = journal.append(&Record::Samples { fresh: Vec::new(), samples: Vec::new() }.encode(0));
    }
    appended.map(drop)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_too_long_is_dropped_and_stands_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::open(dir.path(), 1 << 30).unwrap();
        let record = Record::Sealed { group: 2 }.encode(7);
        log.write(0, vec![vec![0; RECORD as usize + 1], record.clone()]).unwrap();
        assert_eq!((log.next().unwrap(), log.too_long(), log.waiting()), (2, 1, 0));
        let mut held = Vec::new();
        log.read(|item| {
            held.extend(match item {
                Held::Record { octets, .. } => Record::decode(&octets),
                Held::Damage => None,
            });
        })
        .unwrap();
        let empty = Record::Samples { fresh: Vec::new(), samples: Vec::new() };
        assert_eq!(held, [(0, empty), (7, Record::Sealed { group: 2 })]);
    }
}
