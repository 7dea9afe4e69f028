use super::*;
use crate::fold::{self, Ending, Hooks, Journal, Start, StartError};
use crate::registry::Registry;
use crate::topology::{Needs, Observe, Site, SiteKind, Topology};
use axum::http::Request;
use haidang_probe::check::CheckId;
use haidang_probe::credential::Credentials;
use haidang_probe::key;
use haidang_probe::moment::Moment;
use haidang_probe::outcome::Outcome;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use std::path::Path;

/// A collector without sockets, on a journal in a directory.
struct Collector {
    ingest: Arc<Ingest>,
    fold: Fold,
    metrics: Metrics,
    ending: Ending,
    token: String,
    peer: Peer,
}

fn site() -> Site {
    Site {
        name: "Trung tâm".into(),
        kind: SiteKind::Core,
        commune: None,
        observe: Observe::Gateway,
        rehearsal: false,
        needs: Needs::AnyOf(Vec::new()),
        contact: None,
        gate_s: 60,
        checks: Vec::new(),
        ssid: None,
        ..Site::default()
    }
}

impl Collector {
    /// Waits for an earlier one to let go of the journal.
    async fn start(data: &Path) -> Collector {
        let mut topology = Topology::default();
        topology.sites.insert("a".into(), site());
        topology.sites.insert("b".into(), site());
        let secret = Registry::edit(data, |registry| registry.add(&topology, "a", false)).unwrap();
        let registry = Registry::read(data).unwrap();
        registry.assign(&mut topology);
        let roster = Arc::new(ArcSwap::from_pointee(registry.roster(&topology)));
        let plans = Arc::new(ArcSwap::from_pointee(Plans::of(&topology, &Credentials::new())));
        let token = key::bearer(&key::unhex(&secret.hex()).unwrap());
        let clock = Clock::manual();
        let (fold, ending) = loop {
            let journal = Journal { dir: data.join("evidence"), max_bytes: 1 << 30 };
            let start = Start {
                journal,
                at: clock.utc_ms(),
                topology: topology.clone(),
                resume: None,
                hooks: Hooks::default(),
            };
            match fold::start(start) {
                Ok(started) => break started,
                Err(StartError::Journal(haidang_journal::Error::Locked { .. })) => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(error) => panic!("{error}"),
            }
        };
        let metrics = Metrics::new();
        let ingest = Ingest::new(fold.clone(), roster, plans, clock, &metrics);
        let peer = Peer("127.0.0.1:40000".parse().unwrap());
        Collector { ingest, fold, metrics, ending, token, peer }
    }

