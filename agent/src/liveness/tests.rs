use super::*;
use crate::place::Finder;
use haidang_probe::check::{CheckId, Span};
use haidang_probe::metric::Metric;
use haidang_probe::moment::BootId;
use haidang_probe::plan;
use std::net::IpAddr;

const SECOND: u64 = 1_000_000_000;

fn at(second: u64) -> (u64, Moment) {
    (second * SECOND, Moment { boot: BootId([1; 16]), mono_ns: second * SECOND })
}

#[test]
fn silence_and_its_end_are_told_once_and_dated() {
    let (start_ns, start) = at(0);
    let mut ears = Ears::new(start_ns, start, Duration::from_secs(3));
    assert_eq!(ears.silence(at(2).0), None, "too early to tell");
    assert_eq!(ears.heard(at(2).0, at(2).1), Some((EventKind::LivenessHeard, at(2).1)));
    assert_eq!(ears.heard(at(3).0, at(3).1), None);
    assert_eq!(ears.silence(at(5).0), None);
    assert_eq!(ears.silence(at(6).0), Some((EventKind::LivenessSilent, at(3).1)));
    assert_eq!(ears.silence(at(60).0), None);
    assert_eq!(ears.heard(at(61).0, at(61).1), Some((EventKind::LivenessHeard, at(61).1)));
}

#[test]
fn a_collector_never_heard_is_silent_since_the_start() {
    let (start_ns, start) = at(0);
    assert_eq!(
        Ears::new(start_ns, start, Duration::from_secs(3)).silence(at(3).0),
        Some((EventKind::LivenessSilent, start))
    );
}

struct Site {
    ssid: u16,
    key: Key,
    events: mpsc::Receiver<Event>,
    outcomes: mpsc::Receiver<Outcome>,
    board: Board,
    stopper: haidang_daemon::stop::Stopper,
}

fn start(collector: SocketAddr, source: Option<IpAddr>) -> Site {
    start_one(collector, source, Duration::from_secs(60), false)
}

fn start_one(collector: SocketAddr, source: Option<IpAddr>, measure_every: Duration, metered: bool) -> Site {
    let clock = Clock::machine().unwrap();
    let plan = plan::Uplink {
        line: "any".into(),
        ssid: 40,
        stamp: collector,
        collector: "http://127.0.0.1:1".into(),
        pin: None,
        source,
        interface: None,
        every: Span(plan::EVERY),
        metered,
        budget_mb: None,
    };
    let uplink = Arc::new(Uplink::new(&plan, Some("token"), &Finder::default(), None).unwrap());
    let (sender, events) = mpsc::channel(8);
    let (digests, _) = mpsc::channel(1);
    let (measured, outcomes) = mpsc::channel(8);
    let names = [crate::uplink::name(&plan)];
    let (board, key) = (Board::default(), Key::new(&[7; 32]));
    board.plan([], &names);
    let (stopper, stop) = haidang_daemon::stop::pair();
    let liveness = Liveness {
        clock,
        uplink,
        events: sender,
        digests,
        outcomes: measured,
        measure_every,
        board: board.clone(),
        meter: Meter::default(),
        wake: Arc::default(),
    };
    tokio::spawn(run(liveness, (key.clone(), None), stop));
    Site { ssid: plan.ssid, key, events, outcomes, board, stopper }
}

