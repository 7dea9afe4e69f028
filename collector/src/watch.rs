//! The fold: journal entries in, verdicts and incidents out. Nothing decides outside it.
//!
//! ```text
//! entry ─▶ evidence ─▶ detect ─▶ ledger ─▶ verdicts ─▶ transcript (SHA-256 chain)
//!   └──────── the same for live, restart and replay ──────────┘
//! ```
//!
//! Its whole state is a function of the entries folded so far, so a checkpoint of it and the tail of the
//! journal give the same verdicts as the journal from its start; `replay` compares the transcripts.

mod about;
pub mod changes;
pub mod checks;
mod evidence;
mod gaps;
pub mod lines;
pub mod show;
pub mod skew;
pub mod spools;
pub mod taking;

use crate::{
    detect::{Detector, graph::Graph},
    entry::{Act, Checkpoint, Entry, Tick},
    incident::{
        Incident,
        ledger::{Ledger, View},
        maintenance::Windows,
    },
    judge::Judges,
    lineage::{self, Lineage},
    topology::{Id, Topology},
};
use changes::Changes;
use gaps::Gaps;
use haidang_probe::{batch::Ranges, key};
use lines::{LineSample, Lines};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use skew::Skew;
use spools::{Beyond, Spools};
use std::collections::{BTreeMap, BTreeSet};
use taking::Taking;

/// Version of the fold: a checkpoint of another one is not restored.
const FOLD: u32 = 9;
/// Longest checkpoint accepted, decompressed.
const CHECKPOINT_BYTES: usize = 256 << 20;
/// Verdicts of sites are looked at when something changed, and else this often, ms.
const LOOK: i64 = 1_000;

/// State of a site or a line, as shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Verdict {
    Up,
    OffHours,
    Maintenance,
    Unknown,
    Degraded,
    Affected,
    Down,
}

/// A verdict with its start, UTC ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// The verdict.
    pub verdict: Verdict,
    /// When it began, UTC ms.
    pub since: i64,
    /// Whether it ever answered.
    pub established: bool,
}

/// Something about the set-up that somebody should mend; not an incident.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// `never-answered`, `agent-never-heard`, `not-permitted`, `check-failing`, `unproved-uplink`,
    /// `one-path`, `record-doubtful`, `plan-not-taken`, `plan-refused`, `no-successor`.
    pub kind: String,
    /// What it is about: an id of the record, or `site/check name`.
    pub subject: String,
    /// UTC ms.
    pub since: i64,
}

/// What the shell must do, or may tell, after an entry.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send the down session of this uplink at 10/s until then (UTC ms).
    Train {
        /// Up session id of the uplink.
        ssid: u16,
        /// UTC ms.
        until: i64,
    },
    /// Sites changed state, or lines of theirs.
    Sites(Vec<Id>),
    /// An incident was revised.
    Incident(String),
    /// The findings changed.
    Findings,
    /// Ten seconds of liveness of the lines, for the store.
    Lines(Vec<LineSample>),
    /// One line of the transcript, JSON.
    Verdict(String),
}

/// The fold's state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Watch {
    seq: u64,
    started: i64,
    topology: Topology,
    #[serde(skip)]
    graph: Graph,
    detector: Detector,
    ledger: Ledger,
    windows: Windows,
    judges: Judges,
    changes: Changes,
    configured: i64,
    lines: Lines,
    sites: Vec<Since>,
    line_verdicts: Vec<Since>,
    looked: i64,
    findings: Vec<Finding>,
    spools: Spools,
    taking: Taking,
    clocks: BTreeMap<Id, Skew>,
    gaps: Gaps,
    verdicts: u64,
    digest: [u8; 32],
}

impl Watch {
    /// An empty fold.
    pub fn new() -> Watch {
        Watch::default()
    }

    /// Folds one entry. `position` is its place in the journal.
    pub fn apply(&mut self, position: u64, entry: &Entry) -> Vec<Effect> {
        self.seq = position;
        let mut effects = Vec::new();
        match entry {
            Entry::Start { at } => {
                if *at < self.now() {
                    self.rewind(self.now() - *at);
                }
                self.started = *at;
                self.detector.start(*at);
            }
            Entry::Config { at, topology } => {
                self.changes.configure(&self.topology, topology, *at);
                self.configured = *at;
                self.configure(topology, &mut effects);
            }
            Entry::Tick(tick) => self.tick(tick, &mut effects),
            Entry::Batch(received) => self.batch(received),
            Entry::Act(act) => self.act(act, &mut effects),
            Entry::Proof { ssid, proved, rides_on, .. } => self.detector.prove(*ssid, *proved, *rides_on),
            // Windows change what is shown and told, not what is found.
            Entry::Maintenance(window) => self.windows.say(window),
            Entry::Checkpoint(_) => {}
        }
        effects
    }

