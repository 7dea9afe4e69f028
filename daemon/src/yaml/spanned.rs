//! A value and where it stands.

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// Where something stands in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Location {
    pub(super) line: u32,
    pub(super) column: u32,
    /// Characters before it.
    pub(super) index: u32,
}

impl Location {
    /// Somewhere.
    pub const UNKNOWN: Location = Location { line: 0, column: 0, index: 0 };

    /// Line from 1; 0 when it is not known.
    pub fn line(&self) -> u64 {
        self.line.into()
    }

    /// Column in characters from 1; 0 when it is not known.
    pub fn column(&self) -> u64 {
        self.column.into()
    }
}

/// A value that knows where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it is written; what an alias repeats stands where the alias does. Unknown where serde buffered it.
    pub referenced: Location,
}

/// The name by which a [`Spanned`] asks for its place: line, column and index, then the value.
pub(super) const PLACED: &str = "haidang_daemon::yaml::Spanned";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Spanned<T>, D::Error> {
        deserializer.deserialize_newtype_struct(PLACED, Placed(PhantomData))
    }
}

struct Placed<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Placed<T> {
    type Value = Spanned<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value and its place")
    }

    /// Of our own reader.
    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Spanned<T>, A::Error> {
        let mut number = |nth| {
            let missing = || de::Error::invalid_length(nth, &"a value and its place");
            parts.next_element::<u32>()?.ok_or_else(missing)
        };
        let referenced = Location { line: number(0)?, column: number(1)?, index: number(2)? };
        let missing = || de::Error::invalid_length(3, &"a value and its place");
        Ok(Spanned { value: parts.next_element()?.ok_or_else(missing)?, referenced })
    }

    /// Of any other.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, other: D) -> Result<Spanned<T>, D::Error> {
        Ok(Spanned { value: T::deserialize(other)?, referenced: Location::UNKNOWN })
    }
}
