//! The law of detection: who is silent, since when, and what one thing explains it.
//!
//! Pure: a function of evidence and the fold's time. Each tick goes through the same steps:
//!
//! ```text
//! evidence ─▶ streams ─▶ lines: silent? ─▶ roots: widest thing not proved alive ─▶ faults
//!               │ misses weigh                 ▲ a reply sent later exonerates        │
//!               └ replies exonerate ───────────┘                     members return ◀─┘
//! ```
//!
//! Figures are from the simulator study in the design notes; they are named here and nowhere else.

pub mod graph;
pub mod stream;
pub mod fault;
mod feeder;
pub mod flap;
pub mod root;
pub mod narrow;
mod moved;
mod rewind;
pub mod settle;
pub mod rest;
pub mod witness;

use crate::entry::Tick;
use fault::{Change, Fault, FaultId};
use flap::Falls;
use graph::{Graph, StreamId};
use rest::Habit;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use stream::{Silence, Stream};

/// Sum of weights, nats, that makes a silence a verdict: one false alarm per province-month at most.
pub const LAMBDA: f64 = 21.0;
/// Shortest silence judged, ms; a node with three silent lines needs less.
pub const S_MIN: i64 = 1_500;
/// As [`S_MIN`], for a node with at least three silent lines.
pub const S_MIN_WIDE: i64 = 1_000;
/// Longest silence left unjudged on a line whose loss makes each miss weigh little, with [`CAP_MISSES`].
pub const S_CAP: i64 = 2_100;
/// Misses, from two streams, that [`S_CAP`] needs.
pub const CAP_MISSES: usize = 20;
/// How long a verdict waits for siblings that are in doubt too.
pub const COALESCE: i64 = 300;
/// What lies above is exonerated by a reply sent this long after the silence began: longer than any stray
/// miss stands alone.
pub const CLEAR: i64 = 1_000;
/// Longest wait for what lies above to show that it lives.
pub const WAIT: i64 = 3_000;
/// Lines that fall silent within this of each other may share a root.
pub const SAME_CAUSE: i64 = 2_000;
/// As [`WAIT`], while the core agent's batches are late: what it saw since the silence began is on its way.
pub const WAIT_LATE: i64 = 10_000;
/// A site's lines that fall silent within this of each other failed together.
pub const SAME_SITE: i64 = 5_000;
/// Silence of an agent whose gateway answers, before it is called dead.
pub const AGENT_DEAD: i64 = 5_000;
/// A stream tells nothing once nothing came for this long, or for [`STALE_EVERY`] of its intervals.
pub const STALE: i64 = 15_000;
/// See [`STALE`].
pub const STALE_EVERY: i64 = 3;
/// Replies in a row, and over how long, that make a silent line live again; fewer where they come once a minute.
pub const RETURN_REPLIES: u32 = 5;
/// See [`RETURN_REPLIES`].
pub const RETURN_REPLIES_METERED: u32 = 2;
/// See [`RETURN_REPLIES`].
pub const RETURN_OVER: i64 = 2_000;
/// After a root is cleared, members still silent for this long have a fault of their own.
pub const HOLD_DOWN: i64 = 10_000;
/// A fault is over when all its members lived for this long.
pub const OVER: i64 = 30_000;
/// After a start, paths last known up owe nothing for this long, or until their first packet.
pub const START_GRACE: i64 = 60_000;
/// A gap between ticks beyond this means that we were blind.
pub const BLIND: i64 = 1_000;
/// After a gap, streams owe nothing for this long.
pub const BLIND_GRACE: i64 = 2_000;
/// Outcomes older than this when they come do not make misses: late evidence never pages.
pub const LATE: i64 = 5_000;
/// Length of a confirm train, ms.
pub const TRAIN: i64 = 3_000;
/// People leave this long before their office closes, ms: what falls silent then may have been switched off.
pub const LEAVE_EARLY: i64 = 10 * 60_000;
/// A site that was off is missed when it is not back this long after its opening, ms.
pub const BACK_BY: i64 = 15 * 60_000;

