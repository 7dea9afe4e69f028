//! What becomes of live faults: members return, strays leave, and in the end it is over.

use super::{
    CLEAR, Detector, HOLD_DOWN, OVER, RETURN_OVER, RETURN_REPLIES, RETURN_REPLIES_METERED, Shows,
    fault::{At, Change, Fault, FaultId, Witness},
    flap::quiet,
    graph::{Graph, Node, StreamId},
    stale,
};
use std::collections::BTreeSet;

impl Detector {
    /// Brings every live fault up to now.
    pub(super) fn settle(&mut self, graph: &Graph) -> Vec<Change> {
        self.fade(graph);
        self.falls.forget(graph, self.now);
        let returning: Vec<usize> =
            (0..graph.lines.len()).filter(|line| self.returns(graph, *line)).collect();
        for line in returning {
            self.lines[line] = Shows::Alive;
        }
        let mut changes = Vec::new();
        for id in self.faults.keys().copied().collect::<Vec<_>>() {
            let Some(mut fault) = self.faults.remove(&id) else { continue };
            let before = fault.clone();
            if self.settle_one(graph, &mut fault) {
                changes.push(Change::Relapsed(id));
            }
            let over = OVER.max(fault.flaps.map_or(0, quiet));
            if fault.returned.is_some_and(|at| self.now - at >= over)
                || (fault.lines.is_empty() && !fault.is_agent)
            {
                changes.push(Change::Over(id));
                continue;
            }
            if fault != before {
                changes.push(Change::Revised(id));
            }
            self.faults.insert(id, fault);
        }
        changes
    }

    /// A line of which nothing able to tell was heard for long is unknown, unless a fault explains it.
    fn fade(&mut self, graph: &Graph) {
        let now = self.now;
        for (number, line) in graph.lines.iter().enumerate() {
            let (Shows::Alive | Shows::Off(_)) = self.lines[number] else { continue };
            // What was off before we were away is off still, until its silence has had time to be told of anew.
            let since = if self.lines[number] == Shows::Alive { i64::MIN } else { self.resumed };
            let tells = |n: &usize| {
                let told = self.streams[*n].told.map_or(since, |told| told.max(since));
                now.saturating_sub(told) <= stale(&graph.routes[*n])
            };
            if !line.streams.iter().any(tells) {
                self.lines[number] = Shows::Unknown;
            }
        }
    }

    /// Whether a silent line lives again: enough replies in a row, over long enough.
    fn returns(&self, graph: &Graph, line: usize) -> bool {
        let (Shows::Silent(_) | Shows::Off(_)) = self.lines[line] else { return false };
        let (mut replies, mut from) = (0, i64::MAX);
        for number in self.telling(graph, line) {
            let one_way = matches!(graph.routes[number].id, StreamId::Up(_));
            if one_way && self.answers_both_ways(graph, number) {
                continue;
            }
            let (streak, since) = self.streams[number].streak();
            if streak > 0 {
                replies += streak;
                from = from.min(since);
            }
        }
        let lived = self.ok[graph.lines[line].node].saturating_sub(from);
        let needed = if graph.lines[line].metered { RETURN_REPLIES_METERED } else { RETURN_REPLIES };
        replies >= needed && lived >= RETURN_OVER
    }

    /// Brings one fault up to now; `true` if it fell silent again.
    fn settle_one(&mut self, graph: &Graph, fault: &mut Fault) -> bool {
        if fault.is_agent {
            // An agent that left the record has nothing to answer for.
            let lives = agent_of(graph, fault).is_none_or(|site| {
                graph.sites[site].agent_streams.is_empty() || self.agent_heard(graph, site) == Some(true)
            });
            fault.returned = if lives { fault.returned.or(Some(self.now)) } else { None };
            return false;
        }
        let again = self.relapse(graph, fault);
        self.recognise(graph, fault);
        self.correct(graph, fault);
        if !fault.shared {
            fault.flaps = fault
                .lines
                .iter()
                .filter_map(|line| self.falls.period(*line, self.now))
                .max()
                .or(fault.flaps);
        }
        let silent = fault.cleared.is_none();
        fault.cleared = self.cleared(graph, fault);
        if let Some(cleared) = fault.cleared.filter(|_| silent) {
            fault.longest = fault.longest.max(cleared - fault.fell);
        }
        self.drop_strays(graph, fault);
        let all = fault.lines.iter().all(|line| self.lines[*line] == Shows::Alive);
        fault.returned = if all { fault.returned.or(Some(self.now)) } else { None };
        again
    }

