//! Syslog messages and traps a second on one core, ours against net-snmp's snmptrapd; and 10 000 000 mutated datagrams.
//!
//! ```text
//! BIN=… cargo bench -p haidang-tests --bench listen [-- PAIRS MUTANTS]
//! ```
//!
//! Each pair sends [`DATAGRAMS`] traps to snmptrapd and then to us, and as many syslog messages to us, over loopback, held
//! back so that none waits for long. What counts is CPU time of the receiver's thread or process per datagram it took:
//! a core's worth of it is what the table gives. It measures and asserts nothing but that the mutants did no harm.

use haidang_agent::listen::{ear::Ear, frame::Frames, netlink, syslog, trap};
use haidang_daemon::clock::Clock;
use haidang_probe::event::Event;
use haidang_tests::mutants::{Mutants, TRAP};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::sync::mpsc;

/// Datagrams of one run.
const DATAGRAMS: u32 = 100_000;
/// Sent at once before the sender pauses: less than the smallest receive buffer holds.
const AT_ONCE: u32 = 100;
/// Between two of those: what even the slowest receiver here keeps up with.
const PAUSE: Duration = Duration::from_millis(5);
/// Nanoseconds of a tick of `/proc/PID/stat`.
const TICK_NS: u64 = 10_000_000;

const MESSAGE: &[u8] =
    b"<38>Nov 22 10:00:00 gw sshd[7712]: Failed password for root from 10.0.0.9 port 40022 ssh2";

fn main() {
    let mut said = std::env::args().skip(1).filter_map(|word| word.parse::<u64>().ok());
    let (pairs, mutants) = (said.next().unwrap_or(5), said.next().unwrap_or(10_000_000));
    let mut figures: [Vec<f64>; 3] = Default::default();
    for _ in 0..pairs {
        figures[0].extend(snmptrapd());
        figures[1].push(ours(TRAP, Kind::Traps));
        figures[2].push(ours(MESSAGE, Kind::Syslog));
    }
    for (name, figures) in ["snmptrapd, traps", "ours, traps", "ours, syslog"].into_iter().zip(&mut figures) {
        let Some(us) = median(figures) else {
            println!("{name:18} not here");
            continue;
        };
        println!("{name:18} {us:8.2} µs CPU a datagram   {:9.0} a second on one core", 1e6 / us);
    }
    if let (Some(theirs), Some(own)) = (median(&mut figures[0]), median(&mut figures[1])) {
        println!("ours / snmptrapd   {:8.2}", own / theirs);
    }
    mutate(mutants);
}

fn median(figures: &mut [f64]) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

/// What listens.
#[derive(Clone, Copy)]
enum Kind {
    Traps,
    Syslog,
}

/// CPU time per datagram of our listener, µs, with all it does: reading, class, ear, event.
fn ours(datagram: &'static [u8], kind: Kind) -> f64 {
    let (address, at) = std::sync::mpsc::channel();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let receiver = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let (events, mut heard) = mpsc::channel::<Event>(4096);
            let ear = Ear::new(Clock::machine().expect("a clock"), events, "bench");
            let anywhere: SocketAddr = "127.0.0.1:0".parse().expect("an address");
            let drain = async { while heard.recv().await.is_some() {} };
            match kind {
                Kind::Traps => {
                    let directory = tempfile::tempdir().expect("a folder");
                    let settings = trap::Settings { address: anywhere, credentials: Vec::new() };
                    let receiver = trap::receiver(&settings, directory.path()).await.expect("a receiver");
                    address.send(receiver.local_addr()).expect("the bench waits");
                    let hears = trap::hear_notifications(&receiver, &ear);
                    tokio::select! { _ = hears => {}, () = drain => {}, _ = ended => {} }
                }
                Kind::Syslog => {
                    let socket = tokio::net::UdpSocket::bind(anywhere).await.expect("a socket");
                    address.send(socket.local_addr().expect("its address")).expect("the bench waits");
                    let hears = syslog::hear_datagrams(&socket, &ear);
                    tokio::select! { _ = hears => {}, () = drain => {}, _ = ended => {} }
                }
            }
        });
        own_cpu_ns()
    });
    let to = at.recv().expect("the receiver stands");
    send(datagram, to);
    let _ = end.send(());
    let spent = receiver.join().expect("the receiver lives");
    spent as f64 / 1e3 / f64::from(DATAGRAMS)
}

/// CPU time of this thread so far.
fn own_cpu_ns() -> u64 {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    spent.tv_sec as u64 * 1_000_000_000 + spent.tv_nsec as u64
}

fn send(datagram: &[u8], to: SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for sent in 0..DATAGRAMS {
        // One that the receiver's buffer has no room for is lost, as on any network.
        let _ = socket.send_to(datagram, to);
        if sent % AT_ONCE == 0 {
            std::thread::sleep(PAUSE);
        }
    }
    std::thread::sleep(Duration::from_millis(500));
}

/// CPU time per datagram of snmptrapd that only logs to nowhere, µs; none where it is not installed.
fn snmptrapd() -> Option<f64> {
    let to: SocketAddr = UdpSocket::bind("127.0.0.1:0").ok()?.local_addr().ok()?;
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
        .spawn()
        .ok()?;
    std::thread::sleep(Duration::from_secs(1));
    let before = cpu_ns(&peer)?;
    send(TRAP, to);
    let spent = cpu_ns(&peer)?.saturating_sub(before);
    peer.kill().ok()?;
    peer.wait().ok()?;
    Some(spent as f64 / 1e3 / f64::from(DATAGRAMS))
}

/// User and system time of a process (proc(5), fields 14 and 15).
fn cpu_ns(process: &Child) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).ok()?;
    let after_name = stat.rsplit_once(") ")?.1;
    let ticks = after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    Some(ticks.sum::<u64>() * TICK_NS)
}

/// Every mutant goes through each reader; the receiver of traps gets a share of them over loopback.
fn mutate(count: u64) {
    let (address, at) = std::sync::mpsc::channel();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let receiver = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let (events, mut heard) = mpsc::channel::<Event>(4096);
            let ear = Ear::new(Clock::machine().expect("a clock"), events, "bench");
            let anywhere = "127.0.0.1:0".parse().expect("an address");
            let directory = tempfile::tempdir().expect("a folder");
            let settings = trap::Settings { address: anywhere, credentials: Vec::new() };
            let receiver = trap::receiver(&settings, directory.path()).await.expect("a receiver");
            address.send(receiver.local_addr()).expect("the bench waits");
            let drain = async { while heard.recv().await.is_some() {} };
            let hears = trap::hear_notifications(&receiver, &ear);
            tokio::select! { ended = hears => panic!("the receiver ended: {ended:?}"), () = drain => {}, _ = ended => {} }
        });
    });
    let to = at.recv().expect("the receiver stands");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let (mut mutants, mut read_well) = (Mutants::new(2026), 0_u64);
    for turn in 0..count {
        let seed = if turn % 2 == 0 { MESSAGE } else { TRAP };
        let mutant = mutants.of(seed);
        read_well += u64::from(syslog::read(&mutant).is_some());
        Frames::default().take(&mutant, |_| {});
        netlink::read(&mutant, |_| {});
        let _ = socket.send_to(&mutant, to);
    }
    std::thread::sleep(Duration::from_millis(500));
    assert!(!receiver.is_finished(), "the receiver lives");
    let _ = end.send(());
    receiver.join().expect("the receiver did not panic");
    println!("{count} mutated datagrams, {read_well} of them read as syslog: no crash");
}
