//! Paths over real routers, in a network of the test's own. Without root and iproute2 it is told and passed over.
//!
//! ```text
//!                 ┌── r1 ── r2 ──┐
//!   site ── gw ───┤              ├── centre 10.9.9.9, fd00:9::9
//!                 └── r3 ────────┘
//! ```
#![allow(clippy::unwrap_used)]

use haidang_agent::by_id::ById;
use haidang_agent::dial::Origin;
use haidang_agent::expose::Board;
use haidang_agent::icmp::{Echo, Request as Ping};
use haidang_agent::path::route::End;
use haidang_agent::path::watch::{Doubter, Tools};
use haidang_agent::path::wire::Reason;
use haidang_agent::path::{Request, Traced, Tracer};
use haidang_agent::place::Finder;
use haidang_agent::plan::Asked;
use haidang_agent::uplink::{Uplink, meter::Meter};
use haidang_daemon::clock::Clock;
use haidang_probe::ask::Question;
use haidang_probe::check::CheckId;
use haidang_probe::event::{Event, EventKind, Field};
use haidang_probe::moment::Moment;
use haidang_probe::outcome::{Failure, Outcome};
use haidang_tests::network::{Elsewhere, in_a_network_of_its_own, sh};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

const CENTRE: &str = "10.9.9.9";
const CENTRE_V6: &str = "fd00:9::9";

/// The gateway, the routers and the centre; the test stands at the site.
struct Chain {
    gateway: Elsewhere,
    r1: Elsewhere,
    r2: Elsewhere,
    r3: Elsewhere,
    centre: Elsewhere,
}

impl Chain {
    async fn build() -> Chain {
        let [gateway, r1, r2, r3, centre] = [(); 5].map(|()| Elsewhere::new().unwrap());
        sh("ip link set lo up").unwrap();
        for router in [&gateway, &r1, &r2, &r3, &centre] {
            router
                .sh("cd /proc/sys/net && echo 1 > ipv4/ip_forward && echo 1 > ipv6/conf/all/forwarding \
                    && echo 0 > ipv4/icmp_ratelimit && echo 0 > ipv6/icmp/ratelimit")
                .unwrap();
        }
        cable(None, &gateway, 1);
        cable(Some(&gateway), &r1, 2);
        cable(Some(&r1), &r2, 3);
        cable(Some(&r2), &centre, 4);
        cable(Some(&gateway), &r3, 5);
        cable(Some(&r3), &centre, 6);
        centre
            .sh(&format!("ip addr add {CENTRE}/32 dev lo && ip addr add {CENTRE_V6}/128 dev lo nodad"))
            .unwrap();
        routes(None, 1);
        let chain = Chain { gateway, r1, r2, r3, centre };
        routes(Some(&chain.gateway), 2);
        routes(Some(&chain.r1), 3);
        routes(Some(&chain.r2), 4);
        routes(Some(&chain.r3), 6);
        for (router, from) in [(&chain.centre, 4), (&chain.r2, 3), (&chain.r1, 2), (&chain.r3, 5)] {
            back(router, from);
        }
        // The first packets wait until the routers have found each other.
        for target in [CENTRE, CENTRE_V6] {
            while trace(&tracer(), target).await.route.end() != End::Reached {}
        }
        chain
    }

    /// Behind `r1` nobody hears it; or somebody does again.
    fn cut(&self, cut: bool) {
        let to_nobody = "ip neigh replace 10.0.3.2 lladdr 02:00:00:00:00:99 dev a3 nud permanent";
        self.r1.sh(if cut { to_nobody } else { "ip neigh del 10.0.3.2 dev a3" }).unwrap();
    }

    /// From now on the gateway sends by `r3`, in place of `r1`; or the reverse.
    fn turn(&self, cable: u8) {
        self.gateway.sh(&format!("ip route replace {CENTRE} via 10.0.{cable}.2")).unwrap();
    }
}

/// A cable, whose ends have the addresses 1 and 2 of its network; routers are told nothing of it yet.
fn cable(from: Option<&Elsewhere>, to: &Elsewhere, number: u8) {
    sh(&format!("ip link add a{number} type veth peer name b{number}")).unwrap();
    if let Some(from) = from {
        sh(&format!("ip link set a{number} netns {}", from.pid())).unwrap();
    }
    sh(&format!("ip link set b{number} netns {}", to.pid())).unwrap();
    let up = |name: &str, end: u8| {
        format!(
            "ip addr add 10.0.{number}.{end}/24 dev {name} && ip addr add fd00:{number}::{end}/64 dev {name} nodad \
             && ip link set {name} up"
        )
    };
    at(from, &up(&format!("a{number}"), 1));
    at(Some(to), &up(&format!("b{number}"), 2));
}

