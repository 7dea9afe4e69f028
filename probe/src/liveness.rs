//! Liveness packets: STAMP (RFC 8762) with session ids and TLVs (RFC 8972). Codec and sessions; no socket, no clock.
//!
//! Per uplink two authenticated sessions share one UDP socket on each side. Session n is *up*: the agent has
//! its [`Sender`], the collector its [`Reflector`]. Session n + 1 is *down*: the other way round. Whoever owns
//! the socket asks [`ssid_of`] and hands the datagram to the one that has this id.
//!
//! ```text
//!   0          112            136             156      + Extra Padding, if any
//!   ├─ base ────┼─ life TLV ───┼─ HMAC TLV ────┤
//!   │ HMAC-SHA-256/128 over    │ HMAC-SHA-256/128 over
//!   │ the first 96 octets      │ the sequence number and all TLVs before it
//!
//!   life TLV, type 244 of RFC 8972's experimental range 240-251:
//!   │ U M I … │ type 244 │ length 20 │ version 1 │ role │ 0 0 │ start id (8) │ cookie (8) │
//! ```
//!
//! # What counts as life
//!
//! A recorded packet is as authentic as the day it was sent, so authenticity alone proves nothing about
//! today. Each sender draws a random *start id* when it starts; each reflector hands out a *cookie* in every
//! answer. A start is admitted only by a packet that carries it with a fresh cookie, and within an admitted
//! start each sequence number counts once ([`Window`], 64 packets).
//!
//! ```text
//!   sender (start S)                                   reflector
//!     seq 0  S, no cookie      ───────────────────▶    S not admitted, cookie not fresh
//!                              ◀───────────────────    challenge: cookie c        (proves nothing, counts nothing)
//!     seq 1  S, c              ───────────────────▶    c fresh: admit S, new generation, window opens at 1
//!                              ◀───────────────────    heard, count 1, cookie c'
//!     seq 2  S, c'             ───────────────────▶    S admitted: only the window is asked
//! ```
//!
//! cookie = HMAC(reflector's key, session id ‖ generation ‖ minute), 64 bits; the minutes now, one ago and two ago are
//! fresh. The generation grows with each admitted start, so *a cookie admits one start only*. The source
//! address is not part of it: NAT and failover change the address of an honest sender.
//!
//! - **Replay within a start**: the window has seen it. **Replay of an earlier start**: its cookies are of an
//!   earlier generation, so it is answered with a challenge and changes nothing. Learn a peer's
//!   address from [`Reflected::Heard`] only.
//! - **Reorder** up to 63 packets is accepted; packets from before the admitting one are not.
//! - **Sender restarts**: a new start id; one round trip, then it is heard again.
//! - **Reflector restarts**: it draws a new key and forgets starts and cookies; the sender's next packet is
//!   challenged, the one after it is heard. Nothing recorded before the restart is fresh.
//! - **Answers thrown back as requests**: the role octet, under the HMAC, tells them apart.
//! - **Only one direction works**: an admitted start needs no further cookie, so packets go on being heard while
//!   every answer is lost. A start that was never admitted stays silent until both directions work.
//! - **Left open**: someone on the path can hold packets back and deliver them later, each once. Inside a
//!   start that has no limit but the window; as life of a new start it has the cookie's three minutes.
//!
//! # Measuring packets
//!
//! Role 4, answered by role 5: of the same session and start, padded to any length, with numbers and a window of their
//! own. They measure the way ([`Sender::measure`]) and are no sign of life, so that one too long for the way is no loss
//! either. Only an admitted start is answered, [`MEASURES`] times a minute.
//!
//! An answer is never longer than its request, and nothing but an authentic request is answered.
//!
//! The unauthenticated form, for `stamp` checks and the rehearsal's reflectors, is [`PlainSender`] and
//! [`reflect_plain`]: stateless, and a measurement rather than a proof.
//!
//! Fuzz entry points: [`Reflector::receive`], [`Sender::receive`], [`PlainSender::receive`], [`reflect_plain`].

#[cfg(test)]
mod conversation;
mod dropped;
mod life;
mod mac;
#[cfg(test)]
mod measuring;
mod ntp;
mod outstanding;
mod packet;
mod plain;
mod reflector;
mod sender;
mod tlv;
mod window;

pub use dropped::Dropped;
pub use life::PACKET;
pub use mac::Key;
pub use ntp::{ErrorEstimate, Now, Ntp};
pub use outstanding::Reply;
pub use packet::{Answer, Mode, Request, ssid_of};
pub use plain::{PlainSender, reflect_plain};
pub use reflector::{Heard, MEASURES, Reflected, Reflector};
pub use sender::Sender;
pub use window::Window;

/// Octets of the longest packet read; longer ones are dropped. An Ethernet frame's UDP payload over IPv4.
pub const MAX_PACKET: usize = 1_472;

/// The time-to-live to report when the socket does not tell it (RFC 8762 §4.3).
pub const TTL_UNKNOWN: u8 = 255;

/// Session id of the down session that belongs to an up session.
pub fn down_session(up: u16) -> u16 {
    up.wrapping_add(1)
}
