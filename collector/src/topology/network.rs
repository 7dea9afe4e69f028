//! The network tree: carriers, hand-offs, aggregation points, lines, and what the core agent asks of them.

use super::Id;
use haidang_probe::ask::Question;
use haidang_probe::ask::place::Place;
use haidang_probe::check::{Check, CheckId};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A telecom carrier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Carrier {
    /// Name.
    pub name: String,
    /// Telephone of its fault desk.
    pub hotline: Option<String>,
    /// What the core agent asks to know that the carrier's core lives.
    pub core: Option<Ask>,
}

/// The demarcation at the centre: our port and the carrier's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HandOff {
    /// Name.
    pub name: String,
    /// Whose port faces ours.
    pub carrier: Id,
    /// Our port: silent with everything behind it, the fault is ours.
    pub our_port: Option<Ask>,
    /// The carrier's port: silent while ours answers, the fault is the carrier's.
    pub carrier_port: Option<Ask>,
    /// The collector's address that gateways route strictly over this carrier and never fail over: what comes
    /// to it came by one of the carrier's lines (field.md 8).
    pub collector: Option<IpAddr>,
}

/// A carrier's aggregation point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pop {
    /// Name.
    pub name: String,
    /// Whose it is.
    pub carrier: Id,
    /// Its address on the way to the centre, if the carrier told; restricted.
    pub address: Option<IpAddr>,
}

/// A line bought from a carrier, known by its circuit id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Site it serves.
    pub site: Id,
    /// Carrier it is bought from.
    pub carrier: Id,
    /// Hand-off it comes in by.
    pub hand_off: Id,
    /// Aggregation point, if recorded.
    pub pop: Option<Id>,
    /// Address of the carrier's first hop as seen from the site, where one is visible; restricted.
    pub first_hop: Option<IpAddr>,
    /// The carrier's circuit id (mã kênh).
    pub circuit: String,
    /// Contracted rate, Mb/s.
    pub mbps: Option<u32>,
    /// Primary or backup.
    pub role: Role,
    /// Number of the contract with the carrier.
    pub contract: Option<String>,
    /// What it is made of.
    pub medium: Option<Medium>,
    /// VLAN or VPN it rides in; restricted, shown to nobody.
    pub vlan: Option<String>,
    /// Paid by volume: probed once a minute, and no backlog is sent over it (field.md 9).
    pub metered: bool,
    /// What a metered line may carry for us in a month, MB.
    pub budget_mb: Option<u32>,
    /// How packets of its agent's uplink are kept on it.
    pub pin: Pin,
    /// What the core agent asks at the site's end.
    pub gateway: Option<Ask>,
    /// Source addresses its agent's liveness packets carry when they truly ride on this line; they prove the
    /// uplink. Unproved, a stream speaks for the site alone.
    pub seen_from: Vec<IpAddr>,
    /// STAMP session id of the up session of the agent's uplink on this line.
    pub ssid: Option<u16>,
}

/// How the packets of an uplink are kept on their line: by where they go, or by where they leave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The collector's address that the gateway routes strictly over this line; else the hand-off's.
    pub collector: Option<IpAddr>,
    /// Address the agent binds to, where it owns the WAN port.
    pub source: Option<IpAddr>,
    /// Interface the agent binds to, where it owns the WAN port.
    pub interface: Option<String>,
}

/// What a line is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Medium {
    /// Fibre, a circuit of layer 2: no hop of the carrier is visible.
    FibreL2,
    /// Fibre, routed by the carrier.
    FibreL3,
    /// Cellular, in a private access point: shares the risk of power and storm, so never counts as independent.
    #[serde(rename = "4g-apn")]
    Cellular,
    /// Something else.
    Other,
}

/// Interval of liveness packets, ms.
pub const EVERY_MS: i64 = 1_000;
/// Interval of those on a metered line, ms.
const EVERY_METERED_MS: i64 = 60_000;

impl Line {
    /// Interval of the liveness packets of its uplink, ms.
    pub fn every_ms(&self) -> i64 {
        if self.metered { EVERY_METERED_MS } else { EVERY_MS }
    }
}

/// What a line is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Carries the traffic.
    #[default]
    Primary,
    /// Carries it when the primary is dead.
    Backup,
}

/// A question for the core agent: probe × target × interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask(pub Check);

impl Ask {
    /// The check's id within the core agent.
    pub fn id(&self) -> CheckId {
        self.0.id()
    }

    /// The address it asks, where it is asked by address.
    pub fn address(&self) -> Option<IpAddr> {
        match Question::of(&self.0).ok()?.place()? {
            Place::Address(address) => Some(*address),
            _ => None,
        }
    }

    /// Its interval, ms.
    pub fn every_ms(&self) -> i64 {
        self.0.every.0.as_millis() as i64
    }
}
