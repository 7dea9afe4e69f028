//! The shapes of an incident: as a list shows it, and its whole story.

use super::view::{Named, rfc3339};
use crate::incident::{Cause, Impact, Incident, Kind, RootKind, Severity, State, Witness};
use crate::topology::Topology;
use serde::Serialize;
use utoipa::ToSchema;

/// The one thing an incident is about.
#[derive(Debug, Serialize, ToSchema)]
pub struct RootView {
    /// `site`, `line`, `hand_off`, `carrier`, `pop`, `group`, `core`, `device`, `service`, `agent`, `collector`.
    #[schema(value_type = String)]
    pub kind: RootKind,
    /// Id within the kind, and name.
    #[serde(flatten)]
    pub named: Named,
}

/// One possible cause.
#[derive(Debug, Serialize, ToSchema)]
pub struct CandidateView {
    /// The cause.
    #[schema(value_type = String)]
    pub cause: Cause,
    /// 0 to 1.
    pub probability: f64,
}

/// The causes the evidence leaves.
#[derive(Debug, Serialize, ToSchema)]
pub struct CauseView {
    /// No further evidence is awaited.
    #[serde(rename = "final")]
    pub settled: bool,
    /// Most likely first.
    pub candidates: Vec<CandidateView>,
}

/// A site and what it suffers.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImpactView {
    /// Site.
    pub id: String,
    /// `degraded`, `affected` or `down`.
    #[schema(value_type = String)]
    pub state: Impact,
}

/// Who took it on, and when.
#[derive(Debug, Serialize, ToSchema)]
pub struct AckView {
    /// Who.
    pub by: String,
    /// When.
    pub at: String,
}

/// Trouble with one root.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncidentView {
    /// `SC-YYYYMMDD-NN`.
    pub id: String,
    /// Counts revisions from 1.
    pub revision: u32,
    /// The one root.
    pub root: RootView,
    /// What it looks like: `line-down`, `unreachable`, `carrier-down`…
    #[schema(value_type = String)]
    pub kind: Kind,
    /// `noticed`, `open` or `closed`.
    #[schema(value_type = String)]
    pub state: State,
    /// `critical`, `warning` or `info`.
    #[schema(value_type = String)]
    pub severity: Severity,
    /// Why, as far as known.
    pub cause: CauseView,
    /// Sites down or degraded by it.
    pub affected: Vec<String>,
    /// The same with what each suffers.
    pub sites: Vec<ImpactView>,
    /// When the trouble began.
    pub began: String,
    /// When it was judged.
    pub noticed: String,
    /// When it passed the gate.
    pub opened: Option<String>,
    /// When it ended.
    pub closed: Option<String>,
    /// How far `began` may be off, seconds.
    pub at_error_s: f64,
    /// Opening and closing records that passed the gate.
    pub notifications: u32,
    /// Only rehearsal sites are touched.
    pub rehearsal: bool,
    /// Who took it on.
    pub acked: Option<AckView>,
    /// The incident that took it over.
    pub adopted_by: Option<String>,
    /// The window of planned work that explains it.
    pub maintenance: Option<String>,
}

/// Something that happened to an incident.
#[derive(Debug, Serialize, ToSchema)]
pub struct MomentView {
    /// When.
    pub at: String,
    /// `noticed`, `opened`, `adopted`, `affected`, `recovering`, `relapsed`, `critical`, `outside-hours`,
    /// `maintenance`, `overrun`, `wider`, `paged`, `closed`, `ack`, `note`.
    pub what: String,
    /// Its words.
    pub text: Option<String>,
    /// Who.
    pub by: Option<String>,
}

/// A piece of evidence.
#[derive(Debug, Serialize, ToSchema)]
pub struct WitnessView {
    /// When.
    pub at: String,
    /// `up`, `down` or `core-agent`.
    pub stream: String,
    /// The line it rides on.
    pub line: Option<String>,
    /// `silence` or `answer`.
    pub kind: String,
    /// Of what: an id of the record.
    pub of: String,
    /// Its name for people: a circuit id, a port, a site.
    pub text: String,
}

/// An incident with what happened and what was seen.
#[derive(Debug, Serialize, ToSchema)]
pub struct Story {
    /// The incident.
    #[serde(flatten)]
    pub incident: IncidentView,
    /// What happened, in order.
    pub timeline: Vec<MomentView>,
    /// What was seen, in order.
    pub evidence: Vec<WitnessView>,
}

impl From<&Incident> for IncidentView {
    fn from(incident: &Incident) -> IncidentView {
        let causes = incident.cause.candidates.iter();
        let candidates = causes.map(|c| CandidateView { cause: c.cause, probability: c.probability });
        let root = &incident.root;
        IncidentView {
            id: incident.id.clone(),
            revision: incident.revision,
            root: RootView { kind: root.kind, named: Named { id: root.id.clone(), name: root.name.clone() } },
            kind: incident.kind,
            state: incident.state,
            severity: incident.severity,
            cause: CauseView { settled: incident.cause.settled, candidates: candidates.collect() },
            affected: incident.sites.keys().cloned().collect(),
            sites: incident
                .sites
                .iter()
                .map(|(id, state)| ImpactView { id: id.clone(), state: *state })
                .collect(),
            began: rfc3339(incident.began),
            noticed: rfc3339(incident.noticed),
            opened: incident.opened.map(rfc3339),
            closed: incident.closed.map(rfc3339),
            at_error_s: incident.at_error_s,
            notifications: incident.notifications,
            rehearsal: incident.rehearsal,
            acked: incident
                .acked
                .as_ref()
                .map(|acked| AckView { by: acked.by.clone(), at: rfc3339(acked.at) }),
            adopted_by: incident.adopted_by.clone(),
            maintenance: incident.maintenance.clone(),
        }
    }
}

impl Story {
    /// The story of an incident, its evidence named by `record`.
    pub fn of(incident: &Incident, record: &Topology) -> Story {
        let moment = |m: &crate::incident::Moment| MomentView {
            at: rfc3339(m.at),
            what: m.what.clone(),
            text: m.text.clone(),
            by: m.by.clone(),
        };
        Story {
            incident: incident.into(),
            timeline: incident.timeline.iter().map(moment).collect(),
            evidence: incident.evidence.iter().map(|witness| witness_view(witness, record)).collect(),
        }
    }
}

fn witness_view(witness: &Witness, record: &Topology) -> WitnessView {
    WitnessView {
        at: rfc3339(witness.at),
        stream: witness.stream.clone(),
        line: witness.line.clone(),
        kind: witness.kind.clone(),
        of: witness.of.clone(),
        text: name_of(&witness.of, record).unwrap_or(&witness.of).to_owned(),
    }
}

/// What people call the thing of this id: a line by its circuit, the rest by name.
fn name_of<'a>(id: &str, record: &'a Topology) -> Option<&'a str> {
    let (kind, id) = id.split_once('/').unwrap_or(("", id));
    let name = match kind {
        "hand-off" => record.hand_offs.get(id).map(|port| &port.name),
        "carrier" => record.carriers.get(id).map(|carrier| &carrier.name),
        "pop" => record.pops.get(id).map(|pop| &pop.name),
        _ => record.lines.get(id).map(|line| &line.circuit).or(record.sites.get(id).map(|site| &site.name)),
    };
    name.map(String::as_str)
}
