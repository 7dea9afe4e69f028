//! GET of a URL, and what its certificate must be.
//!
//! `with: {name: portal.example}`: whom the certificate must be for and the `Host` said, where the URL has an address.
//! `any_issuer: true`: nobody needs to know who signed it.

use super::place::is_name;
use super::url::Url;
use super::{Words, Wrong, short};

/// The settings it takes.
pub const SETTINGS: &[&str] = &["name", "any_issuer"];

/// What to get, and what its certificate must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What to get.
    pub url: Url,
    /// Whom the certificate must be for, where it is not the URL's name.
    pub name: Option<String>,
    /// Nobody needs to know who signed it.
    pub any_issuer: bool,
}

impl Question {
    /// Understands `words`.
    pub fn of(words: &Words<'_>) -> Result<Question, Wrong> {
        if words.target.contains('#') {
            let message = "what stands after `#` is never sent; `name` and `any_issuer` are settings: `with: {name: …}`";
            return Err(Wrong::target(message));
        }
        let url = Url::parse(words.target)?;
        let name = words.text("name").map(named).transpose()?;
        Ok(Question { url, name, any_issuer: words.truth("any_issuer")? })
    }
}

fn named(name: &str) -> Result<String, Wrong> {
    if is_name(name) {
        return Ok(name.into());
    }
    Err(Wrong::setting("name", format!("`{}` is not a name; write one, as in portal.example", short(name))))
}