/// What a line shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shows {
    /// It never answered, or nothing able to tell is heard.
    Unknown,
    /// It answers; or it left a fault that was not its own, and its silence is judged anew.
    Alive,
    /// It is judged silent; since the first missed send.
    Silent(i64),
    /// It is silent, and its site may be switched off; since the first missed send.
    Off(i64),
}

/// The detector's state. Vectors are aligned with the [`Graph`] of the current record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Detector {
    now: i64,
    streams: Vec<Stream>,
    /// Per node: send time of the latest reply through it.
    ok: Vec<i64>,
    proved: BTreeMap<u16, bool>,
    /// Uplinks that ride on another one's line, by up session.
    rides: BTreeMap<u16, u16>,
    lines: Vec<Shows>,
    faults: BTreeMap<FaultId, Fault>,
    next_fault: u64,
    trains: BTreeMap<u16, i64>,
    /// Send time of the latest question whose outcome the core agent told us.
    told_until: Option<i64>,
    falls: Falls,
    /// Per site: whether it is used to being off at night.
    habits: Vec<Habit>,
    /// When habits were last looked at.
    looked: i64,
    /// When ticks began to come again, after a start or a gap.
    resumed: i64,
}

/// How long after its last sign a stream still tells, ms.
fn stale(route: &graph::Route) -> i64 {
    STALE.max(route.every * STALE_EVERY)
}

impl Detector {
    /// A detector that knows nothing yet of this record.
    pub fn new(graph: &Graph) -> Detector {
        Detector {
            streams: vec![Stream::default(); graph.routes.len()],
            ok: vec![i64::MIN; graph.nodes.len()],
            lines: vec![Shows::Unknown; graph.lines.len()],
            habits: vec![Habit::default(); graph.sites.len()],
            ..Detector::default()
        }
    }

    /// The collector started anew: what was last known up owes nothing yet.
    pub fn start(&mut self, at: i64) {
        if at < self.now {
            self.rewind(self.now - at);
        }
        (self.now, self.resumed) = (at, at);
        self.trains.clear();
        self.streams.iter_mut().for_each(|stream| stream.pardon(at, at + START_GRACE));
    }

    /// The source address of an uplink's packets was compared with the record: it is its own line's, or that of
    /// the line of another uplink.
    pub fn prove(&mut self, ssid: u16, proved: bool, rides_on: Option<u16>) {
        self.proved.insert(ssid, proved);
        self.rides.remove(&ssid);
        self.rides.extend(rides_on.map(|other| (ssid, other)));
    }

    /// What [`Detector::prove`] was told last.
    pub fn proof(&self, ssid: u16) -> Option<(bool, Option<u16>)> {
        Some((*self.proved.get(&ssid)?, self.rides.get(&ssid).copied()))
    }

    /// Folds the evidence of one tick; `true` if we were blind before it.
    pub fn hear(&mut self, graph: &Graph, tick: &Tick) -> bool {
        let blind = self.now != 0 && tick.at - self.now > BLIND;
        self.now = tick.at;
        if blind {
            self.resumed = tick.at;
            self.streams.iter_mut().for_each(|stream| stream.pardon(tick.at, tick.at + BLIND_GRACE));
        }
        for heard in &tick.up {
            let Some(number) = graph.streams.get(&StreamId::Up(heard.ssid)).copied() else { continue };
            let at = tick.at - i64::from(heard.before_ms);
            self.streams[number].arrived(at, graph.routes[number].every);
            self.clear(graph, number, at);
        }
        for sent in &tick.sent {
            if let Some(number) = graph.streams.get(&StreamId::Down(sent.ssid)) {
                self.streams[*number].sent(sent.seq, tick.at - i64::from(sent.before_ms));
            }
        }
        for heard in &tick.down {
            let Some(number) = graph.streams.get(&StreamId::Down(heard.ssid)).copied() else { continue };
            let at = tick.at - i64::from(heard.before_ms);
            let rtt_ms = f64::from(heard.rtt_tenths) / 10.0;
            self.streams[number].answered(heard.seq, at, rtt_ms);
            self.clear(graph, number, at - rtt_ms as i64);
        }
        for (stream, route) in self.streams.iter_mut().zip(&graph.routes) {
            stream.pass(tick.at, route.every);
        }
        blind
    }

