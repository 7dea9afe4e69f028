//! Another wall clock under a program: Debian's libfaketime, which `make test` installs.

use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// Where Debian puts the library, by architecture.
const FOLDERS: [&str; 2] = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime"];
const LIBRARY: &str = "libfaketime.so.1";

/// A wall clock that programs read and a test sets.
pub struct FakeClock {
    library: PathBuf,
    folder: TempDir,
}

impl FakeClock {
    /// A clock that is right; `None`, and says so, where the library is not installed.
    pub fn new() -> Option<FakeClock> {
        let library =
            FOLDERS.iter().map(|folder| PathBuf::from(folder).join(LIBRARY)).find(|path| path.exists());
        let Some(library) = library else {
            println!("libfaketime is not installed (`make test` does that): nothing is proved");
            return None;
        };
        let clock = FakeClock { library, folder: tempfile::tempdir().ok()? };
        clock.set("+0");
        Some(clock)
    }

    /// What the clock says from now on: `+3600` seconds off, or `@1970-01-02 00:00:00`, going on from there.
    pub fn set(&self, what: &str) {
        let new = self.folder.path().join("new");
        // Replaced whole: a program reads the old or the new one.
        let set = fs::write(&new, what).and_then(|()| fs::rename(&new, self.file()));
        assert!(set.is_ok(), "the clock's file cannot be written: {set:?}");
    }

    /// The environment of a program that reads this clock.
    pub(crate) fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("TZ", "UTC".into()),
        ]
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("clock")
    }
}
