//! `snmp [PAIRS]`: what reading switches by SNMP costs haidang-agent, with history on disk and `/metrics` scraped, and
//! what it costs snmp_exporter, back to back: the same columns of 50 switches of 101 interfaces each.
//!
//! ```text
//! cost     50 switches each 2 s, each scraped as often     CPU time a value
//! rate     the same, as fast as one core goes              values a second
//! secret   one snmpd of 101 interfaces                     CPU time a run, version 3 against version 2c
//! ```
//!
//! The switches are threads of this bench, on the other core in `rate`. A run is counted where its `sysUpTime` is asked
//! for; it has [`VALUES`] values on either side, however many requests they take.

use anyhow::{Context, ensure};
use haidang_daemon::clock::Clock;
use haidang_tests::beside::{self, Running};
use haidang_tests::figures::{Figures, said};
use haidang_tests::process::{self, load};
use haidang_tests::stage::wait;
use haidang_tests::switch::{IF_TABLE, IF_X_TABLE};
use haidang_tests::switches::{self, Switches};
use rustix::thread::{CpuSet, sched_getaffinity};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{scope, sleep};
use std::time::Duration;

const PAIRS: u64 = 5;
const SWITCHES: usize = 50;
const INTERFACES: u32 = 101;
/// Columns of a run, by table: what the agent reads of every device's interfaces.
const COLUMNS: [(&[u32], &[u32]); 2] =
    [(&IF_X_TABLE, &[1, 6, 10, 15, 19]), (&IF_TABLE, &[7, 8, 13, 14, 19, 20])];
/// Values of a run: the columns, and `sysUpTime`.
const VALUES: u64 = 11 * INTERFACES as u64 + 1;
/// How often each switch is read where cost counts, and how often `/metrics` is.
const EVERY: Duration = Duration::from_secs(2);
/// How often each switch is to be read where the rate counts: more often than anybody can.
const EAGER: Duration = Duration::from_millis(100);
/// Before a window: profiles picked, tables that are not there known.
const WARM_UP: Duration = Duration::from_secs(5);
const WINDOW: Duration = Duration::from_secs(10);
const PEER: &str = "prometheus-snmp-exporter";
const PEER_AT: &str = "127.0.0.1:19116";
const METRICS: &str = "127.0.0.1:19156";
const SNMPD_AT: &str = "127.0.0.1:10161";
/// Runs of snmpd's device where secrecy counts, and how often each.
const RUNS: (usize, Duration) = (8, Duration::from_secs(1));

/// An interface of the namespace is an interface of snmpd.
const SETUP: &str = "for nth in $(seq 100); do ip link add br$nth type bridge || exit; done &&";

/// snmpd's device: its community, and the user of version 3.
const SNMPD: &str = "rocommunity public 127.0.0.1\nexactEngineID 0x80001f8804bb\n\
     createUser reader SHA-256 \"an auth secret\" AES \"a privacy secret\"\nrouser reader priv\n";
const CREDENTIALS: &str = "
  - {id: open, version: 2c, community: public}
  - {id: secret, version: 3, user: reader, auth: sha-256, auth_secret: an auth secret, privacy: aes-128, privacy_secret: a privacy secret}";

fn main() -> anyhow::Result<()> {
    let pairs = said(PAIRS)?;
    if beside::elsewhere(SETUP, pairs)? { Ok(()) } else { measure(pairs) }
}

