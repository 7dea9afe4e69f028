//! GET of a URL, what its certificate must be, and what its answer must be.
//!
//! ```text
//! with: {name: portal.example}      whom the certificate must be for and the `Host` said, where the URL has an address
//!       {any_issuer: true}          nobody needs to know who signed it
//!       {status: "200,301-303"}     statuses that are good; 2xx and 3xx where nothing is said
//!       {redirects: 0}              redirects followed; 5 where nothing is said
//!       {contains: "Dịch vụ công"}  text that must be in the body
//!       {lacks: "Fatal error"}      text that must not be in it
//!       {portal: true}              the page is looked at for defacement
//!       {ignore: "casino, slot"}    words that are no sign of it here
//!       {suspect: 5}                how many signs make the page suspect; 3 where nothing is said
//! ```
//!
//! A redirect is followed unless its status is among those that `status` names.

use super::place::is_name;
use super::url::Url;
use super::{Words, Wrong, short};
use std::ops::RangeInclusive;

/// The settings it takes.
pub const SETTINGS: &[&str] =
    &["name", "any_issuer", "status", "redirects", "contains", "lacks", "portal", "ignore", "suspect"];

/// Most redirects that are followed.
pub const MAX_REDIRECTS: usize = 20;
/// Redirects that are followed where nothing is said.
const REDIRECTS: usize = 5;
/// Longest text that is looked for, octets.
const MAX_TEXT: usize = 256;
/// Most words of `ignore`.
const MAX_IGNORED: usize = 32;
/// Signs that make a page suspect where nothing is said.
const SUSPECT: u32 = 3;
/// Most that may be said.
const MAX_SUSPECT: u32 = 10_000;

/// What to get, and what is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What to get.
    pub url: Url,
    /// Whom the certificate must be for, where it is not the URL's name.
    pub name: Option<String>,
    /// Nobody needs to know who signed it.
    pub any_issuer: bool,
    /// Which statuses are good.
    pub status: Statuses,
    /// Redirects that are followed.
    pub redirects: usize,
    /// Text that must be in the body.
    pub contains: Option<String>,
    /// Text that must not be in it.
    pub lacks: Option<String>,
    /// The page is looked at for defacement.
    pub portal: Option<Portal>,
}

/// What makes a page suspect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portal {
    /// Words and phrases that are no sign here.
    pub ignore: Vec<String>,
    /// How many signs make it suspect.
    pub suspect: u32,
}

impl Question {
    /// Understands `words`.
    pub fn of(words: &Words<'_>) -> Result<Question, Wrong> {
        if words.target.contains('#') {
            let message = "what stands after `#` is never sent; `name` and `any_issuer` are settings: `with: {name: …}`";
            return Err(Wrong::target(message));
        }
        Ok(Question {
            url: Url::parse(words.target)?,
            name: words.text("name").map(named).transpose()?,
            any_issuer: words.truth("any_issuer")?,
            status: words.text("status").map_or(Ok(Statuses::default()), Statuses::of)?,
            redirects: words.number("redirects", 0..=MAX_REDIRECTS, REDIRECTS)?,
            contains: sought(words, "contains")?,
            lacks: sought(words, "lacks")?,
            portal: portal(words)?,
        })
    }

    /// Whether anything of the body's text matters.
    pub fn reads_text(&self) -> bool {
        self.contains.is_some() || self.lacks.is_some() || self.portal.is_some()
    }
}

fn named(name: &str) -> Result<String, Wrong> {
    if is_name(name) {
        return Ok(name.into());
    }
    Err(Wrong::setting("name", format!("`{}` is not a name; write one, as in portal.example", short(name))))
}

fn sought(words: &Words<'_>, key: &str) -> Result<Option<String>, Wrong> {
    match words.text(key) {
        None => Ok(None),
        Some(text) if (1..=MAX_TEXT).contains(&text.len()) => Ok(Some(text.into())),
        Some(_) => Err(Wrong::setting(key, format!("a text of 1 to {MAX_TEXT} octets is looked for"))),
    }
}

fn portal(words: &Words<'_>) -> Result<Option<Portal>, Wrong> {
    let asked = words.truth("portal")?;
    let ignore = words.list("ignore");
    if ignore.len() > MAX_IGNORED || ignore.iter().any(|word| word.len() > MAX_TEXT) {
        let message = format!("at most {MAX_IGNORED} words or phrases of {MAX_TEXT} octets are ignored");
        return Err(Wrong::setting("ignore", message));
    }
    let suspect = words.number("suspect", 1..=MAX_SUSPECT, SUSPECT)?;
    if let (false, Some(key)) = (asked, ["ignore", "suspect"].into_iter().find(|key| words.text(key).is_some())) {
        return Err(Wrong::setting(key, "it is of portal checks; write `portal: true` beside it, or leave it out"));
    }
    let ignore = ignore.into_iter().map(str::to_owned).collect();
    Ok(asked.then_some(Portal { ignore, suspect }))
}

/// Statuses that are good: `200`, `2xx`, `301-303`, several between commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses {
    ranges: Vec<RangeInclusive<u16>>,
    /// Somebody named them.
    said: bool,
}

/// 2xx and 3xx.
impl Default for Statuses {
    fn default() -> Statuses {
        Statuses { ranges: vec![200..=399], said: false }
    }
}

impl Statuses {
    fn of(text: &str) -> Result<Statuses, Wrong> {
        let ranges = text.split(',').map(|item| range(item.trim())).collect::<Option<Vec<_>>>();
        ranges.map(|ranges| Statuses { ranges, said: true }).ok_or_else(|| {
            let text = short(text);
            Wrong::setting("status", format!("`{text}` is not a list of statuses; write one, as in 200,301-303 or 2xx"))
        })
    }

    /// Whether `status` is one of them.
    pub fn holds(&self, status: u16) -> bool {
        self.ranges.iter().any(|range| range.contains(&status))
    }

    /// Whether somebody named it: a redirect that is named is what was asked for.
    pub fn names(&self, status: u16) -> bool {
        self.said && self.holds(status)
    }
}

fn range(item: &str) -> Option<RangeInclusive<u16>> {
    let status = |text: &str| text.parse::<u16>().ok().filter(|status| (100..=599).contains(status));
    if let Some(class) = item.strip_suffix("xx") {
        let first = class.parse::<u16>().ok().filter(|class| (1..=5).contains(class))? * 100;
        return Some(first..=first + 99);
    }
    let (first, last) = item.split_once('-').unwrap_or((item, item));
    let (first, last) = (status(first.trim())?, status(last.trim())?);
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_numbers_ranges_and_classes() {
        let listed = Statuses::of("200, 301-303,4xx").unwrap();
        for (status, good) in [(200, true), (201, false), (302, true), (304, false), (499, true), (500, false)] {
            assert_eq!(listed.holds(status), good, "{status}");
        }
        for wrong in ["", "20", "200-", "303-301", "6xx", "xx", "2x", "-200", "200;201", "600"] {
            assert!(Statuses::of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_redirect_is_an_answer_only_where_it_is_named() {
        let usual = Statuses::default();
        assert!(usual.holds(301) && !usual.names(301));
        assert!(Statuses::of("301").unwrap().names(301));
    }
}
