//! One batch or the orders, one uplink, one answer.
//!
//! ```text
//!   POST /agent/v1/batch            200  acknowledgement            Kept
//!   certificate, or Bearer token    401 403 404 405 415             Unknown: nothing of this agent is taken
//!   application/x-protobuf          other 4xx but 408 429           Refused: this batch will never be taken
//!   ─────────────────────▶          429                             Later: too many at once, or holes first
//!                                   408 5xx, no answer in time      Failed: try again
//!
//!   GET /agent/v1/plan              200  the orders (JSON)          anything else: asked again later
//!   POST /agent/v1/enroll, renew    200  a certificate (JSON)
//! ```
//!
//! Connections are kept between batches. One that turns out closed when it is used again is replaced within
//! the same attempt.

pub use super::verdict::Verdict;
use super::verdict::{judge, reason};
use crate::dial::{self, Origin, Trust, Wire, certificate};
use crate::place::Finder;
use bytes::Bytes;
use haidang_probe::ask::url::Url;
use haidang_probe::enrol::MAX_ANSWER_BYTES;
use haidang_probe::plan::{MAX_ORDERS_BYTES, Uplink};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, Response, StatusCode, body::Incoming};
use hyper_util::rt::TokioIo;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Longest one attempt may take, from look-up to answer; then it is another uplink's turn.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// Longest the system goes on sending what it was handed: shorter than a batch stays in doubt (`spool/doubt.rs`).
const LAST_TRY: Duration = Duration::from_secs(600);

/// Longest the orders may take to arrive: they may be large, the line slow.
pub const ORDERS_DEADLINE: Duration = Duration::from_secs(30);

/// Path of batches below the collector's URL.
const BATCH: &str = "agent/v1/batch";

/// Path of the orders below the collector's URL.
const PLAN: &str = "agent/v1/plan";

/// Most bytes of an answer to a batch read.
const MAX_ANSWER: usize = 4096;

/// Connections kept while idle.
const IDLE: usize = 5;

/// The collector's batch port, by one uplink.
pub struct Post {
    url: Url,
    pin: Option<IpAddr>,
    origin: Origin,
    /// None where a certificate speaks for us.
    bearer: Option<HeaderValue>,
    finder: Finder,
    trust: Option<Trust>,
    /// With what [`Trust::shown`] was when they were made.
    idle: Mutex<Vec<(u64, SendRequest<Full<Bytes>>)>>,
}

/// A connection, with what [`Trust::shown`] was when it was made, and whether it stood idle.
struct Open {
    shown: u64,
    send: SendRequest<Full<Bytes>>,
    kept: bool,
}

/// What is asked of the collector.
#[derive(Clone, Copy)]
enum Ask<'a> {
    Batch(&'a Bytes),
    Orders,
    /// A path below the collector's URL, and a body (JSON).
    Say(&'a str, &'a Bytes),
}

impl Post {
    /// Connects when first used. `bearer` is the token alone, if there is one; without `trust` it is the public web's.
    ///
    /// # Errors
    /// When the collector's URL is not one.
    pub fn new(
        uplink: &Uplink,
        bearer: Option<&str>,
        finder: Finder,
        trust: Option<Trust>,
    ) -> Result<Post, String> {
        let url = Url::parse(&uplink.collector)?;
        let bearer = bearer.map(|bearer| {
            // Hex always is a valid header value.
            let mut bearer = HeaderValue::try_from(format!("Bearer {bearer}"))
                .unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
            bearer.set_sensitive(true);
            bearer
        });
        let origin = Origin::of(uplink);
        Ok(Post { url, pin: uplink.pin, origin, bearer, finder, trust, idle: Mutex::default() })
    }

    /// To a collector that is not ours yet, by whatever way there is.
    ///
    /// # Errors
    /// When `url` is not one.
    pub fn first(url: &str, finder: Finder, trust: Trust) -> Result<Post, String> {
        let (url, origin) = (Url::parse(url)?, Origin::default());
        Ok(Post { url, pin: None, origin, bearer: None, finder, trust: Some(trust), idle: Mutex::default() })
    }

