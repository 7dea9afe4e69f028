//! Opening: what the directory holds, and putting right what a crash left behind.
//!
//! Only the last segment can be torn, since each segment is synced before its successor is created; so only
//! the last one is scanned, and opening costs at most one segment of reading. Damage in earlier ones is met,
//! and reported, by whoever reads them.

use crate::format::{Fault, Found, HEADER, Head, Span, VERSION, Window, header, segment_first, segment_name};
use crate::index::{Index, Segment};
use crate::marks::Marks;
use crate::{Disk, DiskFile, Error, Position};
use std::io;

/// What an opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The oldest position still held.
    pub first: Position,
    /// The position the next record gets.
    pub next: Position,
    /// What was cut from the end, or in a [`crate::Snapshot`] is left unread there.
    pub repaired: Option<Repair>,
    /// Records of the last segment that are damaged though whole ones follow; readers show them as gaps.
    pub damaged: u64,
    /// Whether the file of cursors was damaged: all cursors and the count of drops are lost.
    pub marks_lost: bool,
}

/// A torn tail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// Path of the segment.
    pub path: String,
    /// Length it was cut to; the torn bytes began here.
    pub offset: u64,
    /// Bytes cut; zero for a segment whose creation was cut short before any byte arrived.
    pub bytes_cut: u64,
    /// What was wrong with them.
    pub fault: Fault,
}

/// What a directory holds, before anything is changed.
pub(crate) struct Survey {
    /// Every segment not dropped; the last one with its whole bytes only.
    pub(crate) index: Index,
    /// Segments an interrupted drop left behind.
    pub(crate) leftovers: Vec<u64>,
    pub(crate) marks: Marks,
    pub(crate) opened: Opened,
    tail: Option<Tail>,
}

/// The end of the last segment.
struct Tail {
    first: u64,
    head: Head,
    end: u64,
    bytes: u64,
    damaged: u64,
    torn: Option<(u64, Fault)>,
}

impl Survey {
    pub(crate) fn of<D: Disk>(disk: &D) -> Result<Self, Error> {
        let marks = Marks::load(disk)?;
        let marks_lost = marks.is_none();
        let marks = marks.unwrap_or_default();
        let (mut segments, leftovers) = list(disk, marks.oldest)?;
        let tail = segments.last().map(|&last| Tail::scan(disk, last)).transpose()?;
        if let (Some(last), Some(tail)) = (segments.last_mut(), &tail) {
            last.bytes = tail.bytes;
        }
        let next = tail.as_ref().map_or(0, |t| t.end).max(marks.floor());
        let index = Index { segments: segments.into(), synced: next };
        let repaired = tail.as_ref().and_then(|tail| {
            let path = disk.path(&segment_name(tail.first));
            tail.torn.map(|(bytes_cut, fault)| Repair { path, offset: tail.bytes, bytes_cut, fault })
        });
        let opened = Opened {
            first: Position(index.first()),
            next: Position(next),
            repaired,
            damaged: tail.as_ref().map_or(0, |t| t.damaged),
            marks_lost,
        };
        Ok(Self { index, leftovers, marks, opened, tail })
    }

    /// Removes leftovers, cuts the torn tail, and returns the segment to append to, durable so far.
    pub(crate) fn repair<D: Disk>(&mut self, disk: &D) -> Result<D::File, Error> {
        for &first in &self.leftovers {
            remove(disk, first)?;
        }
        let next = self.index.synced;
        let file = match self.tail.take() {
            None => self.begin(disk, next)?,
            Some(tail) if tail.end == tail.first && tail.head != Head::Good && next == tail.end => {
                self.index.segments.pop_back();
                self.begin(disk, next)?
            }
            Some(tail) => {
                let name = segment_name(tail.first);
                let file = cut(disk, &name, tail.bytes).map_err(Error::disk("repair", disk.path(&name)))?;
                // Beyond: rot has eaten records whose positions were given; a new segment keeps theirs free.
                if next == tail.end { file } else { self.begin(disk, next)? }
            }
        };
        disk.sync_names().map_err(Error::disk("sync", disk.path("")))?;
        Ok(file)
    }

