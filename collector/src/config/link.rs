//! What no single record shows: whether the records make one province.

use super::{
    Settings,
    draft::{Draft, Kind},
};
use crate::topology::{Ask, Commune, Id, Observe, SiteKind, Topology};
use haidang_daemon::yaml::Fault;
use haidang_probe::check::ProbeKind;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Seconds a site must be cut off before its incident opens, when nobody says.
const GATE_S: u32 = 60;

/// The province and settings of a draft, or all its faults.
pub(super) fn link(mut draft: Draft, directory: &Path) -> Result<(Topology, Settings), Vec<Fault>> {
    complete(&mut draft, directory);
    successions(&mut draft);
    lines(&mut draft);
    centre(&mut draft, directory);
    let gate_s = draft.gate_s.unwrap_or(GATE_S);
    for id in std::mem::take(&mut draft.ungated) {
        if let Some(site) = draft.topology.sites.get_mut(&id) {
            site.gate_s = gate_s;
        }
    }
    let (draft, faults) = draft.finish();
    match draft.settings {
        Some(settings) if faults.is_empty() => Ok((draft.topology, settings)),
        _ => Err(faults),
    }
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
        (topology.communes.is_empty(), "no commune in any file; write at least one under `communes:`"),
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
        }
    }
    draft.topology = topology;
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
