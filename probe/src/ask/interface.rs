//! Counters and state of the agent's machine: an interface's name; `*` or nothing for all but
//! loopback.

use super::{Words, Wrong, short};

/// It takes none.
pub const SETTINGS: &[&str] = &[];

/// Longest name Linux has (`IFNAMSIZ` less its NUL).
const MAX_NAME: usize = 15;

/// Which interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// All but loopback.
    All,
    /// One, by name.
    One(String),
}

impl Question {
    /// Understands `words`.
    pub fn of(words: &Words<'_>) -> Result<Question, Wrong> {
        match words.target {
            "" | "*" => Ok(Question::All),
            name if is_name(name) => Ok(Question::One(name.into())),
            other => {
                let other = short(other);
                let told = "write one, as in eth0, or `*` for all but loopback";
                Err(Wrong::target(format!("`{other}` is not the name of an interface; {told}")))
            }
        }
    }
}

/// Whether the kernel allows such a name (`dev_valid_name`). It may become part of a path.
pub fn is_name(name: &str) -> bool {
    let legal = |c: char| !c.is_whitespace() && c != '/' && c != ':';
    (1..=MAX_NAME).contains(&name.len()) && name != "." && name != ".." && name.chars().all(legal)
}
