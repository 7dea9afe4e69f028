//! What an agent is told: who it is, by which uplinks it reports, and what it asks.
//!
//! The collector renders a [`Plan`] (`agent add` prints it as an agent file); the agent runs it.

use crate::check::{Check, Span};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};

/// First 8 octets of SHA-256 of a plan's text; all zero when there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlanDigest(pub [u8; 8]);

impl PlanDigest {
    /// Digest of a plan's text.
    pub fn of(text: &[u8]) -> PlanDigest {
        let mut digest = [0; 8];
        digest.copy_from_slice(&Sha256::digest(text)[..8]);
        PlanDigest(digest)
    }
}

/// An agent's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The agent's identity: the id of the site it stands at.
    pub agent: String,
    /// Its secret, hex of 32 bytes; every key is derived from it ([`crate::key`]).
    pub secret: String,
    /// The ways to the collector, in order of preference.
    pub uplinks: Vec<Uplink>,
    /// Where `/metrics`, `/healthz` and `/readyz` are served; off when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Longest a finished outcome waits before it is sent.
    #[serde(default = "default_flush")]
    pub flush: Span,
    /// Whether a change from success to failure, or back, is sent within 200 ms (the core agent).
    #[serde(default)]
    pub prompt: bool,
    /// Spool limit in bytes; the oldest records go first, and are counted.
    #[serde(default = "default_spool_bytes")]
    pub spool_bytes: u64,
    /// What it asks.
    #[serde(default)]
    pub checks: Vec<Check>,
}

/// One way to the collector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uplink {
    /// The line it is meant to ride on, or `any`.
    pub line: String,
    /// STAMP session id of the up session (RFC 8972); the down session's is one more.
    pub ssid: u16,
    /// The collector's STAMP port.
    pub stamp: SocketAddr,
    /// The collector's batch port, `http://` or `https://`.
    pub collector: String,
    /// Source address packets leave from; the system chooses when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
}

fn default_flush() -> Span {
    Span(std::time::Duration::from_secs(1))
}

fn default_spool_bytes() -> u64 {
    256 << 20
}
