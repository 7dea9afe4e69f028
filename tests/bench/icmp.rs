//! `icmp [PAIRS]`: what an ICMP probe costs haidang-agent, with history on disk and `/metrics` scraped, and what it costs
//! fping, back to back: 5,000 addresses of loopback once a second each.
//!
//! Both run in a network namespace of this bench's own, so the kernel's count of echo requests sent is exactly theirs. On
//! loopback the kernel's reply is made in the sender's context and is in both figures. A true round trip there takes a
//! few microseconds, so what is measured beyond is the measurer's error.

use anyhow::{Context, bail};
use haidang_daemon::clock::Clock;
use haidang_tests::beside::{self, Running};
use haidang_tests::figures::{Figures, said};
use haidang_tests::process::{self, load};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

const TARGETS: usize = 5000;
const PAIRS: u64 = 5;
/// Before a window: sockets open, every target asked at least once.
const WARM_UP: Duration = Duration::from_secs(4);
/// A window, between two scrapes as Prometheus makes them.
const WINDOW: Duration = Duration::from_secs(15);
/// Rounds of fping: warm-up, window and a second to spare.
const ROUNDS: u64 = WARM_UP.as_secs() + WINDOW.as_secs() + 2;
const PEER: &str = "fping";
const METRICS: &str = "127.0.0.1:19155";
/// Unprivileged echoes, as a gateway allows them.
const SETUP: &str = "echo '0 2147483647' > /proc/sys/net/ipv4/ping_group_range &&";

/// What one side cost and measured in a window.
struct Seen {
    us_a_probe: f64,
    probes_a_second: f64,
    lost: u64,
    rss_mib: f64,
    p50_us: f64,
    p99_us: f64,
}

fn main() -> anyhow::Result<()> {
    let pairs = said(PAIRS)?;
    if beside::elsewhere(SETUP, pairs)? { Ok(()) } else { measure(pairs) }
}

fn measure(pairs: u64) -> anyhow::Result<()> {
    let clock = Clock::machine()?;
    let folder = tempfile::tempdir().context("make a folder")?;
    println!("## {TARGETS} ICMP targets of loopback, each once a second\n");
    println!(
        "{pairs} pairs, back to back; windows of {} s; load average {} before.\n",
        WINDOW.as_secs(),
        load()
    );
    println!("The agent is {}.\n", beside::agent()?.display());
    println!("| | CPU, µs a probe | probes a second | lost | RSS, MiB | RTT p50, µs | RTT p99, µs |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    let (mut ratios, mut errors) = (Figures::default(), Figures::default());
    for pair in 1..=pairs {
        let peer = fping(&clock, folder.path())?;
        show(PEER, pair, &peer);
        let own = agent(&clock, &folder.path().join(pair.to_string()))?;
        show("haidang-agent", pair, &own);
        ratios.push(own.us_a_probe / peer.us_a_probe);
        errors.push(own.p99_us / peer.p99_us);
    }
    println!("\nCPU time a probe, haidang-agent : {PEER} = {ratios:.3} (least / median / most)");
    println!("RTT p99, haidang-agent : {PEER} = {errors:.3}");
    println!("load average {} after", load());
    Ok(())
}

fn show(name: &str, pair: u64, seen: &Seen) {
    let Seen { us_a_probe, probes_a_second, lost, rss_mib, p50_us, p99_us } = seen;
    println!(
        "| {name} {pair} | {us_a_probe:.2} | {probes_a_second:.0} | {lost} | {rss_mib:.1} | {p50_us:.1} | {p99_us:.1} |"
    );
}

fn fping(clock: &Clock, folder: &Path) -> anyhow::Result<Seen> {
    let (list, told) = (folder.join("targets"), folder.join("fping"));
    fs::write(&list, targets().collect::<Vec<_>>().join("\n"))?;
    let mut peer = Command::new(PEER)
        .args(["-q", "-i", "0.2", "-p", "1000", "-t", "900", "-C", &ROUNDS.to_string(), "-f"])
        .arg(&list)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&told)?)
        .spawn()
        .with_context(|| format!("start {PEER}; it is Debian's package of that name"))?;
    sleep(WARM_UP);
    let cost = window(clock, peer.id(), || Ok(()))?;
    peer.wait().context("wait for fping")?;
    let trips = fs::read_to_string(&told)?;
    let trips = trips.lines().filter_map(|line| line.split_once(" : "));
    let trips = trips.flat_map(|(_, trips)| trips.split_ascii_whitespace()).filter_map(|ms| ms.parse().ok());
    seen(cost, trips.map(|ms: f64| ms * 1e3).collect())
}

