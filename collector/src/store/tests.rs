//! The store against a model that keeps every sample; and what is left of it after a kill.

#![allow(clippy::unwrap_used)]

use super::*;
use haidang_probe::batch::Batch;
use haidang_probe::check::CheckId;
use haidang_probe::digest::{CheckDigest, LineDigest, Spread};
use haidang_probe::metric::Metric;
use haidang_probe::moment::{BootId, ClockMap, Moment};
use haidang_probe::outcome::{Failure, Outcome, Sample};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

mod kill;

const DAY0: i64 = 1_795_305_600_000;
const CHECK: CheckId = CheckId(7);

fn ask(metric: Metric, from: i64, to: i64, step: i64) -> Question<'static> {
    Question { checks: vec![("site", Some(CHECK))], metric, part: None, from, to, step }
}

fn push(store: &Store, at: i64, value: f64, now: i64) {
    push_from(store, None, at, value, now);
}

fn push_from(store: &Store, position: Option<u64>, at: i64, value: f64, now: i64) {
    let values = [(Metric::ProbeDuration, "", value)];
    store.take(position, &[Row { site: "site", check: CHECK, at, values: &values }], now);
}

fn query(store: &Store, question: &Question<'_>) -> Vec<Point> {
    store.query(question).unwrap()
}

/// What the store should answer, from a list of samples.
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
        seals in prop::collection::btree_set(0..300_usize, 0..5),
    ) {
        let mut samples: Vec<(i64, f64)> = samples.into_iter().map(|(at, value)| (DAY0 + at, value)).collect();
        let again: Vec<_> = repeated.iter().map(|index| samples[index.index(samples.len())]).collect();
        samples.extend(again);
        let store = Store::default();
        for (number, &(at, value)) in samples.iter().enumerate() {
            push(&store, at, value, DAY0 + 10_000_000);
            if seals.contains(&number) {
                store.seal(DAY0 + number as i64 * 50_000).unwrap();
            }
        }

        let (from, step) = (DAY0 + from * BUCKET_MS, step * BUCKET_MS);
        let to = from + length * BUCKET_MS;
        let points = query(&store, &ask(Metric::ProbeDuration, from, to, step));
        let expected = model(&samples, from, to, step);
        prop_assert_eq!(points.len(), expected.len());
        for (got, want) in points.iter().zip(&expected) {
            prop_assert_eq!((got.at, got.count), (want.at, want.count));
            prop_assert!(near(got.min, want.min) && near(got.avg, want.avg) && near(got.max, want.max));
        }
        store.seal(i64::MAX / 2).unwrap();
        let counts = store.counts();
        let distinct = samples.iter().map(|(at, _)| at).collect::<BTreeSet<_>>().len() as u64;
        prop_assert_eq!(counts.repeats, samples.len() as u64 - distinct);
        prop_assert_eq!(query(&store, &ask(Metric::ProbeDuration, from, to, step)), points);
    }
}

/// A day after which nothing is kept that [`DAY0`] saw.
fn past() -> i64 {
    DAY0 + Limits::default().keep_ms + 2 * 86_400_000
}

#[test]
fn what_is_too_old_or_ahead_is_counted_and_not_kept() {
    let (store, kept) = (Store::default(), Limits::default().keep_ms);
    push(&store, DAY0 - kept - 1, 1.0, DAY0);
    push(&store, DAY0 + AHEAD_MS + 1, 1.0, DAY0);
    push(&store, DAY0 - kept, 2.0, DAY0);
    let counts = store.counts();
    assert_eq!((counts.samples, counts.late, counts.ahead), (1, 1, 1));
    let all = ask(Metric::ProbeDuration, DAY0 - 2 * kept, DAY0 + kept, kept);
    assert_eq!(query(&store, &all).len(), 1);
}

#[test]
fn what_is_past_keeping_goes_with_its_day_and_its_room_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(&dir, DAY0);
    push(&store, DAY0, 1.0, DAY0);
    store.seal(DAY0 + 86_400_000).unwrap();
    assert_eq!(store.expire(DAY0 + 86_400_000).unwrap(), 0);
    assert_eq!((store.expire(past()).unwrap(), store.counts().series), (1, 0));
    assert!(query(&store, &ask(Metric::ProbeDuration, DAY0, DAY0 + 1, BUCKET_MS)).is_empty());
    drop(store);
    assert_eq!(opened(&dir, past()).counts().series, 0, "nor does a start know it");
}

