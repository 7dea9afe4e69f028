//! The ledger: faults become incidents, pass their gate, are adopted, and close. Every open has one close.

use super::{
    Acked, Incident, Kind, Moment, Root, RootKind, Severity, State, cause,
    condition::{Key, Live},
    learned::Learned,
    maintenance::{Windows, ids},
    paging,
    reading::{
        WARNING_GATE, asked, evidence, kind_of, rehearsal, root_of, severity_of, single_gate, suffering,
    },
};
use crate::detect::{
    Detector,
    fault::{At, Change, Fault, FaultId},
    graph::{Graph, Node},
};
use crate::entry::{Act, ActKind};
use crate::topology::{Id, Topology, hours};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A group is told at once from this many communes, or this share of all of them.
const AT_ONCE_COMMUNES: usize = 5;
const AT_ONCE_SHARE: f64 = 0.05;
/// Closed incidents kept; beyond it the oldest go.
const KEPT: usize = 10_000;
/// Timeline entries kept with an incident.
const TIMELINE_KEPT: usize = 500;

/// What the ledger looks at.
pub struct View<'a> {
    /// The record.
    pub topology: &'a Topology,
    /// The record, indexed.
    pub graph: &'a Graph,
    /// What the detector knows.
    pub detector: &'a Detector,
    /// Planned work.
    pub windows: &'a Windows,
}

/// All incidents kept, and which fault is which.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ledger {
    pub(super) incidents: BTreeMap<Id, Incident>,
    by_fault: BTreeMap<FaultId, Id>,
    pub(super) by_condition: BTreeMap<Key, Live>,
    /// What was learned of live faults' incidents.
    pub(super) learned: BTreeMap<Id, Learned>,
    /// Day and number of the last incident named.
    last: (i64, u32),
}

impl Ledger {
    /// All incidents kept, by id.
    pub fn incidents(&self) -> &BTreeMap<Id, Incident> {
        &self.incidents
    }

    /// The incident of a live fault.
    pub fn of_fault(&self, fault: FaultId) -> Option<&Incident> {
        self.by_fault.get(&fault).and_then(|id| self.incidents.get(id))
    }

    /// Whether a fault that is not over stands behind an incident.
    pub(super) fn is_live(&self, incident: &str) -> bool {
        self.by_fault.values().any(|id| id == incident)
    }

    /// Takes in one tick's changes and passes gates; returns the ids revised.
    pub fn tick(&mut self, view: &View, changes: &[Change]) -> BTreeSet<Id> {
        let mut revised = BTreeSet::new();
        let changes = settled(changes);
        for change in &changes {
            match change {
                Change::Found(fault) => revised.extend(self.found(view, *fault, &changes)),
                Change::Adopted { child, by } => revised.extend(self.adopted(view, *child, *by)),
                Change::Relapsed(fault) => revised.extend(self.relapsed(view, *fault)),
                Change::Revised(fault) => revised.extend(self.refresh(view, *fault)),
                Change::Over(fault) => revised.extend(self.over(view, *fault)),
            }
        }
        revised.extend(self.bereaved(view));
        revised.extend(self.flapping(view));
        revised.extend(self.mark_planned(view));
        revised.extend(self.pass_gates(view));
        self.forget();
        revised
    }

    /// A person's act; `None` if there is no such incident, or the act does not fit its state.
    pub fn act(&mut self, act: &Act) -> Option<Id> {
        let incident = self.incidents.get_mut(&act.incident)?;
        let (what, text) = match &act.kind {
            ActKind::Ack => {
                incident.acked = Some(Acked { by: act.person.clone(), at: act.at });
                ("ack", None)
            }
            ActKind::Note(text) => ("note", Some(text.clone())),
            ActKind::Close(_) if incident.state == State::Closed => return None,
            ActKind::Close(reason) => {
                close(incident, act.at);
                self.by_fault.retain(|_, id| *id != act.incident);
                ("closed", Some(reason.clone()))
            }
        };
        let incident = self.incidents.get_mut(&act.incident)?;
        note(incident, act.at, what, text, Some(act.person.clone()));
        Some(act.incident.clone())
    }

