//! `POST /agent/v1/batch`: a batch in, an acknowledgement out once it is durable. `GET /agent/v1/plan`: the orders
//! whose digest acknowledgements name.
//!
//! ```text
//! certificate, or token on this machine? ─no─▶ 401 · in quarantine ─▶ 403
//!   ▼
//! size? ─over─▶ 413      in hand? ─too many─▶ 429
//!   │ whose identity decides the site
//!   ▼
//! read ─too much of one agent─▶ 429
//!   ▼
//! decode, open ─no─▶ 400 · 413 · 415      agent ≠ identity ─▶ 403
//!   ▼
//! fold ─▶ kept or repeat: 200 and an Ack      too many holes or spools: 429      not durable: 503
//!
//! who? ─no─▶ 401 · 403      asked too often? 429      no orders for it: 404      else 200 and the orders (JSON)
//! ```
//!
//! A refusal is problem details (RFC 9457) whose `reason` is also a counter's label. Nothing of a refused
//! batch is kept; the agent sends it again. The whole of an envelope is read under caps before it is believed.

mod budget;

use crate::entry::Received;
use crate::fold::{Arrival, Fold, Kept, Refused};
use crate::plans::Plans;
use crate::registry::{Denied, Roster};
use crate::topology::Id;
use arc_swap::ArcSwap;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::extract::State;
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use budget::{Budgets, OCTETS, PLANS};
use haidang_daemon::clock::Clock;
use haidang_daemon::metrics::Metrics;
use haidang_daemon::serve::{Peer, Presented};
use haidang_probe::batch::limit::MAX_ENVELOPE_BYTES;
use haidang_probe::batch::{Ack, Batch, Envelope, Refusal};
use haidang_probe::plan::{Delivery, Sealed};
use http_body_util::LengthLimitError;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::{counter::Counter, family::Family};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Path agents post batches to.
pub const PATH: &str = "/agent/v1/batch";
/// Path agents get their orders from.
pub const PLAN: &str = "/agent/v1/plan";
/// Batches being read, opened or waited for at a time, of all agents.
pub const IN_HAND: usize = 64;
/// The same of one agent: its live batch and its three lanes of backlog, whatever uplinks they take.
pub const IN_HAND_OF_ONE: usize = 4;
/// Time for a body to arrive once its head has.
pub const BODY_TIME: Duration = Duration::from_secs(30);
/// What the one who was told to wait should wait, seconds.
const RETRY_AFTER: &str = "1";
/// Encoding of envelopes and acknowledgements.
const PROTOBUF: &str = "application/x-protobuf";

/// Where batches come in.
pub struct Ingest {
    fold: Fold,
    roster: Arc<ArcSwap<Roster>>,
    plans: Arc<ArcSwap<Plans>>,
    clock: Clock,
    in_hand: Mutex<BTreeMap<Id, usize>>,
    budgets: Mutex<Budgets>,
    plan_budgets: Mutex<Budgets>,
    counts: Counts,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Default)]
struct Counts {
    kept: Counter,
    repeats: Counter,
    octets: Counter,
    unknown: Counter,
    plans: Counter,
    refused: Family<Reason, Counter>,
}

