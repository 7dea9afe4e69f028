//! GET of a URL, phase by phase. No connection is kept between runs, and nothing of an answer is kept.
//!
//! ```text
//!    ┌───────────────────── a redirect that is followed ─────────────────────┐
//!    ▼                                                                       │
//! resolve ─▶ connect ─▶ tls ─▶ processing ───────────────────────────────────┴▶ transfer     each phase passed is a
//!                        └ the certificate is looked at, and told of also when it is bad      sample, its rounds added
//! ```
//!
//! A good status is success, if the body holds what it must and lacks what it must not. At most `redirects` redirects
//! are followed; one that leads where the run has been, or one more, is [`Failure::Loop`]. There are no cookies. A body of a
//! stated length is read up to [`MAX_BODY`](body::MAX_BODY) and the rest left; one without may be as long as
//! [`MAX_UNSTATED`](body::MAX_UNSTATED). Headers beyond [`MAX_HEAD`] or [`MAX_HEADERS`] are no HTTP.
//!
//! The settings `name` and `any_issuer` say how the certificate of the place that is asked is judged; another place that
//! a redirect leads to is judged by its own name.

mod body;
mod hop;

use super::{Answer, Budget, Tools};
use crate::dial::certificate::{Looker, Verdict};
use crate::dial::{self, Wire};
use crate::fault;
use crate::place::Finder;
use body::Reading;
use bytes::Bytes;
use haidang_probe::ask::http::Question;
use haidang_probe::metric::Metric;
use haidang_probe::outcome::{Failure, Sample};
use hop::{Hop, Network};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::{Request, Response, Version, body::Body as _, body::Incoming, header};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;

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
        let mut run = Run { budget, passed: Duration::ZERO, samples: Vec::new(), network: None };
        let result = self.get(question, &mut run).await;
        Answer { result: result.map(|()| run.budget.spent()), samples: run.samples }
    }

    async fn get(&self, question: &Question, run: &mut Run) -> Result<(), Failure> {
        let mut hop = Hop::first(question);
        let mut passed = Vec::new();
        let response = loop {
            let response = self.exchange(&hop, run).await?;
            let status = response.status().as_u16();
            run.tell(Metric::HttpStatus, f64::from(status));
            run.tell(Metric::HttpRedirects, passed.len() as f64);
            if question.redirects == 0 || question.status.names(status) {
                break response;
            }
            let Some(next) = hop.next(question, &response)? else { break response };
            passed.push(std::mem::replace(&mut hop, next));
            if passed.len() > question.redirects || passed.contains(&hop) {
                return Err(Failure::Loop);
            }
        };
        self.judge(response, question, run).await
    }

    /// One question and the head of its answer.
    async fn exchange(&self, hop: &Hop, run: &mut Run) -> Result<Response<Incoming>, Failure> {
        let found = self.finder.socket_address(&hop.endpoint);
        let address = run.phase("resolve", Failure::Resolve, found).await?;
        let network = hop::network(address.ip());
        if *run.network.get_or_insert(network) != network && network != Network::Everybodys {
            return Err(Failure::Protocol);
        }
        let stream = run.phase("connect", Failure::Timeout, connect(address)).await?;
        let wire = if hop.url.tls { self.tls(stream, hop, run).await? } else { Box::new(stream) };
        run.phase("processing", Failure::Timeout, exchange(wire, hop)).await
    }

    /// What the last answer is worth.
    async fn judge(
        &self,
        response: Response<Incoming>,
        question: &Question,
        run: &mut Run,
    ) -> Result<(), Failure> {
        let good = question.status.holds(response.status().as_u16());
        if let Some(version) = version(response.version()) {
            run.tell(Metric::HttpVersion, version);
        }
        if let Some(length) = response.body().size_hint().exact() {
            run.tell(Metric::HttpContentLength, length as f64);
        }
        let encoded = body::is_encoded(response.headers());
        let mut reading = Reading::of(question);
        let read = run.phase("transfer", Failure::Timeout, reading.read(response.into_body())).await;
        run.tell(Metric::HttpBody, reading.octets() as f64);
        read?;
        if !good {
            return Err(Failure::Status);
        }
        if encoded && question.reads_text() {
            return Err(Failure::Encoding);
        }
        let (matched, samples) = reading.end();
        run.samples.extend(samples);
        if matched { Ok(()) } else { Err(Failure::Body) }
    }

    /// TLS with whoever has a good certificate; a bad one is told, and nothing is sent to it.
    async fn tls(&self, stream: TcpStream, hop: &Hop, run: &mut Run) -> Result<Box<dyn Wire>, Failure> {
        let looker = self.looker.as_ref().ok_or(Failure::Local)?;
        let name = hop.server_name()?;
        let look = async { Ok(looker.look(stream, name, hop.any_issuer).await) };
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
                tracing::debug!(?error, ?verdict, authority = hop.url.authority, "no good tls");
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
    /// Where the place that the check names lies: no answer leads into another network that is not everybody's.
    network: Option<Network>,
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
        let phase = |sample: &&mut Sample| sample.metric == Metric::HttpDuration && sample.part == name;
        match self.samples.iter_mut().find(phase) {
            Some(sample) => sample.value += value,
            None => self.samples.push(Sample { metric: Metric::HttpDuration, part: name.to_owned(), value }),
        }
        Ok(done)
    }

    /// The last value of a metric is the one that is told.
    fn tell(&mut self, metric: Metric, value: f64) {
        self.samples.retain(|sample| sample.metric != metric);
        self.samples.push(Sample { metric, part: String::new(), value });
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream, Failure> {
    dial::tcp(address, None).await.map_err(|error| dial::failure(&error))
}

async fn exchange(wire: Box<dyn Wire>, hop: &Hop) -> Result<Response<Incoming>, Failure> {
    let mut client = http1::Builder::new();
    client.max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS);
    let (mut send, connection) = client.handshake(TokioIo::new(wire)).await.map_err(failure)?;
    // Ends when the answer has been read or dropped.
    tokio::spawn(fault::along(connection));
    let request = Request::get(&hop.url.path)
        .header(header::HOST, hop.host())
        .header(header::USER_AGENT, AGENT)
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| Failure::Local)?;
    send.send_request(request).await.map_err(failure)
}

fn version(version: Version) -> Option<f64> {
    match version {
        Version::HTTP_09 => Some(0.9),
        Version::HTTP_10 => Some(1.0),
        Version::HTTP_11 => Some(1.1),
        _ => None,
    }
}

#[allow(clippy::needless_pass_by_value)] // The shape `map_err` asks for.
fn failure(error: hyper::Error) -> Failure {
    if error.is_parse() { Failure::Protocol } else { Failure::Reset }
}

#[cfg(test)]
mod tests;
