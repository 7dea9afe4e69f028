//! An incident: trouble with one root. Revisions supersede; nothing is edited.
//!
//! ```text
//! noticed ──gate──▶ open ──recovered 30 s──▶ closed
//!    └────────recovered before the gate────────▶ closed (opened = null, never notified)
//! ```
//!
//! What planned work explains passes no gate while the work lasts: it stays noticed.

pub mod cause;
pub mod condition;
pub mod learned;
pub mod ledger;
pub mod maintenance;
mod paging;
mod reading;

pub use crate::detect::witness::Witness;
use crate::topology::Id;
use serde::{Deserialize, Serialize};

/// What kind of thing a root is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum RootKind {
    Site,
    Line,
    HandOff,
    Carrier,
    Pop,
    Group,
    Core,
    Device,
    Service,
    Agent,
    Collector,
}

/// The one thing an incident is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Root {
    /// Its kind.
    pub kind: RootKind,
    /// Its id within the kind; a group's is made from its carrier and first line.
    pub id: Id,
    /// Its name, for people.
    pub name: String,
}

impl Root {
    /// The collector itself.
    pub fn collector() -> Root {
        Root { kind: RootKind::Collector, id: "collector".to_owned(), name: "collector".to_owned() }
    }
}

/// What went wrong, as far as it shows from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Kind {
    LineDown,
    Unreachable,
    CarrierDown,
    RouterDown,
    HandOff,
    RedundancyLost,
    AgentDead,
    Blind,
    GatewayDown,
    GatewayPower,
    Power,
    PowerArea,
    Flapping,
    BrownOut,
    ServiceDown,
    ServiceDegraded,
    Certificate,
    DeviceDown,
    ClockSkew,
    Restart,
}

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum State {
    Noticed,
    Open,
    Closed,
}

/// How bad it is: critical = some site has no path; warning = degraded but working.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

/// What may have caused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Cause {
    Power,
    Equipment,
    Line,
    Carrier,
    HandOff,
    Lan,
    Agent,
    Centre,
    Service,
}

/// One possible cause and how likely it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The cause.
    pub cause: Cause,
    /// 0 to 1; the candidates of one incident sum to 1.
    pub probability: f64,
}

/// The causes that the evidence leaves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Causes {
    /// No further evidence is awaited.
    #[serde(rename = "final")]
    pub settled: bool,
    /// Most likely first.
    pub candidates: Vec<Candidate>,
}

/// What a site suffers in an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Impact {
    Degraded,
    Affected,
    Down,
}

/// Somebody took it on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acked {
    /// Who.
    pub by: String,
    /// UTC, ms.
    pub at: i64,
}

/// Something that happened to an incident, for its timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// UTC, ms.
    pub at: i64,
    /// What: `noticed`, `opened`, `adopted`, `affected`, `recovering`, `relapsed`, `critical`, `cause`,
    /// `outside-hours`, `maintenance`, `overrun`, `wider`, `paged`, `closed`, `ack`, `note`.
    pub what: String,
    /// Its words, where it has some.
    pub text: Option<String>,
    /// Who, where it was a person.
    pub by: Option<String>,
}

/// Trouble with one root. Times are UTC ms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// `SC-YYYYMMDD-NN`, the day in Asia/Ho_Chi_Minh, NN counting from 01 in order of notice.
    pub id: String,
    /// Counts revisions from 1.
    pub revision: u32,
    /// The one root.
    pub root: Root,
    /// What it looks like.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// How bad it is.
    pub severity: Severity,
    /// Why, as far as known.
    pub cause: Causes,
    /// Sites down or degraded by it, with what they suffer.
    pub sites: std::collections::BTreeMap<Id, Impact>,
    /// First missed send: when the trouble began.
    pub began: i64,
    /// When the detector judged it.
    pub noticed: i64,
    /// When it passed the gate.
    pub opened: Option<i64>,
    /// When it ended.
    pub closed: Option<i64>,
    /// How far `began` may be off, seconds.
    pub at_error_s: f64,
    /// Opening and closing records that passed the gate and are of a page.
    pub notifications: u32,
    /// Only rehearsal sites are touched.
    pub rehearsal: bool,
    /// Who took it on.
    pub acked: Option<Acked>,
    /// The incident that took this one over.
    pub adopted_by: Option<String>,
    /// The window of planned work that explains it.
    pub maintenance: Option<Id>,
    /// What happened, in order.
    pub timeline: Vec<Moment>,
    /// What was seen, in order; capped.
    pub evidence: Vec<Witness>,
}