    /// Posts `body` (JSON) to a path below the collector's URL; the answer's body within [`ORDERS_DEADLINE`].
    ///
    /// # Errors
    /// Says what came instead, and whether the collector will never have it otherwise (403).
    pub async fn say(&self, path: &str, body: &Bytes) -> Result<Bytes, (String, bool)> {
        match tokio::time::timeout(ORDERS_DEADLINE, self.exchange(Ask::Say(path, body))).await {
            Ok(Ok((StatusCode::OK, body))) => Ok(body),
            Ok(Ok((status, body))) => Err((reason(status, &body), status == StatusCode::FORBIDDEN)),
            Ok(Err(reason)) => Err((reason, false)),
            Err(_) => Err((format!("no answer within {} s", ORDERS_DEADLINE.as_secs()), false)),
        }
    }

    /// Sends one encoded envelope; answers within [`DEADLINE`].
    pub async fn batch(&self, bytes: &Bytes) -> Verdict {
        self.batch_after(bytes, std::future::ready(())).await
    }

    /// The same; `leaves` is done when a connection stands, before the first octet leaves.
    pub async fn batch_after(&self, bytes: &Bytes, leaves: impl Future<Output = ()>) -> Verdict {
        let exchange = async {
            let open = self.ready().await?;
            leaves.await;
            self.exchange_on(open, Ask::Batch(bytes)).await
        };
        match tokio::time::timeout(DEADLINE, exchange).await {
            Ok(Ok((status, body))) => judge(status, &body),
            Ok(Err(reason)) => Verdict::Failed(reason),
            Err(_) => Verdict::Failed(format!("no answer within {} s", DEADLINE.as_secs())),
        }
    }

    /// Fetches the orders, at most [`MAX_ORDERS_BYTES`], within [`ORDERS_DEADLINE`].
    ///
    /// # Errors
    /// Says what came instead.
    pub async fn orders(&self) -> Result<Bytes, String> {
        match tokio::time::timeout(ORDERS_DEADLINE, self.exchange(Ask::Orders)).await {
            Ok(Ok((StatusCode::OK, body))) => Ok(body),
            Ok(Ok((status, body))) => Err(reason(status, &body)),
            Ok(Err(reason)) => Err(reason),
            Err(_) => Err(format!("no answer within {} s", ORDERS_DEADLINE.as_secs())),
        }
    }

    async fn exchange(&self, ask: Ask<'_>) -> Result<(StatusCode, Bytes), String> {
        let open = self.ready().await?;
        self.exchange_on(open, ask).await
    }

    /// A connection kept from before, or a new one.
    async fn ready(&self) -> Result<Open, String> {
        loop {
            let kept = self.idle().pop();
            let Some((shown, mut send)) = kept else { break };
            if shown == self.shown() && send.ready().await.is_ok() {
                return Ok(Open { shown, send, kept: true });
            }
        }
        let shown = self.shown();
        Ok(Open { shown, send: self.connect().await?, kept: false })
    }

    async fn exchange_on(&self, mut open: Open, ask: Ask<'_>) -> Result<(StatusCode, Bytes), String> {
        loop {
            match open.send.send_request(self.request(ask)?).await {
                Ok(response) => return self.read(response, (open.shown, open.send), ask.most()).await,
                // It may have been closed while idle; a new connection tells.
                Err(_) if open.kept => open = self.ready().await?,
                Err(error) => return Err(format!("request: {error}")),
            }
        }
    }

    fn request(&self, ask: Ask<'_>) -> Result<Request<Full<Bytes>>, String> {
        let request = match ask {
            Ask::Batch(_) => {
                Request::post(self.url.below(BATCH)).header(CONTENT_TYPE, "application/x-protobuf")
            }
            Ask::Orders => Request::get(self.url.below(PLAN)),
            Ask::Say(path, _) => Request::post(self.url.below(path)).header(CONTENT_TYPE, "application/json"),
        };
        let body = match ask {
            Ask::Batch(bytes) | Ask::Say(_, bytes) => bytes.clone(),
            Ask::Orders => Bytes::new(),
        };
        let request = match &self.bearer {
            Some(bearer) => request.header(AUTHORIZATION, bearer),
            None => request,
        };
        request
            .header(HOST, &self.url.authority)
            .body(Full::new(body))
            .map_err(|error| format!("request: {error}"))
    }

