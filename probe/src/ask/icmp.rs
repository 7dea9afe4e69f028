//! ICMP echo: `10.82.1.1`, `gw.example`, `@default-gateway`, `@resolver`.
//!
//! `with: {packets: 10, gap: 20ms}`: a burst, for loss, quantiles and jitter; one packet where nothing is said.
//! `size`: octets of each packet after the ICMP header.

use super::place::Place;
use super::{Words, Wrong};
use std::time::Duration;

/// The settings it takes.
pub const SETTINGS: &[&str] = &["packets", "gap", "size"];

/// Most packets of one run.
pub const MAX_PACKETS: u16 = 100;

/// Shortest gap between two packets of a run. The agent sends in slots of 10 ms, and makes a shorter gap one of them.
const LEAST_GAP: Duration = Duration::from_millis(5);
/// Longest gap.
const MOST_GAP: Duration = Duration::from_secs(1);

/// Where no gap is given.
const GAP: Duration = Duration::from_millis(20);

/// Fewest octets: the agent's own mark, by which it knows its replies.
pub const LEAST_SIZE: u16 = 16;

/// Most octets: a jumbo frame.
pub const MAX_SIZE: u16 = 8972;

/// As `ping` sends them by default.
const SIZE: u16 = 56;

/// Whom to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who.
    pub place: Place,
    /// Packets of one run, 1 to [`MAX_PACKETS`].
    pub packets: u16,
    /// From one packet to the next.
    pub gap: Duration,
    /// Octets after the ICMP header.
    pub size: u16,
}

impl Question {
    /// Understands `words`.
    pub fn of(words: &Words<'_>) -> Result<Question, Wrong> {
        Ok(Question {
            place: words.place_without_port("icmp")?,
            packets: words.number("packets", 1..=MAX_PACKETS, 1)?,
            gap: words.span("gap", LEAST_GAP..=MOST_GAP, GAP)?,
            size: words.number("size", LEAST_SIZE..=MAX_SIZE, SIZE)?,
        })
    }

    /// From the first packet to the last.
    pub fn length(&self) -> Duration {
        self.gap * u32::from(self.packets - 1)
    }
}
