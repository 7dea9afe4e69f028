//! Planned work: announced, listed, ended.
//!
//! A window becomes a journal entry first. Its id is drawn from what the fold then holds, so announcements are
//! taken one at a time.

use super::{
    Shared,
    guard::Signed,
    incidents::words,
    problem::Problem,
    series::instant,
    view::{Page, rfc3339},
};
use crate::entry::{Entry, Item, ItemKind, Maintenance};
use crate::incident::maintenance::LIVE_MAX;
use crate::topology::{Topology, hours};
use axum::{
    Extension, Json,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
};
use haidang_daemon::yaml;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Things one window names.
const ITEMS_MAX: usize = 200;
/// Longest window, ms.
const LENGTH_MAX: i64 = 31 * 86_400_000;
const KINDS: [(&str, ItemKind); 8] = [
    ("site", ItemKind::Site),
    ("line", ItemKind::Line),
    ("commune", ItemKind::Commune),
    ("pop", ItemKind::Pop),
    ("carrier", ItemKind::Carrier),
    ("hand_off", ItemKind::HandOff),
    ("service", ItemKind::Service),
    ("device", ItemKind::Device),
];

/// One thing that planned work names.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ItemView {
    /// `site`, `line`, `commune`, `pop`, `carrier`, `hand_off`, `service` or `device`.
    kind: String,
    /// Its id.
    id: String,
}

/// Planned work to announce.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Announcement {
    /// What is worked on: 1 to 200 things.
    items: Vec<ItemView>,
    /// When it begins, RFC 3339.
    from: String,
    /// When it is over, RFC 3339: after `from`, in the future, at most 31 days later.
    to: String,
    /// Why, up to 2000 characters.
    reason: String,
}

/// A window of planned work.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WindowView {
    /// `BT-YYYYMMDD-NN`.
    id: String,
    /// What is worked on.
    items: Vec<ItemView>,
    /// First moment.
    from: String,
    /// First moment after it.
    to: String,
    /// Why.
    reason: String,
    /// Who said so last.
    by: String,
}

/// What was announced.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Announced {
    /// `BT-YYYYMMDD-NN`.
    id: String,
}

/// Windows, latest start first; those over for 30 days are left out.
#[utoipa::path(get, path = "/api/v1/maintenance",
    responses((status = 200, body = Page<WindowView>), (status = 401, body = Problem)))]
pub(super) async fn list(State(console): State<Shared>) -> Json<Page<WindowView>> {
    console.parts.fold.read(|watch| {
        let mut windows: Vec<&Maintenance> = watch.windows().all().values().collect();
        windows.sort_by_key(|window| std::cmp::Reverse((window.from, &window.id)));
        Json(Page { items: windows.into_iter().map(WindowView::from).collect(), next: None })
    })
}

/// Announces planned work.
#[utoipa::path(post, path = "/api/v1/maintenance", request_body = Announcement,
    responses((status = 201, body = Announced), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn announce(
    State(console): State<Shared>,
    Extension(signed): Extension<Signed>,
    body: Result<Json<Announcement>, JsonRejection>,
) -> Result<(StatusCode, Json<Announced>), Problem> {
    let person = signed.may_act()?;
    let Json(said) = body?;
    let at = console.parts.clock.utc_ms();
    let (from, to) = span(&said, at)?;
    let reason = words(&said.reason, "reason")?;
    let _one_at_a_time = console.announcing.lock().await;
    let window = console.parts.fold.read(|watch| {
        let windows = watch.windows();
        if windows.live(at) >= LIVE_MAX {
            return Err(Problem::conflict(format!("{LIVE_MAX} windows are not over; end some first")));
        }
        let items = items(watch.topology(), &said.items)?;
        let id = next_id(windows.all().keys().map(String::as_str), at);
        Ok(Maintenance { at, id, person: person.name.clone(), items, from, to, reason })
    })?;
    let id = window.id.clone();
    keep(&console, window).await?;
    Ok((StatusCode::CREATED, Json(Announced { id })))
}

/// Ends planned work now; one that has not begun is called off.
#[utoipa::path(delete, path = "/api/v1/maintenance/{id}", params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = WindowView), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn end(
    State(console): State<Shared>,
    Extension(signed): Extension<Signed>,
    Path(id): Path<String>,
) -> Result<Json<WindowView>, Problem> {
    let person = signed.may_act()?;
    let at = console.parts.clock.utc_ms();
    let _one_at_a_time = console.announcing.lock().await;
    let known = console.parts.fold.read(|watch| watch.windows().all().get(&id).cloned());
    let known = known.ok_or_else(|| Problem::not_found(format!("there is no window {id}")))?;
    if known.to <= at {
        return Err(Problem::conflict(format!("{id} is over")));
    }
    let ended = Maintenance { at, to: at, person: person.name.clone(), ..known };
    let answer = WindowView::from(&ended);
    keep(&console, ended).await?;
    Ok(Json(answer))
}

async fn keep(console: &Shared, window: Maintenance) -> Result<(), Problem> {
    let kept = console.parts.fold.durable(Entry::Maintenance(window)).await;
    kept.map_err(|refused| Problem::new(StatusCode::SERVICE_UNAVAILABLE, refused.to_string()))?;
    Ok(())
}

fn span(said: &Announcement, now: i64) -> Result<(i64, i64), Problem> {
    let (from, to) = (instant(&said.from)?, instant(&said.to)?);
    let wrong = |why: &str| Err(Problem::unprocessable(format!("`to` {} {why}", said.to)));
    match to {
        _ if to <= from => wrong("is not after `from`"),
        _ if to <= now => wrong("is past"),
        _ if to - from > LENGTH_MAX => wrong("is more than 31 days after `from`"),
        _ => Ok((from, to)),
    }
}