    /// A reason for the log names no address: those of the collector are restricted, and told at DEBUG alone.
    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let address = self.address().await?;
        tracing::debug!(%address, "connecting");
        // Orders may pin a plain uplink of this machine to another one, after the file was judged.
        if !self.url.tls && !address.ip().to_canonical().is_loopback() {
            return Err("it would get the agent's token in plain text; write https://".into());
        }
        let stream =
            dial::tcp_from(address, &self.origin).await.map_err(|error| format!("connect: {error}"))?;
        socket2::SockRef::from(&stream)
            .set_tcp_user_timeout(Some(LAST_TRY))
            .map_err(|error| format!("bound how long the system tries: {error}"))?;
        let wire: Box<dyn Wire> = if self.url.tls {
            let trust = self.trust.clone().map_or_else(Trust::web, Ok).map_err(|error| wrong_tls(&error))?;
            Box::new(dial::tls(stream, &self.url, &trust).await.map_err(|error| wrong_tls(&error))?)
        } else {
            Box::new(stream)
        };
        let (send, connection) =
            http1::handshake(TokioIo::new(wire)).await.map_err(|error| format!("http: {error}"))?;
        tokio::spawn(connection);
        Ok(send)
    }

    fn shown(&self) -> u64 {
        self.trust.as_ref().map_or(0, Trust::shown)
    }

    /// A pinned uplink never asks where the collector's name leads: only the pin is routed over its line.
    pub async fn address(&self) -> Result<SocketAddr, String> {
        if let Some(pin) = self.pin {
            return Ok(SocketAddr::new(pin, self.url.endpoint.port));
        }
        let address = self.finder.socket_address(&self.url.endpoint).await;
        address.map_err(|failure| format!("look up the collector's name: {}", failure.name()))
    }

    async fn read(
        &self,
        response: Response<Incoming>,
        send: (u64, SendRequest<Full<Bytes>>),
        most: usize,
    ) -> Result<(StatusCode, Bytes), String> {
        let status = response.status();
        let body = Limited::new(response.into_body(), most).collect().await;
        let body = body.map_err(|error| format!("answer: {error}"))?.to_bytes();
        let mut idle = self.idle();
        if idle.len() < IDLE {
            idle.push(send);
        }
        Ok((status, body))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(u64, SendRequest<Full<Bytes>>)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ask<'_> {
    /// Most bytes of its answer read.
    fn most(self) -> usize {
        match self {
            Ask::Batch(_) => MAX_ANSWER,
            Ask::Orders => MAX_ORDERS_BYTES,
            Ask::Say(..) => MAX_ORDERS_BYTES + MAX_ANSWER_BYTES,
        }
    }
}

/// A certificate's fault repeats the names asked for and found: what kind it is says enough.
fn wrong_tls(error: &io::Error) -> String {
    tracing::debug!(%error, "tls failed");
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(wrong @ rustls::Error::InvalidCertificate(_)) => {
            format!("tls: the collector's certificate is not good: {:?}", certificate::verdict(wrong))
        }
        _ => format!("tls: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_probe::check::Span;
    use haidang_probe::plan::EVERY;

    #[tokio::test]
    async fn a_pin_never_takes_the_token_off_this_machine_in_plain_text() {
        let own = Uplink {
            line: "l".into(),
            ssid: 2,
            stamp: "127.0.0.1:8862".parse().unwrap(),
            collector: "http://127.0.0.1:8443".into(),
            pin: "192.0.2.1".parse().ok(),
            source: None,
            interface: None,
            every: Span(EVERY),
            metered: false,
            budget_mb: None,
        };
        let post = Post::new(&own, Some("token"), Finder::default(), None).unwrap();
        let refused = post.batch(&Bytes::new()).await;
        assert!(matches!(refused, Verdict::Failed(reason) if reason.contains("plain text")));
    }

    #[tokio::test]
    async fn why_an_uplink_fails_names_no_address() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let own = crate::plan::tests::good().plan.uplinks.remove(0);
        let uplink = Uplink { collector: format!("http://{closed}"), pin: None, ..own };
        let post = Post::new(&uplink, Some("token"), Finder::default(), None).unwrap();
        let Verdict::Failed(reason) = post.batch(&Bytes::new()).await else { panic!("somebody answers") };
        assert!(reason.starts_with("connect: ") && !reason.contains("127."), "{reason}");
        let names = vec!["10.82.0.9".into()];
        let wrong = rustls::CertificateError::NotValidForNameContext {
            expected: dial::server_name(&Url::parse("https://10.82.0.1/").unwrap()).unwrap(),
            presented: names,
        };
        let reason = wrong_tls(&io::Error::other(rustls::Error::InvalidCertificate(wrong)));
        assert!(reason.contains("WrongName") && !reason.contains("10.82"), "{reason}");
    }
}
