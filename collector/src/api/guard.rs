//! Who is asking, whether they may, and the headers every answer carries.

use super::{BODY_MAX, Shared, import, problem::Problem};
use crate::access::{AccessError, Person, Role};
use crate::import::FILE_MAX;
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use std::time::Duration;

/// Only scripts and styles of our own; images may be inline; nobody frames us. Styles may be inline because the
/// console sets widths and colours by attribute.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Two years, as the preload list asks.
const STRICT_TRANSPORT: &str = "max-age=63072000";

/// Time for a body to arrive once its head has.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Time for a sheet's, which is larger and may come over a poor line.
const SHEET_TIME: Duration = Duration::from_secs(120);

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Somebody known, as the request's extension.
#[derive(Clone, Debug)]
pub(super) struct Signed(pub Person);

impl Signed {
    /// Refuses those who may only look.
    pub fn may_act(&self) -> Result<&Person, Problem> {
        if self.0.role >= Role::Operator {
            return Ok(&self.0);
        }
        Err(Problem::new(StatusCode::FORBIDDEN, format!("a {} may look, not act", self.0.role.name())))
    }

    /// Refuses those who may not change the configuration.
    pub fn may_administer(&self) -> Result<&Person, Problem> {
        if self.0.role >= Role::Admin {
            return Ok(&self.0);
        }
        let role = self.0.role.name();
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            format!("a {role} may not change the configuration; an admin may"),
        ))
    }
}

/// Lets a request in, or answers for it.
pub(super) async fn admit(State(console): State<Shared>, mut request: Request, next: Next) -> Response {
    if is_public(request.uri().path()) {
        return next.run(request).await;
    }
    match recognise(&console, request.headers()) {
        Ok(Some((_, Proof::Session))) if !same_origin(request.method(), request.headers()) => {
            let detail = "a change must come from the console's own pages; scripts use a bearer token";
            Problem::new(StatusCode::FORBIDDEN, detail).into_response()
        }
        Ok(Some((person, _))) => {
            request.extensions_mut().insert(Signed(person));
            next.run(request).await
        }
        Ok(None) => refuse(&request),
        Err(error) => {
            tracing::warn!(%error, "sign-ins cannot be looked up");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "sign-ins cannot be looked up").into_response()
        }
    }
}

fn is_public(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/sign-in" | "/sign-in/style.css" | "/favicon.svg")
}

enum Proof {
    Token,
    Session,
}

/// Who a bearer token or, without one, a session cookie speaks for.
fn recognise(console: &Shared, headers: &HeaderMap) -> Result<Option<(Person, Proof)>, AccessError> {
    let access = &console.parts.access;
    if let Some(given) = headers.get(header::AUTHORIZATION) {
        let Some(token) = given.to_str().ok().and_then(bearer) else { return Ok(None) };
        return Ok(access.token(token)?.map(|person| (person, Proof::Token)));
    }
    let Some(secret) = cookie(headers, cookie_name(console.parts.secure)) else { return Ok(None) };
    let person = access.session(secret, console.parts.clock.utc_ms())?;
    Ok(person.map(|person| (person, Proof::Session)))
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// `__Host-` binds a cookie to TLS and this origin; a browser refuses it on plain loopback.
pub(super) fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-noc" } else { "noc" }
}

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(known, _)| *known == name).map(|(_, value)| value).next()
}

/// Whether a request that changes something comes from our own pages. Browsers say so by `Sec-Fetch-Site`, or on
/// plain addresses by `Origin`; one that says neither is no browser of today.
pub(super) fn same_origin(method: &Method, headers: &HeaderMap) -> bool {
    if method.is_safe() {
        return true;
    }
    if let Some(site) = headers.get(FETCH_SITE) {
        return site == "same-origin";
    }
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
    matches!((origin, text(header::HOST)), (Some((_, from)), Some(host)) if from.eq_ignore_ascii_case(host))
}

/// A page goes to the sign-in and remembers where it wanted to; anything else gets 401.
fn refuse(request: &Request) -> Response {
    let path = request.uri().path();
    let wants = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let is_page = request.method() == Method::GET
        && !path.starts_with("/api/")
        && path != "/metrics"
        && wants.is_some_and(|kinds| kinds.contains("text/html"));
    if is_page {
        let to = if path == "/" { "/sign-in".to_owned() } else { format!("/sign-in?next={}", quoted(path)) };
        return Redirect::to(&to).into_response();
    }
    let detail = "sign in, or send `Authorization: Bearer` with a token";
    let mut answer = Problem::new(StatusCode::UNAUTHORIZED, detail).into_response();
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

/// A path as a query's value: a path has `%` already where it needs it, so only what ends a value is quoted.
fn quoted(path: &str) -> String {
    path.replace('%', "%25").replace('&', "%26").replace('+', "%2B").replace('#', "%23")
}

/// Takes the whole body of what changes something, within [`BODY_TIME`]: a body that trickles in holds a place, and
/// the limits of the port end with the head.
pub(super) async fn whole(request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let (most, time) = allowance(&head);
    match tokio::time::timeout(time, to_bytes(body, most)).await {
        Ok(Ok(body)) => next.run(Request::from_parts(head, Body::from(body))).await,
        Ok(Err(_)) => {
            let detail = format!("the body is cut short or larger than {most} octets");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).into_response()
        }
        Err(_) => {
            let detail = format!("the body did not arrive whole within {} s", time.as_secs());
            Problem::new(StatusCode::REQUEST_TIMEOUT, detail).into_response()
        }
    }
}

/// How large a body may be and how long it may take: an administrator may send a sheet.
fn allowance(head: &Parts) -> (usize, Duration) {
    let administers = head.extensions.get::<Signed>().is_some_and(|signed| signed.may_administer().is_ok());
    if administers && head.uri.path() == import::PATH {
        return (FILE_MAX, SHEET_TIME);
    }
    (BODY_MAX, BODY_TIME)
}

/// Puts the headers on that every answer carries.
pub(super) async fn seal(State(console): State<Shared>, request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    let mut set =
        |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    // Not `no-referrer`: under it a browser sends `Origin: null` even with our own sign-in form.
    set(header::REFERRER_POLICY, "same-origin");
    if console.parts.secure {
        set(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let name = HeaderName::from_static;
        pairs.iter().map(|(key, value)| (name(key), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_our_own_pages_may_change_something() {
        let may = |pairs: &[_]| same_origin(&Method::POST, &headers(pairs));
        assert!(may(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(may(&[("origin", "https://noc.example:8080"), ("host", "noc.example:8080")]));
        assert!(!may(&[("sec-fetch-site", "same-site"), ("origin", "http://a"), ("host", "a")]));
        assert!(!may(&[("sec-fetch-site", "cross-site")]));
        assert!(!may(&[("origin", "http://evil.example"), ("host", "noc.example")]));
        assert!(!may(&[("origin", "null"), ("host", "noc.example")]));
        assert!(!may(&[("host", "noc.example")]));
        assert!(same_origin(&Method::GET, &headers(&[("sec-fetch-site", "cross-site")])));
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let sent = headers(&[("cookie", "xnoc=1; noc=2; noc=3")]);
        assert_eq!(cookie(&sent, "noc"), Some("2"));
        assert_eq!(cookie(&sent, "__Host-noc"), None);
        assert_eq!(bearer("bearer  abc"), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
    }
}