    /// A new fault: a new incident, or the oldest of those it explains, which keeps its id.
    fn found(&mut self, view: &View, fault: FaultId, changes: &[Change]) -> Vec<Id> {
        let Some(found) = view.detector.faults().get(&fault) else { return Vec::new() };
        let children = changes.iter().filter_map(|change| match change {
            Change::Adopted { child, by } if *by == fault => self.by_fault.get(child).cloned(),
            _ => None,
        });
        let mut children: Vec<Id> = children.collect();
        children
            .sort_by_key(|id| self.incidents.get(id).map(|incident| (incident.noticed, incident.id.clone())));
        let now = view.detector.now();
        let id = match children.first() {
            Some(oldest) => oldest.clone(),
            None => self.name(now),
        };
        let entry = self.incidents.entry(id.clone()).or_insert_with(|| blank(&id, now));
        entry.root = root_of(view, found);
        entry.evidence = evidence(view, found);
        note(
            entry,
            now,
            if children.is_empty() { "noticed" } else { "adopted" },
            Some(entry.root.name.clone()),
            None,
        );
        self.by_fault.retain(|_, other| !children.contains(other));
        self.by_fault.insert(fault, id.clone());
        for child in children.iter().skip(1) {
            self.hand_over(child, &id, now);
        }
        self.refresh(view, fault);
        children.into_iter().skip(1).chain([id]).collect()
    }

    /// A live fault took in another, unless it did so when it was found. If a person closed its incident, the one of
    /// what it took in becomes its incident.
    fn adopted(&mut self, view: &View, child: FaultId, by: FaultId) -> Vec<Id> {
        let Some(parent) = self.by_fault.get(&by).cloned() else {
            let known = self.by_fault.contains_key(&child);
            return if known { self.found(view, by, &[Change::Adopted { child, by }]) } else { Vec::new() };
        };
        let Some(child) = self.by_fault.remove(&child) else { return Vec::new() };
        self.hand_over(&child, &parent, view.detector.now());
        vec![child]
    }

    fn hand_over(&mut self, child: &str, by: &str, now: i64) {
        if let Some(child) = self.incidents.get_mut(child) {
            child.adopted_by = Some(by.to_owned());
            note(child, now, "adopted", Some(by.to_owned()), None);
            close(child, now);
        }
    }

    /// A fault fell silent again. If a person closed its incident, this silence is a new one.
    fn relapsed(&mut self, view: &View, fault: FaultId) -> Vec<Id> {
        if let Some(incident) = self.by_fault.get(&fault) {
            // What was learned of the last silence says nothing of this one, unless they come one after the other.
            if self.incidents.get(incident).is_some_and(|incident| incident.kind != Kind::Flapping) {
                self.learned.remove(incident);
            }
            return self.refresh(view, fault).into_iter().collect();
        }
        self.found(view, fault, &[])
    }

    /// Brings an incident in line with its fault.
    fn refresh(&mut self, view: &View, id: FaultId) -> Option<Id> {
        let fault = view.detector.faults().get(&id)?;
        let incident = self.incidents.get_mut(self.by_fault.get(&id)?)?;
        let before = incident.clone();
        incident.began = if incident.began == 0 { fault.fell } else { incident.began.min(fault.fell) };
        incident.at_error_s = 1.0;
        if fault.cleared.is_none() {
            incident.root = root_of(view, fault);
            incident.sites = suffering(view, fault);
            incident.rehearsal = rehearsal(view, fault, &incident.sites);
            incident.kind = kind_of(view, fault, &incident.sites);
            incident.severity = severity_of(view, fault, &incident.sites);
            incident.cause = cause::of(fault, asked(view, fault));
        }
        if let Some(learned) = self.learned.get(&incident.id) {
            learned.onto(incident);
        }
        let now = view.detector.now();
        let last = incident.timeline.last().map(|moment| moment.what.as_str());
        if fault.returned.is_some() && last != Some("recovering") {
            note(incident, now, "recovering", None, None);
        } else if fault.returned.is_none() && last == Some("recovering") {
            note(incident, now, "relapsed", None, None);
        }
        if *incident == before {
            return None;
        }
        incident.revision = before.revision + 1;
        Some(incident.id.clone())
    }

