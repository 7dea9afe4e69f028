//! The ring against a model that keeps every sample.

#![allow(clippy::unwrap_used)]

use super::*;
use haidang_probe::moment::{BootId, ClockMap, Moment};
use haidang_probe::outcome::{Failure, Outcome, Sample};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

const DAY0: i64 = 1_795_305_600_000;
const CHECK: CheckId = CheckId(7);

fn ask(metric: Metric, from: i64, to: i64, step: i64) -> Question<'static> {
    Question { checks: vec![("site", Some(CHECK))], metric, part: None, from, to, step }
}

fn push(store: &Store, at: i64, value: f64, now: i64) {
    store.push(Row { site: "site", check: CHECK, at, values: &[(Metric::ProbeDuration, "", value)] }, now);
}

/// What the ring should answer, from a list of samples.
fn model(samples: &[(i64, f64)], from: i64, to: i64, step: i64) -> Vec<Point> {
    let mut seen = BTreeSet::new();
    let mut steps: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for &(at, value) in samples {
        let bucket = at.div_euclid(BUCKET_MS) * BUCKET_MS;
        if seen.insert(at) && bucket >= from && bucket < to {
            steps.entry(at.div_euclid(step) * step).or_default().push(value);
        }
    }
    let point = |(at, values): (i64, Vec<f64>)| Point {
        at,
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        avg: values.iter().sum::<f64>() / values.len() as f64,
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        count: values.len() as u64,
    };
    steps.into_iter().map(point).collect()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * a.abs().max(b.abs())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn answers_like_a_list_of_all_samples(
        samples in prop::collection::vec((0..10_000_000_i64, 0.0..100.0_f64), 1..300),
        repeated in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        from in 0..900_i64,
        length in 1..900_i64,
        step in 1..60_i64,
    ) {
        let mut samples: Vec<(i64, f64)> = samples.into_iter().map(|(at, value)| (DAY0 + at, value)).collect();
        let again: Vec<_> = repeated.iter().map(|index| samples[index.index(samples.len())]).collect();
        samples.extend(again);
        let store = Store::default();
        for &(at, value) in &samples {
            push(&store, at, value, DAY0 + 10_000_000);
        }

        let (from, step) = (DAY0 + from * BUCKET_MS, step * BUCKET_MS);
        let to = from + length * BUCKET_MS;
        let points = store.query(&ask(Metric::ProbeDuration, from, to, step));
        let expected = model(&samples, from, to, step);
        prop_assert_eq!(points.len(), expected.len());
        for (got, want) in points.iter().zip(&expected) {
            prop_assert_eq!((got.at, got.count), (want.at, want.count));
            prop_assert!(near(got.min, want.min) && near(got.avg, want.avg) && near(got.max, want.max));
        }
        let counts = store.counts();
        let distinct = samples.iter().map(|(at, _)| at).collect::<BTreeSet<_>>().len() as u64;
        prop_assert_eq!((counts.rows, counts.repeats), (distinct, samples.len() as u64 - distinct));
    }
}

#[test]
fn what_is_too_old_or_ahead_is_counted_and_not_kept() {
    let store = Store::default();
    push(&store, DAY0 - KEPT_MS - 1, 1.0, DAY0);
    push(&store, DAY0 + AHEAD_MS + 1, 1.0, DAY0);
    push(&store, DAY0 - KEPT_MS, 2.0, DAY0);
    let counts = store.counts();
    assert_eq!((counts.rows, counts.late, counts.ahead), (1, 1, 1));
    assert_eq!(
        store.query(&ask(Metric::ProbeDuration, DAY0 - 2 * KEPT_MS, DAY0 + KEPT_MS, KEPT_MS)).len(),
        1
    );
}

#[test]
fn a_day_later_the_series_is_gone_and_its_room_is_free() {
    let store = Store::default();
    push(&store, DAY0, 1.0, DAY0);
    assert_eq!(store.counts().series, 1);
    let later = DAY0 + KEPT_MS + 2 * strip::CHUNK_MS;
    store.push(Row { site: "other", check: CHECK, at: later, values: &[(Metric::Uptime, "", 5.0)] }, later);
    assert_eq!(store.counts().series, 1);
    assert!(store.query(&ask(Metric::ProbeDuration, DAY0, DAY0 + 1, BUCKET_MS)).is_empty());
}

