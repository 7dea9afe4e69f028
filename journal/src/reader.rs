//! Walking the durable records from a position.
//!
//! A reader is independent of the journal's borrow and may live on another thread while records are
//! appended. Seeking is by segment name, then by skipping within one segment; so keep a reader rather than
//! making one per record.

use crate::format::{Fault, Found, HEADER, Head, VERSION, Window, segment_name};
use crate::index::{Extent, Located, Shared};
use crate::{Disk, Error, Position};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// What stands at a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A record, as it was appended.
    Record {
        /// Its number.
        position: Position,
        /// Its payload.
        bytes: Vec<u8>,
    },
    /// Records that cannot be had any more.
    Gap(Gap),
}

/// Records `from..to` that cannot be had any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The first one missing.
    pub from: Position,
    /// The first one after them.
    pub to: Position,
    /// Where they went.
    pub loss: Loss,
}

impl Gap {
    /// How many records are missing.
    pub fn records(&self) -> u64 {
        self.to.0 - self.from.0
    }
}

/// Where the records of a gap went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loss {
    /// Dropped with their segment, by the bound or by [`crate::Journal::drop_before`].
    Dropped,
    /// Damaged on disk.
    Damaged {
        /// Path of the segment.
        path: String,
        /// Byte at which the first damaged record begins.
        offset: u64,
        /// What is wrong there.
        fault: Fault,
    },
}

/// An iterator over the durable records from a position on.
///
/// `None` means the end *for now*: after a further [`crate::Journal::sync`] it goes on. An `Err` leaves the
/// reader where it stands, so the next call tries again.
pub struct Reader<D> {
    shared: Arc<Shared<D>>,
    at: u64,
    place: Option<Place>,
    window: Window,
}

/// How far the reader has come in a segment.
#[derive(Clone, Copy)]
struct Place {
    first: u64,
    position: u64,
    offset: u64,
}

impl<D: Disk> Reader<D> {
    pub(crate) fn new(shared: Arc<Shared<D>>, from: Position) -> Self {
        Self { shared, at: from.0, place: None, window: Window::default() }
    }

    /// The position of the next record or gap.
    pub fn position(&self) -> Position {
        Position(self.at)
    }

    fn dropped_until(&mut self, first: u64) -> Item {
        self.gap(self.at..first, Loss::Dropped)
    }

    fn gap(&mut self, range: Range<u64>, loss: Loss) -> Item {
        self.at = range.end;
        Item::Gap(Gap { from: Position(range.start), to: Position(range.end), loss })
    }

    fn damaged(&mut self, extent: Extent, end: u64, offset: u64, fault: Fault) -> Item {
        let path = self.shared.disk.path(&segment_name(extent.first));
        self.gap(self.at..end, Loss::Damaged { path, offset, fault })
    }

    /// One step in the segment that holds `at`; `None` when it only skipped towards `at`.
    fn step(&mut self, extent: Extent) -> Result<Option<Item>, Error> {
        let place = match self.place {
            Some(place) if place.first == extent.first => place,
            _ => match self.enter(extent)? {
                Some(place) => place,
                None => return Ok(Some(self.damaged(extent, extent.end, 0, Fault::Unreadable))),
            },
        };
        let span = self.shared.span(extent);
        let found = match self.window.find(&span, place.offset, place.position) {
            Ok(found) => found,
            Err(source) if is_loss(&source) => Found::Lost(Fault::Unreadable),
            Err(source) => return Err(span.error(source)),
        };
        let wanted = place.position == self.at;
        let (next, item) = match found {
            Found::Record { next } if wanted => {
                let bytes = self.window.payload(place.offset, next).to_vec();
                self.at += 1;
                (next, Some(Item::Record { position: Position(place.position), bytes }))
            }
            Found::Hole { next, fault } if wanted => {
                (next, Some(self.damaged(extent, place.position + 1, place.offset, fault)))
            }
            Found::Record { next } | Found::Hole { next, .. } => (next, None),
            Found::Lost(fault) => {
                self.place = None;
                return Ok(Some(self.damaged(extent, extent.end, place.offset, fault)));
            }
        };
        self.place = Some(Place { position: place.position + 1, offset: next, ..place });
        Ok(item)
    }

    /// Turns to a segment; `None` if it cannot be read at all.
    fn enter(&mut self, extent: Extent) -> Result<Option<Place>, Error> {
        self.window.clear();
        let span = self.shared.span(extent);
        match self.window.head(&span) {
            Ok(Head::Foreign(found)) => {
                Err(Error::Version { path: span.disk.path(&span.name()), found, known: VERSION })
            }
            // Behind a damaged header each record still proves itself and its position.
            Ok(Head::Good | Head::Bad(_)) => {
                Ok(Some(Place { first: extent.first, position: extent.first, offset: HEADER }))
            }
            Err(source) if is_loss(&source) => Ok(None),
            Err(source) => Err(span.error(source)),
        }
    }
}

impl<D: Disk> Iterator for Reader<D> {
    type Item = Result<Item, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let located = self.shared.index().locate(self.at);
            let extent = match located {
                Located::Beyond => return None,
                Located::Before(first) => return Some(Ok(self.dropped_until(first))),
                Located::In(extent) => extent,
            };
            let before = self.at;
            match self.step(extent) {
                Ok(None) => {}
                // The writer may have dropped the segment in the middle of the step.
                Ok(Some(Item::Gap(_))) if self.shared.index().first() > before => {
                    self.at = before;
                    self.place = None;
                }
                Ok(Some(item)) => return Some(Ok(item)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Whether reading again would fail again: a bad sector, or no file.
fn is_loss(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(EIO)
}
