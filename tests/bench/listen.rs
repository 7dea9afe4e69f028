//! `listen [PAIRS] [MUTANTS]`: CPU time a trap and a syslog message cost, ours against net-snmp's snmptrapd, and
//! 10,000,000 mutated datagrams.
//!
//! Each pair sends [`DATAGRAMS`] traps to snmptrapd and then to us, and as many syslog messages to us, over loopback, in
//! bursts with pauses, so that buffers overflow seldom. What counts is the CPU time of the receiver (its process, or its
//! thread here) per datagram that its socket took: those the kernel dropped are taken off. A core's worth of that is the
//! rate. It asserts nothing but that the mutants did no harm.

use anyhow::{Context, ensure};
use haidang_agent::listen::{ear::Ear, frame::Frames, netlink, syslog, trap};
use haidang_daemon::clock::Clock;
use haidang_tests::figures::Figures;
use haidang_tests::mutants::{Mutants, TRAP};
use rustix::time::{ClockId, clock_gettime};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Datagrams of one run.
const DATAGRAMS: u64 = 100_000;
/// Sent at once before the sender pauses: less than the smallest receive buffer holds.
const AT_ONCE: u64 = 100;
/// Between two bursts: what the slowest receiver here keeps up with.
const PAUSE: Duration = Duration::from_millis(5);
/// For what still waits in a socket to be read.
const REST: Duration = Duration::from_millis(500);
/// Nanoseconds of a tick of `/proc/PID/stat` (`USER_HZ` is 100 on every Linux).
const TICK_NS: u64 = 10_000_000;

const MESSAGE: &[u8] =
    b"<38>Nov 22 10:00:00 gw sshd[7712]: Failed password for root from 10.0.0.9 port 40022 ssh2";

fn main() -> anyhow::Result<()> {
    let mut said = std::env::args().skip(1).filter_map(|word| word.parse::<u64>().ok());
    let (pairs, mutants) = (said.next().unwrap_or(5), said.next().unwrap_or(10_000_000));
    let (mut theirs, mut traps, mut messages) = (Figures::default(), Figures::default(), Figures::default());
    for _ in 0..pairs {
        theirs.push(snmptrapd().context("snmptrapd (Debian package snmptrapd)")?);
        traps.push(ours(Kind::Traps)?);
        messages.push(ours(Kind::Syslog)?);
    }
    println!("{:18} {:>24} {:>20}", "", "µs CPU a datagram", "a second on one core");
    for (name, figures) in
        [("snmptrapd, traps", &theirs), ("ours, traps", &traps), ("ours, syslog", &messages)]
    {
        let rate = figures.median().map_or(0.0, |us| 1e6 / us);
        println!("{name:18} {:>24} {rate:>20.0}", format!("{figures:.2}"));
    }
    if let (Some(theirs), Some(own)) = (theirs.median(), traps.median()) {
        println!("ours / snmptrapd   {:.2}", own / theirs);
    }
    mutate(mutants)
}

/// What listens.
#[derive(Clone, Copy)]
enum Kind {
    Traps,
    Syslog,
}

/// One of our listeners on a thread of its own, with all it does: reading, class, ear, event.
struct Receiver {
    address: SocketAddr,
    end: oneshot::Sender<()>,
    /// Its CPU time, ns.
    thread: JoinHandle<anyhow::Result<u64>>,
}

impl Receiver {
    fn start(kind: Kind) -> anyhow::Result<Receiver> {
        let (stands, at) = sync_channel(1);
        let (end, ended) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(hear(kind, |address| _ = stands.send(address), ended))?;
            let spent = clock_gettime(ClockId::ThreadCPUTime);
            Ok(spent.tv_sec as u64 * 1_000_000_000 + spent.tv_nsec as u64)
        });
        Ok(Receiver { address: at.recv().context("the receiver stands")?, end, thread })
    }

    /// Its CPU time, ns.
    fn stop(self) -> anyhow::Result<u64> {
        ensure!(!self.thread.is_finished(), "the receiver ended by itself");
        let _ = self.end.send(());
        self.thread.join().ok().context("the receiver panicked")?
    }
}

