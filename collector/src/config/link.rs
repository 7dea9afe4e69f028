//! What no single record shows: whether the records make one province.

use super::{
    Settings,
    draft::{Draft, Kind},
};
use crate::topology::{Ask, Commune, Id, Line, Observe, SiteKind, Topology};
use haidang_daemon::yaml::{self, Fault};
use haidang_probe::check::{Check, CheckId, ProbeKind};
use haidang_probe::credential::Credentials;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Seconds a site must be cut off before its incident opens, when nobody says.
const GATE_S: u32 = 60;

/// The province and settings of a draft, or all its faults.
pub(super) fn link(
    mut draft: Draft,
    directory: &Path,
) -> Result<(Topology, Settings, Credentials), Vec<Fault>> {
    complete(&mut draft, directory);
    successions(&mut draft);
    lines(&mut draft);
    centre(&mut draft, directory);
    asked(&mut draft);
    defaults(&mut draft);
    let (draft, faults) = draft.finish();
    match draft.settings {
        Some(settings) if faults.is_empty() => Ok((draft.topology, settings, draft.credentials)),
        _ => Err(faults),
    }
}

/// What sites leave to the defaults.
fn defaults(draft: &mut Draft) {
    let gate_s = draft.gate_s.unwrap_or(GATE_S);
    for id in std::mem::take(&mut draft.ungated) {
        if let Some(site) = draft.topology.sites.get_mut(&id) {
            site.gate_s = gate_s;
        }
    }
    for id in std::mem::take(&mut draft.unsaid_off) {
        if let Some(site) = draft.topology.sites.get_mut(&id).filter(|site| site.kind == SiteKind::Office) {
            site.off_outside_hours = draft.off_outside_hours;
        }
    }
    for site in draft.topology.sites.values_mut().filter(|site| site.kind == SiteKind::Office) {
        if site.hours.is_none() {
            site.hours.clone_from(&draft.hours);
        }
    }
}

/// Each agent asks each check once, however it comes to it, and every tag named is some site's.
fn asked(draft: &mut Draft) {
    let topology = std::mem::take(&mut draft.topology);
    for (id, site) in &topology.sites {
        let core: Vec<Check> = if site.kind == SiteKind::Core { topology.core_checks() } else { Vec::new() };
        let own = site.own_checks().chain(&core);
        let mut names: BTreeMap<CheckId, &str> = own.map(|check| (check.id(), check.name.as_str())).collect();
        for check in topology.shared_checks(site) {
            if let Some(first) = names.insert(check.id(), &check.name) {
                let message = format!(
                    "its agent would ask `{}` and `{first}`, which share one id; rename one of them, \
                     under `checks:` at the top or at the site",
                    check.name
                );
                draft.fault_at((Kind::Site, id), "kind", message);
            }
        }
    }
    let tags: BTreeSet<&str> =
        topology.sites.values().flat_map(|site| &site.tags).map(String::as_str).collect();
    for (tag, place) in std::mem::take(&mut draft.tags_named) {
        if !tags.contains(tag.as_str()) {
            let words = tags.iter().copied().chain(["core", "all"]);
            draft.fault(place.fault(format!("`asked_by`: {}", yaml::unknown("tag", &tag, words))));
        }
    }
    draft.topology = topology;
}

/// The sections without which there is nothing to watch.
fn complete(draft: &mut Draft, directory: &Path) {
    let topology = &draft.topology;
    let missing = [
        (
            !draft.says("province"),
            "no file says `province:`; write `province: {code: \"82\", name: Đồng Tháp}`",
        ),
        (
            !draft.says("collector"),
            "no file says `collector:`; write `collector: {agents: {plain: true}}` to begin",
        ),
        (topology.sites.is_empty(), "no site in any file; write at least one under `sites:`"),
    ];
    for (_, message) in missing.into_iter().filter(|(is_missing, _)| *is_missing) {
        draft.fault(Fault::whole(directory, message));
    }
}

/// Communes end before or when their successor exists, and no chain of successors comes back.
fn successions(draft: &mut Draft) {
    let communes = draft.topology.communes.clone();
    let mut in_cycle = BTreeSet::new();
    for (code, commune) in &communes {
        let owner = (Kind::Commune, code.as_str());
        if let (Some(from), Some(to)) = (&commune.valid_from, &commune.valid_to)
            && to <= from
        {
            draft.fault_at(owner, "valid_to", format!("`valid_to`: {to} is not after `valid_from` {from}"));
        }
        let Some(successor) = &commune.successor else { continue };
        let Some(ended) = &commune.valid_to else {
            let message =
                "a commune with a successor has ended; write `valid_to`, its first day no more".into();
            draft.fault_at(owner, "successor", message);
            continue;
        };
        let next = communes.get(successor);
        if let Some(began) = next.and_then(|next| next.valid_from.as_ref())
            && ended < began
        {
            let message = format!(
                "commune `{code}` ended on {ended}, before its successor `{successor}` began on {began}; \
                 write `valid_to: {began}`"
            );
            draft.fault_at(owner, "valid_to", message);
        }
        if let Some(chain) = cycle(&communes, code)
            && in_cycle.insert(chain.clone())
        {
            let words = chain.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
            let message = format!("communes {words} succeed each other in a circle; one must be the last");
            draft.fault_at(owner, "successor", message);
        }
    }
}

