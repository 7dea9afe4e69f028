//! A small province in virtual time that feeds the fold the evidence a real one would.
//!
//! Forty sites on two carriers and four POPs each; every second site has an agent, every third a second line.
//! Everything is a function of the seed: same seed, same evidence.

use super::offices::outcome;
use super::record::{ASK_TIMEOUT, topology};
use haidang_collector::{
    entry::{Act, ActKind, DownHeard, DownSent, Entry, Maintenance, Received, TICK_MS, Tick, UpHeard},
    topology::{Line, Topology},
    watch::{Effect, Watch},
};
use haidang_probe::{
    batch::{Batch, Envelope},
    check::CheckId,
    moment::{BootId, ClockMap, Moment},
    outcome::{Failure, Outcome},
};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

/// Start of virtual time, UTC ms: 2026-11-22 07:00 in Vietnam.
pub const START: i64 = 1_795_305_600_000;
const RTT: i64 = 20;

/// What is cut off.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cut {
    Line(String),
    Pop(String),
    Carrier(String),
    HandOff(String),
    Agent(String),
    /// From centre to site alone.
    Downward(String),
    /// The core agent is dead: it asks nothing.
    CoreAgent,
    /// The core agent asks on, its batches wait.
    CoreUplink,
    Collector,
}

/// The province, its faults, and the fold that watches it.
pub struct Province {
    pub watch: Watch,
    pub now: i64,
    pub loss: f64,
    pub entries: Vec<Entry>,
    pub transcript: Vec<String>,
    /// By how much the core agent's clock is wrong, ms.
    pub core_clock: i64,
    topology: Topology,
    lines: Rc<[(String, Line)]>,
    pops: BTreeMap<String, String>,
    cuts: BTreeSet<Cut>,
    random: u64,
    trains: BTreeMap<u16, i64>,
    asked: Vec<Pending>,
    answers: Vec<(i64, DownHeard)>,
    finished: Vec<(i64, Outcome)>,
    failing: BTreeMap<CheckId, bool>,
    changed: Option<i64>,
    flushed: i64,
    seqs: BTreeMap<String, u64>,
}

struct Pending {
    check: CheckId,
    sent: i64,
    done: i64,
    answered: bool,
}

impl Province {
    /// A province whose record is right.
    pub fn new() -> Province {
        Province::with_record(|_| {})
    }

    /// A province whose record is what `change` makes of it; the truth stays as it was.
    pub fn with_record(change: impl FnOnce(&mut Topology)) -> Province {
        Province::seeded(0x9E37_79B9_7F4A_7C15, change)
    }

    /// The same, with losses of its own.
    pub fn seeded(random: u64, change: impl FnOnce(&mut Topology)) -> Province {
        let mut topology = topology();
        let pops =
            topology.lines.iter().map(|(id, l)| (id.clone(), l.pop.clone().unwrap_or_default())).collect();
        change(&mut topology);
        let mut province = Province {
            watch: Watch::new(),
            now: START,
            loss: 0.0025,
            entries: Vec::new(),
            transcript: Vec::new(),
            core_clock: 0,
            lines: lines_of(&topology),
            topology,
            pops,
            cuts: BTreeSet::new(),
            random,
            trains: BTreeMap::new(),
            asked: Vec::new(),
            answers: Vec::new(),
            finished: Vec::new(),
            failing: BTreeMap::new(),
            changed: None,
            flushed: START,
            seqs: BTreeMap::new(),
        };
        province.start();
        province.run(90.0);
        province
    }

    /// The collector starts: also after a kill, with the fold it had.
    pub fn start(&mut self) {
        let at = self.now;
        self.fold(Entry::Start { at });
        let topology = Box::new(self.topology.clone());
        self.fold(Entry::Config { at, topology });
        let ssids: Vec<u16> = self.topology.lines.values().filter_map(|line| line.ssid).collect();
        ssids.into_iter().for_each(|ssid| self.fold(Entry::Proof { at, ssid, proved: true, rides_on: None }));
        self.trains.clear();
        self.answers.clear();
    }

