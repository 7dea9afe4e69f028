//! A collector's batch port that keeps envelopes and fails as told.

use super::agent::{Agent, bearer};
use bytes::Bytes;
use haidang_probe::batch::{Ack, Batch, Envelope, Ranges};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::net::TcpListener;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the collector behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mood {
    /// Keeps and acknowledges.
    Well,
    /// Answers with this status and keeps nothing.
    Status(u16),
    /// Closes the connection and keeps nothing.
    HangUp,
    /// Keeps the batch, then closes the connection without an answer.
    HangUpAfterKeeping,
    /// Never answers.
    Silent,
}

#[derive(Default)]
struct State {
    mood: Option<Mood>,
    /// Requests met in this mood.
    met: usize,
    kept: BTreeMap<u64, Vec<u8>>,
    order: Vec<u64>,
    refused: BTreeSet<u64>,
    spools: BTreeSet<u64>,
}

#[derive(Clone)]
pub struct Collector {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Collector {
    pub async fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let collector = Collector { address: listener.local_addr().unwrap(), state: Arc::default() };
        let serving = collector.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let collector = serving.clone();
                let service = service_fn(move |request| collector.clone().answer(request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        collector
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn becomes(&self, mood: Mood) {
        let mut state = self.state();
        (state.mood, state.met) = (Some(mood), 0);
    }

    /// Takes on this mood until a batch has met it.
    pub async fn meets(&self, mood: Mood) {
        self.becomes(mood);
        self.until(|| self.state().met > 0).await;
    }

    /// Answers 400 to this batch, whatever the mood.
    pub fn refuses(&self, seq: u64) {
        self.state().refused.insert(seq);
    }

    /// Until so many more batches are kept.
    pub async fn keeps(&self, more: usize) {
        let enough = self.kept().len() + more;
        self.until(|| self.kept().len() >= enough).await;
    }

    /// Until it has everything that is on the agent's disk.
    pub async fn has_all(&self, agent: &Agent) {
        self.until(|| agent.sealed().keys().all(|seq| self.state().kept.contains_key(seq))).await;
    }

    pub async fn until(&self, condition: impl Fn() -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(waited.await.is_ok(), "gave up; kept {:?}", self.order());
    }

    pub fn kept(&self) -> BTreeMap<u64, Vec<u8>> {
        self.state().kept.clone()
    }

    /// Numbers in the order they were first kept.
    pub fn order(&self) -> Vec<u64> {
        self.state().order.clone()
    }

    pub fn spools(&self) -> usize {
        self.state().spools.len()
    }

    pub fn batches(&self) -> Vec<Batch> {
        self.kept().values().map(|bytes| Envelope::decode(bytes).unwrap().open().unwrap()).collect()
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::io::Error> {
        assert_eq!(request.uri().path(), "/agent/v1/batch");
        assert_eq!(request.headers()["authorization"], bearer().as_str());
        assert_eq!(request.headers()["content-type"], "application/x-protobuf");
        let bytes = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
        let envelope = Envelope::decode(&bytes).unwrap();
        let (mood, refused) = {
            let mut state = self.state();
            state.met += 1;
            state.spools.insert(envelope.spool_id);
            (state.mood.unwrap_or(Mood::Well), state.refused.contains(&envelope.seq))
        };
        if refused {
            return Ok(status(400));
        }
        match mood {
            Mood::Well => Ok(Response::new(Bytes::from(self.keep(&envelope, &bytes).encode()).into())),
            Mood::Status(code) => Ok(status(code)),
            Mood::HangUp => Err(std::io::Error::other("hung up")),
            Mood::HangUpAfterKeeping => {
                self.keep(&envelope, &bytes);
                Err(std::io::Error::other("hung up"))
            }
            Mood::Silent => std::future::pending().await,
        }
    }

    fn keep(&self, envelope: &Envelope, bytes: &Bytes) -> Ack {
        let mut state = self.state();
        let before = state.kept.insert(envelope.seq, bytes.to_vec());
        match before {
            Some(before) => assert_eq!(before, bytes[..], "number {} given to two batches", envelope.seq),
            None => state.order.push(envelope.seq),
        }
        let mut received = Ranges::default();
        for seq in state.kept.keys() {
            received.insert(*seq).unwrap();
        }
        Ack { spool_id: envelope.spool_id, seq: envelope.seq, received, ..Ack::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

fn status(code: u16) -> Response<Full<Bytes>> {
    let mut response = Response::new(Bytes::from_static(b"as told").into());
    *response.status_mut() = code.try_into().unwrap();
    response
}