    async fn post(&self, token: &str, body: Vec<u8>) -> (StatusCode, Bytes) {
        let service = TowerToHyperService::new(self.ingest.clone().router());
        let request =
            Request::post(PATH).header("authorization", format!("Bearer {token}")).extension(self.peer);
        let response = service.call(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = response.status();
        (status, to_bytes(response.into_body(), 1 << 20).await.unwrap())
    }

    async fn plan(&self, token: &str) -> (StatusCode, Bytes) {
        let service = TowerToHyperService::new(self.ingest.clone().router());
        let request =
            Request::get(PLAN).header("authorization", format!("Bearer {token}")).extension(self.peer);
        let response = service.call(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status();
        (status, to_bytes(response.into_body(), 1 << 20).await.unwrap())
    }

    async fn send(&self, envelope: &[u8]) -> (StatusCode, Bytes) {
        self.post(&self.token, envelope.to_vec()).await
    }

    /// The refusal's reason, after checking that it was counted.
    async fn refused(&self, token: &str, body: Vec<u8>) -> (u16, String) {
        let (status, answer) = self.post(token, body).await;
        let problem: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        let reason = problem["reason"].as_str().unwrap().to_owned();
        assert_eq!(problem["status"], status.as_u16());
        let counted = format!("ingest_refused_total{{reason=\"{reason}\"}} 1");
        let metrics = self.metrics.text().unwrap();
        assert!(metrics.contains(&counted), "{counted} in\n{metrics}");
        (status.as_u16(), reason)
    }

    fn entries(&self) -> u64 {
        self.fold.counts().entries.load(std::sync::atomic::Ordering::Relaxed)
    }
}

fn sealed(agent: &str, seq: u64) -> Envelope {
    let outcome = Outcome {
        check: CheckId(1),
        sent: Moment::default(),
        result: Ok(Duration::from_millis(3)),
        samples: Vec::new(),
    };
    let batch = Batch { outcomes: vec![outcome], ..Batch::default() };
    Envelope::seal(agent, 77, seq, [0; 32], &batch).unwrap()
}

fn envelope(seq: u64) -> Vec<u8> {
    sealed("a", seq).encode()
}

fn ranges(answer: &[u8]) -> Vec<(u64, u64)> {
    Ack::decode(answer).unwrap().received.as_slice().to_vec()
}

#[tokio::test]
async fn a_batch_is_kept_once_and_its_repeat_acknowledged() {
    let data = tempfile::tempdir().unwrap();
    let collector = Collector::start(data.path()).await;
    let before = collector.entries();
    for _ in 0..2 {
        let (status, answer) = collector.send(&envelope(0)).await;
        assert_eq!((status, ranges(&answer)), (StatusCode::OK, vec![(0, 0)]));
    }
    assert_eq!(collector.entries() - before, 1);
    let (_, answer) = collector.send(&envelope(2)).await;
    assert_eq!(ranges(&answer), [(0, 0), (2, 2)]);
}

#[tokio::test]
async fn the_same_batch_twice_at_once_is_kept_once() {
    let data = tempfile::tempdir().unwrap();
    let collector = Collector::start(data.path()).await;
    let before = collector.entries();
    let envelope = envelope(0);
    let (one, other) = tokio::join!(collector.send(&envelope), collector.send(&envelope));
    assert_eq!((one.0, other.0), (StatusCode::OK, StatusCode::OK));
    assert_eq!(collector.entries() - before, 1);
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let collector = Collector::start(data.path()).await;
    for seq in 0..5 {
        assert_eq!(collector.send(&envelope(seq)).await.0, StatusCode::OK);
    }
    drop(collector);
    let collector = Collector::start(data.path()).await;
    let before = collector.entries();
    let (status, answer) = collector.send(&envelope(3)).await;
    assert_eq!((status, ranges(&answer)), (StatusCode::OK, vec![(0, 4)]));
    assert_eq!(collector.entries(), before, "a repeat across the kill");
}

#[tokio::test]
async fn an_orderly_stop_is_folded_on_from() {
    let data = tempfile::tempdir().unwrap();
    let collector = Collector::start(data.path()).await;
    assert_eq!(collector.send(&envelope(0)).await.0, StatusCode::OK);
    let Collector { ending, fold, .. } = collector;
    ending.stop().await;
    assert_eq!(fold.submit(crate::entry::Entry::Start { at: 0 }), Err(Refused::Stopping));
    let collector = Collector::start(data.path()).await;
    assert_eq!(ranges(&collector.send(&envelope(1)).await.1), [(0, 1)]);
}

#[tokio::test]
async fn a_token_counts_on_the_collectors_own_machine_alone() {
    let data = tempfile::tempdir().unwrap();
    let mut collector = Collector::start(data.path()).await;
    collector.peer = Peer("192.0.2.1:40000".parse().unwrap());
    assert_eq!(collector.refused(&collector.token, envelope(0)).await, (403, "remote".into()));
    for near in ["127.0.0.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        collector.peer = Peer(near.parse().unwrap());
        assert_eq!(collector.send(&envelope(0)).await.0, 200, "{near}");
    }
}

#[tokio::test]
async fn strangers_and_impostors_are_turned_away() {
    let data = tempfile::tempdir().unwrap();
    let collector = Collector::start(data.path()).await;
    assert_eq!(collector.refused("wrong", envelope(0)).await, (401, "token".into()));
    let of_another = sealed("b", 0).encode();
    assert_eq!(collector.refused(&collector.token, of_another).await, (403, "agent".into()));
}

#[tokio::test]
async fn bad_envelopes_are_refused_by_reason_and_nothing_is_kept() {
    let data = tempfile::tempdir().unwrap();
    let collector = Collector::start(data.path()).await;
    let before = collector.entries();
    let whole = envelope(0);
    let truncated = whole.get(..whole.len() - 3).unwrap().to_vec();
    let mut version = whole.clone();
    version[1] = 9;
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 1).unwrap();
    let bomb = Envelope { payload: bomb.into(), ..sealed("a", 0) }.encode();
    for (body, expected) in [
        (vec![0xff; 64], (400, "garbled")),
        (truncated, (400, "truncated")),
        (version, (415, "unknown-version")),
        (vec![0; MAX_ENVELOPE_BYTES + 1], (413, "oversized")),
        (bomb, (413, "zip-bomb")),
    ] {
        let refused = collector.refused(&collector.token, body).await;
        assert_eq!(refused, (expected.0, expected.1.to_owned()));
    }
    assert_eq!(collector.entries(), before);
    assert_eq!(collector.send(&whole).await.0, StatusCode::OK);
}

#[tokio::test]
async fn more_holes_than_ranges_are_refused_until_filled() {
    let data = tempfile::tempdir().unwrap();
    let collector = Collector::start(data.path()).await;
    for hole in 0..haidang_probe::batch::MAX_RANGES as u64 {
        assert_eq!(collector.send(&envelope(hole * 2)).await.0, StatusCode::OK);
    }
    assert_eq!(collector.refused(&collector.token, envelope(1_000)).await, (429, "holes".into()));
    assert_eq!(collector.send(&envelope(1)).await.0, StatusCode::OK, "filling a hole is always taken");
    assert_eq!(collector.send(&envelope(1_000)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn one_agent_cannot_take_every_place() {
    let data = tempfile::tempdir().unwrap();
    let collector = Collector::start(data.path()).await;
    let agent = "a".to_owned();
    let held: Vec<_> = (0..IN_HAND_OF_ONE).map(|_| collector.ingest.admit(&agent).unwrap()).collect();
    assert_eq!(collector.refused(&collector.token, envelope(0)).await, (429, "busy".into()));
    assert!(collector.ingest.admit(&"b".to_owned()).is_ok());
    drop(held);
    assert_eq!(collector.send(&envelope(0)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn no_refusal_repeats_the_token() {
    let data = tempfile::tempdir().unwrap();
    let collector = Collector::start(data.path()).await;
    let (_, answer) = collector.post("s3cret-token", envelope(0)).await;
    assert!(!String::from_utf8_lossy(&answer).contains("s3cret"));
}

#[tokio::test]
async fn an_acknowledgement_names_the_plan_that_is_handed_out_to_its_agent_alone() {
    let data = tempfile::tempdir().unwrap();
    let collector = Collector::start(data.path()).await;
    let (_, answer) = collector.send(&envelope(0)).await;
    let (status, orders) = collector.plan(&collector.token).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(Ack::decode(&answer).unwrap().plan_digest, haidang_probe::plan::PlanDigest::of(&orders));
    let orders: haidang_probe::plan::Orders = serde_json::from_slice(&orders).unwrap();
    assert_eq!(orders.uplinks[0].line, crate::plans::ANY);
    assert_eq!(collector.plan("of nobody").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_storm_for_the_plan_is_turned_away() {
    let data = tempfile::tempdir().unwrap();
    let collector = Collector::start(data.path()).await;
    for _ in 0..budget::PLANS.burst {
        assert_eq!(collector.plan(&collector.token).await.0, StatusCode::OK);
    }
    assert_eq!(collector.plan(&collector.token).await.0, StatusCode::TOO_MANY_REQUESTS);
}
