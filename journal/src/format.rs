//! The bytes of a segment: names, header, records, and reading them back in chunks.
//!
//! Drawing in the crate's documentation. Pure save for [`Window`], which reads through a [`Disk`].

use crate::{Disk, Error};
use std::io;

/// Bytes of a segment's header.
pub(crate) const HEADER: u64 = 24;
/// The only format version so far.
pub(crate) const VERSION: u32 = 1;
/// Bytes before a payload: length and checksum.
const FRAME: u64 = 8;
/// Bytes asked of the disk at once when reading.
const CHUNK: u64 = 64 * 1024;

const MAGIC: &[u8; 8] = b"HDJOURNL";
const SUFFIX: &str = ".seg";
const DIGITS: usize = 20;

/// What is wrong with the bytes where a record should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The file ends before the record (or the header) does.
    Incomplete,
    /// Nothing but zeros: space was given to the file, content never arrived.
    ZeroFilled,
    /// The bytes contradict their checksum.
    Checksum,
    /// The device cannot read the sector, or the file is gone.
    Unreadable,
}

/// File name of the segment whose first record is `first`: sorts as the positions do.
pub(crate) fn segment_name(first: u64) -> String {
    format!("{first:0DIGITS$}{SUFFIX}")
}

/// The first position a file name carries, if it is a segment's.
pub(crate) fn segment_first(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let well_formed = digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| well_formed)
}

/// Bytes a payload of `length` takes in a segment.
pub(crate) fn framed(length: u64) -> u64 {
    FRAME + length
}

/// The header of the segment that begins with `first`.
pub(crate) fn header(first: u64) -> [u8; HEADER as usize] {
    let mut bytes = [0; HEADER as usize];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..20].copy_from_slice(&first.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..20]);
    bytes[20..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Appends the record at `position` to `buffer`. `payload` is not empty and its length fits `u32`.
pub(crate) fn push_record(buffer: &mut Vec<u8>, position: u64, payload: &[u8]) {
    let length = payload.len() as u32;
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(&checksum(length, position, payload).to_le_bytes());
    buffer.extend_from_slice(payload);
}

fn checksum(length: u32, position: u64, payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&length.to_le_bytes());
    crc.update(&position.to_le_bytes());
    crc.update(payload);
    crc.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// What stands at the head of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head {
    /// Whole, of the version known here, and of the segment its name says.
    Good,
    /// Whole, but of another version.
    Foreign(u32),
    /// Torn or damaged. Records behind it still prove themselves.
    Bad(Fault),
}

/// What stands where a record is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A whole record; the next one begins at `next`.
    Record { next: u64 },
    /// Not a record, but its length leads to one that proves itself at `next`.
    Hole { next: u64, fault: Fault },
    /// Not a record, and no way to find another one in this segment.
    Lost(Fault),
}

/// Reads a segment through a buffer of [`CHUNK`] bytes (more only for a longer record).
#[derive(Debug, Default)]
pub(crate) struct Window {
    start: u64,
    bytes: Vec<u8>,
}

/// A segment to read: its file and how many of its bytes count.
pub(crate) struct Span<'a, D> {
    pub(crate) disk: &'a D,
    pub(crate) first: u64,
    pub(crate) bytes: u64,
}

impl<D: Disk> Span<'_, D> {
    pub(crate) fn name(&self) -> String {
        segment_name(self.first)
    }

    pub(crate) fn error(&self, source: io::Error) -> Error {
        Error::Disk { what: "read", path: self.disk.path(&self.name()), source }
    }
}

impl Window {
    /// Forgets what was read, before turning to another segment.
    pub(crate) fn clear(&mut self) {
        self.start = 0;
        self.bytes.clear();
    }

    /// The payload of the record [`Window::find`] has just found at `offset`.
    pub(crate) fn payload(&self, offset: u64, next: u64) -> &[u8] {
        let from = (offset + FRAME).saturating_sub(self.start) as usize;
        let to = next.saturating_sub(self.start) as usize;
        self.bytes.get(from..to).unwrap_or_default()
    }

    /// Judges the header.
    pub(crate) fn head<D: Disk>(&mut self, span: &Span<'_, D>) -> io::Result<Head> {
        let Some(bytes) = self.slice(span, 0, HEADER)? else { return Ok(Head::Bad(Fault::Incomplete)) };
        if bytes.iter().all(|&b| b == 0) {
            return Ok(Head::Bad(Fault::ZeroFilled));
        }
        if &bytes[..8] != MAGIC || u32_at(bytes, 20) != crc32fast::hash(&bytes[..20]) {
            return Ok(Head::Bad(Fault::Checksum));
        }
        let version = u32_at(bytes, 8);
        if version != VERSION {
            return Ok(Head::Foreign(version));
        }
        let of_this_name = bytes == header(span.first);
        Ok(if of_this_name { Head::Good } else { Head::Bad(Fault::Checksum) })
    }

    /// Judges what stands at `offset`, where the record `position` is expected.
    pub(crate) fn find<D: Disk>(
        &mut self,
        span: &Span<'_, D>,
        offset: u64,
        position: u64,
    ) -> io::Result<Found> {
        let (fault, claimed) = match self.judge(span, offset, position)? {
            Judged::Whole { next } => return Ok(Found::Record { next }),
            Judged::Bad { fault, claimed } => (fault, claimed),
        };
        let Some(next) = claimed else { return Ok(Found::Lost(fault)) };
        match self.judge(span, next, position + 1)? {
            Judged::Whole { .. } => Ok(Found::Hole { next, fault }),
            Judged::Bad { .. } => Ok(Found::Lost(fault)),
        }
    }

    fn judge<D: Disk>(&mut self, span: &Span<'_, D>, offset: u64, position: u64) -> io::Result<Judged> {
        let bad = |fault, claimed| Ok(Judged::Bad { fault, claimed });
        let Some(frame) = self.slice(span, offset, FRAME)? else {
            return bad(Fault::Incomplete, None);
        };
        let (length, stored) = (u32_at(frame, 0), u32_at(frame, 4));
        if length == 0 {
            return bad(if stored == 0 { Fault::ZeroFilled } else { Fault::Checksum }, None);
        }
        let next = offset + framed(u64::from(length));
        let Some(record) = self.slice(span, offset, framed(u64::from(length)))? else {
            return bad(Fault::Incomplete, None);
        };
        if checksum(length, position, &record[FRAME as usize..]) == stored {
            return Ok(Judged::Whole { next });
        }
        bad(Fault::Checksum, Some(next))
    }

    /// The bytes `offset..offset + length` of the span, or `None` where it ends earlier.
    fn slice<D: Disk>(&mut self, span: &Span<'_, D>, offset: u64, length: u64) -> io::Result<Option<&[u8]>> {
        if offset + length > span.bytes {
            return Ok(None);
        }
        let held = self.start..self.start + self.bytes.len() as u64;
        if offset < held.start || offset + length > held.end {
            let wanted = length.max(CHUNK).min(span.bytes - offset);
            self.start = offset;
            self.bytes.resize(wanted as usize, 0);
            let read = span.disk.read_at(&span.name(), offset, &mut self.bytes);
            self.bytes.truncate(*read.as_ref().unwrap_or(&0));
            read?;
        }
        let from = (offset - self.start) as usize;
        Ok(self.bytes.get(from..from + length as usize))
    }
}

enum Judged {
    Whole { next: u64 },
    Bad { fault: Fault, claimed: Option<u64> },
}
