//! `GET /api/v1/series`: what the store holds of one metric at one site.
//!
//! A site's series are those its agent sent, and those the core agent asked about its lines.

use super::{Shared, problem::Problem};
use crate::lineage::Lineage;
use crate::store::{BUCKET_MS, Question};
use crate::topology::Topology;
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use haidang_probe::{check::CheckId, metric::Metric};
use serde::Deserialize;
use utoipa::IntoParams;

/// Most points in one answer.
const POINTS_MAX: i64 = 11_000;
/// How far back to look when nobody says.
const SPAN_MS: i64 = 3_600_000;
/// Points when nobody says how wide a step is.
const POINTS: i64 = 300;

/// What to tell.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Site, by any id it ever had.
    site: String,
    /// Metric by its exposition name, such as `probe_duration_seconds`.
    metric: String,
    /// Start (RFC 3339); an hour before the end where not said.
    from: Option<String>,
    /// End (RFC 3339); now where not said.
    to: Option<String>,
    /// Seconds a point spans, 10 or a multiple of it.
    step: Option<u32>,
    /// Check by name or by its 8 hex digits; all checks fold together where not said.
    check: Option<String>,
    /// Part of the target, such as an interface; all parts fold together where not said.
    part: Option<String>,
}

/// `[[ms, min, avg, max, count]]`, oldest first; a step without samples has no point.
#[utoipa::path(get, path = "/api/v1/series", params(Asked), responses((status = 200, body = Vec<Vec<f64>>),
    (status = 404, body = super::problem::Problem), (status = 422, body = super::problem::Problem)))]
pub(super) async fn series(
    State(console): State<Shared>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Vec<(i64, f64, f64, f64, u64)>>, Problem> {
    let Query(asked) = asked?;
    let metric = metric(&asked.metric)?;
    let to = asked.to.as_deref().map(instant).transpose()?.unwrap_or_else(|| console.parts.clock.utc_ms());
    let from = asked.from.as_deref().map(instant).transpose()?.unwrap_or(to - SPAN_MS);
    let step = asked.step.map_or((to - from) / POINTS, |seconds| i64::from(seconds) * 1000);
    let step = (step.max(1) as u64).div_ceil(BUCKET_MS as u64) as i64 * BUCKET_MS;
    if from >= to || (to - from) / step > POINTS_MAX {
        let detail = format!("`from` must be before `to`, and at most {POINTS_MAX} steps apart");
        return Err(Problem::unprocessable(detail));
    }
    let checks = console.parts.fold.read(|watch| places(watch.topology(), &asked))?;
    let store = console.parts.store.clone();
    let from = from.max(store.oldest(console.parts.clock.utc_ms()));
    // It reads the disk: the one thread of the ports has others to serve meanwhile.
    let answer = tokio::task::spawn_blocking(move || {
        let checks = checks.iter().map(|(site, check)| (site.as_str(), *check)).collect();
        store.query(&Question { checks, metric, part: asked.part.as_deref(), from, to, step })
    });
    let points =
        answer.await.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer broke off"))?;
    let points = points.map_err(|much| Problem::unprocessable(much.to_string()))?;
    Ok(Json(points.into_iter().map(|p| (p.at, p.min, p.avg, p.max, p.count)).collect()))
}

/// UTC milliseconds of an RFC 3339 text.
pub(super) fn instant(text: &str) -> Result<i64, Problem> {
    let parsed = text.parse::<jiff::Timestamp>();
    parsed.map(jiff::Timestamp::as_millisecond).map_err(|_| {
        Problem::unprocessable(format!("`{text}` is no instant; write one as 2026-11-22T07:30:00.000Z"))
    })
}

fn metric(name: &str) -> Result<Metric, Problem> {
    if let Some(metric) = Metric::ALL.iter().find(|metric| metric.name() == name) {
        return Ok(*metric);
    }
    let near = Metric::ALL
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(a.name(), name).total_cmp(&strsim::jaro_winkler(b.name(), name)));
    let near = near.map_or("", |metric| metric.name());
    Err(Problem::unprocessable(format!("there is no metric `{name}`; did you mean `{near}`?")))
}

/// Where the store keeps what is asked for: agent's site and check.
fn places(record: &Topology, asked: &Asked) -> Result<Vec<(String, Option<CheckId>)>, Problem> {
    let lineage = Lineage::of(record);
    let Some((site, _)) = lineage.known_as(&asked.site) else {
        return Err(Problem::not_found(format!("there is no site {}", asked.site)));
    };
    let wanted = asked.check.as_deref().map(|check| check_id(record, site, check));
    // What was measured under a former id stands there.
    let mut places: Vec<_> = lineage.ids(site).into_iter().map(|id| (id, wanted)).collect();
    if let Some(core) = record.core().filter(|core| *core != site) {
        let lines = record.lines.values().filter(|line| line.site == *site);
        let asks = lines.filter_map(|line| line.gateway.as_ref()).map(crate::topology::Ask::id);
        let asks = asks.filter(|id| wanted.is_none_or(|wanted| wanted == *id));
        places.extend(asks.map(|id| (core.clone(), Some(id))));
    }
    Ok(places)
}

/// The id of a check of the site's, given by name or by its digits.
fn check_id(record: &Topology, site: &str, check: &str) -> CheckId {
    let named = record.checks_of(site).into_iter().find(|known| known.name == check);
    let digits = (check.len() == 8).then(|| u32::from_str_radix(check, 16).ok()).flatten().map(CheckId);
    named.map(|known| known.id()).or(digits).unwrap_or_else(|| CheckId::of_name(check))
}
