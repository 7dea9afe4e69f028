//! What is shown of agents' checks: findings about those that fail, devices and services with their states.
//!
//! A check that never answered is Unknown and a finding; it is not an incident.

use super::{Finding, Verdict, Watch};
use crate::{
    judge::{Judges, Stands},
    topology::{DeviceKind, Id},
};

/// A device with its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceShown {
    /// Id.
    pub id: Id,
    /// Name.
    pub name: String,
    /// What it is.
    pub kind: DeviceKind,
    /// `Up`, `Degraded` (some of its checks fail), `Down` or `Unknown`.
    pub verdict: Verdict,
    /// UTC ms; `None` where it was never otherwise, or nothing is known.
    pub since: Option<i64>,
}

/// A service with its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceShown {
    /// Id.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// Its owner is none of us.
    pub outside: bool,
    /// `Up`, `Degraded` (some sites see it fail, not enough to blame it), `Down` or `Unknown`.
    pub verdict: Verdict,
    /// UTC ms; `None` where it was never otherwise, or nothing is known.
    pub since: Option<i64>,
    /// Sites that see it fail now.
    pub sites: Vec<Id>,
}

impl Watch {
    /// The devices of a site, in order of id.
    pub fn devices(&self, site: &str) -> Vec<DeviceShown> {
        let Some(record) = self.topology.sites.get(site) else { return Vec::new() };
        let stands = self.judges.devices(site, self.now());
        let shown = record.devices.iter().map(|(id, device)| {
            let (verdict, since) = shown(stands.get(id).copied().unwrap_or(Stands::Unknown));
            DeviceShown { id: id.clone(), name: device.name.clone(), kind: device.kind, verdict, since }
        });
        shown.collect()
    }

    /// The shared services, in order of id.
    pub fn services(&self) -> Vec<ServiceShown> {
        let shown = self.topology.services.iter().map(|(id, service)| {
            let (stands, sites) = self.judges.service(id, self.now());
            let (verdict, since) = shown(stands);
            let (name, owner) = (service.name.clone(), service.owner.clone());
            ServiceShown { id: id.clone(), name, owner, outside: service.outside, verdict, since, sites }
        });
        shown.collect()
    }
}

fn shown(stands: Stands) -> (Verdict, Option<i64>) {
    let (verdict, since) = match stands {
        Stands::Well(since) => (Verdict::Up, since),
        Stands::Partly(since) => (Verdict::Degraded, since),
        Stands::Failing(since) => (Verdict::Down, since),
        Stands::Off(since) => (Verdict::OffHours, since),
        Stands::Unknown => (Verdict::Unknown, 0),
    };
    (verdict, Some(since).filter(|since| *since > 0))
}

/// Findings about checks that fail and are part of no incident. What the core agent asks of lines and ports is
/// the detector's.
pub fn findings(judges: &Judges, now: i64) -> Vec<Finding> {
    let unwell = judges.unwell(now).into_iter().map(|one| {
        let kind = match (one.failure.tells_of_target(), one.established) {
            (false, _) => one.failure.name(),
            (true, false) => "never-answered",
            (true, true) => "check-failing",
        };
        Finding { kind: kind.to_owned(), subject: format!("{}/{}", one.site, one.check), since: one.since }
    });
    unwell.collect()
}
