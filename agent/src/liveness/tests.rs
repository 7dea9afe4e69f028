use super::*;
use crate::place::Finder;
use haidang_probe::check::Span;
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
    board: Board,
    stopper: haidang_daemon::stop::Stopper,
}

fn start(collector: SocketAddr, source: Option<IpAddr>) -> Site {
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
        metered: false,
        budget_mb: None,
    };
    let uplink = Arc::new(Uplink::new(&plan, Some("token"), &Finder::default(), None).unwrap());
    let (sender, events) = mpsc::channel(8);
    let (digests, _) = mpsc::channel(1);
    let (board, key) = (Board::default(), Key::new(&[7; 32]));
    let (stopper, stop) = haidang_daemon::stop::pair();
    let liveness = Liveness {
        clock,
        uplink,
        events: sender,
        digests,
        board: board.clone(),
        meter: Meter::default(),
        wake: Arc::default(),
    };
    tokio::spawn(run(liveness, (key.clone(), None), stop));
    Site { ssid: plan.ssid, key, events, board, stopper }
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
            Reflected::Challenged { reply, .. } => reply,
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
