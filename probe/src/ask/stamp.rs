//! Unauthenticated STAMP (RFC 8762): a reflector's address and port, `192.0.2.1:862`.
//!
//! `with: {packets: 20, gap: 20ms}`: a train, for loss, delay and its variation, both ways and each; one packet where
//! nothing is said. `size`: octets of UDP payload, by the Extra Padding TLV of RFC 8972. `dscp`: the class of service
//! they are marked with. `source_port`: the UDP port they leave from, for reflectors that answer a known one alone.

use super::place::Endpoint;
use super::{Words, Wrong, short};
use crate::liveness::{MAX_PACKET, Mode};
use std::time::Duration;

/// The settings it takes.
pub const SETTINGS: &[&str] = &["packets", "gap", "size", "dscp", "source_port"];

/// Most packets of one run.
pub const MAX_PACKETS: u16 = 100;
/// Shortest gap between two packets of a run.
const LEAST_GAP: Duration = Duration::from_millis(1);
/// Longest gap.
const MOST_GAP: Duration = Duration::from_secs(1);
/// Where no gap is given: as voice is sent.
const GAP: Duration = Duration::from_millis(20);
/// Octets of a packet without padding.
const BARE: u16 = Mode::Plain.base_len() as u16;
/// Fewest octets with padding: its TLV has a head of four.
const PADDED: u16 = BARE + 4;
/// Largest class of service (RFC 2474).
const MAX_DSCP: u8 = 63;

/// Ports below are for servers, and for root.
const LEAST_SOURCE_PORT: u16 = 1_024;

/// Which reflector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Where it listens.
    pub reflector: Endpoint,
    /// Packets of one run, 1 to [`MAX_PACKETS`].
    pub packets: u16,
    /// From one packet to the next.
    pub gap: Duration,
    /// Octets of UDP payload.
    pub size: u16,
    /// Class of service, 0 to 63.
    pub dscp: u8,
    /// UDP port it is asked from, where the reflector answers one alone; the system chooses where it is 0.
    pub source_port: u16,
}

impl Question {
    /// Understands `words`.
    pub fn of(words: &Words<'_>) -> Result<Question, Wrong> {
        if words.target.starts_with('@') {
            let target = short(words.target);
            let message = format!("`{target}` is not asked by stamp; write the reflector's address and port");
            return Err(Wrong::target(message));
        }
        let size = words.number("size", BARE..=MAX_PACKET as u16, BARE)?;
        if (BARE + 1..PADDED).contains(&size) {
            let message = format!("{size} octets cannot be had: {BARE} are without padding, {PADDED} the least with");
            return Err(Wrong::setting("size", message));
        }
        Ok(Question {
            reflector: words.target.parse()?,
            packets: words.number("packets", 1..=MAX_PACKETS, 1)?,
            gap: words.span("gap", LEAST_GAP..=MOST_GAP, GAP)?,
            size,
            dscp: words.number("dscp", 0..=MAX_DSCP, 0)?,
            source_port: words.number("source_port", LEAST_SOURCE_PORT..=u16::MAX, 0)?,
        })
    }

    /// From the first packet to the last.
    pub fn length(&self) -> Duration {
        self.gap * u32::from(self.packets - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::With;
    use super::*;

    fn asked(with: &[(&str, &str)]) -> Result<Question, Wrong> {
        let with: With = with.iter().copied().collect();
        Question::of(&Words { target: "192.0.2.1:862", with: &with })
    }

    #[test]
    fn a_train_is_asked_for_by_its_settings() {
        let bare = asked(&[]).unwrap();
        assert_eq!((bare.packets, bare.size, bare.dscp), (1, 44, 0));
        let train = asked(&[("packets", "20"), ("gap", "5ms"), ("size", "200"), ("dscp", "46")]).unwrap();
        assert_eq!((train.packets, train.gap, train.size, train.dscp), (20, Duration::from_millis(5), 200, 46));
    }

    #[test]
    fn what_cannot_be_sent_is_refused_at_its_setting() {
        for (key, value) in
            [("packets", "0"), ("packets", "101"), ("gap", "0ms"), ("gap", "2s"), ("size", "43"), ("size", "46"), ("size", "1473"), ("dscp", "64"), ("source_port", "862")]
        {
            assert_eq!(asked(&[(key, value)]).unwrap_err().setting.as_deref(), Some(key), "{key}: {value}");
        }
    }
}
