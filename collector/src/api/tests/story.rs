//! An outage through the real fold: seen in the state, told as an incident, acted upon, streamed.

use super::rig::*;
use crate::entry::{DownHeard, DownSent, Entry, Tick, UpHeard};
use axum::body::Body;
use axum::http::Request;
use futures_util::StreamExt;
use serde_json::{Value, json};

/// Sessions of the uplinks in the record of [`province`]: the one cut, and the one that lives.
const CUT: u16 = 2;
const LIVES: u16 = 4;

/// A tick that ends at `at`; once a second the packets of both uplinks are due.
fn tick(at: i64, alive: bool) -> Entry {
    let seq = (at / 1000) as u8;
    let due = at % 1000 == 0;
    let sent = [CUT, LIVES].map(|ssid| DownSent { ssid, seq, before_ms: 50 });
    let heard: Vec<u16> = if alive { vec![CUT, LIVES] } else { vec![LIVES] };
    let up = heard.iter().map(|&ssid| UpHeard { ssid, seq, before_ms: 60 });
    let down = heard.iter().map(|&ssid| DownHeard { ssid, seq, before_ms: 40, rtt_tenths: 80, peer: seq });
    if !due {
        return Entry::Tick(Tick { at, ..Tick::default() });
    }
    Entry::Tick(Tick { at, up: up.collect(), sent: sent.to_vec(), down: down.collect() })
}

impl Rig {
    /// Both uplinks are proved to ride on their lines.
    pub(super) async fn prove(&self) {
        for ssid in [CUT, LIVES] {
            self.fold
                .durable(Entry::Proof { at: self.clock.utc_ms(), ssid, proved: true, rides_on: None })
                .await
                .unwrap();
        }
    }

    /// Lets `seconds` pass, with the first site's liveness heard or not.
    pub(super) async fn pass(&self, seconds: u32, alive: bool) {
        for n in 1..=seconds * 10 {
            self.clock.advance(std::time::Duration::from_millis(100));
            let tick = tick(self.clock.utc_ms(), alive);
            // The fold's queue is bounded: wait for it now and then.
            if n % 100 == 0 {
                self.fold.durable(tick).await.unwrap();
            } else {
                self.fold.submit(tick).unwrap();
            }
        }
    }

    async fn cut(&self) -> String {
        self.prove().await;
        self.pass(90, true).await;
        self.pass(20, false).await;
        let open = self.get("/api/v1/incidents?open=true").await.json();
        let items = open["items"].as_array().unwrap();
        assert_eq!(items.len(), 1, "{open}");
        items[0]["id"].as_str().unwrap().to_owned()
    }
}

async fn site(rig: &Rig) -> Value {
    let state = rig.get("/api/v1/state").await.json();
    state["sites"].as_array().unwrap().iter().find(|site| site["id"] == "28249-tt").unwrap().clone()
}

#[tokio::test]
async fn an_outage_is_told_taken_on_noted_and_closed() {
    let rig = rig();
    let id = rig.cut().await;
    let down = site(&rig).await;
    assert_eq!(
        (&down["state"], &down["acked"], &down["established"]),
        (&json!("down"), &json!(false), &json!(true))
    );

    let path = |act: &str| format!("/api/v1/incidents/{id}{act}");
    let taken = rig.post(&path("/ack"), "{}").await;
    assert_eq!(taken.status, 200, "{}", taken.text);
    assert_eq!(taken.json()["acked"]["by"], "an");
    assert_eq!(site(&rig).await["acked"], true);
    assert_eq!(rig.post(&path("/ack"), "{}").await.status, 409);

    let noted = rig.post(&path("/note"), r#"{"text":"Đã gọi xã: mất điện"}"#).await.json();
    let last = noted["timeline"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["what"], &last["text"], &last["by"]),
        (&json!("note"), &json!("Đã gọi xã: mất điện"), &json!("an"))
    );

    let told = rig.get(&path("")).await.json();
    assert_eq!(told["affected"], json!(["28249-tt"]));
    assert!(!told["evidence"].as_array().unwrap().is_empty());
    let closed = rig.post(&path("/close"), r#"{"reason":"bảo trì điện"}"#).await;
    assert_eq!((closed.status.as_u16(), &closed.json()["state"]), (200, &json!("closed")));
    assert_eq!(rig.post(&path("/close"), r#"{"reason":"lần nữa"}"#).await.status, 409);
    assert_eq!(rig.get("/api/v1/incidents?open=true").await.json()["items"], json!([]));
    assert_eq!(rig.get("/api/v1/incidents").await.json()["items"][0]["id"], id.as_str());
    for address in ADDRESSES {
        assert!(!told.to_string().contains(address), "{address} left");
    }
}

#[tokio::test]
async fn a_stream_tells_the_outage_and_resumes_after_a_break() {
    let rig = rig();
    rig.prove().await;
    rig.pass(90, true).await;
    let seen = rig.fold.read(crate::watch::Watch::seq);
    rig.pass(20, false).await;
    let request = Request::get("/api/v1/events")
        .header("authorization", format!("Bearer {}", rig.token))
        .header("last-event-id", seen.to_string());
    let answer =
        tower::ServiceExt::oneshot(rig.router.clone(), request.body(Body::empty()).unwrap()).await.unwrap();
    let mut body = answer.into_body().into_data_stream();
    let mut text = String::new();
    while !text.contains("event: incident") {
        text += &String::from_utf8_lossy(&body.next().await.unwrap().unwrap());
    }
    assert!(text.contains("event: state\ndata: {\"seq\":"), "{text}");
    assert!(text.contains("\"state\":\"down\""), "{text}");
    assert!(text.contains("event: incident\ndata: {\"id\":\"SC-"), "{text}");
    assert!(!text.contains("event: reset"), "{text}");
}

#[tokio::test]
async fn a_new_record_makes_everybody_read_anew() {
    let rig = rig();
    let request = Request::get("/api/v1/events").header("authorization", format!("Bearer {}", rig.token));
    let answer =
        tower::ServiceExt::oneshot(rig.router.clone(), request.body(Body::empty()).unwrap()).await.unwrap();
    let mut body = answer.into_body().into_data_stream();
    let mut record = province();
    record.sites.remove("28249-tt");
    record.lines.clear();
    rig.fold.configure(rig.clock.utc_ms(), record).await.unwrap();
    let mut text = String::new();
    while !text.contains("event: reset") {
        text += &String::from_utf8_lossy(&body.next().await.unwrap().unwrap());
    }
    assert_eq!(rig.get("/api/v1/topology").await.json()["lines"], json!([]));
}
