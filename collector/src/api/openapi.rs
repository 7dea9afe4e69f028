//! `GET /api/openapi.json`: the API described from the code that answers it (OpenAPI 3.1).

use super::{
    availability, configuration, events, import, incidents, maintenance, province, series, services, site,
};
use axum::Json;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(title = "Hải Đăng", description = "What a province's network is like, and what is wrong with it."),
    paths(
        province::me,
        province::topology,
        province::state,
        province::findings,
        configuration::configuration,
        site::site,
        incidents::list,
        incidents::story,
        incidents::ack,
        incidents::note,
        incidents::close,
        import::look,
        import::accept,
        maintenance::list,
        maintenance::announce,
        maintenance::end,
        series::series,
        availability::availability,
        services::services,
        events::stream
    ),
    security(("token" = []), ("session" = [])),
    modifiers(&Keys)
)]
struct Api;

/// How to show who is asking.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let session = ApiKey::Cookie(ApiKeyValue::new("noc"));
        components.add_security_scheme("session", SecurityScheme::ApiKey(session));
    }
}

/// The description.
pub(super) async fn document() -> Json<Document> {
    Json(Api::openapi())
}
