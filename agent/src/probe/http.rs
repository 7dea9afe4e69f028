//! GET of a URL, step by step: resolve, connect, TLS, answer, body. No connection is kept between runs.
//!
//! A status of 2xx or 3xx is success; redirects are not followed, since another place's health is another
//! check. The body is read to its end, at most [`MAX_BODY`], and dropped: no payload is kept.

use super::{Answer, Budget, Tools};
use crate::dial::{self, Trust, Url, Wire};
use crate::place::Finder;
use bytes::Bytes;
use haidang_probe::metric::Metric;
use haidang_probe::outcome::{Failure, Sample};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper::{Request, Response, body::Incoming, header};
use hyper_util::rt::TokioIo;
use std::str::FromStr;

/// Most bytes of a body read; a longer one is cut off and still a success.
pub const MAX_BODY: usize = 1 << 20;

/// How the probe names itself.
const AGENT: &str = concat!("haidang-agent/", env!("CARGO_PKG_VERSION"));

/// What to get.
#[derive(Clone, Debug, PartialEq)]
pub struct Question(Url);

impl FromStr for Question {
    type Err = String;

    fn from_str(target: &str) -> Result<Question, String> {
        Url::parse(target).map(Question)
    }
}

/// Every run has its own connection.
pub struct Probe {
    finder: Finder,
}

impl Probe {
    /// A probe that finds addresses with the tools' finder.
    pub fn new(tools: &Tools) -> Probe {
        Probe { finder: tools.finder.clone() }
    }

    /// The duration is that of all steps. The status is a sample whenever there was an answer.
    pub async fn ask(&self, question: &Question, budget: Budget) -> Answer {
        let mut samples = Vec::new();
        let result = self.get(&question.0, &budget, &mut samples).await;
        Answer { result: result.map(|()| budget.spent()), samples }
    }

    async fn get(&self, url: &Url, budget: &Budget, samples: &mut Vec<Sample>) -> Result<(), Failure> {
        let address = budget.spend(Failure::Resolve, self.finder.socket_address(&url.endpoint)).await?;
        let wire = budget.spend(Failure::Timeout, connect(address, url)).await?;
        let response = budget.spend(Failure::Timeout, exchange(wire, url)).await?;
        let status = response.status();
        let value = f64::from(status.as_u16());
        samples.push(Sample { metric: Metric::HttpStatus, part: String::new(), value });
        budget.spend(Failure::Timeout, read(response)).await?;
        if status.is_success() || status.is_redirection() { Ok(()) } else { Err(Failure::Status) }
    }
}

async fn connect(address: std::net::SocketAddr, url: &Url) -> Result<Box<dyn Wire>, Failure> {
    let stream = dial::tcp(address, None).await.map_err(|error| dial::failure(&error))?;
    if !url.tls {
        return Ok(Box::new(stream));
    }
    let trust = Trust::web().map_err(|error| dial::failure(&error))?;
    let stream = dial::tls(stream, url, &trust).await.map_err(|error| {
        tracing::debug!(%error, authority = url.authority, "tls handshake failed");
        Failure::Tls
    })?;
    Ok(Box::new(stream))
}

async fn exchange(wire: Box<dyn Wire>, url: &Url) -> Result<Response<Incoming>, Failure> {
    let (mut send, connection) = http1::handshake(TokioIo::new(wire)).await.map_err(failure)?;
    // Ends when the answer has been read or dropped.
    tokio::spawn(connection);
    let request = Request::get(&url.path)
        .header(header::HOST, &url.authority)
        .header(header::USER_AGENT, AGENT)
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| Failure::Local)?;
    send.send_request(request).await.map_err(failure)
}

async fn read(response: Response<Incoming>) -> Result<(), Failure> {
    let mut body = response.into_body();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame.map_err(failure)?.data_ref().map_or(0, Bytes::len);
        if bytes > MAX_BODY {
            break;
        }
    }
    Ok(())
}

#[allow(clippy::needless_pass_by_value)] // The shape `map_err` asks for.
fn failure(error: hyper::Error) -> Failure {
    if error.is_parse() { Failure::Protocol } else { Failure::Reset }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_daemon::clock::Clock;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// Asks a server that answers each connection with these bytes and then closes it, or holds it open.
    async fn ask(answer: &'static [u8], hold: bool) -> Answer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("http://{}/status", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /status HTTP/1.1\r\nhost: 127.0.0.1:"));
            stream.write_all(answer).await.unwrap();
            if hold {
                std::future::pending::<()>().await;
            }
        });
        let tools = Tools { clock: Clock::machine().unwrap(), finder: Finder::default() };
        let budget = Budget::start(&tools.clock, Duration::from_millis(300));
        let answer = Probe::new(&tools).ask(&target.parse().unwrap(), budget).await;
        server.abort();
        answer
    }

    fn status(answer: &Answer) -> Option<f64> {
        answer.samples.first().map(|sample| sample.value)
    }

    #[tokio::test]
    async fn two_and_three_hundreds_are_success() {
        let found = ask(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", true).await;
        assert!(found.result.is_ok());
        assert_eq!(status(&found), Some(200.0));
        let moved =
            ask(b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n", true).await;
        assert!(moved.result.is_ok(), "redirects are not followed");
        assert_eq!(status(&moved), Some(302.0));
    }

    #[tokio::test]
    async fn other_statuses_fail_and_are_still_measured() {
        let answer = ask(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", true).await;
        assert_eq!((answer.result, status(&answer)), (Err(Failure::Status), Some(503.0)));
    }

    #[tokio::test]
    async fn each_way_to_fail_has_its_name() {
        assert_eq!(ask(b"SSH-2.0-OpenSSH_9.9\r\n", true).await.result, Err(Failure::Protocol));
        assert_eq!(ask(b"", false).await.result, Err(Failure::Reset));
        assert_eq!(ask(b"", true).await.result, Err(Failure::Timeout));
        let cut = ask(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", false).await;
        assert_eq!((cut.result, status(&cut)), (Err(Failure::Reset), Some(200.0)));
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_cut_off_in_time() {
        let drip = ask(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\ndrip", true).await;
        assert_eq!(drip.result, Err(Failure::Timeout));
    }

    #[tokio::test]
    async fn plain_text_where_tls_is_due_fails_as_tls() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("https://{}/", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            std::future::pending::<()>().await;
        });
        let tools = Tools { clock: Clock::machine().unwrap(), finder: Finder::default() };
        let budget = Budget::start(&tools.clock, Duration::from_secs(2));
        assert_eq!(Probe::new(&tools).ask(&target.parse().unwrap(), budget).await.result, Err(Failure::Tls));
        server.abort();
    }
}
