//! `GET /healthz`, `/readyz`, `/metrics`: what a supervisor and a Prometheus ask.

use crate::metrics::classic::{self, classic};
use crate::metrics::{self, Metrics};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, VARY};
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode};
use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::sync::Arc;

const TEXT: &str = "text/plain; charset=utf-8";

/// The three paths. `/healthz` says that the process answers, `/readyz` whether it can do its work.
#[derive(Clone)]
pub struct Health {
    metrics: Metrics,
    ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    note: Arc<dyn Fn() -> Option<String> + Send + Sync>,
}

impl Health {
    /// `ready` is asked at each `/readyz`; its error, one line without secrets, is the answer's body.
    pub fn new(metrics: Metrics, ready: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Health {
        Health { metrics, ready: Arc::new(ready), note: Arc::new(|| None) }
    }

    /// `note` is what `/readyz` adds, on a line of its own, while the process is ready though something wants
    /// attention; no secrets.
    pub fn with_note(self, note: impl Fn() -> Option<String> + Send + Sync + 'static) -> Health {
        Health { note: Arc::new(note), ..self }
    }

    /// The answer to one request; 404 for any other path, 405 for anything but GET and HEAD. Metrics are OpenMetrics
    /// for whoever accepts that.
    pub fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let (status, kind, body) = match path {
            "/healthz" => (StatusCode::OK, TEXT, "ok\n".into()),
            "/readyz" => match (self.ready)() {
                Ok(()) => {
                    let note = (self.note)().map(|note| format!("{note}\n"));
                    (StatusCode::OK, TEXT, format!("ready\n{}", note.unwrap_or_default()))
                }
                Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{reason}\n")),
            },
            "/metrics" => match self.metrics.text() {
                Ok(text) if accepts_open(headers) => (StatusCode::OK, metrics::CONTENT_TYPE, text),
                Ok(text) => (StatusCode::OK, classic::CONTENT_TYPE, classic(&text)),
                Err(fmt::Error) => {
                    (StatusCode::INTERNAL_SERVER_ERROR, TEXT, "a metric cannot write itself\n".into())
                }
            },
            _ => {
                (StatusCode::NOT_FOUND, TEXT, "not found; there are /healthz, /readyz and /metrics\n".into())
            }
        };
        if status != StatusCode::NOT_FOUND && method != Method::GET && method != Method::HEAD {
            let mut refused = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".into());
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        response(status, kind, body)
    }
}

fn accepts_open(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|accepted| accepted.to_str().ok());
    let mut kinds = accepted.flat_map(|accepted| accepted.split(','));
    kinds.any(|kind| kind.trim().starts_with("application/openmetrics-text"))
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    response
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").finish_non_exhaustive()
    }
}

impl Service<Request<Incoming>> for Health {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        ready(Ok(self.answer(request.method(), request.uri().path(), request.headers())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn ask(health: &Health, method: &Method, path: &str) -> Response<Full<Bytes>> {
        health.answer(method, path, &HeaderMap::new())
    }

    #[test]
    fn metrics_are_open_metrics_for_whoever_accepts_that() {
        let health = Health::new(Metrics::new(), || Ok(()));
        for (accept, kind) in [
            ("*/*", classic::CONTENT_TYPE),
            ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", classic::CONTENT_TYPE),
            ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", metrics::CONTENT_TYPE),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            let answer = health.answer(&Method::GET, "/metrics", &headers);
            assert_eq!(answer.headers()[CONTENT_TYPE], kind, "{accept}");
        }
    }

    #[test]
    fn readiness_is_asked_each_time() {
        let spool_open = Arc::new(AtomicBool::new(false));
        let health = Health::new(Metrics::new(), {
            let spool_open = spool_open.clone();
            move || if spool_open.load(Ordering::Relaxed) { Ok(()) } else { Err("spool not open".into()) }
        });
        assert_eq!(ask(&health, &Method::GET, "/readyz").status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ask(&health, &Method::GET, "/healthz").status(), StatusCode::OK);
        spool_open.store(true, Ordering::Relaxed);
        assert_eq!(ask(&health, &Method::GET, "/readyz").status(), StatusCode::OK);
    }

    #[test]
    fn only_reading_is_allowed() {
        let health = Health::new(Metrics::new(), || Ok(()));
        let refused = ask(&health, &Method::POST, "/metrics");
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(refused.headers()[ALLOW], "GET, HEAD");
        assert_eq!(ask(&health, &Method::POST, "/").status(), StatusCode::NOT_FOUND);
    }
}
