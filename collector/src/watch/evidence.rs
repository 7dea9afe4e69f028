//! What agents tell: their batches, taken apart for whoever judges by them.

use super::{Watch, gaps::Silence, skew::Skew};
use crate::{
    detect::{
        fault::At,
        graph::{Node, StreamId},
    },
    entry::Received,
    incident::{Cause, Impact, Kind, Root, RootKind, Severity, condition::Condition, ledger::View},
    topology::Id,
};
use haidang_probe::{
    batch::{Batch, Envelope},
    metric::Metric,
    outcome::{Outcome, Sample},
};
use std::collections::{BTreeMap, BTreeSet};

/// `ifOperStatus` of an interface that is up (IF-MIB); every other state is a greater number.
const IF_UP: f64 = 1.0;
/// A clock that is wrong by more is told, ms.
const SKEWED: i64 = 30_000;
/// Clocks wrong by the same within this, ms, …
const SAME_SKEW: i64 = 5_000;
/// … so many of them, and most of all, show that ours is wrong.
const OURS: usize = 3;
/// How long a clock must be right again, ms.
const SKEW_QUIET: i64 = 60_000;

impl Watch {
    pub(super) fn batch(&mut self, received: &Received) {
        // Ingest accepted it: it decodes. A record damaged since then is skipped by the journal itself.
        let Ok(envelope) = Envelope::decode(&received.envelope) else { return };
        let news = self.spools.receive(&received.agent, envelope.spool_id, envelope.seq, received.at);
        if news != Ok(true) {
            return;
        }
        let Ok(batch) = envelope.open() else { return };
        if let Some(replaced) = batch.replaces {
            self.spools.cover(&received.agent, envelope.spool_id, replaced);
        }
        self.taking.heard(received, &batch);
        self.outcomes(received, &batch);
    }

    fn outcomes(&mut self, received: &Received, batch: &Batch) {
        let core = self.topology.core() == Some(&received.agent);
        // The fold's own time: the machine's clock may have been stepped since the last tick.
        let now = self.now();
        let sent = |outcome: &Outcome| {
            let clock = batch.clocks.iter().find(|clock| clock.boot == outcome.sent.boot)?;
            Some(clock.utc_ms(outcome.sent.mono_ns))
        };
        let newest = batch.outcomes.iter().filter_map(sent).max();
        let clock = self.clocks.entry(received.agent.clone()).or_default();
        let wrong = match newest.filter(|_| !batch.backlog) {
            Some(newest) => clock.of(newest, now),
            None => clock.ahead(),
        };
        let mut outcomes: Vec<_> = batch
            .outcomes
            .iter()
            .filter_map(|outcome| Some(((sent(outcome)? - wrong).min(now), outcome)))
            .collect();
        outcomes.sort_by_key(|(sent, outcome)| (*sent, outcome.check));
        let fresh = Some(now).filter(|_| !batch.backlog);
        let Some(site) = self.topology.sites.get(&received.agent) else { return };
        for (sent, outcome) in &outcomes {
            let stream = StreamId::Asked(outcome.check);
            if core && self.graph.streams.contains_key(&stream) {
                let tells = outcome.result.as_ref().err().is_none_or(|failure| failure.tells_of_target());
                if tells {
                    self.detector.asked(&self.graph, stream, *sent, answers(outcome));
                }
            }
            self.judges.heard(&received.agent, outcome, *sent, fresh);
        }
        self.gaps.heard(&received.agent, site, &outcomes, fresh);
    }

    /// Judges what is no silence of lines, once a second: what agents saw of silences now over, and what is
    /// wrong with anything else. Gives the incidents revised.
    pub(super) fn judge(&mut self) -> BTreeSet<Id> {
        let silences = self.detector.faults().iter().filter_map(|(id, fault)| {
            let At::Node(Node::Site(site)) = &fault.at else { return None };
            let incident = self.ledger.of_fault(*id)?.id.clone();
            Some(Silence { incident, site: site.clone(), began: fault.fell, ended: fault.cleared })
        });
        let silences = silences.collect();
        let now = self.now();
        self.gaps.follow(silences, now);
        let mut conditions = self.wrong_clocks();
        let view = View {
            topology: &self.topology,
            graph: &self.graph,
            detector: &self.detector,
            windows: &self.windows,
        };
        conditions.extend(self.judges.judge(&view));
        let mut revised = self.ledger.conditions(&view, &conditions);
        for (incident, learned) in self.gaps.conclude(&self.topology) {
            revised.extend(self.ledger.learn(&view, &incident, learned));
        }
        revised
    }

    /// Agents whose clocks are wrong (detection decision 12). Their outcomes are corrected by as much, so only
    /// whoever reads the machine's own logs is misled. When most of them are wrong by the same, we are.
    fn wrong_clocks(&self) -> Vec<Condition> {
        let wrong: Vec<(&Id, &Skew)> =
            self.clocks.iter().filter(|(_, clock)| clock.ahead().abs() > SKEWED).collect();
        let same = |one: &&(&Id, &Skew)| {
            wrong.iter().filter(|other| (other.1.ahead() - one.1.ahead()).abs() <= SAME_SKEW).count()
        };
        let ours = wrong.iter().find(|one| same(one) >= OURS && same(one) * 2 > self.clocks.len());
        if let Some((_, clock)) = ours {
            return vec![wrong_clock(Root::collector(), BTreeMap::new(), clock.since())];
        }
        let agent = |(agent, clock): &(&Id, &Skew)| {
            let name = self.topology.sites.get(*agent)?.name.clone();
            let root = Root { kind: RootKind::Agent, id: (*agent).clone(), name };
            Some(wrong_clock(root, [((*agent).clone(), Impact::Degraded)].into(), clock.since()))
        };
        wrong.iter().filter_map(agent).collect()
    }
}

fn wrong_clock(root: Root, sites: BTreeMap<Id, Impact>, since: i64) -> Condition {
    let cause = if root.kind == RootKind::Collector { Cause::Centre } else { Cause::Agent };
    Condition {
        root,
        kind: Kind::ClockSkew,
        severity: Severity::Warning,
        sites,
        since,
        causes: vec![(cause, 1.0)],
        gate_ms: 0,
        quiet_ms: SKEW_QUIET,
    }
}

/// Whether what was asked lives: it answered, and is no interface that is down.
fn answers(outcome: &Outcome) -> bool {
    let down = |sample: &Sample| sample.metric == Metric::IfOperStatus && sample.value > IF_UP;
    outcome.result.is_ok() && !outcome.samples.iter().any(down)
}