    fn begin<D: Disk>(&mut self, disk: &D, first: u64) -> Result<D::File, Error> {
        let file = create(disk, first)?;
        self.index.segments.push_back(Segment { first, bytes: HEADER });
        Ok(file)
    }
}

/// Creates the segment that begins with `first`; its name is durable. Its header becomes so with the first
/// record, and needs no earlier sync: a segment without it holds nothing that was promised.
pub(crate) fn create<D: Disk>(disk: &D, first: u64) -> Result<D::File, Error> {
    let name = segment_name(first);
    let made = || {
        let mut file = disk.open_cut(&name, 0)?;
        file.append(&header(first))?;
        disk.sync_names()?;
        Ok(file)
    };
    made().map_err(Error::disk("create", disk.path(&name)))
}

/// Removes a dropped segment; one that is gone already is as good.
pub(crate) fn remove<D: Disk>(disk: &D, first: u64) -> Result<(), Error> {
    let name = segment_name(first);
    match disk.remove(&name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(Error::disk("remove", disk.path(&name))),
    }
}

fn cut<D: Disk>(disk: &D, name: &str, bytes: u64) -> io::Result<D::File> {
    let mut file = disk.open_cut(name, bytes)?;
    // After kill -9 whole records may still be in memory only; readers are about to see them.
    file.sync()?;
    Ok(file)
}

/// The segments in order, and apart from them those wholly before `oldest`.
fn list<D: Disk>(disk: &D, oldest: u64) -> Result<(Vec<Segment>, Vec<u64>), Error> {
    let entries = disk.list().map_err(Error::disk("list", disk.path("")))?;
    let segment = |e: &crate::Entry| segment_first(&e.name).map(|first| Segment { first, bytes: e.bytes });
    let mut segments: Vec<_> = entries.iter().filter_map(segment).collect();
    segments.sort_by_key(|s| s.first);
    let kept_from = segments.partition_point(|s| s.first <= oldest).saturating_sub(1);
    let kept = segments.split_off(kept_from);
    Ok((kept, segments.iter().map(|s| s.first).collect()))
}

impl Tail {
    fn scan<D: Disk>(disk: &D, last: Segment) -> Result<Self, Error> {
        let span = Span { disk, first: last.first, bytes: last.bytes };
        let mut window = Window::default();
        let head = window.head(&span).map_err(|e| span.error(e))?;
        if let Head::Foreign(found) = head {
            return Err(Error::Version { path: disk.path(&span.name()), found, known: VERSION });
        }
        let (mut end, mut offset, mut damaged) = (last.first, HEADER, 0);
        let mut fault = None;
        while fault.is_none() && offset < last.bytes {
            match window.find(&span, offset, end).map_err(|e| span.error(e))? {
                Found::Record { next } => (end, offset) = (end + 1, next),
                Found::Hole { next, .. } => (end, offset, damaged) = (end + 1, next, damaged + 1),
                Found::Lost(why) => fault = Some(why),
            }
        }
        if let (Head::Bad(why), true) = (head, end == last.first) {
            (offset, fault) = (0, Some(why));
        }
        if fault == Some(Fault::ZeroFilled) && !all_zero(disk, &span, offset)? {
            fault = Some(Fault::Checksum);
        }
        let torn = fault.map(|why| (last.bytes - offset, why));
        Ok(Self { first: last.first, head, end, bytes: offset, damaged, torn })
    }
}

/// Whether the segment holds nothing but zeros from `offset` on.
fn all_zero<D: Disk>(disk: &D, span: &Span<'_, D>, offset: u64) -> Result<bool, Error> {
    let mut chunk = vec![0; 64 * 1024];
    let mut at = offset;
    while at < span.bytes {
        let read = disk.read_at(&span.name(), at, &mut chunk).map_err(|e| span.error(e))?;
        if read == 0 || chunk.iter().take(read).any(|&b| b != 0) {
            return Ok(read == 0);
        }
        at += read as u64;
    }
    Ok(true)
}
