//! What means an agent harm, or is broken, beside what is good: who they are, and the stage on which one agent asks them
//! all once a second.
//!
//! ```text
//!  friends: 50 checks ──┐
//!  foes: one check each ├──▶ agent ──▶ collector: every outcome, with its reason
//!  floods ──▶ listeners ┘      └─────▶ /metrics: how late runs start
//! ```
//!
//! A foe counts what it was asked and what it got rid of: its toll.

pub mod devices;
pub mod floods;
pub mod lateness;
pub mod names;
pub mod pages;
pub mod seen;

use crate::beside;
use crate::gateway;
use crate::stage::{Stage, wait};
use crate::switches::Switches;
use crate::targets::Targets;
use anyhow::Context;
use floods::Flood;
use haidang_daemon::clock::Clock;
use haidang_probe::check::CheckId;
use haidang_probe::outcome::Failure;
use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tempfile::TempDir;

/// Good checks of each kind; half of the targets are for `tcp`, half for `http`.
const TARGETS: usize = 26;
const ECHOES: usize = 10;
const NAMES: usize = 10;
const SWITCHES: usize = 4;
/// All of them.
pub const FRIENDS: usize = TARGETS + ECHOES + NAMES + SWITCHES;
/// Ports of a good switch.
const PORTS: u32 = 24;
/// Seconds anything may take before it counts as never.
pub const PATIENCE: u32 = 120;
/// Spaces before the checks of a site.
const INDENT: usize = 6;

/// What somebody was asked, and how much it got rid of.
#[derive(Debug, Default)]
pub struct Toll {
    requests: AtomicU64,
    octets: AtomicU64,
}

impl Toll {
    fn asked(&self, requests: u64) {
        self.requests.fetch_add(requests, Relaxed);
    }

    fn gave(&self, octets: usize) {
        self.octets.fetch_add(octets as u64, Relaxed);
    }

    /// Requests, and octets, until now.
    pub fn until_now(&self) -> (u64, u64) {
        (self.requests.load(Relaxed), self.octets.load(Relaxed))
    }
}

/// One that means harm.
#[derive(Clone, Debug)]
pub struct Foe {
    /// The name of the check that asks it.
    pub name: &'static str,
    /// How it is asked.
    pub probe: &'static str,
    /// Where.
    pub target: String,
    /// Settings of the check, as they stand in a record; may be empty.
    pub with: &'static str,
    /// Time-out of the check: an interval where only time ends a run, else longer than any limit lets it take.
    pub timeout_s: u32,
    /// How each run ends.
    pub ends: Result<(), Failure>,
    /// Most requests of one run.
    pub requests: u64,
    /// Most octets it gets rid of in one run.
    pub octets: u64,
    /// What it counted.
    pub toll: Arc<Toll>,
}

impl Default for Foe {
    fn default() -> Foe {
        Foe {
            name: "",
            probe: "",
            target: String::new(),
            with: "",
            timeout_s: 1,
            ends: Ok(()),
            requests: 0,
            octets: u64::MAX,
            toll: Arc::default(),
        }
    }
}

/// All that mean harm by being asked.
#[derive(Debug)]
pub struct Foes {
    /// Each with its check.
    pub all: Vec<Foe>,
    _certificates: TempDir,
}

impl Foes {
    /// They answer until the program ends.
    ///
    /// # Errors
    /// When a socket or a certificate is not to be had.
    pub fn start() -> anyhow::Result<Foes> {
        let folder = tempfile::tempdir().context("make a folder")?;
        let all = [devices::all()?, pages::all(folder.path())?, names::all()?].concat();
        Ok(Foes { all, _certificates: folder })
    }

    /// What each counted until now.
    pub fn tolls(&self) -> Vec<(u64, u64)> {
        self.all.iter().map(|foe| foe.toll.until_now()).collect()
    }

    fn checks(&self) -> String {
        let mut checks = String::new();
        for Foe { name, probe, target, with, timeout_s, .. } in &self.all {
            let with = if with.is_empty() { String::new() } else { format!(", with: {with}") };
            checks += &check(name, probe, target, *timeout_s, &with);
        }
        checks
    }
}

/// Good ones of every kind.
pub struct Friends {
    /// Those that are asked by `tcp` and `http`, and count.
    pub targets: Targets,
    switches: Switches,
    name_server: SocketAddr,
}

impl Friends {
    /// They answer until the program ends, the targets until they are dropped.
    ///
    /// # Errors
    /// When a socket is not to be had.
    pub fn start(clock: &Clock) -> anyhow::Result<Friends> {
        Ok(Friends {
            targets: Targets::start(TARGETS, clock).context("open listeners")?,
            switches: Switches::start(SWITCHES, PORTS, None)?,
            name_server: names::good()?,
        })
    }

