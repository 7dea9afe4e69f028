//! People: a name, a role, a language and a password that is generated here, never chosen.

use super::{Access, AccessError};
use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use rusqlite::{OptionalExtension, params};
use serde::Serialize;

/// Longest name, characters.
pub(super) const NAME_MAX: usize = 64;
/// Longest password that is hashed at all, bytes.
const PASSWORD_MAX: usize = 256;
/// Characters of a generated password: none that look alike.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Length of a generated password: 5 bits each, 100 in all.
const PASSWORD_LEN: usize = 20;

/// What a person may do. Each may do what the one before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look.
    Viewer,
    /// Acknowledge, note and close incidents.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// The role of this name.
    pub fn named(name: &str) -> Option<Role> {
        [Role::Viewer, Role::Operator, Role::Admin].into_iter().find(|role| role.name() == name)
    }

    /// Its name in commands, the file and the API.
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

/// Somebody who signed in, or whose token was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// `vi` or `en`.
    pub lang: String,
}

impl Access {
    /// Adds a person and gives the password generated for them: the only time anyone sees it.
    pub fn add(&self, name: &str, role: Role, now: i64) -> Result<String, AccessError> {
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.is_empty() || name.chars().count() > NAME_MAX || !name.chars().all(fits) {
            return Err(AccessError::Name(name.to_owned()));
        }
        let password = new_password()?;
        let added = self.file().execute(
            "INSERT INTO person VALUES (?1, ?2, 'vi', ?3, ?4) ON CONFLICT DO NOTHING",
            params![name, role.name(), hash(&password)?, now],
        )?;
        if added == 0 {
            return Err(AccessError::Exists(name.to_owned()));
        }
        Ok(password)
    }

    /// Gives a person a new password and ends their sessions. Their tokens stay.
    pub fn reset(&self, name: &str) -> Result<String, AccessError> {
        let password = new_password()?;
        let phc = hash(&password)?;
        let mut file = self.file();
        let change = file.transaction()?;
        if change.execute("UPDATE person SET password = ?2 WHERE name = ?1", params![name, phc])? == 0 {
            return Err(AccessError::Unknown(name.to_owned()));
        }
        change.execute("DELETE FROM session WHERE person = ?1", [name])?;
        change.commit()?;
        Ok(password)
    }

    /// The person of this name.
    pub fn person(&self, name: &str) -> Result<Option<Person>, AccessError> {
        let found =
            self.file().query_row("SELECT name, role, lang FROM person WHERE name = ?1", [name], read);
        Ok(found.optional()?)
    }

    /// The person, if the password is theirs. Takes as long (tens of milliseconds, 19 MiB) for a name that
    /// does not exist; call it off the runtime's threads and not often at once.
    pub fn verify(&self, name: &str, password: &str) -> Result<Option<Person>, AccessError> {
        let kept: Option<String> = self
            .file()
            .query_row("SELECT password FROM person WHERE name = ?1", [name], |row| row.get(0))
            .optional()?;
        let phc = PasswordHash::new(kept.as_deref().unwrap_or(&self.nobody))
            .map_err(|error| AccessError::Hash(error.to_string()))?;
        let shown = password.as_bytes();
        let tried = &shown[..shown.len().min(PASSWORD_MAX)];
        let right = Argon2::default().verify_password(tried, &phc).is_ok() && shown.len() <= PASSWORD_MAX;
        if right && kept.is_some() { self.person(name) } else { Ok(None) }
    }
}

/// Reads `name, role, lang`. A role of a newer version may only look.
pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Person> {
    let role: String = row.get(1)?;
    Ok(Person { name: row.get(0)?, role: Role::named(&role).unwrap_or(Role::Viewer), lang: row.get(2)? })
}

/// PHC text of argon2id over `password` with a fresh salt. `Argon2::default()` is m = 19 MiB, t = 2, p = 1
/// (OWASP's password storage cheat sheet); a test holds it to that.
pub(super) fn hash(password: &str) -> Result<String, AccessError> {
    let phc = Argon2::default().hash_password(password.as_bytes());
    phc.map(|phc| phc.to_string()).map_err(|error| AccessError::Hash(error.to_string()))
}

/// A new random password.
pub(super) fn new_password() -> Result<String, AccessError> {
    let random = super::secret()?;
    Ok(random.iter().take(PASSWORD_LEN).map(|byte| ALPHABET[usize::from(byte % 32)] as char).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> (tempfile::TempDir, Access) {
        let dir = tempfile::tempdir().unwrap();
        let access = Access::open(dir.path()).unwrap();
        (dir, access)
    }

    #[test]
    fn the_generated_password_opens_and_no_other_does() {
        let (_dir, access) = access();
        let password = access.add("chị-Hạnh", Role::Operator, 0).unwrap();
        assert_eq!(password.len(), PASSWORD_LEN);
        let person = access.verify("chị-Hạnh", &password).unwrap().unwrap();
        assert_eq!((person.role, person.lang.as_str()), (Role::Operator, "vi"));
        assert_eq!(access.verify("chị-Hạnh", "another").unwrap(), None);
        assert_eq!(access.verify("nobody", &password).unwrap(), None);
        assert_eq!(access.verify("chị-Hạnh", &password.repeat(20)).unwrap(), None);
    }

    #[test]
    fn a_reset_ends_the_old_password_and_the_sessions() {
        let (_dir, access) = access();
        let old = access.add("an", Role::Admin, 0).unwrap();
        let session = access.open_session("an", 0).unwrap();
        let new = access.reset("an").unwrap();
        assert_eq!(access.verify("an", &old).unwrap(), None);
        assert!(access.verify("an", &new).unwrap().is_some());
        assert_eq!(access.session(&session, 1).unwrap(), None);
        assert!(matches!(access.reset("binh"), Err(AccessError::Unknown(_))));
    }

    #[test]
    fn names_are_unique_and_plain() {
        let (_dir, access) = access();
        access.add("an", Role::Viewer, 0).unwrap();
        assert!(matches!(access.add("an", Role::Admin, 0), Err(AccessError::Exists(_))));
        for wrong in ["", "a b", "<b>", &"x".repeat(65)] {
            assert!(matches!(access.add(wrong, Role::Viewer, 0), Err(AccessError::Name(_))), "{wrong}");
        }
    }

    #[test]
    fn the_hash_costs_what_the_page_says() {
        let phc = hash("secret").unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(!phc.contains("secret"));
    }
}
