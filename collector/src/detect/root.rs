//! From silent lines to the one thing that explains them.
//!
//! Widest first: a node is the root when nothing was heard through it since its last reply, enough of the lines
//! beneath it are silent, and everything above it is known to live. What no node explains but fell silent
//! together is a group, and what is left is a site or one of its lines: [`super::narrow`].

use super::{
    AGENT_DEAD, CAP_MISSES, CLEAR, Detector, HOLD_DOWN, LAMBDA, S_CAP, S_MIN, S_MIN_WIDE, SAME_CAUSE,
    SAME_SITE, Shows,
    fault::{At, Change, Fault, FaultId, Witness},
    graph::{CORE, Graph, Node, SiteRoute, StreamId, Wide},
    stream::Silence,
};
use std::collections::{BTreeMap, BTreeSet};

/// Share of the lines able to tell that must be silent for a wide root, in tenths.
const HIT_TENTHS: usize = 6;

/// A line whose silence is long and heavy enough to be judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    pub line: usize,
    pub began: i64,
}

impl Detector {
    /// New faults, and old ones that turn out to be part of them.
    pub(super) fn find_roots(&mut self, graph: &Graph) -> Vec<Change> {
        let mut changes = Vec::new();
        for wide in &graph.wide {
            if let Some(fault) = self.wide_root(graph, wide) {
                changes.extend(self.enter_over(graph, fault));
            }
        }
        let explained = self.explained();
        let doubted = |line: &usize| !explained.contains(line) && self.doubted(graph, *line);
        let open: Vec<usize> = (0..graph.lines.len()).filter(doubted).collect();
        let (resting, open): (Vec<usize>, Vec<usize>) =
            open.into_iter().partition(|line| self.perhaps_off(graph, *line));
        let ready: Vec<Ready> = open.iter().filter_map(|line| self.ready_and_cleared(graph, *line)).collect();
        let mut by_carrier: BTreeMap<usize, Vec<Ready>> = BTreeMap::new();
        ready.iter().for_each(|one| by_carrier.entry(graph.lines[one.line].carrier).or_default().push(*one));
        for (carrier, ready) in by_carrier {
            changes.extend(self.judge_lines(graph, carrier, ready, &open));
        }
        changes.extend(self.feeders(graph));
        changes.extend(self.judge_resting(graph, &resting));
        changes.extend(self.dead_agents(graph));
        changes
    }

    /// When the silence of a line is long and heavy enough: its start.
    pub(super) fn ready(&self, graph: &Graph, line: usize) -> Option<i64> {
        let silence = self.silence(graph, line, self.ok[graph.lines[line].node]);
        let began = silence.began?;
        let lasted = self.now - began;
        let heavy = lasted >= S_MIN && silence.weight >= LAMBDA;
        let long = lasted >= S_CAP && silence.misses >= CAP_MISSES && silence.streams >= 2;
        (heavy || long).then_some(began)
    }

    fn ready_and_cleared(&self, graph: &Graph, line: usize) -> Option<Ready> {
        let began = self.ready(graph, line)?;
        self.clear_above(&graph.lines[line].above, began).then_some(Ready { line, began })
    }

    /// Everything above lives, or had its time to show it.
    pub(super) fn clear_above(&self, above: &[usize], began: i64) -> bool {
        self.waited(began) || self.lives(above, began)
    }

    /// Everything above answered well after the silence began.
    pub(super) fn lives(&self, above: &[usize], began: i64) -> bool {
        above.iter().all(|node| self.ok[*node] >= began + CLEAR)
    }