    /// The checks that ask them.
    pub fn ids(&self) -> Vec<CheckId> {
        let named =
            |kind: &'static str, count| (0..count).map(move |nth| CheckId::of_name(&named(kind, nth)));
        let others = [("echo", ECHOES), ("name", NAMES), ("switch", SWITCHES)];
        let others = others.into_iter().flat_map(|(kind, count)| named(kind, count));
        (0..TARGETS).map(Targets::check).chain(others).collect()
    }

    /// How often the target was asked that was asked least.
    pub fn rounds(&self) -> usize {
        self.targets.asked().iter().map(Vec::len).min().unwrap_or(0)
    }

    fn checks(&self) -> String {
        let mut checks = self.targets.checks("1s", INDENT);
        for nth in 0..ECHOES {
            checks += &check(&named("echo", nth), "icmp", &format!("127.1.0.{}", nth + 1), 5, "");
        }
        let target = format!("{}/{}", self.name_server, names::NAME);
        for nth in 0..NAMES {
            checks += &check(&named("name", nth), "dns", &target, 5, "");
        }
        for (nth, at) in self.switches.at.iter().enumerate() {
            checks += &check(&named("switch", nth), "snmp", &at.to_string(), 5, ", with: {credential: lan}");
        }
        checks
    }
}

fn named(kind: &str, nth: usize) -> String {
    format!("{kind}-{nth}")
}

fn check(name: &str, probe: &str, target: &str, timeout_s: u32, with: &str) -> String {
    let mut line = " ".repeat(INDENT);
    let _ = writeln!(
        line,
        "- {{name: {name}, probe: {probe}, target: \"{target}\", every: 1s, timeout: {timeout_s}s{with}}}"
    );
    line
}

/// A stage whose agent asks friends and, where there are any, foes, and listens.
pub struct Site {
    /// What runs.
    pub stage: Stage,
    /// Where the agent's `/metrics` are.
    pub metrics: String,
    /// Where it listens to syslog, and to traps.
    pub syslog: SocketAddr,
    /// See there.
    pub traps: SocketAddr,
    listens: String,
}

impl Site {
    /// Nothing runs yet.
    ///
    /// # Errors
    /// When the stage cannot be set.
    pub fn new(number: u8, friends: &Friends, foes: Option<&Foes>) -> anyhow::Result<Site> {
        let [syslog, traps] = [free()?, free()?];
        let listens =
            format!("    listen: {{syslog: \"{syslog}\", traps: \"{traps}\", credentials: [lan]}}\n");
        let foes = foes.map(Foes::checks).unwrap_or_default();
        let credentials = "credentials:\n  - {id: lan, version: 2c, community: public}\n";
        let stage = gateway::stage_with(number, &[&friends.checks(), &foes, &listens, credentials].concat())?;
        let metrics = format!("127.0.0.1:{}", stage.stamp_port() + 3);
        stage.change_plan(|plan| plan.listen = metrics.parse().ok())?;
        Ok(Site { stage, metrics, syslog, traps, listens })
    }

    /// Collector and agent run, and every target was asked; the agent's process.
    ///
    /// # Errors
    /// When they do not.
    pub fn start(&mut self, friends: &Friends) -> anyhow::Result<u32> {
        let before = friends.rounds();
        self.stage.start_collector()?;
        self.stage.start_agent()?;
        wait("every target to be asked", PATIENCE, || Ok((friends.rounds() > before).then_some(())))?;
        self.stage.processes()[1].context("the agent is gone")
    }

    /// What the agent says of itself.
    ///
    /// # Errors
    /// When it does not.
    pub fn page(&self) -> anyhow::Result<String> {
        beside::page(&self.metrics, "/metrics")
    }

    /// Its listeners are flooded from now on: that of syslog, and that of traps, a hundred datagrams at once each.
    ///
    /// # Errors
    /// When a socket is not to be had.
    pub fn floods(&self, pause: Duration) -> anyhow::Result<[Flood; 2]> {
        Ok([
            Flood::start(self.syslog, floods::syslog, pause)?,
            Flood::start(self.traps, floods::engines, pause)?,
        ])
    }

    /// From now on the record says nothing of listening.
    ///
    /// # Errors
    /// When the record cannot be changed.
    pub fn deafen(&self) -> anyhow::Result<()> {
        let file = PathBuf::from(self.stage.configuration()).join("province.yml");
        let text = fs::read_to_string(&file)?.replace(&self.listens, "");
        fs::write(&file, text).with_context(|| format!("write {}", file.display()))
    }
}

/// An address nobody has.
fn free() -> anyhow::Result<SocketAddr> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?)
}
