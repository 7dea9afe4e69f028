//! `web [PAIRS]`: what a TCP and an HTTPS probe cost haidang-agent, with history on disk and `/metrics` scraped, and what
//! they cost blackbox_exporter, back to back, against one server.
//!
//! ```text
//! haidang-agent         asks each target once a second, and is scraped twice a window
//! blackbox_exporter     is asked for each target once a second, over connections that stay open, as a Prometheus asks
//! ```
//!
//! The server is this bench itself: it closes a TCP connection at once, and speaks TLS (one self-signed certificate, new
//! handshakes only) and a page of 8 KiB. It counts connections: a probe is one of them. Neither side judges the issuer.

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use haidang_daemon::clock::Clock;
use haidang_daemon::listen::TlsFiles;
use haidang_tests::beside::{self, Running};
use haidang_tests::figures::{Figures, said};
use haidang_tests::process::{self, load};
use haidang_tests::stage::{root, wait};
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::{sleep, spawn};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

const PAIRS: u64 = 5;
/// Before a window: every target asked at least twice.
const WARM_UP: Duration = Duration::from_secs(4);
const WINDOW: Duration = Duration::from_secs(10);
/// Octets of the page.
const PAGE: usize = 8 << 10;
/// Connections over which the exporter is asked.
const ASKERS: usize = 20;
const PEER: &str = "prometheus-blackbox-exporter";
const PEER_AT: &str = "127.0.0.1:19115";
const METRICS: &str = "127.0.0.1:19157";
const MODULES: &str = "modules:\n  tcp: {prober: tcp, timeout: 2s}\n  http: {prober: http, timeout: 2s, \
     http: {preferred_ip_protocol: ip4, tls_config: {insecure_skip_verify: true}}}\n";

/// One kind of probe and how much of it.
struct Kind {
    name: &'static str,
    module: &'static str,
    targets: usize,
    at: &'static str,
    goal: f64,
}

const KINDS: [Kind; 2] = [
    Kind { name: "TCP", module: "tcp", targets: 500, at: "127.0.0.1:19480", goal: 0.15 },
    Kind { name: "HTTPS", module: "http", targets: 200, at: "127.0.0.1:19443", goal: 0.5 },
];

impl Kind {
    fn target(&self) -> String {
        if self.module == "tcp" { self.at.into() } else { format!("https://{}/", self.at) }
    }
}

/// What one side cost in a window.
struct Seen {
    us_a_probe: f64,
    probes_a_second: f64,
    rss_mib: f64,
}

fn main() -> anyhow::Result<()> {
    let pairs = said(PAIRS)?;
    if beside::elsewhere("", pairs)? { Ok(()) } else { measure(pairs) }
}

fn measure(pairs: u64) -> anyhow::Result<()> {
    let (clock, folder) = (Clock::machine()?, tempfile::tempdir().context("make a folder")?);
    let served = serve()?;
    println!("## TCP and HTTPS probes, each target once a second\n");
    println!(
        "{pairs} pairs, back to back; windows of {} s; load average {} before.",
        WINDOW.as_secs(),
        load()
    );
    println!("The agent is {}.\n", beside::agent()?.display());
    println!("| | CPU, µs a probe | probes a second | RSS, MiB |\n|---|--:|--:|--:|");
    for kind in &KINDS {
        let mut ratios = Figures::default();
        for pair in 1..=pairs {
            let peer = blackbox(&clock, folder.path(), kind, &served)?;
            show(PEER, kind, pair, &peer);
            let own = agent(&clock, folder.path(), kind, &served)?;
            show("haidang-agent", kind, pair, &own);
            ratios.push(own.us_a_probe / peer.us_a_probe);
        }
        let Kind { name, goal, .. } = kind;
        println!(
            "\nCPU time a {name} probe, haidang-agent : {PEER} = {ratios:.3} (least / median / most; goal {goal})\n"
        );
    }
    println!("load average {} after", load());
    Ok(())
}

fn show(side: &str, kind: &Kind, pair: u64, seen: &Seen) {
    let Seen { us_a_probe, probes_a_second, rss_mib } = seen;
    println!("| {side}, {} {pair} | {us_a_probe:.1} | {probes_a_second:.0} | {rss_mib:.1} |", kind.name);
}

/// Serves on a thread of its own; how many connections came.
fn serve() -> anyhow::Result<Arc<AtomicU64>> {
    let acceptor = TlsFiles { certificate: "localhost.pem".into(), key: "localhost.key".into() }
        .acceptor(&root().join("daemon/fixtures"))?;
    let came = Arc::new(AtomicU64::new(0));
    let count = came.clone();
    let runtime = runtime::Builder::new_current_thread().enable_all().build().context("start the server")?;
    let listen = |at| runtime.block_on(TcpListener::bind(at)).with_context(|| format!("listen on {at}"));
    let (plain, tls) = (listen(KINDS[0].at)?, listen(KINDS[1].at)?);
    let page = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {PAGE}\r\n\r\n{}",
        "x".repeat(PAGE)
    );
    let page = Bytes::from(page);
    spawn(move || {
        runtime.block_on(async move {
            loop {
                tokio::select! {
                    Ok(_closed) = plain.accept() => {
                        count.fetch_add(1, Relaxed);
                    }
                    Ok((stream, _)) = tls.accept() => {
                        count.fetch_add(1, Relaxed);
                        let (acceptor, page) = (acceptor.clone(), page.clone());
                        tokio::spawn(async move {
                            let Ok(mut stream) = acceptor.accept(stream).await else { return };
                            if stream.read(&mut [0; 4096]).await.is_ok_and(|octets| octets > 0) {
                                let _ = stream.write_all(&page).await;
                                let _ = stream.shutdown().await;
                            }
                        });
                    }
                }
            }
        });
    });
    Ok(came)
}