#[tokio::test]
async fn both_sessions_live_on_one_socket() {
    let collector = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut site = start(collector.local_addr().unwrap(), Some("127.0.0.9".parse().unwrap()));
    let timestamps = Timestamps::of(&Clock::machine().unwrap());
    let mut up = Reflector::new(&[9; 32]);
    up.allow(site.ssid, site.key.clone());
    let mut down = Sender::new(down_session(site.ssid), site.key.clone(), 77);
    let mut packet = [0; MAX_PACKET];
    let (mut up_heard, mut down_heard) = (false, false);
    while !(up_heard && down_heard) {
        let (length, from) = collector.recv_from(&mut packet).await.unwrap();
        assert_eq!(from.ip().to_string(), "127.0.0.9", "from the source the plan says");
        let now = timestamps.now();
        if !up.serves(&packet[..length]) {
            down_heard |= down.receive(&packet[..length], &now).unwrap().peer_count.is_some();
            continue;
        }
        let reply = match up.receive(&packet[..length], TTL_UNKNOWN, &now, &now).unwrap() {
            Reflected::Heard { reply, .. } => {
                up_heard = true;
                reply
            }
            other => other.into_reply(),
        };
        collector.send_to(&reply, from).await.unwrap();
        let (_, request) = down.next(&now);
        collector.send_to(&request, from).await.unwrap();
    }
    let event = site.events.recv().await.unwrap();
    assert_eq!((event.kind, event.part.as_str()), (EventKind::LivenessHeard, "any/40"));
    assert!(site.board.round_trip_of("any/40").is_some());
    site.stopper.stop();
}

#[tokio::test]
async fn garbage_and_other_keys_are_not_the_collector() {
    let collector = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut site = start(collector.local_addr().unwrap(), None);
    let mut packet = [0; MAX_PACKET];
    let (length, from) = collector.recv_from(&mut packet).await.unwrap();
    let now = Timestamps::of(&Clock::machine().unwrap()).now();
    let mut stranger = Sender::new(down_session(site.ssid), Key::new(&[8; 32]), 1);
    let (_, forged) = stranger.next(&now);
    for datagram in [&b"garbage"[..], &packet[..length], &forged, &[0; MAX_PACKET]] {
        collector.send_to(datagram, from).await.unwrap();
    }
    // The next packet is the next request: none of these was answered.
    let (length, _) = collector.recv_from(&mut packet).await.unwrap();
    let mut up = Reflector::new(&[9; 32]);
    up.allow(site.ssid, site.key.clone());
    assert!(up.receive(&packet[..length], TTL_UNKNOWN, &now, &now).is_ok());
    assert!(site.events.try_recv().is_err());
}

/// Reflects what comes until `enough` says so of a packet's length.
async fn reflect(collector: &UdpSocket, (ssid, key): (u16, Key), enough: impl Fn(usize) -> bool) {
    let timestamps = Timestamps::of(&Clock::machine().unwrap());
    let mut up = Reflector::new(&[9; 32]);
    up.allow(ssid, key);
    let mut packet = [0; MAX_PACKET];
    loop {
        let (length, from) = collector.recv_from(&mut packet).await.unwrap();
        let now = timestamps.now();
        let reply = up.receive(&packet[..length], TTL_UNKNOWN, &now, &now).unwrap().into_reply();
        collector.send_to(&reply, from).await.unwrap();
        if enough(length) {
            return;
        }
    }
}

#[tokio::test]
async fn quality_is_measured_and_is_an_outcome_of_the_line() {
    let collector = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut site = start_one(collector.local_addr().unwrap(), None, Duration::from_secs(1), false);
    let outcome = tokio::select! {
        () = reflect(&collector, (site.ssid, site.key.clone()), |_| false) => None,
        outcome = site.outcomes.recv() => outcome,
    };
    let outcome = outcome.unwrap();
    assert_eq!((outcome.check, outcome.result.is_ok()), (CheckId::of_line("any"), true));
    let value =
        |metric| outcome.samples.iter().find(|sample| sample.metric == metric).map(|sample| sample.value);
    assert_eq!((value(Metric::PathMtu), value(Metric::TrainLoss)), (Some(1500.0), Some(0.0)));
    let metrics = haidang_daemon::metrics::Metrics::new();
    site.board.register(&metrics);
    assert!(metrics.text().unwrap().contains("path_mtu_bytes{uplink=\"any/40\"} 1500"));
}

#[tokio::test]
async fn a_metered_uplink_measures_no_quality() {
    let collector = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let site = start_one(collector.local_addr().unwrap(), None, Duration::from_millis(1), true);
    let long =
        reflect(&collector, (site.ssid, site.key.clone()), |length| length > haidang_probe::liveness::PACKET);
    assert!(tokio::time::timeout(Duration::from_millis(2_500), long).await.is_err());
}
