//! Shared services: however many agents see one fail, it is one trouble at the service (detection decision 9).
//!
//! An asker counts while it is heard and its own way is sound: what a cut carrier hides is no failure of a
//! service. It takes two of them, and half of those who tell, or the centre among them; one that fails alone is
//! a finding at its site. Once down, a service is so until most of those who tell succeed. Where a resolver is
//! recorded as a service, a name that is not found is its failure and nobody else's.

use super::{
    Judges, condition,
    register::Served,
    standing::{Standing, Window},
};
use crate::detect::{Shows, fault::At, graph::Node};
use crate::incident::{Cause, Kind, Root, RootKind, Severity, condition::Condition, ledger::View};
use crate::topology::Id;
use haidang_probe::outcome::Failure;
use std::collections::{BTreeMap, BTreeSet};

/// An answer this long after a site's line fell shows that its way to the service is sound, ms.
const SETTLED: i64 = 5_000;
/// Askers that make a failure the service's.
const ENOUGH: usize = 2;

/// Those who ask a service and are heard, with the time since when they fail, or succeed (UTC ms).
pub(super) struct Asks<'a> {
    pub failing: Vec<(&'a Id, i64)>,
    pub well: Vec<(&'a Id, i64)>,
}

impl Judges {
    pub(super) fn services_down(&mut self, view: &View) -> Vec<Condition> {
        let troubled = troubled(view);
        let now = view.detector.now();
        let mut wrong = Vec::new();
        let mut down = BTreeMap::new();
        for (id, service) in &self.register.services {
            let asks = self.asks(service, now);
            let was_down = self.down.contains_key(id);
            if !was_down && asks.failing.is_empty() {
                continue;
            }
            let is_down = was_down && !recovered(&asks) || self.falls(service, &asks, &troubled, view);
            if is_down && let Some(condition) = self.condition_of(id, service, now) {
                down.insert(id.clone(), condition.sites.keys().cloned().collect());
                wrong.push(condition);
            }
        }
        self.down = down;
        wrong
    }

    pub(super) fn asks<'a>(&'a self, service: &'a Served, now: i64) -> Asks<'a> {
        let mut asks = Asks { failing: Vec::new(), well: Vec::new() };
        for site in &service.askers {
            let Some(standing) = self.standing(site, service.asked.id) else { continue };
            if !standing.is_current(&service.asked, now) || self.is_explained(service, standing, now) {
                continue;
            }
            match standing.failing() {
                Some((since, _)) if standing.fails_within(Window::EVER) => asks.failing.push((site, since)),
                None if standing.well().is_some() => asks.well.push((site, standing.well_since())),
                _ => {}
            }
        }
        asks
    }

    /// Whether something else tells why it fails: its certificate, or the resolver.
    fn is_explained(&self, service: &Served, standing: &Standing, now: i64) -> bool {
        let nameless = standing.failing().is_some_and(|(_, failure)| failure == Failure::Resolve);
        let resolver = || self.register.services.values().any(|other| other.is_resolver);
        standing.certificate_ended(now) || nameless && !service.is_resolver && resolver()
    }

    fn falls(&self, service: &Served, asks: &Asks, troubled: &BTreeMap<Id, i64>, view: &View) -> bool {
        let sound = |(site, since): &&(&Id, i64)| {
            let answered = *since - service.asked.every;
            troubled.get(*site).is_none_or(|fell| answered > fell + SETTLED)
        };
        let failing: Vec<&Id> = asks.failing.iter().filter(sound).map(|(site, _)| *site).collect();
        if let [only] = &service.askers[..] {
            return failing.contains(&only) && self.agent_is_sound(only, service, view);
        }
        let centre = service.core.as_ref().is_some_and(|core| failing.contains(&core));
        let half = failing.len() >= asks.well.len();
        failing.len() >= ENOUGH && (centre || half)
    }

    /// Whether something else that the agent asks answered while the service failed; the centre's agent asks
    /// for the lines.
    fn agent_is_sound(&self, site: &Id, service: &Served, view: &View) -> bool {
        let Some(failing) = self.standing(site, service.asked.id) else { return false };
        let all = self.standings.get(site).into_iter().flatten();
        let others = all.filter(|(check, _)| **check != service.asked.id);
        let answers = |line| view.detector.shows(line) == Shows::Alive;
        let asks_lines = service.core.as_ref() == Some(site) && (0..view.graph.lines.len()).any(answers);
        let mut answered = others.filter_map(|(_, standing)| standing.answered());
        asks_lines || answered.any(|window| failing.fails_within(window))
    }

    /// The condition of a service that is down, for all who saw it fail since it is; `None` once nobody does.
    fn condition_of(&self, id: &Id, service: &Served, now: i64) -> Option<Condition> {
        let failing = service.askers.iter().filter_map(|site| {
            let standing = self.standing(site, service.asked.id)?;
            let fails = standing.fails_within(Window::EVER) && !self.is_explained(service, standing, now);
            standing.failing().filter(|_| fails).map(|(since, _)| (site, since))
        });
        let failing: BTreeMap<&Id, i64> = failing.collect();
        let since = failing.values().min().copied()?;
        let office = |site: &&Id| service.core.as_ref() != Some(*site);
        let before = self.down.get(id).into_iter().flatten();
        let sites: BTreeSet<Id> = failing.into_keys().chain(before).filter(office).cloned().collect();
        let root = Root { kind: RootKind::Service, id: id.clone(), name: service.name.clone() };
        let causes = vec![(Cause::Service, 1.0)];
        Some(condition(root, Kind::ServiceDown, Severity::Critical, sites, since, causes))
    }
}

/// Whether most of those who tell succeed; while nobody tells, nothing is known to have changed.
fn recovered(asks: &Asks) -> bool {
    asks.well.len() > asks.failing.len()
}

/// Sites whose own way is in doubt, and since when: a line of theirs fell silent.
fn troubled(view: &View) -> BTreeMap<Id, i64> {
    let mut sites = BTreeMap::new();
    for fault in view.detector.faults().values() {
        let lines = fault.lines.iter().map(|line| &view.graph.lines[*line]);
        let of_lines = lines.map(|line| view.graph.sites[line.site].id.clone());
        let agent = match &fault.at {
            At::Node(Node::Agent(site)) => Some(site.clone()),
            _ => None,
        };
        for site in of_lines.chain(agent) {
            let fell = sites.entry(site).or_insert(fault.fell);
            *fell = fault.fell.max(*fell);
        }
    }
    sites
}