/// Looks on for a window of the process.
fn window(
    clock: &Clock,
    process: u32,
    served: &AtomicU64,
    last: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Seen> {
    let read = || anyhow::Ok((clock.steady_ns(), process::usage(process)?, served.load(Relaxed)));
    let before = read()?;
    sleep(WINDOW);
    last()?;
    let after = read()?;
    let (probes, seconds) = (after.2 - before.2, (after.0 - before.0) as f64 / 1e9);
    ensure!(probes > 0, "nobody was asked");
    Ok(Seen {
        us_a_probe: (after.1.cpu_ms - before.1.cpu_ms) * 1e3 / probes as f64,
        probes_a_second: probes as f64 / seconds,
        rss_mib: after.1.rss_mib,
    })
}

fn blackbox(clock: &Clock, folder: &Path, kind: &Kind, served: &AtomicU64) -> anyhow::Result<Seen> {
    let file = folder.join("blackbox.yml");
    fs::write(&file, MODULES)?;
    let mut command = Command::new(PEER);
    command
        .arg(format!("--web.listen-address={PEER_AT}"))
        .arg("--log.level=error")
        .arg("--config.file")
        .arg(&file);
    let started = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
    let peer =
        Running(started.with_context(|| format!("start {PEER}; it is Debian's package of that name"))?);
    wait("the exporter to listen", 20, || Ok(beside::page(PEER_AT, "/-/healthy").ok().map(drop)))?;
    let path = format!("/probe?module={}&target={}", kind.module, kind.target());
    let failed = Arc::new(AtomicU64::new(0));
    let asking = runtime::Builder::new_current_thread().enable_all().build()?;
    let (count, gap) = (failed.clone(), Duration::from_secs(ASKERS as u64) / kind.targets as u32);
    let asking = spawn(move || asking.block_on(ask_all(&path, gap, &count)));
    sleep(WARM_UP);
    let seen = window(clock, peer.0.id(), served, || Ok(()));
    let failed = failed.load(Relaxed);
    // Whoever asks ends with the exporter.
    drop(peer);
    let _ = asking.join();
    ensure!(failed == 0, "{failed} probes of the exporter failed");
    seen
}

/// Asks the exporter over all connections, one behind the other, as scrapes are spread.
async fn ask_all(path: &str, gap: Duration, failed: &Arc<AtomicU64>) {
    let mut asking = JoinSet::new();
    for nth in 0..ASKERS as u32 {
        let (path, failed) = (path.to_owned(), failed.clone());
        asking.spawn(async move {
            tokio::time::sleep(gap * nth / ASKERS as u32).await;
            if ask(&path, gap, &failed).await.is_err() {
                failed.fetch_add(1, Relaxed);
            }
        });
    }
    while asking.join_next().await.is_some() {}
}

/// Asks the exporter again and again over one connection.
async fn ask(path: &str, gap: Duration, failed: &AtomicU64) -> anyhow::Result<()> {
    let stream = TcpStream::connect(PEER_AT).await?;
    stream.set_nodelay(true)?;
    let (mut send, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut turns = tokio::time::interval(gap);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let request = Request::get(path).header("host", PEER_AT).body(Empty::<Bytes>::new())?;
        let page = send.send_request(request).await?.into_body().collect().await?.to_bytes();
        if !page.windows(16).any(|line| line == b"\nprobe_success 1") {
            failed.fetch_add(1, Relaxed);
        }
    }
}

fn agent(clock: &Clock, folder: &Path, kind: &Kind, served: &AtomicU64) -> anyhow::Result<Seen> {
    let (plan, kept) = (folder.join("agent.yml"), folder.join("kept"));
    fs::write(&plan, plan_text(kind))?;
    let _ = fs::remove_dir_all(&kept);
    let mut command = Command::new(beside::agent()?);
    command.args(["run", "--log", "error", "--config"]).arg(&plan).arg("--data").arg(&kept);
    let agent = Running(command.stdin(Stdio::null()).spawn().context("start haidang-agent")?);
    sleep(WARM_UP);
    beside::page(METRICS, "/metrics")?;
    let mut page = String::new();
    let seen = window(clock, agent.0.id(), served, || {
        page = beside::page(METRICS, "/metrics")?;
        Ok(())
    })?;
    let good = beside::succeeded(&page);
    if good < kind.targets {
        bail!("{good} of {} checks succeeded", kind.targets);
    }
    Ok(seen)
}

/// The collector is on nobody's port: all that is seen stays in the spool, as in an outage.
fn plan_text(kind: &Kind) -> String {
    let mut text = format!(
        "agent: bench\nsecret: \"{}\"\nlisten: \"{METRICS}\"\nuplinks:\n  - {{line: any, ssid: 2, stamp: \"127.0.0.1:8862\", \
         collector: \"http://127.0.0.1:8443\"}}\nchecks:\n",
        "00".repeat(32)
    );
    let with = if kind.module == "http" { ", with: {any_issuer: true, name: localhost}" } else { "" };
    for nth in 0..kind.targets {
        let (module, target) = (kind.module, kind.target());
        let _ = writeln!(
            text,
            "  - {{name: t{nth}, probe: {module}, target: \"{target}\", every: 1s, timeout: 2s{with}}}"
        );
    }
    text
}
