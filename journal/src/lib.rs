//! The log everything passes through: append-only, checksummed, bounded, with durable cursors.
//!
//! One code, several uses: the agent's spool (full: the oldest goes, counted) and the collector's
//! `evidence` (full: the oldest beyond retention goes, or the record is refused). It is synchronous and
//! knows no clock; the caller owns the thread.
//!
//! ```text
//!  directory                          segment 00000000000000000500.seg
//!  ├─ lock      one writer            ┌────────────┬──────────┬──────────┬─────────┬───────────┐
//!  ├─ marks     oldest, dropped,      │ magic      │ version  │ first    │ crc32   │ records … │
//!  │            named cursors         │ "HDJOURNL" │ u32 = 1  │ u64      │ of left │           │
//!  ├─ 0…0250.seg   sealed, durable    └────────────┴──────────┴──────────┴─────────┴───────────┘
//!  └─ 0…0500.seg   active               8            4          8          4
//!
//!  record  ┌─────────────┬────────────────────────────────┬─────────────┐
//!          │ length u32  │ crc32 of (length ‖ position ‖  │ payload     │   all integers little endian
//!          │ never 0     │ payload)                 u32   │ length bytes│
//!          └─────────────┴────────────────────────────────┴─────────────┘
//! ```
//!
//! The position of a record is not stored but is under its checksum, so a record can never be returned
//! under a number that is not its own. A stored length is never zero, so a zero-filled tail (ext4 after a
//! power cut) can never be taken for records.
//!
//! # What it promises
//!
//! - **Durability is explicit.** [`Journal::append`] buffers; nothing is durable before [`Journal::sync`]
//!   returns. A segment is synced whole before its successor is created, and the directory is synced after
//!   names change.
//! - **Readers see only what is durable**, so nothing a reader has shown can be lost or renumbered by a
//!   power cut. A position is final once synced; an unsynced one may be given again after a crash.
//! - **Positions are gapless**, survive restarts and are not shifted by dropping old segments.
//! - **A torn tail is cut and reported** ([`Opened::repaired`]); appending goes on behind the last whole record.
//! - **Damage is never silent.** A record that fails its checksum becomes a [`Gap`] with file and offset. If
//!   its length still leads to a whole successor, only that record is lost, else the rest of its segment.
//!   (A damaged segment header costs no record and is not reported: each record proves itself.)
//! - **The size is bounded** by [`Settings::max_bytes`]; what is lost to the bound is counted in
//!   [`Journal::dropped`].
//! - **One writer**: a second one gets [`Error::Locked`]. [`Snapshot`] reads without lock, write or repair.
//!
//! ```
//! use haidang_journal::{Item, Journal, OnFull, Position, Settings, memory::Memory};
//!
//! # fn main() -> Result<(), haidang_journal::Error> {
//! let settings =
//!     Settings { segment_bytes: 1 << 20, max_bytes: 1 << 26, on_full: OnFull::DropOldest, max_record: 1 << 16 };
//! let (mut spool, _) = Journal::open(Memory::new(), settings)?;
//! let appended = spool.append(b"a batch")?;
//! spool.sync()?; // only now is it durable, and visible below
//! for item in spool.read(spool.cursor("uplink").unwrap_or_default()) {
//!     match item? {
//!         Item::Record { position, bytes } => assert_eq!((position, &bytes[..]), (Position(0), &b"a batch"[..])),
//!         Item::Gap(gap) => eprintln!("{} records are gone", gap.records()),
//!     }
//! }
//! spool.set_cursor("uplink", appended.position.next())?;
//! # Ok(())
//! # }
//! ```

mod disk;
mod error;
mod files;
mod format;
mod index;
mod journal;
mod marks;
pub mod memory;
mod reader;
mod recover;
mod snapshot;

pub use disk::{Disk, DiskFile, Entry};
pub use error::Error;
pub use files::Files;
pub use format::Fault;
pub use journal::{Appended, Journal};
pub use reader::{Gap, Item, Loss, Reader};
pub use recover::{Opened, Repair};
pub use snapshot::Snapshot;

use std::fmt;

/// The number of a record: from 0, gapless, never shifted by restarts or drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

impl Position {
    /// The position that follows; a cursor that has consumed `self` stands there.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The bounds of a journal. They may differ from one opening to the next; a smaller `max_bytes` takes
/// effect at the next append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bytes after which a segment is sealed; the unit in which old records are dropped.
    pub segment_bytes: u64,
    /// Bytes of all segments together, at least two segments. `marks` and `lock` (under 8 KiB) come on top.
    pub max_bytes: u64,
    /// What an append does when `max_bytes` would be passed.
    pub on_full: OnFull,
    /// Longest payload accepted, bytes; with its framing it must fit a segment.
    pub max_record: u32,
}

impl Settings {
    fn check(&self) -> Result<(), Error> {
        let longest = format::HEADER + format::framed(u64::from(self.max_record));
        if self.max_record == 0 {
            return Err(Error::Settings { reason: "max_record is zero" });
        }
        if longest > self.segment_bytes {
            return Err(Error::Settings {
                reason: "a record of max_record bytes does not fit segment_bytes",
            });
        }
        if self.segment_bytes > self.max_bytes / 2 {
            return Err(Error::Settings { reason: "max_bytes is less than two segments" });
        }
        Ok(())
    }
}

/// What a full journal does with one more record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFull {
    /// The oldest segment goes, whatever cursors still need it; its records are counted as dropped.
    DropOldest,
    /// The append fails with [`Error::Full`] until [`Journal::drop_before`] frees a segment.
    Refuse,
}
