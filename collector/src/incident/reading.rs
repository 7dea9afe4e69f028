//! What a fault means to people: its root by name, its kind, how bad it is, and for whom.

use super::{Impact, Kind, Root, RootKind, Severity, Witness, ledger::View};
use crate::detect::{
    Shows,
    fault::{At, Fault},
    graph::Node,
};
use crate::topology::Id;
use std::collections::BTreeMap;

/// Longest gate of a warning, ms.
pub(super) const WARNING_GATE: i64 = 10_000;
/// Pieces of evidence kept with an incident.
pub(super) const EVIDENCE_KEPT: usize = 64;

/// What each site suffers from the fault's lines.
pub(super) fn suffering(view: &View, fault: &Fault) -> BTreeMap<Id, Impact> {
    let mut sites = BTreeMap::new();
    if let At::Node(Node::Agent(site)) = &fault.at {
        sites.insert(site.clone(), Impact::Degraded);
    }
    for line in &fault.lines {
        let site = &view.graph.sites[view.graph.lines[*line].site];
        let other_lives =
            |other: &usize| !fault.lines.contains(other) && view.detector.shows(*other) == Shows::Alive;
        let works = !site.all_of && site.lines.iter().any(other_lives);
        let impact = match (works, fault.shared) {
            (true, _) => Impact::Degraded,
            (false, true) => Impact::Affected,
            (false, false) => Impact::Down,
        };
        sites.insert(site.id.clone(), impact);
    }
    sites
}

/// How bad a fault is, by what its sites suffer. One that flaps is a warning until a single silence of it outlasts
/// the gate.
pub(super) fn severity_of(view: &View, fault: &Fault, sites: &BTreeMap<Id, Impact>) -> Severity {
    let cut_off = sites.values().any(|impact| *impact != Impact::Degraded);
    let short = fault.flaps.is_some() && fault.longest_by(view.detector.now()) < single_gate(view, sites);
    if cut_off && !fault.is_agent && !short { Severity::Critical } else { Severity::Warning }
}

/// The gate of single sites: the longest of those touched, ms.
pub(super) fn single_gate(view: &View, sites: &BTreeMap<Id, Impact>) -> i64 {
    let sites = sites.keys().filter_map(|id| view.graph.site(id));
    sites.map(|site| view.graph.sites[site].gate_ms).max().unwrap_or(WARNING_GATE)
}

/// Whether only rehearsal sites are touched.
pub(super) fn rehearsal(view: &View, fault: &Fault, sites: &BTreeMap<Id, Impact>) -> bool {
    !matches!(fault.at, At::Node(Node::Core)) && is_rehearsed(view, sites)
}

/// Whether there are sites, and all of them are of the rehearsal.
pub(super) fn is_rehearsed(view: &View, sites: &BTreeMap<Id, Impact>) -> bool {
    let real = |id: &Id| view.topology.sites.get(id).is_some_and(|site| !site.rehearsal);
    !sites.is_empty() && !sites.keys().any(real)
}

/// What a fault looks like.
pub(super) fn kind_of(view: &View, fault: &Fault, sites: &BTreeMap<Id, Impact>) -> Kind {
    if fault.flaps.is_some() {
        return Kind::Flapping;
    }
    match &fault.at {
        At::Group { .. } | At::Node(Node::Site(_)) => Kind::Unreachable,
        At::Feeder(_) => Kind::PowerArea,
        At::Node(Node::Core) => Kind::Blind,
        At::Node(Node::HandOff(_)) => Kind::HandOff,
        At::Node(Node::Carrier(_)) => Kind::CarrierDown,
        At::Node(Node::Pop(_)) => Kind::RouterDown,
        At::Node(Node::Agent(_)) => Kind::AgentDead,
        At::Node(Node::Line(line)) => {
            let site = view.topology.lines.get(line).map(|line| &line.site);
            let works = site.and_then(|site| sites.get(site)) == Some(&Impact::Degraded);
            if works { Kind::RedundancyLost } else { Kind::LineDown }
        }
    }
}

/// What an incident of this fault is about.
pub(super) fn root_of(view: &View, fault: &Fault) -> Root {
    let t = view.topology;
    let named = |kind, id: &Id, name: Option<&String>| Root {
        kind,
        id: id.clone(),
        name: name.unwrap_or(id).clone(),
    };
    match &fault.at {
        At::Group { carrier, first } => {
            let name = t.carriers.get(carrier).map_or(carrier, |carrier| &carrier.name);
            Root { kind: RootKind::Group, id: format!("{carrier}:{first}"), name: name.clone() }
        }
        At::Feeder(id) => named(RootKind::Group, id, t.feeders.get(id).map(|x| &x.name)),
        At::Node(Node::Core) => Root::collector(),
        At::Node(Node::HandOff(id)) => named(RootKind::HandOff, id, t.hand_offs.get(id).map(|x| &x.name)),
        At::Node(Node::Carrier(id)) => named(RootKind::Carrier, id, t.carriers.get(id).map(|x| &x.name)),
        At::Node(Node::Pop(id)) => named(RootKind::Pop, id, t.pops.get(id).map(|x| &x.name)),
        At::Node(Node::Line(id)) => named(RootKind::Line, id, t.lines.get(id).map(|x| &x.circuit)),
        At::Node(Node::Site(id)) => named(RootKind::Site, id, t.sites.get(id).map(|x| &x.name)),
        At::Node(Node::Agent(id)) => named(RootKind::Agent, id, t.sites.get(id).map(|x| &x.name)),
    }
}

/// Whether the core agent questions every line of the fault itself.
pub(super) fn asked(view: &View, fault: &Fault) -> bool {
    let line = |line: &usize| view.topology.lines.get(&view.graph.lines[*line].id);
    fault.lines.iter().filter_map(line).all(|line| line.gateway.is_some())
}

/// What was seen of it, capped.
pub(super) fn evidence(view: &View, fault: &Fault) -> Vec<Witness> {
    let mut all = view.detector.witnesses(view.graph, fault);
    all.truncate(EVIDENCE_KEPT);
    all
}
