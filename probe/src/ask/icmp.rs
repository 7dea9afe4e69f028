//! ICMP echo: `10.82.1.1`, `gw.example`, `@default-gateway`, `@resolver`.

use super::place::{Place, is_port};
use super::{Words, Wrong, short};

/// It takes none.
pub const SETTINGS: &[&str] = &[];

/// Whom to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who.
    pub place: Place,
}

impl Question {
    /// Understands `words`.
    pub fn of(words: &Words<'_>) -> Result<Question, Wrong> {
        if let Some((before, port)) = words.target.rsplit_once(':')
            && !before.contains(':')
            && is_port(port)
        {
            return Err(Wrong::target(format!("icmp has no ports; write `{}`", short(before))));
        }
        Ok(Question { place: words.target.parse()? })
    }
}
