//! The start: checkpoint, then the tail behind it; and the last day's batches for those who keep series.

use super::record::Record;
use super::{Hooks, StartError};
use crate::detect::graph::Graph;
use crate::entry::{Entry, Received};
use crate::topology::Topology;
use crate::watch::{Watch, lines::Lines};
use haidang_journal::{Disk, Gap, Item};
use haidang_probe::batch::{Batch, Envelope, Refusal};

/// The fold of everything in the journal. Batches received since `since` (UTC ms) are given to the hook again;
/// other effects were had when the entries were new.
pub(super) fn watch<D: Disk + Clone>(
    record: &mut Record<D>,
    since: i64,
    hooks: &mut Hooks,
) -> Result<Watch, StartError> {
    let restored = record.checkpoint()?.and_then(|(at, checkpoint)| Some((at, Watch::restore(&checkpoint)?)));
    let (begin, mut watch) = match restored {
        Some(restored) => restored,
        None => (record.first()?, Watch::new()),
    };
    tracing::info!(position = begin, "folding the journal");
    // Where the day began with another record its lines are named by the present one, until that comes.
    let mut day = Day::of(watch.topology());
    let from = begin.min(record.day_ago()?);
    for item in record.read(from)? {
        let (position, bytes) = match item? {
            Item::Record { position, bytes } => (position.0, bytes),
            Item::Gap(gap) => {
                warn_of(&gap);
                continue;
            }
        };
        let entry = Entry::decode(&bytes).map_err(|garbled| StartError::Garbled { position, garbled })?;
        if position >= begin {
            watch.apply(position, &entry);
        }
        if entry.at() >= since {
            day.again(position, &entry, hooks);
        }
    }
    Ok(watch)
}

/// The last day's measurements, for those who keep them in memory.
struct Day {
    graph: Graph,
    lines: Lines,
}

impl Day {
    fn again(&mut self, position: u64, entry: &Entry, hooks: &mut Hooks) {
        match entry {
            Entry::Config { topology, .. } => *self = Day::of(topology),
            Entry::Tick(tick) => {
                if let Some(samples) = self.lines.tick(&self.graph, tick) {
                    (hooks.on_lines)(&samples);
                }
            }
            Entry::Batch(received) => give_again(position, received, hooks),
            _ => {}
        }
    }

    fn of(topology: &Topology) -> Day {
        Day { graph: Graph::of(topology), lines: Lines::default() }
    }
}

fn warn_of(gap: &Gap) {
    tracing::warn!(from = gap.from.0, to = gap.to.0, loss = ?gap.loss, "records of the journal are gone");
}

fn give_again(position: u64, received: &Received, hooks: &mut Hooks) {
    match opened(received) {
        Ok(batch) => (hooks.on_batch)(received, &batch),
        // It opened when it came; another version's limits may differ.
        Err(refusal) => {
            tracing::warn!(position, agent = received.agent, %refusal, "a kept batch does not open");
        }
    }
}

fn opened(received: &Received) -> Result<Batch, Refusal> {
    Envelope::decode(&received.envelope)?.open()
}
