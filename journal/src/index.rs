//! What writer and readers share: the disk, and which segments hold which durable records.

use crate::Disk;
use crate::format::Span;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The disk and the index, shared by a journal and its readers.
pub(crate) struct Shared<D> {
    pub(crate) disk: D,
    index: Mutex<Index>,
}

impl<D: Disk> Shared<D> {
    pub(crate) fn new(disk: D, index: Index) -> Arc<Self> {
        Arc::new(Self { disk, index: Mutex::new(index) })
    }

    /// Locked for a look or a small change only, never across a disk operation.
    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        // Every change to the index is one assignment, push or pop: a panic elsewhere leaves it whole.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn span(&self, extent: Extent) -> Span<'_, D> {
        Span { disk: &self.disk, first: extent.first, bytes: extent.bytes }
    }
}

/// A segment and its durable bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) first: u64,
    pub(crate) bytes: u64,
}

/// The durable part of the journal. There is always at least one segment, save in an empty snapshot.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) segments: VecDeque<Segment>,
    /// First position not durable.
    pub(crate) synced: u64,
}

/// The segment that holds a position: records `first..end` in `bytes` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) first: u64,
    pub(crate) end: u64,
    pub(crate) bytes: u64,
}

/// Where a position is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Located {
    /// Dropped; the journal begins at this position.
    Before(u64),
    /// In this segment.
    In(Extent),
    /// Not durable yet.
    Beyond,
}

impl Index {
    pub(crate) fn first(&self) -> u64 {
        self.segments.front().map_or(self.synced, |s| s.first)
    }

    pub(crate) fn locate(&self, position: u64) -> Located {
        if position >= self.synced {
            return Located::Beyond;
        }
        let after = self.segments.partition_point(|s| s.first <= position);
        let Some(segment) = after.checked_sub(1).and_then(|i| self.segments.get(i)) else {
            return Located::Before(self.first());
        };
        let end = self.segments.get(after).map_or(self.synced, |s| s.first);
        Located::In(Extent { first: segment.first, end, bytes: segment.bytes })
    }
}
