use super::*;
use haidang_probe::{check::CheckId, moment::Moment, outcome::Sample};
use std::time::Duration;

fn outcome(result: Result<(), Failure>, samples: &[(Metric, f64)]) -> Outcome {
    let samples =
        samples.iter().map(|(metric, value)| Sample { metric: *metric, part: String::new(), value: *value });
    Outcome {
        check: CheckId(1),
        sent: Moment::default(),
        result: result.map(|()| Duration::from_millis(5)),
        samples: samples.collect(),
    }
}

/// A standing after runs at these seconds, in this order of coming.
fn after(runs: &[(i64, bool)]) -> Standing {
    let mut standing = Standing::default();
    for (second, good) in runs {
        let result = if *good { Ok(()) } else { Err(Failure::Timeout) };
        standing.heard(&outcome(result, &[]), second * 1000, true);
    }
    standing
}

#[test]
fn three_fresh_failures_over_twenty_seconds_are_failing() {
    assert!(!after(&[(0, true), (10, false), (20, false)]).fails_within(Window::EVER));
    let failing = after(&[(0, true), (10, false), (20, false), (30, false)]);
    assert!(failing.fails_within(Window::EVER));
    assert_eq!(failing.failing(), Some((10_000, Failure::Timeout)));
    assert!(!after(&[(10, false), (20, false), (30, false)]).fails_within(Window::EVER), "it never answered");
    let seconds: Vec<(i64, bool)> = std::iter::once((0, true)).chain((1..=60).map(|s| (s, false))).collect();
    assert!(after(&seconds).fails_within(Window { from: 30_000, until: 60_000 }), "of many, enough are kept");
}

#[test]
fn any_order_of_coming_ends_in_the_same_standing() {
    let runs = [(0, true), (10, false), (20, true), (30, false), (40, false), (50, false)];
    let expected = format!("{:?}", after(&runs));
    let mut order: Vec<usize> = (0..runs.len()).collect();
    // Heap's algorithm: all 720 orders.
    let mut counters = vec![0; order.len()];
    let mut at = 0;
    while at < order.len() {
        if counters[at] < at {
            order.swap(if at % 2 == 0 { 0 } else { counters[at] }, at);
            let shuffled: Vec<(i64, bool)> = order.iter().map(|n| runs[*n]).collect();
            assert_eq!(format!("{:?}", after(&shuffled)), expected, "{shuffled:?}");
            counters[at] += 1;
            at = 0;
        } else {
            counters[at] = 0;
            at += 1;
        }
    }
}

#[test]
fn late_failures_correct_the_start_and_are_not_enough_to_judge_by() {
    let mut standing = after(&[(0, true)]);
    for second in [10, 20, 30, 40] {
        standing.heard(&outcome(Err(Failure::Timeout), &[]), second * 1000, false);
    }
    assert!(!standing.fails_within(Window::EVER));
    for second in [50, 60, 70] {
        standing.heard(&outcome(Err(Failure::Timeout), &[]), second * 1000, true);
    }
    assert!(standing.fails_within(Window::EVER));
    assert_eq!(standing.failing(), Some((10_000, Failure::Timeout)));
}

#[test]
fn an_empty_page_fails_where_there_used_to_be_one() {
    let page = |octets| outcome(Ok(()), &[(Metric::HttpStatus, 200.0), (Metric::HttpBody, octets)]);
    let mut always_empty = Standing::default();
    always_empty.heard(&page(0.0), 0, true);
    assert_eq!(always_empty.failing(), None);
    let mut emptied = Standing::default();
    emptied.heard(&page(512.0), 0, true);
    emptied.heard(&page(0.0), 10_000, true);
    assert_eq!(emptied.failing(), Some((10_000, Failure::Body)));
}

#[test]
fn the_certificate_is_the_one_seen_last() {
    let seen = |ends: i64| outcome(Err(Failure::Tls), &[(Metric::CertExpiry, ends as f64)]);
    let mut standing = Standing::default();
    standing.heard(&seen(100), 10_000, true);
    standing.heard(&seen(900), 20_000, true);
    standing.heard(&seen(100), 15_000, false);
    assert_eq!(standing.certificate().map(|known| (known.ends, known.first)), Some((900_000, 20_000)));
    assert!(standing.certificate_ended(900_000) && !standing.certificate_ended(899_999));
}
