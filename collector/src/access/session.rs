//! Sessions of browsers and tokens of scripts: both are 256 random bits, shown once, kept as SHA-256.
//!
//! A plain digest is enough, unlike for passwords: nobody guesses 256 bits.

use super::{Access, AccessError, people, people::Person, secret};
use haidang_probe::key;
use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};

/// How long a session lasts from sign-in, used or not: a shift.
pub const SESSION_MS: i64 = 12 * 3_600_000;
/// Sessions a person may have at once; the oldest ends when one more opens.
pub const SESSIONS_PER_PERSON: i64 = 16;

impl Access {
    /// Opens a session and gives its secret, 64 hex digits for the cookie. Expired ones go.
    pub fn open_session(&self, person: &str, now: i64) -> Result<String, AccessError> {
        let secret = key::hex(&secret()?);
        let mut file = self.file();
        let change = file.transaction()?;
        change.execute("DELETE FROM session WHERE expires <= ?1", [now])?;
        change.execute(
            "INSERT INTO session VALUES (?1, ?2, ?3, ?4)",
            params![digest(&secret), person, now, now + SESSION_MS],
        )?;
        change.execute(
            "DELETE FROM session WHERE person = ?1 AND digest NOT IN
             (SELECT digest FROM session WHERE person = ?1 ORDER BY created DESC, rowid DESC LIMIT ?2)",
            params![person, SESSIONS_PER_PERSON],
        )?;
        change.commit()?;
        Ok(secret)
    }

    /// Whose session this secret opens, if it has not expired at `now`. One look-up by key: quick enough for
    /// the runtime's own threads.
    pub fn session(&self, secret: &str, now: i64) -> Result<Option<Person>, AccessError> {
        let file = self.file();
        let mut look = file.prepare_cached(
            "SELECT name, role, lang FROM session JOIN person ON person = name
             WHERE digest = ?1 AND expires > ?2",
        )?;
        Ok(look.query_row(params![digest(secret), now], people::read).optional()?)
    }

    /// Ends a session; ending one that does not exist is no fault.
    pub fn close_session(&self, secret: &str) -> Result<(), AccessError> {
        self.file().execute("DELETE FROM session WHERE digest = ?1", [digest(secret)])?;
        Ok(())
    }

    /// Makes a token that speaks for `person`, and gives its secret, 64 hex digits. The token of that name
    /// made before no longer works.
    pub fn add_token(&self, name: &str, person: &str, now: i64) -> Result<String, AccessError> {
        let secret = key::hex(&secret()?);
        self.file().execute(
            "INSERT OR REPLACE INTO token VALUES (?1, ?2, ?3, ?4)",
            params![digest(&secret), name, person, now],
        )?;
        Ok(secret)
    }

    /// Whom this token speaks for.
    pub fn token(&self, secret: &str) -> Result<Option<Person>, AccessError> {
        let file = self.file();
        let mut look = file.prepare_cached(
            "SELECT person.name, role, lang FROM token JOIN person ON person = person.name WHERE digest = ?1",
        )?;
        Ok(look.query_row([digest(secret)], people::read).optional()?)
    }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::{super::Role, *};

    fn access() -> (tempfile::TempDir, Access) {
        let dir = tempfile::tempdir().unwrap();
        let access = Access::open(dir.path()).unwrap();
        access.add("an", Role::Operator, 0).unwrap();
        (dir, access)
    }

    #[test]
    fn a_session_lasts_a_shift_and_outlives_a_restart() {
        let (dir, access) = access();
        let secret = access.open_session("an", 1_000).unwrap();
        drop(access);
        let access = Access::open(dir.path()).unwrap();
        let held = |now| access.session(&secret, now).unwrap().map(|person| person.name);
        assert_eq!(held(1_000 + SESSION_MS - 1).as_deref(), Some("an"));
        assert_eq!(held(1_000 + SESSION_MS), None);
        access.close_session(&secret).unwrap();
        assert_eq!(held(2_000), None);
    }

    #[test]
    fn the_oldest_session_ends_when_there_are_too_many() {
        let (_dir, access) = access();
        let all: Vec<String> =
            (0..=SESSIONS_PER_PERSON).map(|n| access.open_session("an", 1_000 + n).unwrap()).collect();
        assert_eq!(access.session(&all[0], 2_000).unwrap(), None);
        assert!(all[1..].iter().all(|secret| access.session(secret, 2_000).unwrap().is_some()));
    }

    #[test]
    fn a_token_of_the_same_name_replaces_the_old_one() {
        let (_dir, access) = access();
        let old = access.add_token("script", "an", 0).unwrap();
        let new = access.add_token("script", "an", 0).unwrap();
        assert_eq!(access.token(&old).unwrap(), None);
        assert_eq!(access.token(&new).unwrap().map(|person| person.name).as_deref(), Some("an"));
        assert_eq!(access.session(&new, 0).unwrap(), None, "a token is no cookie");
    }

    #[test]
    fn no_secret_stands_in_the_file() {
        let (dir, access) = access();
        let secrets = [access.open_session("an", 0).unwrap(), access.add_token("script", "an", 0).unwrap()];
        drop(access);
        let bytes = std::fs::read(dir.path().join(super::super::FILE)).unwrap();
        for secret in &secrets {
            assert!(!bytes.windows(64).any(|window| window == secret.as_bytes()));
        }
    }
}
