//! The life TLV: whose start a packet belongs to, and the proof that it is not a recording.
//!
//! ```text
//!   │ version 1 (1) │ role (1) │ 0 (2) │ start id (8) │ cookie (8) │
//! ```

use super::{
    Dropped, Key, mac,
    packet::{self, Mode, field, put},
    tlv::{self, EXTRA_PADDING, HEADER, HMAC, Tlv},
};

/// Type of the life TLV, from RFC 8972's experimental range 240-251.
const LIFE: u8 = 244;
const VERSION: u8 = 1;
const LENGTH: usize = 20;
/// Where the octets after the base begin.
const TAIL: usize = Mode::Authenticated.base_len();
/// Octets of an authenticated packet of ours without Extra Padding.
pub const PACKET: usize = TAIL + HEADER + LENGTH + HEADER + mac::TAG;

/// What a packet is, under its HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Request = 1,
    /// The request counted.
    Heard = 2,
    /// The request did not count; come again with this cookie.
    Challenge = 3,
    /// A request that measures the way and proves nothing.
    Measure = 4,
    /// The answer to it.
    Measured = 5,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub role: Role,
    /// Drawn at random by the sender when it starts.
    pub start: u64,
    /// In a request the last cookie the sender got, 0 for none; in an answer the current one.
    pub cookie: u64,
}

impl Life {
    fn write(self) -> [u8; LENGTH] {
        let mut value = [0; LENGTH];
        value[0] = VERSION;
        value[1] = self.role as u8;
        put(&mut value, 4, self.start.to_be_bytes());
        put(&mut value, 12, self.cookie.to_be_bytes());
        value
    }

    fn read(value: &[u8]) -> Result<Life, Dropped> {
        if value.len() != LENGTH || value[0] != VERSION {
            return Err(Dropped::NoLife);
        }
        let role = match value[1] {
            1 => Role::Request,
            2 => Role::Heard,
            3 => Role::Challenge,
            4 => Role::Measure,
            5 => Role::Measured,
            _ => return Err(Dropped::NoLife),
        };
        let start = u64::from_be_bytes(field(value, 4));
        Ok(Life { role, start, cookie: u64::from_be_bytes(field(value, 12)) })
    }
}

/// Completes a request: life and HMAC TLVs after the base, both HMACs written.
pub(super) fn seal_request(mut packet: Vec<u8>, seq: u32, life: Life, key: &Key) -> Vec<u8> {
    packet.reserve_exact(PACKET - TAIL);
    tlv::push(&mut packet, LIFE, &life.write());
    let hmac = Tlv { kind: HMAC, at: packet.len() - TAIL, length: mac::TAG };
    tlv::push(&mut packet, HMAC, &[0; mac::TAG]);
    tlv::sign(&mut packet[TAIL..], hmac, seq, key);
    packet::sign(&mut packet, key);
    packet
}

/// Completes an answer: the request's TLVs come back, the life TLV with the reflector's word in it.
pub(super) fn seal_answer(mut packet: Vec<u8>, seq: u32, life: Life, request: &Opened, key: &Key) -> Vec<u8> {
    packet.extend(request.tail);
    let tail = &mut packet[TAIL..];
    tlv::reflect(tail, |kind| matches!(kind, LIFE | HMAC | EXTRA_PADDING));
    put(tail, request.life_at, life.write());
    tlv::sign(tail, request.hmac, seq, key);
    packet::sign(&mut packet, key);
    packet
}

/// An authentic packet's TLVs.
#[derive(Debug)]
pub(super) struct Opened<'a> {
    pub life: Life,
    tail: &'a [u8],
    /// Where the life TLV's value is.
    life_at: usize,
    hmac: Tlv,
}

/// Checks both HMACs and reads the life TLV: exactly one, under the HMAC TLV.
pub(super) fn open<'a>(datagram: &'a [u8], key: &Key) -> Result<Opened<'a>, Dropped> {
    packet::verify(datagram, key)?;
    let tail = &datagram[TAIL..];
    if tail.is_empty() {
        return Err(Dropped::NoLife);
    }
    let hmac = tlv::find_hmac(tail)?;
    tlv::verify(tail, hmac, u32::from_be_bytes(field(datagram, 0)), key)?;
    let mut found = tlv::walk(&tail[..hmac.at]).flatten().filter(|tlv| tlv.kind == LIFE);
    let (Some(life), None) = (found.next(), found.next()) else { return Err(Dropped::NoLife) };
    let life_at = life.at + HEADER;
    Ok(Opened { life: Life::read(&tail[life_at..life_at + life.length])?, tail, life_at, hmac })
}
