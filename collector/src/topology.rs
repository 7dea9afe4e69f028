//! The province as the detector sees it: two dated trees and the streams that watch them.
//!
//! ```text
//! administration   province > area? > commune > site
//! network          core > hand-off > carrier > POP? > line > site > device
//! ```
//!
//! Everything is known by a code, never by a name (names repeat) and never by an address (LANs repeat).
//! This module holds the record and answers questions about it; `config` reads it from YAML.

use haidang_probe::{
    check::{Check, CheckId},
    key,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Identity of anything in the record, unique within its kind.
pub type Id = String;

/// The whole record. Part of the journal: a verdict is a function of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Topology {
    /// The province watched.
    pub province: Province,
    /// Operator-named areas.
    pub areas: BTreeMap<Id, Area>,
    /// Communes by code, also those that no longer exist.
    pub communes: BTreeMap<Id, Commune>,
    /// Carriers.
    pub carriers: BTreeMap<Id, Carrier>,
    /// Where a carrier meets the core: one per carrier and port.
    pub hand_offs: BTreeMap<Id, HandOff>,
    /// Carrier aggregation points, where known.
    pub pops: BTreeMap<Id, Pop>,
    /// Sites.
    pub sites: BTreeMap<Id, Site>,
    /// Lines.
    pub lines: BTreeMap<Id, Line>,
}

/// The province.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Province {
    /// Code of the General Statistics Office.
    pub code: Id,
    /// Name.
    pub name: String,
}

/// An area the operator thinks in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Area {
    /// Name, shown as given.
    pub name: String,
    /// Its place in the operator's own order.
    pub place: u32,
}

/// A commune, with the dates it existed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Commune {
    /// Name without its kind.
    pub name: String,
    /// `xã`, `phường` or `đặc khu`.
    pub kind: String,
    /// Area it belongs to.
    pub area: Option<Id>,
    /// First day it existed, `YYYY-MM-DD`.
    pub valid_from: Option<String>,
    /// First day it no longer existed.
    pub valid_to: Option<String>,
    /// The commune that took it over.
    pub successor: Option<Id>,
}

/// A telecom carrier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Carrier {
    /// Name.
    pub name: String,
    /// Telephone of its fault desk.
    pub hotline: Option<String>,
    /// What the core agent asks to know that the carrier's core lives.
    pub core: Option<Ask>,
}

/// The demarcation at the centre: our port and the carrier's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandOff {
    /// Name.
    pub name: String,
    /// Whose port faces ours.
    pub carrier: Id,
    /// Our port: silent with everything behind it, the fault is ours.
    pub our_port: Option<Ask>,
    /// The carrier's port: silent while ours answers, the fault is the carrier's.
    pub carrier_port: Option<Ask>,
}

/// A carrier's aggregation point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pop {
    /// Name.
    pub name: String,
    /// Whose it is.
    pub carrier: Id,
}

/// How a site is observed (field.md 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observe {
    /// The agent runs on the gateway: its boot id speaks for the gateway.
    Gateway,
    /// The agent runs on a box behind the gateway: its boot id speaks for the box alone.
    BoxBehind,
    /// No agent; the gateway reflects STAMP or TWAMP-Light.
    Reflector,
    /// No agent; the gateway answers ICMP or TCP.
    PingOnly,
}

impl Observe {
    /// Whether an agent of ours runs at the site.
    pub fn has_agent(self) -> bool {
        matches!(self, Observe::Gateway | Observe::BoxBehind)
    }
}

/// What a site is for the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SiteKind {
    /// An office of a commune.
    Office,
    /// The centre; its agent is the core agent and asks everything that has an [`Ask`].
    Core,
}

