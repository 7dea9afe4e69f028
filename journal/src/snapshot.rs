//! Reading a directory without lock, write or repair, as `replay` does with a copy or beside a live writer.

use crate::index::Shared;
use crate::marks::Marks;
use crate::recover::{Opened, Survey};
use crate::{Disk, Error, Position, Reader};
use std::sync::Arc;

/// The records a directory held when it was opened, up to its torn tail.
pub struct Snapshot<D> {
    shared: Arc<Shared<D>>,
    marks: Marks,
}

impl<D: Disk> Snapshot<D> {
    /// Looks at the directory. [`Opened::repaired`] tells what is torn at the end; nothing is cut. Beside a
    /// live writer the record being written just now may look torn.
    ///
    /// # Errors
    /// [`Error::Version`] for a later format, [`Error::Disk`], also for a directory that does not exist.
    pub fn open(disk: D) -> Result<(Self, Opened), Error> {
        let Survey { index, marks, opened, .. } = Survey::of(&disk)?;
        Ok((Self { shared: Shared::new(disk, index), marks }, opened))
    }

    /// The records from `from` on.
    pub fn read(&self, from: Position) -> Reader<D> {
        Reader::new(Arc::clone(&self.shared), from)
    }

    /// The oldest position held.
    pub fn first(&self) -> Position {
        Position(self.shared.index().first())
    }

    /// The position behind the last record.
    pub fn next(&self) -> Position {
        Position(self.shared.index().synced)
    }

    /// Where the cursor `name` stood.
    pub fn cursor(&self, name: &str) -> Option<Position> {
        self.marks.cursors.get(name).copied().map(Position)
    }

    /// Records lost to the bound since the journal was created.
    pub fn dropped(&self) -> u64 {
        self.marks.dropped
    }
}
