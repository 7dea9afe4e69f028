//! A start: what is on disk becomes the store again.
//!
//! ```text
//! series rows ─▶ head (known series)
//! samples ─▶ head, in order; `sealing` sets a group's windows aside, `sealed` lets them go
//!            └─ set aside and not sealed at the end: back into the head
//! ```

use super::head::{GROUPS, Place, Window, group_of, window_of};
use super::log::{Held, Log};
use super::record::{Entry, Record};
use super::shelf::Shelf;
use super::{Limits, Ring, SAMPLES, SERIES, Store};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The journal of samples refused.
    #[error("open the journal of samples: {0}")]
    Journal(#[from] haidang_journal::Error),
    /// The shelf refused.
    #[error("open the series in {}: {source}", .path.display())]
    Shelf {
        /// Its directory.
        path: PathBuf,
        /// What it said.
        source: fjall::Error,
    },
}

impl Store {
    /// Opens the store in the collector's directory, or makes it. `now` is UTC ms.
    pub fn open(dir: &Path, limits: Limits, now: i64) -> Result<Store, OpenError> {
        let path = dir.join(SERIES);
        let refused = |source| OpenError::Shelf { path: path.clone(), source };
        let shelf = Shelf::open(&path).map_err(refused)?;
        let mut log = Log::open(&dir.join(SAMPLES), limits.journal_bytes)?;
        let mut start = Start { oldest: now - limits.keep_ms, ..Start::default() };
        for (id, definition, day) in shelf.series().map_err(refused)? {
            start.ring.head.place(id, definition, day, day);
        }
        log.read(|held| start.take(held))?;
        let ring = start.end(log.next()?);
        tracing::info!(series = ring.head.count(), octets = ring.head.octets(), "series are known again");
        let (ring, log) = (Mutex::new(ring), Some(Mutex::new(log)));
        Ok(Store { limits, ring, shelf, log, ..Store::default() })
    }
}

/// The state while the journal is read.
#[derive(Default)]
struct Start {
    ring: Ring,
    oldest: i64,
    aside: [BTreeMap<Place, Window>; GROUPS as usize],
    /// Something of the journal does not read: `evidence` is to be read again from before it.
    damaged: bool,
}

impl Start {
    fn take(&mut self, held: Held) {
        let Held::Record { position, octets } = held else {
            self.damaged = true;
            return;
        };
        let Some((through, record)) = Record::decode(&octets) else {
            tracing::warn!(position, "a record of samples does not read");
            self.damaged = true;
            return;
        };
        match record {
            Record::Samples { fresh, samples } => {
                for (id, definition) in fresh {
                    self.ring.head.place(id, definition, 0, 0);
                }
                self.samples(&samples, position);
            }
            Record::Sealing { group, upto } if group < GROUPS => {
                self.back(group);
                self.aside[usize::from(group)] = self.ring.head.take(group, upto);
                self.ring.upto[usize::from(group)] = upto;
            }
            Record::Sealed { group } if group < GROUPS => self.aside[usize::from(group)].clear(),
            Record::Sealing { .. } | Record::Sealed { .. } => self.damaged = true,
        }
        if !self.damaged {
            self.ring.queue.through = through.checked_sub(1).max(self.ring.queue.through);
        }
    }

    fn samples(&mut self, samples: &[Entry], position: u64) {
        let late = samples.iter().any(|sample| window_of(group_of(sample.id), sample.at) < self.oldest);
        let kept: Vec<Entry>;
        let samples = if late {
            kept = samples.iter().filter(|sample| sample.at >= self.oldest).copied().collect();
            &kept
        } else {
            samples
        };
        if self.ring.insert(samples, position) > 0 {
            self.damaged = true;
        }
    }

    fn back(&mut self, group: u8) {
        let aside = std::mem::take(&mut self.aside[usize::from(group)]);
        self.ring.head.put_back(aside);
    }

    fn end(mut self, next: u64) -> Ring {
        (0..GROUPS).for_each(|group| self.back(group));
        let Ring { mut head, queue, upto, .. } = self.ring;
        // Named in the journal, and nothing of them left.
        head.forget(1);
        let queue = super::Queue { kept: true, next, ..queue };
        Ring { head, upto, queue, ..Ring::default() }
    }
}
