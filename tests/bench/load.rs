//! `load [WINDOWS]`: the memory and CPU of an agent that asks all that a large site has, beside the exporters that ask the
//! same; and of a typical commune's agent, beside an idle zabbix_agent2.
//!
//! ```text
//! large     1,000 ICMP, 100 TCP and 100 HTTP each 10 s, 50 switches of 24 ports each 30 s, the machine itself each 10 s
//!           beside blackbox_exporter + snmp_exporter + node_exporter, scraped for each target as often
//! commune   50 checks each 10 s (20 ICMP, 15 TCP, 15 HTTP), 5 switches each 30 s, two uplinks with their STAMP streams
//!           beside zabbix_agent2 with nothing to do
//! ```
//!
//! All in a network namespace of its own. The collector is on nobody's port, so history stays in the spool and liveness
//! packets go unanswered, as in an outage: the dearest state. Memory is read at the end of each window.

use anyhow::Context;
use haidang_daemon::clock::Clock;
use haidang_tests::beside::{self, Running};
use haidang_tests::figures::said;
use haidang_tests::process::{self, Cost, Named, load};
use haidang_tests::stage::wait;
use haidang_tests::switch::{IF_TABLE, IF_X_TABLE};
use haidang_tests::switches::{self, Columns, Switches};
use haidang_tests::targets::Targets;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{Scope, scope, sleep};
use std::time::Duration;

const WINDOWS: u64 = 5;
const WINDOW: Duration = Duration::from_secs(12);
/// Profiles picked, every target asked more than once, caches filled.
const WARM_UP: Duration = Duration::from_secs(40);
/// How often switches are read, and everything else.
const SWITCH_EVERY: Duration = Duration::from_secs(30);
const EVERY: Duration = Duration::from_secs(10);
/// Scrapes under way at once of one exporter.
const ASKERS: usize = 8;
const METRICS: &str = "127.0.0.1:19158";
const BLACKBOX: (&str, &str) = ("prometheus-blackbox-exporter", "127.0.0.1:19125");
const SNMP: (&str, &str) = ("prometheus-snmp-exporter", "127.0.0.1:19126");
const NODE: (&str, &str) = ("prometheus-node-exporter", "127.0.0.1:19127");
const ZABBIX: &str = "zabbix_agent2";
const MODULES: &str = "modules:\n  icmp: {prober: icmp, timeout: 2s, icmp: {preferred_ip_protocol: ip4}}\n  \
     tcp: {prober: tcp, timeout: 2s}\n  http: {prober: http, timeout: 2s, http: {preferred_ip_protocol: ip4}}\n";
/// What the agent reads of every device's interfaces.
const COLUMNS: [Columns; 2] = [(&IF_X_TABLE, &[1, 6, 10, 15, 19]), (&IF_TABLE, &[7, 8, 13, 14, 19, 20])];

/// What is asked.
struct Site {
    icmp: usize,
    pages: usize,
    switches: usize,
    ports: u32,
    uplinks: u16,
}

const LARGE: Site = Site { icmp: 1_000, pages: 200, switches: 50, ports: 24, uplinks: 1 };
const COMMUNE: Site = Site { icmp: 20, pages: 30, switches: 5, ports: 24, uplinks: 2 };

fn main() -> anyhow::Result<()> {
    let windows = said(WINDOWS)?;
    if beside::elsewhere("", windows)? { Ok(()) } else { measure(windows as usize) }
}

fn measure(windows: usize) -> anyhow::Result<()> {
    let (clock, folder) = (Clock::machine()?, tempfile::tempdir().context("make a folder")?);
    let bench = Bench { clock, folder: folder.path(), windows };
    println!("The agent is {}; least / median / most of {windows} windows.\n", beside::agent()?.display());
    bench.large()?;
    bench.commune()
}

struct Bench<'a> {
    clock: Clock,
    folder: &'a Path,
    windows: usize,
}

