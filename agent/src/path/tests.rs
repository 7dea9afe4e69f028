//! What is told of a trace. Real packets over real routers: `tests/tests/path.rs`.

use super::route::Hop;
use super::*;

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
    tracer.compared(&request(1), route, Moment::default(), 0)
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
    tracer.compared(&request(1), whole(&[1, 99]), Moment::default(), 0);
    let other = tracer.compared(&request(2), whole(&[5, 99]), Moment::default(), 0);
    assert_eq!(other.change, None);
}

#[test]
fn no_more_ways_are_remembered_than_the_limit() {
    let tracer = Tracer::new(&Clock::manual());
    for target in 0..KNOWN as u32 + 10 {
        let target = IpAddr::from(target.to_be_bytes());
        tracer.compared(&Request { target, ..request(1) }, whole(&[1, 99]), Moment::default(), 0);
    }
    assert_eq!(lock(&tracer.0.known).len(), KNOWN);
}

#[tokio::test]
async fn a_source_this_machine_has_not_is_our_own_failure() {
    let traced = Tracer::new(&Clock::machine().unwrap()).trace(&request(1)).await;
    assert!(traced.is_err_and(|failure| !failure.tells_of_target()));
}
