//! The first sign-in: `{"url","user","password","token"}` in a file only its owner may read.
//!
//! The file is the truth: what it names is made to work. A file that works already is left alone, save that
//! its address is kept right; without one, or with one that no longer works, `admin` gets a new password and
//! a new token. Only a start that was told where the file is does any of this.

use super::{Access, AccessError, Role};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Name of the person made.
const PERSON: &str = "admin";
/// Name of the token made.
const TOKEN: &str = "first-sign-in";

/// What the file holds.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FirstSignIn {
    url: String,
    user: String,
    password: String,
    token: String,
}

/// Why there is no first sign-in.
#[derive(Debug, thiserror::Error)]
pub enum FirstError {
    /// About the person or the token.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// About the file.
    #[error("writing the first sign-in to {path}: {source}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Access {
    /// Makes the first sign-in and writes it to `path`, or leaves what works. Says whether it wrote a new one.
    pub fn first_sign_in(&self, path: &Path, url: &str, now: i64) -> Result<bool, FirstError> {
        let kept =
            std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<FirstSignIn>(&bytes).ok());
        if let Some(mut kept) = kept
            && self.works(&kept)?
        {
            if kept.url != url {
                url.clone_into(&mut kept.url);
                write(path, &kept)?;
            }
            return Ok(false);
        }
        let password = match self.person(PERSON)? {
            Some(_) => self.reset(PERSON)?,
            None => self.add(PERSON, Role::Admin, now)?,
        };
        let token = self.add_token(TOKEN, PERSON, now)?;
        write(path, &FirstSignIn { url: url.to_owned(), user: PERSON.to_owned(), password, token })?;
        Ok(true)
    }

    fn works(&self, kept: &FirstSignIn) -> Result<bool, AccessError> {
        Ok(self.token(&kept.token)?.is_some() && self.verify(&kept.user, &kept.password)?.is_some())
    }
}

/// Writes beside the file and renames, so that a reader never sees half of it.
fn write(path: &Path, content: &FirstSignIn) -> Result<(), FirstError> {
    let fail = |source| FirstError::Write { path: path.to_owned(), source };
    let beside = path.with_extension("new");
    let text = serde_json::to_string(content).map_err(|error| fail(error.into()))?;
    let written = std::fs::remove_file(&beside).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    });
    written.map_err(fail)?;
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).map_err(fail)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .map_err(fail)?;
    std::fs::rename(&beside, path).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn read(path: &Path) -> FirstSignIn {
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn what_works_is_left_and_what_does_not_is_made_to() {
        let dir = tempfile::tempdir().unwrap();
        let access = Access::open(dir.path()).unwrap();
        let path = dir.path().join("console.json");
        assert!(access.first_sign_in(&path, "http://127.0.0.1:8080", 0).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let first = read(&path);
        assert!(access.works(&first).unwrap());

        assert!(!access.first_sign_in(&path, "http://127.0.0.1:9090", 1).unwrap());
        let moved = read(&path);
        assert_eq!((moved.url.as_str(), &moved.token), ("http://127.0.0.1:9090", &first.token));

        access.reset("admin").unwrap();
        assert!(access.first_sign_in(&path, "http://127.0.0.1:9090", 2).unwrap());
        assert!(access.works(&read(&path)).unwrap());
        assert_eq!(access.token(&first.token).unwrap(), None);
    }
}