    fn wide_root(&self, graph: &Graph, wide: &Wide) -> Option<Fault> {
        let at = At::Node(graph.nodes[wide.node].clone());
        if self.known_silent(graph, wide, &at) {
            return None;
        }
        let since = self.ok[wide.node];
        let own = self.own_silence(wide, since);
        let silent = self.silent_lines(graph, &wide.lines, since, !own.is_empty())?;
        let mut all = silent.evidence;
        own.iter().for_each(|silence| all.join(*silence));
        let began = all.began?;
        let shortest = if silent.lines.len() >= 3 { S_MIN_WIDE } else { S_MIN };
        let waited = self.waited(began);
        let own_told = wide.own.iter().filter(|n| self.streams[**n].established).count();
        if all.weight < LAMBDA || self.now - began < shortest || (own.len() < own_told && !waited) {
            return None;
        }
        if wide.node == CORE && !(waited && two_carriers(graph, &silent.lines)) {
            return None;
        }
        if !self.clear_above(&wide.above, began) {
            return None;
        }
        let told = wide.node == CORE || !own.is_empty() || matches!(graph.nodes[wide.node], Node::Pop(_));
        let witness =
            if told && self.lives(&wide.above, began) { Witness::Conclusive } else { Witness::Open };
        Some(self.fault(at, began, silent.lines, true, witness))
    }

    /// The node is the root of a live fault and has not answered since; or something above it is, or answered so
    /// lately that what lies beneath may still be coming back.
    fn known_silent(&self, graph: &Graph, wide: &Wide, at: &At) -> bool {
        let above = |at: &At| wide.above.iter().any(|node| *at == At::Node(graph.nodes[*node].clone()));
        let returning = |fault: &Fault| fault.cleared.is_none_or(|cleared| self.now - cleared <= HOLD_DOWN);
        self.faults.values().filter(|fault| fault.shared).any(|fault| {
            (fault.at == *at && fault.cleared.is_none()) || (above(&fault.at) && returning(fault))
        })
    }

    /// The lines beneath a node that are silent since its last reply, when they are enough. What may be off tells
    /// nothing, unless it should be back by now and the node's own port is silent too.
    fn silent_lines(
        &self,
        graph: &Graph,
        lines: &[usize],
        since: i64,
        own_silent: bool,
    ) -> Option<SilentLines> {
        let (mut silent, mut able, mut evidence) = (BTreeSet::new(), 0, Silence::default());
        for line in lines.iter().copied() {
            let dead_before = matches!(self.lines[line], Shows::Silent(began) if began + SAME_SITE < since);
            if dead_before || self.lines[line] == Shows::Unknown || self.telling(graph, line).next().is_none()
            {
                continue;
            }
            if let Shows::Off(off) = self.lines[line] {
                if own_silent && self.missed(graph, line, off) {
                    able += 1;
                    silent.insert(line);
                }
                continue;
            }
            let silence = self.silence(graph, line, since);
            if silence.began.is_some_and(|began| self.excused(graph, line, began)) {
                continue;
            }
            able += 1;
            if silence.misses > 0 {
                silent.insert(line);
                evidence.join(silence);
            }
        }
        let sites: BTreeSet<usize> = silent.iter().map(|line| graph.lines[*line].site).collect();
        let enough = sites.len() >= 2 && silent.len() * 10 >= able * HIT_TENTHS;
        enough.then_some(SilentLines { lines: silent, evidence })
    }

    fn own_silence(&self, wide: &Wide, since: i64) -> Vec<Silence> {
        let own = wide.own.iter().map(|number| self.streams[*number].silence_after(since));
        own.filter(|silence| silence.misses > 0).collect()
    }

    /// Enters a fault; narrower ones that began with it become part of it. A wide root that is not over yet
    /// falls again, and is no second fault.
    pub(super) fn enter_over(&mut self, graph: &Graph, mut fault: Fault) -> Vec<Change> {
        let same = self.faults.iter().find(|(_, live)| fault.shared && live.at == fault.at);
        if let Some(id) = same.map(|(id, _)| *id) {
            return vec![self.revive(graph, id, fault)];
        }
        let within = |other: &Fault| {
            !other.is_agent
                && (other.began - fault.began).abs() <= SAME_CAUSE + CLEAR
                && other
                    .lines
                    .iter()
                    .all(|line| beneath(graph, &fault.at, *line) || fault.lines.contains(line))
        };
        let children: Vec<FaultId> =
            self.faults.iter().filter(|(_, other)| within(other)).map(|(id, _)| *id).collect();
        for child in &children {
            if let Some(child) = self.faults.remove(child) {
                fault.lines.extend(child.lines);
                fault.began = fault.began.min(child.began);
                fault.fell = fault.fell.min(child.fell);
            }
        }
        if let At::Node(node) = &fault.at
            && let Some(wide) = graph.wide.iter().find(|wide| graph.nodes[wide.node] == *node)
        {
            fault.lines.extend(self.presumed(&wide.lines, fault.began));
        }
        let by = self.enter(graph, fault);
        let adopted = children.into_iter().map(|child| Change::Adopted { child, by });
        std::iter::once(Change::Found(by)).chain(adopted).collect()
    }