fn measure(pairs: u64) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let (core, others) = cores()?;
    let switches = Switches::start(SWITCHES, INTERFACES, Some(&others))?;
    let bench = Bench { clock: Clock::machine()?, folder: folder.path(), switches, core };
    println!("## {SWITCHES} switches of {INTERFACES} interfaces, 11 columns of each\n");
    println!(
        "{pairs} pairs, back to back; windows of {} s; load average {} before.",
        WINDOW.as_secs(),
        load()
    );
    println!(
        "The agent is {}.\n\n| | beside | haidang-agent | ratio |\n|---|--:|--:|--:|",
        beside::agent()?.display()
    );
    let mut ratios: [Figures; 3] = Default::default();
    for _ in 0..pairs {
        let (peer, own) = (bench.peer(EVERY)?, bench.agent(EVERY)?);
        ratios[0].push(show("CPU, µs a value", 2, peer.us_a_value, own.us_a_value));
        println!("| memory, MiB | {:.1} | {:.1} | |", peer.rss_mib, own.rss_mib);
        let (peer, own) = (bench.peer(EAGER)?, bench.agent(EAGER)?);
        ratios[1].push(show("values a second on one core", 0, peer.values_a_second, own.values_a_second));
        let (open, secret) = (bench.snmpd("open")?, bench.snmpd("secret")?);
        ratios[2].push(show("CPU, µs a run of snmpd's: version 2c, version 3", 0, open, secret));
    }
    println!("\nCPU time a value, haidang-agent : {PEER} = {:.3} (least / median / most)", ratios[0]);
    println!("values a second on one core, haidang-agent : {PEER} = {:.2}", ratios[1]);
    println!("CPU time a run, version 3 (SHA-256, AES-128) : version 2c = {:.3}", ratios[2]);
    println!("load average {} after", load());
    Ok(())
}

fn show(what: &str, digits: usize, beside: f64, own: f64) -> f64 {
    println!("| {what} | {beside:.digits$} | {own:.digits$} | {:.3} |", own / beside);
    own / beside
}

/// One core for the program that is measured where the rate counts, and those for all else.
fn cores() -> anyhow::Result<(usize, CpuSet)> {
    let mut others = sched_getaffinity(None).context("ask for this bench's cores")?;
    let own: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| others.is_set(*core)).collect();
    ensure!(own.len() > 1, "two cores are needed: one is for the switches");
    others.unset(own[own.len() - 1]);
    Ok((own[own.len() - 1], others))
}

/// What a window showed.
struct Seen {
    us_a_value: f64,
    values_a_second: f64,
    rss_mib: f64,
}

struct Bench<'a> {
    clock: Clock,
    folder: &'a Path,
    switches: Switches,
    core: usize,
}

