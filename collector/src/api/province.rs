//! Who is signed in, the record, the state of every site, and what to mend.

use super::{
    Shared,
    finding::{FindingView, finding},
    guard::Signed,
    problem::Problem,
    view::{self, Me, Page, StateView, TopologyView},
};
use crate::watch::Finding;
use axum::{Extension, Json, extract::State};

/// Who is signed in.
#[utoipa::path(get, path = "/api/v1/me", responses((status = 200, body = Me), (status = 401, body = Problem)))]
pub(super) async fn me(Extension(Signed(person)): Extension<Signed>) -> Json<Me> {
    Json(Me { user: person.name, role: person.role.name().to_owned(), lang: person.lang })
}

/// The record, as far as it is shown.
#[utoipa::path(get, path = "/api/v1/topology",
    responses((status = 200, body = TopologyView), (status = 401, body = Problem)))]
pub(super) async fn topology(State(console): State<Shared>) -> Json<TopologyView> {
    Json(console.parts.fold.read(|watch| view::topology(watch.topology())))
}

/// The state of every site and line now.
#[utoipa::path(get, path = "/api/v1/state",
    responses((status = 200, body = StateView), (status = 401, body = Problem)))]
pub(super) async fn state(State(console): State<Shared>) -> Json<StateView> {
    Json(console.parts.fold.read(|watch| StateView {
        at: view::rfc3339(watch.now()),
        seq: watch.seq(),
        sites: view::site_states(watch, |_| true),
    }))
}

/// What is wrong with the set-up; not incidents.
#[utoipa::path(get, path = "/api/v1/findings",
    responses((status = 200, body = Page<FindingView>), (status = 401, body = Problem)))]
pub(super) async fn findings(
    State(console): State<Shared>,
    Extension(Signed(person)): Extension<Signed>,
) -> Json<Page<FindingView>> {
    let mut found = console.parts.fold.read(crate::watch::Watch::findings);
    // Of the agents' file, not of the journal: it is no evidence.
    let roster = console.parts.roster.load();
    found.extend(roster.quarantined().map(|(site, since)| Finding {
        kind: "agent-quarantined".into(),
        subject: site.clone(),
        since,
    }));
    let items = found.into_iter().map(|found| finding(found, &person.lang)).collect();
    Json(Page { items, next: None })
}
