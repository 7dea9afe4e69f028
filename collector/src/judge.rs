//! What agents' checks say of what stands behind them: devices, shared services, certificates.
//!
//! ```text
//! outcomes ─▶ standings, one per agent and check ─▶ devices ─┐
//!             (fresh ones decide, late ones correct) services ┼─▶ conditions ─▶ ledger
//!                                                certificates ┘
//! ```
//!
//! Pure. What was sent when decides, not what was heard first. Outcomes that come late never bring a condition about; they correct when it began. While an agent is not heard,
//! what it last told stands.

mod certificates;
mod devices;
mod register;
mod services;
mod standing;

use crate::detect::LATE;
use crate::incident::{Cause, Impact, Kind, Root, Severity, condition::Condition, ledger::View};
use crate::topology::{Id, Topology};
use haidang_probe::{
    check::CheckId,
    outcome::{Failure, Outcome},
};
use register::{Asked, Register};
use serde::{Deserialize, Serialize};
use standing::Standing;
use std::collections::{BTreeMap, BTreeSet};

/// How long one of these troubles must be gone, ms. They need no gate: enough runs failed before one is told.
const QUIET: i64 = 30_000;
/// How long a check fails before it is a finding, ms.
const FAILING: i64 = 60_000;
/// Runs missing in a row before a check's last outcome says nothing of now.
const RUNS_MISSING: i64 = 3;

/// What stands behind the checks of all agents.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Judges {
    #[serde(skip)]
    register: Register,
    standings: BTreeMap<Id, BTreeMap<CheckId, Standing>>,
    /// Devices with an incident of their own, until they answer.
    dead: BTreeSet<Id>,
    /// Devices that fell silent together, in an incident of their LAN.
    fallen: BTreeSet<Id>,
    /// Devices that are silent and may be off with their office.
    resting: BTreeSet<Id>,
    /// Services that are down, with the sites that saw it since.
    down: BTreeMap<Id, BTreeSet<Id>>,
}

/// How something stands, and since when (UTC ms; 0 where it always did).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Stands {
    Well(i64),
    /// Some of what is asked of it fails.
    Partly(i64),
    Failing(i64),
    /// It is silent, and may be off with its office.
    Off(i64),
    /// It never answered, or nothing is heard of it.
    Unknown,
}

/// A check that fails and is part of no incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwell {
    /// Whose agent asks.
    pub site: Id,
    /// Name of the check.
    pub check: String,
    /// UTC ms.
    pub since: i64,
    /// What it last failed with.
    pub failure: Failure,
    /// Whether it ever answered.
    pub established: bool,
}

impl Judges {
    /// Another record: what it no longer has is forgotten.
    pub fn configure(&mut self, topology: &Topology) {
        self.restore(topology);
        let register = &self.register;
        self.standings.retain(|site, _| register.sites.contains_key(site));
        for (site, standings) in &mut self.standings {
            standings.retain(|check, _| register.asked(site, *check).is_some());
        }
        let known = |device: &Id| register.sites.values().any(|site| site.devices.contains_key(device));
        self.dead.retain(known);
        self.fallen.retain(known);
        self.resting.retain(known);
        self.down.retain(|service, _| register.services.contains_key(service));
    }

    /// The fold's time goes back by `by`, ms: what is known keeps its age.
    pub fn rewind(&mut self, by: i64) {
        self.standings.values_mut().flat_map(BTreeMap::values_mut).for_each(|standing| standing.rewind(by));
    }

    /// Makes ready what is not kept with the state.
    pub fn restore(&mut self, topology: &Topology) {
        self.register = Register::of(topology);
    }

    /// Notes an outcome sent at `sent`; `received` says when it came, if not from a backlog. UTC ms.
    pub fn heard(&mut self, agent: &str, outcome: &Outcome, sent: i64, received: Option<i64>) {
        // An agent may name any check; what the record does not have is not remembered.
        let Some(asked) = self.register.asked(agent, outcome.check) else { return };
        let fresh = received.is_some_and(|at| at - sent - asked.timeout <= LATE);
        let site = match self.standings.get_mut(agent) {
            Some(site) => site,
            None => self.standings.entry(agent.to_owned()).or_default(),
        };
        site.entry(outcome.check).or_default().heard(outcome, sent, fresh);
    }

    /// What is wrong now. Call once a second.
    pub fn judge(&mut self, view: &View) -> Vec<Condition> {
        let mut wrong = self.dead_devices(view);
        wrong.extend(self.services_down(view));
        wrong.extend(self.certificates_ending(view));
        wrong
    }