    /// What was last proved of an uplink: whether it rides on its own line, or on which other uplink's.
    pub fn proof(&self, ssid: u16) -> Option<(bool, Option<u16>)> {
        self.detector.proof(ssid)
    }

    /// Position of the last entry folded.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Time of the fold: UTC ms of the last tick.
    pub fn now(&self) -> i64 {
        self.detector.now()
    }

    /// The record judged by.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// A site's state.
    pub fn site(&self, id: &str) -> Since {
        self.graph.site(id).and_then(|site| self.sites.get(site).copied()).unwrap_or(Since::UNKNOWN)
    }

    /// A line's state.
    pub fn line(&self, id: &str) -> Since {
        self.graph.line(id).and_then(|line| self.line_verdicts.get(line).copied()).unwrap_or(Since::UNKNOWN)
    }

    /// All incidents kept, by id.
    pub fn incidents(&self) -> &BTreeMap<Id, Incident> {
        self.ledger.incidents()
    }

    /// Windows of planned work that are kept.
    pub fn windows(&self) -> &Windows {
        &self.windows
    }

    /// Set-up findings, in order.
    pub fn findings(&self) -> Vec<Finding> {
        self.findings.clone()
    }

    /// Sequence numbers received of an agent's spool.
    pub fn heard(&self, agent: &str, spool_id: u64) -> Option<&Ranges> {
        self.spools.of(agent, spool_id)
    }

    /// Whether this number of an agent's spool, coming at `at` (UTC ms), is news, and what is received with it.
    pub fn expect(&self, agent: &str, spool_id: u64, seq: u64, at: i64) -> Result<(bool, Ranges), Beyond> {
        self.spools.expect(agent, spool_id, seq, at)
    }

    /// How many verdicts were given, and the SHA-256 chain over them.
    pub fn transcript(&self) -> (u64, [u8; 32]) {
        (self.verdicts, self.digest)
    }

    /// A checkpoint entry of this state.
    pub fn checkpoint(&self) -> Entry {
        let state = postcard::to_allocvec(self).unwrap_or_default();
        let state = zstd::bulk::compress(&state, 3).unwrap_or_default();
        Entry::Checkpoint(Checkpoint {
            at: self.now(),
            fold: FOLD,
            verdicts: self.verdicts,
            digest: self.digest,
            state,
        })
    }

    /// The fold as it stood at a checkpoint; `None` if another version of the fold wrote it, or it is damaged.
    pub fn restore(checkpoint: &Checkpoint) -> Option<Watch> {
        if checkpoint.fold != FOLD {
            return None;
        }
        let state = zstd::bulk::decompress(&checkpoint.state, CHECKPOINT_BYTES).ok()?;
        let mut watch: Watch = postcard::from_bytes(&state).ok()?;
        // The format does not describe itself: a state of other fields may decode, but not to the same octets.
        if postcard::to_allocvec(&watch).ok()? != state {
            return None;
        }
        watch.graph = Graph::of(&watch.topology);
        watch.judges.restore(&watch.topology);
        Some(watch)
    }

    /// The clock is set back by `by`, ms: what is known keeps its age. What agents' clocks differ by was measured
    /// against the other one. The detector rewinds itself when it starts.
    fn rewind(&mut self, by: i64) {
        (self.looked, self.lines) = (0, Lines::default());
        self.judges.rewind(by);
        self.gaps.rewind(by);
        self.taking.rewind(by);
        self.spools.rewind(by);
        self.clocks.clear();
    }