    /// Something breaks now.
    pub fn cut(&mut self, cut: Cut) -> &mut Province {
        self.cuts.insert(cut);
        self
    }

    /// One thing works again.
    pub fn mend(&mut self, cut: &Cut) -> &mut Province {
        self.cuts.remove(cut);
        self
    }

    /// Another record is accepted; the truth stays as it was.
    pub fn configure(&mut self, change: impl FnOnce(&mut Topology)) -> &mut Province {
        change(&mut self.topology);
        self.lines = lines_of(&self.topology);
        let topology = Box::new(self.topology.clone());
        self.fold(Entry::Config { at: self.now, topology });
        self
    }

    /// A person does something to an incident.
    pub fn act(&mut self, incident: &str, kind: ActKind) -> &mut Province {
        let (at, person, incident) = (self.now, "an".to_owned(), incident.to_owned());
        self.fold(Entry::Act(Act { at, person, incident, kind }));
        self
    }

    /// A batch of a site's own agent comes now: checks by name with their times and whether they were answered.
    pub fn agent_tells(&mut self, site: &str, boot: u8, backlog: bool, runs: &[(i64, &str, bool)]) {
        let outcome = |(at, name, answered): &(i64, &str, bool)| {
            let result = if *answered { Ok(()) } else { Err(Failure::Timeout) };
            outcome(boot, *at, name, result)
        };
        self.agent_posts(site, boot, backlog, runs.iter().map(outcome).collect());
    }

    /// As [`Province::agent_tells`], with all that an outcome may say.
    pub fn agent_posts(&mut self, site: &str, boot: u8, backlog: bool, outcomes: Vec<Outcome>) {
        let boot = BootId([boot; 16]);
        let clock = ClockMap { boot, offset_ns: (START - 1) * 1_000_000, bound_ns: 1_000_000 };
        let batch = Batch { clocks: vec![clock], outcomes, backlog, ..Batch::default() };
        let seq = self.seqs.entry(site.to_owned()).or_default();
        let envelope = Envelope::seal(site, 1, *seq, [0; 32], &batch).unwrap();
        *seq += 1;
        let received = Received { at: self.now, agent: site.to_owned(), envelope: envelope.encode() };
        self.fold(Entry::Batch(received));
    }

    /// Planned work is announced, or ended.
    pub fn say(&mut self, window: Maintenance) -> &mut Province {
        self.fold(Entry::Maintenance(window));
        self
    }

    /// Sites that truly have no path now.
    pub fn cut_off(&self) -> BTreeSet<String> {
        let mut lives: BTreeMap<&str, bool> = BTreeMap::new();
        for (id, line) in self.lines.iter() {
            *lives.entry(&line.site).or_default() |= self.passes(id, true) && self.passes(id, false);
        }
        lives.into_iter().filter(|(_, lives)| !lives).map(|(site, _)| site.to_owned()).collect()
    }

    /// Whether this is cut now.
    pub fn is_cut(&self, cut: &Cut) -> bool {
        self.cuts.contains(cut)
    }

    /// An uplink's packets turn out to ride on another one's line.
    pub fn rides(&mut self, line: &str, other: &str) -> &mut Province {
        let ssid = |line: &str| self.topology.lines[line].ssid.unwrap();
        let (ssid, rides_on) = (ssid(line), Some(ssid(other)));
        self.fold(Entry::Proof { at: self.now, ssid, proved: false, rides_on });
        self
    }

    /// Everything works again.
    pub fn heal(&mut self) -> &mut Province {
        self.cuts.clear();
        self
    }

    /// Time passes.
    pub fn run(&mut self, seconds: f64) -> &mut Province {
        let until = self.now + (seconds * 1000.0) as i64;
        while self.now < until {
            self.step();
        }
        self
    }

