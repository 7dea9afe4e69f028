//! On real sockets of this machine. What it may answer to itself: it permits icmp, or it does not; in the second case
//! a test says so and judges no more.

use super::entrance::{RETRY, Refused};
use super::packet::Departing;
use super::*;
use haidang_probe::metric::Metric;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::net::{IpAddr, SocketAddr};

const HERE: [u8; 4] = [127, 0, 0, 1];

fn request(address: impl Into<IpAddr>, packets: u16) -> Request {
    let (gap, timeout) = (Duration::from_millis(5), Duration::from_secs(2));
    Request { address: address.into(), packets, gap, size: 56, timeout }
}

fn echo(buffer: usize) -> Echo {
    let echo = Echo::new(&Clock::machine().unwrap());
    *lock(&echo.0.engine) = Engine::new(buffer);
    echo
}

/// Whether the result says that this machine does not permit ICMP.
fn refused(result: Result<Duration, Failure>) -> bool {
    let refused = result == Err(Failure::NotPermitted);
    if refused {
        println!("not judged: this machine does not permit icmp");
    }
    refused
}

#[tokio::test]
async fn loopback_answers() {
    let echo = echo(BUFFER);
    for address in [IpAddr::from(HERE), "::1".parse().unwrap()] {
        let result = echo.ask(&request(address, 1)).await.result;
        // A machine may have no IPv6 at all.
        if refused(result) || (address.is_ipv6() && result == Err(Failure::Local)) {
            continue;
        }
        assert!(result.is_ok_and(|round_trip| round_trip < Duration::from_secs(2)), "{address}: {result:?}");
    }
}

#[tokio::test]
async fn two_checks_of_one_target_each_get_their_reply() {
    let echo = echo(BUFFER);
    let request = request(HERE, 1);
    let (first, second) = tokio::join!(echo.ask(&request), echo.ask(&request));
    if !refused(first.result) {
        assert!(first.result.is_ok() && second.result.is_ok(), "{first:?} {second:?}");
    }
}

#[tokio::test]
async fn a_burst_of_loopback_loses_nothing() {
    let found = echo(BUFFER).ask(&request(HERE, 10)).await;
    if refused(found.result) {
        return;
    }
    let value =
        |metric| found.samples.iter().find(|sample| sample.metric == metric).map(|sample| sample.value);
    assert_eq!((value(Metric::LossRatio), value(Metric::PacketsUncounted)), (Some(0.0), None));
    let figures = [Metric::RttMin, Metric::RttMedian, Metric::RttP99, Metric::RttMax].map(value);
    assert!(figures.is_sorted() && figures[0] > Some(0.0), "{figures:?}");
    assert!(value(Metric::RttJitter).is_some());
}

#[tokio::test]
async fn runs_of_checks_end_all_at_once_with_the_moment_they_were_sent() {
    let echo = echo(BUFFER);
    let before = echo.0.clock.moment();
    for check in 0..300 {
        echo.start(CheckId(check), &request([127, 0, 1, check as u8], 1));
    }
    let mut outcomes = Vec::new();
    while outcomes.len() < 300 {
        outcomes.extend(echo.ended().await);
    }
    outcomes.sort_by_key(|outcome| outcome.check);
    let checks: Vec<u32> = outcomes.iter().map(|outcome| outcome.check.0).collect();
    assert_eq!(checks, (0..300).collect::<Vec<u32>>());
    let sent = outcomes
        .iter()
        .all(|outcome| outcome.sent.boot == before.boot && outcome.sent.mono_ns > before.mono_ns);
    assert!(sent, "stamped after they were started");
    if !refused(outcomes[0].result) {
        assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
    }
}

/// Nobody drains the socket while its replies come: the buffer holds a few, and the rest are our own loss.
#[tokio::test]
async fn replies_our_own_buffer_dropped_are_counted_and_no_time_outs() {
    const PACKETS: usize = 200;
    let clock = Clock::machine().unwrap();
    let mut engine = Engine::new(1);
    for _ in 0..PACKETS {
        let (tag, request) = (Asker::Check(CheckId(1)), request(HERE, 1));
        let Request { address, packets, gap, size, .. } = request;
        engine.flights.start(Run { tag, address, packets, gap, size, timeout: Duration::from_millis(1) });
    }
    let now = Now { moment: clock.moment(), steady_ns: clock.steady_ns() };
    engine.send(&now, &clock);
    tokio::time::sleep(Duration::from_millis(50)).await;
    engine.expire(clock.steady_ns());
    engine.hand_over();
    if refused(engine.outcomes[0].result) {
        return;
    }
    let results: Vec<_> = engine.outcomes.iter().map(|outcome| outcome.result).collect();
    assert_eq!(results, [Err(Failure::Local); PACKETS]);
    assert!(engine.tally().dropped > 0, "{:?}", engine.tally());
}

#[test]
fn a_refused_socket_leaves_the_target_unknown_and_is_not_tried_at_each_packet() {
    let mut entrance = Entrance::new(Family::V4, 1, BUFFER);
    let until_ns = RETRY.as_nanos() as u64;
    entrance.refused = Some(Refused { failure: Failure::NotPermitted, until_ns });
    assert_eq!(entrance.opened(until_ns - 1).err(), Some(Failure::NotPermitted));
    assert!(!Failure::NotPermitted.tells_of_target());
    if entrance.opened(until_ns).is_ok() {
        assert!(entrance.refused.is_none(), "permitted later, it is used");
    }
}

#[test]
fn slots_end_on_a_grid() {
    let slot = SLOT.as_nanos() as u64;
    assert_eq!([0, 1, slot, slot + 1].map(slot_end_ns), [0, slot, slot, 2 * slot]);
}

/// Somebody who guesses the identifier and the seat, but has not seen the packet.
#[test]
fn a_forged_reply_with_a_wrong_cookie_is_ignored_and_counted() {
    let clock = Clock::machine().unwrap();
    let Ok(forger) = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)) else {
        return println!("not judged: forging a packet needs CAP_NET_RAW");
    };
    let mut engine = Engine::new(BUFFER);
    let Request { address, packets, gap, size, timeout } = request(HERE, 1);
    let tag = Asker::Check(CheckId(1));
    engine.flights.start(Run { tag, address, packets, gap, size, timeout });
    let now = Now { moment: clock.moment(), steady_ns: clock.steady_ns() };
    engine.send(&now, &clock);
    let identifier = engine.v4.door.as_ref().unwrap().on_the_wire().unwrap();
    let mark = packet::Mark { seat: 0, cookie: 0x0bad_0bad_0bad_0bad };
    let mut forged = Vec::new();
    packet::request(&mut forged, Family::V4, identifier, &Departing { address, mark, size });
    // An echo reply in place of a request; the checksum grows by what the type shrinks.
    forged[0] = 0;
    forged[2] = forged[2].wrapping_add(8);
    forger.send_to(&forged, &SockAddr::from(SocketAddr::new(address, 0))).unwrap();
    engine.receive(clock.steady_ns());
    engine.hand_over();
    assert!(engine.outcomes[0].result.is_ok(), "{:?}", engine.outcomes[0]);
    // A raw socket is also handed what the tests beside this one are answered.
    let raw = engine.v4.door.as_ref().unwrap().raw();
    assert!(if raw { engine.strays >= 1 } else { engine.strays == 1 }, "{:?}", engine.tally());
}