impl Bench<'_> {
    /// snmp_exporter, each switch scraped once in `every`, or as often as it can.
    fn peer(&self, every: Duration) -> anyhow::Result<Seen> {
        let module = self.folder.join("snmp.yml");
        fs::write(&module, switches::module(&COLUMNS))?;
        let mut command = self.command(every, Path::new(PEER));
        command.arg(format!("--config.file={}", module.display()));
        command.args([&format!("--web.listen-address={PEER_AT}"), "--log.level=error"]);
        let peer = Running(command.spawn().with_context(|| format!("start {PEER}, a package of Debian"))?);
        wait(PEER, 10, || beside::page(PEER_AT, "/metrics").map(Some))?;
        let stop = AtomicBool::new(false);
        scope(|threads| {
            let (clock, stop) = (&self.clock, &stop);
            for at in &self.switches.at {
                let path = format!("/snmp?module=ports&target={at}");
                threads.spawn(move || scrape(&path, every, clock, stop));
            }
            let seen = self.window(peer.0.id());
            stop.store(true, Relaxed);
            seen
        })
    }

    /// The agent, each switch asked once in `every`, or as often as it can.
    fn agent(&self, every: Duration) -> anyhow::Result<Seen> {
        let checks = self.switches.at.iter().map(|at| (at.to_string(), "open"));
        let agent = self.start(every, checks)?;
        let stop = AtomicBool::new(false);
        scope(|threads| {
            threads.spawn(|| {
                while !stop.load(Relaxed) {
                    let _ = beside::page(METRICS, "/metrics");
                    sleep(EVERY);
                }
            });
            let seen = self.window(agent.0.id());
            stop.store(true, Relaxed);
            seen
        })
    }

    /// The agent asks snmpd as `credential`: CPU time of a run, µs.
    fn snmpd(&self, credential: &str) -> anyhow::Result<f64> {
        let state = tempfile::tempdir().context("make a folder")?;
        let file = state.path().join("snmpd.conf");
        fs::write(&file, SNMPD)?;
        let mut snmpd = Command::new("/usr/sbin/snmpd");
        snmpd
            .args(["-f", "-Le", "-C", "-I", "-smux,mteTrigger", "-c"])
            .arg(&file)
            .arg("-p")
            .arg(state.path().join("pid"));
        snmpd.arg(format!("udp:{SNMPD_AT}")).env("SNMP_PERSISTENT_DIR", state.path()).stderr(Stdio::null());
        let _snmpd = Running(snmpd.spawn().context("start snmpd, a package of Debian")?);
        let agent = self.start(RUNS.1, (0..RUNS.0).map(|_| (SNMPD_AT.to_owned(), credential)))?;
        sleep(WARM_UP);
        let read = || anyhow::Ok((self.clock.steady_ns(), process::usage(agent.0.id())?.cpu_ms));
        let before = read()?;
        sleep(WINDOW);
        let after = read()?;
        let page = beside::page(METRICS, "/metrics")?;
        let told = beside::succeeded(&page);
        ensure!(told == RUNS.0, "{told} of {} checks of snmpd succeed", RUNS.0);
        let mut skipped = page.lines().filter(|line| line.starts_with("haidang_agent_skipped_runs_total"));
        ensure!(skipped.all(|line| line.ends_with(" 0")), "snmpd is too slow: runs were skipped");
        let runs = (after.0 - before.0) as f64 / RUNS.1.as_nanos() as f64 * RUNS.0 as f64;
        Ok((after.1 - before.1) * 1e3 / runs)
    }

    fn start<'c>(
        &self,
        every: Duration,
        checks: impl Iterator<Item = (String, &'c str)>,
    ) -> anyhow::Result<Running> {
        let data = tempfile::tempdir_in(self.folder).context("make a folder")?.keep();
        let plan = data.join("agent.yml");
        fs::write(&plan, plan_text(every, checks))?;
        let mut command = self.command(every, &beside::agent()?);
        command.args(["run", "--log", "warn", "--config"]).arg(&plan).arg("--data").arg(data.join("kept"));
        Ok(Running(command.spawn().context("start haidang-agent")?))
    }

    /// A program, on one core where the rate counts.
    fn command(&self, every: Duration, program: &Path) -> Command {
        let mut command = Command::new("taskset");
        let core = if every == EAGER { self.core.to_string() } else { format!("0-{}", CpuSet::MAX_CPU - 1) };
        command.args(["-c", &core]).arg(program).stdin(Stdio::null());
        if every == EAGER {
            command.env("GOMAXPROCS", "1");
        }
        command
    }

    fn window(&self, process: u32) -> anyhow::Result<Seen> {
        let read = || {
            let usage = process::usage(process)?;
            anyhow::Ok((self.clock.steady_ns(), self.switches.runs.load(Relaxed), usage))
        };
        sleep(WARM_UP);
        let before = read()?;
        sleep(WINDOW);
        let after = read()?;
        let values = ((after.1 - before.1) * VALUES) as f64;
        let seconds = (after.0 - before.0) as f64 / 1e9;
        ensure!(values > 0.0, "nobody was asked");
        Ok(Seen {
            us_a_value: (after.2.cpu_ms - before.2.cpu_ms) * 1e3 / values,
            values_a_second: values / seconds,
            rss_mib: after.2.rss_mib,
        })
    }
}

/// Asks for `path` once in `every`, or without a pause where the rate counts.
fn scrape(path: &str, every: Duration, clock: &Clock, stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        let began_ns = clock.steady_ns();
        let _ = beside::page(PEER_AT, path);
        if every != EAGER {
            sleep(every.saturating_sub(Duration::from_nanos(clock.steady_ns() - began_ns)));
        }
    }
}

/// The collector is on nobody's port: all that is seen stays in the spool, as in an outage.
fn plan_text<'c>(every: Duration, checks: impl Iterator<Item = (String, &'c str)>) -> String {
    let mut text = format!(
        "agent: bench\nsecret: {}\nlisten: \"{METRICS}\"\nuplinks:\n  - {{line: any, ssid: 2, stamp: \"127.0.0.1:8862\", \
         collector: \"http://127.0.0.1:8443\"}}\ncredentials:{CREDENTIALS}\nchecks:\n",
        "00".repeat(32)
    );
    let every = every.as_millis();
    for (nth, (target, credential)) in checks.enumerate() {
        let _ = writeln!(
            text,
            "  - {{name: s{nth}, probe: snmp, target: \"{target}\", every: {every}ms, timeout: 2s, with: {{credential: {credential}}}}}"
        );
    }
    text
}
