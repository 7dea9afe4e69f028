//! What was measured outlives the collector's kill -9: the console answers the same before and after.
#![allow(clippy::unwrap_used)]

use haidang_daemon::clock::Clock;
use haidang_tests::console::Console;
use haidang_tests::gateway;
use haidang_tests::stage::wait;
use haidang_tests::targets::Targets;
use serde_json::Value;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

const STAGE: u8 = 14;
/// Longer than evidence and samples may wait for a sync.
const SYNCED: Duration = Duration::from_secs(3);

fn instant(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).unwrap().to_string()
}

fn series(console: &Console, metric: &str, from: i64, to: i64) -> Vec<Value> {
    let (site, from, to) = (gateway::SITE, instant(from), instant(to));
    let path = format!("/api/v1/series?site={site}&metric={metric}&from={from}&to={to}&step=10");
    console.get(&path).unwrap().as_array().unwrap().clone()
}

/// How long the site was what, each minute, as the bar of the console is drawn.
fn bar(console: &Console, from: i64, to: i64) -> Value {
    let (site, from, to) = (gateway::SITE, instant(from), instant(to));
    console.get(&format!("/api/v1/availability?site={site}&from={from}&to={to}&step=60")).unwrap()
}

#[test]
fn series_and_availability_answer_the_same_after_kill_9() {
    let clock = Clock::machine().unwrap();
    let targets = Arc::new(Targets::start(4, &clock).unwrap());
    let mut stage = gateway::stage(STAGE, &targets, "1s").unwrap();
    let console = stage.start_collector().unwrap();
    let from = clock.utc_ms() - 60_000;
    stage.start_agent().unwrap();
    let metrics = ["probe_success", "probe_duration_seconds", "liveness_rtt_seconds", "site_available"];
    wait("a few steps of every series", 90, || {
        let long = |metric: &&str| series(&console, metric, from, clock.utc_ms()).len() >= 3;
        Ok(metrics.iter().all(long).then_some(()))
    })
    .unwrap();
    stage.kill_agent().unwrap();
    sleep(SYNCED);
    let to = clock.utc_ms().div_euclid(10_000) * 10_000;
    sleep(SYNCED);
    let before = metrics.map(|metric| series(&console, metric, from, to));
    let drawn = bar(&console, from, to);
    let total = &drawn["total"];
    assert!(total["up_ms"].as_i64() > Some(0) && total["unknown_ms"].as_i64() > Some(0), "{drawn}");
    stage.kill_collector().unwrap();
    let dark = clock.utc_ms();
    sleep(SYNCED);
    let lit = clock.utc_ms();

    let console = stage.start_collector().unwrap();
    assert_eq!(metrics.map(|metric| series(&console, metric, from, to)), before);
    let available: f64 = before[3].iter().map(|point| point[2].as_f64().unwrap()).sum();
    assert!(available >= 1.0, "the site was up: {:?}", before[3]);

    assert_eq!(bar(&console, from, to), drawn);
    wait("the collector to look on", 60, || {
        Ok((bar(&console, dark, lit)["total"]["unknown_ms"].as_i64() > Some(0)).then_some(()))
    })
    .unwrap();
    let total = &bar(&console, dark, lit)["total"];
    assert_eq!(
        total["unknown_ms"].as_i64(),
        Some(lit - dark),
        "nobody looked while the collector was away: {total}"
    );
}
