//! A whole province of real processes: one cut, one incident; and a collector killed in the middle of it.
#![allow(clippy::unwrap_used)]

use haidang_tests::console::Console;
use haidang_tests::stage::{Stage, wait};
use serde_json::Value;

fn incident_at(console: &Console, site: &str, state: &str) -> anyhow::Result<Option<Value>> {
    let all = console.incidents()?;
    Ok(all.into_iter().find(|incident| incident["root"]["id"] == site && incident["state"] == state))
}

fn site_of(console: &Console, commune: &str) -> String {
    let state = console.get("/api/v1/state").unwrap();
    let sites = state["sites"].as_array().unwrap();
    sites.iter().find(|site| site["commune"] == commune).unwrap()["id"].as_str().unwrap().to_owned()
}

/// Root and state of each incident.
fn told(console: &Console) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = console.incidents().unwrap();
    all.iter()
        .map(|incident| format!("{} {}", text(&incident["root"]["id"]), text(&incident["state"])))
        .collect()
}

#[test]
fn one_cut_is_one_incident_and_a_killed_collector_neither_doubles_nor_loses_it() {
    let mut stage = Stage::new(1).unwrap();
    let console = stage.start().unwrap();
    assert_eq!(told(&console), Vec::<String>::new());
    let site = site_of(&console, "28249");

    stage.fault("cut 28249").unwrap();
    let opened = wait("the cut to open", 30, || incident_at(&console, &site, "open")).unwrap();
    assert_eq!(opened["affected"], serde_json::json!([site]));
    assert_eq!(opened["notifications"], 1);

    stage.kill_collector().unwrap();
    let console = stage.start_collector().unwrap();
    let after = wait("the incident after the restart", 20, || incident_at(&console, &site, "open")).unwrap();
    assert_eq!((&after["id"], &after["opened"]), (&opened["id"], &opened["opened"]));

    stage.heal().unwrap();
    let closed = wait("the incident to close", 60, || incident_at(&console, &site, "closed")).unwrap();
    assert_eq!((&closed["id"], &closed["notifications"]), (&opened["id"], &2.into()));
    assert_eq!(told(&console), [format!("{site} closed")]);

    let live = console.get(&format!("/api/v1/incidents/{}", opened["id"].as_str().unwrap())).unwrap();
    stage.kill_collector().unwrap();
    let (once, twice) = (stage.replay().unwrap(), stage.replay().unwrap());
    assert_eq!(once, twice);
    let last = once.lines().rfind(|line| line.contains(opened["id"].as_str().unwrap())).unwrap().to_owned();
    assert!(last.contains("\"closed\""), "{last}");
    assert!(live["timeline"].as_array().unwrap().len() >= 4, "{live}");
}

#[test]
fn nothing_is_served_without_a_sign_in() {
    let mut stage = Stage::new(2).unwrap();
    let mut console = stage.start_collector().unwrap();
    console.token.clear();
    for path in ["/api/v1/state", "/api/v1/incidents", "/api/v1/topology", "/api/v1/events", "/metrics"] {
        assert_eq!(console.request("GET", path, "").unwrap().0, 401, "{path}");
    }
    for path in ["/healthz", "/readyz", "/sign-in"] {
        assert_eq!(console.request("GET", path, "").unwrap().0, 200, "{path}");
    }
}
