//! The page of one site, and whether the configuration in place is the one in use.

use super::rig::*;
use crate::topology::*;
use axum::http::StatusCode;
use serde_json::{Value, json};

/// The province with everything that only a site's page shows, and what it must not.
fn whole() -> Topology {
    let mut record = province();
    record.feeders.insert("473".into(), Feeder { name: "Lộ 473 E7.4".into() });
    let check = |name: &str, probe: &str, target: &str| {
        serde_json::from_value(json!({ "name": name, "probe": probe, "target": target })).unwrap()
    };
    let site = record.sites.get_mut("28249-tt").unwrap();
    site.address = Some("Số 1 đường Ấp Bắc".into());
    site.key_holder = Some(Contact { name: "Bác Sáu".into(), phone: "0900000002".into() });
    let days = [true, true, true, true, true, false, false];
    site.hours = Some(Hours { days, spans: vec![(420, 690), (780, 1440)] });
    site.off_outside_hours = OffOutsideHours::Learn;
    site.feeder = Some("473".into());
    site.tags = ["one-stop".to_owned()].into();
    site.formerly = vec![Former {
        until: "2025-07-01".into(),
        id: Some("28250-tt".into()),
        commune: Some("28250".into()),
    }];
    site.checks.extend([check("wan", "interface", "eth0"), check("all", "interface", "*")]);
    let checks = vec![check("cam/icmp", "icmp", "192.168.77.20")];
    site.devices.insert("cam".into(), Device { name: "Camera".into(), kind: DeviceKind::Camera, checks });
    let line = record.lines.get_mut("28249-1").unwrap();
    (line.medium, line.contract) = (Some(Medium::FibreL2), Some("12/2025".into()));
    line.vlan = Some("VPN-CQNN/120".into());
    record
}

#[tokio::test]
async fn a_site_is_told_with_its_people_hours_and_things() {
    let rig = rig_of(whole(), false);
    let site = rig.get("/api/v1/sites/28249-tt").await.json();
    assert_eq!(site["key_holder"], json!({ "name": "Bác Sáu", "phone": "0900000002" }));
    let days = ["mon", "tue", "wed", "thu", "fri"];
    assert_eq!(site["hours"], json!({ "days": days, "spans": ["07:00-11:30", "13:00-24:00"] }));
    assert_eq!((&site["off_outside_hours"], &site["tags"]), (&json!("learn"), &json!(["one-stop"])));
    assert_eq!(site["feeder"], json!({ "id": "473", "name": "Lộ 473 E7.4" }));
    let line = json!({ "id": "28249-1", "medium": "fibre-l2", "metered": false, "contract": "12/2025" });
    assert_eq!(site["lines"], json!([line]));
    let camera =
        json!({ "id": "cam", "name": "Camera", "kind": "camera", "state": "unknown", "since": null });
    assert_eq!(site["devices"], json!([camera]));
    assert_eq!(site["interfaces"], json!(["wan"]), "octets of many interfaces do not add up");
    assert_eq!(site["agent"]["heard"], Value::Null);
}

#[tokio::test]
async fn what_a_site_was_before_is_told_with_its_day() {
    let rig = rig_of(whole(), false);
    let site = rig.get("/api/v1/sites/28249-tt").await.json();
    let changes = site["changes"].as_array().unwrap();
    let told: Vec<_> =
        changes.iter().map(|one| (one["what"].as_str().unwrap(), &one["from"], &one["to"])).collect();
    assert_eq!(told[0], ("moved", &json!("phường Phường 4"), &json!("phường Đạo Thạnh")));
    assert_eq!(told[1], ("renamed", &json!("28250-tt"), &json!("28249-tt")));
    assert_eq!(told[2], ("merged", &Value::Null, &json!("phường Đạo Thạnh")));
    assert!(changes.iter().all(|one| one["at"] == "2025-06-30T17:00:00.000Z"), "midnight in Việt Nam");
}

#[tokio::test]
async fn nothing_restricted_is_on_the_page_of_a_site() {
    let rig = rig_of(whole(), false);
    let text = rig.get("/api/v1/sites/28249-tt").await.text;
    for secret in ADDRESSES.iter().chain(&["192.168.77.20", "VPN-CQNN", "eth0"]) {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn an_edit_of_the_record_stands_in_the_history_of_the_site() {
    let rig = rig_of(province(), false);
    let mut edited = province();
    edited.sites.get_mut("28249-tt").unwrap().name = "Trung tâm Đạo Thạnh".into();
    rig.fold.configure(rig.clock.utc_ms(), edited).await.unwrap();
    let site = rig.get("/api/v1/sites/28249-tt").await.json();
    assert_eq!(site["changes"][0]["what"], "renamed");
    assert_eq!(site["changes"][0]["to"], "Trung tâm Đạo Thạnh");
}

#[tokio::test]
async fn a_site_nobody_recorded_is_not_found() {
    assert_eq!(rig().get("/api/v1/sites/none").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn where_the_configuration_is_wrong_is_for_administrators() {
    let rig = rig();
    let directory = rig.configuration();
    std::fs::create_dir(&directory).unwrap();
    let wrong = "province: {code: \"82\", name: Đồng Tháp}\nsitess: []\nhand_offs: [{id: a, name: A, carrier: 10.82.3.9}]\n";
    std::fs::write(directory.join("a.yml"), wrong).unwrap();
    let told = rig.get("/api/v1/configuration").await.json();
    assert_eq!((&told["good"], &told["faults"]), (&json!(false), &json!([])), "an operator");
    rig.access.add("binh", crate::access::Role::Admin, 0).unwrap();
    let token = rig.access.add_token("script-2", "binh", 0).unwrap();
    let request =
        axum::http::Request::get("/api/v1/configuration").header("authorization", format!("Bearer {token}"));
    let told = rig.send(request.body(axum::body::Body::empty()).unwrap()).await.json();
    let places: Vec<_> =
        told["faults"].as_array().unwrap().iter().map(|f| (&f["file"], &f["line"])).collect();
    assert!(places.contains(&(&json!("a.yml"), &json!(2))), "{told}");
    assert!(!told.to_string().contains("10.82.3"), "what is restricted is told on a terminal alone: {told}");
    let faults = crate::config::load(&directory).unwrap_err();
    assert!(faults.iter().any(|fault| fault.message.contains("10.82.3")), "{faults:?}");
}