    /// The core agent asked at `sent` and was answered, or not.
    pub fn asked(&mut self, graph: &Graph, id: StreamId, sent: i64, answered: bool) {
        let Some(number) = graph.streams.get(&id).copied() else { return };
        self.told_until = self.told_until.max(Some(sent.min(self.now)));
        if answered {
            self.streams[number].reply(sent, self.now);
            self.clear(graph, number, sent);
        } else if self.now - sent <= LATE {
            self.streams[number].miss(sent, self.now);
        }
    }

    /// Judges: what fell silent, what came back. Call once a tick, after the evidence.
    pub fn judge(&mut self, graph: &Graph) -> Vec<Change> {
        self.learn_nights(graph);
        let mut changes = self.settle(graph);
        if self.streams.iter().any(Stream::doubted) {
            changes.extend(self.find_roots(graph));
        }
        changes
    }

    /// Uplinks whose down session should send a confirm train now, with the end of the train.
    pub fn trains(&mut self, graph: &Graph) -> Vec<(u16, i64)> {
        let now = self.now;
        self.trains.retain(|_, until| *until + OVER > now);
        let mut wanted = Vec::new();
        for (number, line) in graph.lines.iter().enumerate() {
            let Some(ssid) = line.ssid.filter(|_| self.lines[number] == Shows::Alive) else { continue };
            let Some(down) = graph.streams.get(&StreamId::Down(ssid)) else { continue };
            let idle = self.trains.get(&ssid).is_none_or(|until| *until <= now);
            let doubt = self.doubted(graph, number) || line.metered && self.must_witness(graph, number);
            if idle && self.streams[*down].established && doubt {
                self.trains.insert(ssid, now + TRAIN);
                wanted.push((ssid, now + TRAIN));
            }
        }
        wanted
    }

    /// Whether another line of the site is silent, and this one, which speaks once a minute, has not said since
    /// whether the site lives.
    fn must_witness(&self, graph: &Graph, line: usize) -> bool {
        let site = &graph.sites[graph.lines[line].site];
        let silences = site.lines.iter().filter(|other| **other != line).map(|other| {
            let answered = self.ok[graph.lines[*other].node];
            self.silence(graph, *other, answered).began
        });
        silences.flatten().any(|began| self.ok[graph.lines[line].node] < began + CLEAR)
    }

    /// What a line shows.
    pub fn shows(&self, line: usize) -> Shows {
        self.lines.get(line).copied().unwrap_or(Shows::Unknown)
    }

    /// Whether a site's agent is heard: `None` when it never was.
    pub fn agent_heard(&self, graph: &Graph, site: usize) -> Option<bool> {
        let agent = &graph.sites[site];
        let last = agent
            .agent_streams
            .iter()
            .filter_map(|n| self.streams[*n].told.and(self.streams[*n].replied))
            .max()?;
        Some(self.now - last < AGENT_DEAD)
    }

    /// Whether anything of a line ever answered.
    pub fn established(&self, graph: &Graph, line: usize) -> bool {
        graph.lines[line].streams.iter().any(|number| self.streams[*number].established)
    }

    /// The live faults.
    pub fn faults(&self) -> &BTreeMap<FaultId, Fault> {
        &self.faults
    }

    /// A detector that stands at `now` with these live faults.
    #[cfg(test)]
    pub(crate) fn holding(now: i64, faults: BTreeMap<FaultId, Fault>) -> Detector {
        Detector { now, faults, ..Detector::default() }
    }

    /// Time of the last tick.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Streams of the record that never answered.
    pub fn never_answered<'a>(&'a self, graph: &'a Graph) -> impl Iterator<Item = &'a graph::Route> {
        graph
            .routes
            .iter()
            .zip(&self.streams)
            .filter(|(_, stream)| !stream.established)
            .map(|(route, _)| route)
    }