    /// Lines that lived until then and stand beneath a silent root: silent with it until they answer.
    fn presumed(&self, lines: &[usize], began: i64) -> Vec<usize> {
        let explained = self.explained();
        let lived = |line: &usize| match self.lines[*line] {
            Shows::Alive => true,
            Shows::Off(off) => off >= began - SAME_CAUSE,
            Shows::Silent(_) | Shows::Unknown => false,
        };
        lines.iter().copied().filter(|line| lived(line) && !explained.contains(line)).collect()
    }

    /// Agents that are silent while their gateway answers, and the core agent, which nothing else speaks for.
    fn dead_agents(&mut self, graph: &Graph) -> Vec<Change> {
        let mut changes = Vec::new();
        for (number, site) in graph.sites.iter().enumerate() {
            let at = At::Node(Node::Agent(site.id.clone()));
            let known = self.faults.values().any(|fault| fault.at == at);
            let since = self.ok[site.agent];
            let mut silence = Silence::default();
            site.agent_streams.iter().for_each(|n| silence.join(self.streams[*n].silence_after(since)));
            let Some(began) = silence.began.filter(|began| !known && self.now - began >= AGENT_DEAD) else {
                continue;
            };
            let Some(began) = self.agent_missed(graph, number, began) else { continue };
            let gateway_lives = self.gateway_lives(graph, site, began);
            let alone = site.core || site.lines.is_empty();
            if silence.weight >= LAMBDA && (gateway_lives || alone) {
                let witness = if gateway_lives { Witness::Conclusive } else { Witness::Open };
                let mut fault = self.fault(at, began, BTreeSet::new(), false, witness);
                fault.is_agent = true;
                changes.push(Change::Found(self.enter(graph, fault)));
            }
        }
        changes
    }

    /// Whether the core agent's questions to a site were answered steadily, and until lately, while its agent was
    /// silent: its last answers may just not have come yet.
    fn gateway_lives(&self, graph: &Graph, site: &SiteRoute, began: i64) -> bool {
        let streams = site.lines.iter().flat_map(|line| &graph.lines[*line].streams);
        let asked = streams.filter(|number| matches!(graph.routes[**number].id, StreamId::Asked(_)));
        asked.map(|number| &self.streams[*number]).any(|stream| {
            let (replies, from) = stream.streak();
            let steady = replies > 0 && self.now - from >= AGENT_DEAD;
            steady && stream.replied >= Some(began + AGENT_DEAD - CLEAR)
        })
    }

    pub(super) fn fault(
        &self,
        at: At,
        began: i64,
        lines: BTreeSet<usize>,
        shared: bool,
        witness: Witness,
    ) -> Fault {
        Fault {
            at,
            began,
            fell: began,
            judged: self.now,
            lines,
            shared,
            is_agent: false,
            witness,
            doubtful: false,
            cleared: None,
            returned: None,
            longest: 0,
            flaps: None,
        }
    }
}

/// Lines silent beneath a node, with their evidence.
struct SilentLines {
    lines: BTreeSet<usize>,
    evidence: Silence,
}

/// The centre itself is blind when lines of two carriers fell silent and no port of ours answers either.
fn two_carriers(graph: &Graph, silent: &BTreeSet<usize>) -> bool {
    silent.iter().map(|line| graph.lines[*line].carrier).collect::<BTreeSet<_>>().len() >= 2
}

/// Whether a line stands beneath what a fault is at.
pub(super) fn beneath(graph: &Graph, at: &At, line: usize) -> bool {
    let At::Node(node) = at else { return false };
    graph.index.get(node).is_some_and(|node| graph.lines[line].above.contains(node))
}
