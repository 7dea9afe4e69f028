//! From what the detector shows to what people see: verdicts of lines and sites, and set-up findings.

use super::{Finding, Since, Verdict};
use crate::{
    detect::{
        Detector, Shows,
        fault::At,
        graph::{Graph, Node, StreamId},
    },
    incident::maintenance::Covered,
    topology::Topology,
};
use std::collections::{BTreeMap, BTreeSet};

/// How long after a start something may stay silent before it is a finding, ms.
const NEVER_ANSWERED: i64 = 60_000;

/// Verdicts of all sites and all lines, by index.
pub fn verdicts(graph: &Graph, detector: &Detector) -> (Vec<Since>, Vec<Since>) {
    let mut from_above = BTreeSet::new();
    let mut blind = BTreeSet::new();
    for fault in detector.faults().values() {
        let blinded = fault.at == At::Node(Node::Core);
        let into = if blinded { &mut blind } else { &mut from_above };
        if fault.shared {
            into.extend(fault.lines.iter().copied());
        }
    }
    let line = |number: usize| match detector.shows(number) {
        Shows::Alive => told(Verdict::Up, 0),
        Shows::Unknown => Since { established: detector.established(graph, number), ..Since::UNKNOWN },
        Shows::Silent(_) if blind.contains(&number) => told(Verdict::Unknown, 0),
        Shows::Silent(began) if from_above.contains(&number) => told(Verdict::Affected, began),
        Shows::Silent(began) => told(Verdict::Down, began),
        Shows::Off(since) => told(Verdict::OffHours, since),
    };
    let lines: Vec<Since> = (0..graph.lines.len()).map(line).collect();
    let sites = (0..graph.sites.len()).map(|number| site(graph, detector, number, &lines)).collect();
    (sites, lines)
}

/// What is worked on is shown as such while its window holds, however it stands.
pub fn overlay(graph: &Graph, covered: &Covered, sites: &mut [Since], lines: &mut [Since]) {
    let at_work = |shown: &mut Since, from: Option<&i64>| {
        if let Some(from) = from {
            *shown = Since { verdict: Verdict::Maintenance, since: *from, established: shown.established };
        }
    };
    graph.sites.iter().zip(sites).for_each(|(site, shown)| at_work(shown, covered.sites.get(&site.id)));
    graph.lines.iter().zip(lines).for_each(|(line, shown)| at_work(shown, covered.lines.get(&line.id)));
}

fn told(verdict: Verdict, since: i64) -> Since {
    Since { verdict, since, established: true }
}

fn site(graph: &Graph, detector: &Detector, number: usize, lines: &[Since]) -> Since {
    let site = &graph.sites[number];
    let of = |wanted: &[Verdict]| site.lines.iter().filter(|l| wanted.contains(&lines[**l].verdict)).count();
    let (up, dead) = (of(&[Verdict::Up]), of(&[Verdict::Down, Verdict::Affected]));
    let since = site.lines.iter().map(|line| lines[*line].since).max().unwrap_or(0);
    if up == 0 && of(&[Verdict::OffHours]) > 0 {
        return told(Verdict::OffHours, since);
    }
    if dead == 0 {
        let heard = detector.agent_heard(graph, number);
        return match (up, heard) {
            (1.., _) | (0, Some(true)) => told(Verdict::Up, 0),
            (0, Some(false)) => told(Verdict::Unknown, 0),
            (0, None) => {
                let established = site.lines.iter().any(|line| lines[*line].established);
                Since { established, ..Since::UNKNOWN }
            }
        };
    }
    if up > 0 && !site.all_of {
        return told(Verdict::Degraded, since);
    }
    let own = of(&[Verdict::Down]) > 0;
    told(if own { Verdict::Down } else { Verdict::Affected }, since)
}

/// Takes over what is shown; `true` if the verdict changed. A verdict without a start of its own starts now.
pub fn turn(old: &mut Since, shown: Since, now: i64) -> bool {
    if old.verdict == shown.verdict && old.established == shown.established && old.since != 0 {
        return false;
    }
    let changed = old.verdict != shown.verdict || old.established != shown.established;
    *old = Since { since: if shown.since == 0 { now } else { shown.since }, ..shown };
    changed
}

/// What about the set-up somebody should mend.
pub fn findings(graph: &Graph, detector: &Detector, topology: &Topology, started: i64) -> Vec<Finding> {
    let now = detector.now();
    let mut all = BTreeSet::new();
    let mut add = |kind: &str, subject: String| {
        all.insert(Finding { kind: kind.to_owned(), subject, since: now });
    };
    for line in detector.unproved(graph) {
        add("unproved-uplink", graph.lines[line].id.clone());
    }
    for site in detector.one_path(graph) {
        add("one-path", graph.sites[site].id.clone());
    }
    for fault in detector.faults().values().filter(|fault| fault.doubtful) {
        if let At::Node(Node::Pop(pop)) = &fault.at {
            add("record-doubtful", pop.clone());
        }
    }
    if now - started >= NEVER_ANSWERED {
        let names: BTreeMap<_, _> =
            topology.core_checks().into_iter().map(|check| (check.id(), check.name)).collect();
        for route in detector.never_answered(graph) {
            match (route.id, route.site) {
                (StreamId::Asked(check), _) => {
                    add("never-answered", names.get(&check).cloned().unwrap_or_default());
                }
                (_, Some(site)) if detector.agent_heard(graph, site).is_none() => {
                    add("agent-never-heard", graph.sites[site].id.clone());
                }
                _ => {}
            }
        }
    }
    all.into_iter().collect()
}

/// A finding known before keeps its start; the list is put in order.
pub fn keep_since(findings: &mut [Finding], known: &[Finding]) {
    let since: BTreeMap<(&str, &str), i64> =
        known.iter().map(|old| ((old.kind.as_str(), old.subject.as_str()), old.since)).collect();
    for finding in findings.iter_mut() {
        if let Some(since) = since.get(&(finding.kind.as_str(), finding.subject.as_str())) {
            finding.since = *since;
        }
    }
    findings.sort();
}
