//! What travels from agent to collector, and what comes back.
//!
//! ```text
//!   Batch ── pack: columns ── protobuf ── zstd ──▶ payload
//!                                                     │
//!   Envelope { version, agent, spool_id, seq, prev_sha256, payload, signature } ── protobuf ──▶ POST
//!                                        ▲
//!                     SHA-256 of the encoded envelope seq − 1
//!   Ack { spool_id, seq, received: Ranges, plan_digest } ◀── once it is on disk
//! ```
//!
//! The format is published in `probe/proto/haidang.proto`. It promises:
//!
//! - Check ids, never labels: a rename touches no agent.
//! - A numbered envelope is immutable bytes; [`sha256`] of those bytes chains the next one to it.
//! - Moments keep microseconds: sealing drops the nanoseconds below, durations keep theirs.
//! - Reading never panics and never trusts a length: every [`Refusal`] has a stable name for counters, every
//!   limit a constant in [`limit`].
//! - A newer agent's unknown metrics and events are skipped and counted in [`Batch::unknown`]; its unknown
//!   failures become [`Failure::Other`](crate::outcome::Failure::Other) or
//!   [`Failure::Local`](crate::outcome::Failure::Local).
//!
//! Fuzz entry points: [`Envelope::decode`], [`Envelope::open`], [`Ack::decode`].

mod ack;
mod columns;
mod envelope;
pub mod limit;
mod pack;
mod ranges;
mod refusal;
mod unpack;
#[rustfmt::skip]
#[allow(clippy::all, clippy::pedantic, missing_docs)]
mod wire;

pub use ack::Ack;
pub use envelope::{Envelope, VERSION, sha256};
pub use ranges::{MAX_RANGES, Ranges, TooManyRanges};
pub use refusal::Refusal;

use crate::{event::Event, moment::ClockMap, outcome::Outcome, plan::PlanDigest};

/// What an agent saw during one flush interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// How the monotonic clock of each boot spoken of relates to UTC.
    pub clocks: Vec<ClockMap>,
    /// Runs of checks, in the order they ended.
    pub outcomes: Vec<Outcome>,
    /// What came unasked.
    pub events: Vec<Event>,
    /// Digest of the plan the agent runs.
    pub plan_digest: PlanDigest,
    /// Whether these are old records sent after an outage rather than fresh ones.
    pub backlog: bool,
    /// Values skipped while reading because this version does not know their number; not sent.
    pub unknown: u32,
}

impl Batch {
    /// Whether there is nothing in it worth sending.
    pub fn is_empty(&self) -> bool {
        self.outcomes.is_empty() && self.events.is_empty()
    }
}
