//! `POST /agent/v1/enroll` and `/agent/v1/renew`: a device becomes the agent of a site, and stays it.
//!
//! ```text
//! too many failures from there? ─▶ 429      in hand? ─too many─▶ 429      body ─too large, late─▶ 413 · 408
//!   ▼
//! request ─garbled─▶ 400      code ─wrong, used, expired─▶ 403      key of no agent ─▶ 403
//!   ▼
//! agents.yml says whose key it is ─▶ a certificate for that site; enrolling, its orders as well
//! ```
//!
//! Whoever renews needs no certificate, which may have ended: the request is signed with the key that is on record,
//! and what is given is of no use without it. After too long a silence the agent is in quarantine: it has its
//! certificate, and nothing of it is taken before `haidang-collector agent approve`.

use crate::access::attempts::Attempts;
use crate::authority::{Authority, AuthorityError, NotARequest, Request};
use crate::fold::Fold;
use crate::plans;
use crate::registry::{KeyPrint, Registry, RegistryError, Roster, Turned};
use arc_swap::ArcSwap;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use haidang_daemon::clock::Clock;
use haidang_daemon::metrics::Metrics;
use haidang_daemon::serve::Peer;
use haidang_probe::credential::Credentials;
use haidang_probe::enrol::{
    Code, ENROLL, Enroll, Enrolled, MAX_REQUEST_BYTES, RENEW, Renew, Renewed, identity,
};
use haidang_probe::key;
use haidang_probe::plan::Delivery;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::{counter::Counter, family::Family};
use serde::de::DeserializeOwned;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Requests under way at a time: each may write and sync `agents.yml`.
pub const IN_HAND: usize = 8;
/// Time for a body to arrive once its head has.
const BODY_TIME: Duration = Duration::from_secs(10);
/// A certificate within this part of its life after the last one is not written down anew.
const SELDOM: u32 = 20;
/// What failures are counted under, beside the address: an agent that was revoked keeps nobody from enrolling.
const ENROLS: &str = "enrol";
const RENEWS: &str = "renew";
/// Longest wait for a changed `agents.yml` to be taken over, and between two looks.
const TAKE_OVER: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);

/// How long agents' certificates last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Life of a certificate; it is renewed at a third.
    pub life: Duration,
    /// Without a new one for longer than this, an agent comes back into quarantine.
    pub silence: Duration,
}

/// Where devices enrol.
pub struct Enrol {
    /// The collector's directory, with `agents.yml`.
    pub data: PathBuf,
    /// Who signs.
    pub authority: Arc<Authority>,
    /// For the record.
    pub fold: Fold,
    /// Who may speak now.
    pub roster: Arc<ArcSwap<Roster>>,
    /// What time it is.
    pub clock: Clock,
    /// How long certificates last.
    pub terms: Terms,
    /// Where agents send their liveness packets.
    pub stamp_port: u16,
}

/// It, with what it keeps of those who ask.
struct Desk {
    enrol: Enrol,
    attempts: Attempts,
    in_hand: Semaphore,
    counts: Counts,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Default)]
struct Counts {
    enrolled: Counter,
    renewed: Counter,
    quarantined: Counter,
    refused: Family<Reason, Counter>,
}

