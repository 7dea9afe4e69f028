//! Which plan each agent runs, by what its batches say, against the one the record means it to run.
//!
//! ```text
//! record changes ─▶ another plan is meant ── heard with the old one for PATIENCE ──▶ finding plan-not-taken
//!                        │                └─ the agent says that it refused it ────▶ finding plan-refused
//!                        └── heard with the new one: nothing to mend
//! ```
//!
//! An agent that is not heard at all is not blamed here.

use super::Finding;
use crate::{
    entry::Received,
    plans::Plans,
    topology::{Id, Topology},
};
use haidang_probe::{batch::Batch, credential::Credentials, event::EventKind, plan::PlanDigest};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long an agent that is heard may run another plan, ms.
const PATIENCE: i64 = 120_000;

/// What agents run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Taking {
    agents: BTreeMap<Id, Standing>,
}

/// An agent heard since its plan changed last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Standing {
    meant: PlanDigest,
    /// It runs another one since then, as far as is known: UTC ms.
    other_since: Option<i64>,
    /// It said so, UTC ms.
    refused: Option<i64>,
    /// When it was heard last, UTC ms.
    heard: i64,
}

impl Taking {
    /// The record changed: agents whose plan is another one have their patience anew.
    pub fn configure(&mut self, topology: &Topology) {
        let plans = Plans::of(topology, &Credentials::new());
        let meant = |site: &Id| {
            let digest = topology.sealed.get(site).copied().or(plans.get(site).map(|plan| plan.digest));
            digest.map(|digest| (site.clone(), digest))
        };
        let before = std::mem::take(&mut self.agents);
        for (site, meant) in topology.sites.keys().filter_map(meant) {
            let fresh = Standing { meant, other_since: None, refused: None, heard: 0 };
            let kept = before.get(&site).filter(|standing| standing.meant == meant).cloned();
            self.agents.insert(site, kept.unwrap_or(fresh));
        }
    }

    /// Moves all times back by `by`, ms.
    pub fn rewind(&mut self, by: i64) {
        for standing in self.agents.values_mut().filter(|standing| standing.heard > 0) {
            standing.heard -= by;
            for time in [&mut standing.other_since, &mut standing.refused].into_iter().flatten() {
                *time -= by;
            }
        }
    }

    /// A batch came. Old ones tell of an old plan.
    pub fn heard(&mut self, received: &Received, batch: &Batch) {
        let Some(standing) = self.agents.get_mut(&received.agent).filter(|_| !batch.backlog) else { return };
        standing.heard = received.at;
        if batch.plan_digest == standing.meant {
            (standing.other_since, standing.refused) = (None, None);
            return;
        }
        standing.other_since.get_or_insert(received.at);
        if batch.events.iter().any(|event| event.kind == EventKind::PlanRefused) {
            standing.refused.get_or_insert(received.at);
        }
    }

    /// Whether the agent of a site runs the plan meant for it: `taken`, `waiting` or `refused`. None before it was
    /// heard under this plan.
    pub fn of(&self, site: &str) -> Option<&'static str> {
        let standing = self.agents.get(site).filter(|one| one.heard > 0 || one.other_since.is_some())?;
        Some(match standing {
            Standing { refused: Some(_), .. } => "refused",
            Standing { other_since: Some(_), .. } => "waiting",
            _ => "taken",
        })
    }

    /// What somebody should look at.
    pub fn findings(&self) -> Vec<Finding> {
        let finding = |(site, standing): (&Id, &Standing)| {
            let other = standing.other_since?;
            let late = (standing.heard - other >= PATIENCE).then_some(("plan-not-taken", other));
            let (kind, since) = standing.refused.map(|since| ("plan-refused", since)).or(late)?;
            Some(Finding { kind: kind.to_owned(), subject: site.clone(), since })
        };
        self.agents.iter().filter_map(finding).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Observe, Site};
    use haidang_probe::{event::Event, moment::Moment};

    fn record(name: &str) -> Topology {
        let mut topology = Topology::default();
        let mut site = Site { observe: Observe::Gateway, ssid: Some(2), ..Site::default() };
        site.checks.extend(
            (name == "new").then(|| serde_json::from_str(r#"{"name":"up","probe":"uptime"}"#).unwrap()),
        );
        topology.sites.insert("a".into(), site);
        topology
    }

    fn says(taking: &mut Taking, at: i64, plan_digest: PlanDigest, kinds: &[EventKind]) -> Vec<String> {
        let event = |kind: &EventKind| Event::new(Moment::default(), *kind, "");
        let batch = Batch { plan_digest, events: kinds.iter().map(event).collect(), ..Batch::default() };
        taking.heard(&Received { at, agent: "a".into(), envelope: Vec::new() }, &batch);
        taking.findings().into_iter().map(|finding| finding.kind).collect()
    }

    #[test]
    fn an_agent_that_keeps_its_old_plan_is_a_finding_after_two_minutes_of_being_heard() {
        let (old, new) = (
            Plans::of(&record("old"), &Credentials::new()).digest("a"),
            Plans::of(&record("new"), &Credentials::new()).digest("a"),
        );
        let mut taking = Taking::default();
        taking.configure(&record("old"));
        assert!(says(&mut taking, 0, old, &[]).is_empty());
        taking.configure(&record("new"));
        assert!(says(&mut taking, 1_000, old, &[]).is_empty());
        assert_eq!(taking.of("a"), Some("waiting"));
        assert!(says(&mut taking, 120_999, old, &[]).is_empty());
        assert_eq!(says(&mut taking, 121_000, old, &[]), ["plan-not-taken"]);
        taking.configure(&record("new"));
        assert_eq!(taking.findings().len(), 1, "an edit elsewhere changes nothing");
        assert!(says(&mut taking, 122_000, new, &[]).is_empty());
    }

    #[test]
    fn a_refusal_is_told_at_once_and_ends_when_the_plan_is_taken() {
        let (old, new) = (
            Plans::of(&record("old"), &Credentials::new()).digest("a"),
            Plans::of(&record("new"), &Credentials::new()).digest("a"),
        );
        let mut taking = Taking::default();
        taking.configure(&record("new"));
        assert_eq!(taking.of("a"), None);
        assert_eq!(says(&mut taking, 0, old, &[EventKind::PlanRefused]), ["plan-refused"]);
        assert_eq!(taking.of("a"), Some("refused"));
        assert!(says(&mut taking, 5_000, new, &[]).is_empty());
        assert_eq!(taking.of("a"), Some("taken"));
    }
}
