//! Incidents: listed, told, acknowledged, noted, closed by hand.
//!
//! An act becomes a journal entry first; the answer is the incident as the fold then has it.

use super::{
    Shared,
    availability::{known_commune, known_site},
    guard::Signed,
    problem::Problem,
    story::{IncidentView, Story},
    view::Page,
};
use crate::entry::{Act, ActKind, Entry};
use crate::incident::{Incident, State as Standing};
use crate::lineage::Lineage;
use crate::topology::Topology;
use axum::{
    Extension, Json,
    extract::{
        Path, Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
    http::StatusCode,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// Incidents on a page when nobody asks otherwise.
const PAGE: usize = 200;
/// Most incidents on a page.
const PAGE_MAX: usize = 1000;
/// Longest note or reason, characters.
const TEXT_MAX: usize = 2000;

/// Which incidents.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// `true`: noticed and open ones; `false`: closed ones; both where not said.
    open: Option<bool>,
    /// Only those that were not over at this instant (RFC 3339).
    since: Option<String>,
    /// Only those that touched this site, by any id it ever had.
    site: Option<String>,
    /// Only those that touched a site of this commune, by any code it ever had.
    commune: Option<String>,
    /// The `next` of the page before.
    next: Option<String>,
    /// Most items on the page, 1 to 1000; 200 where not said.
    limit: Option<usize>,
}

/// A note.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    /// Up to 2000 characters.
    text: String,
}

/// A closing by hand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Closing {
    /// Why, up to 2000 characters.
    reason: String,
}

/// An empty object.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Incidents, newest first.
#[utoipa::path(get, path = "/api/v1/incidents", params(Which), responses(
    (status = 200, body = Page<IncidentView>), (status = 401, body = Problem), (status = 404, body = Problem),
    (status = 422, body = Problem)))]
pub(super) async fn list(
    State(console): State<Shared>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Page<IncidentView>>, Problem> {
    let Query(which) = which?;
    let since = which.since.as_deref().map(super::series::instant).transpose()?;
    let limit = which.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    console.parts.fold.read(|watch| {
        let all = watch.incidents();
        let touches = touching(watch.topology(), &which)?;
        let fits = |incident: &&Incident| {
            let over = incident.state == Standing::Closed || incident.adopted_by.is_some();
            which.open.is_none_or(|open| open != over)
                && since.is_none_or(|since| incident.closed.is_none_or(|closed| closed >= since))
                && touches(incident)
        };
        let mut chosen: Vec<&Incident> = all.values().filter(fits).collect();
        chosen.sort_by_key(|incident| std::cmp::Reverse((incident.noticed, &incident.id)));
        if let Some(last) = &which.next {
            let last =
                all.get(last).ok_or_else(|| Problem::unprocessable(format!("no page follows `{last}`")))?;
            chosen.retain(|incident| (incident.noticed, &incident.id) < (last.noticed, &last.id));
        }
        let next = chosen.get(limit).and(chosen.get(limit - 1)).map(|incident| incident.id.clone());
        Ok(Json(Page { items: chosen.into_iter().take(limit).map(IncidentView::from).collect(), next }))
    })
}

/// Which incidents touched the site and the commune asked for, under whatever ids these had then.
fn touching<'a>(
    record: &'a Topology,
    which: &'a Which,
) -> Result<impl Fn(&Incident) -> bool + use<'a>, Problem> {
    let lineage = Lineage::of(record);
    which.site.as_deref().map(|site| known_site(record, site)).transpose()?;
    which.commune.as_deref().map(|code| known_commune(record, code)).transpose()?;
    let ids = which.site.as_deref().map(|site| lineage.ids(site));
    Ok(move |incident: &Incident| {
        let mut sites = incident.sites.keys();
        let of_site = ids.as_ref().is_none_or(|ids| sites.clone().any(|site| ids.contains(site)));
        let lay = |code| sites.any(|site| lineage.lay_in(site, code, incident.began));
        of_site && which.commune.as_deref().is_none_or(lay)
    })
}

/// One incident with what happened and what was seen.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = Story), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn story(
    State(console): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Story>, Problem> {
    tell(&console, &id).map(Json)
}

/// Takes an incident on.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/ack", request_body = Nothing,
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = Story), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn ack(
    State(console): State<Shared>,
    Extension(signed): Extension<Signed>,
    Path(id): Path<String>,
    body: Result<Json<Nothing>, JsonRejection>,
) -> Result<Json<Story>, Problem> {
    let Json(Nothing {}) = body?;
    act(&console, &signed, id, ActKind::Ack).await
}