/// The way to the centre leads over the far end of a cable.
fn routes(from: Option<&Elsewhere>, cable: u8) {
    at(
        from,
        &format!("ip route add {CENTRE} via 10.0.{cable}.2 && ip route add {CENTRE_V6} via fd00:{cable}::2"),
    );
}

/// And back to the site over the near end of one.
fn back(router: &Elsewhere, cable: u8) {
    let command = format!(
        "ip route add 10.0.1.0/24 via 10.0.{cable}.1 && ip route add fd00:1::/64 via fd00:{cable}::1"
    );
    router.sh(&command).unwrap();
}

fn at(place: Option<&Elsewhere>, command: &str) {
    place.map_or_else(|| sh(command), |place| place.sh(command)).unwrap();
}

/// The kernel's own sockets for everybody's echoes, or for nobody's: then a raw one is taken.
fn unprivileged(yes: bool) {
    let range = if yes { "0 2147483647" } else { "1 0" };
    sh(&format!("echo {range} > /proc/sys/net/ipv4/ping_group_range")).unwrap();
}

async fn trace(tracer: &Tracer, target: &str) -> Traced {
    let within = Duration::from_secs(2);
    let request = Request { target: target.parse().unwrap(), hops: 16, origin: Origin::default(), within };
    tracer.trace(&request).await.unwrap()
}

/// What an event says of hop and reason.
fn told(traced: &Traced, kind: EventKind) -> Option<(String, Option<String>)> {
    let events = traced.events("core", true);
    let event = events.iter().find(|event| event.kind == kind)?;
    Some((event.says(Field::Hop)?.to_owned(), event.says(Field::Reason).map(str::to_owned)))
}

fn tracer() -> Tracer {
    Tracer::new(&Clock::machine().unwrap())
}

#[tokio::test]
async fn every_hop_answers_by_both_kinds_of_socket_and_both_versions_of_ip() {
    if !in_a_network_of_its_own("every_hop_answers_by_both_kinds_of_socket_and_both_versions_of_ip") {
        return;
    }
    let _chain = Chain::build().await;
    for datagram in [true, false] {
        unprivileged(datagram);
        let tracer = tracer();
        for (target, hops) in [
            (CENTRE, "10.0.1.2 10.0.2.2 10.0.3.2 10.9.9.9"),
            (CENTRE_V6, "fd00:1::2 fd00:2::2 fd00:3::2 fd00:9::9"),
        ] {
            let traced = trace(&tracer, target).await;
            assert_eq!(
                (traced.route.end(), traced.route.length()),
                (End::Reached, 4),
                "{datagram} {traced:?}"
            );
            assert_eq!(traced.route.text(128), hops, "{datagram}");
            assert!(traced.route.result().is_ok_and(|trip| trip < Duration::from_secs(1)), "{traced:?}");
            assert_eq!(traced.cost.packets, 16, "one round will do");
        }
    }
}

#[tokio::test]
async fn where_the_way_broke_is_told_and_that_it_is_another_one() {
    if !in_a_network_of_its_own("where_the_way_broke_is_told_and_that_it_is_another_one") {
        return;
    }
    let chain = Chain::build().await;
    for datagram in [true, false] {
        unprivileged(datagram);
        let tracer = tracer();
        assert_eq!(trace(&tracer, CENTRE).await.change, None);
        chain.cut(true);
        let broken = trace(&tracer, CENTRE).await;
        let silent = Some(("2".into(), Some("silent".into())));
        assert_eq!(told(&broken, EventKind::PathBroken), silent, "{broken:?}");
        assert_eq!((broken.change.is_some(), broken.turned), (false, true));

        chain.turn(5);
        let other = trace(&tracer, CENTRE).await;
        assert_eq!(told(&other, EventKind::PathChanged), Some(("2".into(), None)), "{other:?}");
        assert_eq!(told(&other, EventKind::PathReached), Some(("3".into(), None)));
        assert_eq!(other.route.text(128), "10.0.1.2 10.0.5.2 10.9.9.9");

        chain.cut(false);
        chain.turn(2);
        let back = trace(&tracer, CENTRE).await;
        assert_eq!((back.changes, back.route.length()), (2, 4), "{back:?}");
    }
}

