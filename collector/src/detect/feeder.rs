//! Sites that one power line feeds and that go dark together, whichever carrier they hang on (field.md 10).
//!
//! A cut of power silences lines of several carriers at once, which no carrier can do; the record of feeders says
//! which sites share one. Sites with batteries follow later, so the window is wide. Offices that did not come back in
//! the morning went dark each by itself.

use super::{
    BACK_BY, Detector, Shows,
    fault::{At, Change, Fault, FaultId, Witness},
    graph::{Feeder, Graph, Node},
};
use std::collections::BTreeSet;

/// Sites of one feeder that fall silent within this of each other may share its fault, ms.
const WINDOW: i64 = 60_000;
/// Sites, and carriers, that it takes.
const SITES: usize = 2;
const CARRIERS: usize = 2;
/// Share of the feeder's sites able to tell that must be dark, in tenths.
const HIT_TENTHS: usize = 6;

impl Detector {
    /// Faults of single sites that one feeder explains become one.
    pub(super) fn feeders(&mut self, graph: &Graph) -> Vec<Change> {
        graph.feeders.iter().flat_map(|feeder| self.feeder(graph, feeder)).collect()
    }

    fn feeder(&mut self, graph: &Graph, feeder: &Feeder) -> Vec<Change> {
        let at = At::Feeder(feeder.id.clone());
        let known =
            self.faults.iter().find(|(_, fault)| fault.at == at).map(|(id, fault)| (*id, fault.clone()));
        let fits = |fault: &Fault| {
            let own = fault.lines.iter().all(|line| feeder.sites.contains(&graph.lines[*line].site));
            let open = fault.witness == Witness::Open && fault.cleared.is_none() && !fault.is_agent;
            let dark = matches!(&fault.at, At::Node(Node::Site(_)) | At::Group { .. });
            let near = known.as_ref().is_none_or(|(_, known)| {
                known.cleared.is_none() && (fault.began - known.began).abs() <= WINDOW
            });
            let missed = fault.judged - fault.began >= BACK_BY;
            own && open && dark && near && !missed
        };
        let mut members: Vec<(FaultId, i64)> = self
            .faults
            .iter()
            .filter(|(_, fault)| fits(fault))
            .map(|(id, fault)| (*id, fault.began))
            .collect();
        let latest = members.iter().map(|(_, began)| *began).max().unwrap_or(0);
        members.retain(|(_, began)| latest - began <= WINDOW);
        if members.is_empty() || known.is_none() && !self.is_dark(graph, feeder, &members) {
            return Vec::new();
        }
        let mut fault = match &known {
            Some((_, fault)) => fault.clone(),
            None => self.fault(at, latest, BTreeSet::new(), true, Witness::Open),
        };
        for child in members.iter().filter_map(|(id, _)| self.faults.remove(id)) {
            fault.lines.extend(child.lines);
            fault.began = fault.began.min(child.began);
            fault.fell = fault.fell.min(child.fell);
        }
        let adopted =
            |by: FaultId| members.iter().map(move |(child, _)| Change::Adopted { child: *child, by });
        if let Some((id, _)) = known {
            self.faults.insert(id, fault);
            return adopted(id).chain([Change::Revised(id)]).collect();
        }
        let id = self.enter(graph, fault);
        std::iter::once(Change::Found(id)).chain(adopted(id)).collect()
    }

    /// Enough of the feeder's sites are dark, on more than one carrier.
    fn is_dark(&self, graph: &Graph, feeder: &Feeder, members: &[(FaultId, i64)]) -> bool {
        let lines: BTreeSet<usize> =
            members.iter().flat_map(|(id, _)| self.faults[id].lines.iter().copied()).collect();
        let sites: BTreeSet<usize> = lines.iter().map(|line| graph.lines[*line].site).collect();
        let carriers: BTreeSet<usize> = lines.iter().map(|line| graph.lines[*line].carrier).collect();
        let known = |line: &usize| matches!(self.lines[*line], Shows::Alive | Shows::Silent(_));
        let tells = |site: &&usize| graph.sites[**site].lines.iter().any(known);
        let able = feeder.sites.iter().filter(tells).count();
        sites.len() >= SITES && carriers.len() >= CARRIERS && sites.len() * 10 >= able * HIT_TENTHS
    }
}
