//! The fold: journal entries in, verdicts and incidents out. Nothing decides outside it.

use crate::{
    entry::{Checkpoint, Entry},
    incident::{Incident, Severity},
    topology::{Id, Topology},
};
use haidang_probe::batch::{Envelope, Ranges};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// State of a site or a line, as shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Verdict {
    Up,
    OffHours,
    Maintenance,
    Unknown,
    Degraded,
    Affected,
    Down,
}

/// A verdict with its start, UTC ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// The verdict.
    pub verdict: Verdict,
    /// When it began, UTC ms.
    pub since: i64,
    /// Whether it ever answered.
    pub established: bool,
}

/// Something about the set-up that somebody should mend; not an incident.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// `never-answered`, `not-permitted`, `record-doubtful`, `unproved-uplink`, `check-failing`.
    pub kind: String,
    /// What it is about: an id of the record, or `site/check name`.
    pub subject: String,
    /// UTC ms.
    pub since: i64,
}

/// What the shell must do; drained after each entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send the down session of this uplink at 10/s until then (UTC ms).
    Train {
        /// Up session id of the uplink.
        ssid: u16,
        /// UTC ms.
        until: i64,
    },
    /// Sites or lines changed state.
    Sites(Vec<Id>),
    /// An incident was revised.
    Incident(String),
    /// The findings changed.
    Findings,
}

/// The fold's state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Watch {
    topology: Topology,
    incidents: BTreeMap<String, Incident>,
    heard: BTreeMap<(Id, u64), Ranges>,
    now: i64,
}

impl Watch {
    /// An empty fold.
    pub fn new() -> Watch {
        Watch::default()
    }

    /// Folds one entry. `position` is its place in the journal.
    pub fn apply(&mut self, position: u64, entry: &Entry) -> Vec<Effect> {
        let _ = position;
        match entry {
            Entry::Config { topology, .. } => self.topology = (**topology).clone(),
            Entry::Tick(tick) => self.now = tick.at,
            Entry::Batch(received) => {
                if let Ok(envelope) = Envelope::decode(&received.envelope) {
                    let numbers = self.heard.entry((received.agent.clone(), envelope.spool_id)).or_default();
                    // Ingest refuses what would not fit.
                    let _ = numbers.insert(envelope.seq);
                }
            }
            _ => {}
        }
        Vec::new()
    }

    /// Position of the last entry folded.
    pub fn seq(&self) -> u64 {
        0
    }

    /// Time of the fold: UTC ms of the last tick.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// The numbers received of a spool.
    pub fn heard(&self, agent: &str, spool_id: u64) -> Option<&Ranges> {
        self.heard.get(&(agent.to_owned(), spool_id))
    }

    /// The fold a checkpoint holds; none when another version wrote it.
    pub fn restore(_checkpoint: &Checkpoint) -> Option<Watch> {
        None
    }

    /// The record judged by.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// A site's state.
    pub fn site(&self, _id: &str) -> Since {
        Since { verdict: Verdict::Unknown, since: 0, established: false }
    }

    /// A line's state.
    pub fn line(&self, _id: &str) -> Since {
        Since { verdict: Verdict::Unknown, since: 0, established: false }
    }

    /// All incidents kept, by id.
    pub fn incidents(&self) -> &BTreeMap<String, Incident> {
        &self.incidents
    }

    /// Set-up findings, in order.
    pub fn findings(&self) -> Vec<Finding> {
        let _ = Severity::Info;
        Vec::new()
    }

    /// A checkpoint entry of this state.
    pub fn checkpoint(&self) -> Entry {
        Entry::Start { at: 0 }
    }

    /// How many verdicts were given, and the SHA-256 chain over them.
    pub fn transcript(&self) -> (u64, [u8; 32]) {
        (0, [0; 32])
    }
}
