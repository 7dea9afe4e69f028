//! The real disk: one directory of the file system.
//!
//! Files are made for the owner only (0600, the directory 0700): a journal holds restricted evidence.

use crate::{Disk, DiskFile, Entry};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";
const OWNER_ONLY: u32 = 0o600;

/// A directory. Making this value touches nothing.
#[derive(Debug, Clone)]
pub struct Files {
    directory: PathBuf,
}

impl Files {
    /// The journal in `directory`, which is made by [`crate::Journal::open`] if it is missing.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl Disk for Files {
    type File = File;
    type Lock = File;

    fn lock(&self) -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        let path = self.at(LOCK);
        let file = OpenOptions::new().create(true).append(true).mode(OWNER_ONLY).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn list(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            // Every name of ours is ASCII; another one is not ours.
            let Ok(name) = entry.file_name().into_string() else { continue };
            match entry.metadata() {
                Ok(metadata) => entries.push(Entry { name, bytes: metadata.len() }),
                // Dropped by a live writer since the directory was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(entries)
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let file = File::open(self.at(name))?;
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn open_cut(&self, name: &str, length: u64) -> io::Result<File> {
        let file = OpenOptions::new().create(true).append(true).mode(OWNER_ONLY).open(self.at(name))?;
        file.set_len(length)?;
        Ok(file)
    }

    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let new = self.at(&format!("{name}.new"));
        let mut options = OpenOptions::new();
        let mut file = options.create(true).write(true).truncate(true).mode(OWNER_ONLY).open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(new, self.at(name))?;
        self.sync_names()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.at(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    fn path(&self, name: &str) -> String {
        self.at(name).display().to_string()
    }
}

impl DiskFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_appended_behind_a_cut_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Files::new(directory.path().join("deep/journal"));
        let _lock = disk.lock().unwrap();
        disk.open_cut("a", 0).unwrap().append(b"hello").unwrap();
        disk.open_cut("a", 2).unwrap().append(b"y").unwrap();
        let mut buffer = [0; 8];
        assert_eq!(disk.read_at("a", 1, &mut buffer).unwrap(), 2);
        assert_eq!(&buffer[..2], b"ey");
    }

    #[test]
    fn a_second_lock_is_refused_until_the_first_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Files::new(directory.path());
        let lock = disk.lock().unwrap();
        assert_eq!(disk.lock().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(lock);
        disk.lock().unwrap();
    }

    #[test]
    fn only_the_owner_may_read() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Files::new(directory.path().join("journal"));
        let _lock = disk.lock().unwrap();
        disk.open_cut("a", 0).unwrap();
        disk.replace("b", b"x").unwrap();
        for (name, mode) in [("", 0o700), ("a", 0o600), ("b", 0o600), (LOCK, 0o600)] {
            let found = fs::metadata(disk.at(name)).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode, "{name:?}");
        }
    }
}