    /// Uplinks whose packets do not come from where the record says.
    pub fn unproved<'a>(&'a self, graph: &'a Graph) -> impl Iterator<Item = usize> + 'a {
        let unproved = |ssid: u16| self.proved.get(&ssid) == Some(&false);
        (0..graph.lines.len()).filter(move |line| graph.lines[*line].ssid.is_some_and(unproved))
    }

    /// Sites with two uplinks that ride on one line.
    pub fn one_path<'a>(&'a self, graph: &'a Graph) -> impl Iterator<Item = usize> + 'a {
        let site_of =
            |ssid: &u16| graph.lines.iter().find(|line| line.ssid == Some(*ssid)).map(|line| line.site);
        let shared =
            move |(one, other): (&u16, &u16)| site_of(one).filter(|site| Some(*site) == site_of(other));
        self.rides.iter().filter_map(shared)
    }

    /// Notes that everything a stream crosses was alive when a reply was sent. An up packet proves only one
    /// direction, so it speaks for the network only where nothing answers there and back.
    fn clear(&mut self, graph: &Graph, number: usize, sent: i64) {
        let route = &graph.routes[number];
        let one_way = matches!(route.id, StreamId::Up(_));
        let nodes = self.nodes_of(graph, number);
        let skip = if one_way && self.answers_both_ways(graph, number) { nodes.len() - 1 } else { 0 };
        for node in &nodes[skip..] {
            self.ok[*node] = self.ok[*node].max(sent);
        }
        if let Some(line) = route.line.filter(|_| skip == 0 && self.speaks_for_line(graph, number))
            && self.lines[line] == Shows::Unknown
        {
            self.lines[line] = Shows::Alive;
        }
    }

    fn answers_both_ways(&self, graph: &Graph, up: usize) -> bool {
        let route = &graph.routes[up];
        let same_way = match (route.line, route.site) {
            (Some(line), _) => &graph.lines[line].streams,
            (None, Some(site)) => &graph.sites[site].agent_streams,
            (None, None) => return false,
        };
        same_way.iter().any(|n| *n != up && self.streams[*n].established)
    }

    /// Nodes a stream speaks of: all it crosses, or the site alone while its uplink is unproved.
    fn nodes_of<'a>(&self, graph: &'a Graph, number: usize) -> &'a [usize] {
        let route = &graph.routes[number];
        if self.speaks_for_line(graph, number) { &route.nodes } else { &route.unproved }
    }

    fn speaks_for_line(&self, graph: &Graph, number: usize) -> bool {
        match graph.routes[number].id {
            StreamId::Up(ssid) | StreamId::Down(ssid) => self.proved.get(&ssid) == Some(&true),
            StreamId::Asked(_) => true,
        }
    }

    /// Streams able to tell of a line now.
    fn telling<'a>(&'a self, graph: &'a Graph, line: usize) -> impl Iterator<Item = usize> + 'a {
        graph.lines[line].streams.iter().copied().filter(|number| {
            let stream = &self.streams[*number];
            let fresh = stream.told.is_some_and(|told| self.now - told <= stale(&graph.routes[*number]));
            stream.established && fresh && self.speaks_for_line(graph, *number)
        })
    }

    /// The line's silence after `t`, over every stream able to tell.
    fn silence(&self, graph: &Graph, line: usize, t: i64) -> Silence {
        let mut silence = Silence::default();
        self.telling(graph, line).for_each(|n| silence.join(self.streams[n].silence_after(t)));
        silence
    }

    /// Whether what lies above had its time to show that it lives.
    fn waited(&self, began: i64) -> bool {
        let lasted = self.now - began;
        let told = self.told_until.is_none_or(|told| told >= began + CLEAR);
        lasted >= WAIT && (told || lasted >= WAIT_LATE)
    }

    fn doubted(&self, graph: &Graph, line: usize) -> bool {
        self.silence(graph, line, self.ok[graph.lines[line].node]).misses > 0
    }

    /// Lines that some live fault already explains.
    fn explained(&self) -> BTreeSet<usize> {
        self.faults
            .values()
            .filter(|fault| !fault.is_agent)
            .flat_map(|fault| fault.lines.iter().copied())
            .collect()
    }
}
