//! `GET /api/v1/configuration`: whether the files in place can be used, and for administrators where they cannot.
//!
//! The same reading as `haidang-collector check` and as the start: one at a time, off the runtime's thread. What a
//! fault says may repeat an address of the file: the browser is told the place, the terminal the rest.

use super::{Shared, guard::Signed, problem::Problem, view::rfc3339};
use crate::access::Role;
use crate::config::{self, Fault};
use axum::{Extension, Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

/// Faults told at most; who has more mends these first.
const TOLD: usize = 200;

/// What is said of each place.
const SAYS: &str = "is wrong; `haidang-collector check` says what";

/// A place in the configuration that is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct FaultView {
    /// File, within the configuration directory; `.` for the directory as a whole.
    pub file: String,
    /// Line, from 1.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
    /// That something is wrong there; what it is, the terminal says, for it may be restricted.
    pub text: String,
}

/// The configuration.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigurationView {
    /// The files in place are good. If they are not, the last good ones are in use.
    pub good: bool,
    /// When the record in use was taken over; null before the first.
    pub since: Option<String>,
    /// What is wrong, for administrators; empty for others.
    pub faults: Vec<FaultView>,
}

/// Whether the files in place are good, and for administrators what is wrong with them.
#[utoipa::path(get, path = "/api/v1/configuration",
    responses((status = 200, body = ConfigurationView), (status = 401, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn configuration(
    State(console): State<Shared>,
    Extension(Signed(person)): Extension<Signed>,
) -> Result<Json<ConfigurationView>, Problem> {
    let busy =
        || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the configuration cannot be read at present");
    let directory = console.parts.config.clone();
    let turn = console.reading.clone().acquire_owned().await.map_err(|_| busy())?;
    let read = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        config::load(&directory).err().unwrap_or_default()
    });
    let faults = read.await.map_err(|_| busy())?;
    let told = if person.role == Role::Admin { TOLD } else { 0 };
    let since = console.parts.fold.read(crate::watch::Watch::configured);
    Ok(Json(ConfigurationView {
        good: faults.is_empty(),
        since: (since > 0).then(|| rfc3339(since)),
        faults: faults.iter().take(told).map(|fault| view(fault, &console.parts.config)).collect(),
    }))
}

fn view(fault: &Fault, directory: &std::path::Path) -> FaultView {
    let file = fault.file.strip_prefix(directory).unwrap_or(&fault.file).display().to_string();
    FaultView {
        file: if file.is_empty() { ".".into() } else { file },
        line: fault.line,
        column: fault.column,
        text: SAYS.into(),
    }
}
