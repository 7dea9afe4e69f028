//! The reform of 2025-07-01 lived through at the console's port: what was under an old code is found under both.

use super::rig::*;
use crate::lineage::midnight;
use crate::topology::*;
use axum::http::StatusCode;
use haidang_daemon::clock::Clock;
use serde_json::{Value, json};

const DAY: &str = "2025-07-01";
/// The present id of the site that was renamed, and the one it had.
const NOW: &str = "28249-tt";
const THEN: &str = "28250-tt";
/// By how much the two ends of an outage may be off together, ms.
const ENDS: i64 = 6_000;

/// Before the day: the site lies in a commune of its own, under another id.
fn before() -> Topology {
    let mut record = province();
    let mut site = record.sites.remove(NOW).unwrap();
    site.commune = Some("28250".into());
    record.sites.insert(THEN.into(), site);
    record.lines.get_mut("28249-1").unwrap().site = THEN.into();
    record
}

fn after() -> Topology {
    let mut record = province();
    let former = Former { until: DAY.into(), id: Some(THEN.into()), commune: Some("28250".into()) };
    record.sites.get_mut(NOW).unwrap().formerly = vec![former];
    record
}

/// From three minutes before the day until two after it, with an outage of 20 s on either side.
async fn lived() -> Rig {
    let clock = Clock::manual();
    clock.step_wall(midnight(DAY).unwrap() - 180_000 - clock.utc_ms());
    let rig = rig_at(clock, before(), false);
    rig.prove().await;
    rig.pass(90, true).await;
    rig.pass(20, false).await;
    rig.pass(70, true).await;
    rig.fold.configure(rig.clock.utc_ms(), after()).await.unwrap();
    rig.prove().await;
    rig.pass(30, true).await;
    rig.pass(20, false).await;
    rig.pass(70, true).await;
    rig
}

impl Rig {
    /// Availability in minutes, from three before the day until two after it.
    async fn minutes(&self, of: &str) -> Value {
        let span = "from=2025-06-30T16:57:00Z&to=2025-06-30T17:02:00Z&step=60";
        self.get(&format!("/api/v1/availability?{of}&{span}")).await.json()
    }

    async fn incidents_of(&self, of: &str) -> Vec<Value> {
        let list = self.get(&format!("/api/v1/incidents?{of}")).await.json();
        list["items"].as_array().unwrap().iter().map(|incident| incident["affected"].clone()).collect()
    }
}

fn down(share: &Value) -> i64 {
    let parts = ["up_ms", "degraded_ms", "down_ms", "unknown_ms", "off_ms", "maintenance_ms"];
    let sum: i64 = parts.iter().map(|part| share[part].as_i64().unwrap()).sum();
    assert_eq!(sum % 60_000, 0, "every moment of whole minutes counts once: {share}");
    share["down_ms"].as_i64().unwrap()
}

#[tokio::test]
async fn availability_is_one_history_under_both_codes_and_ids() {
    let rig = lived().await;
    let by_id = rig.minutes(&format!("site={NOW}")).await;
    assert_eq!(by_id["items"].as_array().unwrap().len(), 5);
    assert!((down(&by_id["total"]) - 40_000).abs() <= 2 * ENDS, "{by_id}");
    assert_eq!(by_id, rig.minutes(&format!("site={THEN}")).await);
    let (new, old) = (rig.minutes("commune=28249").await, rig.minutes("commune=28250").await);
    for minute in 0..5 {
        let (new, old) = (&new["items"][minute], &old["items"][minute]);
        assert_eq!(down(new), down(&by_id["items"][minute]), "the other site never fell");
        assert_eq!(down(new), down(old), "minute {minute}");
    }
    let around: Vec<&Value> = [2, 3].map(|minute| &old["items"][minute]["unknown_ms"]).into();
    assert_eq!(around, [&json!(0), &json!(0)], "no hole at midnight");
}

#[tokio::test]
async fn a_question_about_nobody_or_about_two_is_refused() {
    let rig = rig();
    for (of, status) in [
        ("site=nobody", StatusCode::NOT_FOUND),
        ("commune=99999", StatusCode::NOT_FOUND),
        ("", StatusCode::UNPROCESSABLE_ENTITY),
        ("site=28249-tt&commune=28249", StatusCode::UNPROCESSABLE_ENTITY),
        ("site=28249-tt&from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        assert_eq!(rig.get(&format!("/api/v1/availability?{of}")).await.status, status, "{of}");
    }
}

#[tokio::test]
async fn incidents_are_found_by_every_id_and_code_that_a_site_had() {
    let rig = lived().await;
    let both = vec![json!([NOW]), json!([THEN])];
    for of in [format!("site={NOW}"), format!("site={THEN}"), "commune=28249".into(), "commune=28250".into()]
    {
        assert_eq!(rig.incidents_of(&of).await, both, "{of}");
    }
    assert_eq!(rig.incidents_of("site=28249-ub").await, Vec::<Value>::new());
    assert_eq!(rig.incidents_of(&format!("site={THEN}&commune=28249&limit=1")).await, [json!([NOW])]);
    assert_eq!(rig.get("/api/v1/incidents?site=nobody").await.status, StatusCode::NOT_FOUND);
    assert_eq!(rig.get("/api/v1/incidents?commune=99999").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_page_of_a_site_opens_by_an_id_it_had_before() {
    let rig = rig_of(after(), false);
    let page = rig.get(&format!("/api/v1/sites/{THEN}")).await.json();
    assert_eq!((&page["id"], &page["formerly"]), (&json!(NOW), &json!([THEN])));
    assert_eq!(page, rig.get(&format!("/api/v1/sites/{NOW}")).await.json());
}
