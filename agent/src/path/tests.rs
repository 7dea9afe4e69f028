//! What is told of a trace. Real packets over real routers: `tests/tests/path.rs`.

use super::route::Hop;
use super::*;
use haidang_probe::event::{EventKind, Field};
use haidang_probe::moment::BootId;

const USUAL: Flew = Flew {
    began: Moment { boot: BootId([0; 16]), mono_ns: 0 },
    usual: true,
    cost: Cost { packets: 0, answers: 0 },
};
const MS: Duration = Duration::from_millis(1);

fn route(hops: &[(u8, Said)]) -> Route {
    Route::of(hops.iter().map(|(last, said)| {
        Some(Hop { address: IpAddr::from([10, 0, 0, *last]), round_trip: MS, said: *said })
    }))
}

fn whole(hops: &[u8]) -> Route {
    let (last, passing) = hops.split_last().unwrap();
    let passing = passing.iter().map(|hop| (*hop, Said::Passing));
    route(&passing.chain([(*last, Said::Here)]).collect::<Vec<_>>())
}

fn request(source: u8) -> Request {
    let origin = Origin { source: Some(IpAddr::from([192, 0, 2, source])), interface: None };
    Request { target: IpAddr::from([10, 0, 0, 99]), hops: 16, origin, within: MS }
}

fn compared(tracer: &Tracer, route: Route) -> Traced {
    tracer.compared(&request(1), route, USUAL)
}

fn kinds(traced: &Traced, doubted: bool) -> Vec<EventKind> {
    traced.events("a", doubted).iter().map(|event| event.kind).collect()
}

#[test]
fn a_change_tells_the_first_hop_that_differs_and_both_fingerprints() {
    let tracer = Tracer::new(&Clock::manual());
    let first = compared(&tracer, whole(&[1, 2, 99]));
    assert!(kinds(&first, false).is_empty(), "nothing is known to differ from");
    let second = compared(&tracer, whole(&[1, 3, 99]));
    let events = second.events("a", false);
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!((event.kind, event.part.as_str(), second.changes), (EventKind::PathChanged, "a", 1));
    assert_eq!(event.says(Field::Hop), Some("2"));
    assert_eq!(event.says(Field::FingerprintBefore), Some(first.fingerprint.as_str()));
    assert_eq!(event.says(Field::Fingerprint), Some(second.fingerprint.as_str()));
    assert_ne!(first.fingerprint, second.fingerprint);
    assert_eq!(event.says(Field::Route), Some("10.0.0.1 10.0.0.3 10.0.0.99"));
}

#[test]
fn a_break_tells_the_last_hop_that_answers() {
    let tracer = Tracer::new(&Clock::manual());
    compared(&tracer, whole(&[1, 2, 99]));
    let broken = compared(&tracer, route(&[(1, Said::Passing)]));
    let events = broken.events("a", false);
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!((event.kind, broken.turned), (EventKind::PathBroken, true));
    let said = [Field::Hop, Field::Reason, Field::Address].map(|field| event.says(field));
    assert_eq!(said, [Some("1"), Some("silent"), Some("10.0.0.1")]);
    let still = compared(&tracer, route(&[(1, Said::Passing)]));
    assert!(kinds(&still, false).is_empty(), "it was told");
    assert_eq!(kinds(&still, true), [EventKind::PathBroken], "who doubts is told again");
    assert_eq!(kinds(&compared(&tracer, whole(&[1, 2, 99])), false), [EventKind::PathReached]);
}

#[test]
fn a_way_that_does_not_leave_the_machine_breaks_at_hop_0() {
    let tracer = Tracer::new(&Clock::manual());
    let events = compared(&tracer, Route::stayed(Reason::NoNetwork)).events("a", true);
    let said = [Field::Hop, Field::Reason, Field::Address, Field::Route].map(|field| events[0].says(field));
    assert_eq!(said, [Some("0"), Some("no-network"), None, None]);
}

#[test]
fn ways_from_two_sources_are_two() {
    let tracer = Tracer::new(&Clock::manual());
    tracer.compared(&request(1), whole(&[1, 99]), USUAL);
    let other = tracer.compared(&request(2), whole(&[5, 99]), USUAL);
    assert_eq!(other.change, None);
}

