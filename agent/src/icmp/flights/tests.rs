use super::*;

const MS: u64 = 1_000_000;
/// The kernel's UTC at steady time zero.
const UTC: u64 = 1_700_000_000_000_000_000;
const TARGET: [u8; 4] = [192, 0, 2, 1];
const SENT: bool = true;

fn run(tag: u32, packets: u16) -> Run<u32> {
    Run {
        tag,
        address: TARGET.into(),
        packets,
        gap: Duration::from_millis(20),
        size: 56,
        timeout: Duration::from_secs(1),
    }
}

fn at(ns: u64) -> Now {
    Now { steady_ns: ns, moment: Moment { mono_ns: ns, ..Moment::default() } }
}

/// Sends all that is due at `ns`.
fn send(flights: &mut Flights<u32>, ns: u64) -> Vec<Mark> {
    let mut marks = Vec::new();
    while let Some(departure) = flights.next(&at(ns)) {
        flights.departed(departure.mark.seat, UTC + ns);
        marks.push(departure.mark);
    }
    marks
}

fn results(flights: &mut Flights<u32>) -> Vec<(u32, Result<Duration, Failure>)> {
    flights.take_ended().into_iter().map(|ended| (ended.tag, ended.found.result)).collect()
}

fn dropped_never(_: Family, _: u64) -> bool {
    false
}

#[test]
fn a_round_trip_is_between_the_kernels_stamps() {
    let mut flights = Flights::default();
    flights.start(run(1, 1));
    let mark = send(&mut flights, 5 * MS)[0];
    // Drained a slot later: that does not count.
    assert_eq!(flights.back(mark, TARGET.into(), Some(UTC + 7 * MS), 10 * MS), SENT);
    let ended = flights.take_ended();
    assert_eq!(ended[0].found.result, Ok(Duration::from_millis(2)));
    assert_eq!((ended[0].sent.mono_ns, flights.flying(), flights.next_ns(0)), (5 * MS, 0, None));
}

#[test]
fn a_step_of_the_wall_clock_does_not_show() {
    for step in [-3_600_000_000_000_i64, 3_600_000_000_000] {
        let mut flights = Flights::default();
        flights.start(run(1, 1));
        let mark = send(&mut flights, 0)[0];
        flights.back(mark, TARGET.into(), Some((UTC + 2 * MS).wrapping_add_signed(step)), 5 * MS);
        assert_eq!(
            results(&mut flights),
            [(1, Ok(Duration::from_millis(5)))],
            "the time until it was drained"
        );
    }
}

#[test]
fn a_forged_or_late_reply_is_not_ours() {
    let mut flights = Flights::default();
    flights.start(run(1, 1));
    let mark = send(&mut flights, 0)[0];
    let wrong = Mark { cookie: mark.cookie ^ 1, ..mark };
    assert!(!flights.back(wrong, TARGET.into(), None, MS), "another cookie");
    assert!(!flights.back(mark, [192, 0, 2, 2].into(), None, MS), "from somebody else");
    assert!(!flights.back(Mark { seat: 9, ..mark }, TARGET.into(), None, MS), "a seat nobody has");
    flights.expire(1000 * MS, dropped_never);
    assert!(!flights.back(mark, TARGET.into(), None, 1001 * MS), "after its time");
    flights.start(run(2, 1));
    let second = send(&mut flights, 1002 * MS)[0];
    assert_eq!((second.seat, second.cookie == mark.cookie), (mark.seat, false), "the next turn of the seat");
    assert!(!flights.back(mark, TARGET.into(), None, 1003 * MS));
    assert_eq!(results(&mut flights), [(1, Err(Failure::Timeout))]);
}

#[test]
fn a_reply_later_than_the_time_out_is_none_however_late_it_is_drained() {
    for (stamp, result) in [(999, Ok(Duration::from_millis(999))), (1001, Err(Failure::Timeout))] {
        let mut flights = Flights::default();
        flights.start(run(1, 1));
        let mark = send(&mut flights, 0)[0];
        flights.back(mark, TARGET.into(), Some(UTC + stamp * MS), 5000 * MS);
        assert_eq!(results(&mut flights), [(1, result)]);
    }
}

