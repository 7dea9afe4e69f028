//! Clocks that are wrong: an agent's or the collector's own jumps an hour either way, or to 1970. Nothing is lost,
//! nothing is stored twice, no site is called down, and the wrong clock is named.
//!
//! The programs run under Debian's libfaketime, which puts another wall clock under them; monotonic clocks are left
//! alone, as a real step leaves them.
#![allow(clippy::unwrap_used)]

use haidang_daemon::clock::Clock;
use haidang_tests::console::Console;
use haidang_tests::evidence;
use haidang_tests::gateway;
use haidang_tests::stage::{FakeClock, Stage, wait};
use haidang_tests::targets::Targets;
use serde_json::Value;
use std::thread::sleep;
use std::time::Duration;

const TARGETS: usize = 10;
/// Longest wait for anything, seconds.
const PATIENCE: u32 = 120;
/// What the clock says: an hour ahead, an hour behind, and 1970.
const STEPS: [&str; 3] = ["+3600", "-3600", "@1970-01-02 00:00:00"];

fn incidents(console: &Console, kind: &str) -> Vec<Value> {
    let all = console.incidents().unwrap();
    all.into_iter().filter(|incident| incident["kind"] == kind).collect()
}

fn kinds(console: &Console) -> Vec<String> {
    let all = console.incidents().unwrap();
    all.iter().map(|incident| incident["kind"].as_str().unwrap_or_default().to_owned()).collect()
}

fn all_up(console: &Console) -> anyhow::Result<Option<()>> {
    Ok((console.sites_in("up")?.contains(&gateway::SITE.to_owned())).then_some(()))
}

/// Every batch is stored once, with its octets, and no run is told twice.
fn nothing_is_lost(stage: &Stage) {
    let stored = gateway::nothing_is_lost(stage, PATIENCE).unwrap();
    let runs = evidence::runs(&stored).unwrap();
    let once: std::collections::BTreeSet<_> = runs.iter().collect();
    assert_eq!(once.len(), runs.len(), "a run is told twice");
}

#[test]
fn an_agents_clock_that_jumps_is_named_and_loses_nothing() {
    let Some(fake) = FakeClock::new() else { return };
    let targets = Targets::start(TARGETS, &Clock::machine().unwrap()).unwrap();
    let mut stage = gateway::stage(42, &targets, "1s").unwrap();
    let console = stage.start_collector().unwrap();
    stage.start_agent_under(&fake).unwrap();
    wait("the site to be up", PATIENCE, || all_up(&console)).unwrap();
    let in_state = |state: &'static str| {
        let all = incidents(&console, "clock-skew").into_iter();
        all.filter(|incident| incident["state"] == state).count()
    };
    for (before, step) in STEPS.into_iter().enumerate() {
        assert_eq!(in_state("open"), 0, "each step must be named by itself");
        fake.set(step);
        wait(&format!("the clock at {step} to be named"), PATIENCE, || {
            Ok((in_state("open") == 1).then_some(()))
        })
        .unwrap();
        sleep(Duration::from_secs(5));
        assert_eq!(kinds(&console), vec!["clock-skew"; before + 1], "{step}");
        assert!(all_up(&console).unwrap().is_some(), "{step}");
        fake.set("+0");
        wait(&format!("the incident of {step} to close"), PATIENCE + 60, || {
            Ok((in_state("closed") == before + 1).then_some(()))
        })
        .unwrap();
    }
    let incident = incidents(&console, "clock-skew").remove(0);
    assert_eq!((&incident["root"]["kind"], &incident["severity"]), (&"agent".into(), &"warning".into()));
    assert_eq!(incident["notifications"], 0);
    nothing_is_lost(&stage);
}

#[test]
fn a_collectors_clock_that_jumps_calls_nobody_down_and_loses_nothing() {
    let Some(fake) = FakeClock::new() else { return };
    let targets = Targets::start(TARGETS, &Clock::machine().unwrap()).unwrap();
    let mut stage = gateway::stage(43, &targets, "1s").unwrap();
    let console = stage.start_collector_under(&fake).unwrap();
    stage.start_agent().unwrap();
    wait("the site to be up", PATIENCE, || all_up(&console)).unwrap();
    for step in STEPS {
        fake.set(step);
        sleep(Duration::from_secs(8));
        wait(&format!("the site to be up at {step}"), PATIENCE, || all_up(&console)).unwrap();
        let other: Vec<String> = kinds(&console).into_iter().filter(|kind| kind != "clock-skew").collect();
        assert_eq!(other, Vec::<String>::new(), "{step}");
    }
    // It starts anew while its clock says 1970.
    stage.kill_collector().unwrap();
    let console = stage.start_collector_under(&fake).unwrap();
    wait("the site to be up after a start in 1970", PATIENCE, || all_up(&console)).unwrap();
    let other: Vec<String> = kinds(&console).into_iter().filter(|kind| kind != "clock-skew").collect();
    assert_eq!(other, Vec::<String>::new());
    nothing_is_lost(&stage);
}
