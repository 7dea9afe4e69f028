//! TCP connect: `192.0.2.1:443`, `portal.example:443`, `@resolver:53`.

use super::place::Endpoint;
use super::{Words, Wrong};

/// It takes none.
pub const SETTINGS: &[&str] = &[];

/// Whom to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who, and the port.
    pub endpoint: Endpoint,
}

impl Question {
    /// Understands `words`.
    pub fn of(words: &Words<'_>) -> Result<Question, Wrong> {
        Ok(Question { endpoint: words.target.parse()? })
    }
}
