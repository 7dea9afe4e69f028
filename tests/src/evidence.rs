//! What an agent numbered and what the collector kept of it, read from their journals without touching them.

use anyhow::{Context, bail};
use haidang_collector::entry::Entry;
use haidang_journal::{Files, Item, Position, Snapshot};
use haidang_probe::batch::Envelope;
use haidang_probe::check::CheckId;
use haidang_probe::event::Event;
use haidang_probe::moment::Moment;
use haidang_probe::outcome::Outcome;
use std::path::Path;

/// The cursor of a spool: first number not acknowledged.
const ACKED: &str = "acked";

/// A batch as it travelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its number in its spool.
    pub seq: u64,
    /// The envelope's octets.
    pub octets: Vec<u8>,
}

/// What tells one run of a check from all others.
pub type Run = (CheckId, Moment);

impl Kept {
    fn read(octets: Vec<u8>) -> anyhow::Result<(String, Kept)> {
        let envelope = Envelope::decode(&octets)?;
        Ok((envelope.agent, Kept { seq: envelope.seq, octets }))
    }

    /// Whether it was sealed while nothing answered.
    pub fn is_backlog(&self) -> anyhow::Result<bool> {
        Ok(Envelope::decode(&self.octets)?.open()?.backlog)
    }

    /// The outcomes in it.
    pub fn outcomes(&self) -> anyhow::Result<Vec<Outcome>> {
        Ok(Envelope::decode(&self.octets)?.open()?.outcomes)
    }

    /// The events in it.
    pub fn events(&self) -> anyhow::Result<Vec<Event>> {
        Ok(Envelope::decode(&self.octets)?.open()?.events)
    }
}

/// The runs told of by some batches, in their order, repeats included.
pub fn runs<'a>(batches: impl IntoIterator<Item = &'a Kept>) -> anyhow::Result<Vec<Run>> {
    let mut runs = Vec::new();
    for batch in batches {
        runs.extend(batch.outcomes()?.into_iter().map(|outcome| (outcome.check, outcome.sent)));
    }
    Ok(runs)
}

/// What stands in an agent's spool; fails when it no longer holds its first batch.
pub fn numbered(agent_folder: &str) -> anyhow::Result<Vec<Kept>> {
    let mut all = Vec::new();
    for record in records(&spool(agent_folder))? {
        all.push(Kept::read(record)?.1);
    }
    if all.iter().enumerate().any(|(place, batch)| batch.seq != place as u64) {
        bail!("the spool in {agent_folder} does not hold the numbers from 0 on without a hole");
    }
    Ok(all)
}

/// How many batches of an agent's spool, from its beginning, it knows to be acknowledged.
pub fn acknowledged(agent_folder: &str) -> anyhow::Result<u64> {
    let (snapshot, _) = Snapshot::open(Files::new(spool(agent_folder)))?;
    Ok(snapshot.cursor(ACKED).map_or(0, |position| position.0))
}

/// The batches of an agent in the collector's evidence, in the order they came.
pub fn stored(collector_folder: &str, agent: &str) -> anyhow::Result<Vec<Kept>> {
    let mut all = Vec::new();
    for record in records(&format!("{collector_folder}/evidence"))? {
        let Entry::Batch(received) = Entry::decode(&record)? else { continue };
        let (claimed, kept) = Kept::read(received.envelope)?;
        if received.agent != claimed {
            bail!("a batch of {claimed} stands under the identity of {}", received.agent);
        }
        if claimed == agent {
            all.push(kept);
        }
    }
    Ok(all)
}

/// Octets on disk of the collector's evidence.
///
/// # Errors
/// When the folder cannot be read.
pub fn octets(collector_folder: &str) -> anyhow::Result<u64> {
    let mut octets = 0;
    for file in std::fs::read_dir(format!("{collector_folder}/evidence"))? {
        octets += file?.metadata()?.len();
    }
    Ok(octets)
}

/// What a growth in some seconds would be in a day, MiB.
pub fn mib_a_day(octets: u64, seconds: f64) -> f64 {
    octets as f64 / f64::from(1 << 20) * 86_400.0 / seconds
}

fn spool(agent_folder: &str) -> String {
    format!("{agent_folder}/spool/journal")
}

fn records(folder: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let (snapshot, _) =
        Snapshot::open(Files::new(Path::new(folder))).with_context(|| format!("open {folder}"))?;
    let mut records = Vec::new();
    for item in snapshot.read(Position(0)) {
        match item? {
            Item::Record { bytes, .. } => records.push(bytes),
            Item::Gap(gap) => bail!("{folder}: {} records are gone", gap.records()),
        }
    }
    Ok(records)
}