    /// Time passes while nothing reaches the collector, not even its own ticks.
    pub fn sleep(&mut self, seconds: i64) -> &mut Province {
        self.now += seconds * 1000;
        self.asked.clear();
        self.answers.clear();
        self
    }

    /// Lines truly at a POP.
    pub fn at_pop(&self, pop: &str) -> BTreeSet<String> {
        self.pops.iter().filter(|(_, at)| *at == pop).map(|(line, _)| line.clone()).collect()
    }

    /// Sites of some lines.
    pub fn sites_of(&self, lines: &BTreeSet<String>) -> BTreeSet<String> {
        lines.iter().map(|line| self.topology.lines[line].site.clone()).collect()
    }

    /// Lines of a carrier.
    pub fn of_carrier(&self, carrier: &str) -> BTreeSet<String> {
        let lines = self.topology.lines.iter().filter(|(_, line)| line.carrier == carrier);
        lines.map(|(id, _)| id.clone()).collect()
    }

    fn step(&mut self) {
        let from = self.now;
        self.now += TICK_MS;
        let mut tick = Tick { at: self.now, ..Tick::default() };
        let lines = Rc::clone(&self.lines);
        for (number, (id, line)) in lines.iter().enumerate() {
            self.liveness(from, number, id, line, &mut tick);
            if let Some(ask) = &line.gateway {
                let phase = (number as i64 * 37) % 500;
                self.ask(from, phase, ask.id(), &format!("line/{id}"));
            }
        }
        for carrier in ["va", "vb"] {
            for part in [format!("hand-off/{carrier}-1/ours"), format!("carrier/{carrier}/core")] {
                self.ask(from, 111, CheckId::of_name(&part), &part);
            }
        }
        let due: Vec<(i64, DownHeard)>;
        (due, self.answers) = self.answers.drain(..).partition(|(at, _)| *at <= self.now);
        for (at, mut heard) in due {
            heard.before_ms = (self.now - at) as u8;
            tick.down.push(heard);
        }
        self.core_agent();
        if !self.cuts.contains(&Cut::Collector) {
            self.fold(Entry::Tick(tick));
        }
    }

    fn liveness(&mut self, from: i64, number: usize, id: &str, line: &Line, tick: &mut Tick) {
        let Some(ssid) = line.ssid else { return };
        let phase = (number as i64 * 53) % 1000;
        let alive = !self.cuts.contains(&Cut::Agent(line.site.clone()));
        let up = self.passes(id, true);
        if let Some(at) = due(from, phase, 1000)
            && alive
            && up
            && !self.lost()
        {
            tick.up.push(UpHeard { ssid, seq: (at / 1000) as u8, before_ms: (self.now - at) as u8 });
        }
        let train = self.trains.get(&ssid).is_some_and(|until| *until > from);
        let regular = due(from, (phase + 500) % 1000, 1000);
        let Some(at) = regular.or(train.then_some(from + 50)) else { return };
        let seq = (at / 100) as u8;
        tick.sent.push(DownSent { ssid, seq, before_ms: (self.now - at) as u8 });
        if alive && up && self.passes(id, false) && !self.lost() && !self.lost() {
            let heard = DownHeard { ssid, seq, before_ms: 0, rtt_tenths: RTT as u32 * 10, peer: seq };
            self.answers.push((at + RTT, heard));
            self.trains.remove(&ssid);
        }
    }

    fn ask(&mut self, from: i64, phase: i64, check: CheckId, part: &str) {
        let Some(sent) = due(from, phase, 500) else { return };
        if self.cuts.contains(&Cut::CoreAgent) {
            return;
        }
        let reaches = match part.split('/').collect::<Vec<_>>()[..] {
            ["line", line] => self.passes(line, true) && self.passes(line, false),
            ["hand-off", port, _] => {
                !self.cuts.contains(&Cut::HandOff(port.trim_end_matches("-1").to_owned()))
            }
            ["carrier", carrier, _] => self.carrier_lives(carrier),
            _ => true,
        };
        let answered = reaches && !self.lost() && !self.lost();
        let done = sent + if answered { RTT } else { ASK_TIMEOUT };
        self.asked.push(Pending { check, sent, done, answered });
    }