/// Why a batch was refused. Its name is stable: agents and counters know it.
#[derive(Debug, thiserror::Error)]
enum Refusing {
    #[error("the bearer token is missing or of no agent")]
    Token,
    #[error("a bearer token counts on the collector's own machine alone; enrol the agent")]
    Remote,
    #[error("the certificate is of no agent, or has ended")]
    Certificate,
    #[error("the agent is in quarantine until somebody at the collector approves it")]
    Quarantine,
    #[error("the envelope is larger than {MAX_ENVELOPE_BYTES} octets")]
    Oversized,
    #[error("the body did not arrive whole in time")]
    Body,
    #[error("too many batches in hand; send them one after the other")]
    Busy,
    #[error("more octets than one agent may send; send them more slowly")]
    Rate,
    #[error(transparent)]
    Envelope(#[from] Refusal),
    #[error("the envelope names another agent than the token")]
    Agent,
    #[error("the plan was asked for too often; ask again later")]
    PlanRate,
    #[error("there is no plan for this agent")]
    NoPlan,
    #[error(transparent)]
    Fold(#[from] Refused),
}

impl Ingest {
    /// Takes batches of the agents on the roster.
    pub fn new(
        fold: Fold,
        roster: Arc<ArcSwap<Roster>>,
        plans: Arc<ArcSwap<Plans>>,
        clock: Clock,
        metrics: &Metrics,
    ) -> Arc<Ingest> {
        let counts = Counts::register(metrics);
        let (in_hand, budgets) = (Mutex::default(), Mutex::new(Budgets::new(OCTETS)));
        let plan_budgets = Mutex::new(Budgets::new(PLANS));
        Arc::new(Ingest { fold, roster, plans, clock, in_hand, budgets, plan_budgets, counts })
    }

    /// The routes.
    pub fn router(self: Arc<Ingest>) -> Router {
        Router::new().route(PATH, post(batch)).route(PLAN, get(plan)).with_state(self)
    }

    /// The orders of the agent who asks.
    fn orders(&self, shown: &Shown) -> Result<String, Refusing> {
        let agent = self.identity(shown)?;
        if !charge(&self.plan_budgets, &agent, 1, &self.clock) {
            return Err(Refusing::PlanRate);
        }
        let sealed = self.roster.load().sealed.get(&agent).and_then(Sealed::text);
        let plans = self.plans.load();
        let plan = plans.get(&agent).ok_or(Refusing::NoPlan)?;
        self.counts.plans.inc();
        Ok(Delivery::text(&plan.text, sealed.as_deref()))
    }

    async fn take(&self, shown: &Shown, body: Body) -> Result<Ack, Refusing> {
        let agent = self.identity(shown)?;
        let _in_hand = self.admit(&agent)?;
        let bytes = read(&shown.0, body).await?;
        // Also what is refused afterwards counts: opening it costs as well.
        if !charge(&self.budgets, &agent, bytes.len(), &self.clock) {
            return Err(Refusing::Rate);
        }
        let (envelope, batch) = open(&bytes)?;
        if envelope.agent != agent {
            return Err(Refusing::Agent);
        }
        self.counts.octets.inc_by(bytes.len() as u64);
        self.counts.unknown.inc_by(u64::from(batch.unknown));
        let plan_digest = self.plans.load().digest(&agent);
        let received = Received { at: self.clock.utc_ms(), agent, envelope: bytes.into() };
        let (spool_id, seq) = (envelope.spool_id, envelope.seq);
        let Kept { position, received } = self.fold.batch(Arrival { received, spool_id, seq, batch }).await?;
        if position.is_some() {
            self.counts.kept.inc()
        } else {
            self.counts.repeats.inc()
        };
        Ok(Ack { spool_id, seq, received, plan_digest })
    }

    /// Whose certificate or token is shown. It alone decides the site.
    fn identity(&self, Shown(headers, extensions): &Shown) -> Result<Id, Refusing> {
        let roster = self.roster.load();
        if let Some(Presented(certificate)) = extensions.get() {
            let site = roster.certified(certificate, self.clock.utc_ms());
            return site.cloned().map_err(|denied| match denied {
                Denied::Unknown => Refusing::Certificate,
                Denied::Quarantined => Refusing::Quarantine,
            });
        }
        let said = headers.get(header::AUTHORIZATION).and_then(|said| said.to_str().ok());
        let token = said.and_then(|said| said.strip_prefix("Bearer ")).ok_or(Refusing::Token)?;
        // A copy of a secret: it must not travel.
        if !extensions.get().is_some_and(|Peer(peer)| peer.ip().to_canonical().is_loopback()) {
            return Err(Refusing::Remote);
        }
        roster.identity(token).cloned().ok_or(Refusing::Token)
    }

    /// A place for one more batch of this agent, held until it is dropped.
    fn admit(&self, agent: &Id) -> Result<InHand<'_>, Refusing> {
        let mut in_hand = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = in_hand.get(agent).copied().unwrap_or(0);
        if of_one >= IN_HAND_OF_ONE || in_hand.values().sum::<usize>() >= IN_HAND {
            return Err(Refusing::Busy);
        }
        in_hand.insert(agent.clone(), of_one + 1);
        Ok(InHand { of: self, agent: agent.clone() })
    }
}

/// Takes so much of what the agent may have; false when it has to wait.
fn charge(budgets: &Mutex<Budgets>, agent: &Id, amount: usize, clock: &Clock) -> bool {
    let now_ms = clock.steady_ns() / 1_000_000;
    budgets.lock().unwrap_or_else(PoisonError::into_inner).take(agent, amount, now_ms)
}

struct InHand<'a> {
    of: &'a Ingest,
    agent: Id,
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        let mut in_hand = self.of.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = in_hand.get_mut(&self.agent) {
            *count -= 1;
            if *count == 0 {
                in_hand.remove(&self.agent);
            }
        }
    }
}

/// What a request shows of who asks.
struct Shown(HeaderMap, Extensions);

fn apart(request: Request) -> (Shown, Body) {
    let (head, body) = request.into_parts();
    (Shown(head.headers, head.extensions), body)
}

async fn batch(State(ingest): State<Arc<Ingest>>, request: Request) -> Response {
    let (shown, body) = apart(request);
    match ingest.take(&shown, body).await {
        Ok(ack) => ([(header::CONTENT_TYPE, PROTOBUF)], ack.encode()).into_response(),
        Err(refusing) => ingest.counts.refuse(refusing),
    }
}