#[tokio::test]
async fn a_hop_that_does_not_answer_every_packet_is_no_change() {
    if !in_a_network_of_its_own("a_hop_that_does_not_answer_every_packet_is_no_change") {
        return;
    }
    let chain = Chain::build().await;
    let tracer = tracer();
    let whole = trace(&tracer, CENTRE).await;
    // No route back: its own errors reach nobody, what it forwards does.
    chain.r2.sh("ip route replace unreachable 10.0.1.0/24 && ip route flush cache").unwrap();
    chain.centre.sh("ip route replace 10.0.1.0/24 via 10.0.6.1").unwrap();
    let quiet = trace(&tracer, CENTRE).await;
    assert_eq!(quiet.route.text(128), "10.0.1.2 10.0.2.2 * 10.9.9.9", "{quiet:?}");
    assert_eq!((quiet.change, quiet.fingerprint), (None, whole.fingerprint));
}

#[tokio::test]
async fn who_refuses_and_why_is_told_apart() {
    if !in_a_network_of_its_own("who_refuses_and_why_is_told_apart") {
        return;
    }
    let chain = Chain::build().await;
    for datagram in [true, false] {
        unprivileged(datagram);
        for (refusal, reason, failure) in [
            ("unreachable", Reason::NoTarget, Failure::Unreachable),
            ("prohibit", Reason::Prohibited, Failure::Prohibited),
        ] {
            chain.r1.sh(&format!("ip route replace {refusal} {CENTRE} metric 0")).unwrap();
            let traced = trace(&tracer(), CENTRE).await;
            assert_eq!(traced.route.end(), End::Refused(reason), "{datagram} {traced:?}");
            assert_eq!(traced.route.result(), Err(failure));
            assert_eq!(traced.route.last().map(|hop| hop.address), Some(IpAddr::from([10, 0, 2, 2])));
            chain.r1.sh(&format!("ip route del {refusal} {CENTRE} metric 0")).unwrap();
            routes_v4(&chain.r1, 3);
        }
        chain.r1.sh(&format!("ip route del {CENTRE}")).unwrap();
        assert_eq!(trace(&tracer(), CENTRE).await.route.end(), End::Refused(Reason::NoNetwork));
        routes_v4(&chain.r1, 3);
    }
}

fn routes_v4(router: &Elsewhere, cable: u8) {
    router.sh(&format!("ip route replace {CENTRE} via 10.0.{cable}.2")).unwrap();
}

#[tokio::test]
async fn packets_that_go_in_a_circle_are_known() {
    if !in_a_network_of_its_own("packets_that_go_in_a_circle_are_known") {
        return;
    }
    let chain = Chain::build().await;
    chain.r2.sh(&format!("ip route replace {CENTRE} via 10.0.3.1")).unwrap();
    let traced = trace(&tracer(), CENTRE).await;
    assert_eq!(
        (traced.route.end(), traced.route.result()),
        (End::Circle, Err(Failure::Circle)),
        "{traced:?}"
    );
}

#[tokio::test]
async fn without_a_route_the_way_ends_at_the_machine_itself() {
    if !in_a_network_of_its_own("without_a_route_the_way_ends_at_the_machine_itself") {
        return;
    }
    let _chain = Chain::build().await;
    sh(&format!("ip route del {CENTRE}")).unwrap();
    for datagram in [true, false] {
        unprivileged(datagram);
        let traced = trace(&tracer(), CENTRE).await;
        let expected = ("0".into(), Some("no-network".into()));
        assert_eq!(told(&traced, EventKind::PathBroken), Some(expected), "{datagram} {traced:?}");
    }
}

/// Of the engine that asks `icmp` checks: a router's word is no answer of the target.
#[tokio::test]
async fn a_router_that_refuses_an_echo_makes_the_target_unreachable() {
    if !in_a_network_of_its_own("a_router_that_refuses_an_echo_makes_the_target_unreachable") {
        return;
    }
    let chain = Chain::build().await;
    let (gap, timeout) = (Duration::from_millis(20), Duration::from_secs(2));
    for datagram in [true, false] {
        unprivileged(datagram);
        for target in [CENTRE, CENTRE_V6] {
            let ping = Ping { address: target.parse().unwrap(), packets: 1, gap, size: 56, timeout };
            let echo = Echo::new(&Clock::machine().unwrap());
            assert!(echo.ask(&ping).await.result.is_ok(), "{datagram} {target}");
            let gateway = if target == CENTRE { "10.0.4.2" } else { "fd00:4::2" };
            for refusal in ["unreachable", "prohibit"] {
                chain.r2.sh(&format!("ip route add {refusal} {target} metric 1")).unwrap();
                chain.r2.sh(&format!("ip route del {target} via {gateway}")).unwrap();
                let mut refused = echo.ask(&ping).await.result;
                // Routers limit their errors: one may be missing, but never does one pass for an answer.
                let mut again = 0;
                while refused == Err(Failure::Timeout) && again < 4 {
                    (refused, again) = (echo.ask(&ping).await.result, again + 1);
                }
                assert_eq!(refused, Err(Failure::Unreachable), "{datagram} {target} {refusal}");
                chain.r2.sh(&format!("ip route add {target} via {gateway}")).unwrap();
                chain.r2.sh(&format!("ip route del {refusal} {target} metric 1")).unwrap();
            }
        }
    }
}

