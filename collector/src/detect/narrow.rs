//! Lines that no node of the record explains: late members of a live fault, groups, sites and single lines.
//!
//! Lines of one carrier that fall silent together are a group, though no record ties them; a group that holds
//! most of a POP's lines is that POP. A site and its only line are never told apart without a witness.

use super::{
    COALESCE, Detector, S_CAP, SAME_CAUSE, SAME_SITE, Shows,
    fault::{At, Change, Fault, FaultId, Witness},
    graph::{Graph, Node},
    root::{Ready, beneath},
};
use std::collections::BTreeSet;

/// Share and number of a POP's lines that make it the root although some of them answer.
const DOUBTFUL_TENTHS: usize = 8;
const DOUBTFUL_LINES: usize = 5;
/// Sites that make a group.
const GROUP_SITES: usize = 3;
/// A sibling in doubt for this long may be about to fall silent too, ms.
pub(super) const BREWING: i64 = 500;
/// How long after a wide fault was judged its stragglers still join it, ms.
const JOIN: i64 = 10_000;

impl Detector {
    /// Judges the ready lines of one carrier that no node explains.
    pub(super) fn judge_lines(
        &mut self,
        graph: &Graph,
        carrier: usize,
        ready: Vec<Ready>,
        open: &[usize],
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut left = Vec::new();
        for one in ready {
            match self.straggler_of(graph, carrier, one) {
                Some(id) => {
                    self.join(id, one);
                    changes.push(Change::Revised(id));
                }
                None => left.push(one),
            }
        }
        left.sort_by_key(|one| (one.began, one.line));
        while let Some(first) = left.first().copied() {
            let (together, rest) = left.into_iter().partition(|one| one.began - first.began <= SAME_CAUSE);
            left = rest;
            changes.extend(self.judge_together(graph, carrier, together, open));
        }
        changes
    }

    /// The live wide fault or group that a late line belongs to.
    fn straggler_of(&self, graph: &Graph, carrier: usize, one: Ready) -> Option<FaultId> {
        let joins = |fault: &Fault| {
            let same_carrier = fault.lines.iter().any(|line| graph.lines[*line].carrier == carrier);
            let new = self.now - fault.judged <= JOIN && (fault.began - one.began).abs() <= SAME_CAUSE;
            let under = beneath(graph, &fault.at, one.line);
            // The record says that it ends at another POP.
            let elsewhere =
                matches!(fault.at, At::Node(Node::Pop(_))) && graph.lines[one.line].pop.is_some() && !under;
            let of_carrier = !matches!(fault.at, At::Feeder(_));
            let open = of_carrier && fault.shared && fault.cleared.is_none() && same_carrier;
            open && !elsewhere && (new || under)
        };
        self.faults.iter().find(|(_, fault)| joins(fault)).map(|(id, _)| *id)
    }

    pub(super) fn join(&mut self, id: FaultId, one: Ready) {
        if let Some(fault) = self.faults.get_mut(&id) {
            fault.lines.insert(one.line);
            self.lines[one.line] = Shows::Silent(one.began);
        }
    }

    fn judge_together(
        &mut self,
        graph: &Graph,
        carrier: usize,
        ready: Vec<Ready>,
        open: &[usize],
    ) -> Vec<Change> {
        let Some(first) = ready.first().copied() else { return Vec::new() };
        let narrow = self.narrow_faults(graph, carrier, first.began);
        let mut lines: BTreeSet<usize> = ready.iter().map(|one| one.line).collect();
        lines.extend(narrow.iter().flat_map(|id| self.faults[id].lines.iter().copied()));
        if sites(graph, &lines) >= GROUP_SITES {
            return self.enter_over(graph, self.group(graph, carrier, first, lines));
        }
        let brewing = open.iter().filter(|line| {
            let silence = self.silence(graph, **line, self.ok[graph.lines[**line].node]);
            let near = silence.began.is_some_and(|began| {
                (began - first.began).abs() <= SAME_CAUSE && self.now - began >= BREWING
            });
            graph.lines[**line].carrier == carrier && near
        });
        let perhaps: BTreeSet<usize> = lines.iter().copied().chain(brewing.copied()).collect();
        if sites(graph, &perhaps) >= GROUP_SITES && self.now - first.began < S_CAP + COALESCE {
            return Vec::new();
        }
        ready.into_iter().flat_map(|one| self.judge_site(graph, one)).collect()
    }

