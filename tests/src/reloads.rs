//! Many reloads of a real collector and a real agent: none missed, a bad one never in the place of a good one,
//! nothing left behind.
//!
//! Each version of the record has another switch to ask by SNMP, each after the other is gone.
//!
//! After each edit `/metrics` must come to say the digest of what stands on disk, or that it is not in use. At the end
//! series, open files and memory are held against those at the beginning.

use crate::console::Console;
use crate::edits::{Editor, What};
use crate::process::usage;
use crate::stage::{Stage, wait};
use crate::switch::{Request, Table};
use anyhow::{Context, ensure};
use haidang_daemon::clock::Clock;
use haidang_daemon::reload::digest;
use haidang_probe::key::hex;
use std::collections::BTreeSet;
use std::fmt;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

/// Site of the agent.
const SITE: &str = "28249-tt";
/// What the edits of the collector's directory and of the agent's file are drawn from: the same in each run.
const SEEDS: [u64; 2] = [0x5eed_0001, 0x5eed_0002];
/// Edits before the first figures: what is opened once is open then.
const WARM: u64 = 20;
/// Longest a reload may take, seconds.
const PATIENCE: u32 = 20;
/// How long nothing may happen after an edit that changes nothing.
const QUIET: Duration = Duration::from_millis(150);
const LOOK: Duration = Duration::from_millis(10);

const PROVINCE: &str = r#"
province: {code: "82", name: Đồng Tháp}
communes:
  - {code: "28249", name: Đạo Thạnh, kind: phường, valid_from: 2025-07-01}
carriers: [{id: vnpt, name: VNPT}]
hand_offs: [{id: vnpt-1, name: Cổng VNPT, carrier: vnpt}]
collector:
  console: {listen: "127.0.0.1:8080"}
  agents: {listen: "127.0.0.1:8443", plain: true}
  stamp: {listen: "127.0.0.1:8862"}
credentials:
  - {id: lan, version: 2c, community: public}
"#;

/// What is not held against the beginning: comments, and what is measured of an uplink once a minute, whose first time may
/// come after it.
const MEASURED: [&str; 4] = ["#", "path_mtu_bytes{", "train_", "bottleneck_"];

/// Ports of each switch.
const PORTS: u32 = 24;

/// Switches that answer until the program ends; where they do.
fn switches() -> anyhow::Result<Vec<SocketAddr>> {
    let mut table = Table::new(90_000);
    (1..=PORTS).for_each(|port| table.interface(port, &format!("ge-0/0/{port}"), 1_000_000));
    let table = Arc::new(table);
    let start = |_| {
        let socket = UdpSocket::bind("127.0.0.1:0").context("open a switch's socket")?;
        let (at, table) = (socket.local_addr()?, table.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let Some(request) = Request::read(&buffer[..length]) else { continue };
                let _ = socket.send_to(&table.answer(&request), from);
            }
        });
        Ok(at)
    };
    (0..3).map(start).collect()
}

