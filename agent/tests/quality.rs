//! An uplink's quality over real cables: a link that is made narrow, and one that swallows long packets.
//!
//! ```text
//!   agent  v0 10.78.0.1 ──────── veth ──────── 10.78.0.2 v1  centre, in a network namespace of its own
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failure here is the test's")]

use haidang_agent::expose::Board;
use haidang_agent::liveness::{self, Liveness};
use haidang_agent::place::Finder;
use haidang_agent::timestamps::Timestamps;
use haidang_agent::uplink::{Uplink, meter::Meter};
use haidang_daemon::clock::Clock;
use haidang_daemon::datagrams::{self, Inbox};
use haidang_daemon::stop::{self, Stopper};
use haidang_probe::check::Span;
use haidang_probe::event::{Event, EventKind, Field};
use haidang_probe::liveness::{Key, MAX_PACKET, Reflector, TTL_UNKNOWN};
use haidang_probe::metric::Metric;
use haidang_probe::outcome::Outcome;
use haidang_probe::plan;
use std::fs::File;
use std::net::UdpSocket;
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Set for the part of a test that runs in a network of its own.
const INSIDE: &str = "HAIDANG_INSIDE";
const SSID: u16 = 40;
const KEY: [u8; 32] = [7; 32];
/// Between two measurements.
const EVERY: Duration = Duration::from_secs(5);
/// What anything may take before it counts as never: a search of a length has a second a round.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs this test again with a network of its own, unless it is there already; false where that cannot be.
fn in_a_network_of_its_own(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let probe = Command::new("unshare").args(["-n", "ip", "link"]).stdout(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        eprintln!("{test} skipped: a network of its own needs root and iproute2");
        return false;
    }
    let mut again = Command::new("unshare");
    again
        .arg("-n")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1");
    assert!(again.status().unwrap().success(), "{test} inside its namespace");
    false
}

fn sh(command: &str) {
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
}

/// The machine at the other end.
struct Centre(Child);

impl Centre {
    fn connect() -> Centre {
        let centre = Centre(Command::new("unshare").args(["-n", "sleep", "600"]).spawn().unwrap());
        let namespace = centre.0.id().to_string();
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        while std::fs::read_link(format!("/proc/{namespace}/ns/net")).unwrap() == own {
            std::thread::sleep(Duration::from_millis(10));
        }
        sh("ip link set lo up && ip link add v0 type veth peer name v1");
        sh(&format!("ip link set v1 netns {namespace}"));
        sh("ip addr add 10.78.0.1/24 dev v0 && ip link set v0 up");
        centre.sh("ip addr add 10.78.0.2/24 dev v1 && ip link set v1 up");
        centre
    }

    fn sh(&self, command: &str) {
        sh(&format!("nsenter -t {} -n sh -c '{command}'", self.0.id()));
    }

