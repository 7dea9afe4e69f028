//! Devices: one that is silent while others answer is dead; when all of a LAN are, it is the LAN.
//!
//! ```text
//! another check of the agent  ──ok──ok──ok──ok──     what stands at the LAN lives
//! the device                  ──ok── ✗ ── ✗ ── ✗     dead: enough failures while the other answered
//! ```
//!
//! A device is dead when all its checks fail, unless its office may be off by its hours: then it rests, and is missed
//! from the opening on, as the office's lines are; a portal, which is there for citizens, is down when one of what
//! it serves fails. Without another that answers, the LAN or the agent is in doubt: nobody is blamed, unless all
//! of several devices fell silent at once while the agent is heard. That is one trouble, at the switch where one
//! is recorded, else at the gateway, else at the site.

use super::{
    Judges, condition,
    register::{Place, Thing},
    standing::{Standing, Window},
};
use crate::incident::{Cause, Kind, Root, RootKind, Severity, condition::Condition, ledger::View};
use crate::topology::{DeviceKind, Id, Topology};
use std::collections::BTreeSet;

/// Devices that fall silent within this of each other may have fallen together, ms.
const TOGETHER: i64 = 60_000;

/// A device that fails now.
struct Ailing<'a> {
    id: &'a Id,
    device: &'a Thing,
    /// The checks that must fail for it to be dead, or down: each of a device, any one of a portal.
    failing: Vec<&'a Standing>,
    since: i64,
    /// Nothing of it answers, not even wrongly.
    silent: bool,
}

impl Ailing<'_> {
    fn is_portal(&self) -> bool {
        self.device.kind == DeviceKind::Portal
    }

    fn fails_within(&self, window: Window) -> bool {
        let mut failing = self.failing.iter();
        let fails = |standing: &&Standing| standing.fails_within(window);
        if self.is_portal() { failing.any(fails) } else { failing.all(fails) }
    }
}

impl Judges {
    pub(super) fn dead_devices(&mut self, view: &View) -> Vec<Condition> {
        let mut wrong = Vec::new();
        let (mut dead, mut fallen, mut resting) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (site, place) in &self.register.sites {
            let (ailing, off) = self.ailing(view, site, place);
            resting.extend(off.iter().map(|id| (*id).clone()));
            if ailing.is_empty() {
                continue;
            }
            let together = self.fell_together(site, place, &ailing, &off);
            if let Some(condition) = lan(view.topology, site, &ailing, &together) {
                fallen.extend(together.iter().map(|one| one.id.clone()));
                wrong.push(condition);
            }
            for one in ailing.iter().filter(|one| !together.iter().any(|other| other.id == one.id)) {
                if self.dead.contains(one.id) || self.stands_alone(site, place, one) {
                    dead.insert(one.id.clone());
                    wrong.push(alone(site, one));
                }
            }
        }
        (self.dead, self.fallen, self.resting) = (dead, fallen, resting);
        wrong
    }

