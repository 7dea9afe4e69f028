//! Who asks what of whom: the record, indexed for the judges. Made anew from each record.

use crate::topology::{DeviceKind, Id, SiteKind, Topology};
use haidang_probe::check::{Check, CheckId, ProbeKind};
use std::collections::BTreeMap;

/// All sites and services.
#[derive(Clone, Debug, Default)]
pub struct Register {
    pub sites: BTreeMap<Id, Place>,
    pub services: BTreeMap<Id, Served>,
}

/// What the agent of a site asks.
#[derive(Clone, Debug, Default)]
pub struct Place {
    pub devices: BTreeMap<Id, Thing>,
    /// Of the site itself.
    pub own: Vec<Asked>,
    /// What many sites ask.
    pub shared: Vec<Asked>,
    /// Services it asks, by id.
    pub services: Vec<(Id, Asked)>,
}

/// A device.
#[derive(Clone, Debug)]
pub struct Thing {
    pub name: String,
    pub kind: DeviceKind,
    pub checks: Vec<Asked>,
}

/// A service, and the sites that ask it.
#[derive(Clone, Debug)]
pub struct Served {
    pub name: String,
    pub asked: Asked,
    pub askers: Vec<Id>,
    pub core: Option<Id>,
    /// It finds names.
    pub is_resolver: bool,
}

/// One check, as far as the judges need it. Times in ms.
#[derive(Clone, Debug)]
pub struct Asked {
    pub id: CheckId,
    pub name: String,
    pub every: i64,
    pub timeout: i64,
    /// It asks whether something is there, not whether it works.
    pub reach: bool,
}

impl Register {
    /// Indexes a record.
    pub fn of(topology: &Topology) -> Register {
        let mut register = Register::default();
        for (id, site) in &topology.sites {
            let devices = site.devices.iter().map(|(id, device)| {
                let checks = device.checks.iter().map(Asked::of).collect();
                (id.clone(), Thing { name: device.name.clone(), kind: device.kind, checks })
            });
            let shared = topology.shared.iter().filter(|shared| shared.asked_by.includes(site));
            let services = topology.services.iter().filter(|(_, service)| service.asked_by.includes(site));
            let place = Place {
                devices: devices.collect(),
                own: site.checks.iter().map(Asked::of).collect(),
                shared: shared.map(|shared| Asked::of(&shared.check)).collect(),
                services: services.map(|(id, service)| (id.clone(), Asked::of(&service.check))).collect(),
            };
            register.sites.insert(id.clone(), place);
        }
        for (id, service) in &topology.services {
            let asks = |site: &&Id| service.asked_by.includes(&topology.sites[*site]);
            let askers: Vec<Id> = topology.sites.keys().filter(asks).cloned().collect();
            let core = askers.iter().find(|site| topology.sites[*site].kind == SiteKind::Core).cloned();
            let (name, asked) = (service.name.clone(), Asked::of(&service.check));
            let is_resolver = service.check.probe == ProbeKind::Dns;
            register.services.insert(id.clone(), Served { name, asked, askers, core, is_resolver });
        }
        register
    }

    /// A check of a site's agent, if the record has it.
    pub fn asked(&self, site: &str, check: CheckId) -> Option<&Asked> {
        self.sites.get(site)?.every_check().find(|asked| asked.id == check)
    }
}

impl Place {
    /// Everything its agent asks.
    pub fn every_check(&self) -> impl Iterator<Item = &Asked> {
        self.on_the_lan().chain(self.beyond())
    }

    /// What it asks of the site and its devices.
    pub fn on_the_lan(&self) -> impl Iterator<Item = &Asked> {
        self.own.iter().chain(self.devices.values().flat_map(|device| &device.checks))
    }

    /// What it asks as others do.
    pub fn beyond(&self) -> impl Iterator<Item = &Asked> {
        self.shared.iter().chain(self.services.iter().map(|(_, asked)| asked))
    }
}

impl Thing {
    /// People switch it off when they leave: its silence is no trouble.
    pub fn is_switched_off(&self) -> bool {
        matches!(self.kind, DeviceKind::Computer | DeviceKind::Printer)
    }
}

impl Asked {
    fn of(check: &Check) -> Asked {
        Asked {
            id: check.id(),
            name: check.name.clone(),
            every: check.every.0.as_millis() as i64,
            timeout: check.timeout.0.as_millis() as i64,
            reach: check.probe == ProbeKind::Icmp,
        }
    }
}