/// What an agent notes by itself of the way to the centre.
struct Noted {
    doubter: Doubter,
    uplinks: watch::Sender<Vec<Arc<Uplink>>>,
    events: mpsc::Receiver<Event>,
    board: Board,
}

impl Noted {
    fn start() -> Noted {
        let (uplinks, uplinks_in) = watch::channel(Vec::new());
        let (events, noted) = mpsc::channel(64);
        let (clock, board) = (Clock::machine().unwrap(), Board::default());
        let doubter = Doubter::start(Tools {
            tracer: Tracer::new(&clock),
            clock,
            finder: Finder::default(),
            events,
            board: board.clone(),
            meter: Meter::default(),
            uplinks: uplinks_in,
        });
        Noted { doubter, uplinks, events: noted, board }
    }

    /// The next event: its kind, part, and what it says of these fields.
    async fn next(&mut self, fields: &[Field]) -> (EventKind, String, Vec<Option<String>>) {
        let event = tokio::time::timeout(Duration::from_secs(30), self.events.recv()).await.unwrap().unwrap();
        let said = fields.iter().map(|field| event.says(*field).map(str::to_owned)).collect();
        (event.kind, event.part, said)
    }
}

fn uplink() -> Arc<Uplink> {
    let text = format!(
        r#"{{"line": "29869-1", "ssid": 4, "stamp": "{CENTRE}:8862", "collector": "http://{CENTRE}:8443"}}"#
    );
    let plan = serde_json::from_str(&text).unwrap();
    Arc::new(Uplink::new(&plan, Some("bearer"), &Finder::default(), None).unwrap())
}

/// The evidence of an outage: which hop of the line still answers.
#[tokio::test]
async fn an_uplink_that_falls_silent_has_its_way_noted_and_its_return_too() {
    if !in_a_network_of_its_own("an_uplink_that_falls_silent_has_its_way_noted_and_its_return_too") {
        return;
    }
    let chain = Chain::build().await;
    sh("ip route add default via 10.0.1.2").unwrap();
    let (mut noted, uplink) = (Noted::start(), uplink());
    let name = uplink.name();
    noted.board.plan([], std::slice::from_ref(&name));
    noted.uplinks.send_replace(vec![uplink.clone()]);
    noted.doubter.follow(&ById::default(), &[(IpAddr::from([10, 0, 2, 2]), "pop/a".to_owned())].into());
    chain.cut(true);
    uplink.heard(false);
    let fields = [Field::Hop, Field::Reason, Field::Address, Field::Known, Field::DefaultRoute];
    let said = ["2", "silent", "10.0.2.2", "2=pop/a", "yes"].map(|word| Some(word.to_owned()));
    assert_eq!(noted.next(&fields).await, (EventKind::PathBroken, name.clone(), said.to_vec()));
    chain.cut(false);
    uplink.heard(true);
    assert_eq!(noted.next(&[Field::Hop]).await, (EventKind::PathReached, name, vec![Some("4".into())]));
}

#[tokio::test]
async fn a_check_that_misses_twice_has_the_way_to_its_target_noted() {
    if !in_a_network_of_its_own("a_check_that_misses_twice_has_the_way_to_its_target_noted") {
        return;
    }
    let chain = Chain::build().await;
    let (mut noted, check, second) = (Noted::start(), CheckId(7), Duration::from_secs(1));
    let question = Question::Tcp(format!("{CENTRE}:443").parse().unwrap());
    let (name, target) = ("portal".to_owned(), format!("{CENTRE}:443"));
    let asked = Asked { name, target, every: second, timeout: second, question: Some(question) };
    let asked: ById<Arc<Asked>> = [(check, Arc::new(asked))].into_iter().collect();
    let missed =
        Outcome { check, sent: Moment::default(), result: Err(Failure::Timeout), samples: Vec::new() };
    chain.r2.sh(&format!("ip route replace prohibit {CENTRE}")).unwrap();
    noted.doubter.saw(&missed, &asked);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(noted.events.try_recv().is_err(), "one miss is none");
    noted.doubter.saw(&missed, &asked);
    let said = ["3", "prohibited", "10.0.3.2"].map(|word| Some(word.to_owned())).to_vec();
    let fields = [Field::Hop, Field::Reason, Field::Address];
    assert_eq!(noted.next(&fields).await, (EventKind::PathBroken, "portal".to_owned(), said));
}
