//! Which files make up a configuration. The reader and the watcher ask the same question here.

use super::Fault;
use std::path::{Path, PathBuf};

/// Deepest directory below the configuration's own; also the end of a symlink that leads to its own parent.
const MAX_LEVELS: usize = 8;
/// Most files of one configuration; a directory of more is something else.
const MAX_FILES: usize = 10_000;

/// `path` itself when it is a file, else every `*.yml` and `*.yaml` under it, sorted by path. Hidden names are
/// left out, so an editor's `.x.yml.swp` and a mounted map's `..data` do not count; symlinks are followed.
///
/// # Errors
/// When a directory cannot be read, or holds more than a configuration can.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut found = Found::default();
    found.add(path, 0)?;
    found.files.sort();
    Ok(found.files)
}

/// The directories that [`files`] looked into, as far as they can be read.
pub(crate) fn directories(path: &Path) -> Vec<PathBuf> {
    let mut found = Found::default();
    // An unreadable part is the reader's to report; the rest can still be watched.
    let _ = found.add(path, 0);
    found.directories
}

/// Whether a name below the configuration's directory is a configuration file's.
pub(crate) fn is_yaml(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml")
}

#[derive(Default)]
struct Found {
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

impl Found {
    fn add(&mut self, path: &Path, level: usize) -> Result<(), Fault> {
        if path.is_dir() {
            return self.enter(path, level);
        }
        // What is named as a file is one, even when it is missing: reading it tells the fault.
        if level == 0 || is_yaml(path) {
            self.files.push(path.into());
        }
        if self.files.len() > MAX_FILES {
            return Err(Fault::whole(path, format!("is one of more than {MAX_FILES} files")));
        }
        Ok(())
    }

    fn enter(&mut self, directory: &Path, level: usize) -> Result<(), Fault> {
        if level > MAX_LEVELS {
            return Err(Fault::whole(directory, format!("lies deeper than {MAX_LEVELS} directories")));
        }
        let unreadable = |error: std::io::Error| Fault::whole(directory, format!("cannot be read: {error}"));
        self.directories.push(directory.into());
        for entry in std::fs::read_dir(directory).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                self.add(&entry.path(), level + 1)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn takes_yaml_at_any_level_in_order_and_nothing_hidden() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("sites")).unwrap();
        fs::create_dir_all(root.join("..2026")).unwrap();
        for name in ["z.yml", "sites/a.yaml", "notes.txt", ".z.yml", "..2026/c.yml"] {
            fs::write(root.join(name), "").unwrap();
        }
        symlink("..2026/c.yml", root.join("c.yml")).unwrap();
        let names: Vec<_> =
            files(root).unwrap().iter().map(|f| f.strip_prefix(root).unwrap().to_owned()).collect();
        assert_eq!(names, ["c.yml", "sites/a.yaml", "z.yml"].map(PathBuf::from));
    }

    #[test]
    fn a_directory_inside_itself_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        symlink(dir.path(), dir.path().join("again")).unwrap();
        assert!(files(dir.path()).unwrap_err().message.contains("deeper than 8"));
    }

    #[test]
    fn a_named_file_counts_whatever_it_is_called() {
        assert_eq!(files(Path::new("/nowhere/agent.conf")).unwrap(), [PathBuf::from("/nowhere/agent.conf")]);
    }
}
