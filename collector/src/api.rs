//! What the console port serves: sign-in, the API of the console, its events, and the console itself.
//!
//! ```text
//! request ─▶ guard ─┬─ /healthz /readyz /sign-in*    anybody
//!                   ├─ session cookie                same origin for what changes something
//!                   ├─ Authorization: Bearer         scripts; no cookie, so no origin to check
//!                   └─ nobody                        API: 401 · pages: to /sign-in
//! ```
//!
//! Answers are read from the fold and the store, never decided here; acts go into the journal and come back
//! through the fold. Errors are RFC 9457, times RFC 3339 in UTC with milliseconds, lists `{"items","next"}`.
//! Nothing of class `restricted` is rendered: the shapes in [`view`] have no place for an address, and a test
//! looks for every address of the record in every answer.

mod availability;
mod configuration;
mod console;
mod events;
mod finding;
mod guard;
mod import;
mod incidents;
mod maintenance;
mod openapi;
mod problem;
mod province;
mod series;
mod services;
mod sign_in;
mod site;
mod story;
pub mod view;

use crate::access::{Access, attempts::Attempts};
use crate::fold::Fold;
use crate::history::kept::History;
use crate::registry::Roster;
use crate::store::Store;
use arc_swap::ArcSwap;
use axum::{
    Router,
    extract::State,
    http::{Method, Uri},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use haidang_daemon::{clock::Clock, serve::Health, stop::Stop};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Largest request body, octets: a note of the longest allowed length in JSON escapes.
const BODY_MAX: usize = 64 * 1024;

/// What the console port needs.
pub struct Parts {
    /// Where verdicts and incidents come from and acts go to.
    pub fold: Fold,
    /// The configuration directory, for what is imported.
    pub config: PathBuf,
    /// Where series come from.
    pub store: Arc<Store>,
    /// Where availability comes from.
    pub history: Arc<History>,
    /// Who may look and act.
    pub access: Arc<Access>,
    /// Which agents are in quarantine.
    pub roster: Arc<ArcSwap<Roster>>,
    /// What time it is.
    pub clock: Clock,
    /// `/healthz`, `/readyz`, `/metrics`.
    pub health: Health,
    /// Ends event streams, so that stopping does not wait for those who watch.
    pub stop: Stop,
    /// The port speaks TLS: cookies are `Secure` and browsers are told to stay with it.
    pub secure: bool,
}

struct Console {
    parts: Parts,
    attempts: Attempts,
    desk: sign_in::Desk,
    shelf: import::Shelf,
    /// Held while a window of planned work gets its id.
    announcing: tokio::sync::Mutex<()>,
    events: Arc<events::Relay>,
    /// Held by who reads the configuration directory.
    reading: Arc<Semaphore>,
}

type Shared = Arc<Console>;

/// The routes of the console port. Starts the task that relays changes to event streams, so call it inside the
/// runtime. Requests carry [`haidang_daemon::serve::Peer`].
pub fn router(parts: Parts) -> Router {
    let events = events::Relay::start(parts.fold.clone());
    routes(parts, events)
}

fn routes(parts: Parts, events: Arc<events::Relay>) -> Router {
    let console = Console {
        parts,
        attempts: Attempts::default(),
        desk: sign_in::Desk::default(),
        shelf: import::Shelf::default(),
        announcing: tokio::sync::Mutex::default(),
        events,
        reading: Arc::new(Semaphore::new(1)),
    };
    let shared = Arc::new(console);
    Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(health))
        .route("/metrics", get(health))
        .route("/sign-in", get(sign_in::page).post(sign_in::enter))
        .route("/sign-in/style.css", get(sign_in::style))
        .route("/sign-out", post(sign_in::leave))
        .route("/api/openapi.json", get(openapi::document))
        .route("/api/v1/me", get(province::me))
        .route("/api/v1/topology", get(province::topology))
        .route("/api/v1/state", get(province::state))
        .route("/api/v1/findings", get(province::findings))
        .route("/api/v1/configuration", get(configuration::configuration))
        .route("/api/v1/sites/{id}", get(site::site))
        .route("/api/v1/services", get(services::services))
        .route("/api/v1/incidents", get(incidents::list))
        .route("/api/v1/incidents/{id}", get(incidents::story))
        .route("/api/v1/incidents/{id}/ack", post(incidents::ack))
        .route("/api/v1/incidents/{id}/note", post(incidents::note))
        .route("/api/v1/incidents/{id}/close", post(incidents::close))
        .route(import::PATH, post(import::look))
        .route("/api/v1/import/accept", post(import::accept))
        .route("/api/v1/maintenance", get(maintenance::list).post(maintenance::announce))
        .route("/api/v1/maintenance/{id}", delete(maintenance::end))
        .route("/api/v1/series", get(series::series))
        .route("/api/v1/availability", get(availability::availability))
        .route("/api/v1/events", get(events::stream))
        .method_not_allowed_fallback(problem::method_not_allowed)
        .fallback(console::file)
        .layer(from_fn(guard::whole))
        .layer(from_fn_with_state(shared.clone(), guard::admit))
        .layer(from_fn_with_state(shared.clone(), guard::seal))
        .with_state(shared)
}

async fn health(
    State(console): State<Shared>,
    method: Method,
    uri: Uri,
    headers: axum::http::HeaderMap,
) -> Response {
    console.parts.health.answer(&method, uri.path(), &headers).into_response()
}

#[cfg(test)]
mod tests;
