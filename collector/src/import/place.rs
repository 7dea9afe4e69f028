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
//!
//! Killed between any two steps, `sites` is wholly old or wholly new; what is left in `.import` goes at the next import,
//! but for folders on their way back into `sites`: these arrive. A file system that cannot exchange two folders in one
//! step (NFS) takes no import over files that stand: two steps would leave no `sites` between them.

use crate::config::SITES;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where the directory to be is put together; names with a dot are no configuration.
const STAGE: &str = ".import";
/// What is said of a file system that cannot exchange two folders.
const NO_EXCHANGE: &str = "this file system cannot exchange two folders (ext4, XFS and Btrfs can, NFS cannot): import \
                           into a copy of the directory on a local disk, then bring the copy's `sites` back";

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
        let stage = Stage::hold(directory)?;
        // Whoever left one behind no longer holds the directory.
        stage.clear()?;
        stage.fill(directory, texts)?;
        Ok(stage)
    }

    fn hold(directory: &Path) -> Result<Stage, Disk> {
        let held = File::open(directory).map_err(disk("open", directory))?;
        held.lock().map_err(disk("lock", directory))?;
        let sites = directory.join(SITES);
        let sites = sites.canonicalize().unwrap_or(sites);
        let path = sites.parent().unwrap_or(directory).join(STAGE);
        Ok(Stage { sites, path, _held: held })
    }

    /// The directory to be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn clear(&self) -> Result<(), Disk> {
        self.give_back()?;
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk("remove", &self.path)(error)),
            _ => Ok(()),
        }
    }

    /// Folders in `sites` are nobody's configuration, but somebody's: they go along. What is put together holds none, so
    /// those beside it came out of `sites`.
    fn give_back(&self) -> Result<(), Disk> {
        let staged = self.path.join(SITES);
        if !staged.exists() {
            return Ok(());
        }
        for folder in entries(&staged)?.into_iter().filter(|path| is_folder(path)) {
            let kept = self.sites.join(folder.file_name().unwrap_or_default());
            fs::rename(&folder, &kept).map_err(disk("move", &folder))?;
        }
        Ok(())
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
            for file in entries(&self.sites)?.into_iter().filter(|path| !is_folder(path)) {
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
            exchange(&staged, &self.sites)?;
            self.give_back()?;
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

/// Two folders change places in one step.
fn exchange(new: &Path, old: &Path) -> Result<(), Disk> {
    renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE).map_err(|refused| {
        let why = match refused {
            // The last is what an overlay says of a folder that came with its image.
            Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::XDEV => {
                io::Error::new(io::ErrorKind::Unsupported, NO_EXCHANGE)
            }
            other => other.into(),
        };
        disk("replace in one step", old)(why)
    })
}

/// Lets go what a killed import left behind.
pub fn tidy(directory: &Path) -> Result<(), Disk> {
    Stage::hold(directory)?.clear()
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, Disk> {
    let listed = fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect());
    listed.map_err(disk("list", directory))
}

/// A link to a folder is kept as a file is.
fn is_folder(path: &Path) -> bool {
    path.is_dir() && !path.is_symlink()
}

fn is_yaml(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|end| end == "yml" || end == "yaml")
}

fn sync(directory: &Path) -> Result<(), Disk> {
    File::open(directory).and_then(|names| names.sync_all()).map_err(disk("sync", directory))
}
