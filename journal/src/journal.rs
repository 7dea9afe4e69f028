//! The writer: append, sync, drop, cursors.
//!
//! ```text
//!  append ─▶ buffer (64 KiB) ─flush─▶ file ─sync─▶ durable ─▶ readers
//!               └ active segment full: flush, sync, seal; create the next, its name durable
//! ```

use crate::format::{HEADER, framed, push_record, segment_name};
use crate::index::{Segment, Shared};
use crate::marks::Marks;
use crate::recover::{Opened, Survey, create, remove};
use crate::{Disk, DiskFile, Error, OnFull, Position, Reader, Settings};
use std::io;
use std::sync::Arc;

/// Records are handed to the system in pieces of about this size, bytes.
const BUFFER: usize = 64 * 1024;

/// An accepted record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its number; final once synced.
    pub position: Position,
    /// Records this append dropped to make room.
    pub dropped: u64,
}

/// The one writer of a directory.
///
/// Dropping it does not sync: what was not synced may be lost, as in a crash.
pub struct Journal<D: Disk> {
    shared: Arc<Shared<D>>,
    settings: Settings,
    marks: Marks,
    active: Active<D::File>,
    /// Bytes of all segments but the active one.
    sealed_bytes: u64,
    /// A sync has failed; see [`Error::Failed`].
    failed: bool,
    _lock: D::Lock,
}

/// The segment being appended to.
struct Active<F> {
    /// `None` after a failed write: the file must be cut to `written` before the next one.
    file: Option<F>,
    first: u64,
    /// The position the next record gets.
    next: u64,
    /// Bytes the system has taken.
    written: u64,
    buffer: Vec<u8>,
    /// The next append must go to a new segment, which may already exist in part.
    sealed: bool,
}

impl<F> Active<F> {
    fn new(file: F, segment: Segment, next: u64) -> Self {
        let buffer = Vec::new();
        Self { file: Some(file), first: segment.first, next, written: segment.bytes, buffer, sealed: false }
    }

    fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }
}

impl<D: Disk> Journal<D> {
    /// Opens or creates the journal on `disk`, cutting a torn tail. Everything found is durable afterwards.
    ///
    /// # Errors
    /// [`Error::Locked`] if someone else writes, [`Error::Version`] for a later format, [`Error::Settings`].
    pub fn open(disk: D, settings: Settings) -> Result<(Self, Opened), Error> {
        settings.check()?;
        let lock = disk.lock().map_err(|source| {
            if source.kind() == io::ErrorKind::WouldBlock {
                return Error::Locked { path: disk.path("lock") };
            }
            Error::Disk { what: "lock", path: disk.path("lock"), source }
        })?;
        let mut survey = Survey::of(&disk)?;
        let file = survey.repair(&disk)?;
        let Survey { index, marks, mut opened, .. } = survey;
        opened.first = Position(index.first());
        let last = index.segments.back().copied().unwrap_or(Segment { first: 0, bytes: 0 });
        let sealed_bytes = index.segments.iter().map(|s| s.bytes).sum::<u64>() - last.bytes;
        let active = Active::new(file, last, index.synced);
        let shared = Shared::new(disk, index);
        Ok((Self { shared, settings, marks, active, sealed_bytes, failed: false, _lock: lock }, opened))
    }

    /// Takes one record. It is **not durable** before the next [`Journal::sync`], and not visible to readers.
    ///
    /// # Errors
    /// The record was not taken, and nothing taken earlier is harmed: [`Error::Empty`], [`Error::TooLong`],
    /// [`Error::Full`], [`Error::Disk`] (may be retried), [`Error::Failed`].
    pub fn append(&mut self, payload: &[u8]) -> Result<Appended, Error> {
        self.check(payload)?;
        let needed = framed(payload.len() as u64);
        let outgrown = self.active.bytes() + needed > self.settings.segment_bytes;
        let rotates = self.active.sealed || (outgrown && self.active.next > self.active.first);
        if self.settings.on_full == OnFull::Refuse {
            self.refuse_beyond(needed + if rotates { HEADER } else { 0 })?;
        }
        if rotates {
            self.rotate()?;
        }
        let dropped = self.make_room(needed)?;
        if self.active.buffer.len() as u64 + needed > BUFFER as u64 {
            self.flush()?;
        }
        let position = Position(self.active.next);
        push_record(&mut self.active.buffer, position.0, payload);
        self.active.next += 1;
        Ok(Appended { position, dropped })
    }

    /// Makes every record taken so far durable and visible: one write, one `fdatasync`.
    ///
    /// # Errors
    /// [`Error::Disk`] when the write failed (may be retried) or the sync did; after the latter every call
    /// is [`Error::Failed`].
    pub fn sync(&mut self) -> Result<(), Error> {
        self.alive()?;
        if self.active.next == self.shared.index().synced {
            return Ok(());
        }
        self.flush()?;
        if let Some(file) = &mut self.active.file
            && let Err(source) = file.sync()
        {
            self.failed = true;
            return Err(Error::Disk { what: "sync", path: self.active_path(), source });
        }
        let mut index = self.shared.index();
        index.synced = self.active.next;
        if let Some(last) = index.segments.back_mut() {
            last.bytes = self.active.written;
        }
        Ok(())
    }

    /// Reads the durable records from `from` on, also while further ones are appended. A `from` already
    /// dropped yields a gap first.
    pub fn read(&self, from: Position) -> Reader<D> {
        Reader::new(Arc::clone(&self.shared), from)
    }

    /// The oldest position still held.
    pub fn first(&self) -> Position {
        Position(self.shared.index().first())
    }

    /// The position the next record gets.
    pub fn next(&self) -> Position {
        Position(self.active.next)
    }

