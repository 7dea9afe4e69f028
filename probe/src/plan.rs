//! What an agent is told: who it is, by which uplinks it reports, and what it asks.
//!
//! ```text
//! agent file (Plan)      agent · secret · listen · spool_…            stays at the site
//!                        uplinks: … stamp, collector                  how the collector is reached, first of all
//! what travels (Orders)  flush · prompt · uplinks: line, ssid, pin …  changes with the record
//!                        checks · listen · credentials they name · sealed: digest of the next line
//!           (Sealed)     secrets                                      a line of its own, to enrolled agents alone
//! ```
//!
//! The collector names the digest of the [`Orders`] it wants run in each acknowledgement, and the agent fetches them
//! when they are others than its own. The digest is of the first line: the journal, which holds no secret, can tell
//! what was ordered, and a new secret is still another plan.

mod sealed;

pub use sealed::{Delivery, Sealed};

use crate::check::{Check, Span};
use crate::credential::Credential;
use crate::listening::Listening;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Most checks of one agent.
pub const MAX_CHECKS: usize = 10_000;
/// How long runs are kept one by one, unless the agent's file says otherwise.
pub const SPOOL_RAW: Span = Span(Duration::from_secs(72 * 3_600));
/// How long what they are reduced to is kept then.
pub const SPOOL_DIGESTS: Span = Span(Duration::from_secs(7 * 86_400));
/// Most uplinks of one agent.
pub const MAX_UPLINKS: usize = 8;
/// Most addresses on an agent's ways to the centre that are known by name.
pub const MAX_KNOWN: usize = 64;
/// Octets of the longest orders that travel.
pub const MAX_ORDERS_BYTES: usize = 4 << 20;
/// Between two liveness packets of an uplink that nobody pays by volume.
pub const EVERY: Duration = Duration::from_secs(1);
/// Between two liveness packets of a metered uplink: 33 MB a month both ways.
pub const EVERY_METERED: Duration = Duration::from_secs(60);

/// First 8 octets of SHA-256 of the text of [`Orders`]; all zero when there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlanDigest(pub [u8; 8]);

impl PlanDigest {
    /// Digest of a text.
    pub fn of(text: &[u8]) -> PlanDigest {
        let mut digest = [0; 8];
        digest.copy_from_slice(&Sha256::digest(text)[..8]);
        PlanDigest(digest)
    }

    /// Its 16 hex digits.
    pub fn hex(self) -> String {
        crate::key::hex(&self.0)
    }
}

/// An agent's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The agent's identity: the id of the site it stands at.
    pub agent: String,
    /// Its secret, hex of 32 bytes; every key is derived from it ([`crate::key`]). An enrolled agent has none here: it
    /// shows a certificate, and its orders hold the secret its STAMP keys derive from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The ways to the collector, in order of preference.
    pub uplinks: Vec<Uplink>,
    /// Certificates (PEM) of whom the collector's must be signed by, or the collector's own; the public web's
    /// authorities when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
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
    /// How long runs are kept one by one while they cannot be brought; then they are reduced to digests.
    #[serde(default = "default_spool_raw")]
    pub spool_raw: Span,
    /// How long digests and events are kept.
    #[serde(default = "default_spool_digests")]
    pub spool_digests: Span,
    /// What it asks.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// What it listens to, beside its checks.
    #[serde(default, skip_serializing_if = "Listening::is_nothing")]
    pub listeners: Listening,
    /// As whom it asks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<Credential>,
    /// What stands on its ways to the centre, `KIND/ID` by address: what a trace calls a hop.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub known: BTreeMap<IpAddr, String>,
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
    /// The address of the collector that is routed over this line alone. It stands in for the one in `stamp` and
    /// `collector`; ports, and the name a certificate must be for, stay theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<IpAddr>,
    /// Source address packets leave from; the system chooses when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// Interface packets leave by (`SO_BINDTODEVICE`); the routes choose when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Between two liveness packets each way.
    #[serde(default = "default_every", skip_serializing_if = "is_default_every")]
    pub every: Span,
    /// Paid by volume: it carries batches only while nothing else does, and never old ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub metered: bool,
    /// What it may carry in a month, MB (10^6 octets), liveness included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_mb: Option<u32>,
}

impl Uplink {
    /// Where its liveness packets go.
    pub fn stamp_address(&self) -> SocketAddr {
        self.pin.map_or(self.stamp, |pin| SocketAddr::new(pin, self.stamp.port()))
    }

    /// What the record says of it: all but how the collector is reached.
    pub fn way(&self) -> Way {
        Way {
            line: self.line.clone(),
            ssid: self.ssid,
            pin: self.pin,
            source: self.source,
            interface: self.interface.clone(),
            every: self.every,
            metered: self.metered,
            budget_mb: self.budget_mb,
        }
    }
}

/// An uplink as the record knows it; the fields are [`Uplink`]'s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Way {
    pub line: String,
    pub ssid: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    #[serde(default = "default_every", skip_serializing_if = "is_default_every")]
    pub every: Span,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub metered: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_mb: Option<u32>,
}

impl Way {
    /// The uplink this is, to a collector at these addresses.
    pub fn reached_at(self, collector: String, stamp: SocketAddr) -> Uplink {
        let Way { line, ssid, pin, source, interface, every, metered, budget_mb } = self;
        Uplink { line, ssid, stamp, collector, pin, source, interface, every, metered, budget_mb }
    }