    /// The core agent's outcomes: sent each second, and within 200 ms of a change.
    fn core_agent(&mut self) {
        let (done, rest): (Vec<Pending>, Vec<Pending>) =
            self.asked.drain(..).partition(|p| p.done <= self.now);
        self.asked = rest;
        for one in done {
            let fails = !one.answered;
            if self.failing.insert(one.check, fails).unwrap_or(false) != fails {
                self.changed.get_or_insert(one.done);
            }
            let result =
                if one.answered { Ok(Duration::from_millis(RTT as u64)) } else { Err(Failure::Timeout) };
            let sent = Moment { boot: BootId([7; 16]), mono_ns: ((one.sent - START + 1) * 1_000_000) as u64 };
            self.finished.push((one.done, Outcome { check: one.check, sent, result, samples: Vec::new() }));
        }
        let prompt = self.changed.is_some_and(|at| self.now - at >= 200);
        let waits = self.cuts.contains(&Cut::CoreUplink) || self.cuts.contains(&Cut::CoreAgent);
        if waits || !prompt && self.now - self.flushed < 1000 {
            return;
        }
        (self.changed, self.flushed) = (None, self.now);
        let clock = ClockMap {
            boot: BootId([7; 16]),
            offset_ns: (START - 1 + self.core_clock) * 1_000_000,
            bound_ns: 1_000_000,
        };
        let outcomes = self.finished.drain(..).map(|(_, outcome)| outcome).collect();
        let batch = Batch { clocks: vec![clock], outcomes, ..Batch::default() };
        let seq = self.seqs.entry("centre".to_owned()).or_default();
        let envelope = Envelope::seal("centre", 1, *seq, [0; 32], &batch).unwrap();
        *seq += 1;
        let received = Received { at: self.now, agent: "centre".into(), envelope: envelope.encode() };
        self.fold(Entry::Batch(received));
    }

    fn passes(&self, line: &str, upward: bool) -> bool {
        let record = &self.topology.lines[line];
        let cut = |cut: Cut| self.cuts.contains(&cut);
        let downward_cut = !upward && cut(Cut::Downward(line.to_owned()));
        !(cut(Cut::Line(line.to_owned()))
            || downward_cut
            || self.pops.get(line).is_none_or(|pop| cut(Cut::Pop(pop.clone()))))
            && self.carrier_lives(&record.carrier)
    }

    fn carrier_lives(&self, carrier: &str) -> bool {
        let cut = |cut: Cut| self.cuts.contains(&cut);
        !cut(Cut::Carrier(carrier.to_owned())) && !cut(Cut::HandOff(carrier.to_owned()))
    }

    fn lost(&mut self) -> bool {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / ((1u64 << 53) as f64) < self.loss
    }

    fn fold(&mut self, entry: Entry) {
        let effects = self.watch.apply(self.entries.len() as u64, &entry);
        self.entries.push(entry);
        for effect in effects {
            match effect {
                Effect::Train { ssid, until } => drop(self.trains.insert(ssid, until)),
                Effect::Verdict(line) => self.transcript.push(line),
                _ => {}
            }
        }
    }
}

/// The time in `(from, from + TICK_MS]` at which something with this phase and interval is due.
fn due(from: i64, phase: i64, every: i64) -> Option<i64> {
    let at = (from - phase).div_euclid(every) * every + every + phase;
    (at <= from + TICK_MS).then_some(at)
}

fn lines_of(topology: &Topology) -> Rc<[(String, Line)]> {
    topology.lines.iter().map(|(id, line)| (id.clone(), line.clone())).collect()
}
