//! What late evidence adds to an incident: it supersedes what silence alone left open, and says why.

use super::{
    Cause, Incident, Kind, Root, RootKind, Witness, cause,
    ledger::{Ledger, View, note},
    reading::EVIDENCE_KEPT,
};
use crate::topology::Id;
use serde::{Deserialize, Serialize};

/// What an agent's own evidence says of its silence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    /// The one line that failed, by id and circuit.
    pub line: Option<(Id, String)>,
    /// What it turned out to be.
    pub kind: Option<Kind>,
    /// The causes left, by relative weight.
    pub causes: Vec<(Cause, f64)>,
    /// What told: `boot` or `gateway`.
    #[serde(skip)]
    pub of: &'static str,
    /// Whether that lived through the silence.
    #[serde(skip)]
    pub lived: bool,
}

impl Learned {
    /// Lays it over what silence alone says. A line that flaps goes on flapping, whatever each gap was.
    pub(super) fn onto(&self, incident: &mut Incident) {
        if let Some((id, circuit)) = &self.line {
            incident.root = Root { kind: RootKind::Line, id: id.clone(), name: circuit.clone() };
        }
        if let Some(kind) = self.kind.filter(|_| incident.kind != Kind::Flapping) {
            incident.kind = kind;
        }
        incident.cause = cause::weighed(&self.causes);
        incident.cause.settled = true;
    }
}

impl Ledger {
    /// Revises an incident by what was learned of it; `None` if there is no such incident, or it knew.
    pub fn learn(&mut self, view: &View, id: &str, learned: Learned) -> Option<Id> {
        let incident = self.incidents.get_mut(id)?;
        let (before, now) = (incident.clone(), view.detector.now());
        learned.onto(incident);
        if *incident == before {
            return None;
        }
        let site = before.sites.keys().next().cloned().unwrap_or_default();
        let kind = if learned.lived { "answer" } else { "silence" };
        // The last word on the cause has its place, however much was seen before.
        incident.evidence.truncate(EVIDENCE_KEPT - 1);
        incident.evidence.push(Witness {
            at: before.began,
            stream: "agent".to_owned(),
            line: learned.line.as_ref().map(|(line, _)| line.clone()),
            kind: kind.to_owned(),
            of: format!("{site}/{}", learned.of),
        });
        incident.revision += 1;
        note(incident, now, "cause", Some(incident.root.name.clone()), None);
        if self.is_live(id) {
            self.learned.insert(id.to_owned(), learned);
        }
        Some(id.to_owned())
    }
}
