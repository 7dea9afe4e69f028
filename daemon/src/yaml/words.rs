//! What to say about a fault: the parser's error in the words of someone who edits the file.

use super::Location;
use super::spot::Spot;
use super::wrong::{KIND_LIST, KIND_MAPPING, KIND_SCALAR, KIND_TEXT, What, Wrong};
use std::fmt::Write as _;

/// Candidates listed in a message when none is near; more would hide the fault.
const MAX_LISTED: usize = 12;

/// The candidate nearest to `word` by edit distance (case ignored), when it is near enough to be meant.
pub fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    // A third of the word may be wrong: one letter of three, two of six; a shorter word must be right.
    let most = (lower.chars().count() / 3).min(4);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|&(distance, _)| distance <= most)
        .min()
        .map(|(_, candidate)| candidate)
}

/// ``unknown site `28248`; did you mean `28249`?`` — or, when nothing is near, what there is to choose from.
pub fn unknown<'a>(what: &str, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let mut message = format!("unknown {what} `{word}`");
    match suggest(word, candidates.iter().copied()) {
        Some(near) => _ = write!(message, "; did you mean `{near}`?"),
        None if candidates.is_empty() => {}
        None => _ = write!(message, "; expected {}", list(&candidates)),
    }
    message
}

fn list(candidates: &[&str]) -> String {
    let mut shown: Vec<String> = candidates.iter().take(MAX_LISTED).map(|word| format!("`{word}`")).collect();
    if candidates.len() > MAX_LISTED {
        shown.push(format!("or {} more", candidates.len() - MAX_LISTED));
    }
    shown.join(", ")
}

/// Where the person has to edit, and what was found wrong.
pub(super) fn explain(wrong: &Wrong, text: &str) -> (Location, String) {
    let (place, used) = (wrong.place(), wrong.used());
    let message = sentence(wrong.what(), &Spot::find(text, place, used));
    match used {
        Some(used) => (used, format!("{message}; the alias repeats line {}", place.line())),
        None => (place, message),
    }
}

fn sentence(what: &What, spot: &Spot) -> String {
    match what {
        What::UnknownKey(word, expected) => unknown("key", word, expected.iter().copied()),
        What::UnknownChoice(word, expected) => choice(spot, word, expected),
        What::Missing(key) => format!("missing key `{key}`"),
        What::Twice(key) => format!("duplicate key `{key}`"),
        What::Expected(kind) => expected(spot, kind),
        What::Mismatch(unexpected, expected) => mismatch(spot, expected, unexpected),
        What::Length(length, expected) => {
            spot.with_key(&format!("expected {expected}, found {length} elements"))
        }
        What::Message(_) if spot.is_secret() => spot.with_key("is not valid"),
        What::Message(message) if message.starts_with("data did not match any variant of untagged enum") => {
            spot.with_key("has none of the shapes that can stand here")
        }
        What::Message(message) => spot.with_key(message),
        What::Structure(message) if message.starts_with("tabs disallowed") => {
            "a tab stands here; indent with spaces".into()
        }
        What::Structure(message) => message.clone(),
    }
}

fn choice(spot: &Spot, word: &str, expected: &[&'static str]) -> String {
    if spot.is_secret() {
        return spot.with_key(&format!("expected {}", list(expected)));
    }
    let message = unknown("value", word, expected.iter().copied());
    if spot.is_key { message } else { spot.with_key(&message) }
}

fn expected(spot: &Spot, wanted: &str) -> String {
    spot.with_key(&format!("expected {}{}", kind(wanted), spot.found()))
}

/// Serde names what it found as `string "hunter2"`. The value is repeated only where its key is known for
/// certain, which it is not inside what serde buffers; elsewhere only its kind is.
fn mismatch(spot: &Spot, wanted: &str, unexpected: &str) -> String {
    if spot.is_value() {
        return expected(spot, wanted);
    }
    let found = unexpected.split(['"', '`', '\'']).next().unwrap_or_default().trim();
    spot.with_key(&format!("expected {}, found {found}", kind(wanted)))
}

/// A type in the words of someone who writes YAML, not Rust.
fn kind(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "u128" | "usize" => "a whole number of 0 or more",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "boolean" | "a boolean" => "true or false",
        KIND_SCALAR => "a single value",
        KIND_TEXT => "text",
        KIND_LIST => "a list",
        KIND_MAPPING => "a mapping (`key: value`)",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_is_near_and_nothing_else() {
        let keys = ["circuit", "carrier", "mbps", "c"];
        for (word, near) in [
            ("circut", Some("circuit")),
            ("Carrier", Some("carrier")),
            ("carreir", Some("carrier")),
            ("mbsp", Some("mbps")),
            ("x", None),
            ("speed", None),
            ("", None),
        ] {
            assert_eq!(suggest(word, keys), near, "{word}");
        }
    }

    #[test]
    fn without_a_near_word_some_are_listed() {
        assert_eq!(
            unknown("key", "speed", ["mbps", "hours"]),
            "unknown key `speed`; expected `mbps`, `hours`"
        );
        let many: Vec<String> = (0..100).map(|n| format!("site-{n:03}")).collect();
        let message = unknown("site", "Cao Lãnh", many.iter().map(String::as_str));
        assert!(message.ends_with("`site-011`, or 88 more"), "{message}");
        assert_eq!(unknown("site", "x", []), "unknown site `x`");
    }
}
