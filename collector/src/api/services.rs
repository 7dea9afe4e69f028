//! Shared services and their states.

use super::{
    Shared,
    problem::Problem,
    view::{Page, rfc3339},
};
use crate::watch::{Verdict, checks::ServiceShown};
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

/// A service that the work of many sites depends on.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceView {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// Its owner is none of us.
    pub outside: bool,
    /// `up`, `degraded` (some sites see it fail, not enough to blame it), `down` or `unknown`.
    #[schema(value_type = String)]
    pub state: Verdict,
    /// Since when; null where it was never otherwise, or nothing is known.
    pub since: Option<String>,
    /// Sites that see it fail now.
    pub sites: Vec<String>,
}

/// The shared services, by id.
#[utoipa::path(get, path = "/api/v1/services",
    responses((status = 200, body = Page<ServiceView>), (status = 401, body = Problem)))]
pub(super) async fn services(State(console): State<Shared>) -> Json<Page<ServiceView>> {
    let shown = console.parts.fold.read(crate::watch::Watch::services);
    Json(Page { items: shown.into_iter().map(view).collect(), next: None })
}

fn view(shown: ServiceShown) -> ServiceView {
    ServiceView {
        id: shown.id,
        name: shown.name,
        owner: shown.owner,
        outside: shown.outside,
        state: shown.verdict,
        since: shown.since.map(rfc3339),
        sites: shown.sites,
    }
}
