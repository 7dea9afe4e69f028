//! Import on the console: a sheet is looked at, what it would change is shown, and what was shown is accepted.
//!
//! ```text
//! POST /import?file=NAME   sheet ─▶ preview, kept for its person ─▶ {digest, errors, warnings, items, …}
//! POST /import/accept      {digest} ─▶ the same preview, if it is still theirs and the directory still the same ─▶ written
//! ```
//!
//! What is written is taken over by the same reading of files as any edit. Only an administrator may import. A preview
//! is kept in memory alone, one a person, [`KEPT`] in all, for [`KEPT_MS`]; nothing of a sheet is logged. Restricted
//! values are named and never given.

use super::{Shared, guard::Signed, problem::Problem};
use crate::import::plan::Kind;
use crate::import::problem::{MAX_TOLD, Problem as Found};
use crate::import::show::{Item, Shown, items};
use crate::import::{self, ImportError, Preview};
use axum::body::{Body, to_bytes};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::{Extension, Json, extract::Query, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use utoipa::{IntoParams, ToSchema};

/// Where a sheet is posted; the one path whose body may be as large as a sheet.
pub(super) const PATH: &str = "/api/v1/import";
/// How long a preview can be accepted, ms.
const KEPT_MS: i64 = 30 * 60 * 1000;
/// Previews kept at a time; the oldest goes first.
const KEPT: usize = 8;
/// Items told of one preview; the counts are of all.
const ITEMS_MAX: usize = 5_000;
/// Longest name of a sheet, characters.
const NAME_MAX: usize = 200;

/// Previews that wait to be accepted, by person.
pub(super) struct Shelf {
    kept: Mutex<BTreeMap<String, (i64, Arc<Preview>)>>,
    /// Sheets read at a time: one takes a processor and some memory for a moment.
    turn: Arc<Semaphore>,
}

impl Default for Shelf {
    fn default() -> Shelf {
        Shelf { kept: Mutex::default(), turn: Arc::new(Semaphore::new(1)) }
    }
}

impl Shelf {
    fn keep(&self, person: &str, now: i64, preview: Arc<Preview>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (at, _)| now - *at < KEPT_MS);
        kept.insert(person.to_owned(), (now, preview));
        while kept.len() > KEPT {
            let oldest = kept.iter().min_by_key(|(_, (at, _))| *at).map(|(person, _)| person.clone());
            oldest.map(|person| kept.remove(&person));
        }
    }

    fn of(&self, person: &str, now: i64, digest: &str) -> Option<Arc<Preview>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, preview) = kept.get(person)?;
        (now - at < KEPT_MS && preview.digest == digest).then(|| preview.clone())
    }

    fn forget(&self, person: &str) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(person);
    }
}

/// Which sheet.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// The file's name, for messages.
    file: String,
    /// Take out what the sheet no longer names.
    #[serde(default)]
    remove: bool,
}

/// What is agreed to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Agreement {
    /// The `digest` of the preview.
    digest: String,
}

/// What an import would do.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PreviewView {
    /// What is agreed to: nothing can be while there are errors, or nothing to write.
    digest: String,
    /// What keeps the sheet out, each at its cell; at most 1000.
    errors: Vec<CellView>,
    /// All of them.
    error_count: usize,
    /// What somebody should look at; at most 1000.
    warnings: Vec<CellView>,
    /// New entries of the record.
    added: usize,
    /// Entries that change.
    changed: usize,
    /// Entries the sheet no longer names, which stay.
    gone: usize,
    /// Entries the sheet no longer names, which go, and lines that leave a site for another.
    removed: usize,
    /// Sites and lines that stay as they are.
    unchanged: usize,
    /// What does not stay as it is; at most 5000.
    items: Vec<ItemView>,
}

/// Something wrong or doubtful in a cell.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CellView {
    /// Name of the sheet; empty for CSV.
    sheet: String,
    /// Row as the spreadsheet numbers it.
    row: u32,
    /// Column as the spreadsheet names it, as in `F`; null for the row as a whole.
    column: Option<String>,
    /// The column's heading as it stands in the sheet; null where there is none.
    title: Option<String>,
    /// What the cell says; null where it is empty or restricted.
    cell: Option<String>,
    /// What is wrong and what would be right.
    message: String,
}

/// One entry that does not stay as it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ItemView {
    /// `added`, `changed`, `gone` (stays) or `removed`.
    change: &'static str,
    /// `area`, `commune`, `site` or `line`.
    kind: &'static str,
    /// Its id or code.
    id: String,
    /// The site of a line.
    site: Option<String>,
    /// Its name; a line's circuit.
    name: String,
    /// Its keys: all when it is new, those that change when it is not.
    fields: Vec<FieldView>,
}

/// One key.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FieldView {
    /// The key.
    field: String,
    /// What it says now; null when it says nothing, or is restricted.
    old: Option<String>,
    /// What it would say; null when restricted.
    new: Option<String>,
    /// Its values are shown on the administrator's terminal alone.
    restricted: bool,
}

/// What was written.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Written {
    /// Files, relative to the configuration directory.
    files: Vec<String>,
}