impl Bench<'_> {
    fn large(&self) -> anyhow::Result<()> {
        println!("## A large site, and three exporters\n\nload average {} before\n", load());
        let (targets, switches) = self.there(&LARGE)?;
        let theirs = self.exporters(&targets, &switches)?;
        let own = self.agent(&LARGE, &targets, &switches)?;
        let rss = |costs: &[Cost]| costs.iter().filter_map(|cost| cost.rss_mib.median()).sum::<f64>();
        let cpu = |costs: &[Cost]| costs.iter().map(|cost| cost.whole_ms_s).sum::<f64>();
        print_costs(&[&own[..], &theirs[..]].concat());
        println!(
            "\nhaidang-agent : the three together: memory {:.1} : {:.1} MiB = {:.3}, CPU {:.2} : {:.2} ms/s = {:.3}",
            rss(&own),
            rss(&theirs),
            rss(&own) / rss(&theirs),
            cpu(&own),
            cpu(&theirs),
            cpu(&own) / cpu(&theirs)
        );
        println!("load average {} after\n", load());
        Ok(())
    }

    fn commune(&self) -> anyhow::Result<()> {
        println!("## A typical commune, and zabbix_agent2 idle\n\nload average {} before\n", load());
        let (targets, switches) = self.there(&COMMUNE)?;
        let file = self.folder.join("zabbix.conf");
        fs::write(&file, "Server=127.0.0.1\nListenPort=19128\nHostname=bench\nLogType=console\n")?;
        let mut zabbix = Command::new(ZABBIX);
        let zabbix = start(zabbix.arg("-f").arg("-c").arg(&file), ZABBIX)?;
        let named = [(ZABBIX, zabbix.0.id())];
        sleep(WARM_UP);
        let theirs = process::costs(&named, self.windows, WINDOW, &self.clock)?;
        drop(zabbix);
        let own = self.agent(&COMMUNE, &targets, &switches)?;
        print_costs(&[own, theirs].concat());
        println!("\nload average {} after", load());
        Ok(())
    }

    fn there(&self, site: &Site) -> anyhow::Result<(Targets, Switches)> {
        let targets = Targets::start(site.pages, &self.clock).context("open listeners")?;
        Ok((targets, Switches::start(site.switches, site.ports, None)?))
    }

    fn agent(&self, site: &Site, targets: &Targets, switches: &Switches) -> anyhow::Result<Vec<Cost>> {
        let data = tempfile::tempdir_in(self.folder).context("make a folder")?;
        let plan = data.path().join("agent.yml");
        fs::write(&plan, plan_text(site, targets, switches))?;
        let mut agent = Command::new(beside::agent()?);
        // As its unit has it started.
        agent
            .env("MALLOC_ARENA_MAX", "1")
            .args(["run", "--log", "error", "--config"])
            .arg(&plan)
            .arg("--data")
            .arg(data.path().join("kept"));
        let agent = start(&mut agent, "haidang-agent")?;
        let over = AtomicBool::new(false);
        let costs = scope(|threads| {
            threads.spawn(|| {
                while !over.load(Relaxed) {
                    let _ = beside::page(METRICS, "/metrics");
                    sleep(EVERY);
                }
            });
            sleep(WARM_UP);
            let costs = process::costs(&[("haidang-agent", agent.0.id())], self.windows, WINDOW, &self.clock);
            over.store(true, Relaxed);
            costs
        })?;
        let page = beside::page(METRICS, "/metrics")?;
        let good = beside::succeeded(&page);
        println!("{good} of {} checks succeed", site.icmp + site.pages + site.switches + 1);
        Ok(costs)
    }

    fn exporters(&self, targets: &Targets, switches: &Switches) -> anyhow::Result<Vec<Cost>> {
        let (blackbox, snmp) = (self.folder.join("blackbox.yml"), self.folder.join("snmp.yml"));
        fs::write(&blackbox, MODULES)?;
        fs::write(&snmp, switches::module(&COLUMNS))?;
        let config = |file: &Path| vec![format!("--config.file={}", file.display())];
        let programs = [(BLACKBOX, config(&blackbox)), (SNMP, config(&snmp)), (NODE, Vec::new())];
        let mut running = Vec::new();
        for ((name, at), arguments) in programs {
            let listen = format!("--web.listen-address={at}");
            running
                .push(start(Command::new(name).args(arguments).args([&listen, "--log.level=error"]), name)?);
            wait(name, 20, || Ok(beside::page(at, "/").ok().map(drop)))?;
        }
        let named: Vec<Named> =
            [BLACKBOX.0, SNMP.0, NODE.0].into_iter().zip(running.iter().map(|one| one.0.id())).collect();
        let pages = (0..targets.count()).map(|number| match targets.page(number) {
            Some(url) => format!("/probe?module=http&target={url}"),
            None => format!("/probe?module=tcp&target={}", targets.address(number)),
        });
        let probes: Vec<String> = addresses(&LARGE)
            .map(|target| format!("/probe?module=icmp&target={target}"))
            .chain(pages)
            .collect();
        let walks: Vec<String> =
            switches.at.iter().map(|at| format!("/snmp?module=ports&target={at}")).collect();
        let over = AtomicBool::new(false);
        scope(|threads| {
            let scraped = ["/metrics".to_owned()];
            ask(threads, BLACKBOX.1, &probes, EVERY, &over);
            ask(threads, SNMP.1, &walks, SWITCH_EVERY, &over);
            ask(threads, NODE.1, &scraped, EVERY, &over);
            sleep(WARM_UP);
            let costs = process::costs(&named, self.windows, WINDOW, &self.clock);
            over.store(true, Relaxed);
            costs
        })
    }
}