    /// The uplink this is, reached as `own` is. What the record leaves open (pin, source, interface) is as `own`
    /// says, where that is of the same line.
    pub fn reached_as(self, own: &Uplink) -> Uplink {
        let said = self.reached_at(own.collector.clone(), own.stamp);
        let Some(same) = Some(own).filter(|own| own.line == said.line) else { return said };
        Uplink {
            pin: said.pin.or(same.pin),
            source: said.source.or(same.source),
            interface: said.interface.or_else(|| same.interface.clone()),
            ..said
        }
    }
}

/// The part of a plan that travels. The collector writes checks as [`Check`]s; an agent reads them one by one, so
/// that one it does not understand costs that check alone, and so with credentials. It holds nothing of the agent's own
/// secret; the credentials it holds are why it travels over the authenticated channel alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders<C = Check, K = Credential> {
    /// As in [`Plan`].
    #[serde(default = "default_flush")]
    pub flush: Span,
    /// As in [`Plan`].
    #[serde(default)]
    pub prompt: bool,
    /// The uplinks, in order of preference.
    pub uplinks: Vec<Way>,
    /// What it asks.
    #[serde(default = "Vec::new")]
    pub checks: Vec<C>,
    /// What it listens to.
    #[serde(default, skip_serializing_if = "Listening::is_nothing")]
    pub listen: Listening,
    /// The credentials its checks name, and no others.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<K>,
    /// As in [`Plan`]; at most [`MAX_KNOWN`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub known: BTreeMap<IpAddr, String>,
    /// Digest of the [`Sealed`] that goes with them; absent when nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<PlanDigest>,
}

impl Orders {
    /// The text that travels, JSON.
    pub fn text(&self) -> String {
        // Structures of text, numbers and truth values always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Digest of [`Orders::text`].
    pub fn digest(&self) -> PlanDigest {
        PlanDigest::of(self.text().as_bytes())
    }
}

impl Plan {
    /// What of this plan could have travelled.
    pub fn orders(&self) -> Orders {
        Orders {
            flush: self.flush,
            prompt: self.prompt,
            uplinks: self.uplinks.iter().map(Uplink::way).collect(),
            checks: self.checks.clone(),
            listen: self.listeners.clone(),
            credentials: self.credentials.clone(),
            known: self.known.clone(),
            sealed: None,
        }
    }
}

fn default_flush() -> Span {
    Span(Duration::from_secs(1))
}

fn default_spool_bytes() -> u64 {
    256 << 20
}

fn default_spool_raw() -> Span {
    SPOOL_RAW
}

fn default_spool_digests() -> Span {
    SPOOL_DIGESTS
}

fn default_every() -> Span {
    Span(EVERY)
}

fn is_default_every(every: &Span) -> bool {
    every.0 == EVERY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uplink(line: &str) -> Uplink {
        Uplink {
            line: line.into(),
            ssid: 2,
            stamp: "192.0.2.1:8862".parse().unwrap(),
            collector: "https://collector.example:8443".into(),
            pin: None,
            source: Some("10.101.1.2".parse().unwrap()),
            interface: None,
            every: Span(EVERY),
            metered: false,
            budget_mb: None,
        }
    }

    #[test]
    fn a_pin_stands_in_for_the_address_alone() {
        let pinned = Uplink { pin: Some("10.255.0.1".parse().unwrap()), ..uplink("a") };
        assert_eq!(pinned.stamp_address(), "10.255.0.1:8862".parse().unwrap());
        assert_eq!(uplink("a").stamp_address(), "192.0.2.1:8862".parse().unwrap());
    }

    #[test]
    fn what_the_record_leaves_open_the_agents_own_file_says_of_its_line() {
        let own = uplink("a");
        let way = Way { source: None, ..own.way() };
        assert_eq!(way.clone().reached_as(&own), own);
        let other = Way { line: "b".into(), ssid: 4, ..way }.reached_as(&own);
        assert_eq!((other.source, other.collector), (None, own.collector.clone()));
    }

    #[test]
    fn orders_travel_without_the_secret_and_read_back() {
        let plan = Plan {
            agent: "28249-tt".into(),
            secret: Some("5ec4e7".into()),
            uplinks: vec![uplink("a")],
            authority: None,
            listen: None,
            flush: default_flush(),
            prompt: true,
            spool_bytes: 1,
            spool_raw: default_spool_raw(),
            spool_digests: default_spool_digests(),
            checks: Vec::new(),
            listeners: Listening { neighbours: true, ..Listening::default() },
            credentials: Vec::new(),
            known: [("192.0.2.1".parse().unwrap(), "pop/p".to_owned())].into(),
        };
        let text = plan.orders().text();
        assert!(!text.contains("5ec4e7") && !text.contains("collector.example"), "{text}");
        assert_eq!(serde_json::from_str::<Orders>(&text).unwrap(), plan.orders());
        assert!(!text.contains("sealed"), "{text}");
        let newer = text.replace("{\"flush\"", "{\"a_key_of_tomorrow\":1,\"flush\"");
        assert_eq!(serde_json::from_str::<Orders>(&newer).unwrap(), plan.orders());
    }
}
