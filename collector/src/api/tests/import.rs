//! A sheet on the console: who may, what is shown of it, and that only what was shown is written.

use super::rig::*;
use crate::access::Role;
use crate::config;
use crate::import::{FILE_MAX, init};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

pub(super) const SHEET: &str = "Mã xã,Điểm,Nhà mạng,Mã kênh,Địa chỉ WAN,VLAN/VPN
28249,Đảng ủy,VNPT,DTP-1,10.82.1.2,VPN-MAT/120
28261,Đảng ủy,VNPT,DTP-2,10.82.2.2,VPN-MAT/121
";

struct Desk {
    rig: Rig,
    directory: PathBuf,
    token: String,
}

fn desk() -> Desk {
    let rig = rig();
    let directory = rig.configuration();
    init::init(&directory, Some("82")).unwrap();
    rig.access.add("quan-tri", Role::Admin, 0).unwrap();
    let token = rig.access.add_token("admin", "quan-tri", 0).unwrap();
    Desk { rig, directory, token }
}

impl Desk {
    async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json");
        self.rig.send(request.body(body.into()).unwrap()).await
    }

    async fn look(&self, sheet: &str) -> Value {
        let answer = self.post("/api/v1/import?file=danh-muc.csv", sheet.to_owned()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    }

    async fn accept(&self, preview: &Value) -> Answer {
        self.post("/api/v1/import/accept", json!({ "digest": preview["digest"] }).to_string()).await
    }
}

#[tokio::test]
async fn what_was_shown_is_written_once() {
    let desk = desk();
    let preview = desk.look(SHEET).await;
    assert_eq!(preview["errors"], json!([]));
    // Two communes, two sites, two lines.
    assert_eq!((&preview["added"], &preview["unchanged"]), (&json!(6), &json!(0)));
    assert!(!desk.directory.join("sites").exists());
    let written = desk.accept(&preview).await;
    assert_eq!(written.json(), json!({ "files": ["sites/28249.yml", "sites/28261.yml"] }));
    assert_eq!(config::load(&desk.directory).unwrap().summary(), "2 communes, 2 sites, 2 lines, 2 carriers");
    assert_eq!(desk.accept(&preview).await.status, StatusCode::NOT_FOUND);
    let again = desk.look(SHEET).await;
    assert_eq!((&again["items"], &again["unchanged"]), (&json!([]), &json!(4)));
    assert_eq!(desk.accept(&again).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn errors_stand_at_their_cells_and_restricted_values_are_never_given() {
    let desk = desk();
    let wrong = SHEET.replace("10.82.2.2", "10.82.2.999").replace("DTP-1", "DTP 1").replace("/121", "/9121");
    let answer = desk.post("/api/v1/import?file=danh-muc.csv", wrong).await;
    let preview = answer.json();
    let told: Vec<_> = preview["errors"].as_array().unwrap().iter().collect();
    assert_eq!(
        told[0],
        &json!({
            "sheet": "", "row": 2, "column": "D", "title": "Mã kênh", "cell": "DTP 1",
            "message": "`DTP 1` holds a space; did you mean `DTP1`?",
        })
    );
    assert_eq!((&told[1]["column"], &told[1]["cell"]), (&json!("E"), &Value::Null));
    assert_eq!((told.len(), &preview["error_count"]), (3, &json!(3)));
    assert_eq!(desk.accept(&preview).await.status, StatusCode::NOT_FOUND);
    let good = desk.post("/api/v1/import?file=danh-muc.csv", SHEET).await;
    for text in [answer.text, good.text.clone()] {
        for restricted in ["10.82.", "VPN-MAT", "9121", "999"] {
            assert!(!text.contains(restricted), "{restricted} in {text}");
        }
    }
    let items = good.json()["items"].clone();
    let line = items.as_array().unwrap().iter().find(|item| item["kind"] == "line").unwrap().clone();
    assert_eq!(
        (&line["change"], &line["id"], &line["name"]),
        (&json!("added"), &json!("28249-du-1"), &json!("DTP-1"))
    );
    let vlan = line["fields"].as_array().unwrap().iter().find(|field| field["field"] == "vlan").unwrap();
    assert_eq!(vlan, &json!({ "field": "vlan", "old": null, "new": null, "restricted": true }));
}

#[tokio::test]
async fn only_an_administrator_may_and_only_while_nothing_else_changed() {
    let desk = desk();
    for path in ["/api/v1/import?file=a.csv", "/api/v1/import/accept"] {
        assert_eq!(desk.rig.post(path, "{}").await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let preview = desk.look(SHEET).await;
    let centre = desk.directory.join("trung-tam.yml");
    std::fs::write(&centre, std::fs::read_to_string(&centre).unwrap() + "# edited\n").unwrap();
    assert_eq!(desk.accept(&preview).await.status, StatusCode::CONFLICT);
    let preview = desk.look(SHEET).await;
    desk.rig.clock.advance(Duration::from_secs(31 * 60));
    assert_eq!(desk.accept(&preview).await.status, StatusCode::NOT_FOUND);
    assert!(!desk.directory.join("sites").exists());
}

#[tokio::test]
async fn a_browser_that_goes_away_leaves_the_turn_to_the_work_it_asked_for() {
    let desk = desk();
    let preview = desk.look(SHEET).await;
    let asked = desk.accept(&preview);
    // Polled once: the work has begun, and nobody waits for it any more.
    assert!(tokio::time::timeout(Duration::ZERO, asked).await.is_err());
    let written = || config::load(&desk.directory).is_ok_and(|config| config.topology.lines.len() == 2);
    while desk.post("/api/v1/import?file=danh-muc.csv", SHEET).await.status != StatusCode::OK {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(written(), "whoever has the turn sees what was written");
    assert_eq!(desk.accept(&preview).await.status, StatusCode::NOT_FOUND, "it cannot be agreed to twice");
}

#[tokio::test]
async fn a_sheet_may_be_larger_than_any_other_body_and_not_without_end() {
    let desk = desk();
    let long = "x,".repeat(100_000);
    let answer = desk.post("/api/v1/import?file=a.csv", long.clone()).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text);
    assert_eq!(answer.json()["detail"], "a.csv: holds more than 256 columns; import it in parts");
    assert_eq!(desk.rig.post("/api/v1/import?file=a.csv", &long).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let endless = vec![b'x'; FILE_MAX + 1];
    assert_eq!(desk.post("/api/v1/import?file=a.csv", endless).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}