/// Why somebody gets no certificate. Its name is stable.
#[derive(Debug, thiserror::Error)]
enum Refusing {
    #[error("too many failures from this address; wait {0} s")]
    Locked(u64),
    #[error("too many requests at once; ask again")]
    Busy,
    #[error("the request is larger than {MAX_REQUEST_BYTES} octets")]
    Oversized,
    #[error("the body did not arrive whole in time")]
    Body,
    #[error("the body is not what this path takes")]
    Garbled,
    #[error(transparent)]
    Request(#[from] NotARequest),
    #[error(transparent)]
    Code(#[from] Turned),
    #[error("this key is of no agent; ask for a code and enrol")]
    Key,
    #[error("the record has no agent at this site any more")]
    NoSite,
    #[error("the collector cannot write it down; ask again later")]
    Registry(#[from] RegistryError),
    #[error("the collector cannot sign; its log says why")]
    Sign(#[from] AuthorityError),
}

impl Enrol {
    /// The routes. Requests carry [`Peer`].
    pub fn router(self, metrics: &Metrics) -> Router {
        let desk = Desk {
            enrol: self,
            attempts: Attempts::default(),
            in_hand: Semaphore::new(IN_HAND),
            counts: Counts::register(metrics),
        };
        Router::new()
            .route(&format!("/{ENROLL}"), post(enroll))
            .route(&format!("/{RENEW}"), post(renew))
            .with_state(Arc::new(desk))
    }
}

async fn enroll(State(desk): State<Arc<Desk>>, peer: Option<Extension<Peer>>, body: Body) -> Response {
    let from = network(peer);
    let answer = desk.enroll(from, body).await;
    desk.answer((ENROLS, from), answer)
}

async fn renew(State(desk): State<Arc<Desk>>, peer: Option<Extension<Peer>>, body: Body) -> Response {
    let from = network(peer);
    let answer = desk.renew(from, body).await;
    desk.answer((RENEWS, from), answer)
}

impl Desk {
    async fn enroll(&self, from: IpAddr, body: Body) -> Result<Enrolled, Refusing> {
        let _place = self.admit(ENROLS, from)?;
        let Enroll { code, request } = read(body).await?;
        let secret = key::unhex(&code).ok_or(Refusing::Garbled)?;
        let request = Request::read(&request)?;
        let (hash, key, now) = (Code::hash(&secret), request.key, self.enrol.clock.utc_ms());
        let (site, registry) = self
            .edit(move |registry| {
                let site = registry.enroll(hash, key, now)?;
                Ok(site.map(|site| (site, registry.clone())))
            })
            .await??;
        let mut record = self.enrol.fold.read(|watch| watch.topology().clone());
        registry.assign(&mut record);
        // Credentials come with the first plan it fetches: this one only says how it reports.
        let orders = plans::orders(&record, &Credentials::new(), &site).ok_or(Refusing::NoSite)?;
        let sealed = registry.sealed(&site).text();
        let certificate = self.sign(request, &site, now)?;
        self.taken_over(key).await;
        self.counts.enrolled.inc();
        tracing::info!(site, "an agent enrolled");
        let orders = Delivery::text(&orders.text(), sealed.as_deref());
        Ok(Enrolled { agent: site, certificate, stamp_port: self.enrol.stamp_port, orders })
    }

    async fn renew(&self, from: IpAddr, body: Body) -> Result<Renewed, Refusing> {
        let _place = self.admit(RENEWS, from)?;
        let Renew { request } = read(body).await?;
        let request = Request::read(&request)?;
        let (key, now, Terms { life, silence }) = (request.key, self.enrol.clock.utc_ms(), self.enrol.terms);
        let renewal = self.edit(move |registry| Ok(registry.renew(key, now, silence, life / SELDOM))).await?;
        let renewal = renewal.ok_or(Refusing::Key)?;
        let certificate = self.sign(request, &renewal.site, now)?;
        self.counts.renewed.inc();
        if renewal.quarantined {
            self.counts.quarantined.inc();
            tracing::warn!(
                site = renewal.site,
                "an agent is back after long silence and in quarantine; approve or revoke it"
            );
        }
        Ok(Renewed { certificate })
    }

    /// Waits until the changed file is taken over: an agent that is answered can speak at once.
    async fn taken_over(&self, key: KeyPrint) {
        let wait = async {
            while !self.enrol.roster.load().knows(&key) {
                tokio::time::sleep(LOOK).await;
            }
        };
        // Otherwise it is turned away for a while, no more.
        let _ = tokio::time::timeout(TAKE_OVER, wait).await;
    }

    /// A place for one more request, held until it is dropped.
    fn admit(&self, account: &str, from: IpAddr) -> Result<SemaphorePermit<'_>, Refusing> {
        self.attempts.allowed(account, from, self.steady_ms()).map_err(Refusing::Locked)?;
        self.in_hand.try_acquire().map_err(|_| Refusing::Busy)
    }

    /// Changes `agents.yml` where the disk holds up nobody else.
    async fn edit<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Registry) -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, Refusing> {
        let data = self.enrol.data.clone();
        let edited = tokio::task::spawn_blocking(move || Registry::edit(&data, change)).await;
        // It ends otherwise only by a panic, which goes on.
        Ok(edited.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?)
    }

    fn sign(&self, request: Request, site: &str, now: i64) -> Result<String, Refusing> {
        let province = self.enrol.fold.read(|watch| watch.topology().province.code.clone());
        let identity = identity(&province, site);
        Ok(self.enrol.authority.sign(request, &identity, now, self.enrol.terms.life)?)
    }

    fn steady_ms(&self) -> i64 {
        (self.enrol.clock.steady_ns() / 1_000_000) as i64
    }

    fn answer<T: serde::Serialize>(
        &self,
        (account, from): (&str, IpAddr),
        answer: Result<T, Refusing>,
    ) -> Response {
        let refusing = match answer {
            Ok(answer) => return Json(answer).into_response(),
            Err(refusing) => refusing,
        };
        if refusing.is_theirs() {
            self.attempts.failed(account, from, self.steady_ms());
        }
        let reason = refusing.name();
        self.counts.refused.get_or_create(&Reason { reason }).inc();
        match &refusing {
            Refusing::Registry(error) => tracing::warn!(%error, "agents.yml cannot be changed"),
            Refusing::Sign(error) => tracing::warn!(%error, "no certificate for an agent"),
            _ => tracing::debug!(reason, "nobody enrolled"),
        }
        refusing.into_response()
    }
}

/// A body's JSON, under its cap.
async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Refusing> {
    let whole = tokio::time::timeout(BODY_TIME, to_bytes(body, MAX_REQUEST_BYTES)).await;
    let whole: Bytes = whole.map_err(|_| Refusing::Body)?.map_err(|error| {
        let source = std::error::Error::source(&error);
        if source.is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>) {
            Refusing::Oversized
        } else {
            Refusing::Body
        }
    })?;
    serde_json::from_slice(&whole).map_err(|_| Refusing::Garbled)
}

/// Whom to count; all who come without an address are one.
fn network(peer: Option<Extension<Peer>>) -> IpAddr {
    peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |Extension(peer)| peer.network())
}