/// Looks at a sheet (.xlsx or .csv, the body as it is, at most 16 MiB); nothing is written.
#[utoipa::path(post, path = "/api/v1/import", params(Which),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = PreviewView), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 413, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn look(
    State(console): State<Shared>,
    Extension(signed): Extension<Signed>,
    which: Result<Query<Which>, QueryRejection>,
    body: Body,
) -> Result<Json<PreviewView>, Problem> {
    let person = signed.may_administer()?.name.clone();
    let Query(Which { file, remove }) = which?;
    if file.is_empty() || file.chars().count() > NAME_MAX || file.chars().any(char::is_control) {
        return Err(Problem::unprocessable(format!("`file` needs 1 to {NAME_MAX} plain characters")));
    }
    let bytes = to_bytes(body, import::FILE_MAX).await;
    let bytes = bytes
        .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the sheet is cut short or too large"))?;
    let directory = console.parts.config.clone();
    let read = move || import::preview(&directory, &file, &bytes, remove);
    let preview = Arc::new(in_turn(&console, read).await?);
    if preview.problems.errors.is_empty() && preview.plan.writes() {
        console.shelf.keep(&person, console.parts.clock.utc_ms(), preview.clone());
    }
    Ok(Json(PreviewView::from(&*preview)))
}

/// Writes what a preview showed; the running collector takes it over as it does any edit.
#[utoipa::path(post, path = "/api/v1/import/accept", request_body = Agreement,
    responses((status = 200, body = Written), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn accept(
    State(console): State<Shared>,
    Extension(signed): Extension<Signed>,
    body: Result<Json<Agreement>, JsonRejection>,
) -> Result<Json<Written>, Problem> {
    let person = signed.may_administer()?.name.clone();
    let Json(Agreement { digest }) = body?;
    let now = console.parts.clock.utc_ms();
    let preview = console.shelf.of(&person, now, &digest);
    let preview =
        preview.ok_or_else(|| Problem::not_found("no such preview of yours waits; send the sheet again"))?;
    let of = console.clone();
    // Also when the browser goes away meanwhile: what is written is logged, and cannot be agreed to again.
    let write = move || {
        let files = preview.write(&of.parts.config)?;
        of.shelf.forget(&person);
        tracing::info!(person, files = files.len(), "a sheet was imported");
        Ok(files)
    };
    let files = in_turn(&console, write).await?;
    Ok(Json(Written { files: files.iter().map(|file| file.display().to_string()).collect() }))
}

/// One at a time. Reading a sheet takes a moment, which the runtime's one thread does not have; the turn is that of
/// the work and not of whoever waits for it.
async fn in_turn<T: Send + 'static>(
    console: &Shared,
    work: impl FnOnce() -> Result<T, ImportError> + Send + 'static,
) -> Result<T, Problem> {
    let busy = "another sheet is being read; try again in a moment";
    let turn = console.shelf.turn.clone().try_acquire_owned();
    let turn = turn.map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, busy))?;
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    match done.await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(refusal(&error)),
        Err(_) => Err(Problem::unprocessable("the sheet cannot be read")),
    }
}

fn refusal(error: &ImportError) -> Problem {
    match error {
        ImportError::Disk(_) => {
            // The path is the administrator's to know, not the browser's.
            tracing::warn!(%error, "an import could not be written");
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the configuration directory could not be written; see the log",
            )
        }
        ImportError::Changed | ImportError::Errors => Problem::conflict(error.to_string()),
        ImportError::Faults(_) => {
            let detail = "the configuration directory would not load; run `haidang-collector check` there, or import there";
            Problem::conflict(detail)
        }
        ImportError::Sheet { .. } | ImportError::Form { .. } | ImportError::Misread(_) => {
            Problem::unprocessable(error.to_string())
        }
    }
}

impl From<&Preview> for PreviewView {
    fn from(preview: &Preview) -> PreviewView {
        let problems = &preview.problems;
        let told = |list: &[Found]| list.iter().take(MAX_TOLD).map(CellView::from).collect();
        let items = items(&preview.plan);
        let count = |kind| items.iter().filter(|item| item.kind == kind).count();
        let (sites, lines) = preview.plan.unchanged;
        PreviewView {
            digest: preview.digest.clone(),
            errors: told(&problems.errors),
            error_count: problems.errors.len(),
            warnings: told(&problems.warnings),
            added: count(Kind::Added),
            changed: count(Kind::Changed),
            gone: count(Kind::Gone),
            removed: count(Kind::Removed),
            unchanged: sites + lines,
            items: items.into_iter().take(ITEMS_MAX).map(ItemView::from).collect(),
        }
    }
}

impl From<&Found> for CellView {
    fn from(found: &Found) -> CellView {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        CellView {
            sheet: found.place.sheet.to_string(),
            row: found.place.row,
            column: some(&found.place.letters()),
            title: some(&found.title),
            cell: found.found.clone().filter(|_| !found.restricted),
            message: found.message.clone(),
        }
    }
}

impl From<Item> for ItemView {
    fn from(item: Item) -> ItemView {
        let field = |Shown { key, old, new, restricted }: Shown| FieldView {
            field: key,
            old: old.filter(|_| !restricted),
            new: (!restricted).then_some(new),
            restricted,
        };
        ItemView {
            change: item.kind.name(),
            kind: item.what.name(),
            id: item.id,
            site: item.site,
            name: item.name,
            fields: item.fields.into_iter().map(field).collect(),
        }
    }
}