fn start(command: &mut Command, name: &str) -> anyhow::Result<Running> {
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Ok(Running(started.with_context(|| format!("start {name}, a package of Debian"))?))
}

/// Asks for all paths once in `every`, by [`ASKERS`] threads at most.
fn ask<'s>(
    threads: &'s Scope<'s, '_>,
    at: &'static str,
    paths: &[String],
    every: Duration,
    over: &'s AtomicBool,
) {
    let askers = ASKERS.min(paths.len());
    for nth in 0..askers {
        let own: Vec<String> = paths.iter().skip(nth).step_by(askers).cloned().collect();
        let pause = every / own.len() as u32;
        threads.spawn(move || {
            for path in own.iter().cycle() {
                if over.load(Relaxed) {
                    return;
                }
                let _ = beside::page(at, path);
                sleep(pause);
            }
        });
    }
}

fn addresses(site: &Site) -> impl Iterator<Item = String> {
    (0..site.icmp).map(|nth| format!("127.1.{}.{}", nth / 250, 1 + nth % 250))
}

fn plan_text(site: &Site, targets: &Targets, switches: &Switches) -> String {
    let mut text =
        format!("agent: bench\nsecret: \"{}\"\nlisten: \"{METRICS}\"\nuplinks:\n", "00".repeat(32));
    for nth in 0..site.uplinks {
        let (line, ssid) = (nth + 1, 2 * nth + 2);
        let _ = writeln!(
            text,
            "  - {{line: \"l{line}\", ssid: {ssid}, stamp: \"127.0.0.1:8862\", collector: \"http://127.0.0.1:8443\"}}"
        );
    }
    text += "credentials:\n  - {id: open, version: 2c, community: public}\nchecks:\n  - {name: machine, probe: machine, every: 10s}\n";
    text += &targets.checks(&format!("{}s", EVERY.as_secs()), 2);
    for (nth, address) in addresses(site).enumerate() {
        let _ = writeln!(
            text,
            "  - {{name: i{nth}, probe: icmp, target: {address}, every: {}s}}",
            EVERY.as_secs()
        );
    }
    for (nth, at) in switches.at.iter().enumerate() {
        let every = SWITCH_EVERY.as_secs();
        let _ = writeln!(
            text,
            "  - {{name: s{nth}, probe: snmp, target: \"{at}\", every: {every}s, timeout: 5s, with: {{credential: open}}}}"
        );
    }
    text
}

fn print_costs(costs: &[Cost]) {
    println!("| program | CPU, ms/s | RSS, MiB | anonymous, MiB |\n|---|--:|--:|--:|");
    for Cost { name, cpu_ms_s, rss_mib, anonymous_mib, .. } in costs {
        println!("| {name} | {cpu_ms_s:.2} | {rss_mib:.1} | {anonymous_mib:.1} |");
    }
}
