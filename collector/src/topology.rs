//! The province as the detector sees it: two dated trees and the streams that watch them.
//!
//! ```text
//! administration   province > area? > commune > site
//! network          core > hand-off > carrier > POP? > line > site > device
//! beside them      feeders (who goes dark together), services (what work depends on)
//! ```
//!
//! Everything is known by a code, never by a name (names repeat) and never by an address (LANs repeat).
//! This module holds the record and answers questions about it; `config` reads it from YAML.

pub mod hours;
mod network;
pub mod service;
mod site;

use haidang_probe::{check::Check, key, plan::PlanDigest};
pub use hours::Hours;
pub use network::{Ask, Carrier, EVERY_MS, HandOff, Line, Medium, Pin, Pop, Role};
use serde::{Deserialize, Serialize};
pub use service::{AskedBy, Feeder, Service, Shared};
pub use site::{
    Contact, Device, DeviceKind, Former, Needs, Observe, OffOutsideHours, Power, Site, SiteKind, Supply,
};
use std::collections::BTreeMap;

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
    /// Power lines.
    pub feeders: BTreeMap<Id, Feeder>,
    /// Shared services.
    pub services: BTreeMap<Id, Service>,
    /// Checks that many sites run.
    pub shared: Vec<Shared>,
    /// Digests of the orders of agents that are told credentials ([`seal`](crate::plans::seal)): the record holds no
    /// secret, so it alone does not give them.
    pub sealed: BTreeMap<Id, PlanDigest>,
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

    /// Everything the agent of `site` asks: its own checks and its devices', those it shares with other sites, and
    /// at the centre the core agent's.
    pub fn checks_of(&self, site: &str) -> Vec<Check> {
        let Some(record) = self.sites.get(site) else { return Vec::new() };
        let mut checks: Vec<Check> = record.own_checks().chain(self.shared_checks(record)).cloned().collect();
        if record.kind == SiteKind::Core {
            checks.extend(self.core_checks());
        }
        checks
    }

    /// What the agent of `site` asks as many others do: checks by tag, and services.
    pub fn shared_checks<'t>(&'t self, site: &'t Site) -> impl Iterator<Item = &'t Check> {
        let shared = self.shared.iter().filter(|shared| shared.asked_by.includes(site));
        let services = self.services.values().filter(|service| service.asked_by.includes(site));
        shared.map(|shared| &shared.check).chain(services.map(|service| &service.check))
    }

    /// SHA-256 of the record, hex: whether two collectors judge by the same one.
    pub fn digest(&self) -> String {
        use sha2::{Digest, Sha256};
        let bytes = postcard::to_allocvec(self).unwrap_or_default();
        key::hex(&Sha256::digest(bytes))
    }
}
