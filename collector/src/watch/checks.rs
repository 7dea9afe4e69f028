//! What agents' own checks say about the set-up. A check that never answered is Unknown and a finding; it is
//! not an incident.

use super::{Finding, Since, Verdict};
use crate::topology::{Id, Topology};
use haidang_probe::{
    check::{Check, CheckId},
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

    /// How what these checks of `agent` ask stands together: down when each that can tell fails and has for
    /// [`FAILING`], degraded when some do.
    pub fn stand(&self, agent: &str, checks: &[Check], now: i64) -> Since {
        let known = checks.iter().filter_map(|check| self.standing.get(&(agent.to_owned(), check.id())));
        let (mut answers, mut fails, mut since) = (0, 0, i64::MAX);
        for standing in known.filter(|standing| standing.answered.is_some()) {
            match standing.failing {
                Some((_, failure)) if !failure.tells_of_target() => {}
                Some((from, _)) if now - from >= FAILING => (fails, since) = (fails + 1, since.min(from)),
                _ => answers += 1,
            }
        }
        let verdict = match (answers, fails) {
            (0, 0) => return Since::UNKNOWN,
            (_, 0) => return Since { verdict: Verdict::Up, since: 0, established: true },
            (0, _) => Verdict::Down,
            _ => Verdict::Degraded,
        };
        Since { verdict, since, established: true }
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

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_probe::moment::Moment;
    use std::time::Duration;

    fn check(name: &str) -> Check {
        serde_json::from_value(serde_json::json!({ "name": name, "probe": "icmp", "target": "x" })).unwrap()
    }

    /// What `run` of checks "a" and "b" leaves: (check, sent, failure).
    fn after(runs: &[(&str, i64, Option<Failure>)], now: i64) -> Since {
        let mut checks = Checks::default();
        for (name, sent, failure) in runs {
            let result = failure.map_or(Ok(Duration::from_millis(3)), Err);
            let outcome =
                Outcome { check: check(name).id(), sent: Moment::default(), result, samples: Vec::new() };
            checks.heard("agent", &outcome, *sent);
        }
        checks.stand("agent", &[check("a"), check("b")], now)
    }

    #[test]
    fn a_thing_is_down_when_all_that_ever_answered_fail_and_degraded_when_some_do() {
        let lost = Some(Failure::Timeout);
        assert_eq!(after(&[("a", 1, None)], 9).verdict, Verdict::Up);
        let one = [("a", 1, None), ("b", 1, None), ("b", 10, lost)];
        assert_eq!(after(&one, 10 + FAILING - 1).verdict, Verdict::Up, "one miss is no fault");
        assert_eq!(after(&one, 10 + FAILING).verdict, Verdict::Degraded);
        let both = [("a", 1, None), ("a", 20, lost), ("b", 1, None), ("b", 10, lost)];
        let down = after(&both, 20 + FAILING);
        assert_eq!((down.verdict, down.since), (Verdict::Down, 10));
    }

    #[test]
    fn what_never_answered_and_what_the_agent_cannot_ask_tell_nothing() {
        assert_eq!(after(&[], 9), Since::UNKNOWN);
        assert_eq!(after(&[("a", 1, Some(Failure::Timeout))], FAILING * 2), Since::UNKNOWN);
        let own = [("a", 1, None), ("a", 2, Some(Failure::Local))];
        assert_eq!(after(&own, FAILING * 2), Since::UNKNOWN);
    }
}