async fn hear(
    kind: Kind,
    stands: impl FnOnce(SocketAddr),
    ended: oneshot::Receiver<()>,
) -> anyhow::Result<()> {
    let (events, mut heard) = mpsc::channel(4096);
    let ear = Ear::new(Clock::machine()?, events, "bench");
    let anywhere: SocketAddr = "127.0.0.1:0".parse()?;
    let drain = async { while heard.recv().await.is_some() {} };
    match kind {
        Kind::Traps => {
            let directory = tempfile::tempdir()?;
            let settings = trap::Settings { address: anywhere, credentials: Vec::new() };
            let receiver = trap::receiver(&settings, directory.path()).await?;
            stands(receiver.local_addr());
            let hears = trap::hear_notifications(&receiver, &ear);
            tokio::select! { ended = hears => { ended?; }, () = drain => {}, _ = ended => {} }
        }
        Kind::Syslog => {
            let socket = tokio::net::UdpSocket::bind(anywhere).await?;
            stands(socket.local_addr()?);
            let hears = syslog::hear_datagrams(&socket, &ear);
            tokio::select! { ended = hears => { ended?; }, () = drain => {}, _ = ended => {} }
        }
    }
    Ok(())
}

/// CPU time per datagram of our listener, µs.
fn ours(kind: Kind) -> anyhow::Result<f64> {
    let receiver = Receiver::start(kind)?;
    let datagram = if matches!(kind, Kind::Traps) { TRAP } else { MESSAGE };
    let taken = send(datagram, receiver.address)?;
    Ok(receiver.stop()? as f64 / 1e3 / taken as f64)
}

/// CPU time per datagram of snmptrapd, which writes to nowhere, µs.
fn snmptrapd() -> anyhow::Result<f64> {
    let to = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
    let mut peer = Command::new("snmptrapd")
        .args([
            "-f",
            "-n",
            "-C",
            "--disableAuthorization=yes",
            "-Lf",
            "/dev/null",
            "-On",
            &format!("udp:{to}"),
        ])
        .env("SNMPCONFPATH", "/nonexistent")
        .env("MIBS", "")
        .stderr(Stdio::null())
        .spawn()?;
    std::thread::sleep(REST * 2);
    let measured = (|| {
        let before = cpu_ns(&peer)?;
        let taken = send(TRAP, to)?;
        Ok((cpu_ns(&peer)? - before) as f64 / 1e3 / taken as f64)
    })();
    peer.kill()?;
    peer.wait()?;
    measured
}

/// Sends [`DATAGRAMS`]; how many of them the socket at `to` took.
fn send(datagram: &[u8], to: SocketAddr) -> anyhow::Result<u64> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    for sent in 0..DATAGRAMS {
        socket.send_to(datagram, to)?;
        if sent % AT_ONCE == 0 {
            std::thread::sleep(PAUSE);
        }
    }
    std::thread::sleep(REST);
    Ok(DATAGRAMS - dropped(to)?)
}

/// Datagrams the kernel dropped because the socket's buffer was full (the last column of `/proc/net/udp`).
fn dropped(at: SocketAddr) -> anyhow::Result<u64> {
    let port = format!(":{:04X}", at.port());
    let sockets = std::fs::read_to_string("/proc/net/udp")?;
    let line = sockets
        .lines()
        .find(|line| line.split_ascii_whitespace().nth(1).is_some_and(|one| one.ends_with(&port)));
    let drops = line.context("nobody listens at the port")?.split_ascii_whitespace().last();
    drops.context("no drops")?.parse().context("drops")
}

/// User and system time of a process (proc(5), fields 14 and 15).
fn cpu_ns(process: &Child) -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id()))?;
    let (_, after_name) = stat.rsplit_once(") ").context("a process without a name")?;
    let ticks = after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    Ok(ticks.sum::<u64>() * TICK_NS)
}

/// Every mutant goes through each reader here, and is sent to the receiver of traps, which takes what it has room for.
fn mutate(count: u64) -> anyhow::Result<()> {
    let receiver = Receiver::start(Kind::Traps)?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let (mut mutants, mut read_well) = (Mutants::new(2026), 0_u64);
    for turn in 0..count {
        let mutant = mutants.of(if turn % 2 == 0 { MESSAGE } else { TRAP });
        read_well += u64::from(syslog::read(&mutant).is_some());
        Frames::default().take(&mutant, |_| {});
        netlink::read(&mutant, |_| {});
        socket.send_to(&mutant, receiver.address)?;
    }
    std::thread::sleep(REST);
    let taken = count - dropped(receiver.address)?;
    receiver.stop()?;
    println!(
        "{count} mutated datagrams: {read_well} read as syslog, {taken} taken by the receiver of traps, no crash"
    );
    Ok(())
}