    /// Members that came back and fell silent again are silent in the same fault. Once none of them lives, what
    /// cleared the fault was not its end: it may open, and a stray answer does not keep it from that. A node
    /// of the record falls again as it fell: by [`Detector::revive`]. `true` if members had come back.
    fn relapse(&mut self, graph: &Graph, fault: &mut Fault) -> bool {
        let mut fell: Option<i64> = None;
        for line in &fault.lines {
            if self.lines[*line] == Shows::Alive
                && let Some(began) = self.ready(graph, *line)
                && !self.excused(graph, *line, began)
            {
                self.lines[*line] = Shows::Silent(began);
                self.falls.fell(*line, began);
                fell = Some(fell.map_or(began, |fell| fell.min(began)));
            }
        }
        let by_itself = !fault.shared || matches!(fault.at, At::Group { .. } | At::Feeder(_));
        let lives = fault.lines.iter().any(|line| self.lines[*line] == Shows::Alive);
        if !by_itself || fault.cleared.is_none() || lives {
            return false;
        }
        if !fault.lines.iter().any(|line| self.ready(graph, *line).is_some()) {
            return false;
        }
        (fault.judged, fault.cleared) = (self.now, None);
        fault.fell = fell.unwrap_or(fault.fell);
        fell.is_some()
    }

    /// A wide root that answered, and was not over yet, is silent again with all its members.
    pub(super) fn revive(&mut self, graph: &Graph, id: FaultId, again: Fault) -> Change {
        if let Some(mut fault) = self.faults.remove(&id) {
            fault.lines.extend(again.lines);
            (fault.fell, fault.judged, fault.witness) = (again.began, self.now, again.witness);
            (fault.cleared, fault.returned) = (None, None);
            self.silence_lines(graph, &fault.lines, fault.fell);
            self.faults.insert(id, fault);
        }
        Change::Relapsed(id)
    }

    /// A group that grew into most of a recorded POP's lines is that POP, with a doubtful record.
    fn recognise(&self, graph: &Graph, fault: &mut Fault) {
        let group = matches!(fault.at, At::Group { .. }) && fault.cleared.is_none();
        if let Some(pop) = self.doubtful_pop(graph, &fault.lines).filter(|_| group) {
            fault.at = At::Node(graph.nodes[pop].clone());
            fault.doubtful = true;
        }
    }

    /// A hand-off judged before its port told: a miss settles it, an answer since then lays it at the carrier.
    fn correct(&self, graph: &Graph, fault: &mut Fault) {
        let At::Node(Node::HandOff(_)) = &fault.at else { return };
        let Some(wide) = graph.wide.iter().find(|wide| At::Node(graph.nodes[wide.node].clone()) == fault.at)
        else {
            return;
        };
        let known = fault.cleared.is_some() || fault.witness == Witness::Conclusive;
        let Some(line) = fault.lines.first().filter(|_| !known) else { return };
        if wide.own.iter().any(|number| self.streams[*number].silence_after(fault.fell).misses > 0) {
            fault.witness = Witness::Conclusive;
        } else if self.own_reply(graph, fault).is_some_and(|ok| ok >= fault.fell + CLEAR) {
            fault.at = At::Node(graph.nodes[graph.lines[*line].carrier].clone());
            fault.witness = Witness::Conclusive;
        }
    }