#[test]
fn one_series_too_many_is_refused_and_counted() {
    let limits = Limits { max_series: 10, ..Limits::default() };
    let store = Store { limits, ..Store::default() };
    for check in 0..10 {
        let site = ["site", "another"][check as usize % 2];
        let values = [(Metric::IfInOctets, "eth0", 1.0)];
        store.take(None, &[Row { site, check: CheckId(check), at: DAY0, values: &values }], DAY0);
    }
    push(&store, DAY0 + 1, 1.0, DAY0);
    let nothing = [(Metric::IfInOctets, "eth0", f64::NAN)];
    store.take(None, &[Row { site: "site", check: CHECK, at: DAY0 + 2, values: &nothing }], DAY0);
    let counts = store.counts();
    assert_eq!((counts.series, counts.refused), (10, 2));
}

#[test]
fn a_batch_lands_where_its_clock_says_and_a_failure_of_our_own_is_no_zero() {
    let boot = BootId([3; 16]);
    let sent = |seconds: u64| Moment { boot, mono_ns: seconds * 1_000_000_000 };
    let outcome = |seconds, result, samples| Outcome { check: CHECK, sent: sent(seconds), result, samples };
    let octets = Sample { metric: Metric::IfInOctets, part: "eth0".into(), value: 12_345_678_901.0 };
    let forged = Sample { metric: Metric::SiteAvailable, part: String::new(), value: 1.0 };
    let batch = Batch {
        clocks: vec![ClockMap { boot, offset_ns: DAY0 * 1_000_000, bound_ns: 0 }],
        outcomes: vec![
            outcome(10, Ok(Duration::from_millis(25)), vec![octets, forged]),
            outcome(20, Err(Failure::Timeout), vec![]),
            outcome(30, Err(Failure::NotPermitted), vec![]),
            Outcome { check: CHECK, sent: Moment::default(), result: Err(Failure::Timeout), samples: vec![] },
        ],
        backlog: true,
        ..Batch::default()
    };
    let store = Store::default();
    store.take_batch(None, "site", &batch, DAY0 + 60_000);
    store.take_batch(None, "site", &batch, DAY0 + 61_000);
    let ask = |metric| query(&store, &ask(metric, DAY0, DAY0 + 60_000, BUCKET_MS));
    let success: Vec<_> = ask(Metric::ProbeSuccess).iter().map(|p| (p.at - DAY0, p.avg, p.count)).collect();
    assert_eq!(success, [(10_000, 1.0, 1), (20_000, 0.0, 1)]);
    assert_eq!(ask(Metric::ProbeDuration).len(), 1);
    assert_eq!(ask(Metric::IfInOctets)[0].max.to_bits(), 12_345_678_901_f64.to_bits());
    assert!(ask(Metric::SiteAvailable).is_empty(), "the collector alone says so");
    assert_eq!((store.counts().repeats, store.counts().unplaced), (4, 2));
    let agent = Question {
        checks: vec![("site", Some(CheckId::of_name(AGENT)))],
        ..self::ask(Metric::AgentDelay, DAY0, DAY0 + 70_000, BUCKET_MS)
    };
    let delays: Vec<_> = query(&store, &agent).iter().map(|p| (p.at - DAY0, p.avg, p.count)).collect();
    assert_eq!(delays, [(60_000, 50.0, 1)], "the oldest outcome was 50 s old");
}

#[test]
fn a_batch_of_rows_alone_is_as_old_as_they_are_and_what_no_clock_places_is_counted() {
    let boot = BootId([3; 16]);
    let row = |boot, second: u64| CheckDigest {
        check: CHECK,
        from: Moment { boot, mono_ns: second * 1_000_000_000 },
        lasted: Duration::from_secs(10),
        runs: 4,
        succeeded: 4,
        first: None,
        last: None,
        took: Spread { min: 1, median: 2, max: 3 },
    };
    let batch = Batch {
        clocks: vec![ClockMap { boot, offset_ns: DAY0 * 1_000_000, bound_ns: 0 }],
        checks: vec![row(boot, 0), row(boot, 30), row(BootId([4; 16]), 0)],
        lines: vec![LineDigest { due: 1, ..LineDigest::default() }],
        replaces: Some((0, 255)),
        ..Batch::default()
    };
    let store = Store::default();
    store.take_batch(None, "site", &batch, DAY0 + 60_000);
    assert_eq!(store.counts().unplaced, 2);
    let agent = Question {
        checks: vec![("site", Some(CheckId::of_name(AGENT)))],
        ..self::ask(Metric::AgentDelay, DAY0, DAY0 + 70_000, BUCKET_MS)
    };
    assert_eq!(query(&store, &agent).iter().map(|p| p.avg).collect::<Vec<_>>(), [50.0]);
}

