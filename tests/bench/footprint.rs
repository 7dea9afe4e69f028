//! `footprint [agent|province]`: what the programs cost, over several windows after a warm-up: a gateway's agent with
//! 50 checks at 10 s and two uplinks, beside blackbox_exporter asked the same where it is installed; then the
//! rehearsal province.

use anyhow::{Context, bail};
use haidang_daemon::clock::Clock;
use haidang_tests::console::Console;
use haidang_tests::evidence;
use haidang_tests::gateway;
use haidang_tests::process::{self, Cost, Named, load};
use haidang_tests::stage::{Stage, wait};
use haidang_tests::targets::Targets;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

/// Time for caches, connections and estimates to settle.
const WARM_UP: Duration = Duration::from_secs(30);
/// Windows, and how long each is.
const WINDOWS: usize = 6;
const WINDOW: Duration = Duration::from_secs(25);
/// The agent's checks.
const CHECKS: usize = 50;
const EVERY: Duration = Duration::from_secs(10);
/// Stages of this bench.
const AGENT_STAGE: u8 = 28;
const PROVINCE_STAGE: u8 = 29;
/// The peer, Debian's package of the same name, and where it answers.
const PEER: &str = "prometheus-blackbox-exporter";
const PEER_PORT: u16 = 20_285;
const PEER_MODULES: &str =
    "modules:\n  tcp: {prober: tcp, timeout: 5s}\n  http: {prober: http, timeout: 5s}\n";

fn main() -> anyhow::Result<()> {
    let said = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let clock = Clock::machine()?;
    let which = said.as_deref().unwrap_or("both");
    if !["agent", "province", "both"].contains(&which) {
        bail!("`{which}` is neither `agent` nor `province`");
    }
    if which != "province" {
        agent(&clock)?;
    }
    if which != "agent" {
        province(&clock)?;
    }
    Ok(())
}

fn agent(clock: &Clock) -> anyhow::Result<()> {
    let targets = Arc::new(Targets::start(CHECKS, clock)?);
    let mut stage = gateway::stage(AGENT_STAGE, &targets, &format!("{}s", EVERY.as_secs()))?;
    let console = stage.start_collector()?;
    stage.start_agent()?;
    both_uplinks(&console)?;
    let peer = Peer::start(&stage, &targets)?;
    sleep(WARM_UP);
    let before = (load(), asked(&targets), peer.as_ref().map(Peer::answered));
    let [_, agent, _] = stage.processes();
    let mut named: Vec<Named> = vec![("haidang-agent", agent.context("no agent")?)];
    named.extend(peer.as_ref().map(|peer| (PEER, peer.process.id())));
    let costs = process::costs(&named, WINDOWS, WINDOW, clock)?;
    both_uplinks(&console)?;
    println!("## An agent with {CHECKS} checks at {} s and two uplinks\n", EVERY.as_secs());
    print_costs(&costs, &before.0);
    let seconds = WINDOW.as_secs_f64() * WINDOWS as f64;
    let answered = peer.as_ref().map_or(0, Peer::answered) - before.2.unwrap_or(0);
    let own = asked(&targets) - before.1 - answered;
    println!("\nRuns a second in the windows: {:.2} by haidang-agent", own as f64 / seconds);
    if let [own, peer] = &costs[..] {
        let ratio = own.whole_ms_s / peer.whole_ms_s;
        println!("Runs a second answered by {PEER}: {:.2}", answered as f64 / seconds);
        println!("CPU time, haidang-agent : {PEER} = {ratio:.2} : 1");
    } else {
        println!("{PEER} is not installed: no peer was measured");
    }
    Ok(())
}