    fn over(&mut self, view: &View, fault: FaultId) -> Option<Id> {
        let incident = self.incidents.get_mut(&self.by_fault.remove(&fault)?)?;
        self.learned.remove(&incident.id);
        close(incident, view.detector.now());
        note(incident, view.detector.now(), "closed", None, None);
        Some(incident.id.clone())
    }

    /// Every open has one close, also where a fault is gone and nothing said so.
    fn bereaved(&mut self, view: &View) -> Vec<Id> {
        let gone = |fault: &&FaultId| !view.detector.faults().contains_key(fault);
        let gone: Vec<FaultId> = self.by_fault.keys().filter(gone).copied().collect();
        gone.into_iter().filter_map(|fault| self.over(view, fault)).collect()
    }

    /// A silence within a flapping fault may outlast the gate at any time.
    fn flapping(&mut self, view: &View) -> Vec<Id> {
        let flaps = |id: &FaultId| view.detector.faults().get(id).is_some_and(|fault| fault.flaps.is_some());
        let faults: Vec<FaultId> = self.by_fault.keys().copied().filter(flaps).collect();
        faults.into_iter().filter_map(|fault| self.refresh(view, fault)).collect()
    }

    /// Marks live incidents that planned work explains.
    fn mark_planned(&mut self, view: &View) -> Vec<Id> {
        let mut marked = Vec::new();
        if self.by_fault.is_empty() {
            return marked;
        }
        let planned = view.windows.current(view.topology, view.detector.now());
        for (fault, id) in &self.by_fault {
            let Some(incident) = self.incidents.get_mut(id) else { continue };
            let lines = view.detector.faults().get(fault).map(|fault| ids(view.graph, &fault.lines));
            let before = incident.maintenance.clone();
            paging::mark(view, &planned, incident, &lines.unwrap_or_default());
            if incident.maintenance != before {
                incident.revision += 1;
                marked.push(id.clone());
            }
        }
        marked
    }

    fn pass_gates(&mut self, view: &View) -> Vec<Id> {
        let now = view.detector.now();
        let mut opened = Vec::new();
        for (fault, id) in &self.by_fault {
            let waits = |incident: &&mut Incident| paging::waits(view, incident);
            let Some(incident) = self.incidents.get_mut(id).filter(waits) else { continue };
            let Some(fault) = view.detector.faults().get(fault) else { continue };
            // While answers come in, what has not opened does not open.
            let answers = (fault.cleared.is_some() || fault.returned.is_some()) && fault.flaps.is_none();
            if answers || now - fault.fell < gate(view, fault, incident) {
                continue;
            }
            incident.revision += 1;
            paging::open(view, incident);
            opened.push(id.clone());
        }
        opened
    }

    /// The next incident's id. Numbers of a day begin anew after one of another day, which a clock that was wrong
    /// may have named: those that are taken are passed over.
    pub(super) fn name(&mut self, now: i64) -> Id {
        let day = hours::day_of(now);
        let mut number = if self.last.0 == day { self.last.1 } else { 0 };
        loop {
            number += 1;
            let id = format!("SC-{}-{number:02}", hours::day(now));
            if !self.incidents.contains_key(&id) {
                self.last = (day, number);
                return id;
            }
        }
    }

