//! What stands in the `evidence` journal: everything that decides, and nothing else.
//!
//! ```text
//! record = version (1 octet, now 2) | postcard(Entry)
//! ```
//!
//! The clock of the fold is the [`Tick`], written each 100 ms even when empty. A missing tick means that we
//! were blind, never that a path was silent.

use crate::topology::Topology;
use serde::{Deserialize, Serialize};

/// Interval of ticks, milliseconds.
pub const TICK_MS: i64 = 100;

/// Version octet of a record.
const VERSION: u8 = 4;

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// The collector started; `at` in UTC milliseconds.
    Start {
        /// UTC, ms.
        at: i64,
    },
    /// A configuration was accepted.
    Config {
        /// UTC, ms.
        at: i64,
        /// The record, complete.
        topology: Box<Topology>,
    },
    /// 100 ms of liveness.
    Tick(Tick),
    /// An agent's batch, as it came.
    Batch(Received),
    /// A person's act.
    Act(Act),
    /// The fold's state at this point, so that a start need not fold everything.
    Checkpoint(Checkpoint),
    /// A liveness session's source address was compared with the record.
    Proof {
        /// UTC, ms.
        at: i64,
        /// Up session id.
        ssid: u16,
        /// The packets ride on the line they claim.
        proved: bool,
        /// Up session of the uplink whose line they ride on instead, if it is one of ours.
        rides_on: Option<u16>,
    },
    /// Planned work was announced, or its window changed; the last word on an id holds.
    Maintenance(Maintenance),
}

/// What the STAMP ends saw in one tick. Lists are ordered by session, then arrival.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    /// End of the tick, UTC ms.
    pub at: i64,
    /// Up packets heard.
    pub up: Vec<UpHeard>,
    /// Down packets sent.
    pub sent: Vec<DownSent>,
    /// Answers to down packets heard.
    pub down: Vec<DownHeard>,
}

/// An authentic up packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpHeard {
    /// Up session id.
    pub ssid: u16,
    /// Low octet of its sequence number.
    pub seq: u8,
    /// How long before the tick's end it arrived, ms.
    pub before_ms: u8,
}

/// A down packet sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownSent {
    /// Up session id of the uplink (the down session's is one more).
    pub ssid: u16,
    /// Low octet of its sequence number.
    pub seq: u8,
    /// How long before the tick's end it was sent, ms.
    pub before_ms: u8,
}

/// An authentic answer to a down packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownHeard {
    /// Up session id of the uplink.
    pub ssid: u16,
    /// Low octet of the sequence number answered.
    pub seq: u8,
    /// How long before the tick's end it arrived, ms.
    pub before_ms: u8,
    /// Round trip, tenths of a millisecond, without the reflector's own delay.
    pub rtt_tenths: u32,
    /// Low octet of the reflector's own sequence number: how many it heard of us.
    pub peer: u8,
}

/// A batch accepted by ingest: authentic, whole, not a repeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// When it came, UTC ms.
    pub at: i64,
    /// Whose identity it came under: the site.
    pub agent: String,
    /// The envelope's bytes, immutable.
    pub envelope: Vec<u8>,
}

/// A person's act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// UTC, ms.
    pub at: i64,
    /// Who.
    pub person: String,
    /// On which incident.
    pub incident: String,
    /// What.
    pub kind: ActKind,
}

/// What a person did to an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActKind {
    /// Took it on.
    Ack,
    /// Wrote something down.
    Note(String),
    /// Closed it by hand, for a reason.
    Close(String),
}

/// A window of planned work. What it names is expected to be silent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// When it was said, UTC ms.
    pub at: i64,
    /// Its id: `BT-YYYYMMDD-NN`.
    pub id: String,
    /// Who said it.
    pub person: String,
    /// What is worked on.
    pub items: Vec<Item>,
    /// First moment of the window, UTC ms.
    pub from: i64,
    /// First moment after it, UTC ms; not after `from`: there is no window any more.
    pub to: i64,
    /// Why.
    pub reason: String,
}

/// One thing that planned work names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Item {
    /// What kind of thing.
    pub kind: ItemKind,
    /// Its id in the record.
    pub id: String,
}

/// Kinds of things worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ItemKind {
    Site,
    Line,
    Commune,
    Pop,
    Carrier,
    HandOff,
    Service,
    Device,
}

/// The fold's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// UTC, ms.
    pub at: i64,
    /// Version of the fold that wrote it; another version folds from the start.
    pub fold: u32,
    /// How many verdicts the fold had given.
    pub verdicts: u64,
    /// SHA-256 chain over them: what `replay` is compared with.
    pub digest: [u8; 32],
    /// zstd of the postcard of the fold.
    pub state: Vec<u8>,
}

/// Why a record is not an entry.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Garbled {
    /// The record is empty.
    #[error("empty record")]
    Empty,
    /// Written by another version.
    #[error("record version {0}, this program reads {VERSION}")]
    Version(u8),
    /// The bytes do not decode.
    #[error("undecodable record: {0}")]
    Bytes(postcard::Error),
}

impl Entry {
    /// The record's bytes.
    pub fn encode(&self) -> Vec<u8> {
        // Writing to a growing Vec cannot fail; an entry holds no type postcard refuses.
        postcard::to_extend(self, vec![VERSION]).unwrap_or_default()
    }

    /// The entry a record holds.
    pub fn decode(record: &[u8]) -> Result<Entry, Garbled> {
        match record.split_first() {
            None => Err(Garbled::Empty),
            Some((&VERSION, body)) => postcard::from_bytes(body).map_err(Garbled::Bytes),
            Some((&version, _)) => Err(Garbled::Version(version)),
        }
    }

    /// UTC milliseconds of the entry.
    pub fn at(&self) -> i64 {
        match self {
            Entry::Start { at } | Entry::Config { at, .. } | Entry::Proof { at, .. } => *at,
            Entry::Tick(tick) => tick.at,
            Entry::Batch(batch) => batch.at,
            Entry::Act(act) => act.at,
            Entry::Checkpoint(checkpoint) => checkpoint.at,
            Entry::Maintenance(window) => window.at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_back_and_a_quiet_tick_is_small() {
        let tick = Entry::Tick(Tick { at: 1_795_000_000_000, ..Tick::default() });
        assert!(tick.encode().len() <= 12);
        assert_eq!(Entry::decode(&tick.encode()), Ok(tick));
    }

    #[test]
    fn another_version_is_named() {
        assert_eq!(Entry::decode(&[9, 0]), Err(Garbled::Version(9)));
        assert_eq!(Entry::decode(&[]), Err(Garbled::Empty));
    }
}
