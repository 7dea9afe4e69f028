//! A plan as new texts of files: each change edits the lines of its own entry.

use super::edit::{Document, Form};
use super::plan::{Change, Kind, Plan, What, entry};
use super::present::Present;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How a file of ours begins.
const OPENING: &str = "# Written by `haidang-collector import`. Edit it freely: comments, and keys a sheet has no column for, stay.";

/// The texts of the files that change, by path relative to the directory.
///
/// # Errors
/// A file that somebody wrote in a style that cannot be edited by lines.
pub fn apply(plan: &Plan, present: &Present) -> Result<BTreeMap<PathBuf, String>, (PathBuf, Form)> {
    let mut documents: BTreeMap<PathBuf, Document> = BTreeMap::new();
    for change in plan.changes.iter().filter(|change| change.kind != Kind::Gone) {
        let document = documents.entry(change.file.clone()).or_insert_with(|| open(change, present));
        put(document, change).map_err(|form| (change.file.clone(), form))?;
    }
    Ok(documents.into_iter().map(|(file, document)| (file, document.text())).collect())
}

fn open(change: &Change, present: &Present) -> Document {
    if let Some(text) = present.texts.get(&change.file) {
        return Document::new(text);
    }
    let mut document = Document::default();
    document.note(OPENING.to_owned());
    document
}

fn put(document: &mut Document, change: &Change) -> Result<(), Form> {
    let section = match change.what {
        What::Area => "areas",
        What::Commune => "communes",
        What::Site | What::Line => "sites",
    };
    let id = &change.id;
    match (change.kind, &change.site) {
        (Kind::Gone, _) => Ok(()),
        (Kind::Added, None) => document.add(section, &entry(&change.fields)),
        (Kind::Added, Some(site)) => document.add_line(site, &entry(&change.fields)),
        (Kind::Removed, None) => document.remove(section, id),
        (Kind::Removed, Some(site)) => document.remove_line(site, id),
        (Kind::Changed, None) => {
            change.fields.iter().try_for_each(|field| document.set(section, id, &field.key, &field.new))
        }
        (Kind::Changed, Some(site)) => {
            change.fields.iter().try_for_each(|field| document.set_line(site, id, &field.key, &field.new))
        }
    }
}
