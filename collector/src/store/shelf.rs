//! Where sealed chunks stand: a keyspace of fjall for each day, or memory where nothing is to last.
//!
//! ```text
//! DATA/series   raw-20779   start of the window, s (u32 BE) | series (u32 BE)  ─▶  chunk (see `chunk`)
//!               raw-20780   …
//!               series      series (u32 BE)  ─▶  postcard of (definition, day of its newest sample)
//! ```
//!
//! Keys begin with the time, so what is sealed together stands together, behind all that was sealed before: it
//! is never written again to be merged with its neighbours. All is written by bulk ingestion, sorted: no log of
//! fjall's own, no memory of unwritten entries. A day is given back by dropping its keyspace.

use super::head::{DAY_MS, Place, day_of};
use super::record::Definition;
use fjall::config::{BlockSizePolicy, FilterPolicy};
use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Blocks of chunks kept in memory, octets.
const CACHE: u64 = 8 << 20;
/// Files of fjall open at a time.
const FILES: usize = 64;
/// fjall's own log, which bulk ingestion does not use; the least it accepts.
const JOURNAL: u64 = 64 << 20;
/// Unwritten entries of a keyspace, which bulk ingestion does not use either.
const MEMTABLE: u64 = 1 << 20;
/// Octets of a block: some thirty chunks. Smaller ones cost more in heads than they save in reading.
const BLOCK: u32 = 16 << 10;
/// Name of the keyspace of series.
const SERIES: &str = "series";
/// Before the day in the name of a day's keyspace.
const RAW: &str = "raw-";

/// Sealed chunks and the rows of series.
pub(super) enum Shelf {
    /// Nothing lasts.
    Memory(Mutex<Memory>),
    /// On disk.
    Disk(Box<Disk>),
}

#[derive(Default)]
pub(super) struct Memory {
    chunks: BTreeMap<Place, Vec<u8>>,
    series: BTreeMap<u32, Vec<u8>>,
    /// Reading fails, as that of a disk does.
    #[cfg(test)]
    pub fails: bool,
}

pub(super) struct Disk {
    database: Database,
    series: Keyspace,
    days: Mutex<BTreeMap<i64, Keyspace>>,
}

impl Default for Shelf {
    fn default() -> Shelf {
        Shelf::Memory(Mutex::default())
    }
}

impl Shelf {
    /// Opens the shelf in a directory, or makes it.
    pub fn open(dir: &Path) -> fjall::Result<Shelf> {
        let database = Database::builder(dir)
            .cache_size(CACHE)
            .max_cached_files(Some(FILES))
            .max_journaling_size(JOURNAL)
            .worker_threads(1)
            .open()?;
        let series = database.keyspace(SERIES, options)?;
        let mut days = BTreeMap::new();
        for name in database.list_keyspace_names() {
            if let Some(day) = name.strip_prefix(RAW).and_then(|day| day.parse().ok()) {
                days.insert(day, database.keyspace(&name, options)?);
            }
        }
        Ok(Shelf::Disk(Box::new(Disk { database, series, days: Mutex::new(days) })))
    }

    /// The chunk of a place.
    pub fn chunk(&self, place: Place) -> fjall::Result<Option<Vec<u8>>> {
        match self {
            #[cfg(test)]
            Shelf::Memory(memory) if lock(memory).fails => {
                Err(std::io::Error::from(std::io::ErrorKind::Other).into())
            }
            Shelf::Memory(memory) => Ok(lock(memory).chunks.get(&place).cloned()),
            Shelf::Disk(disk) => {
                let day = lock(&disk.days).get(&day_of(place.0)).cloned();
                let found = day.map(|day| day.get(key(place))).transpose()?.flatten();
                Ok(found.map(|chunk| chunk.to_vec()))
            }
        }
    }

    /// Puts chunks, durable on return; one in the same place is replaced.
    pub fn put(&self, chunks: BTreeMap<Place, Vec<u8>>) -> fjall::Result<()> {
        match self {
            Shelf::Memory(memory) => lock(memory).chunks.extend(chunks),
            Shelf::Disk(disk) => {
                let mut chunks = chunks.into_iter().peekable();
                while let Some(((start, _), _)) = chunks.peek() {
                    let day = day_of(*start);
                    let of_day = std::iter::from_fn(|| chunks.next_if(|((s, _), _)| day_of(*s) == day));
                    ingest(&disk.day(day)?, of_day.map(|(place, chunk)| (key(place).to_vec(), chunk)))?;
                }
            }
        }
        Ok(())
    }