    fn configure(&mut self, topology: &Topology, effects: &mut Vec<Effect>) {
        let graph = Graph::of(topology);
        // A renamed site is what it was.
        let lineage = Lineage::of(topology);
        let before = |id: &str| lineage.ids(id).iter().find_map(|id| self.graph.site(id));
        let was = |id: &str| self.graph.site(id).or_else(|| before(id));
        let kept = |id: &Id| was(id).and_then(|site| self.sites.get(site)).copied().unwrap_or(Since::UNKNOWN);
        let sites: Vec<Since> = graph.sites.iter().map(|site| kept(&site.id)).collect();
        let detector = self.detector.moved(&self.graph, &graph, was);
        let lines: Vec<Since> = graph.lines.iter().map(|line| self.line(&line.id)).collect();
        (self.detector, self.sites, self.line_verdicts) = (detector, sites, lines);
        self.judges.configure(topology);
        self.taking.configure(topology);
        self.gaps.configure(topology);
        self.spools.configure(topology, self.detector.now());
        self.clocks.retain(|site, _| topology.sites.contains_key(site));
        self.lines = Lines::default();
        self.topology = topology.clone();
        self.graph = graph;
        effects.push(Effect::Sites(self.topology.sites.keys().cloned().collect()));
    }

    fn tick(&mut self, tick: &Tick, effects: &mut Vec<Effect>) {
        if self.detector.hear(&self.graph, tick) {
            self.record(&serde_json::json!({"at": tick.at, "blind": true}), effects);
        }
        let changes = self.detector.judge(&self.graph);
        for (ssid, until) in self.detector.trains(&self.graph) {
            effects.push(Effect::Train { ssid, until });
        }
        let view = View {
            topology: &self.topology,
            graph: &self.graph,
            detector: &self.detector,
            windows: &self.windows,
        };
        let mut revised = self.ledger.tick(&view, &changes);
        let due = tick.at - self.looked >= LOOK;
        if due {
            revised.extend(self.judge());
        }
        if due || !changes.is_empty() || !revised.is_empty() {
            self.looked = tick.at;
            self.look(effects);
        }
        revised.iter().for_each(|id| self.tell(id, effects));
        if let Some(samples) = self.lines.tick(&self.graph, tick) {
            effects.push(Effect::Lines(samples));
        }
    }

    /// Verdicts and findings follow from what the detector shows.
    fn look(&mut self, effects: &mut Vec<Effect>) {
        let now = self.now();
        let (mut sites, mut lines) = show::verdicts(&self.graph, &self.detector);
        show::overlay(&self.graph, &self.windows.covered(&self.topology, now), &mut sites, &mut lines);
        let mut changed = BTreeSet::new();
        for (number, shown) in lines.into_iter().enumerate() {
            if show::turn(&mut self.line_verdicts[number], shown, now) {
                changed.insert(self.graph.lines[number].site);
            }
        }
        for (number, shown) in sites.into_iter().enumerate() {
            if show::turn(&mut self.sites[number], shown, now) {
                changed.insert(number);
                let site = &self.graph.sites[number].id;
                let verdict = serde_json::json!({"at": now, "site": site, "verdict": shown.verdict});
                self.record(&verdict, effects);
            }
        }
        if !changed.is_empty() {
            effects
                .push(Effect::Sites(changed.iter().map(|site| self.graph.sites[*site].id.clone()).collect()));
        }
        let mut findings = show::findings(&self.graph, &self.detector, &self.topology, self.started);
        findings.extend(checks::findings(&self.judges, now));
        findings.extend(self.taking.findings());
        let ended = lineage::without_successor(&self.topology).filter(|(.., ended)| *ended <= now);
        findings.extend(ended.map(|(code, commune, since)| Finding {
            kind: "no-successor".to_owned(),
            subject: format!("{code} {} {}", commune.kind, commune.name),
            since,
        }));
        show::keep_since(&mut findings, &self.findings);
        if findings != self.findings {
            self.findings = findings;
            effects.push(Effect::Findings);
        }
    }

    fn act(&mut self, act: &Act, effects: &mut Vec<Effect>) {
        if let Some(id) = self.ledger.act(act) {
            self.tell(&id, effects);
        }
    }

    fn tell(&mut self, id: &str, effects: &mut Vec<Effect>) {
        if let Some(incident) = self.ledger.incidents().get(id) {
            let line = serde_json::json!({"at": self.now(), "incident": incident});
            self.record(&line, effects);
            effects.push(Effect::Incident(id.to_owned()));
        }
    }

    fn record(&mut self, verdict: &serde_json::Value, effects: &mut Vec<Effect>) {
        let line = verdict.to_string();
        self.verdicts += 1;
        self.digest = Sha256::new().chain_update(self.digest).chain_update(&line).finalize().into();
        tracing::debug!(verdict = line, digest = key::hex(&self.digest[..4]));
        effects.push(Effect::Verdict(line));
    }
}

impl Since {
    /// Nothing is known.
    pub const UNKNOWN: Since = Since { verdict: Verdict::Unknown, since: 0, established: false };
}