#[test]
fn a_check_counts_ten_samples_a_second_and_no_more() {
    let store = Store::default();
    let values = [(Metric::ProbeDuration, "", 1.0)];
    let start = head::window_of(0, DAY0);
    let rows: Vec<_> =
        (0..40_000).map(|n| Row { site: "site", check: CHECK, at: start + n, values: &values }).collect();
    store.take(None, &rows, DAY0);
    push(&store, start, 1.0, DAY0);
    let counts = store.counts();
    assert_eq!((counts.samples, counts.refused, counts.repeats), (36_000, 4_000, 1));
}

#[test]
fn a_garbled_chunk_is_counted_and_the_rest_answers() {
    let store = Store::default();
    push(&store, DAY0, 1.0, DAY0);
    push(&store, DAY0 + 7_200_000, 2.0, DAY0 + 7_200_000);
    store.seal(DAY0 + 86_400_000).unwrap();
    store.shelf.put([((head::window_of(0, DAY0), 0), vec![1, 2, 3])].into()).unwrap();
    let points = query(&store, &ask(Metric::ProbeDuration, DAY0, DAY0 + 86_400_000, 3_600_000));
    assert_eq!((points.len(), points[0].avg, store.counts().garbled), (1, 2.0, 1));
}

#[test]
fn an_answer_that_would_read_too_much_is_refused() {
    let store = Store::default();
    let values: Vec<String> = (0..80).map(|n| format!("eth{n}")).collect();
    let values: Vec<_> = values.iter().map(|part| (Metric::IfInOctets, part.as_str(), 1.0)).collect();
    store.take(None, &[Row { site: "site", check: CHECK, at: DAY0, values: &values }], DAY0);
    let month = ask(Metric::IfInOctets, DAY0 - 30 * 86_400_000, DAY0, 3_600_000);
    assert_eq!(store.query(&month).unwrap_err().hours, 80 * 721);
    assert_eq!(store.query(&Question { part: Some("eth7"), ..month }).unwrap().len(), 0);
}

fn opened(dir: &tempfile::TempDir, now: i64) -> Store {
    Store::open(dir.path(), Limits::default(), now).unwrap()
}

/// All samples from [`DAY0`] on, one point each.
fn held(store: &Store) -> Vec<(i64, f64, u64)> {
    let all = ask(Metric::ProbeDuration, DAY0, DAY0 + 86_400_000, BUCKET_MS);
    query(store, &all).iter().map(|p| ((p.at - DAY0) / BUCKET_MS, p.max, p.count)).collect()
}

fn measure(store: &Store, numbers: std::ops::Range<i64>) {
    for n in numbers {
        push_from(store, Some(n as u64), DAY0 + n * BUCKET_MS, n as f64 / 4.0, DAY0 + n * BUCKET_MS);
    }
}

#[test]
fn what_was_flushed_outlives_a_kill_and_what_was_not_is_asked_for_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(&dir, DAY0);
    assert_eq!(store.resume(), None);
    measure(&store, 0..700);
    store.flush().unwrap();
    measure(&store, 700..720);
    let all = held(&store);
    drop(store); // as a kill does: nothing more is written

    let store = opened(&dir, DAY0 + 7_200_000);
    assert_eq!(store.resume(), Some(700));
    assert_eq!(held(&store), all[..700]);
    measure(&store, 690..720); // what `evidence` gives again, and more
    assert_eq!((held(&store), store.counts().repeats), (all, 10));
}

