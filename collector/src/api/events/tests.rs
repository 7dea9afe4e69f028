//! Resuming, resetting, and what a frame looks like.

use super::*;
use crate::api::tests::rig::{province, rig};
use crate::entry::Entry;
use futures_util::StreamExt;

fn frame(seq: u64, length: usize) -> Frame {
    Frame { seq, text: format!("{seq}:{}", "x".repeat(length)).into() }
}

fn opened(relay: &Relay, since: Option<u64>) -> Vec<String> {
    let first = relay.open(since, 200).0.into_iter();
    first.map(|text| String::from_utf8_lossy(&text).split(':').next().unwrap().to_owned()).collect()
}

#[test]
fn who_comes_back_gets_what_came_after_or_a_reset() {
    let relay = Relay::at(100);
    for seq in [105, 107, 110] {
        relay.tell(frame(seq, 1));
    }
    assert_eq!(opened(&relay, None), [""; 0]);
    assert_eq!(opened(&relay, Some(100)), ["105", "107", "110"]);
    assert_eq!(opened(&relay, Some(107)), ["110"]);
    assert_eq!(opened(&relay, Some(110)), [""; 0]);
    assert_eq!(opened(&relay, Some(99)), ["id"], "before the ring");
    assert_eq!(opened(&relay, Some(201)), ["id"], "of another journal");
    assert_eq!(reset(110), "id: 110\nevent: reset\ndata: {\"seq\":110}\n\n");
}

#[test]
fn the_ring_is_bounded_in_frames_and_in_octets() {
    let relay = Relay::at(0);
    (1..=FRAMES as u64 + 10).for_each(|seq| relay.tell(frame(seq, 1)));
    assert_eq!(relay.ring().kept.len(), FRAMES);
    assert_eq!(opened(&relay, Some(9)), ["id"]);
    assert_eq!(opened(&relay, Some(10)).len(), FRAMES);
    relay.tell(frame(9_000, RING_BYTES));
    assert_eq!(relay.ring().kept.len(), 0);
    assert_eq!(relay.ring().bytes, 0);
    assert_eq!(opened(&relay, Some(10)), ["id"]);
}

#[test]
fn missed_changes_reset_everybody() {
    let relay = Relay::at(0);
    relay.tell(frame(5, 1));
    let mut open = relay.open(None, 200).1;
    relay.reset(9);
    assert_eq!(open.try_recv().unwrap().text, reset(9));
    assert_eq!(opened(&relay, Some(5)), ["id"]);
    assert_eq!(opened(&relay, Some(9)), [""; 0]);
}

#[test]
fn changes_of_a_moment_make_one_frame_whose_last_event_carries_the_id() {
    let mut watch = Watch::new();
    watch.apply(1, &Entry::Config { at: 1, topology: Box::new(province()) });
    let mut gathered = Gathered::default();
    gathered.add(Change { seq: 7, sites: vec!["28249-1".into()], ..Change::default() });
    gathered.add(Change { seq: 8, sites: vec!["28249-tt".into()], findings: true, ..Change::default() });
    let text = String::from_utf8(gathered.frame(&watch).unwrap().text.to_vec()).unwrap();
    let events: Vec<&str> = text.split_terminator("\n\n").collect();
    assert_eq!(events.len(), 2);
    assert!(
        events[0].starts_with("event: state\ndata: {\"seq\":8,\"sites\":[{\"id\":\"28249-tt\""),
        "{text}"
    );
    assert_eq!(events[1], "id: 8\nevent: findings\ndata: {\"seq\":8}");
    assert!(Gathered::default().frame(&watch).is_none());
}

#[tokio::test]
async fn a_stream_begins_with_a_heartbeat_and_ends_with_the_program() {
    let rig = rig();
    let bearer = format!("Bearer {}", rig.token);
    let request = axum::http::Request::get("/api/v1/events").header("authorization", bearer);
    let answer = tower::ServiceExt::oneshot(rig.router.clone(), request.body(Body::empty()).unwrap()).await;
    let answer = answer.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body().into_data_stream();
    let first = body.next().await.unwrap().unwrap();
    let first = String::from_utf8_lossy(&first);
    assert!(first.starts_with("id: ") && first.contains("\nevent: heartbeat\ndata: {\"at\":"), "{first}");
    rig.stopper.stop();
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn a_reader_too_slow_is_reset_and_dropped() {
    let rig = rig();
    let bearer = format!("Bearer {}", rig.token);
    let request = axum::http::Request::get("/api/v1/events").header("authorization", bearer);
    let answer = tower::ServiceExt::oneshot(rig.router.clone(), request.body(Body::empty()).unwrap()).await;
    let mut body = answer.unwrap().into_body().into_data_stream();
    let through = rig.fold.read(Watch::seq) + 1_000;
    (0..=LAG as u64).for_each(|n| rig.events.tell(frame(through + n, 1)));
    let rest: Vec<String> =
        body.by_ref().map(|text| String::from_utf8_lossy(&text.unwrap()).into_owned()).collect().await;
    assert_eq!(rest.last().map(String::as_bytes), Some(&*reset(through + LAG as u64)));
    assert!(rest.len() <= 2, "{rest:?}");
}
