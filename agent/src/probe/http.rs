//! GET of a URL, phase by phase. No connection is kept between runs, and nothing of an answer is kept.
//!
//! ```text
//! resolve ─▶ connect ─▶ tls ─▶ processing ─▶ transfer     each phase passed is a sample
//!                        └ the certificate is looked at, and told of also when it is bad
//! ```
//!
//! A status of 2xx or 3xx is success; redirects are not followed, since another place's health is another
//! check. A body of a stated length is read up to [`MAX_BODY`] and the rest left; one without may be as long as
//! [`MAX_UNSTATED`]. Headers beyond [`MAX_HEAD`] or [`MAX_HEADERS`] are no HTTP.
//!
//! The settings `name` and `any_issuer` say how the certificate is judged.

use super::{Answer, Budget, Tools};
use crate::dial::certificate::{Looker, Verdict};
use crate::dial::{self, Wire};
use crate::place::Finder;
use bytes::Bytes;
use haidang_probe::ask::http::Question;
use haidang_probe::metric::Metric;
use haidang_probe::outcome::{Failure, Sample};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper::{Request, Response, body::Body as _, body::Incoming, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;

/// Most bytes read of a body that says its length; a longer one is cut off and still a success.
pub const MAX_BODY: u64 = 1 << 20;
/// Most bytes of a body that does not say its length; a longer one has no end.
pub const MAX_UNSTATED: u64 = 4 << 20;
/// Most bytes of an answer's head.
pub const MAX_HEAD: usize = 64 << 10;
/// Most headers of an answer.
pub const MAX_HEADERS: usize = 128;

/// How the probe names itself.
const AGENT: &str = concat!("haidang-agent/", env!("CARGO_PKG_VERSION"));

/// Every run has its own connection.
pub struct Probe {
    finder: Finder,
    looker: Option<Looker>,
}

impl Probe {
    /// A probe that finds addresses with the tools' finder, and knows the issuers the agent knows.
    pub fn new(tools: &Tools) -> Probe {
        Probe { finder: tools.finder.clone(), looker: Looker::new(dial::roots()).ok() }
    }

    /// The duration is that of all phases. What was measured before a failure is told with it.
    pub async fn ask(&self, question: &Question, budget: Budget) -> Answer {
        let mut run = Run { budget, passed: Duration::ZERO, samples: Vec::new() };
        let result = self.get(question, &mut run).await;
        Answer { result: result.map(|()| run.budget.spent()), samples: run.samples }
    }

    async fn get(&self, question: &Question, run: &mut Run) -> Result<(), Failure> {
        let url = &question.url;
        let found = self.finder.socket_address(&url.endpoint);
        let address = run.phase("resolve", Failure::Resolve, found).await?;
        let stream = run.phase("connect", Failure::Timeout, connect(address)).await?;
        let wire = if url.tls { self.tls(stream, question, run).await? } else { Box::new(stream) };
        let response = run.phase("processing", Failure::Timeout, exchange(wire, question)).await?;
        let status = response.status();
        run.tell(Metric::HttpStatus, f64::from(status.as_u16()));
        let bytes = run.phase("transfer", Failure::Timeout, read(response)).await?;
        run.tell(Metric::HttpBody, bytes as f64);
        if status.is_success() || status.is_redirection() { Ok(()) } else { Err(Failure::Status) }
    }

    /// TLS with whoever has a good certificate; a bad one is told, and nothing is sent to it.
    async fn tls(
        &self,
        stream: TcpStream,
        question: &Question,
        run: &mut Run,
    ) -> Result<Box<dyn Wire>, Failure> {
        let looker = self.looker.as_ref().ok_or(Failure::Local)?;
        let name = server_name(question)?;
        let look = async { Ok(looker.look(stream, name, question.any_issuer).await) };
        let (stream, seen) = run.phase("tls", Failure::Timeout, look).await?;
        if let Some(seen) = seen {
            run.tell(Metric::TlsVerdict, f64::from(seen.verdict as u8));
            if let Some(expiry) = seen.expiry {
                run.tell(Metric::CertExpiry, expiry as f64);
            }
        }
        let verdict = seen.map(|seen| seen.verdict);
        match stream {
            Ok(stream) if verdict == Some(Verdict::Good) => Ok(Box::new(stream)),
            Err(_) if verdict == Some(Verdict::Unspoken) => Err(Failure::TlsUnspoken),
            failed => {
                let error = failed.err();
                tracing::debug!(?error, ?verdict, authority = question.url.authority, "no good tls");
                Err(Failure::Tls)
            }
        }
    }
}

/// One run: what is left of its time, and what was measured so far.
struct Run {
    budget: Budget,
    passed: Duration,
    samples: Vec<Sample>,
}

impl Run {
    async fn phase<T>(
        &mut self,
        name: &str,
        late: Failure,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let done = self.budget.spend(late, work).await?;
        let spent = self.budget.spent();
        let value = spent.saturating_sub(self.passed).as_secs_f64();
        self.passed = spent;
        self.samples.push(Sample { metric: Metric::HttpDuration, part: name.to_owned(), value });
        Ok(done)
    }

    fn tell(&mut self, metric: Metric, value: f64) {
        self.samples.push(Sample { metric, part: String::new(), value });
    }
}

/// The name the certificate must be for.
fn server_name(question: &Question) -> Result<ServerName<'static>, Failure> {
    let name = match &question.name {
        Some(name) => ServerName::try_from(name.clone()).map_err(std::io::Error::other),
        None => dial::server_name(&question.url),
    };
    name.map_err(|_| Failure::Local)
}

async fn connect(address: SocketAddr) -> Result<TcpStream, Failure> {
    dial::tcp(address, None).await.map_err(|error| dial::failure(&error))
}

async fn exchange(wire: Box<dyn Wire>, question: &Question) -> Result<Response<Incoming>, Failure> {
    let mut client = http1::Builder::new();
    client.max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS);
    let (mut send, connection) = client.handshake(TokioIo::new(wire)).await.map_err(failure)?;
    // Ends when the answer has been read or dropped.
    tokio::spawn(connection);
    let request = Request::get(&question.url.path)
        .header(header::HOST, host(question))
        .header(header::USER_AGENT, AGENT)
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| Failure::Local)?;
    send.send_request(request).await.map_err(failure)
}

/// What `Host` says: the name, with the port where the URL says one (RFC 9110 §7.2).
fn host(question: &Question) -> String {
    let (authority, port) = (&question.url.authority, question.url.endpoint.port);
    match &question.name {
        None => authority.clone(),
        Some(name) if authority.ends_with(&format!(":{port}")) => format!("{name}:{port}"),
        Some(name) => name.clone(),
    }
}

/// Reads and drops the body; how many bytes were read of it.
async fn read(response: Response<Incoming>) -> Result<u64, Failure> {
    let mut body = response.into_body();
    let stated = body.size_hint().exact().is_some();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame.map_err(failure)?.data_ref().map_or(0, Bytes::len) as u64;
        if stated && bytes > MAX_BODY {
            break;
        }
        if bytes > MAX_UNSTATED {
            return Err(Failure::Body);
        }
    }
    Ok(bytes)
}

#[allow(clippy::needless_pass_by_value)] // The shape `map_err` asks for.
fn failure(error: hyper::Error) -> Failure {
    if error.is_parse() { Failure::Protocol } else { Failure::Reset }
}

#[cfg(test)]
mod tests;