impl Refusing {
    /// All names, for counters that start at zero.
    const NAMES: [&str; 13] = [
        "locked",
        "busy",
        "oversized",
        "body",
        "garbled",
        "request",
        "code-wrong",
        "code-used",
        "code-expired",
        "key",
        "no-site",
        "not-written",
        "not-signed",
    ];

    fn name(&self) -> &'static str {
        match self {
            Refusing::Locked(_) => "locked",
            Refusing::Busy => "busy",
            Refusing::Oversized => "oversized",
            Refusing::Body => "body",
            Refusing::Garbled => "garbled",
            Refusing::Request(_) => "request",
            Refusing::Code(Turned::Wrong) => "code-wrong",
            Refusing::Code(Turned::Used) => "code-used",
            Refusing::Code(Turned::Expired) => "code-expired",
            Refusing::Key => "key",
            Refusing::NoSite => "no-site",
            Refusing::Registry(_) => "not-written",
            Refusing::Sign(_) => "not-signed",
        }
    }

    /// Whether it counts against the one who asked.
    fn is_theirs(&self) -> bool {
        matches!(
            self,
            Refusing::Oversized
                | Refusing::Garbled
                | Refusing::Request(_)
                | Refusing::Code(_)
                | Refusing::Key
        )
    }

    fn status(&self) -> StatusCode {
        match self {
            Refusing::Locked(_) | Refusing::Busy => StatusCode::TOO_MANY_REQUESTS,
            Refusing::Oversized => StatusCode::PAYLOAD_TOO_LARGE,
            Refusing::Body => StatusCode::REQUEST_TIMEOUT,
            Refusing::Garbled | Refusing::Request(_) => StatusCode::BAD_REQUEST,
            Refusing::Code(_) | Refusing::Key => StatusCode::FORBIDDEN,
            Refusing::NoSite => StatusCode::NOT_FOUND,
            Refusing::Registry(_) | Refusing::Sign(_) => StatusCode::SERVICE_UNAVAILABLE,
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
        let wait = match &self {
            Refusing::Locked(seconds) => Some(*seconds),
            Refusing::Busy | Refusing::Registry(_) | Refusing::Sign(_) => Some(1),
            _ => None,
        };
        if let Some(seconds) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl Counts {
    fn register(metrics: &Metrics) -> Counts {
        let counts = Counts::default();
        for reason in Refusing::NAMES {
            drop(counts.refused.get_or_create(&Reason { reason }));
        }
        metrics.register(|registry| {
            let all = [
                ("enrolled", "Agents enrolled", &counts.enrolled),
                ("certificates_renewed", "Certificates renewed", &counts.renewed),
                ("certificates_quarantined", "Of them for agents in quarantine", &counts.quarantined),
            ];
            for (name, help, counter) in all {
                registry.register(name, help, counter.clone());
            }
            let help = "Requests to enrol or renew refused, by reason";
            registry.register("enrol_refused", help, counts.refused.clone());
        });
        counts
    }
}
