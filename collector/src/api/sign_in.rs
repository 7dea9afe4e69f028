//! Signing in and out: a form, a cookie, and patience with neither guessing nor flooding.
//!
//! Hashing a password takes 19 MiB and tens of milliseconds on purpose. At most [`HASHING`] run at a time and
//! [`WAITING`] wait; one more is told to come back.

use super::{
    Shared,
    guard::{cookie, cookie_name, same_origin},
    problem::Problem,
};
use crate::access::{AccessError, Notice, Person, SESSION_MS, STYLE, sign_in_page};
use axum::{
    Extension,
    extract::{Form, Query, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use haidang_daemon::serve::Peer;
use serde::Deserialize;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Passwords hashed at a time.
const HASHING: usize = 2;
/// Sign-ins under way at a time, those that wait to be hashed included.
const WAITING: usize = 16;

/// Where sign-ins queue.
pub(super) struct Desk {
    hashing: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Desk {
    fn default() -> Desk {
        Desk { hashing: Arc::new(Semaphore::new(HASHING)), waiting: Arc::new(Semaphore::new(WAITING)) }
    }
}

#[derive(Deserialize)]
pub(super) struct Wish {
    lang: Option<String>,
    next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Claim {
    user: String,
    password: String,
    next: Option<String>,
}

/// `GET /sign-in`
pub(super) async fn page(Query(wish): Query<Wish>, headers: HeaderMap) -> Html<String> {
    let next = inner_path(wish.next.as_deref());
    Html(sign_in_page(lang(wish.lang.as_deref(), &headers), Notice::None, "", next))
}

/// `GET /sign-in/style.css`
pub(super) async fn style() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=3600")],
        STYLE,
    )
}

/// `POST /sign-in`
pub(super) async fn enter(
    State(console): State<Shared>,
    peer: Option<Extension<Peer>>,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
    Form(claim): Form<Claim>,
) -> Response {
    if !may_sign_in(&headers) {
        let detail = "a sign-in must come from the console's own page";
        return Problem::new(StatusCode::FORBIDDEN, detail).into_response();
    }
    let from = peer.map_or(IpAddr::from([0; 4]), |Extension(peer)| peer.network());
    let lang = lang(wish.lang.as_deref(), &headers);
    let next = inner_path(claim.next.as_deref());
    let again = |status: StatusCode, notice| {
        (status, Html(sign_in_page(lang, notice, &claim.user, next))).into_response()
    };
    let now = (console.parts.clock.steady_ns() / 1_000_000) as i64;
    if let Err(seconds) = console.attempts.allowed(&claim.user, from, now) {
        let mut answer = again(StatusCode::TOO_MANY_REQUESTS, Notice::Locked(seconds));
        answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        return answer;
    }
    let Ok(_place) = console.desk.waiting.clone().try_acquire_owned() else {
        return again(StatusCode::SERVICE_UNAVAILABLE, Notice::Busy);
    };
    match open(&console, claim.user.clone(), claim.password.clone()).await {
        Ok(Some((person, secret))) => {
            console.attempts.succeeded(&claim.user, from);
            tracing::info!(person = person.name, %from, "signed in");
            let cookie = set_cookie(console.parts.secure, &secret, SESSION_MS / 1000);
            ([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response()
        }
        Ok(None) => {
            console.attempts.failed(&claim.user, from, now);
            // The name is not said: people type passwords into the wrong field.
            tracing::info!(%from, "sign-in refused");
            again(StatusCode::UNAUTHORIZED, Notice::Wrong)
        }
        Err(error) => {
            tracing::warn!(%error, "nobody can sign in");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "nobody can sign in at present").into_response()
        }
    }
}

/// `POST /sign-out`
pub(super) async fn leave(State(console): State<Shared>, headers: HeaderMap) -> Response {
    if let Some(secret) = cookie(&headers, cookie_name(console.parts.secure)).map(str::to_owned) {
        let access = console.parts.access.clone();
        let closed = tokio::task::spawn_blocking(move || access.close_session(&secret)).await;
        if !matches!(closed, Ok(Ok(()))) {
            let detail = "the session could not be ended";
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response();
        }
    }
    let cookie = set_cookie(console.parts.secure, "", 0);
    ([(header::SET_COOKIE, cookie)], Redirect::to("/sign-in")).into_response()
}

/// Checks the password and opens a session, off the runtime's threads.
async fn open(
    console: &Shared,
    user: String,
    password: String,
) -> Result<Option<(Person, String)>, AccessError> {
    let turn = console.desk.hashing.clone().acquire_owned().await;
    let access = console.parts.access.clone();
    let now = console.parts.clock.utc_ms();
    let work = move || {
        let _turn = turn;
        let Some(person) = access.verify(&user, &password)? else { return Ok(None) };
        let secret = access.open_session(&person.name, now)?;
        Ok(Some((person, secret)))
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(AccessError::Hash(error.to_string())))
}

/// A form of another site must not sign anybody in. What sends neither header is no browser, has no cookies to
/// be misused, and may.
fn may_sign_in(headers: &HeaderMap) -> bool {
    let says_nothing = !headers.contains_key("sec-fetch-site") && !headers.contains_key(header::ORIGIN);
    says_nothing || same_origin(&Method::POST, headers)
}

fn set_cookie(secure: bool, secret: &str, seconds: i64) -> String {
    let name = cookie_name(secure);
    let only_tls = if secure { "; Secure" } else { "" };
    // Lax, not Strict: the link to an incident in a message must open without a second sign-in.
    format!("{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{only_tls}")
}

/// The language asked for, else the browser's first, else Vietnamese.
fn lang(wished: Option<&str>, headers: &HeaderMap) -> &'static str {
    let first = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    if wished.or(first).is_some_and(|text| text.starts_with("en")) { "en" } else { "vi" }
}

/// A path of our own to go on to: `/…`, and no other site's `//…` or `/\…`.
fn inner_path(next: Option<&str>) -> &str {
    let inner = |path: &&str| {
        path.starts_with('/')
            && !path[1..].starts_with(['/', '\\'])
            && path.chars().all(|c| c.is_ascii_graphic())
    };
    next.filter(inner).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for (next, to) in [
            (Some("/incidents/SC-20261122-01"), "/incidents/SC-20261122-01"),
            (Some("//evil.example"), "/"),
            (Some("/\\evil.example"), "/"),
            (Some("https://evil.example"), "/"),
            (Some("/a\r\nb"), "/"),
            (None, "/"),
        ] {
            assert_eq!(inner_path(next), to);
        }
    }

    #[test]
    fn the_cookie_is_bound_to_tls_where_there_is_tls() {
        assert_eq!(
            set_cookie(true, "s", 9),
            "__Host-noc=s; Path=/; Max-Age=9; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(set_cookie(false, "s", 9), "noc=s; Path=/; Max-Age=9; HttpOnly; SameSite=Lax");
    }
}