    /// All rows of series: id, definition, day of the newest sample. A row that does not read is passed over.
    pub fn series(&self) -> fjall::Result<Vec<(u32, Definition, i64)>> {
        let read = |id: &[u8], row: &[u8]| {
            let (definition, day): (Definition, u32) = postcard::from_bytes(row).ok()?;
            Some((u32::from_be_bytes(id.try_into().ok()?), definition, i64::from(day)))
        };
        match self {
            Shelf::Memory(memory) => {
                let memory = lock(memory);
                Ok(memory.series.iter().filter_map(|(id, row)| read(&id.to_be_bytes(), row)).collect())
            }
            Shelf::Disk(disk) => {
                let mut all = Vec::new();
                for row in disk.series.iter() {
                    let (id, row) = row.into_inner()?;
                    all.extend(read(&id, &row));
                }
                Ok(all)
            }
        }
    }

    /// Puts rows of series, in order of id; durable on return.
    pub fn put_series(&self, rows: &[(u32, Definition, i64)]) -> fjall::Result<()> {
        // Writing to a growing Vec cannot fail; the types hold nothing postcard refuses.
        let row = |definition: &Definition, day: i64| {
            postcard::to_allocvec(&(definition, day.max(0) as u32)).unwrap_or_default()
        };
        match self {
            Shelf::Memory(memory) => {
                lock(memory)
                    .series
                    .extend(rows.iter().map(|(id, definition, day)| (*id, row(definition, *day))));
            }
            Shelf::Disk(_) if rows.is_empty() => {}
            Shelf::Disk(disk) => {
                let rows = rows.iter();
                let rows =
                    rows.map(|(id, definition, day)| (id.to_be_bytes().to_vec(), row(definition, *day)));
                ingest(&disk.series, rows)?;
            }
        }
        Ok(())
    }

    /// Lets rows of series go.
    pub fn forget_series(&self, ids: &[u32]) -> fjall::Result<()> {
        match self {
            Shelf::Memory(memory) => lock(memory).series.retain(|id, _| !ids.contains(id)),
            Shelf::Disk(_) if ids.is_empty() => {}
            Shelf::Disk(disk) => {
                let mut ingestion = disk.series.start_ingestion()?;
                for id in ids {
                    ingestion.write_tombstone(id.to_be_bytes().to_vec())?;
                }
                ingestion.finish()?;
            }
        }
        Ok(())
    }

    /// Lets the days before this one go; gives how many went.
    pub fn drop_before(&self, first: i64) -> fjall::Result<usize> {
        match self {
            Shelf::Memory(memory) => {
                let mut memory = lock(memory);
                memory.chunks = memory.chunks.split_off(&(first * DAY_MS, 0));
                Ok(0)
            }
            Shelf::Disk(disk) => {
                let gone: Vec<_> =
                    lock(&disk.days).range(..first).map(|(day, keyspace)| (*day, keyspace.clone())).collect();
                for (day, keyspace) in &gone {
                    tracing::info!(day, "samples of a day are past keeping");
                    disk.database.delete_keyspace(keyspace.clone())?;
                    // Not before: one that could not be deleted is tried again.
                    lock(&disk.days).remove(day);
                }
                Ok(gone.len())
            }
        }
    }

    /// Octets of all chunks, as stored.
    pub fn octets(&self) -> u64 {
        match self {
            Shelf::Memory(memory) => lock(memory).chunks.values().map(|chunk| chunk.len() as u64).sum(),
            Shelf::Disk(disk) => lock(&disk.days).values().map(Keyspace::disk_space).sum(),
        }
    }
}

impl Disk {
    fn day(&self, day: i64) -> fjall::Result<Keyspace> {
        let mut days = lock(&self.days);
        if let Some(keyspace) = days.get(&day) {
            return Ok(keyspace.clone());
        }
        let keyspace = self.database.keyspace(&format!("{RAW}{day}"), options)?;
        days.insert(day, keyspace.clone());
        Ok(keyspace)
    }
}

fn options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE)
        .data_block_size_policy(BlockSizePolicy::all(BLOCK))
        // Places asked for are there, as a rule: filters would answer nothing for their octets.
        .filter_policy(FilterPolicy::disabled())
        .expect_point_read_hits(true)
}

fn ingest(keyspace: &Keyspace, rows: impl Iterator<Item = (Vec<u8>, Vec<u8>)>) -> fjall::Result<()> {
    let mut ingestion = keyspace.start_ingestion()?;
    for (key, row) in rows {
        ingestion.write(key, row)?;
    }
    ingestion.finish()
}

fn key((start, id): Place) -> [u8; 8] {
    let seconds = u32::try_from(start.div_euclid(1000)).unwrap_or_default();
    (u64::from(seconds) << 32 | u64::from(id)).to_be_bytes()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