/// The file that is edited: the site and its checks, another one in each version, and another switch.
fn sites(version: u64, switches: &[SocketAddr]) -> String {
    let switch = switches[version as usize % switches.len()];
    format!(
        "sites:
  - {{id: trung-tam, name: Trung tâm, kind: core}}
  - id: {SITE}
    name: Trụ sở {version}
    commune: \"28249\"
    observe: gateway
    needs: {{any_of: [\"28249-1\"]}}
    lines: [{{id: \"28249-1\", carrier: vnpt, hand_off: vnpt-1, circuit: DTP-VNPT-000001}}]
    checks:
      - {{name: uptime, probe: uptime, every: 1s}}
      - {{name: version-{version}, probe: uptime, every: 1s}}
      - {{name: switch-{version}, probe: snmp, target: \"{switch}\", every: 1s, with: {{credential: lan}}}}
"
    )
}

/// What a program holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Holds {
    /// Series in `/metrics`, without their values; the version and the switch of an edit are left out of their labels.
    pub series: BTreeSet<String>,
    /// Open files.
    pub files: u64,
    /// Resident memory, MiB.
    pub rss_mib: f64,
}

/// What became of the edits, of collector and agent.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Edits made: good, bad, and such that change nothing.
    pub edits: [u64; 3],
    /// Time from a good edit to the new digest, ms, in order.
    pub took_ms: Vec<f64>,
    /// Before and after, of collector and agent.
    pub holds: [(Holds, Holds); 2],
    /// From the last edit of the record to the agent that runs it, s.
    pub delivered_s: f64,
}

/// A program whose files are edited.
struct Edited {
    metrics: Console,
    /// The configuration: a directory, or a file.
    path: PathBuf,
    editor: Editor,
    process: u32,
    good: String,
}

impl Edited {
    /// The digest in use, and whether the last reading was good.
    fn says(&self) -> anyhow::Result<(String, bool)> {
        let text = self.text()?;
        let digest = text.split_once("haidang_config_info{digest=\"").and_then(|(_, rest)| rest.get(..64));
        let good = text.contains("haidang_config_last_reload_successful 1");
        Ok((digest.context("no digest in /metrics")?.to_owned(), good))
    }

    fn text(&self) -> anyhow::Result<String> {
        let (status, text) = self.metrics.request("GET", "/metrics", "")?;
        ensure!(status == 200, "/metrics: {status}");
        Ok(text)
    }

    fn holds(&self) -> anyhow::Result<Holds> {
        let text = self.text()?;
        let series = text.lines().filter(|line| !MEASURED.iter().any(|name| line.starts_with(name)));
        let series = series.map(timeless).collect();
        let files = text.lines().find_map(|line| line.strip_prefix("process_open_fds "));
        let files: f64 = files.context("no process_open_fds")?.parse()?;
        Ok(Holds { series, files: files as u64, rss_mib: usage(self.process)?.rss_mib })
    }

    /// Makes an edit and waits for what must follow; how long a good one took, ms.
    fn edit(&mut self, good: impl Fn(u64) -> String, clock: &Clock, told: &mut Told) -> anyhow::Result<()> {
        let (before, was_good) = self.says()?;
        let what = self.editor.edit(good)?;
        let done_ns = clock.steady_ns();
        match what {
            What::Good => {
                told.edits[0] += 1;
                self.taken()?;
                told.took_ms.push((clock.steady_ns() - done_ns) as f64 / 1e6);
            }
            What::Bad => {
                told.edits[1] += 1;
                self.until("a bad edit to be told", |says| !says.1)?;
                ensure!(self.says()? == (before, false), "a bad edit replaced a good one");
            }
            What::Same | What::Nudge => {
                told.edits[2] += 1;
                sleep(QUIET);
                // A write in two steps is bad for a moment, and good again once it is whole.
                self.until("nothing to change", |says| *says == (before.clone(), was_good))?;
            }
        }
        Ok(())
    }

    /// Waits until what stands on disk is in use.
    fn taken(&mut self) -> anyhow::Result<()> {
        let wanted = hex(&digest(&self.path));
        self.until("a good edit to be taken over", |says| *says == (wanted.clone(), true))?;
        self.good = wanted;
        Ok(())
    }

    fn until(&self, what: &str, fits: impl Fn(&(String, bool)) -> bool) -> anyhow::Result<()> {
        for _ in 0..PATIENCE * 100 {
            if fits(&self.says()?) {
                return Ok(());
            }
            sleep(LOOK);
        }
        let says = self.says()?;
        anyhow::bail!("waited {PATIENCE} s for {what} in {}: it says {says:?}", self.path.display())
    }
}

/// The name and labels of a line of `/metrics`, the same whichever version is in use.
fn timeless(line: &str) -> String {
    let series = line.rsplit_once(' ').map_or(line, |(series, _)| series);
    let edited = |label: &str| {
        ["check=\"version-", "check=\"switch-", "target=\"127.0.0.1:", "digest=\""]
            .iter()
            .any(|key| label.contains(key))
    };
    let labels = series.split(',').map(|label| match label.split_once("=\"") {
        Some((key, _)) if edited(label) => key,
        _ => label,
    });
    labels.collect::<Vec<_>>().join(",")
}

/// Makes so many edits on stage `number`, half of the collector's directory and half of the agent's file.
///
/// # Errors
/// When an edit is missed, a bad one is taken over, or a program fails.
pub fn rehearse(number: u8, edits: u64) -> anyhow::Result<Told> {
    let clock = Clock::machine()?;
    let switches = switches()?;
    let sites = |version| sites(version, &switches);
    let mut stage = Stage::with(number, SITE, &format!("{PROVINCE}{}", sites(0)))?;
    let directory = PathBuf::from(stage.configuration());
    std::fs::write(directory.join("province.yml"), stage.own(PROVINCE))?;
    std::fs::write(directory.join("sites.yml"), sites(0))?;
    let listen = format!("127.0.0.1:{}", stage.stamp_port() + 3);
    stage.change_plan(|plan| plan.listen = listen.parse().ok())?;
    let own = std::fs::read_to_string(stage.plan_file())?;
    let console = stage.start_collector()?;
    stage.start_agent()?;
    let [Some(collector), Some(agent), _] = stage.processes() else { anyhow::bail!("not everything runs") };
    let edited = |path: PathBuf, file: PathBuf, metrics: Console, process: u32, seed: u64| Edited {
        editor: Editor::new(file, process, seed),
        metrics,
        path,
        process,
        good: String::new(),
    };
    let file = PathBuf::from(stage.plan_file());
    let metrics = Console { address: listen, token: String::new() };
    let mut collector =
        edited(directory.clone(), directory.join("sites.yml"), console.clone(), collector, SEEDS[0]);
    let mut agent = edited(file.clone(), file, metrics, agent, SEEDS[1]);
    wait("the agent's metrics", PATIENCE, || agent.says().map(Some))?;

    let flush = |version: u64| own.replace("flush: 1s", &format!("flush: {}ms", 1_000 + version));
    let mut told = Told::default();
    let edited = (&sites as &dyn Fn(u64) -> String, &flush as &dyn Fn(u64) -> String);
    run(&mut collector, &mut agent, WARM, edited, &clock, &mut told)?;
    let before = settled(&mut collector, &mut agent, edited)?;
    told = Told::default();
    run(&mut collector, &mut agent, edits, edited, &clock, &mut told)?;
    let after = settled(&mut collector, &mut agent, edited)?;
    told.holds = [(before.0, after.0), (before.1, after.1)];
    told.delivered_s = delivered(&mut collector, &agent, edited, &clock)?;
    told.took_ms.sort_by(f64::total_cmp);
    Ok(told)
}

/// The next version of the record, and of the agent's file.
type Edits<'a> = (&'a dyn Fn(u64) -> String, &'a dyn Fn(u64) -> String);

fn run(
    collector: &mut Edited,
    agent: &mut Edited,
    edits: u64,
    (sites, flush): Edits<'_>,
    clock: &Clock,
    told: &mut Told,
) -> anyhow::Result<()> {
    for nth in 0..edits {
        let made =
            if nth % 2 == 0 { collector.edit(sites, clock, told) } else { agent.edit(flush, clock, told) };
        made.with_context(|| format!("edit {nth} of {edits}"))?;
    }
    Ok(())
}

/// What both hold once both run something good and the agent has its plan again.
fn settled(
    collector: &mut Edited,
    agent: &mut Edited,
    (sites, flush): Edits<'_>,
) -> anyhow::Result<(Holds, Holds)> {
    agent.editor.good(flush)?;
    agent.taken()?;
    collector.editor.good(sites)?;
    collector.taken()?;
    runs(collector, agent)?;
    sleep(Duration::from_secs(3));
    Ok((collector.holds()?, agent.holds()?))
}

/// From one more edit of the record to the agent that runs it, s.
fn delivered(
    collector: &mut Edited,
    agent: &Edited,
    (sites, _): Edits<'_>,
    clock: &Clock,
) -> anyhow::Result<f64> {
    collector.editor.good(sites)?;
    let began_ns = clock.steady_ns();
    runs(collector, agent)?;
    Ok((clock.steady_ns() - began_ns) as f64 / 1e9)
}

/// Waits until the agent runs the checks of the record.
fn runs(collector: &Edited, agent: &Edited) -> anyhow::Result<()> {
    let version = collector.editor.version();
    let check = format!("check=\"version-{version}\"");
    // The switch has told all: its ports' octets are shown, and those of no other.
    let ports = format!("ifHCInOctets{{check=\"switch-{version}\"");
    wait(&format!("the agent to run {check} and the switch's"), PATIENCE * 2, || {
        let text = agent.text()?;
        let told = text.matches(&ports).count() == PORTS as usize
            && text.matches("ifHCInOctets{").count() == PORTS as usize;
        Ok((text.contains(&check) && told && text.contains("source=\"collector\"")).then_some(()))
    })
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [good, bad, nothing] = self.edits;
        let at = |share: f64| self.took_ms.get(((self.took_ms.len().max(1) - 1) as f64 * share) as usize);
        let ms = |share| at(share).copied().unwrap_or_default();
        writeln!(f, "| what | value |\n|---|--:|")?;
        writeln!(f, "| edits: good, bad, such that change nothing | {good}, {bad}, {nothing} |")?;
        writeln!(
            f,
            "| from a good edit to the new digest, ms: median, p99, most | {:.0}, {:.0}, {:.0} |",
            ms(0.5),
            ms(0.99),
            ms(1.0)
        )?;
        writeln!(f, "| from an edit of the record to the agent that runs it, s | {:.1} |", self.delivered_s)?;
        for (name, (before, after)) in ["collector", "agent"].iter().zip(&self.holds) {
            writeln!(
                f,
                "| {name}: series before, after | {}, {} |",
                before.series.len(),
                after.series.len()
            )?;
            for (sign, series) in [
                ("gone", before.series.difference(&after.series)),
                ("new", after.series.difference(&before.series)),
            ] {
                series.into_iter().try_for_each(|series| writeln!(f, "| {name}: {sign} | {series} |"))?;
            }
            writeln!(f, "| {name}: open files before, after | {}, {} |", before.files, after.files)?;
            writeln!(
                f,
                "| {name}: resident MiB before, after | {:.1}, {:.1} |",
                before.rss_mib, after.rss_mib
            )?;
        }
        Ok(())
    }
}