/// The communes of the circle that `start` is part of, if it is.
fn cycle(communes: &BTreeMap<Id, Commune>, start: &Id) -> Option<BTreeSet<Id>> {
    let mut seen = BTreeSet::new();
    let mut at = start;
    while let Some(next) = communes.get(at).and_then(|commune| commune.successor.as_ref()) {
        if !seen.insert(at.clone()) {
            return None;
        }
        if next == start {
            return Some(seen);
        }
        at = next;
    }
    None
}

/// A line's hand-off and POP are its own carrier's, and somebody can tell whether it lives.
fn lines(draft: &mut Draft) {
    let topology = std::mem::take(&mut draft.topology);
    for (id, line) in &topology.lines {
        let owner = (Kind::Line, id.as_str());
        let behind = [
            (
                "hand_off",
                Some(&line.hand_off),
                topology.hand_offs.get(&line.hand_off).map(|port| &port.carrier),
            ),
            (
                "pop",
                line.pop.as_ref(),
                line.pop.as_ref().and_then(|pop| topology.pops.get(pop)).map(|pop| &pop.carrier),
            ),
        ];
        for (key, named, carrier) in behind {
            if let (Some(named), Some(carrier)) = (named, carrier)
                && *carrier != line.carrier
                && topology.carriers.contains_key(&line.carrier)
            {
                let message = format!(
                    "`{key}`: `{named}` belongs to carrier `{carrier}`, but the line is bought from `{}`",
                    line.carrier
                );
                draft.fault_at(owner, key, message);
            }
        }
        if let Some(site) = topology.sites.get(&line.site) {
            observed(draft, owner, site.observe, line.gateway.as_ref(), line.seen_from.is_empty());
            pinned(draft, owner, site.observe, line);
        }
    }
    draft.topology = topology;
}

/// Only who owns the WAN port can bind to it, and only a metered line has a budget.
fn pinned(draft: &mut Draft, owner: (Kind, &str), observe: Observe, line: &Line) {
    let bound = [("source", line.pin.source.is_some()), ("interface", line.pin.interface.is_some())];
    for (key, _) in bound.into_iter().filter(|(_, is_bound)| *is_bound && observe != Observe::Gateway) {
        let message = format!(
            "`{key}`: only an agent on the gateway owns the WAN port; \
             write `collector:`, an address that the gateway routes strictly over this line"
        );
        draft.fault_at(owner, key, message);
    }
    if line.budget_mb.is_some() && !line.metered {
        draft.fault_at(
            owner,
            "budget_mb",
            "`budget_mb`: the line is not metered; write `metered: true`".into(),
        );
    }
}

/// What `observe` promises is what the line offers.
fn observed(draft: &mut Draft, owner: (Kind, &str), observe: Observe, gateway: Option<&Ask>, unseen: bool) {
    let probe = gateway.map(|ask| ask.0.probe);
    let wrong = match (observe, probe) {
        (Observe::Reflector | Observe::PingOnly, None) => Some(
            "nobody can see this line: no agent stands at the site; write `gateway: {probe: …, target: …}`",
        ),
        (Observe::Reflector, Some(probe)) if probe != ProbeKind::Stamp => {
            Some("a reflector is asked by stamp; write `probe: stamp`, or `observe: ping-only`")
        }
        (Observe::PingOnly, Some(ProbeKind::Stamp)) => Some(
            "a ping-only gateway answers no stamp; write `probe: icmp` or `tcp`, or `observe: reflector`",
        ),
        _ => None,
    };
    if let Some(wrong) = wrong {
        draft.fault_at(owner, "gateway", format!("`gateway`: {wrong}"));
    }
    if !observe.has_agent() && !unseen {
        let message =
            "`seen_from`: no agent stands at the site, so nothing comes from there; leave it out".into();
        draft.fault_at(owner, "seen_from", message);
    }
}

/// One core site, whose agent asks what the records ask.
fn centre(draft: &mut Draft, directory: &Path) {
    let cores: Vec<Id> = draft
        .topology
        .sites
        .iter()
        .filter(|(_, site)| site.kind == SiteKind::Core)
        .map(|(id, _)| id.clone())
        .collect();
    if let Some((first, others)) = cores.split_first() {
        for other in others {
            let message = format!("a second core site; `{first}` is one already, and there is one centre");
            draft.fault_at((Kind::Site, other), "kind", message);
        }
        return;
    }
    if let Some(check) = draft.topology.core_checks().first() {
        let message =
            format!("no site of `kind: core`, so nobody asks `{}`; write one under `sites:`", check.name);
        draft.fault(Fault::whole(directory, message));
    }
}