    /// The devices that fail, and beside them those that may be off with their office.
    fn ailing<'a>(&'a self, view: &View, site: &'a str, place: &'a Place) -> (Vec<Ailing<'a>>, Vec<&'a Id>) {
        let (mut ailing, mut off) = (Vec::new(), Vec::new());
        for (id, device) in place.devices.iter().filter(|(_, device)| !device.is_switched_off()) {
            let Some(one) = self.ails(site, id, device, view.detector.now()) else { continue };
            match self.missed_since(view, site, &one) {
                Some(since) => ailing.push(Ailing { since, ..one }),
                None => off.push(id),
            }
        }
        (ailing, off)
    }

    /// Since when a device is missed. What answers, if only wrongly, is on.
    fn missed_since(&self, view: &View, site: &str, one: &Ailing) -> Option<i64> {
        let Some(number) = view.graph.site(site).filter(|_| one.silent) else { return Some(one.since) };
        let standings = self.standings_of(site, &one.device.checks);
        let heard = standings.filter_map(Standing::answered).map(|window| window.until).max();
        view.detector.missed_at(view.graph, number, one.since, heard.unwrap_or(i64::MIN))
    }

    fn ails<'a>(&'a self, site: &'a str, id: &'a Id, device: &'a Thing, now: i64) -> Option<Ailing<'a>> {
        let established = |standing: &&Standing| standing.established();
        let checks: Vec<&Standing> = self.standings_of(site, &device.checks).filter(established).collect();
        let fails = |standing: &Standing| standing.failing().is_some() && !standing.certificate_ended(now);
        let served = device.checks.iter().filter(|asked| device.kind == DeviceKind::Portal && !asked.reach);
        let served = served.filter_map(|asked| self.standing(site, asked.id)).filter(established);
        let broken: Vec<&Standing> = served.filter(|standing| fails(standing)).collect();
        let all = checks.iter().all(|standing| fails(standing));
        let failing = match broken.is_empty() {
            false => broken,
            true if all => checks.clone(),
            true => return None,
        };
        let began = failing.iter().filter_map(|standing| standing.failing()).map(|(since, _)| since);
        let since = if device.kind == DeviceKind::Portal { began.min() } else { began.max() };
        let silent = all && !checks.iter().any(|standing| standing.answers_wrongly());
        Some(Ailing { id, device, failing, since: since?, silent })
    }

    /// The devices that fell silent with a switch, or with all the others; none while they are not.
    fn fell_together<'a, 'b>(
        &self,
        site: &str,
        place: &Place,
        ailing: &'b [Ailing<'a>],
        off: &[&Id],
    ) -> Vec<&'b Ailing<'a>> {
        let counts = |kind: DeviceKind| kind != DeviceKind::Gateway;
        let silent: Vec<&Ailing> = ailing
            .iter()
            .filter(|one| one.silent && counts(one.device.kind) && !self.dead.contains(one.id))
            .collect();
        let switch = silent.iter().find(|one| one.device.kind == DeviceKind::Switch);
        let Some(fell) = switch.map(|one| one.since).or_else(|| silent.iter().map(|one| one.since).max())
        else {
            return Vec::new();
        };
        let established = place.devices.iter().filter(|(id, device)| {
            let answered = self.standings_of(site, &device.checks).any(Standing::established);
            counts(device.kind) && !device.is_switched_off() && !off.contains(id) && answered
        });
        let dead = ailing.iter().filter(|one| counts(one.device.kind) && self.dead.contains(one.id)).count();
        let all = silent.len() + dead == established.count();
        let together: Vec<&Ailing> =
            silent.iter().copied().filter(|one| (one.since - fell).abs() <= TOGETHER).collect();
        if together.len() > 1 && (all || switch.is_some()) { together } else { Vec::new() }
    }

    /// Whether something else that the agent asks answered while this failed. Where the LAN has nothing else
    /// to ask, what lies beyond it speaks for the agent.
    fn stands_alone(&self, site: &str, place: &Place, one: &Ailing) -> bool {
        if one.fails_within(Window::EVER) && one.failing.iter().any(|standing| standing.answers_wrongly()) {
            return true;
        }
        let others = |asked: &&super::Asked| !one.device.checks.iter().any(|own| own.id == asked.id);
        let answered = |asked: &super::Asked| self.standing(site, asked.id).and_then(Standing::answered);
        let mut lan = place.on_the_lan().filter(others).filter_map(answered).peekable();
        if lan.peek().is_some() {
            return lan.any(|window| one.fails_within(window));
        }
        place.beyond().filter_map(answered).any(|window| one.fails_within(window))
    }
}

fn at(one: &Ailing) -> Root {
    Root { kind: RootKind::Device, id: one.id.clone(), name: one.device.name.clone() }
}

/// A device, or a portal, by itself.
fn alone(site: &Id, one: &Ailing) -> Condition {
    let root = at(one);
    let sites = [site.clone()];
    if one.is_portal() {
        let cause = if one.silent { Cause::Equipment } else { Cause::Service };
        return condition(root, Kind::ServiceDown, Severity::Critical, sites, one.since, vec![(cause, 1.0)]);
    }
    let causes = vec![(Cause::Equipment, 2.0), (Cause::Power, 1.0), (Cause::Lan, 1.0)];
    condition(root, Kind::DeviceDown, Severity::Warning, sites, one.since, causes)
}

/// Devices that fell together, once all of them failed for long enough: one trouble.
fn lan(topology: &Topology, site: &Id, ailing: &[Ailing], together: &[&Ailing]) -> Option<Condition> {
    let since = together.iter().map(|one| one.since).min()?;
    if !together.iter().all(|one| one.fails_within(Window::EVER)) {
        return None;
    }
    let switch = together.iter().copied().find(|one| one.device.kind == DeviceKind::Switch);
    let gateway = ailing.iter().find(|one| one.device.kind == DeviceKind::Gateway && one.silent);
    let at_site = || {
        let name = topology.sites.get(site).map_or(site, |record| &record.name).clone();
        Root { kind: RootKind::Site, id: site.clone(), name }
    };
    let root = switch.or(gateway).map_or_else(at_site, at);
    let citizens = together.iter().any(|one| one.is_portal());
    let severity = if citizens { Severity::Critical } else { Severity::Warning };
    let causes = vec![(Cause::Lan, 2.0), (Cause::Equipment, 1.0), (Cause::Power, 1.0)];
    Some(condition(root, Kind::DeviceDown, severity, [site.clone()], since, causes))
}
