//! Why an operation on a journal failed.

use crate::Position;
use std::io;

/// Why an operation failed; each case is something a caller can choose on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk refused. A failed write (no space) may be retried; see [`Error::Failed`] for a failed sync.
    #[error("cannot {what} {path}: {source}")]
    Disk {
        /// What was attempted.
        what: &'static str,
        /// On which file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another process, or another [`crate::Journal`] of this one, writes here.
    #[error("the journal is being written by another process: {path} is locked")]
    Locked {
        /// The lock file.
        path: String,
    },
    /// The bound is reached and the policy is to refuse.
    #[error("the journal is full: {bytes} of {max_bytes} bytes")]
    Full {
        /// Bytes of all segments.
        bytes: u64,
        /// The bound.
        max_bytes: u64,
    },
    /// An empty payload: it says nothing and could not be told from a zero-filled tail.
    #[error("an empty record cannot be appended")]
    Empty,
    /// The payload is longer than [`crate::Settings::max_record`].
    #[error("a record of {bytes} bytes cannot be appended: the limit is {max_record}")]
    TooLong {
        /// Bytes of the payload.
        bytes: usize,
        /// The limit.
        max_record: u32,
    },
    /// A segment was written by a later version of this program.
    #[error("cannot read {path}: segment format {found}, this program knows format {known}")]
    Version {
        /// The segment.
        path: String,
        /// The version it carries.
        found: u32,
        /// The version understood here.
        known: u32,
    },
    /// The settings contradict each other.
    #[error("journal settings: {reason}")]
    Settings {
        /// What contradicts.
        reason: &'static str,
    },
    /// A cursor's name is not 1 to 64 letters, digits, `.`, `_` or `-`, or there would be more than 64 cursors.
    #[error("cannot set cursor {name:?}: {reason}")]
    Cursor {
        /// The name asked for.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A cursor behind which records are not durable yet: after a power cut it could skip other records.
    #[error("cannot set cursor {name:?} to {position}: records are durable only before {synced}")]
    Ahead {
        /// The cursor.
        name: String,
        /// The position asked for.
        position: Position,
        /// The first position not durable.
        synced: Position,
    },
    /// A sync failed earlier. The kernel may have forgotten which pages were not written, so trying again
    /// would prove nothing: drop the journal and open it anew. What was not synced must be appended again.
    #[error("the journal takes no more records: an earlier sync of {path} failed")]
    Failed {
        /// The segment whose sync failed.
        path: String,
    },
}

impl Error {
    /// Wraps what the system said about `what` on `path`.
    pub(crate) fn disk(what: &'static str, path: String) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Disk { what, path, source }
    }
}