    /// The first position not known to be durable; equals [`Journal::next`] right after a sync.
    pub fn synced(&self) -> Position {
        Position(self.shared.index().synced)
    }

    /// Bytes of all segments, buffered ones included.
    pub fn bytes(&self) -> u64 {
        self.sealed_bytes + self.active.bytes()
    }

    /// Records lost to the bound since the journal was created. Not counted: [`Journal::drop_before`].
    pub fn dropped(&self) -> u64 {
        self.marks.dropped
    }

    /// Where the cursor `name` stands, if it was ever set.
    pub fn cursor(&self, name: &str) -> Option<Position> {
        self.marks.cursors.get(name).copied().map(Position)
    }

    /// Moves the cursor `name` (made if missing), durably. Costs a small file replaced and two syncs.
    ///
    /// # Errors
    /// [`Error::Cursor`] for a bad name, [`Error::Ahead`] beyond [`Journal::synced`], [`Error::Disk`].
    pub fn set_cursor(&mut self, name: &str, position: Position) -> Result<(), Error> {
        if let Some(reason) = self.marks.refuses(name) {
            return Err(Error::Cursor { name: name.to_owned(), reason });
        }
        let synced = self.synced();
        if position > synced {
            return Err(Error::Ahead { name: name.to_owned(), position, synced });
        }
        if self.cursor(name) == Some(position) {
            return Ok(());
        }
        let mut marks = self.marks.clone();
        marks.cursors.insert(name.to_owned(), position.0);
        marks.synced = synced.0;
        marks.store(&self.shared.disk)?;
        self.marks = marks;
        Ok(())
    }

    /// Drops every sealed segment whose records are all before `position`. Not a loss, so not counted.
    pub fn drop_before(&mut self, position: Position) -> Result<(), Error> {
        let count = {
            let index = self.shared.index();
            let successors = index.segments.iter().skip(1);
            successors.take_while(|s| s.first <= position.0).count()
        };
        self.drop_oldest(count, false).map(|_| ())
    }

    fn check(&self, payload: &[u8]) -> Result<(), Error> {
        self.alive()?;
        if payload.is_empty() {
            return Err(Error::Empty);
        }
        let max_record = self.settings.max_record;
        if payload.len() as u64 > u64::from(max_record) {
            return Err(Error::TooLong { bytes: payload.len(), max_record });
        }
        Ok(())
    }

    fn alive(&self) -> Result<(), Error> {
        if self.failed {
            return Err(Error::Failed { path: self.active_path() });
        }
        Ok(())
    }

    fn refuse_beyond(&self, growth: u64) -> Result<(), Error> {
        let (bytes, max_bytes) = (self.bytes(), self.settings.max_bytes);
        if bytes + growth > max_bytes {
            return Err(Error::Full { bytes, max_bytes });
        }
        Ok(())
    }

    /// Seals the active segment, durable, and begins the next one.
    fn rotate(&mut self) -> Result<(), Error> {
        self.sync()?;
        self.active.sealed = true;
        let segment = Segment { first: self.active.next, bytes: HEADER };
        let file = create(&self.shared.disk, segment.first)?;
        self.sealed_bytes += self.active.written;
        self.active = Active::new(file, segment, segment.first);
        self.shared.index().segments.push_back(segment);
        Ok(())
    }

    /// Drops the oldest segments until `needed` more bytes fit the bound.
    fn make_room(&mut self, needed: u64) -> Result<u64, Error> {
        let mut excess = (self.bytes() + needed).saturating_sub(self.settings.max_bytes);
        if excess == 0 {
            return Ok(0);
        }
        let count = {
            let index = self.shared.index();
            let sealed = index.segments.len().saturating_sub(1);
            let goes = |s: &&Segment| {
                let over = excess > 0;
                excess = excess.saturating_sub(s.bytes);
                over
            };
            index.segments.iter().take(sealed).take_while(goes).count()
        };
        self.drop_oldest(count, true)
    }

    /// Drops `count` segments; returns their records. The mark goes first, so that an opening finishes what
    /// a crash interrupts and counts nothing twice.
    fn drop_oldest(&mut self, count: usize, lost: bool) -> Result<u64, Error> {
        let Some(oldest) = self.shared.index().segments.get(count).map(|s| s.first).filter(|_| count > 0)
        else {
            return Ok(0);
        };
        let records = oldest - self.first().0;
        let mut marks = self.marks.clone();
        marks.oldest = oldest;
        marks.synced = self.synced().0;
        marks.dropped += if lost { records } else { 0 };
        marks.store(&self.shared.disk)?;
        self.marks = marks;
        let gone: Vec<_> = self.shared.index().segments.drain(..count).collect();
        self.sealed_bytes -= gone.iter().map(|s| s.bytes).sum::<u64>();
        let disk = &self.shared.disk;
        for segment in gone {
            remove(disk, segment.first)?;
        }
        disk.sync_names().map_err(Error::disk("sync", disk.path("")))?;
        Ok(records)
    }

    /// Hands the buffer to the system. After a failure it is kept, and the file is cut before the retry.
    fn flush(&mut self) -> Result<(), Error> {
        let active = &mut self.active;
        if active.buffer.is_empty() {
            return Ok(());
        }
        let disk = &self.shared.disk;
        let name = segment_name(active.first);
        let mut file = match active.file.take() {
            Some(file) => file,
            None => disk.open_cut(&name, active.written).map_err(Error::disk("repair", disk.path(&name)))?,
        };
        file.append(&active.buffer).map_err(Error::disk("append to", disk.path(&name)))?;
        active.file = Some(file);
        active.written += active.buffer.len() as u64;
        active.buffer.clear();
        Ok(())
    }

    fn active_path(&self) -> String {
        self.shared.disk.path(&segment_name(self.active.first))
    }
}