#[test]
fn no_more_ways_are_remembered_than_the_limit() {
    let tracer = Tracer::new(&Clock::manual());
    for target in 0..KNOWN as u32 + 10 {
        let target = IpAddr::from(target.to_be_bytes());
        tracer.compared(&Request { target, ..request(1) }, whole(&[1, 99]), USUAL);
    }
    assert_eq!(lock(&tracer.0.known).len(), KNOWN);
}

#[test]
fn a_trace_by_another_flow_is_not_compared() {
    let tracer = Tracer::new(&Clock::manual());
    let first = compared(&tracer, whole(&[1, 2, 99]));
    let other = tracer.compared(&request(1), whole(&[1, 3, 99]), Flew { usual: false, ..USUAL });
    assert_eq!((other.change, &other.fingerprint), (None, &first.fingerprint));
    assert_eq!(compared(&tracer, whole(&[1, 2, 99])).change, None, "and nothing is known by it");
}

#[test]
fn events_name_the_hops_that_stand_in_the_record() {
    let tracer = Tracer::new(&Clock::manual());
    tracer.name([(IpAddr::from([10, 0, 0, 2]), "hand-off/vnpt-1".to_owned())].into());
    let events = compared(&tracer, route(&[(1, Said::Passing), (2, Said::Passing)])).events("a", true);
    let said = [Field::Hop, Field::Known].map(|field| events[0].says(field));
    assert_eq!(said, [Some("2"), Some("2=hand-off/vnpt-1")]);
    tracer.name(BTreeMap::new());
    assert_eq!(compared(&tracer, whole(&[1, 2, 99])).events("a", true)[0].says(Field::Known), None);
}

#[tokio::test]
async fn two_traces_of_one_way_at_once_both_get_their_answers() {
    let tracer = Tracer::new(&Clock::machine().unwrap());
    let within = Duration::from_secs(4);
    let here =
        Request { target: IpAddr::from([127, 0, 0, 1]), origin: Origin::default(), within, ..request(1) };
    let (one, other) = tokio::join!(tracer.trace(&here), tracer.trace(&here));
    for traced in [one, other] {
        match traced {
            Err(Untraced { failure: Failure::NotPermitted, .. }) => {
                println!("not judged: icmp not permitted");
            }
            traced => {
                let found = traced.map(|traced| (traced.route.end(), traced.cost.packets));
                assert_eq!(found, Ok((End::Reached, 16)), "in one round");
            }
        }
    }
}

#[tokio::test]
async fn who_waits_too_long_for_a_turn_makes_no_trace_of_what_is_left() {
    let tracer = Tracer::new(&Clock::machine().unwrap());
    let within = Duration::from_millis(200);
    let here =
        Request { target: IpAddr::from([127, 0, 0, 1]), origin: Origin::default(), within, ..request(1) };
    let held = tracer.0.turns.acquire_many(AT_ONCE as u32).await.unwrap();
    let begun_ns = tracer.0.clock.steady_ns();
    assert_eq!(tracer.trace(&here).await.map_err(|untraced| untraced.failure), Err(Failure::Local));
    assert!(lock(&tracer.0.known).is_empty(), "nothing was learnt of the way");
    let uplink = tracer.trace_uplink(&here).await.map_err(|untraced| untraced.failure);
    assert!(matches!(uplink, Ok(_) | Err(Failure::NotPermitted)), "{uplink:?}: no check keeps it waiting");
    drop(held);
    // Nor who would have to wait for packets.
    *lock(&tracer.0.granted_ns) = begun_ns + 3_600_000_000_000;
    let refused = tracer.trace(&here).await.map_err(|untraced| untraced.failure);
    assert!(matches!(refused, Err(Failure::Local | Failure::NotPermitted)), "{refused:?}");
    assert_eq!(*lock(&tracer.0.granted_ns), begun_ns + 3_600_000_000_000, "and nothing is granted to it");
}

#[tokio::test]
async fn a_source_this_machine_has_not_is_our_own_failure() {
    match Tracer::new(&Clock::machine().unwrap()).trace(&request(1)).await {
        Err(Untraced { failure: Failure::NotPermitted, .. }) => {
            println!("not judged: this machine does not permit icmp");
        }
        traced => assert_eq!(traced, Err(Failure::Local.into())),
    }
}
