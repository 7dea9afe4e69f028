//! Conditions: troubles that are no silence of lines. A judge says which hold now; here they become incidents.
//!
//! ```text
//! holds ──gate──▶ open ──gone for its quiet──▶ closed
//!   └──gone for its quiet before the gate──▶ closed (opened = null, never notified)
//! ```
//!
//! A condition is known by its root and kind: while it holds, or comes back before its quiet is over, it is one
//! incident. One that a person closed stays closed until it has been gone for its quiet.

use super::{
    Cause, Impact, Kind, Root, RootKind, Severity, State, cause,
    ledger::{Ledger, View, blank, close, note},
    maintenance::Current,
    paging,
    reading::is_rehearsed,
};
use crate::topology::Id;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Something that is wrong now.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// What it is about.
    pub root: Root,
    /// What is wrong with it.
    pub kind: Kind,
    /// How bad it is.
    pub severity: Severity,
    /// Sites that suffer from it.
    pub sites: BTreeMap<Id, Impact>,
    /// When it began, UTC ms.
    pub since: i64,
    /// What may be behind it, by relative weight.
    pub causes: Vec<(Cause, f64)>,
    /// How long it must hold before it opens, ms.
    pub gate_ms: i64,
    /// How long it must be gone before it closes, ms.
    pub quiet_ms: i64,
}

/// What a condition is known by.
pub type Key = (RootKind, Id, Kind);

/// A condition that holds, or did lately.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Live {
    /// Its incident.
    pub incident: Id,
    gate_ms: i64,
    quiet_ms: i64,
    /// Since when it holds, in this spell of it.
    since: i64,
    /// Since when it does not hold any more.
    gone: Option<i64>,
}

impl Ledger {
    /// Takes in the conditions that hold now; gives the incidents revised.
    pub fn conditions(&mut self, view: &View, holding: &[Condition]) -> BTreeSet<Id> {
        let now = view.detector.now();
        let mut revised = BTreeSet::new();
        let mut held = BTreeSet::new();
        let planned = view.windows.current(view.topology, now);
        for condition in holding {
            let key = (condition.root.kind, condition.root.id.clone(), condition.kind);
            revised.extend(self.hold(view, &planned, &key, condition));
            held.insert(key);
        }
        for key in self.by_condition.keys().filter(|key| !held.contains(*key)).cloned().collect::<Vec<_>>() {
            revised.extend(self.let_go(&key, now));
        }
        revised
    }

    fn hold(&mut self, view: &View, planned: &[Current], key: &Key, condition: &Condition) -> Option<Id> {
        let now = view.detector.now();
        if !self.by_condition.contains_key(key) {
            let id = self.name(now);
            self.incidents.insert(id.clone(), blank(&id, now));
            let (gate_ms, quiet_ms, since) = (condition.gate_ms, condition.quiet_ms, condition.since);
            let live = Live { incident: id, gate_ms, quiet_ms, since, gone: None };
            self.by_condition.insert(key.clone(), live);
        }
        let live = self.by_condition.get_mut(key)?;
        // A start with an earlier clock must not leave it waiting for the old one.
        live.since = live.since.min(now);
        let incident = self.incidents.get_mut(&live.incident)?;
        if incident.state == State::Closed {
            live.gone = None;
            return None;
        }
        let before = incident.clone();
        let is_new = incident.root.id.is_empty();
        if live.gone.take().is_some() {
            live.since = condition.since;
            note(incident, now, "relapsed", None, None);
        }
        incident.root.clone_from(&condition.root);
        incident.kind = condition.kind;
        incident.severity = condition.severity;
        incident.sites.clone_from(&condition.sites);
        incident.began = if is_new { condition.since } else { incident.began.min(condition.since) };
        incident.cause = cause::weighed(&condition.causes);
        incident.rehearsal = is_rehearsed(view, &incident.sites);
        if is_new {
            note(incident, now, "noticed", Some(condition.root.name.clone()), None);
        }
        paging::mark(view, planned, incident, &[]);
        if now - live.since >= live.gate_ms && paging::waits(view, incident) {
            paging::open(view, incident);
        }
        if *incident == before {
            return None;
        }
        incident.revision = before.revision + u32::from(!is_new);
        Some(incident.id.clone())
    }

    fn let_go(&mut self, key: &Key, now: i64) -> Option<Id> {
        let live = self.by_condition.get_mut(key)?;
        let (id, first, gone) =
            (live.incident.clone(), live.gone.is_none(), now.min(live.gone.unwrap_or(now)));
        live.gone = Some(gone);
        let over = now - gone >= live.quiet_ms;
        if over {
            self.by_condition.remove(key);
        }
        let incident = self.incidents.get_mut(&id).filter(|incident| incident.state != State::Closed)?;
        if first {
            note(incident, now, "recovering", None, None);
        }
        if over {
            close(incident, now);
            note(incident, now, "closed", None, None);
        }
        (first || over).then_some(id)
    }
}

#[cfg(test)]
mod tests;
