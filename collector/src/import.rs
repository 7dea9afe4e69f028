//! Import: a sheet of lines, as provinces keep them, becomes the files of `sites/`.
//!
//! ```text
//! bytes ─sheet─▶ cells ─header─▶ columns ─gather─▶ wanted ─┐
//! DIR ───────────present──────────────────────────────────┴─plan─▶ changes ─apply─▶ texts ─place─▶ DIR/sites
//!                 every error at its cell, all in one pass ─▶ Problems      checked, then all or nothing
//! ```
//!
//! It promises: every error of a sheet is found in one pass and named by sheet, row and column; with one error nothing is
//! written. Keys and comments of people's own stay. What the sheet no longer names stays, unless removing is asked for.
//! A second import of the same sheet writes nothing. What is written loads, and says what the sheet says: it is read
//! back before it is put in place. Nothing of a sheet is logged.

mod apply;
mod column;
mod edit;
mod gather;
mod header;
mod hours;
mod ids;
pub mod init;
mod line;
mod official;
mod place;
pub mod plan;
mod present;
pub mod problem;
mod render;
mod row;
mod same;
mod sheet;
pub mod show;
mod text;
mod value;
mod whole;

use crate::config::{self, Fault};
use gather::{Gather, Wanted};
use haidang_probe::key;
use place::{Disk, Stage};
use plan::Plan;
use present::Present;
use problem::Problems;
use sha2::{Digest, Sha256};
pub use sheet::{FILE_MAX, SheetError};
use std::path::{Path, PathBuf};

/// Why an import cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is no sheet.
    #[error("{name}: {why}")]
    Sheet {
        /// The file's name.
        name: String,
        /// What is wrong with it.
        why: SheetError,
    },
    /// The directory cannot be compared with, or would not load.
    #[error("{}", lines(.0))]
    Faults(Vec<Fault>),
    /// A file of `sites/` cannot be edited.
    #[error("{}: {why}", .file.display())]
    Form {
        /// Which.
        file: PathBuf,
        /// What is in the way.
        why: edit::Form,
    },
    /// What was written does not say what the sheet says.
    #[error("{} does not read back as the sheet says: nothing was written; edit it by hand", .0.display())]
    Misread(PathBuf),
    /// The preview has errors.
    #[error("the sheet has errors")]
    Errors,
    /// The directory is not the one that was compared with.
    #[error("the configuration changed since the preview; look at it again")]
    Changed,
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] Disk),
}

/// What an import would do.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The sheet's name.
    pub name: String,
    /// What is wrong or doubtful.
    pub problems: Problems,
    /// What would change; of no use beside errors.
    pub plan: Plan,
    /// SHA-256 over the sheet, the directory and the wish, hex: what one agrees to.
    pub digest: String,
    wanted: Wanted,
    present: Present,
    remove: bool,
}

/// Compares a sheet with a directory; nothing is written. `remove` takes out what the sheet no longer names.
///
/// # Errors
/// A file that is no sheet, or a directory that cannot be read.
pub fn preview(directory: &Path, name: &str, bytes: &[u8], remove: bool) -> Result<Preview, ImportError> {
    let present = Present::read(directory).map_err(ImportError::Faults)?;
    let sheets = sheet::read(bytes).map_err(|why| ImportError::Sheet { name: name.to_owned(), why })?;
    let communes = present.known_communes();
    let mut problems = Problems::default();
    let headers: Vec<_> = sheets.iter().map(|sheet| header::find(sheet, &mut problems)).collect();
    header::tell_left_out(&sheets, &headers, &mut problems);
    let mut gather = Gather::new(&present, &communes, problems);
    for (sheet, header) in sheets.iter().zip(&headers) {
        if let Some(header) = header {
            gather.sheet(sheet, header);
        }
    }
    let (wanted, mut problems) = gather.finish();
    let mut plan = Plan::default();
    if problems.errors.is_empty() {
        plan = plan::plan(&wanted, &present, &communes, remove, &mut problems);
        problems.sort();
    }
    let mut digest = Sha256::new();
    digest.update(present.digest);
    digest.update([u8::from(remove)]);
    digest.update(bytes);
    let digest = key::hex(&digest.finalize());
    Ok(Preview { name: name.to_owned(), problems, plan, digest, wanted, present, remove })
}

impl Preview {
    /// Writes it; gives the files written, relative to the directory.
    ///
    /// # Errors
    /// Any, and nothing is written.
    pub fn write(&self, directory: &Path) -> Result<Vec<PathBuf>, ImportError> {
        if !self.problems.errors.is_empty() {
            return Err(ImportError::Errors);
        }
        if !self.plan.writes() {
            place::tidy(directory)?;
            return Ok(Vec::new());
        }
        let texts =
            apply::apply(&self.plan, &self.present).map_err(|(file, why)| ImportError::Form { file, why })?;
        let stage = Stage::set(directory, &texts)?;
        self.still_stands(directory)?;
        config::load(stage.path())
            .map_err(|faults| ImportError::Faults(moved(faults, stage.path(), directory)))?;
        self.reads_back(stage.path())?;
        self.still_stands(directory)?;
        stage.take_over()?;
        Ok(texts.into_keys().collect())
    }

    /// Whether the directory is the one that was compared with; an editor asks nobody before it writes.
    fn still_stands(&self, directory: &Path) -> Result<(), ImportError> {
        let now = Present::read(directory).map_err(ImportError::Faults)?;
        if now.digest == self.present.digest { Ok(()) } else { Err(ImportError::Changed) }
    }

    /// Whether the directory to be says what the sheet says: importing into it would change nothing more.
    fn reads_back(&self, stage: &Path) -> Result<(), ImportError> {
        let present = Present::read(stage).map_err(ImportError::Faults)?;
        let communes = present.known_communes();
        let again = plan::plan(&self.wanted, &present, &communes, self.remove, &mut Problems::default());
        match again.changes.iter().find(|change| change.kind != plan::Kind::Gone) {
            Some(change) => Err(ImportError::Misread(change.file.clone())),
            None => Ok(()),
        }
    }
}

/// Faults of the directory to be, named as they will be found.
fn moved(faults: Vec<Fault>, stage: &Path, directory: &Path) -> Vec<Fault> {
    let named = |fault: Fault| {
        let file = fault.file.strip_prefix(stage).map_or(fault.file.clone(), |file| directory.join(file));
        Fault { file, ..fault }
    };
    faults.into_iter().map(named).collect()
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
