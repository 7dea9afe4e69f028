//! What agents' own checks say about the set-up. A check that never answered is Unknown and a finding; it is
//! not an incident.

use super::Finding;
use crate::topology::{Id, Topology};
use haidang_probe::{
    check::CheckId,
    outcome::{Failure, Outcome},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How long a check fails before it is a finding, ms.
const FAILING: i64 = 60_000;

/// A check's standing. Times are UTC ms.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Standing {
    answered: Option<i64>,
    failing: Option<(i64, Failure)>,
    last: i64,
}

/// All agents' checks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Checks {
    standing: BTreeMap<(Id, CheckId), Standing>,
}

impl Checks {
    /// Notes an outcome sent at `sent`; an older one than the last changes nothing.
    pub fn heard(&mut self, agent: &str, outcome: &Outcome, sent: i64) {
        let standing = self.standing.entry((agent.to_owned(), outcome.check)).or_default();
        if sent < standing.last {
            return;
        }
        standing.last = sent;
        match &outcome.result {
            Ok(_) => {
                standing.answered = Some(sent);
                standing.failing = None;
            }
            Err(failure) => {
                let since = standing.failing.map_or(sent, |(since, _)| since);
                standing.failing = Some((since, *failure));
            }
        }
    }

    /// Checks the record no longer has are forgotten.
    pub fn keep(&mut self, topology: &Topology) {
        let known: BTreeSet<(Id, CheckId)> = topology
            .sites
            .keys()
            .flat_map(|site| {
                topology.checks_of(site).into_iter().map(move |check| (site.clone(), check.id()))
            })
            .collect();
        self.standing.retain(|key, _| known.contains(key));
    }

    /// Findings of the sites' own checks. What the core agent asks of lines and ports is the detector's.
    pub fn findings(&self, topology: &Topology, now: i64) -> Vec<Finding> {
        let mut all = Vec::new();
        for (site, record) in &topology.sites {
            for check in &record.checks {
                let Some(standing) = self.standing.get(&(site.clone(), check.id())) else { continue };
                let Some((since, failure)) = standing.failing else { continue };
                let kind = match (failure.tells_of_target(), standing.answered) {
                    (false, _) => failure.name(),
                    _ if now - since < FAILING => continue,
                    (true, None) => "never-answered",
                    (true, Some(_)) => "check-failing",
                };
                all.push(Finding { kind: kind.to_owned(), subject: format!("{site}/{}", check.name), since });
            }
        }
        all
    }
}
