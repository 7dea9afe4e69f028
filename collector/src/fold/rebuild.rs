//! The start: checkpoint, then the tail behind it; and what was measured since those who keep it kept all.

use super::record::Record;
use super::{Hooks, StartError, standing};
use crate::detect::graph::Graph;
use crate::entry::{Entry, Received};
use crate::topology::Topology;
use crate::watch::{Effect, Watch, lines::Lines};
use haidang_journal::{Disk, Gap, Item};
use haidang_probe::batch::{Batch, Envelope, Refusal};

/// The fold of everything in the journal. Measurements from `resume` on, or where that is not known those received
/// since `since` (UTC ms), are given to the hooks again; other effects were had when the entries were new.
pub(super) fn watch<D: Disk + Clone>(
    record: &mut Record<D>,
    resume: Option<u64>,
    since: i64,
    hooks: &mut Hooks,
) -> Result<Watch, StartError> {
    // A history behind the checkpoint is told what it missed, which takes the fold from the journal's start.
    let reached = hooks.history.as_ref().map(|history| history.reached());
    let checkpoint = record.checkpoint()?.filter(|(at, _)| reached.is_none_or(|reached| *at <= reached));
    let restored = checkpoint.and_then(|(at, checkpoint)| Some((at, Watch::restore(&checkpoint)?)));
    let (begin, mut watch) = match restored {
        Some(restored) => restored,
        None => (record.first()?, Watch::new()),
    };
    let from = match resume {
        Some(resume) => begin.min(resume),
        None => begin.min(record.day_ago()?),
    };
    tracing::info!(position = begin, measurements = from, "folding the journal");
    // Where the stretch began with another record its lines are named by the present one, until that comes.
    let mut earlier = Earlier::of(watch.topology());
    for item in record.read(from)? {
        let (position, bytes) = match item? {
            Item::Record { position, bytes } => (position.0, bytes),
            Item::Gap(gap) => {
                warn_of(&gap);
                continue;
            }
        };
        let entry = Entry::decode(&bytes).map_err(|garbled| StartError::Garbled { position, garbled })?;
        let folded = position >= begin;
        let effects = if folded { watch.apply(position, &entry) } else { Vec::new() };
        if let Some(history) = hooks.history.as_ref().filter(|_| folded) {
            history.see(position, &entry, &effects, &watch);
        }
        if !resume.map_or(entry.at() >= since, |resume| position >= resume) {
            continue;
        }
        if !folded {
            earlier.again(position, &entry, hooks);
            continue;
        }
        if let Entry::Batch(received) = &entry {
            give_again(position, received, hooks);
        }
        for effect in effects {
            if let Effect::Lines(samples) = effect {
                (hooks.on_lines)(position, &standing::beside(samples, &watch, entry.at()));
            }
        }
    }
    Ok(watch)
}

/// Lines measured before the checkpoint the fold begins with. How lines and sites stood then is not known.
struct Earlier {
    graph: Graph,
    lines: Lines,
}

impl Earlier {
    fn again(&mut self, position: u64, entry: &Entry, hooks: &mut Hooks) {
        match entry {
            Entry::Config { topology, .. } => *self = Earlier::of(topology),
            Entry::Tick(tick) => {
                if let Some(samples) = self.lines.tick(&self.graph, tick) {
                    (hooks.on_lines)(position, &samples);
                }
            }
            Entry::Batch(received) => give_again(position, received, hooks),
            _ => {}
        }
    }

    fn of(topology: &Topology) -> Earlier {
        Earlier { graph: Graph::of(topology), lines: Lines::default() }
    }
}

fn warn_of(gap: &Gap) {
    tracing::warn!(from = gap.from.0, to = gap.to.0, loss = ?gap.loss, "records of the journal are gone");
}

fn give_again(position: u64, received: &Received, hooks: &mut Hooks) {
    match opened(received) {
        Ok(batch) => (hooks.on_batch)(position, received, &batch),
        // It opened when it came; another version's limits may differ.
        Err(refusal) => {
            tracing::warn!(position, agent = received.agent, %refusal, "a kept batch does not open");
        }
    }
}

fn opened(received: &Received) -> Result<Batch, Refusal> {
    Envelope::decode(&received.envelope)?.open()
}
