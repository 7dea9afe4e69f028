//! HTTP/1.1 for untrusted peers: every connection has limits, every wait has an end.
//!
//! ```text
//! accept ──► free place? ──no──► closed at once, counted
//!              │yes
//!              ▼
//!         TLS, ≤ handshake ──► head, ≤ MAX_HEAD bytes, ≤ head time ──► service ──► answer ─┐
//!                               ▲                                                          │ keep-alive
//!                               └──────────────────────────────────────────────────────────┘
//! stop ──► no more accepts; answers under way may end within `drain`; then all is closed
//! ```
//!
//! [`run`] serves any hyper service (an axum `Router` through `hyper_util::service::TowerToHyperService`);
//! each request carries its [`Peer`] as an extension. Bodies are the service's to limit, since only it knows
//! how large one may be and whether an answer may stream for hours; streams should end at the same `Stop`.
//! [`Health`] is the whole service of an agent and part of the collector's.
//!
//! ```no_run
//! # use haidang_daemon::{listen::Listen, metrics::Metrics, serve::{self, Counts, Health, Limits}, stop::Stop};
//! # async fn example(listen: Listen, stop: Stop) -> Result<(), Box<dyn std::error::Error>> {
//! let metrics = Metrics::new();
//! let listener = listen.bind("/etc/haidang".as_ref()).await?;
//! let counts = Counts::register(&metrics, "health");
//! let health = Health::new(metrics, || Err("spool not open".into()));
//! serve::run(listener, Limits::default(), counts, health, stop).await;
//! # Ok(()) }
//! ```

mod health;
mod places;

use crate::listen::Listener;
use crate::metrics::Metrics;
use crate::stop::Stop;
pub use health::Health;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use places::Places;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use rustls::pki_types::CertificateDer;
use std::error::Error;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Largest head of a request, bytes; beyond it 431.
const MAX_HEAD: usize = 16 * 1024;
/// Most header lines of a request; beyond it 431.
const MAX_HEADER_LINES: usize = 64;
/// Time that sent bytes may stay unacknowledged or the peer's window closed: the end of a peer that never reads.
const UNREAD: Duration = Duration::from_secs(60);
/// Pause after a failed accept: out of file descriptors, and the next try would fail at once as well.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Who asks: the other end of the TCP connection. An extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

impl Peer {
    /// Whom to count: the address, in IPv6 the subnet of 64 bits a peer chooses its addresses from.
    pub fn network(&self) -> IpAddr {
        places::network(self.0.ip())
    }
}

/// The certificate a peer showed and whose signature TLS judged good; an extension of its requests, where it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented(pub CertificateDer<'static>);

/// What a server spends on its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections served at a time, three quarters of them at most from one network; more are closed at once and
    /// counted.
    pub connections: usize,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// Time for a request's head, counted from the connection or the answer before it: also the keep-alive.
    pub head: Duration,
    /// Time for answers under way once the program stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 64,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(30),
            drain: Duration::from_secs(5),
        }
    }
}

/// What a server counts.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    open: Gauge,
    refused: Counter,
    failed: Counter,
}

impl Counts {
    /// Counts that show in `metrics` as `http_connections_…{server="SERVER"}`.
    pub fn register(metrics: &Metrics, server: &'static str) -> Counts {
        let [counts] = Counts::of_each(metrics, [server]);
        counts
    }

    /// Counts of each of a program's servers. Once for all of them: a page of metrics names each family once.
    pub fn of_each<const N: usize>(metrics: &Metrics, servers: [&'static str; N]) -> [Counts; N] {
        let (open, refused, failed) = (Family::default(), Family::default(), Family::default());
        metrics.register(|registry| {
            registry.register("http_connections_open", "Connections being served", open.clone());
            let help = "Connections closed at once because the limit was reached";
            registry.register("http_connections_refused", help, refused.clone());
            let help = "Connections ended by a time-out, a bad handshake or a malformed request";
            registry.register("http_connections_failed", help, failed.clone());
        });
        servers.map(|server| {
            let labels = [("server", server)];
            Counts {
                open: Gauge::clone(&open.get_or_create(&labels)),
                refused: Counter::clone(&refused.get_or_create(&labels)),
                failed: Counter::clone(&failed.get_or_create(&labels)),
            }
        })
    }
}

/// Serves until `stop`, then lets answers under way end within the limit.
pub async fn run<S, B>(listener: Listener, limits: Limits, counts: Counts, service: S, stop: Stop)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let places = Places::new(limits.connections);
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.wait() => break,
            accepted = listener.socket.accept() => accepted,
            Some(_) = open.join_next() => continue,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // The peer gave up between its connection and our accept: nothing is wrong here.
            Err(error)
                if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) =>
            {
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, address = %listener.address(), "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(place) = places.take(peer.ip()) else {
            counts.refused.inc();
            tracing::debug!(%peer, limit = limits.connections, "connection refused: the limit is reached");
            continue;
        };
        let connection = Connection { peer, limits, tls: listener.tls.clone(), stop: stop.clone() };
        let (service, counted) = (service.clone(), Counted::new(&counts));
        open.spawn(async move {
            counted.end(peer, connection.serve(stream, service).await);
            drop(place);
        });
    }
    drop(listener); // New connections are refused from here on, rather than left waiting.
    let drained = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, drained).await.is_err() {
        tracing::info!(left = open.len(), "closing connections that did not end in time");
    }
}

/// Keeps the count of open connections right even when a connection's task is cut off.
struct Counted(Counts);

impl Counted {
    fn new(counts: &Counts) -> Counted {
        counts.open.inc();
        Counted(counts.clone())
    }

    fn end(self, peer: SocketAddr, result: Result<(), Box<dyn Error + Send + Sync>>) {
        if let Err(error) = result {
            self.0.failed.inc();
            tracing::debug!(%peer, %error, "connection failed");
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.open.dec();
    }
}

struct Connection {
    peer: SocketAddr,
    limits: Limits,
    tls: Option<TlsAcceptor>,
    stop: Stop,
}

impl Connection {
    async fn serve<S, B>(self, stream: TcpStream, service: S) -> Result<(), Box<dyn Error + Send + Sync>>
    where
        S: Service<Request<Incoming>, Response = Response<B>>,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        stream.set_nodelay(true)?;
        socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD))?;
        let Some(tls) = &self.tls else { return self.http(stream, None, service).await };
        let handshake = tokio::time::timeout(self.limits.handshake, tls.accept(stream));
        let stream = handshake.await.map_err(|_| "tls handshake took too long")??;
        let presented = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).cloned().map(Presented);
        self.http(stream, presented, service).await
    }

    async fn http<T, S, B>(
        &self,
        stream: T,
        presented: Option<Presented>,
        service: S,
    ) -> Result<(), Box<dyn Error + Send + Sync>>
    where
        T: AsyncRead + AsyncWrite + Unpin,
        S: Service<Request<Incoming>, Response = Response<B>>,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let peer = Peer(self.peer);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            if let Some(presented) = &presented {
                request.extensions_mut().insert(presented.clone());
            }
            service.call(request)
        });
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.limits.head)
                .max_header_size(MAX_HEAD)
                .max_headers(MAX_HEADER_LINES)
                .serve_connection(TokioIo::new(stream), service)
        );
        tokio::select! {
            ended = connection.as_mut() => return Ok(ended?),
            () = self.stop.wait() => connection.as_mut().graceful_shutdown(),
        }
        Ok(connection.await?)
    }
}

#[cfg(test)]
mod tests;
