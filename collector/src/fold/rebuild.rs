//! The start: a checkpoint, then the tail behind it; and what was measured since those who keep it kept all.

use super::record::Record;
use super::{Hooks, StartError, standing};
use crate::detect::graph::Graph;
use crate::entry::{Entry, Received};
use crate::topology::Topology;
use crate::watch::{Effect, Watch, lines::Lines};
use haidang_journal::{Disk, Gap, Item};
use haidang_probe::batch::{Batch, Envelope, Refusal};
use std::cmp::Reverse;

/// The fold of everything in the journal. Measurements from `resume` on, or where that is not known those received
/// since `since` (UTC ms), are given to the hooks again; other effects were had when the entries were new.
pub(super) fn watch<D: Disk + Clone>(
    record: &mut Record<D>,
    resume: Option<u64>,
    since: i64,
    hooks: &mut Hooks,
) -> Result<Watch, StartError> {
    let (begin, mut watch) = begin(record, hooks.history.as_ref().map(|history| history.reached()))?;
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

/// Where the fold begins, and its state there: at the newest checkpoint that the history `reached`, so that it is
/// told all it missed, or at the journal's start. A journal that has lost its start has lost record, incidents and
/// what was received with it: then it begins at the oldest checkpoint, and the history has a gap.
fn begin<D: Disk + Clone>(record: &mut Record<D>, reached: Option<u64>) -> Result<(u64, Watch), StartError> {
    let first = record.first()?;
    let mut oldest = None;
    for Reverse(position) in record.checkpoints()? {
        let told = reached.is_none_or(|reached| position <= reached);
        if !told && first == 0 {
            continue;
        }
        let checkpoint = record.checkpoint(position)?;
        let Some(watch) = checkpoint.and_then(|checkpoint| Watch::restore(&checkpoint)) else { continue };
        if told {
            return Ok((position, watch));
        }
        oldest = Some((position, watch));
    }
    if let Some((position, watch)) = oldest {
        tracing::warn!(reached, position, "the history misses what the journal no longer holds");
        return Ok((position, watch));
    }
    if first > 0 {
        tracing::warn!(
            first,
            "the journal lost its start and has no checkpoint that reads: what it knew is lost"
        );
    }
    Ok((first, Watch::new()))
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
