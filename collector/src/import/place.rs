//! Putting new files in place: all of them, or none.
//!
//! ```text
//! DIR/*.yml ──copied──▶ DIR/.import/*.yml        ┐
//! DIR/sites/* ─linked─▶ DIR/.import/sites/*      ├─▶ checked as a directory of its own ─▶ `sites` and `.import/sites`
//! new texts ──written─▶ DIR/.import/sites/*.yml  ┘                                        change places in one step
//! ```
//!
//! Files that do not change are linked, so they keep their inode and time. A directory that would not load, that was
//! edited meanwhile, or a disk that is full, leaves everything as it was. One import at a time holds the directory.

use crate::config::SITES;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where the directory to be is put together; names with a dot are no configuration.
const STAGE: &str = ".import";

/// Why the disk refused.
#[derive(Debug, thiserror::Error)]
#[error("{what} {}: {source}", .path.display())]
pub struct Disk {
    /// What was attempted.
    what: &'static str,
    /// On what.
    path: PathBuf,
    /// What the system said.
    source: io::Error,
}

fn disk(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Disk {
    let path = path.to_path_buf();
    move |source| Disk { what, path, source }
}

/// A directory held for one import, with what it may become beside it.
pub struct Stage {
    /// The folder `sites` itself, where a symlink leads to it.
    sites: PathBuf,
    /// The directory to be.
    path: PathBuf,
    _held: File,
}

impl Stage {
    /// Takes the directory and puts together what it would be with these files.
    pub fn set(directory: &Path, texts: &BTreeMap<PathBuf, String>) -> Result<Stage, Disk> {
        let held = File::open(directory).map_err(disk("open", directory))?;
        held.lock().map_err(disk("lock", directory))?;
        let sites = directory.join(SITES);
        let sites = sites.canonicalize().unwrap_or(sites);
        let path = sites.parent().unwrap_or(directory).join(STAGE);
        let stage = Stage { sites, path, _held: held };
        // Whoever left one behind no longer holds the directory.
        stage.clear()?;
        stage.fill(directory, texts)?;
        Ok(stage)
    }

    /// The directory to be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn clear(&self) -> Result<(), Disk> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk("remove", &self.path)(error)),
            _ => Ok(()),
        }
    }

    fn fill(&self, directory: &Path, texts: &BTreeMap<PathBuf, String>) -> Result<(), Disk> {
        let staged = self.path.join(SITES);
        fs::create_dir_all(&staged).map_err(disk("create", &staged))?;
        for file in entries(directory)?.into_iter().filter(|path| path.is_file() && is_yaml(path)) {
            let copy = self.path.join(file.file_name().unwrap_or_default());
            fs::copy(&file, &copy).map_err(disk("copy", &file))?;
        }
        if self.sites.is_dir() {
            let mode = fs::metadata(&self.sites).map_err(disk("look at", &self.sites))?.permissions();
            fs::set_permissions(&staged, mode).map_err(disk("set the mode of", &staged))?;
            for file in entries(&self.sites)?.into_iter().filter(|path| !path.is_dir()) {
                let kept = staged.join(file.file_name().unwrap_or_default());
                // Not every file system links, nor may a service link what is another's: a copy says the same.
                let linked = fs::hard_link(&file, &kept).or_else(|_| fs::copy(&file, &kept).map(drop));
                linked.map_err(disk("keep", &file))?;
            }
        }
        for (file, text) in texts {
            self.write(file, text)?;
        }
        sync(&staged)
    }

    /// Writes a new file in place of the link, never through it.
    fn write(&self, file: &Path, text: &str) -> Result<(), Disk> {
        let path = self.path.join(file);
        let mode = fs::metadata(&path).map(|stands| stands.permissions());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(disk("replace", &path)(error));
            }
            _ => {}
        }
        let mut new =
            OpenOptions::new().write(true).create_new(true).open(&path).map_err(disk("write", &path))?;
        if let Ok(mode) = mode {
            new.set_permissions(mode).map_err(disk("set the mode of", &path))?;
        }
        new.write_all(text.as_bytes()).and_then(|()| new.sync_all()).map_err(disk("write", &path))
    }

    /// Puts it in place.
    pub fn take_over(self) -> Result<(), Disk> {
        let staged = self.path.join(SITES);
        if self.sites.exists() {
            swap(&staged, &self.sites)?;
            // Folders in `sites` are nobody's configuration, but somebody's: they go along.
            for folder in entries(&staged)?.into_iter().filter(|path| path.is_dir() && !path.is_symlink()) {
                let kept = self.sites.join(folder.file_name().unwrap_or_default());
                fs::rename(&folder, &kept).map_err(disk("move", &folder))?;
            }
        } else {
            fs::rename(&staged, &self.sites).map_err(disk("create", &self.sites))?;
        }
        sync(self.sites.parent().unwrap_or(Path::new(".")))
    }
}

/// What was put together and not taken over, and what was taken out, goes.
impl Drop for Stage {
    fn drop(&mut self) {
        if let Err(error) = self.clear() {
            tracing::warn!(%error, "an import left its folder behind");
        }
    }
}

/// Two folders change places in one step; where the file system cannot, in two.
fn swap(new: &Path, old: &Path) -> Result<(), Disk> {
    match renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE) {
        Ok(()) => return Ok(()),
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {}
        Err(error) => return Err(disk("replace", old)(error.into())),
    }
    let aside = new.with_extension("old");
    fs::rename(old, &aside).map_err(disk("move aside", old))?;
    if let Err(error) = fs::rename(new, old) {
        let back = fs::rename(&aside, old);
        return Err(disk("replace", old)(back.err().unwrap_or(error)));
    }
    fs::rename(&aside, new).map_err(disk("move aside", &aside))
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, Disk> {
    let listed = fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect());
    listed.map_err(disk("list", directory))
}

fn is_yaml(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|end| end == "yml" || end == "yaml")
}

fn sync(directory: &Path) -> Result<(), Disk> {
    File::open(directory).and_then(|names| names.sync_all()).map_err(disk("sync", directory))
}
