//! Folding a journal again: every verdict and incident, and whether they come out as they did.
//!
//! Each checkpoint carries how many verdicts the live fold had given and a SHA-256 chain over them; the fold
//! done here must agree at every one. It reads beside a live writer, and writes nothing.

use crate::entry::{Checkpoint, Entry, Garbled};
use crate::watch::{Effect, Watch};
use haidang_journal::{Files, Item, Position, Snapshot};
use haidang_probe::key;
use std::io::{self, Write};
use std::path::Path;

/// What a replay did.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Replayed {
    /// Position of the first entry folded, or of the checkpoint begun with.
    pub from: u64,
    /// Position after the last one.
    pub to: u64,
    /// Entries folded.
    pub entries: u64,
    /// Checkpoints compared, all of which agreed.
    pub checkpoints: u64,
    /// Verdicts given since the journal began.
    pub verdicts: u64,
    /// SHA-256 chain over them, hex.
    pub digest: String,
}

/// Why a replay did not come to its end, or not to the same one.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The journal cannot be read.
    #[error("replay: {0}")]
    Journal(#[from] haidang_journal::Error),
    /// A record is not an entry.
    #[error("replay: record {position}: {garbled}")]
    Garbled {
        /// Its position.
        position: u64,
        /// What is wrong with it.
        garbled: Garbled,
    },
    /// Records are damaged, so nothing behind them can be compared.
    #[error("replay: records {from} to {to} are gone; begin behind them with --from")]
    Gap {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// There is no checkpoint of this version to begin with.
    #[error(
        "replay: no checkpoint of this version at or after {0}, and the journal's start is not there either"
    )]
    NoStart(u64),
    /// The fold came out otherwise.
    #[error(
        "replay: position {position}: {lived} verdicts, digest {lived_digest} when lived; {replayed}, {replayed_digest} now"
    )]
    Differs {
        /// Position of the checkpoint that shows it.
        position: u64,
        /// Verdicts by then, when lived.
        lived: u64,
        /// Their digest, hex.
        lived_digest: String,
        /// Verdicts by then, now.
        replayed: u64,
        /// Their digest, hex.
        replayed_digest: String,
    },
    /// The output went away.
    #[error("replay: write: {0}")]
    Write(#[from] io::Error),
}

/// Folds the journal in `dir` and writes JSON lines to `out`: each verdict as it is given when `verdicts` is
/// wished for, then each incident. Without `from` it begins with the oldest record; otherwise, or when the
/// oldest records have been dropped, with the first checkpoint from there on.
pub fn replay(
    dir: &Path,
    from: Option<u64>,
    verdicts: bool,
    out: &mut impl Write,
) -> Result<Replayed, ReplayError> {
    let (snapshot, _) = Snapshot::open(Files::new(dir))?;
    let begin = from.unwrap_or(0).max(snapshot.first().0);
    let mut watch = (begin == 0).then(Watch::new);
    let mut done =
        Replayed { from: begin, to: begin, entries: 0, checkpoints: 0, verdicts: 0, digest: String::new() };
    for item in snapshot.read(Position(begin)) {
        let (position, bytes) = match item? {
            Item::Record { position, bytes } => (position.0, bytes),
            Item::Gap(gap) => return Err(ReplayError::Gap { from: gap.from.0, to: gap.to.0 - 1 }),
        };
        let entry = Entry::decode(&bytes).map_err(|garbled| ReplayError::Garbled { position, garbled })?;
        let Some(watch) = &mut watch else {
            if let Entry::Checkpoint(checkpoint) = &entry {
                watch = Watch::restore(checkpoint);
                done.from = position;
            }
            continue;
        };
        if let Entry::Checkpoint(checkpoint) = &entry {
            compare(position, checkpoint, watch)?;
            done.checkpoints += 1;
        }
        for effect in watch.apply(position, &entry) {
            if let (true, Effect::Verdict(line)) = (verdicts, effect) {
                writeln!(out, "{line}")?;
            }
        }
        (done.entries, done.to) = (done.entries + 1, position + 1);
    }
    let watch = watch.ok_or(ReplayError::NoStart(begin))?;
    for incident in watch.incidents().values() {
        writeln!(out, "{}", serde_json::to_string(incident).map_err(io::Error::from)?)?;
    }
    let (count, digest) = watch.transcript();
    (done.verdicts, done.digest) = (count, key::hex(&digest));
    Ok(done)
}

fn compare(position: u64, lived: &Checkpoint, watch: &Watch) -> Result<(), ReplayError> {
    let (replayed, digest) = watch.transcript();
    if (lived.verdicts, lived.digest) == (replayed, digest) {
        return Ok(());
    }
    Err(ReplayError::Differs {
        position,
        lived: lived.verdicts,
        lived_digest: key::hex(&lived.digest),
        replayed,
        replayed_digest: key::hex(&digest),
    })
}

#[cfg(test)]
mod tests;