    /// Reflects from here on, in a thread that lives there.
    fn reflect(&self) {
        let space = File::open(format!("/proc/{}/ns/net", self.0.id())).unwrap();
        let (ready, is_ready) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(move || {
            rustix::thread::move_into_link_name_space(space.as_fd(), None).unwrap();
            let socket = UdpSocket::bind("10.78.0.2:8862").unwrap();
            datagrams::stamped(socket.as_fd()).unwrap();
            datagrams::unbroken(socket.as_fd(), true).unwrap();
            ready.send(()).unwrap();
            reflect(&socket);
        });
        is_ready.recv().unwrap();
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// As the collector does: stamped by the kernel, answered with as many octets.
fn reflect(socket: &UdpSocket) {
    let timestamps = Timestamps::of(&Clock::machine().unwrap());
    let mut reflector = Reflector::new(&[9; 32]);
    reflector.allow(SSID, Key::new(&KEY));
    let mut inbox = Inbox::<1, MAX_PACKET>::default();
    loop {
        let mut came = None;
        let received = inbox.receive(socket.as_fd(), false, |message| {
            came = Some((message.packet.to_vec(), message.from.unwrap(), message.stamp_ns));
        });
        let (Ok(_), Some((packet, from, stamp_ns))) = (received, came) else {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        };
        let arrived = timestamps.arrived(stamp_ns);
        if let Ok(reflected) = reflector.receive(&packet, TTL_UNKNOWN, &arrived, &timestamps.now()) {
            let _ = socket.send_to(&reflected.into_reply(), from);
        }
    }
}

struct Site {
    outcomes: mpsc::Receiver<Outcome>,
    events: mpsc::Receiver<Event>,
    _stopper: Stopper,
}

fn start() -> Site {
    let plan = plan::Uplink {
        line: "a".into(),
        ssid: SSID,
        stamp: "10.78.0.2:8862".parse().unwrap(),
        collector: "http://127.0.0.1:1".into(),
        pin: None,
        source: None,
        interface: None,
        every: Span(Duration::from_millis(200)),
        metered: false,
        budget_mb: None,
    };
    let uplink = Arc::new(Uplink::new(&plan, Some("token"), &Finder::default(), None).unwrap());
    let (events, events_in) = mpsc::channel(64);
    let (outcomes, outcomes_in) = mpsc::channel(64);
    let (digests, _) = mpsc::channel(1);
    let (stopper, stop) = stop::pair();
    let liveness = Liveness {
        clock: Clock::machine().unwrap(),
        uplink,
        events,
        digests,
        outcomes,
        measure_every: EVERY,
        board: Board::default(),
        meter: Meter::default(),
        wake: Arc::default(),
    };
    tokio::spawn(liveness::run(liveness, (Key::new(&KEY), None), stop));
    Site { outcomes: outcomes_in, events: events_in, _stopper: stopper }
}

impl Site {
    /// What the next measurement tells of these.
    async fn measured<const N: usize>(&mut self, metrics: [Metric; N]) -> [Option<f64>; N] {
        let outcome = tokio::time::timeout(PATIENCE, self.outcomes.recv()).await.expect("in time").unwrap();
        let samples = outcome.samples;
        metrics.map(|metric| samples.iter().find(|sample| sample.metric == metric).map(|sample| sample.value))
    }

    /// The first event of this kind: octets and reason.
    async fn told(&mut self, kind: EventKind) -> (String, String) {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("in time").unwrap();
            if event.kind == kind {
                let said = |field| event.says(field).unwrap_or_default().to_owned();
                return (said(Field::Count), said(Field::Reason));
            }
        }
    }
}

fn near(rate: Option<f64>, megabits: f64) -> bool {
    rate.is_some_and(|rate| (rate / 1e6 - megabits).abs() < 0.2 * megabits)
}

#[tokio::test]
async fn a_bottleneck_is_found_within_a_fifth_each_way() {
    if !in_a_network_of_its_own("a_bottleneck_is_found_within_a_fifth_each_way") {
        return;
    }
    let centre = Centre::connect();
    centre.reflect();
    let rates = [Metric::BottleneckUp, Metric::BottleneckDown, Metric::BottleneckDownLeast];
    for (up, down) in [(10.0, None), (10.0, Some(3.0)), (50.0, Some(10.0))] {
        sh(&format!("tc qdisc replace dev v0 root tbf rate {up}mbit burst 1540 latency 400ms"));
        match down {
            Some(down) => {
                centre.sh(&format!(
                    "tc qdisc replace dev v1 root tbf rate {down}mbit burst 1540 latency 400ms"
                ));
            }
            None => centre.sh("tc qdisc del dev v1 root 2>/dev/null || true"),
        }
        let mut site = start();
        let [found_up, found_down, least] = site.measured(rates).await;
        assert!(near(found_up, up), "{up} Mbit/s up, {found_up:?} found");
        match down {
            Some(down) => assert!(near(found_down, down), "{down} Mbit/s down, {found_down:?} found"),
            None => assert!(found_down.is_none() && near(least, up), "{found_down:?}, at least {least:?}"),
        }
    }
}

#[tokio::test]
async fn a_way_that_swallows_long_packets_is_told_with_its_length() {
    if !in_a_network_of_its_own("a_way_that_swallows_long_packets_is_told_with_its_length") {
        return;
    }
    let centre = Centre::connect();
    centre.reflect();
    let mut site = start();
    assert_eq!(site.measured([Metric::PathMtu]).await, [Some(1500.0)]);
    // What is longer than 1400 octets with its IP header arrives nowhere, and nobody says so.
    centre.sh("nft add table ip hole");
    centre.sh("nft \"add chain ip hole in { type filter hook prerouting priority -300; }\"");
    centre.sh("nft add rule ip hole in ip length gt 1400 drop");
    assert_eq!(site.told(EventKind::PathShrank).await, ("1400".into(), "black-hole".into()));
    let mut longest = site.measured([Metric::PathMtu]).await;
    while longest == [Some(1500.0)] {
        // Measured before the hole was there.
        longest = site.measured([Metric::PathMtu]).await;
    }
    assert_eq!(longest, [Some(1400.0)]);
    centre.sh("nft delete table ip hole");
    assert_eq!(site.told(EventKind::PathWhole).await.0, "1500");
}
