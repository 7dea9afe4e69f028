//! Who may look and act: people, their sessions, and tokens for scripts, in `DATA/haidang.sqlite`.
//!
//! ```text
//! person(name, role, lang, password)            password = PHC text of argon2id, m = 19 MiB, t = 2, p = 1
//! session(digest, person, created, expires)     digest = SHA-256 of the cookie's 256-bit secret
//! token(digest, name, person, created)          digest = SHA-256 of the bearer token's 256-bit secret
//! ```
//!
//! It promises that no secret can be read back from the file, that the file is readable by its owner alone,
//! and that an unknown person costs a caller the same time as a wrong password. It reads no clock: `now` is
//! UTC milliseconds, given. A session lasts [`SESSION_MS`] whether used or not, so that a wall screen lives
//! through a shift and nothing has to be written on each look.

pub mod attempts;
pub mod first;
mod page;
mod people;
mod session;

pub use page::{Notice, STYLE, sign_in_page};
pub use people::{Person, Role};
pub use session::{SESSION_MS, SESSIONS_PER_PERSON};

use rusqlite::Connection;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Name of the file in the directory of `--data`.
pub const FILE: &str = "haidang.sqlite";

/// Version of the tables, kept in SQLite's `user_version`.
const SCHEMA: i64 = 1;

const TABLES: &str = "
BEGIN;
CREATE TABLE person (name TEXT PRIMARY KEY, role TEXT NOT NULL, lang TEXT NOT NULL, password TEXT NOT NULL,
    created INTEGER NOT NULL) STRICT;
CREATE TABLE session (digest BLOB PRIMARY KEY, person TEXT NOT NULL REFERENCES person ON DELETE CASCADE,
    created INTEGER NOT NULL, expires INTEGER NOT NULL) STRICT;
CREATE INDEX session_person ON session (person, created);
CREATE TABLE token (digest BLOB PRIMARY KEY, name TEXT NOT NULL UNIQUE, person TEXT NOT NULL REFERENCES person
    ON DELETE CASCADE, created INTEGER NOT NULL) STRICT;
PRAGMA user_version = 1;
COMMIT;";

/// People, sessions and tokens. Share it by `Arc`; every call takes its own turn at the file.
pub struct Access {
    file: Mutex<Connection>,
    /// Verified when the name is unknown, so that the answer takes as long.
    nobody: String,
}

/// Why something about people could not be done.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The file could not be made.
    #[error("making {path}: {source}")]
    Create {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file was written by another version.
    #[error("{path} has tables of version {found}, this program knows {SCHEMA}")]
    Version {
        /// Which.
        path: PathBuf,
        /// Version found.
        found: i64,
    },
    /// SQLite refused.
    #[error("reading or writing people: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// No randomness, or no memory for the hash.
    #[error("hashing a password: {0}")]
    Hash(String),
    /// The name is taken.
    #[error("there is a person named {0} already")]
    Exists(String),
    /// Nobody has that name.
    #[error("there is nobody named {0}")]
    Unknown(String),
    /// The name cannot be one.
    #[error("`{0}` is no name: write up to {max} letters, digits, `.`, `-` or `_`", max = people::NAME_MAX)]
    Name(String),
}

impl Access {
    /// Opens `dir`/[`FILE`], making it (mode 0600) and its tables where they do not exist.
    pub fn open(dir: &Path) -> Result<Access, AccessError> {
        let path = dir.join(FILE);
        // SQLite gives its write-ahead log the mode of the file itself.
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(|source| AccessError::Create { path: path.clone(), source })?;
        let file = Connection::open(&path)?;
        file.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
        )?;
        file.busy_timeout(std::time::Duration::from_secs(5))?;
        match file.query_row("PRAGMA user_version", [], |row| row.get(0))? {
            0 => file.execute_batch(TABLES)?,
            SCHEMA => {}
            found => return Err(AccessError::Version { path, found }),
        }
        let nobody = people::hash(&people::new_password()?)?;
        Ok(Access { file: Mutex::new(file), nobody })
    }

    /// The connection. A panic elsewhere leaves it usable: SQLite rolls the open transaction back.
    fn file(&self) -> MutexGuard<'_, Connection> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 256 random bits.
fn secret() -> Result<[u8; 32], AccessError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| AccessError::Hash(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_the_owner_may_read_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let access = Access::open(dir.path()).unwrap();
        access.add("an", Role::Admin, 0).unwrap();
        for name in [FILE.to_owned(), format!("{FILE}-wal")] {
            let mode = std::fs::metadata(dir.path().join(&name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_file_of_another_version_is_refused_by_number() {
        let dir = tempfile::tempdir().unwrap();
        drop(Access::open(dir.path()).unwrap());
        Connection::open(dir.path().join(FILE)).unwrap().execute_batch("PRAGMA user_version = 9").unwrap();
        let refused = Access::open(dir.path()).err().unwrap();
        assert!(matches!(refused, AccessError::Version { found: 9, .. }), "{refused}");
    }
}
