//! One batch, one uplink, one answer.
//!
//! ```text
//!   POST /agent/v1/batch            200  acknowledgement            Kept
//!   Authorization: Bearer …         401 403 404 405 415             Unknown: nothing of this agent is taken
//!   application/x-protobuf          other 4xx but 408 429           Refused: this batch will never be taken
//!   ─────────────────────▶          429                             Later: too many at once, or holes first
//!                                   408 5xx, no answer in time      Failed: try again
//! ```
//!
//! Connections are kept between batches. One that turns out closed when it is used again is replaced within
//! the same attempt.

use crate::dial::{self, Url, Wire};
use crate::place::Finder;
use bytes::Bytes;
use haidang_probe::batch::Ack;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, Response, StatusCode, body::Incoming};
use hyper_util::rt::TokioIo;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Longest one attempt may take, from look-up to answer; then it is another uplink's turn.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// Path below the collector's URL.
const PATH: &str = "agent/v1/batch";

/// Most bytes of an answer read.
const MAX_ANSWER: usize = 4096;

/// Characters of a refusal's text that reach the log.
const MAX_REASON: usize = 200;

/// Connections kept while idle.
const IDLE: usize = 5;

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The collector has it on disk.
    Kept(Ack),
    /// The collector will never take this batch.
    Refused(String),
    /// The collector does not take anything from this agent here.
    Unknown(String),
    /// The collector wants fewer at once, or older ones first.
    Later(String),
    /// No usable answer.
    Failed(String),
}

/// The collector's batch port, by one uplink.
pub struct Post {
    url: Url,
    source: Option<IpAddr>,
    bearer: HeaderValue,
    finder: Finder,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

impl Post {
    /// Connects when first used. `bearer` is the token alone.
    pub fn new(url: Url, source: Option<IpAddr>, bearer: &str, finder: Finder) -> Post {
        // Hex always is a valid header value.
        let mut bearer = HeaderValue::try_from(format!("Bearer {bearer}"))
            .unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
        bearer.set_sensitive(true);
        Post { url, source, bearer, finder, idle: Mutex::default() }
    }

    /// Sends one encoded envelope; answers within [`DEADLINE`].
    pub async fn batch(&self, bytes: &Bytes) -> Verdict {
        match tokio::time::timeout(DEADLINE, self.exchange(bytes)).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(reason)) => Verdict::Failed(reason),
            Err(_) => Verdict::Failed(format!("no answer within {} s", DEADLINE.as_secs())),
        }
    }

    async fn exchange(&self, bytes: &Bytes) -> Result<Verdict, String> {
        loop {
            let kept = self.idle().pop();
            let Some(mut kept) = kept else { break };
            if kept.ready().await.is_err() {
                continue;
            }
            // It may have been closed while idle; a new connection tells.
            if let Ok(response) = kept.send_request(self.request(bytes)?).await {
                return self.read(response, kept).await;
            }
        }
        let mut send = self.connect().await?;
        let response =
            send.send_request(self.request(bytes)?).await.map_err(|error| format!("post: {error}"))?;
        self.read(response, send).await
    }

    fn request(&self, bytes: &Bytes) -> Result<Request<Full<Bytes>>, String> {
        Request::post(self.url.below(PATH))
            .header(HOST, &self.url.authority)
            .header(AUTHORIZATION, &self.bearer)
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(Full::new(bytes.clone()))
            .map_err(|error| format!("request: {error}"))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let address = self.finder.socket_address(&self.url.endpoint).await;
        let address =
            address.map_err(|failure| format!("look up {}: {}", self.url.authority, failure.name()))?;
        let stream = dial::tcp(address, self.source)
            .await
            .map_err(|error| format!("connect to {address}: {error}"))?;
        let wire: Box<dyn Wire> = if self.url.tls {
            Box::new(
                dial::tls(stream, &self.url).await.map_err(|error| format!("tls with {address}: {error}"))?,
            )
        } else {
            Box::new(stream)
        };
        let (send, connection) = http1::handshake(TokioIo::new(wire))
            .await
            .map_err(|error| format!("http with {address}: {error}"))?;
        tokio::spawn(connection);
        Ok(send)
    }

    async fn read(
        &self,
        response: Response<Incoming>,
        send: SendRequest<Full<Bytes>>,
    ) -> Result<Verdict, String> {
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| format!("answer: {error}"))?.to_bytes();
        let mut idle = self.idle();
        if idle.len() < IDLE {
            idle.push(send);
        }
        Ok(judge(status, &body))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<SendRequest<Full<Bytes>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn judge(status: StatusCode, body: &[u8]) -> Verdict {
    if status == StatusCode::OK {
        return Ack::decode(body).map_or_else(|wrong| Verdict::Failed(wrong.to_string()), Verdict::Kept);
    }
    let reason = reason(status, body);
    match status.as_u16() {
        401 | 403 | 404 | 405 | 415 => Verdict::Unknown(reason),
        429 => Verdict::Later(reason),
        408 => Verdict::Failed(reason),
        400..500 => Verdict::Refused(reason),
        _ => Verdict::Failed(reason),
    }
}

/// The answer's own words, cut short and on one line.
fn reason(status: StatusCode, body: &[u8]) -> String {
    let words = String::from_utf8_lossy(body);
    let words: String = words.chars().filter(|c| !c.is_control()).take(MAX_REASON).collect();
    format!("{status}: {words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_batchs_own_fault_refuses_it() {
        for (status, expected) in [
            (400, "refused"),
            (413, "refused"),
            (422, "refused"),
            (401, "unknown"),
            (403, "unknown"),
            (404, "unknown"),
            (415, "unknown"),
            (408, "failed"),
            (429, "later"),
            (500, "failed"),
            (503, "failed"),
            (302, "failed"),
        ] {
            let verdict = match judge(StatusCode::from_u16(status).unwrap(), b"why\n") {
                Verdict::Kept(_) => "kept",
                Verdict::Refused(_) => "refused",
                Verdict::Unknown(_) => "unknown",
                Verdict::Later(_) => "later",
                Verdict::Failed(_) => "failed",
            };
            assert_eq!(verdict, expected, "{status}");
        }
    }

    #[test]
    fn an_answer_that_is_no_acknowledgement_keeps_the_batch_here() {
        assert!(matches!(judge(StatusCode::OK, b"<html>login</html>"), Verdict::Failed(_)));
        let ack = Ack { spool_id: 7, seq: 3, ..Ack::default() };
        assert_eq!(judge(StatusCode::OK, &ack.encode()), Verdict::Kept(ack));
    }

    #[test]
    fn a_long_answer_does_not_fill_the_log() {
        let long = reason(StatusCode::BAD_REQUEST, &[b'x'; 4096]);
        assert!(long.len() < 300);
        assert_eq!(reason(StatusCode::BAD_REQUEST, b"a\nb\x1b[0m"), "400 Bad Request: ab[0m");
    }
}
