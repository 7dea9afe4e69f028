//! The evidence behind a fault, for people: what fell silent when, and what went on answering.

use super::{
    Detector,
    fault::{At, Fault},
    graph::{Graph, Node, StreamId},
};
use crate::topology::Id;
use serde::{Deserialize, Serialize};

/// Lines whose streams are listed one by one.
const LINES_LISTED: usize = 12;

/// A piece of evidence, for people: which stream, silent or answering, since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// UTC, ms.
    pub at: i64,
    /// `up`, `down`, `core-agent`.
    pub stream: String,
    /// The line it rides on.
    pub line: Option<Id>,
    /// `silence` or `answer`.
    pub kind: String,
    /// Of what: an id of the record, never an address.
    pub of: Id,
}

impl Detector {
    /// Silent streams of the fault's lines, then what above and beside them still answers.
    pub fn witnesses(&self, graph: &Graph, fault: &Fault) -> Vec<Witness> {
        let mut all = Vec::new();
        for line in fault.lines.iter().take(LINES_LISTED) {
            for number in &graph.lines[*line].streams {
                let silence = self.streams[*number].silence_after(self.ok[graph.lines[*line].node]);
                if let Some(at) = silence.began {
                    all.push(witness(graph, *number, at, "silence"));
                }
            }
        }
        if let At::Node(node) = &fault.at {
            all.extend(self.answering_near(graph, node, fault.began));
        }
        all.sort_by_key(|witness| witness.at);
        all
    }

    /// Streams that end at a port or core, and the other lines of a site, with their latest answers.
    fn answering_near(&self, graph: &Graph, node: &Node, began: i64) -> Vec<Witness> {
        let near = |number: &usize| {
            let route = &graph.routes[*number];
            let at_port = route.line.is_none() && route.site.is_none();
            let same_site = route.line.is_some_and(|line| {
                let line = &graph.lines[line];
                let site = &graph.sites[line.site].id;
                site_of(graph, node) == Some(site)
            });
            at_port && matches!(node, Node::HandOff(_) | Node::Carrier(_)) || same_site
        };
        let numbers = (0..graph.routes.len()).filter(near);
        let answered =
            |number: usize| self.streams[number].replied.filter(|at| *at > began).map(|at| (number, at));
        numbers.filter_map(answered).map(|(number, at)| witness(graph, number, at, "answer")).collect()
    }
}

fn witness(graph: &Graph, number: usize, at: i64, kind: &str) -> Witness {
    let route = &graph.routes[number];
    let stream = match route.id {
        StreamId::Up(_) => "up",
        StreamId::Down(_) => "down",
        StreamId::Asked(_) => "core-agent",
    };
    let line = route.line.map(|line| graph.lines[line].id.clone());
    let last = route.nodes.last().map(|node| name(&graph.nodes[*node]));
    Witness {
        at,
        stream: stream.to_owned(),
        of: line.clone().or(last).unwrap_or_default(),
        line,
        kind: kind.to_owned(),
    }
}

fn site_of<'a>(graph: &'a Graph, node: &'a Node) -> Option<&'a String> {
    match node {
        Node::Site(id) | Node::Agent(id) => Some(id),
        Node::Line(id) => graph.line(id).map(|line| &graph.sites[graph.lines[line].site].id),
        _ => None,
    }
}

fn name(node: &Node) -> String {
    match node {
        Node::Core => "core".to_owned(),
        Node::HandOff(id) => format!("hand-off/{id}"),
        Node::Carrier(id) => format!("carrier/{id}"),
        Node::Pop(id) => format!("pop/{id}"),
        Node::Line(id) | Node::Site(id) | Node::Agent(id) => id.clone(),
    }
}