fn province(clock: &Clock) -> anyhow::Result<()> {
    let mut stage = Stage::new(PROVINCE_STAGE)?;
    let console = stage.start()?;
    sleep(WARM_UP);
    let before = (load(), evidence::octets(&stage.collector_folder())?, clock.steady_ns());
    let names = ["haidang-collector", "haidang-agent (core)", "haidang-world"];
    let named = names.into_iter().zip(stage.processes());
    let named: Vec<Named> = named.filter_map(|(name, pid)| Some((name, pid?))).collect();
    let costs = process::costs(&named, WINDOWS, WINDOW, clock)?;
    let seconds = (clock.steady_ns() - before.2) as f64 / 1e9;
    let grown = evidence::octets(&stage.collector_folder())? - before.1;
    println!("\n## The rehearsal province\n");
    print_costs(&costs, &before.0);
    println!(
        "\nevidence grew by {grown} octets in {seconds:.0} s: {:.1} MiB a day",
        evidence::mib_a_day(grown, seconds)
    );
    println!("Incidents in that time: {}", console.incidents()?.len());
    Ok(())
}

fn print_costs(costs: &[Cost], load_before: &str) {
    let (windows, seconds, after) = (WINDOWS, WINDOW.as_secs(), load());
    println!(
        "{windows} windows of {seconds} s after {} s; least / median / most; load average {load_before} before and {after} after.\n",
        WARM_UP.as_secs()
    );
    println!("| program | CPU, ms/s | CPU over all windows, ms/s | RSS, MiB | anonymous, MiB |");
    println!("|---|--:|--:|--:|--:|");
    for Cost { name, cpu_ms_s, whole_ms_s, rss_mib, anonymous_mib } in costs {
        println!("| {name} | {cpu_ms_s:.2} | {whole_ms_s:.2} | {rss_mib:.1} | {anonymous_mib:.1} |");
    }
}

fn asked(targets: &Targets) -> u64 {
    targets.asked().iter().map(Vec::len).sum::<usize>() as u64
}

/// Both lines of the gateway's site are up: two uplinks are truly in use.
fn both_uplinks(console: &Console) -> anyhow::Result<()> {
    wait("both lines to be up", 60, || {
        let state = console.get("/api/v1/state")?;
        let sites = state["sites"].as_array().context("no sites")?;
        let site = sites.iter().find(|site| site["id"] == gateway::SITE).context("no site of the agent")?;
        let lines = site["lines"].as_array().context("no lines")?;
        Ok((lines.len() == 2 && lines.iter().all(|line| line["state"] == "up")).then_some(()))
    })
}

/// blackbox_exporter, asked for each target each [`EVERY`], as a Prometheus server would.
struct Peer {
    process: Child,
    answered: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Peer {
    /// `None` where it is not installed.
    fn start(stage: &Stage, targets: &Arc<Targets>) -> anyhow::Result<Option<Peer>> {
        let (modules, address) = (stage.path("blackbox.yml"), format!("127.0.0.1:{PEER_PORT}"));
        std::fs::write(&modules, PEER_MODULES)?;
        let command = &mut Command::new(PEER);
        command.arg(format!("--config.file={modules}")).arg(format!("--web.listen-address={address}"));
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(process) = started else { return Ok(None) };
        let console = Console { address, token: String::new() };
        let peer = Peer { process, answered: Arc::default(), over: Arc::default() };
        wait("the peer to answer", 30, || {
            Ok(console.request("GET", "/-/healthy", "").is_ok_and(|(status, _)| status == 200).then_some(()))
        })?;
        let (targets, answered, over) = (targets.clone(), peer.answered.clone(), peer.over.clone());
        thread::spawn(move || {
            for number in (0..targets.count()).cycle() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let path = match targets.page(number) {
                    Some(url) => format!("/probe?module=http&target={url}"),
                    None => format!("/probe?module=tcp&target={}", targets.address(number)),
                };
                let well =
                    |(status, body): (u16, String)| status == 200 && body.contains("\nprobe_success 1");
                if console.request("GET", &path, "").is_ok_and(well) {
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                sleep(EVERY / CHECKS as u32);
            }
        });
        Ok(Some(peer))
    }

    fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