    /// When the root answered again: a port or core of its own did, or a fifth of its lines and at least two.
    /// One line alone may just be recorded wrongly; of a site or line any answer is one.
    fn cleared(&self, graph: &Graph, fault: &Fault) -> Option<i64> {
        let lines = fault.lines.iter().map(|line| self.ok[graph.lines[*line].node]);
        let replies: Vec<i64> = lines.filter(|ok| *ok > fault.judged).collect();
        let share = replies.len() * 5 >= fault.lines.len() && replies.len() >= fault.lines.len().min(2);
        let enough = share || !fault.shared;
        let own = self.own_reply(graph, fault).filter(|ok| *ok > fault.judged);
        if own.is_none() && (replies.is_empty() || !enough) {
            return None;
        }
        fault.cleared.or_else(|| replies.into_iter().chain(own).min())
    }

    fn own_reply(&self, graph: &Graph, fault: &Fault) -> Option<i64> {
        let At::Node(node) = &fault.at else { return None };
        let wide = graph.wide.iter().find(|wide| graph.nodes[wide.node] == *node)?;
        wide.own.iter().filter_map(|number| self.streams[*number].replied).max()
    }

    /// Lines that never belonged, or have a fault of their own, leave; and those that may be off since the root
    /// answered.
    fn drop_strays(&mut self, graph: &Graph, fault: &mut Fault) {
        let (now, many) = (self.now, fault.lines.len() > 1);
        let held = fault.cleared.is_some_and(|cleared| now - cleared > HOLD_DOWN);
        let named = !matches!(fault.at, At::Group { .. });
        let cleared = fault.cleared.unwrap_or(now);
        let rests = |line: &usize| {
            fault.shared
                && held
                && self.ok[graph.lines[*line].node] < cleared
                && self.closed(graph, *line, cleared)
        };
        // It came back with the root, which answers others still: this silence is its own.
        let fell_alone = |line: usize, began: i64| {
            fault.shared && began > cleared && self.lives(&graph.lines[line].above, began)
        };
        let leaves = |line: &usize| match self.lines[*line] {
            // The root is silent still, and this line answers steadily: the root is not its.
            Shows::Alive => fault.shared && fault.cleared.is_none(),
            Shows::Silent(_) if rests(line) => true,
            Shows::Silent(began) if named && fell_alone(*line, began) => true,
            Shows::Silent(_) => held && many && named && now - self.ok[graph.lines[*line].node] > HOLD_DOWN,
            Shows::Unknown | Shows::Off(_) => false,
        };
        let left: Vec<(usize, bool)> =
            fault.lines.iter().filter(|line| leaves(line)).map(|line| (*line, rests(line))).collect();
        for (line, rests) in left {
            fault.lines.remove(&line);
            // Its misses since its last reply stand: it is judged anew, by itself.
            self.lines[line] = if rests { Shows::Off(cleared) } else { Shows::Alive };
        }
    }

    /// Enters a fault and marks its lines.
    pub(super) fn enter(&mut self, graph: &Graph, fault: Fault) -> FaultId {
        let id = FaultId(self.next_fault);
        self.next_fault += 1;
        if !fault.is_agent {
            self.silence_lines(graph, &fault.lines, fault.began);
        }
        if !fault.shared {
            fault.lines.iter().for_each(|line| self.falls.fell(*line, fault.began));
        }
        self.faults.insert(id, fault);
        id
    }

    /// Marks lines as silent. They belong to the fault that does so, and leave any other.
    fn silence_lines(&mut self, graph: &Graph, lines: &BTreeSet<usize>, began: i64) {
        self.faults.values_mut().for_each(|other| other.lines.retain(|line| !lines.contains(line)));
        for line in lines {
            self.lines[*line] = Shows::Silent(began);
            // Only answers from now on count as its return.
            graph.lines[*line].streams.iter().for_each(|number| self.streams[*number].interrupt());
        }
    }
}

/// Site whose agent the fault is about.
fn agent_of(graph: &Graph, fault: &Fault) -> Option<usize> {
    match &fault.at {
        At::Node(Node::Agent(site)) => graph.site(site),
        _ => None,
    }
}
