//! `GET /api/v1/availability`: how long a site or a commune was what, by any id or code it ever had.

use super::{Shared, problem::Problem, series::instant, view::rfc3339};
use crate::history::availability::{Question, Share, Whose, total};
use crate::lineage::Lineage;
use crate::topology::Topology;
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Most shares in one answer.
const SHARES_MAX: i64 = 11_000;
/// Shortest step, s.
const STEP_MIN: u32 = 60;
/// How far back to look when nobody says: a week.
const SPAN_MS: i64 = 7 * 86_400_000;

/// What to tell: one of `site` and `commune`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Site, by any id it ever had.
    site: Option<String>,
    /// Commune, by any code it ever had.
    commune: Option<String>,
    /// Start (RFC 3339); a week before the end where not said.
    from: Option<String>,
    /// End (RFC 3339); now where not said.
    to: Option<String>,
    /// Seconds of each item, at least 60; a day of Vietnam where not said.
    step: Option<u32>,
}

/// How long it was what, ms; the parts add up to the span.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ShareView {
    /// First moment.
    from: String,
    /// First moment after it.
    to: String,
    /// Everything worked.
    up_ms: i64,
    /// It worked, with something broken.
    degraded_ms: i64,
    /// It did not work.
    down_ms: i64,
    /// Nobody can tell.
    unknown_ms: i64,
    /// Switched off outside its hours.
    off_ms: i64,
    /// Planned work.
    maintenance_ms: i64,
}

/// Each item's share, and all together.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AvailabilityView {
    /// Oldest first.
    items: Vec<ShareView>,
    /// Always null: one answer holds all.
    next: Option<String>,
    /// All together.
    total: ShareView,
}

/// Availability over a span, also across mergers and renames.
#[utoipa::path(get, path = "/api/v1/availability", params(Asked),
    responses((status = 200, body = AvailabilityView), (status = 404, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn availability(
    State(console): State<Shared>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<AvailabilityView>, Problem> {
    let Query(asked) = asked?;
    let to = asked.to.as_deref().map(instant).transpose()?.unwrap_or_else(|| console.parts.clock.utc_ms());
    let from = asked.from.as_deref().map(instant).transpose()?.unwrap_or(to - SPAN_MS);
    let step = asked.step.map(|seconds| i64::from(seconds.max(STEP_MIN)) * 1_000);
    let wide = (to - from) / step.unwrap_or(crate::topology::hours::DAY_MS);
    if from >= to || wide > SHARES_MAX {
        let detail = format!("`from` must be before `to`, and at most {SHARES_MAX} steps apart");
        return Err(Problem::unprocessable(detail));
    }
    let record = console.parts.fold.read(|watch| watch.topology().clone());
    let question = Question { whose: whose(&record, asked.site, asked.commune)?, from, to, step };
    let shared = console.clone();
    // SQLite reads from disk: not on the thread that serves everybody.
    let read = tokio::task::spawn_blocking(move || {
        let shares = shared.parts.history.availability(&record, &question);
        shares.map(|shares| view(&question, &shares))
    });
    let refused = |why: String| Problem::new(axum::http::StatusCode::SERVICE_UNAVAILABLE, why);
    read.await
        .map_err(|error| refused(error.to_string()))?
        .map(Json)
        .map_err(|error| refused(error.to_string()))
}

fn whose(record: &Topology, site: Option<String>, commune: Option<String>) -> Result<Whose, Problem> {
    match (site, commune) {
        (Some(site), None) => known_site(record, &site).map(|()| Whose::Site(site)),
        (None, Some(code)) => known_commune(record, &code).map(|()| Whose::Commune(code)),
        _ => Err(Problem::unprocessable("say `site` or `commune`, one of them")),
    }
}

/// Refuses what no site is or ever was known as.
pub(super) fn known_site(record: &Topology, id: &str) -> Result<(), Problem> {
    let known = Lineage::of(record).known_as(id).is_some();
    if known { Ok(()) } else { Err(Problem::not_found(format!("there is and was no site {id}"))) }
}

/// Refuses what no commune has or ever had as its code.
pub(super) fn known_commune(record: &Topology, code: &str) -> Result<(), Problem> {
    let known = record.communes.contains_key(code);
    if known { Ok(()) } else { Err(Problem::not_found(format!("there is and was no commune {code}"))) }
}

fn view(question: &Question, shares: &[Share]) -> AvailabilityView {
    let view = |share: &Share| ShareView {
        from: rfc3339(share.from),
        to: rfc3339(share.to),
        up_ms: share.up,
        degraded_ms: share.degraded,
        down_ms: share.down,
        unknown_ms: share.unknown,
        off_ms: share.off,
        maintenance_ms: share.maintenance,
    };
    AvailabilityView {
        items: shares.iter().map(view).collect(),
        next: None,
        total: view(&total(question, shares)),
    }
}
