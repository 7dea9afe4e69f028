//! Why a spool cannot do its work.

use haidang_journal::Error as JournalError;
use haidang_probe::batch::Refusal;
use std::io;
use std::path::PathBuf;

/// Why the spool cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The journal refuses.
    #[error("spool {}: {source}", .directory.display())]
    Journal {
        /// The spool.
        directory: PathBuf,
        /// Its reason.
        source: JournalError,
    },
    /// The spool's identity cannot be read or made.
    #[error("spool identity {}: {source}", .path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// What a start must know cannot be read or stored.
    #[error("spool {}: what is not acknowledged: {source}", .directory.display())]
    Standing {
        /// The spool.
        directory: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Records vanished from the disk while the agent ran.
    #[error("spool {}: holds {next} records of {seq} sealed; restart the agent", .directory.display())]
    Shrunk {
        /// The spool.
        directory: PathBuf,
        /// The journal's next number.
        next: u64,
        /// The number it should be.
        seq: u64,
    },
    /// A batch over the format's limits; it was not numbered.
    #[error("seal a batch: {0}")]
    Batch(#[from] Refusal),
}