/// Writes something down about an incident, also after its end.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/note", request_body = Note,
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = Story), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn note(
    State(console): State<Shared>,
    Extension(signed): Extension<Signed>,
    Path(id): Path<String>,
    body: Result<Json<Note>, JsonRejection>,
) -> Result<Json<Story>, Problem> {
    let text = words(&body?.0.text, "text")?;
    act(&console, &signed, id, ActKind::Note(text)).await
}

/// Closes an incident by hand.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/close", request_body = Closing,
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = Story), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn close(
    State(console): State<Shared>,
    Extension(signed): Extension<Signed>,
    Path(id): Path<String>,
    body: Result<Json<Closing>, JsonRejection>,
) -> Result<Json<Story>, Problem> {
    let reason = words(&body?.0.reason, "reason")?;
    act(&console, &signed, id, ActKind::Close(reason)).await
}

async fn act(console: &Shared, signed: &Signed, id: String, kind: ActKind) -> Result<Json<Story>, Problem> {
    let person = signed.may_act()?;
    console.parts.fold.read(|watch| {
        let incident = watch.incidents().get(&id).ok_or_else(|| unknown(&id))?;
        possible(incident, &kind)
    })?;
    let at = console.parts.clock.utc_ms();
    let entry = Act { at, person: person.name.clone(), incident: id.clone(), kind };
    let kept = console.parts.fold.durable(Entry::Act(entry)).await;
    kept.map_err(|refused| Problem::new(StatusCode::SERVICE_UNAVAILABLE, refused.to_string()))?;
    tell(console, &id).map(Json)
}

/// Whether the act can be done to the incident as it stands.
fn possible(incident: &Incident, kind: &ActKind) -> Result<(), Problem> {
    if matches!(kind, ActKind::Note(_)) {
        return Ok(());
    }
    if let Some(other) = &incident.adopted_by {
        return Err(Problem::conflict(format!("{} was taken over by {other}", incident.id)));
    }
    if incident.state == Standing::Closed {
        return Err(Problem::conflict(format!("{} is closed", incident.id)));
    }
    match (&incident.acked, kind) {
        (Some(acked), ActKind::Ack) => {
            Err(Problem::conflict(format!("{} was taken on by {}", incident.id, acked.by)))
        }
        _ => Ok(()),
    }
}

fn tell(console: &Shared, id: &str) -> Result<Story, Problem> {
    console.parts.fold.read(|watch| {
        let incident = watch.incidents().get(id).ok_or_else(|| unknown(id))?;
        Ok(Story::of(incident, watch.topology()))
    })
}

fn unknown(id: &str) -> Problem {
    Problem::not_found(format!("there is no incident {id}"))
}

/// A person's words, trimmed: some, not too many, and nothing a terminal would obey.
pub(super) fn words(text: &str, field: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > TEXT_MAX {
        return Err(Problem::unprocessable(format!("`{field}` needs 1 to {TEXT_MAX} characters")));
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(Problem::unprocessable(format!("`{field}` holds control characters")));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests::rig::incident;
    use super::*;

    #[test]
    fn only_a_live_incident_of_its_own_can_be_taken_on_or_closed() {
        let taken = incident();
        let free = Incident { acked: None, ..incident() };
        let closed = Incident { state: Standing::Closed, ..incident() };
        let adopted = Incident { adopted_by: Some("SC-20261122-02".into()), ..incident() };
        let close = ActKind::Close("xong".into());
        assert_eq!(possible(&free, &ActKind::Ack), Ok(()));
        assert_eq!(possible(&taken, &close), Ok(()));
        for (incident, act) in [(&taken, &ActKind::Ack), (&closed, &close), (&adopted, &ActKind::Ack)] {
            assert!(possible(incident, act).is_err(), "{act:?} on {incident:?}");
        }
        for incident in [&taken, &closed, &adopted] {
            assert_eq!(possible(incident, &ActKind::Note("sau".into())), Ok(()));
        }
    }

    #[test]
    fn words_are_trimmed_and_plain() {
        assert_eq!(words("  đã gọi xã:\nmất điện ", "text").ok().as_deref(), Some("đã gọi xã:\nmất điện"));
        assert!(words("\u{1b}[2J", "text").is_err());
        assert!(words(&"x".repeat(TEXT_MAX + 1), "text").is_err());
    }
}