    /// Faults of single lines and sites of this carrier that began at that time and are new.
    fn narrow_faults(&self, graph: &Graph, carrier: usize, began: i64) -> Vec<FaultId> {
        let near = |fault: &Fault| {
            !fault.shared
                && !fault.is_agent
                && (fault.began - began).abs() <= SAME_CAUSE
                && self.now - fault.judged <= JOIN
                && fault.lines.iter().all(|line| graph.lines[*line].carrier == carrier)
        };
        self.faults.iter().filter(|(_, fault)| near(fault)).map(|(id, _)| *id).collect()
    }

    /// A group, or the POP that most of its lines are recorded at.
    fn group(&self, graph: &Graph, carrier: usize, first: Ready, lines: BTreeSet<usize>) -> Fault {
        if let Some(pop) = self.doubtful_pop(graph, &lines) {
            let at = At::Node(graph.nodes[pop].clone());
            let mut fault = self.fault(at, first.began, lines, true, Witness::Open);
            fault.doubtful = true;
            return fault;
        }
        let carrier = match &graph.nodes[carrier] {
            Node::Carrier(id) => id.clone(),
            _ => String::new(),
        };
        let at = At::Group { carrier, first: graph.lines[first.line].id.clone() };
        self.fault(at, first.began, lines, true, Witness::Open)
    }

    /// The POP at which so many of these lines are recorded that the record, not the POP, is in doubt.
    pub(super) fn doubtful_pop(&self, graph: &Graph, lines: &BTreeSet<usize>) -> Option<usize> {
        let pops: BTreeSet<usize> = lines.iter().filter_map(|line| graph.lines[*line].pop).collect();
        pops.into_iter().find(|pop| {
            let wide = graph.wide.iter().find(|wide| wide.node == *pop);
            let able = wide.map_or(0, |wide| {
                wide.lines
                    .iter()
                    .filter(|line| !matches!(self.lines[**line], Shows::Unknown | Shows::Off(_)))
                    .count()
            });
            let silent = lines.iter().filter(|line| graph.lines[**line].pop == Some(*pop)).count();
            silent >= DOUBTFUL_LINES && silent * 10 >= able * DOUBTFUL_TENTHS
        })
    }

    /// A line by itself: its site, unless another line of the site lives and is the witness.
    pub(super) fn judge_site(&mut self, graph: &Graph, one: Ready) -> Vec<Change> {
        let site = &graph.sites[graph.lines[one.line].site];
        let others = site.lines.iter().copied().filter(|line| *line != one.line);
        let (mut dead, mut lives) = (BTreeSet::from([one.line]), false);
        for other in others {
            let doubted = self.lines[other] == Shows::Alive && self.doubted(graph, other);
            if self.ok[graph.lines[other].node] >= one.began + BREWING && !doubted {
                lives = true;
            } else if let Shows::Silent(began) = self.lines[other] {
                if (began - one.began).abs() <= SAME_SITE {
                    dead.insert(other);
                }
            } else if self.ready(graph, other).is_some() {
                dead.insert(other);
            } else if self.lines[other] == Shows::Alive && !self.waited(one.began) {
                return Vec::new();
            }
        }
        let already = dead.iter().any(|line| *line == one.line && self.explained().contains(line));
        if already {
            return Vec::new();
        }
        let (node, witness, dead) = if lives {
            (Node::Line(graph.lines[one.line].id.clone()), Witness::Conclusive, BTreeSet::from([one.line]))
        } else {
            (Node::Site(site.id.clone()), Witness::Open, dead)
        };
        let fault = self.fault(At::Node(node), one.began, dead, false, witness);
        self.enter_over(graph, fault)
    }
}

fn sites(graph: &Graph, lines: &BTreeSet<usize>) -> usize {
    lines.iter().map(|line| graph.lines[*line].site).collect::<BTreeSet<_>>().len()
}