/// A place in a commune, or the centre.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// Name.
    pub name: String,
    /// Office or centre.
    pub kind: SiteKind,
    /// Commune it lies in; the centre has none.
    pub commune: Option<Id>,
    /// How it is observed.
    pub observe: Observe,
    /// Simulated: marked "DIỄN TẬP" wherever it is shown.
    pub rehearsal: bool,
    /// How many of its lines it needs.
    pub needs: Needs,
    /// Whom to call.
    pub contact: Option<Contact>,
    /// How long it must be cut off before its incident opens, seconds.
    pub gate_s: u32,
    /// What its agent asks beside its lines.
    pub checks: Vec<Check>,
    /// STAMP session of an agent whose uplink is no known line (`uplink: any`).
    pub ssid: Option<u16>,
}

/// Which of a site's lines must live for it to be reached: always said, never guessed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// One of these lines is enough.
    AnyOf(Vec<Id>),
    /// Each of these lines is needed.
    AllOf(Vec<Id>),
}

impl Needs {
    /// The lines named.
    pub fn lines(&self) -> &[Id] {
        match self {
            Needs::AnyOf(lines) | Needs::AllOf(lines) => lines,
        }
    }
}

/// A person at a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contact {
    /// Name.
    pub name: String,
    /// Telephone.
    pub phone: String,
}

/// A line bought from a carrier, known by its circuit id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Site it serves.
    pub site: Id,
    /// Carrier it is bought from.
    pub carrier: Id,
    /// Hand-off it comes in by.
    pub hand_off: Id,
    /// Aggregation point, if recorded.
    pub pop: Option<Id>,
    /// The carrier's circuit id (mã kênh).
    pub circuit: String,
    /// Contracted rate, Mb/s.
    pub mbps: Option<u32>,
    /// Primary or backup.
    pub role: Role,
    /// Paid by volume: probed sparingly.
    pub metered: bool,
    /// What the core agent asks at the site's end.
    pub gateway: Option<Ask>,
    /// Source addresses its agent's liveness packets carry when they truly ride on this line; they prove the
    /// uplink. Unproved, a stream speaks for the site alone.
    pub seen_from: Vec<IpAddr>,
    /// STAMP session id of the up session of the agent's uplink on this line.
    pub ssid: Option<u16>,
}

/// What a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Carries the traffic.
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
}

impl Topology {
    /// The centre's site id, if one is recorded.
    pub fn core(&self) -> Option<&Id> {
        self.sites.iter().find(|(_, site)| site.kind == SiteKind::Core).map(|(id, _)| id)
    }

    /// The sites of communes, in order of id: all but the centre.
    pub fn offices(&self) -> impl Iterator<Item = (&Id, &Site)> {
        self.sites.iter().filter(|(_, site)| site.kind == SiteKind::Office)
    }

    /// The lines of `site`, in order of id.
    pub fn lines_of<'t>(&'t self, site: &'t str) -> impl Iterator<Item = (&'t Id, &'t Line)> {
        self.lines.iter().filter(move |(_, line)| line.site == site)
    }

    /// Everything the core agent asks about lines, hand-offs and carriers, in order of id.
    pub fn core_checks(&self) -> Vec<Check> {
        let lines = self.lines.values().filter_map(|line| line.gateway.as_ref());
        let ports = self.hand_offs.values().flat_map(|port| [&port.our_port, &port.carrier_port]).flatten();
        let cores = self.carriers.values().filter_map(|carrier| carrier.core.as_ref());
        lines.chain(ports).chain(cores).map(|ask| ask.0.clone()).collect()
    }

    /// Everything the agent of `site` asks: its own checks, and at the centre the core agent's.
    pub fn checks_of(&self, site: &str) -> Vec<Check> {
        let Some(record) = self.sites.get(site) else { return Vec::new() };
        let mut checks = record.checks.clone();
        if record.kind == SiteKind::Core {
            checks.extend(self.core_checks());
        }
        checks
    }

    /// SHA-256 of the record, hex: whether two collectors judge by the same one.
    pub fn digest(&self) -> String {
        use sha2::{Digest, Sha256};
        let bytes = postcard::to_allocvec(self).unwrap_or_default();
        key::hex(&Sha256::digest(bytes))
    }
}
