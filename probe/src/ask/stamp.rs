//! Unauthenticated STAMP (RFC 8762): a reflector's address and port, `192.0.2.1:862`.

use super::place::Endpoint;
use super::{Words, Wrong, short};

/// It takes none.
pub const SETTINGS: &[&str] = &[];

/// Which reflector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Where it listens.
    pub reflector: Endpoint,
}

impl Question {
    /// Understands `words`.
    pub fn of(words: &Words<'_>) -> Result<Question, Wrong> {
        if words.target.starts_with('@') {
            let target = short(words.target);
            let message = format!("`{target}` is not asked by stamp; write the reflector's address and port");
            return Err(Wrong::target(message));
        }
        Ok(Question { reflector: words.target.parse()? })
    }
}
