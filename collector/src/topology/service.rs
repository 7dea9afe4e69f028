//! Shared services and what else is asked at many sites at once.

use super::{Id, Site, SiteKind};
use haidang_probe::check::Check;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Something that the work of many sites depends on: the portal, the document axis, a resolver. Its failure is
/// one incident, however many notice it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Name.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// Its owner is none of us.
    pub outside: bool,
    /// What is asked; named `service/<id>`.
    pub check: Check,
    /// Who asks.
    pub asked_by: AskedBy,
}

/// A check that many sites run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shared {
    /// What is asked.
    pub check: Check,
    /// Who asks.
    pub asked_by: AskedBy,
}

/// Which agents ask something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedBy {
    /// The core agent.
    pub core: bool,
    /// Every other agent.
    pub all: bool,
    /// The agents of sites with one of these tags.
    pub tags: BTreeSet<String>,
}

impl AskedBy {
    /// Whether the agent of `site` asks.
    pub fn includes(&self, site: &Site) -> bool {
        if site.kind == SiteKind::Core {
            return self.core;
        }
        site.observe.has_agent() && (self.all || !self.tags.is_disjoint(&site.tags))
    }
}

/// A power line that feeds several sites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feeder {
    /// Name.
    pub name: String,
}

/// Name of the check of a service.
pub fn check_name(service: &Id) -> String {
    format!("service/{service}")
}
