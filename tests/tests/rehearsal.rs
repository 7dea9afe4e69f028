//! What is broken in the rehearsal province is told for what it is, by real processes: one fault, one incident.
#![allow(clippy::unwrap_used)]

use haidang_tests::console::Console;
use haidang_tests::stage::{Stage, wait};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

/// Kind and root of the incidents that opened, beside those known before.
fn opened(console: &Console, before: &BTreeSet<String>) -> anyhow::Result<Vec<(String, String)>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = console.incidents()?;
    let new = all.iter().filter(|it| !it["opened"].is_null() && !before.contains(&text(&it["id"])));
    Ok(new.map(|it| (text(&it["kind"]), text(&it["root"]["id"]))).collect())
}

fn ids(console: &Console) -> anyhow::Result<BTreeSet<String>> {
    let all = console.incidents()?;
    Ok(all.iter().filter_map(|it| it["id"].as_str().map(str::to_owned)).collect())
}

fn is_quiet(console: &Console) -> anyhow::Result<Option<()>> {
    Ok(console.incidents()?.iter().all(|it| it["state"] == "closed").then_some(()))
}

/// Whether there is a finding of this kind about `subject`.
fn is_found(console: &Console, kind: &str, subject: &str) -> anyhow::Result<bool> {
    let findings = console.get("/api/v1/findings")?;
    let items = findings["items"].as_array().cloned().unwrap_or_default();
    Ok(items.iter().any(|it| it["kind"] == kind && it["subject"] == subject))
}

/// Breaks something, and mends it once `kind` at `root` has opened; nothing else may open, also not while it ends.
fn is_one_incident(stage: &Stage, console: &Console, fault: &str, (kind, root): (&str, &str)) {
    let before = ids(console).unwrap();
    let expected = [(kind.to_owned(), root.to_owned())];
    stage.fault(fault).unwrap();
    wait(fault, 90, || Ok((opened(console, &before)? == expected).then_some(()))).unwrap();
    stage.heal().unwrap();
    wait("the incident to close", 120, || is_quiet(console)).unwrap();
    assert_eq!(opened(console, &before).unwrap(), expected, "{fault}");
}

#[test]
fn a_dark_feeder_a_gateway_that_fails_over_and_a_dead_service_are_told_for_what_they_are() {
    let mut stage = Stage::new(31).unwrap();
    let console = stage.start().unwrap();
    let told = stage.fault("background 1").unwrap();
    assert_eq!(told.trim(), "background 1: single sites fall silent at random, 1 times a month");
    stage.heal().unwrap();

    is_one_incident(&stage, &console, "power my-tho-473", ("power-area", "my-tho-473"));

    // What follows its gateway comes by the other line: proof is lost, the line's silence is not.
    let before = ids(&console).unwrap();
    stage.fault("cut 28429:primary").unwrap();
    let site = || is_found(&console, "one-path", "28429-tt");
    let line = || is_found(&console, "unproved-uplink", "28429-1");
    wait("the failover to be noticed", 30, || Ok((site()? && line()?).then_some(()))).unwrap();
    let lost = ("redundancy-lost".to_owned(), "28429-1".to_owned());
    wait("the line's incident", 30, || Ok(opened(&console, &before)?.contains(&lost).then_some(()))).unwrap();
    stage.heal().unwrap();
    wait("the failback to be noticed", 60, || Ok((!site()? && !line()?).then_some(()))).unwrap();
    wait("the incident to close", 120, || is_quiet(&console)).unwrap();

    // By now every agent has seen it well, and counts when it fails.
    is_one_incident(&stage, &console, "service one-stop", ("service-down", "one-stop"));

    let truth = fs::read_to_string(stage.path("run/truth.jsonl")).unwrap();
    let turns = truth.lines().filter(|line| line.contains("\"28429-tt\"]") && line.contains("\"fail"));
    let turns: Vec<bool> = turns.map(|line| line.contains("failover 28429-tt")).collect();
    assert_eq!(turns, [true, false], "{truth}");
}