#[test]
fn two_checks_of_one_target_each_get_their_own() {
    let mut flights = Flights::default();
    flights.start(run(1, 1));
    flights.start(run(2, 1));
    let marks = send(&mut flights, 0);
    flights.back(marks[1], TARGET.into(), Some(UTC + 2 * MS), 5 * MS);
    flights.back(marks[0], TARGET.into(), Some(UTC + 3 * MS), 5 * MS);
    assert!(!flights.back(marks[0], TARGET.into(), Some(UTC + 4 * MS), 5 * MS), "a duplicate");
    let ms = |ms| Ok(Duration::from_millis(ms));
    assert_eq!(results(&mut flights), [(2, ms(2)), (1, ms(3))]);
}

#[test]
fn a_burst_keeps_its_gaps_and_is_one_outcome() {
    let mut flights = Flights::default();
    flights.start(run(1, 3));
    let mut marks = Vec::new();
    for (ms, sent) in [(0, 1), (15, 0), (20, 1), (35, 0), (41, 1), (60, 0)] {
        let now = send(&mut flights, ms * MS);
        assert_eq!(now.len(), sent, "at {ms} ms");
        marks.extend(now);
    }
    flights.back(marks[0], TARGET.into(), Some(UTC + 2 * MS), 65 * MS);
    flights.back(marks[2], TARGET.into(), Some(UTC + 45 * MS), 65 * MS);
    assert_eq!(results(&mut flights), [], "the second may still come");
    assert_eq!(flights.next_ns(65 * MS), Some(1020 * MS));
    flights.expire(1020 * MS, dropped_never);
    let ended = flights.take_ended();
    assert_eq!((ended.len(), ended[0].found.result), (1, Ok(Duration::from_millis(2))));
    assert_eq!(ended[0].sent.mono_ns, 0);
}

#[test]
fn a_reply_our_own_buffer_may_have_dropped_is_no_time_out() {
    let mut flights = Flights::default();
    flights.start(run(1, 1));
    send(&mut flights, 0);
    flights.start(run(2, 1));
    send(&mut flights, 500 * MS);
    let dropped_ns = 300 * MS;
    flights.expire(2000 * MS, |_, sent_ns| dropped_ns >= sent_ns);
    assert_eq!(results(&mut flights), [(1, Err(Failure::Local)), (2, Err(Failure::Timeout))]);
}

#[test]
fn an_error_counts_at_once_only_with_the_cookie() {
    let mut flights = Flights::default();
    flights.start(run(1, 1));
    flights.start(run(2, 1));
    flights.start(run(3, 1));
    let marks = send(&mut flights, 0);
    assert!(!flights.no_way(marks[0].seat, Some(marks[0].cookie ^ 1), TARGET.into()), "forged");
    assert!(!flights.no_way(marks[0].seat, None, [192, 0, 2, 2].into()), "of a packet to somebody else");
    assert!(flights.no_way(marks[0].seat, Some(marks[0].cookie), TARGET.into()));
    assert_eq!(results(&mut flights), [(1, Err(Failure::Unreachable))]);
    assert!(flights.no_way(marks[1].seat, None, TARGET.into()));
    assert!(flights.no_way(marks[2].seat, None, TARGET.into()));
    flights.back(marks[1], TARGET.into(), Some(UTC + MS), 5 * MS);
    flights.expire(1000 * MS, dropped_never);
    assert_eq!(
        results(&mut flights),
        [(2, Ok(Duration::from_millis(1))), (3, Err(Failure::Unreachable))],
        "a reply disproves it"
    );
}

#[test]
fn what_cannot_be_sent_says_whose_fault_it_is() {
    let mut flights = Flights::default();
    for (tag, failure) in [(1, Failure::NotPermitted), (2, Failure::Unreachable)] {
        flights.start(run(tag, 1));
        let seat = flights.next(&at(0)).unwrap().mark.seat;
        flights.stayed(seat, failure);
        assert_eq!(results(&mut flights), [(tag, Err(failure))]);
    }
}

#[test]
fn beyond_the_limit_a_packet_is_our_own_failure() {
    let mut flights = Flights::default();
    for tag in 0..SEATS as u32 + 2 {
        flights.start(run(tag, 1));
    }
    assert_eq!(send(&mut flights, 0).len(), SEATS);
    let full = SEATS as u32;
    assert_eq!(results(&mut flights), [(full, Err(Failure::Local)), (full + 1, Err(Failure::Local))]);
    flights.expire(1000 * MS, dropped_never);
    assert_eq!((results(&mut flights).len(), flights.flying()), (SEATS, 0));
}
