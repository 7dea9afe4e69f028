//! Which stream crosses what: the record, indexed once for the detector.
//!
//! ```text
//! core ─ hand-off ─ carrier ─ POP? ─ line ─ site ─ agent
//!          ▲our port  ▲its port, its core
//! ```

use crate::topology::{EVERY_MS, Hours, Id, Needs, OffOutsideHours, SiteKind, Topology};
use haidang_probe::check::CheckId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A stream's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StreamId {
    /// The agent sends; known by what arrives.
    Up(u16),
    /// We send, the agent answers. Numbered by the up session's id.
    Down(u16),
    /// The core agent asks.
    Asked(CheckId),
}

/// A part of the network that can be the root of a silence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Node {
    Core,
    HandOff(Id),
    Carrier(Id),
    Pop(Id),
    Line(Id),
    Site(Id),
    Agent(Id),
}

/// Where a stream runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The stream.
    pub id: StreamId,
    /// The line it is meant to ride on, by index.
    pub line: Option<usize>,
    /// The site it ends at, by index.
    pub site: Option<usize>,
    /// Nodes crossed when it rides where it should, core first.
    pub nodes: Vec<usize>,
    /// Nodes it speaks of while its uplink is unproved.
    pub unproved: Vec<usize>,
    /// Interval of its packets or questions, ms.
    pub every: i64,
}

/// A line, indexed.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct LineRoute {
    pub id: Id,
    pub site: usize,
    pub node: usize,
    /// Its ancestors, nearest first: POP?, carrier, hand-off, core.
    pub above: Vec<usize>,
    pub carrier: usize,
    pub pop: Option<usize>,
    /// Up session id of its uplink.
    pub ssid: Option<u16>,
    /// Paid by volume: it speaks once a minute, and is asked when its site is in doubt.
    pub metered: bool,
    /// Streams that ride on it.
    pub streams: Vec<usize>,
}

/// A site, indexed.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct SiteRoute {
    pub id: Id,
    pub node: usize,
    pub agent: usize,
    pub lines: Vec<usize>,
    pub all_of: bool,
    pub core: bool,
    pub gate_ms: i64,
    pub rehearsal: bool,
    pub hours: Option<Hours>,
    pub off: OffOutsideHours,
    /// Its agent's own streams, over whichever line.
    pub agent_streams: Vec<usize>,
}

/// The record, indexed. A function of the record alone, so indices mean the same after a restart.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Graph {
    pub nodes: Vec<Node>,
    pub index: BTreeMap<Node, usize>,
    pub routes: Vec<Route>,
    pub streams: BTreeMap<StreamId, usize>,
    pub lines: Vec<LineRoute>,
    pub sites: Vec<SiteRoute>,
    /// Hand-offs, carriers and POPs with the lines beneath each, in order of depth.
    pub wide: Vec<Wide>,
    /// Power lines with the sites they feed.
    pub feeders: Vec<Feeder>,
}

/// A power line and the sites it feeds, by index.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Feeder {
    pub id: Id,
    pub sites: BTreeSet<usize>,
}

/// A node with lines beneath it.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Wide {
    pub node: usize,
    pub above: Vec<usize>,
    pub lines: Vec<usize>,
    /// Streams that end at the node itself: ports and cores.
    pub own: Vec<usize>,
}

/// Index of the core node.
pub const CORE: usize = 0;

impl Graph {
    /// Indexes a record.
    pub fn of(topology: &Topology) -> Graph {
        let mut graph = Graph::default();
        graph.add_nodes(topology);
        graph.add_sites(topology);
        graph.add_lines(topology);
        graph.add_ports(topology);
        graph.routes.sort_by_key(|route| route.id);
        graph.index_streams();
        graph.index_wide();
        graph.add_feeders(topology);
        graph
    }

    /// The site with this id, by index.
    pub fn site(&self, id: &str) -> Option<usize> {
        self.sites.iter().position(|site| site.id == id)
    }

    /// The line with this id, by index.
    pub fn line(&self, id: &str) -> Option<usize> {
        self.lines.iter().position(|line| line.id == id)
    }

    fn add_nodes(&mut self, topology: &Topology) {
        let nodes = std::iter::once(Node::Core)
            .chain(topology.hand_offs.keys().cloned().map(Node::HandOff))
            .chain(topology.carriers.keys().cloned().map(Node::Carrier))
            .chain(topology.pops.keys().cloned().map(Node::Pop))
            .chain(topology.lines.keys().cloned().map(Node::Line))
            .chain(topology.sites.keys().flat_map(|id| [Node::Site(id.clone()), Node::Agent(id.clone())]));
        self.nodes = nodes.collect();
        self.index = self.nodes.iter().cloned().enumerate().map(|(i, node)| (node, i)).collect();
    }

    fn add_sites(&mut self, topology: &Topology) {
        for (id, site) in &topology.sites {
            let (node, agent) = (self.at(&Node::Site(id.clone())), self.at(&Node::Agent(id.clone())));
            self.sites.push(SiteRoute {
                id: id.clone(),
                node,
                agent,
                lines: Vec::new(),
                all_of: matches!(site.needs, Needs::AllOf(_)),
                core: site.kind == SiteKind::Core,
                gate_ms: i64::from(site.gate_s) * 1000,
                rehearsal: site.rehearsal,
                hours: site.hours.clone(),
                off: site.off_outside_hours,
                agent_streams: Vec::new(),
            });
            if let Some(ssid) = site.ssid {
                for stream in [StreamId::Up(ssid), StreamId::Down(ssid)] {
                    let nodes = vec![node, agent];
                    let site = Some(self.sites.len() - 1);
                    let unproved = nodes.clone();
                    self.routes.push(Route {
                        id: stream,
                        line: None,
                        site,
                        nodes,
                        unproved,
                        every: EVERY_MS,
                    });
                }
            }
        }
    }