    /// How the devices of a site stand, by id.
    pub fn devices(&self, site: &str, now: i64) -> BTreeMap<&Id, Stands> {
        let Some(register) = self.register.sites.get(site) else { return BTreeMap::new() };
        let stands = register.devices.iter().map(|(id, device)| {
            let dead = self.dead.contains(id) || self.fallen.contains(id);
            match self.stands(site, &device.checks, now, dead) {
                Stands::Failing(since) if self.resting.contains(id) => (id, Stands::Off(since)),
                stands => (id, stands),
            }
        });
        stands.collect()
    }

    /// How a service stands, and the sites whose asks fail.
    pub fn service(&self, service: &str, now: i64) -> (Stands, Vec<Id>) {
        let Some(of) = self.register.services.get(service) else { return (Stands::Unknown, Vec::new()) };
        let asks = self.asks(of, now);
        let failing: Vec<Id> = asks.failing.iter().map(|(site, _)| (*site).clone()).collect();
        let since = asks.failing.iter().map(|(_, since)| *since).min();
        let well = asks.well.iter().map(|(_, since)| *since).max();
        let stands = match (since, well) {
            (Some(since), _) if self.down.contains_key(service) => Stands::Failing(since),
            (Some(since), _) => Stands::Partly(since),
            (None, Some(since)) => Stands::Well(since),
            (None, None) => Stands::Unknown,
        };
        (stands, failing)
    }

    /// Checks that fail for a minute, or cannot be run, and are part of no incident.
    pub fn unwell(&self, now: i64) -> Vec<Unwell> {
        let mut all = Vec::new();
        // While a resolver is down, that tells why names are not found.
        let nameless =
            self.register.services.iter().any(|(id, of)| of.is_resolver && self.down.contains_key(id));
        for (site, register) in &self.register.sites {
            let told: BTreeSet<CheckId> = self.told(register).collect();
            for asked in register.every_check().filter(|asked| !told.contains(&asked.id)) {
                let Some(standing) = self.standing(site, asked.id) else { continue };
                let failing = standing.failing().filter(|(since, _)| now - since >= FAILING);
                let failing = failing.filter(|(_, failure)| {
                    !(standing.certificate_ended(now) || *failure == Failure::Resolve && nameless)
                });
                let Some((since, failure)) = standing.unable().or(failing) else { continue };
                let (site, check) = (site.clone(), asked.name.clone());
                all.push(Unwell { site, check, since, failure, established: standing.established() });
            }
        }
        all
    }

    /// Checks whose failing an incident tells, and those of things that people switch off or that rest.
    fn told<'a>(&'a self, site: &'a register::Place) -> impl Iterator<Item = CheckId> + 'a {
        let devices = site.devices.iter();
        let devices = devices.filter(|(id, device)| {
            let told = [&self.dead, &self.fallen, &self.resting].iter().any(|all| all.contains(*id));
            told || device.is_switched_off()
        });
        let services = site.services.iter().filter(|(id, _)| self.down.contains_key(id));
        let of_devices = devices.flat_map(|(_, device)| device.checks.iter().map(|asked| asked.id));
        of_devices.chain(services.map(|(_, asked)| asked.id))
    }

    fn standing(&self, site: &str, check: CheckId) -> Option<&Standing> {
        self.standings.get(site)?.get(&check)
    }

    fn standings_of<'a>(
        &'a self,
        site: &'a str,
        checks: &'a [Asked],
    ) -> impl Iterator<Item = &'a Standing> + 'a {
        checks.iter().filter_map(|asked| self.standing(site, asked.id))
    }

    fn stands(&self, site: &str, checks: &[Asked], now: i64, dead: bool) -> Stands {
        let current = |asked: &Asked| {
            let standing = self.standing(site, asked.id)?;
            let tells = standing.established() && standing.is_current(asked, now);
            tells.then_some(standing)
        };
        let heard: Vec<&Standing> = checks.iter().filter_map(current).collect();
        let failing: Vec<i64> = heard.iter().filter_map(|standing| standing.shown_failing()).collect();
        match (heard.len(), failing.iter().copied().max()) {
            (0, _) => Stands::Unknown,
            (all, Some(since)) if dead || failing.len() == all => Stands::Failing(since),
            (_, Some(since)) => Stands::Partly(since),
            (_, None) => Stands::Well(heard.iter().map(|standing| standing.well_since()).max().unwrap_or(0)),
        }
    }
}

/// A condition that needs no gate.
fn condition(
    root: Root,
    kind: Kind,
    severity: Severity,
    sites: impl IntoIterator<Item = Id>,
    since: i64,
    causes: Vec<(Cause, f64)>,
) -> Condition {
    let sites = sites.into_iter().map(|site| (site, Impact::Degraded)).collect();
    Condition { root, kind, severity, sites, since, causes, gate_ms: 0, quiet_ms: QUIET }
}
