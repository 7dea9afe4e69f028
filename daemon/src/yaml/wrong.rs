//! Why a text is not what was asked for, and where. [`super::words`] says it to a person.

use super::Location;
use serde::de;
use std::fmt;

/// A fault, with its place as soon as one is known.
#[derive(Debug)]
pub(super) struct Wrong(Box<Inner>);

#[derive(Debug)]
struct Inner {
    what: What,
    place: Option<Location>,
    /// The alias that brought the node there, when one did.
    used: Option<Location>,
}

/// What is wrong.
#[derive(Debug)]
pub(super) enum What {
    /// A key that the type does not know.
    UnknownKey(String, &'static [&'static str]),
    /// A word that is no choice of the type.
    UnknownChoice(String, &'static [&'static str]),
    /// A key that has to be there.
    Missing(&'static str),
    /// A key that stands twice.
    Twice(String),
    /// A value of another kind than this; a Rust type, or [`KIND_LIST`] and its like.
    Expected(&'static str),
    /// What serde found, and what it expected.
    Mismatch(String, String),
    /// So many elements, and what serde expected.
    Length(usize, String),
    /// What somebody else had to say.
    Message(String),
    /// The text as YAML, before any key means something.
    Structure(String),
}

/// What a mapping, a list and a scalar are asked for as.
pub(super) const KIND_MAPPING: &str = "a map";
pub(super) const KIND_LIST: &str = "a sequence";
pub(super) const KIND_TEXT: &str = "a string";
pub(super) const KIND_SCALAR: &str = "scalar";

impl Wrong {
    pub(super) fn new(what: What, place: Location) -> Wrong {
        Wrong(Box::new(Inner { what, place: Some(place), used: None }))
    }

    /// Of a node that an alias repeats.
    pub(super) fn used_at(mut self, used: Option<Location>) -> Wrong {
        self.0.used = used;
        self
    }

    fn nowhere(what: What) -> Wrong {
        Wrong(Box::new(Inner { what, place: None, used: None }))
    }

    /// Of the node at `place`, unless something inside it is meant.
    pub(super) fn at(mut self, place: Location, used: Option<Location>) -> Wrong {
        if self.0.place.is_none() {
            (self.0.place, self.0.used) = (Some(place), used);
        }
        self
    }

    pub(super) fn what(&self) -> &What {
        &self.0.what
    }

    pub(super) fn place(&self) -> Location {
        self.0.place.unwrap_or(Location::UNKNOWN)
    }

    pub(super) fn used(&self) -> Option<Location> {
        self.0.used
    }
}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Wrong {
        Wrong::nowhere(What::Message(message.to_string()))
    }

    fn invalid_type(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Wrong {
        Wrong::nowhere(What::Mismatch(unexpected.to_string(), expected.to_string()))
    }

    fn invalid_value(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Wrong {
        Wrong::invalid_type(unexpected, expected)
    }

    fn invalid_length(length: usize, expected: &dyn de::Expected) -> Wrong {
        Wrong::nowhere(What::Length(length, expected.to_string()))
    }

    fn unknown_variant(word: &str, expected: &'static [&'static str]) -> Wrong {
        Wrong::nowhere(What::UnknownChoice(word.into(), expected))
    }

    fn unknown_field(word: &str, expected: &'static [&'static str]) -> Wrong {
        Wrong::nowhere(What::UnknownKey(word.into(), expected))
    }

    fn missing_field(key: &'static str) -> Wrong {
        Wrong::nowhere(What::Missing(key))
    }

    fn duplicate_field(key: &'static str) -> Wrong {
        Wrong::nowhere(What::Twice(key.into()))
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.what)
    }
}

impl std::error::Error for Wrong {}