    fn add_lines(&mut self, topology: &Topology) {
        for (id, line) in &topology.lines {
            let Some(site) = self.site(&line.site) else { continue };
            let node = self.at(&Node::Line(id.clone()));
            let carrier = self.at(&Node::Carrier(line.carrier.clone()));
            let pop = line.pop.clone().map(|pop| self.at(&Node::Pop(pop)));
            let above: Vec<usize> = pop
                .into_iter()
                .chain([carrier, self.at(&Node::HandOff(line.hand_off.clone())), CORE])
                .collect();
            let (at, agent) = (self.sites[site].node, self.sites[site].agent);
            let path: Vec<usize> = above.iter().rev().copied().chain([node, at]).collect();
            let number = Some(self.lines.len());
            if let Some(ssid) = line.ssid {
                for stream in [StreamId::Up(ssid), StreamId::Down(ssid)] {
                    let nodes = path.iter().copied().chain([agent]).collect();
                    let (unproved, every) = (vec![at, agent], line.every_ms());
                    let site = Some(site);
                    self.routes.push(Route { id: stream, line: number, site, nodes, unproved, every });
                }
            }
            if let Some(ask) = &line.gateway {
                let id = StreamId::Asked(ask.id());
                self.routes.push(Route {
                    id,
                    line: number,
                    site: Some(site),
                    unproved: path.clone(),
                    nodes: path,
                    every: ask.every_ms(),
                });
            }
            self.sites[site].lines.push(self.lines.len());
            let (id, ssid, streams) = (id.clone(), line.ssid, Vec::new());
            let metered = line.metered;
            self.lines.push(LineRoute { id, site, node, above, carrier, pop, ssid, metered, streams });
        }
    }

    fn add_ports(&mut self, topology: &Topology) {
        let mut asked = Vec::new();
        for (id, port) in &topology.hand_offs {
            let ours = self.at(&Node::HandOff(id.clone()));
            let carrier = self.at(&Node::Carrier(port.carrier.clone()));
            asked.extend(port.our_port.iter().map(|ask| (ask, vec![CORE, ours])));
            asked.extend(port.carrier_port.iter().map(|ask| (ask, vec![CORE, ours, carrier])));
        }
        for (id, carrier) in &topology.carriers {
            let node = self.at(&Node::Carrier(id.clone()));
            let ports = topology.hand_offs.iter().filter(|(_, port)| port.carrier == *id);
            // With several hand-offs the way to the carrier's core is not known: it speaks for the carrier alone.
            let ways: Vec<usize> = ports.map(|(port, _)| self.at(&Node::HandOff(port.clone()))).collect();
            let above = if ways.len() == 1 { ways } else { Vec::new() };
            let nodes: Vec<usize> = [CORE].into_iter().chain(above).chain([node]).collect();
            asked.extend(carrier.core.iter().map(|ask| (ask, nodes.clone())));
        }
        for (ask, nodes) in asked {
            let (id, every) = (StreamId::Asked(ask.id()), ask.every_ms());
            self.routes.push(Route { id, line: None, site: None, unproved: nodes.clone(), nodes, every });
        }
    }

    fn add_feeders(&mut self, topology: &Topology) {
        for id in topology.feeders.keys() {
            let fed = |site: &usize| {
                let record = topology.sites.get(&self.sites[*site].id);
                record.is_some_and(|site| site.feeder.as_ref() == Some(id))
            };
            let sites = (0..self.sites.len()).filter(fed).collect();
            self.feeders.push(Feeder { id: id.clone(), sites });
        }
    }

    fn index_streams(&mut self) {
        for (number, route) in self.routes.iter().enumerate() {
            self.streams.insert(route.id, number);
            if let Some(line) = route.line {
                self.lines[line].streams.push(number);
            }
            if let (Some(site), StreamId::Up(_) | StreamId::Down(_)) = (route.site, route.id) {
                self.sites[site].agent_streams.push(number);
            }
        }
    }

    fn index_wide(&mut self) {
        for (node, name) in self.nodes.iter().enumerate() {
            if !matches!(name, Node::Core | Node::HandOff(_) | Node::Carrier(_) | Node::Pop(_)) {
                continue;
            }
            let lines: Vec<usize> =
                (0..self.lines.len()).filter(|line| self.lines[*line].above.contains(&node)).collect();
            let above = lines.first().map_or_else(Vec::new, |line| {
                self.lines[*line].above.iter().copied().skip_while(|above| *above != node).skip(1).collect()
            });
            let own = (0..self.routes.len())
                .filter(|n| self.routes[*n].line.is_none() && self.routes[*n].nodes.last() == Some(&node))
                .collect();
            self.wide.push(Wide { node, above, lines, own });
        }
    }

    fn at(&self, node: &Node) -> usize {
        self.index.get(node).copied().unwrap_or(CORE)
    }
}