/// The things named, each known to the record.
fn items(record: &Topology, said: &[ItemView]) -> Result<Vec<Item>, Problem> {
    if said.is_empty() || said.len() > ITEMS_MAX {
        return Err(Problem::unprocessable(format!("`items` needs 1 to {ITEMS_MAX} things")));
    }
    let mut items = said.iter().map(|item| known(record, item)).collect::<Result<Vec<Item>, Problem>>()?;
    items.sort();
    items.dedup();
    Ok(items)
}

fn known(record: &Topology, said: &ItemView) -> Result<Item, Problem> {
    let Some((word, kind)) = KINDS.iter().find(|(word, _)| *word == said.kind) else {
        let words = KINDS.iter().map(|(word, _)| *word);
        return Err(Problem::unprocessable(yaml::unknown("kind", &said.kind, words)));
    };
    let ids: Vec<&str> = match kind {
        ItemKind::Site => record.sites.keys().map(String::as_str).collect(),
        ItemKind::Line => record.lines.keys().map(String::as_str).collect(),
        ItemKind::Commune => record.communes.keys().map(String::as_str).collect(),
        ItemKind::Pop => record.pops.keys().map(String::as_str).collect(),
        ItemKind::Carrier => record.carriers.keys().map(String::as_str).collect(),
        ItemKind::HandOff => record.hand_offs.keys().map(String::as_str).collect(),
        ItemKind::Service => record.services.keys().map(String::as_str).collect(),
        ItemKind::Device => {
            record.sites.values().flat_map(|site| site.devices.keys()).map(String::as_str).collect()
        }
    };
    if ids.contains(&said.id.as_str()) {
        return Ok(Item { kind: *kind, id: said.id.clone() });
    }
    Err(Problem::unprocessable(yaml::unknown(word, &said.id, ids)))
}

/// The id after the last of its day.
fn next_id<'a>(known: impl Iterator<Item = &'a str>, now: i64) -> String {
    let day = format!("BT-{}-", hours::day(now));
    let numbers = known.filter_map(|id| id.strip_prefix(day.as_str())?.parse::<u32>().ok());
    format!("{day}{:02}", numbers.max().unwrap_or(0) + 1)
}

impl From<&Maintenance> for WindowView {
    fn from(window: &Maintenance) -> WindowView {
        let word = |kind| KINDS.iter().find(|(_, known)| *known == kind).map_or("", |(word, _)| *word);
        let item = |item: &Item| ItemView { kind: word(item.kind).to_owned(), id: item.id.clone() };
        WindowView {
            id: window.id.clone(),
            items: window.items.iter().map(item).collect(),
            from: rfc3339(window.from),
            to: rfc3339(window.to),
            reason: window.reason.clone(),
            by: window.person.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::rig::{province, rig};
    use super::*;
    use serde_json::json;

    #[test]
    fn an_unknown_thing_is_answered_with_the_nearest_known() {
        let said = |kind: &str, id: &str| ItemView { kind: kind.into(), id: id.into() };
        let refusal = |item| serde_json::to_string(&known(&province(), &item).unwrap_err()).unwrap();
        assert!(refusal(said("sites", "28249-tt")).contains("did you mean `site`?"));
        assert!(refusal(said("site", "28249-t")).contains("did you mean `28249-tt`?"));
        assert!(known(&province(), &said("hand_off", "vnpt-1")).is_ok());
    }

    #[test]
    fn ids_count_from_one_each_day_in_vietnam() {
        let now = 1_795_305_600_000;
        assert_eq!(next_id([].into_iter(), now), "BT-20261122-01");
        let known = ["BT-20261122-09", "BT-20261121-44", "BT-20261122-10"];
        assert_eq!(next_id(known.into_iter(), now), "BT-20261122-11");
    }

    #[tokio::test]
    async fn a_window_is_announced_listed_shown_and_ended() {
        let rig = rig();
        let now = rig.clock.utc_ms();
        let body = |items: serde_json::Value, from: i64, to: i64| {
            json!({"items": items, "from": rfc3339(now + from), "to": rfc3339(now + to), "reason": "thay nguồn"})
                .to_string()
        };
        let site = json!([{"kind": "site", "id": "28249-tt"}]);
        let made = rig.post("/api/v1/maintenance", &body(site.clone(), -1000, 3_600_000)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let second = rig.post("/api/v1/maintenance", &body(site.clone(), 0, 3_600_000)).await.json();
        assert_ne!(second["id"], id.as_str());
        let listed = rig.get("/api/v1/maintenance").await.json();
        assert_eq!(listed["items"].as_array().unwrap().len(), 2);
        assert_eq!((&listed["items"][1]["by"], &listed["items"][1]["items"]), (&json!("an"), &site));
        for (items, from, to) in [
            (site.clone(), 10, 5),
            (site.clone(), -10, -5),
            (site, 0, LENGTH_MAX + 1),
            (json!([]), 0, 1000),
            (json!([{"kind": "site", "id": "nowhere"}]), 0, 1000),
        ] {
            assert_eq!(rig.post("/api/v1/maintenance", &body(items, from, to)).await.status, 422);
        }
        let path = format!("/api/v1/maintenance/{id}");
        let ended = rig.delete(&path).await;
        assert_eq!((ended.status.as_u16(), &ended.json()["to"]), (200, &json!(rfc3339(now))));
        assert_eq!(rig.delete(&path).await.status, 409);
        assert_eq!(rig.delete("/api/v1/maintenance/BT-1").await.status, 404);
    }
}
