//! STAMP, both roles and both modes. The HMACs are written after the mutation, as somebody who holds a key could: else
//! nothing behind them would ever be reached.

use haidang_probe::liveness::{
    Dropped, Key, MAX_PACKET, Mode, Now, PlainSender, Reflector, Sender, TTL_UNKNOWN, reflect_plain,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

const KEY: [u8; 32] = [7; 32];
const SSID: u16 = 8;
const START: u64 = 0x0102_0304_0506_0708;
const TAG: usize = 16;
/// Octets of a TLV's flags, type and length.
const HEADER: usize = 4;
/// Type of the HMAC TLV (RFC 8972 §4.8).
const HMAC: u8 = 8;

fn at(mono_ns: u64) -> Now {
    Now { mono_ns, utc_ns: 1_795_000_000_000_000_000 + mono_ns as i64, bound_ns: 1_000_000 }
}

fn tag(parts: [&[u8]; 2]) -> [u8; TAG] {
    let mut mac = Hmac::<Sha256>::new_from_slice(&KEY).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes()[..TAG].try_into().expect("SHA-256 is longer")
}

/// The packet with both HMACs as they should be, where there is room for them.
fn signed(octets: &[u8]) -> Vec<u8> {
    let mut packet = octets.to_vec();
    let base = Mode::Authenticated.base_len();
    if packet.len() < base {
        return packet;
    }
    let mut at = base;
    while let Some(&[_, kind, high, low]) = packet.get(at..at + HEADER) {
        let value = at + HEADER;
        let next = value + usize::from(u16::from_be_bytes([high, low]));
        if kind == HMAC && next - value == TAG && next <= packet.len() {
            let written = tag([&packet[..4], &packet[base..at]]);
            packet[value..next].copy_from_slice(&written);
            break;
        }
        at = next;
    }
    let written = tag([&packet[..base - TAG], &[]]);
    packet[base - TAG..base].copy_from_slice(&written);
    packet
}

/// A reflector hears it, also one that has admitted its start, and never answers with more than it was sent.
pub fn request(octets: &[u8]) {
    let mut reflector = Reflector::new(&[1; 32]);
    reflector.allow(SSID, Key::new(&KEY));
    let mut sender = Sender::new(SSID, Key::new(&KEY), START);
    for _ in 0..2 {
        let (_, asked) = sender.next(&at(0));
        let reflected = reflector.receive(&asked, TTL_UNKNOWN, &at(0), &at(0)).expect("a request is heard");
        sender.receive(&reflected.into_reply(), &at(1)).expect("an answer counts");
    }
    for datagram in [octets.to_vec(), signed(octets)] {
        let Ok(reflected) = reflector.receive(&datagram, TTL_UNKNOWN, &at(1_000), &at(2_000)) else {
            continue;
        };
        assert!(reflected.into_reply().len() <= datagram.len(), "an answer longer than its request");
    }
}

/// A sender that asked hears it.
pub fn answer(octets: &[u8]) {
    let mut sender = Sender::new(SSID, Key::new(&KEY), START);
    let _ = sender.next(&at(0));
    let _ = sender.measure(&at(0), 600);
    for datagram in [octets.to_vec(), signed(octets)] {
        if sender.receive(&datagram, &at(5_000_000)).is_ok() {
            let again = sender.receive(&datagram, &at(5_000_001));
            assert_eq!(again.err(), Some(Dropped::Replayed), "an answer counted twice");
        }
    }
}

/// The unauthenticated form, both roles.
pub fn plain(octets: &[u8]) {
    let mut sender = PlainSender::new(SSID);
    let _ = sender.next(&at(0));
    let _ = sender.receive(octets, &at(5_000_000));
    let Ok(reply) = reflect_plain(octets, 64, &at(1_000), &at(2_000)) else { return };
    assert_eq!(reply.len(), octets.len(), "an answer is as long as its request");
    assert!(reply.len() <= MAX_PACKET);
}
