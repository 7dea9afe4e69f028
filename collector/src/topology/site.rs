//! Sites: where they lie, how they are observed, what feeds them, what stands in them, and what they were before.

use super::{Hours, Id};
use haidang_probe::check::Check;
use haidang_probe::listening::Listening;
use haidang_probe::plan::PlanDigest;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How a site is observed (field.md 7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observe {
    /// The agent runs on the gateway: its boot id speaks for the gateway.
    Gateway,
    /// The agent runs on a box behind the gateway: its boot id speaks for the box alone.
    BoxBehind,
    /// No agent; the gateway reflects STAMP or TWAMP-Light.
    Reflector,
    /// No agent; the gateway answers ICMP or TCP.
    #[default]
    PingOnly,
}

impl Observe {
    /// Whether an agent of ours runs at the site.
    pub fn has_agent(self) -> bool {
        matches!(self, Observe::Gateway | Observe::BoxBehind)
    }
}

/// What a site is for the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SiteKind {
    /// An office of a commune.
    #[default]
    Office,
    /// The centre; its agent is the core agent and asks everything that has an [`Ask`].
    Core,
}

/// A place in a commune, or the centre.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// Name.
    pub name: String,
    /// Office or centre.
    pub kind: SiteKind,
    /// Commune it lies in; the centre has none.
    pub commune: Option<Id>,
    /// How it is observed.
    pub observe: Observe,
    /// Simulated: marked "DIỄN TẬP" wherever it is shown.
    pub rehearsal: bool,
    /// How many of its lines it needs.
    pub needs: Needs,
    /// Whom to call.
    pub contact: Option<Contact>,
    /// Who holds the key of the cabinet.
    pub key_holder: Option<Contact>,
    /// Where it is, in words.
    pub address: Option<String>,
    /// Words that checks and services pick sites by.
    pub tags: BTreeSet<String>,
    /// When it serves; always, when absent.
    pub hours: Option<Hours>,
    /// Whether it may be switched off outside its hours (field.md 11).
    pub off_outside_hours: OffOutsideHours,
    /// The power line that feeds it, by its id.
    pub feeder: Option<Id>,
    /// What feeds its gateway and its agent's box.
    pub power: Power,
    /// What it was known as, and where it lay, before some day; oldest first.
    pub formerly: Vec<Former>,
    /// How long it must be cut off before its incident opens, seconds.
    pub gate_s: u32,
    /// What its agent asks beside its lines and devices.
    pub checks: Vec<Check>,
    /// What stands on its LAN.
    pub devices: BTreeMap<Id, Device>,
    /// What its agent listens to.
    pub listen: Listening,
    /// STAMP session of an agent whose uplink is no known line (`uplink: any`).
    pub ssid: Option<u16>,
    /// Digest of what is secret in its agent's orders, so that another secret is another plan.
    pub sealed: Option<PlanDigest>,
}

/// Which of a site's lines must live for it to be reached: always said, never guessed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// One of these lines is enough.
    AnyOf(Vec<Id>),
    /// Each of these lines is needed.
    AllOf(Vec<Id>),
}

impl Needs {
    /// The lines named.
    pub fn lines(&self) -> &[Id] {
        match self {
            Needs::AnyOf(lines) | Needs::AllOf(lines) => lines,
        }
    }
}

/// Whether a site is switched off outside its hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OffOutsideHours {
    /// It runs all day: silent at night is a fault.
    #[default]
    No,
    /// It may be off: silent at night is customer side.
    Yes,
    /// As it was in its last nights.
    Learn,
}

/// What feeds the equipment of a site: who goes dark first when the mains fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Power {
    /// The gateway and the carrier's terminal.
    pub gateway: Option<Supply>,
    /// The box the agent runs on, where it is not the gateway.
    pub agent: Option<Supply>,
}

/// A source of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Supply {
    /// The mains alone.
    Mains,
    /// A battery keeps it up for a while.
    Ups,
}

/// What a site was before a day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// First day it no longer was, `YYYY-MM-DD`.
    pub until: String,
    /// Its id until then, if another.
    pub id: Option<Id>,
    /// The commune it lay in until then, if another.
    pub commune: Option<Id>,
}

/// A thing on the LAN of a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Name.
    pub name: String,
    /// What it is.
    pub kind: DeviceKind,
    /// What the site's agent asks of it; named `<device>/<probe>` unless the file names them.
    pub checks: Vec<Check>,
}

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum DeviceKind {
    /// The gateway's LAN side, as a box behind it sees it.
    Gateway,
    Switch,
    Ups,
    Camera,
    Printer,
    /// A commune's own public service: citizens notice when it fails.
    Portal,
    Computer,
    Other,
}

/// A person at a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contact {
    /// Name.
    pub name: String,
    /// Telephone.
    pub phone: String,
}

impl Default for Needs {
    fn default() -> Self {
        Needs::AnyOf(Vec::new())
    }
}

impl Site {
    /// Everything its agent asks of the site itself: its checks, then its devices'.
    pub fn own_checks(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().chain(self.devices.values().flat_map(|device| &device.checks))
    }
}