fn agent(clock: &Clock, folder: &Path) -> anyhow::Result<Seen> {
    fs::create_dir(folder)?;
    let plan = folder.join("agent.yml");
    fs::write(&plan, plan_text())?;
    let mut command = Command::new(beside::agent()?);
    command.args(["run", "--log", "warn", "--config"]).arg(&plan).arg("--data").arg(folder.join("kept"));
    let agent = Running(command.stdin(Stdio::null()).spawn().context("start haidang-agent")?);
    sleep(WARM_UP);
    beside::page(METRICS, "/metrics")?;
    let mut page = String::new();
    let cost = window(clock, agent.0.id(), || {
        page = beside::page(METRICS, "/metrics")?;
        Ok(())
    })?;
    if !page.contains("haidang_agent_icmp_dropped_total 0\n") {
        bail!("replies were dropped by the agent's own buffer");
    }
    let trips = page.lines().filter_map(|line| line.strip_prefix("probe_duration_seconds{"));
    let trips = trips.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    seen(cost, trips.map(|seconds| seconds * 1e6).collect())
}

/// What a window showed: CPU time a probe in µs, probes a second, probes not answered, memory in MiB.
type Cost = (f64, f64, u64, f64);

/// Looks on for a window; `last` is part of it.
fn window(clock: &Clock, process: u32, last: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Cost> {
    let read = || anyhow::Ok((clock.steady_ns(), process::usage(process)?, echoes()?));
    let before = read()?;
    sleep(WINDOW);
    last()?;
    let after = read()?;
    let (sent, back) = (after.2.0 - before.2.0, after.2.1 - before.2.1);
    let seconds = (after.0 - before.0) as f64 / 1e9;
    let us_a_probe = (after.1.cpu_ms - before.1.cpu_ms) * 1e3 / sent as f64;
    Ok((us_a_probe, sent as f64 / seconds, sent.saturating_sub(back), after.1.rss_mib))
}

fn seen(cost: Cost, mut trips_us: Vec<f64>) -> anyhow::Result<Seen> {
    let (us_a_probe, probes_a_second, lost, rss_mib) = cost;
    if trips_us.len() < TARGETS * 9 / 10 {
        bail!("{} round trips of {TARGETS} targets", trips_us.len());
    }
    trips_us.sort_by(f64::total_cmp);
    let rank = |percent: usize| trips_us[(trips_us.len() * percent).div_ceil(100) - 1];
    Ok(Seen { us_a_probe, probes_a_second, lost, rss_mib, p50_us: rank(50), p99_us: rank(99) })
}

/// Echo requests sent and echo replies received in this namespace, by the kernel's count.
fn echoes() -> anyhow::Result<(u64, u64)> {
    let table = fs::read_to_string("/proc/net/snmp").context("read /proc/net/snmp")?;
    let mut lines = table.lines().filter_map(|line| line.strip_prefix("IcmpMsg: "));
    let (names, values) = lines.next().zip(lines.next()).unwrap_or_default();
    let value = |name: &str| {
        let mut columns = names.split(' ').zip(values.split(' '));
        columns.find(|column| column.0 == name).map_or(Ok(0), |column| column.1.parse())
    };
    Ok((value("OutType8")?, value("InType0")?))
}

fn targets() -> impl Iterator<Item = String> {
    (0..TARGETS).map(|nth| format!("127.{}.{}.{}", 1 + nth / 62_500, nth / 250 % 250, nth % 250 + 1))
}

/// The collector is on nobody's port: all that is seen stays in the spool, as in an outage.
fn plan_text() -> String {
    let mut text = format!(
        "agent: bench\nsecret: {}\nlisten: \"{METRICS}\"\nuplinks:\n  - {{line: any, ssid: 2, stamp: \"127.0.0.1:8862\", \
         collector: \"http://127.0.0.1:8443\"}}\nchecks:\n",
        "00".repeat(32)
    );
    for target in targets() {
        let _ = writeln!(
            text,
            "  - {{name: t{target}, probe: icmp, target: {target}, every: 1s, timeout: 900ms}}"
        );
    }
    text
}