async fn plan(State(ingest): State<Arc<Ingest>>, request: Request) -> Response {
    match ingest.orders(&apart(request).0) {
        Ok(orders) => ([(header::CONTENT_TYPE, "application/json")], orders).into_response(),
        Err(refusing) => ingest.counts.refuse(refusing),
    }
}

/// The whole body, under its cap: a body announced as too large is not read at all.
async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusing> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > MAX_ENVELOPE_BYTES as u64) {
        return Err(Refusing::Oversized);
    }
    let whole = tokio::time::timeout(BODY_TIME, to_bytes(body, MAX_ENVELOPE_BYTES)).await;
    whole.map_err(|_| Refusing::Body)?.map_err(|error| {
        let over =
            std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<LengthLimitError>);
        if over { Refusing::Oversized } else { Refusing::Body }
    })
}

fn open(bytes: &[u8]) -> Result<(Envelope, Batch), Refusal> {
    let envelope = Envelope::decode(bytes)?;
    let batch = envelope.open()?;
    Ok((envelope, batch))
}

impl Refusing {
    /// All names, for counters that start at zero.
    const NAMES: [&str; 15] = [
        "token",
        "remote",
        "certificate",
        "quarantine",
        "body",
        "busy",
        "rate",
        "agent",
        "plan-rate",
        "no-plan",
        "holes",
        "spools",
        "queue-full",
        "not-durable",
        "stopping",
    ];

    fn name(&self) -> &'static str {
        match self {
            Refusing::Token => "token",
            Refusing::Remote => "remote",
            Refusing::Certificate => "certificate",
            Refusing::Quarantine => "quarantine",
            Refusing::Oversized => "oversized",
            Refusing::Body => "body",
            Refusing::Busy => "busy",
            Refusing::Rate => "rate",
            Refusing::Envelope(refusal) => refusal.name(),
            Refusing::Agent => "agent",
            Refusing::PlanRate => "plan-rate",
            Refusing::NoPlan => "no-plan",
            Refusing::Fold(Refused::Holes) => "holes",
            Refusing::Fold(Refused::Spools) => "spools",
            Refusing::Fold(Refused::Full) => "queue-full",
            Refusing::Fold(Refused::Journal(_)) => "not-durable",
            Refusing::Fold(Refused::Stopping) => "stopping",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Refusing::Token | Refusing::Certificate => StatusCode::UNAUTHORIZED,
            Refusing::Remote | Refusing::Agent | Refusing::Quarantine => StatusCode::FORBIDDEN,
            Refusing::Body => StatusCode::REQUEST_TIMEOUT,
            Refusing::NoPlan => StatusCode::NOT_FOUND,
            Refusing::Busy
            | Refusing::Rate
            | Refusing::PlanRate
            | Refusing::Fold(Refused::Holes | Refused::Spools) => StatusCode::TOO_MANY_REQUESTS,
            Refusing::Fold(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refusing::Oversized => StatusCode::PAYLOAD_TOO_LARGE,
            Refusing::Envelope(refusal) => match refusal {
                Refusal::Oversized(..) | Refusal::ZipBomb(_) => StatusCode::PAYLOAD_TOO_LARGE,
                Refusal::UnknownVersion(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Refusal::Truncated | Refusal::Garbled(_) => StatusCode::BAD_REQUEST,
            },
        }
    }
}

impl IntoResponse for Refusing {
    fn into_response(self) -> Response {
        let status = self.status();
        let problem = serde_json::json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": self.to_string(),
            "reason": self.name(),
        });
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, kind, problem.to_string()).into_response();
        let headers = response.headers_mut();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            // Whoever may not speak has no use for its connection.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
            }
            _ => {}
        }
        response
    }
}

impl Counts {
    fn register(metrics: &Metrics) -> Counts {
        let counts = Counts::default();
        for reason in Refusing::NAMES.into_iter().chain(Refusal::NAMES) {
            drop(counts.refused.get_or_create(&Reason { reason }));
        }
        metrics.register(|registry| {
            registry.register("ingest_kept", "Batches kept", counts.kept.clone());
            registry.register("ingest_repeats", "Batches received before", counts.repeats.clone());
            registry.register("ingest_octets", "Octets of envelopes that opened", counts.octets.clone());
            let help = "Values skipped because their number is not known to this version";
            registry.register("ingest_unknown_values", help, counts.unknown.clone());
            registry.register("plans_handed_out", "Plans that agents fetched", counts.plans.clone());
            registry.register("ingest_refused", "Requests refused, by reason", counts.refused.clone());
        });
        counts
    }

    fn refuse(&self, refusing: Refusing) -> Response {
        let reason = refusing.name();
        self.refused.get_or_create(&Reason { reason }).inc();
        tracing::debug!(reason, detail = %refusing, "refused");
        refusing.into_response()
    }
}

#[cfg(test)]
mod tests;
