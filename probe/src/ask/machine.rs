//! What the agent's machine says of itself: no target.

use super::{Words, Wrong, short};

/// It takes none.
pub const SETTINGS: &[&str] = &[];

/// Nothing to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question;

impl Question {
    /// Understands `words`.
    pub fn of(words: &Words<'_>) -> Result<Question, Wrong> {
        if words.target.is_empty() {
            return Ok(Question);
        }
        let told = "machine asks the agent's machine itself";
        Err(Wrong::target(format!("{told}; leave `{}` out", short(words.target))))
    }
}
