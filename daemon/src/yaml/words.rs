//! What to say about a fault: the parser's error in the words of someone who edits the file.

use super::spot::Spot;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, Location, MessageFormatter as _, UserMessageFormatter};
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

/// What was found wrong, and where the person has to edit: line, column, sentence.
pub(super) fn explain(error: &Error, text: &str) -> (u64, u64, String) {
    match error {
        Error::WithSnippet { error, .. } => explain(error, text),
        Error::AliasError { error, locations, .. } => {
            let (_, _, mut message) = explain(error, text);
            let (used, defined) = (locations.reference_location, locations.defined_location.line());
            _ = write!(message, "; the alias repeats line {defined}");
            (used.line(), used.column(), message)
        }
        _ => {
            let place = error.location().unwrap_or(Location::UNKNOWN);
            let spot = Spot::find(text, place);
            // A missing value is noticed only at what follows it; the value before is what has to change.
            let early = matches!(error, Error::Unexpected { .. }) && !spot.exact && spot.line > 0;
            let (line, column) =
                if early { (spot.line, spot.column) } else { (place.line(), place.column()) };
            (line, column, sentence(error, &spot))
        }
    }
}

fn sentence(error: &Error, spot: &Spot) -> String {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected.iter().copied()),
        Error::SerdeUnknownVariant { variant, expected, .. } => choice(spot, variant, expected),
        Error::SerdeMissingField { field, .. } => format!("missing key `{field}`"),
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("duplicate key `{key}`"),
        Error::InvalidScalar { ty, .. } => wrong(spot, ty),
        Error::InvalidBooleanStrict { .. } => wrong(spot, "true or false"),
        Error::Unexpected { expected, .. } => wrong(spot, expected),
        Error::NullIntoString { .. } => wrong(spot, "text"),
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => mismatch(spot, expected, unexpected),
        Error::SerdeInvalidLength { len, expected, .. } => {
            spot.with_key(&format!("expected {expected}, found {len} elements"))
        }
        Error::Message { .. } if spot.is_secret() => spot.with_key("is not valid"),
        Error::Message { msg, .. } if msg.starts_with("data did not match any variant of untagged enum") => {
            spot.with_key("has none of the shapes that can stand here")
        }
        Error::Message { msg, .. } => spot.with_key(msg),
        other => structure(other),
    }
}

/// Faults of the text as YAML, before any key means something.
fn structure(error: &Error) -> String {
    match error {
        Error::Eof { .. } => "the file is empty or ends too early".into(),
        Error::MultipleDocuments { .. } | Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            "a second document begins; one file holds one document".into()
        }
        Error::UnknownAnchor { .. } => "alias of an anchor that does not exist".into(),
        Error::ExpectedMappingEndAfterEnumVariantValue { .. } => "only one choice can stand here".into(),
        Error::AliasReplayLimitExceeded { max_total_replayed_events, .. } => {
            format!("refused: aliases repeat more than {max_total_replayed_events} values")
        }
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => "refused: nested too deeply".into(),
        other => match UserMessageFormatter.format_message(other).into_owned() {
            tab if tab.starts_with("tabs disallowed") => "a tab stands here; indent with spaces".into(),
            message => message,
        },
    }
}

fn choice(spot: &Spot, word: &str, expected: &[&'static str]) -> String {
    if spot.is_secret() {
        return spot.with_key(&format!("expected {}", list(expected)));
    }
    let message = unknown("value", word, expected.iter().copied());
    if spot.is_key { message } else { spot.with_key(&message) }
}

fn wrong(spot: &Spot, expected: &str) -> String {
    spot.with_key(&format!("expected {}{}", kind(expected), spot.found()))
}

/// Serde names what it found as `string "hunter2"`. The value is repeated only where its key is known for
/// certain, which it is not inside what serde buffers; elsewhere only its kind is.
fn mismatch(spot: &Spot, expected: &str, unexpected: &str) -> String {
    if spot.is_value() {
        return wrong(spot, expected);
    }
    let found = unexpected.split(['"', '`', '\'']).next().unwrap_or_default().trim();
    spot.with_key(&format!("expected {}, found {found}", kind(expected)))
}

/// A type in the words of someone who writes YAML, not Rust.
fn kind(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "u128" | "usize" => "a whole number of 0 or more",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" | "floating point" => "a number",
        "boolean" | "a boolean" => "true or false",
        "scalar" => "a single value",
        "string scalar" | "a string" => "text",
        "sequence start" | "a sequence" => "a list",
        "mapping start" | "a map" => "a mapping (`key: value`)",
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
