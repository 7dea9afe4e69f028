//! Another wall clock under a program: Debian's libfaketime, which `make test` installs.

use crate::proof::unproved;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// A wall clock that programs read and a test sets.
pub struct FakeClock {
    /// The variable that loads the library, as Debian's own command sets it.
    loads: (String, String),
    folder: TempDir,
}

impl FakeClock {
    /// A clock that is right; `None`, and says so, where the library is not installed.
    pub fn new() -> Option<FakeClock> {
        let Some(loads) = loads() else {
            unproved("clock", "libfaketime is not installed (`make test` does that)");
            return None;
        };
        let clock = FakeClock { loads, folder: tempfile::tempdir().ok()? };
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
    pub(crate) fn environment(&self) -> [(&str, String); 5] {
        let (loads, library) = &self.loads;
        [
            (loads, library.clone()),
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

/// How `faketime` loads its library into a program: the command knows where it stands.
fn loads() -> Option<(String, String)> {
    let shown = Command::new("faketime").args(["-f", "+0", "env"]).output().ok()?;
    let shown = String::from_utf8(shown.stdout).ok()?;
    let variables = shown.lines().filter_map(|line| line.split_once('='));
    let mut loads = variables.filter(|(_, value)| value.contains("libfaketime"));
    loads.next().map(|(name, value)| (name.to_owned(), value.to_owned()))
}
