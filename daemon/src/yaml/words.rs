//! What to say about a fault: the parser's error in the words of someone who edits the file.

use serde_saphyr::{Error, Location, MessageFormatter as _, UserMessageFormatter};
use std::fmt::Write as _;

/// Candidates listed in a message when none is near; more would hide the fault.
const MAX_LISTED: usize = 12;
/// Characters of a wrong value repeated in a message.
const MAX_SHOWN: usize = 40;
/// A key with one of these in it holds something that must not be repeated.
const SECRETS: [&str; 7] = ["secret", "password", "passphrase", "token", "community", "credential", "psk"];

/// The candidate nearest to `word` by edit distance (case ignored), when it is near enough to be meant.
pub fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    // A third of the word may be wrong: one letter of three, two of six.
    let most = (lower.chars().count() / 3).clamp(1, 4);
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

/// Where and what: the place that the person has to edit, and the sentence.
pub(super) fn explain(error: &Error, text: &str) -> (Location, String) {
    let place = error.location().unwrap_or(Location::UNKNOWN);
    let spot = Spot::find(text, place);
    let message = match error {
        Error::WithSnippet { error, .. } => return explain(error, text),
        Error::AliasError { error, locations, .. } => {
            let (_, message) = explain(error, text);
            let defined = locations.defined_location.line();
            return (
                locations.reference_location,
                format!("{message}, in what the alias repeats from line {defined}"),
            );
        }
        Error::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected.iter().copied()),
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            spot.with_key(&unknown("value", variant, expected.iter().copied()))
        }
        Error::SerdeMissingField { field, .. } => format!("missing key `{field}`"),
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("duplicate key `{key}`"),
        Error::InvalidScalar { ty, .. } => spot.expected(ty),
        Error::InvalidBooleanStrict { .. } => spot.expected("true or false"),
        Error::Unexpected { expected, .. } => spot.expected(expected),
        Error::NullIntoString { .. } => spot.with_key("expected text, found nothing"),
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => spot.mismatch(expected, unexpected),
        Error::SerdeInvalidLength { len, expected, .. } => {
            spot.with_key(&format!("expected {expected}, found {len} elements"))
        }
        Error::MultipleDocuments { .. } => "a second document begins; one file holds one document".into(),
        Error::UnknownAnchor { .. } => "alias of an anchor that does not exist".into(),
        Error::Message { msg, .. } => spot.custom(msg),
        other => UserMessageFormatter::default().format_message(other).into_owned(),
    };
    (place, message)
}

/// The value at fault as it stands in the text, and the key it belongs to.
struct Spot<'a> {
    key: Option<&'a str>,
    value: &'a str,
}

impl<'a> Spot<'a> {
    fn find(text: &'a str, place: Location) -> Spot<'a> {
        let value = place
            .span()
            .byte_offset()
            .zip(place.span().byte_len())
            .and_then(|(from, length)| text.get(from as usize..(from + length) as usize))
            .unwrap_or_default();
        let key = place.span().byte_offset().and_then(|from| text.get(..from as usize)).and_then(key_before);
        Spot { key, value: value.lines().next().unwrap_or_default().trim() }
    }

    fn is_secret(&self) -> bool {
        let key = self.key.unwrap_or_default().to_lowercase();
        SECRETS.iter().any(|secret| key.contains(secret))
    }

    fn with_key(&self, message: &str) -> String {
        match self.key {
            Some(key) => format!("`{key}`: {message}"),
            None => message.into(),
        }
    }

    fn expected(&self, expected: &str) -> String {
        if self.is_secret() || self.value.is_empty() {
            return self.with_key(&format!("expected {expected}"));
        }
        let mut shown: String = self.value.chars().take(MAX_SHOWN).collect();
        if shown.len() < self.value.len() {
            shown.push('…');
        }
        self.with_key(&format!("expected {expected}, found `{shown}`"))
    }

    fn mismatch(&self, expected: &str, unexpected: &str) -> String {
        if self.is_secret() {
            return self.with_key(&format!("expected {expected}"));
        }
        self.with_key(&format!("expected {expected}, found {unexpected}"))
    }

    /// A message from a type's own `Deserialize`, which may quote the value.
    fn custom(&self, message: &str) -> String {
        if self.is_secret() {
            return self.with_key("is not valid");
        }
        self.with_key(message)
    }
}

/// The key that the text before a value ends in: `circuit` of `- {mbps: 4, circuit: `. For an element of a
/// sequence, the key of the sequence is the last line above that is less indented and ends in a colon.
fn key_before(before: &str) -> Option<&str> {
    let before = before.trim_end_matches([' ', '\n', '\r', '"', '\'']);
    let key = before.strip_suffix(':').or_else(|| before.strip_suffix(": -"))?;
    let from = key.rfind(['\n', ',', '{', '[', ' ']).map_or(0, |at| at + 1);
    Some(key[from..].trim_matches(['"', '\''])).filter(|key| !key.is_empty())
}
