//! The way to somebody, hop by hop: `10.82.1.1`, `portal.example`, `@default-gateway`.
//!
//! `with: {hops: 16}`: how far it is looked.

use super::place::Place;
use super::{Words, Wrong};

/// The settings it takes.
pub const SETTINGS: &[&str] = &["hops"];

/// Most hops looked at.
pub const MAX_HOPS: u8 = 32;

/// Where nothing is said: a province's network and the Internet beyond its carriers are nearer.
pub const HOPS: u8 = 16;

/// The way to whom, and how far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who.
    pub place: Place,
    /// Hops looked at, 1 to [`MAX_HOPS`].
    pub hops: u8,
}

impl Question {
    /// Understands `words`.
    pub fn of(words: &Words<'_>) -> Result<Question, Wrong> {
        Ok(Question { place: words.place_without_port("path")?, hops: words.number("hops", 1..=MAX_HOPS, HOPS)? })
    }
}