    fn forget(&mut self) {
        while self.incidents.len() > KEPT {
            let closed = self.incidents.iter().filter(|(_, incident)| incident.state == State::Closed);
            let Some(oldest) =
                closed.min_by_key(|(id, incident)| (incident.noticed, *id)).map(|(id, _)| id.clone())
            else {
                return;
            };
            self.incidents.remove(&oldest);
        }
    }
}

/// One tick's changes without the faults that were found and taken in within it: what these had taken in is the last
/// one's. What is taken in comes last, when all that were found are known.
fn settled(changes: &[Change]) -> Vec<Change> {
    let mut parents = BTreeMap::new();
    for change in changes {
        if let Change::Adopted { child, by } = change {
            parents.insert(*child, *by);
        }
    }
    // A fault that was taken in is no more, and takes in none: no chain leads back.
    let last = |by: &FaultId| std::iter::successors(Some(*by), |by| parents.get(by).copied()).last();
    let (mut settled, mut adopted) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::Adopted { child, by } => {
                adopted.push(Change::Adopted { child: *child, by: last(by).unwrap_or(*by) });
            }
            Change::Found(fault) | Change::Relapsed(fault) | Change::Revised(fault)
                if parents.contains_key(fault) => {}
            other => settled.push(other.clone()),
        }
    }
    settled.extend(adopted);
    settled
}

/// An incident of which nothing is known yet.
pub(super) fn blank(id: &str, now: i64) -> Incident {
    Incident {
        id: id.to_owned(),
        revision: 1,
        root: Root { kind: RootKind::Site, id: String::new(), name: String::new() },
        kind: Kind::Unreachable,
        state: State::Noticed,
        severity: Severity::Warning,
        cause: super::Causes::default(),
        sites: BTreeMap::new(),
        began: 0,
        noticed: now,
        opened: None,
        closed: None,
        at_error_s: 1.0,
        notifications: 0,
        rehearsal: false,
        acked: None,
        adopted_by: None,
        maintenance: None,
        timeline: Vec::new(),
        evidence: Vec::new(),
    }
}

/// Adds to the timeline.
pub(super) fn note(incident: &mut Incident, at: i64, what: &str, text: Option<String>, by: Option<String>) {
    if incident.timeline.len() < TIMELINE_KEPT {
        incident.timeline.push(Moment { at, what: what.to_owned(), text, by });
    }
}

/// Ends an incident.
pub(super) fn close(incident: &mut Incident, at: i64) {
    if incident.state == State::Closed {
        return;
    }
    // What was told is told to be over, however it stands by now; what was not, is not.
    incident.notifications += u32::from(incident.notifications > 0);
    incident.state = State::Closed;
    incident.closed = Some(at);
    incident.revision += 1;
}

/// How long it must last before it opens.
fn gate(view: &View, fault: &Fault, incident: &Incident) -> i64 {
    // It fell again and again: that it answers between is no reason to wait, and a page has waited for its gate.
    if fault.flaps.is_some() {
        return 0;
    }
    let single = single_gate(view, &incident.sites);
    if incident.severity != Severity::Critical {
        return single.min(WARNING_GATE);
    }
    let at_once = match &fault.at {
        At::Node(Node::Core | Node::HandOff(_) | Node::Carrier(_) | Node::Pop(_)) => true,
        At::Group { .. } | At::Feeder(_) => communes(view, incident) >= at_once_communes(view),
        At::Node(_) => false,
    };
    if at_once { 0 } else { single }
}

fn communes(view: &View, incident: &Incident) -> usize {
    let of = |site: &Id| view.topology.sites.get(site).and_then(|site| site.commune.clone());
    incident.sites.keys().filter_map(of).collect::<BTreeSet<_>>().len()
}

fn at_once_communes(view: &View) -> usize {
    ((view.topology.communes.len() as f64 * AT_ONCE_SHARE).ceil() as usize).max(AT_ONCE_COMMUNES)
}

#[cfg(test)]
mod tests;