#[test]
fn one_series_too_many_is_refused_and_counted() {
    let store = Store::default();
    let parts: Vec<String> = (0..100).map(|n| format!("eth{n}")).collect();
    let values: Vec<_> = parts.iter().map(|part| (Metric::IfInOctets, part.as_str(), 1.0)).collect();
    for check in 0..(MAX_SERIES / parts.len()) as u32 {
        let site = ["site", "another"][check as usize % 2];
        store.push(Row { site, check: CheckId(check), at: DAY0, values: &values }, DAY0);
    }
    push(&store, DAY0 + 1, 1.0, DAY0);
    let nothing = [(Metric::IfInOctets, "eth0", f64::NAN)];
    store.push(Row { site: "site", check: CHECK, at: DAY0 + 2, values: &nothing }, DAY0);
    let counts = store.counts();
    assert_eq!((counts.series, counts.refused), (MAX_SERIES, 2));
}

#[test]
fn a_batch_lands_where_its_clock_says_and_a_failure_of_our_own_is_no_zero() {
    let boot = BootId([3; 16]);
    let sent = |seconds: u64| Moment { boot, mono_ns: seconds * 1_000_000_000 };
    let outcome = |seconds, result, samples| Outcome { check: CHECK, sent: sent(seconds), result, samples };
    let octets = Sample { metric: Metric::IfInOctets, part: "eth0".into(), value: 12_345_678_901.0 };
    let batch = Batch {
        clocks: vec![ClockMap { boot, offset_ns: DAY0 * 1_000_000, bound_ns: 0 }],
        outcomes: vec![
            outcome(10, Ok(Duration::from_millis(25)), vec![octets]),
            outcome(20, Err(Failure::Timeout), vec![]),
            outcome(30, Err(Failure::NotPermitted), vec![]),
            Outcome { check: CHECK, sent: Moment::default(), result: Err(Failure::Timeout), samples: vec![] },
        ],
        backlog: true,
        ..Batch::default()
    };
    let store = Store::default();
    store.push_batch("site", &batch, DAY0 + 60_000);
    store.push_batch("site", &batch, DAY0 + 61_000);
    let ask = |metric| store.query(&ask(metric, DAY0, DAY0 + 60_000, BUCKET_MS));
    let success: Vec<_> = ask(Metric::ProbeSuccess).iter().map(|p| (p.at - DAY0, p.avg, p.count)).collect();
    assert_eq!(success, [(10_000, 1.0, 1), (20_000, 0.0, 1)]);
    assert_eq!(ask(Metric::ProbeDuration).len(), 1);
    assert_eq!(ask(Metric::IfInOctets)[0].max.to_bits(), 12_345_678_901_f64.to_bits());
    assert_eq!((store.counts().repeats, store.counts().unplaced), (2, 2));
}

#[test]
fn a_packed_sample_costs_few_octets() {
    let cost = |every: i64| {
        let store = Store::default();
        let mut random = 1_u64;
        let mut samples = 0;
        for n in 0..(8 * strip::CHUNK_MS / every) {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let jitter = (random >> 61) as i64;
            let took = 0.008 + (random >> 40) as f64 / 1e10;
            let values = [(Metric::ProbeSuccess, "", 1.0), (Metric::ProbeDuration, "", took)];
            let at = DAY0 + n * every + jitter;
            store.push(Row { site: "site", check: CHECK, at, values: &values }, DAY0 + KEPT_MS);
            samples += i64::from(at < DAY0 + 6 * strip::CHUNK_MS) * 2;
        }
        store.counts().packed as f64 / samples as f64
    };
    assert!(cost(500) < 1.0, "{} octets for each sample of a half-second check", cost(500));
    assert!(cost(10_000) < 4.0, "{} octets for each sample of a ten-second check", cost(10_000));
}

#[test]
fn one_site_does_not_take_all_the_room() {
    let store = Store::default();
    for n in 0..=MAX_SERIES_OF_SITE as u32 {
        let values = [(Metric::ProbeDuration, "", 1.0)];
        store.push(Row { site: "greedy", check: CheckId(n), at: DAY0, values: &values }, DAY0);
    }
    assert_eq!((store.counts().series, store.counts().refused), (MAX_SERIES_OF_SITE, 1));
    push(&store, DAY0, 1.0, DAY0);
    assert_eq!(store.counts().series, MAX_SERIES_OF_SITE + 1);
}

#[test]
fn a_check_counts_ten_rows_a_second_and_no_more() {
    let store = Store::default();
    for n in 0..13_000 {
        push(&store, DAY0 + n, 1.0, DAY0);
    }
    push(&store, DAY0, 1.0, DAY0);
    let counts = store.counts();
    assert_eq!((counts.rows, counts.refused, counts.repeats), (12_000, 1_000, 1));
}