#[test]
fn a_kill_while_hours_are_sealed_neither_loses_nor_doubles() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(&dir, DAY0);
    measure(&store, 0..1_000);
    let all = held(&store);
    store.flush().unwrap();
    // Killed after the chunks are on the shelf, before it is noted.
    let taken = store.ring().head.take(0, DAY0 + 7_200_000);
    let chunks =
        taken.iter().map(|(place, window)| (*place, chunk::encode(place.0, &window.stream.samples())));
    store.shelf.put(chunks.collect()).unwrap();
    store.ring().queue.put(&Record::Sealing { group: 0, upto: DAY0 + 7_200_000 }, None);
    store.flush().unwrap();
    drop(store);

    let now = DAY0 + 1_000 * BUCKET_MS;
    let store = opened(&dir, now);
    assert_eq!(held(&store), all);
    store.seal(now + 7_200_000).unwrap();
    assert_eq!(held(&store), all);
    assert_eq!(store.counts().head, 0, "all of it is sealed");
    drop(store);
    let store = opened(&dir, now + 7_200_000);
    assert_eq!((held(&store), store.resume()), (all, Some(1_000)));
    assert_eq!(store.counts().head, 0, "and not read again");
}

#[test]
fn a_late_sample_joins_the_hour_that_was_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(&dir, DAY0);
    measure(&store, 0..100);
    measure(&store, 101..800);
    let now = DAY0 + 86_400_000 / 2;
    store.seal(now).unwrap();
    push(&store, DAY0 + 100 * BUCKET_MS, 25.0, now);
    push(&store, DAY0 + 99 * BUCKET_MS, 1e9, now);
    let expected: Vec<_> = (0..800).map(|n| (n, n as f64 / 4.0, 1)).collect();
    assert_eq!(held(&store), expected);
    store.seal(now + 7_200_000).unwrap();
    assert_eq!(held(&store), expected, "the first of an instant stays");
    assert_eq!((store.counts().repeats, store.counts().head), (1, 0));
}

#[test]
fn the_journal_is_cut_behind_what_is_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(&dir, DAY0);
    let values: Vec<String> = (0..500).map(|n| format!("eth{n}")).collect();
    for n in 0..1_800 {
        let at = DAY0 + n * BUCKET_MS;
        let noise = |part: usize| (part as u64 * 7_919 + n as u64 * 104_729) % 1_000_003;
        let values: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(part, name)| (Metric::IfInOctets, name.as_str(), noise(part) as f64))
            .collect();
        store.take(Some(n as u64), &[Row { site: "site", check: CHECK, at, values: &values }], at);
        if n % 360 == 0 {
            store.seal(at).unwrap();
        }
    }
    store.flush().unwrap();
    store.seal(DAY0 + 1_800 * BUCKET_MS).unwrap();
    let counts = store.counts();
    assert!(counts.sealed > 0 && counts.journal < 6 << 20, "{counts:?}");
}

#[test]
fn a_late_sample_does_not_take_the_place_of_an_hour_that_the_shelf_cannot_read() {
    let store = Store::default();
    for n in 0..10 {
        push(&store, DAY0 + n * 60_000, 1.0, DAY0 + 600_000);
    }
    let later = DAY0 + 3 * 3_600_000;
    assert!(store.seal(later).unwrap() > 0);
    let fail = |fails: bool| match &store.shelf {
        Shelf::Memory(memory) => lock(memory).fails = fails,
        Shelf::Disk(_) => unreachable!(),
    };
    push(&store, DAY0 + 1_000, 2.0, later);
    fail(true);
    assert!(store.seal(later + 3 * 3_600_000).is_err());
    fail(false);
    store.seal(later + 4 * 3_600_000).unwrap();
    let points = query(&store, &ask(Metric::ProbeDuration, DAY0, DAY0 + 3_600_000, 3_600_000));
    assert_eq!(points[0].count, 11);
}

#[test]
fn series_that_are_new_all_at_once_make_records_that_the_journal_takes() {
    let dir = tempfile::tempdir().unwrap();
    let parts: Vec<String> = (0..12_000).map(|n| format!("{n:0>250}")).collect();
    let values: Vec<_> = parts.iter().map(|part| (Metric::IfInOctets, part.as_str(), 1.0)).collect();
    let store = Store::open(dir.path(), Limits::default(), DAY0).unwrap();
    store.take(Some(5), &[Row { site: "site", check: CHECK, at: DAY0, values: &values }], DAY0);
    store.flush().unwrap();
    assert_eq!(store.counts().behind, 0);
    drop(store);
    let store = Store::open(dir.path(), Limits::default(), DAY0).unwrap();
    assert_eq!((store.counts().series, store.resume()), (12_000, Some(6)));
}
