//! Echo packets on the wire (RFC 792, RFC 4443): made, known again, and refused when they are not ours.
//!
//! ```text
//!  0       1       2       4           6           8                16      20      24
//!  ┌───────┬───────┬───────┬───────────┬───────────┬────────────────┬───────┬───────┬─ ─ ─ ─┐
//!  │ type  │ code  │ check │ identifier│ sequence  │ cookie         │ seat  │ zero  │ fill  │
//!  └───────┴───────┴───────┴───────────┴───────────┴────────────────┴───────┴───────┴─ ─ ─ ─┘
//! ```
//!
//! The cookie is a keyed hash of seat and turn ([`super::flights`]): who has not seen this very packet cannot make its
//! reply. The sequence is the seat, so that a router's error that quotes no more than the eight octets RFC 792 asks for
//! still names the packet; it counts only if it also quotes the address we asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Octets of the ICMP header of an echo.
pub const HEADER: usize = 8;

/// Octets of our mark after it.
pub const MARK: usize = 16;

/// Octets after which the fill begins.
const FILL_AT: usize = HEADER + MARK;

/// What the rest of a packet is filled with.
const FILL: u8 = 0x48;

/// What every echo packet has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which packet under way.
    pub seat: u16,
    /// What only its receiver and its way have seen.
    pub cookie: u64,
}

/// A packet to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departing {
    /// To whom.
    pub address: IpAddr,
    /// What it carries.
    pub mark: Mark,
    /// Octets after the ICMP header.
    pub size: u16,
}

/// IP version 4 or 6: they number ICMP's types differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// RFC 792.
    V4,
    /// RFC 4443.
    V6,
}

impl Family {
    /// The family of `address`.
    pub fn of(address: IpAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    fn request(self) -> u8 {
        if self == Family::V4 { 8 } else { 128 }
    }

    fn reply(self) -> u8 {
        if self == Family::V4 { 0 } else { 129 }
    }
}

/// What came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An echo reply with a mark.
    Reply(Mark),
    /// An error that quotes a request of ours to `target`; the cookie is missing where the quote is too short for it.
    NoWay {
        /// From the quoted sequence.
        seat: u16,
        /// From the quoted mark.
        cookie: Option<u64>,
        /// Whom the quoted packet was for.
        target: IpAddr,
    },
}

/// Writes a request into `packet`, over what is there.
pub fn request(packet: &mut Vec<u8>, family: Family, identifier: u16, departing: &Departing) {
    let Departing { mark, size, .. } = *departing;
    packet.clear();
    packet.extend([family.request(), 0, 0, 0]);
    packet.extend(identifier.to_be_bytes());
    packet.extend(mark.seat.to_be_bytes());
    packet.extend(mark.cookie.to_be_bytes());
    packet.extend(u32::from(mark.seat).to_be_bytes());
    packet.extend([0; 4]);
    packet.resize((HEADER + usize::from(size)).max(FILL_AT), FILL);
    // The kernel writes its own over this one, save on a raw IPv4 socket.
    let sum = checksum(packet).to_be_bytes();
    packet[2..4].copy_from_slice(&sum);
}

/// The header of a request that is never sent.
pub fn request_header(family: Family) -> [u8; HEADER] {
    [family.request(), 0, 0, 0, 0, 0, 0, 0]
}

/// The Internet checksum (RFC 1071) of `octets`, whose own field is zero.
fn checksum(octets: &[u8]) -> u16 {
    let words = octets
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or_default()])));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    !((sum & 0xffff) + (sum >> 16)) as u16
}

/// What an ICMP message says to us. `identifier` is ours on a raw socket; `None` where the kernel has compared it.
/// `packet` may be cut short: [`super::sockets::Inbox`] keeps its first octets.
pub fn heard(family: Family, packet: &[u8], identifier: Option<u16>) -> Option<Heard> {
    let (kind, code) = (*packet.first()?, *packet.get(1)?);
    if kind == family.reply() {
        let echo = Echo::of(packet)?;
        let cookie = echo.cookie.filter(|_| echo.is(identifier))?;
        return Some(Heard::Reply(Mark { seat: echo.seat, cookie }));
    }
    if !says_no_way(family, kind, code) {
        return None;
    }
    let (target, quoted) = quote(family, packet.get(HEADER..)?)?;
    no_way(family, quoted, identifier, target)
}

/// What a quoted request of ours says: `quoted` begins at its ICMP header.
pub fn no_way(family: Family, quoted: &[u8], identifier: Option<u16>, target: IpAddr) -> Option<Heard> {
    let echo = Echo::of(quoted).filter(|echo| echo.kind == family.request() && echo.is(identifier))?;
    Some(Heard::NoWay { seat: echo.seat, cookie: echo.cookie, target })
}

/// Whether by an error of this type and code a router, or the target, says that there is no way: destination
/// unreachable, time exceeded, parameter problem. "Too big" is for the kernel, which sends smaller pieces from then on.
pub fn says_no_way(family: Family, kind: u8, code: u8) -> bool {
    match family {
        Family::V4 => matches!(kind, 11 | 12) || kind == 3 && code != 4,
        Family::V6 => matches!(kind, 1 | 3 | 4),
    }
}

/// The ICMP part of an IPv4 packet, as a raw socket receives it.
pub fn inside_v4(packet: &[u8]) -> Option<&[u8]> {
    let words = packet.first().filter(|first| *first >> 4 == 4)? & 0xf;
    packet.get(usize::from(words.max(5)) * 4..)
}

/// Whom a quoted IP packet was for, and what it held.
fn quote(family: Family, packet: &[u8]) -> Option<(IpAddr, &[u8])> {
    match family {
        Family::V4 => {
            let to: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
            let icmp = packet[9] == 1;
            Some((IpAddr::V4(Ipv4Addr::from(to)), inside_v4(packet).filter(|_| icmp)?))
        }
        Family::V6 => {
            let to: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
            let icmp = packet[6] == 58;
            Some((IpAddr::V6(Ipv6Addr::from(to)), packet.get(40..).filter(|_| icmp)?))
        }
    }
}

/// The fields of an echo, its mark where it is long enough.
struct Echo {
    kind: u8,
    identifier: u16,
    seat: u16,
    cookie: Option<u64>,
}

impl Echo {
    fn of(packet: &[u8]) -> Option<Echo> {
        let header: [u8; HEADER] = packet.get(..HEADER)?.try_into().ok()?;
        let [kind, _, _, _, a, b, c, d] = header;
        let cookie = packet.get(HEADER..HEADER + 8).and_then(|octets| octets.try_into().ok());
        Some(Echo {
            kind,
            identifier: u16::from_be_bytes([a, b]),
            seat: u16::from_be_bytes([c, d]),
            cookie: cookie.map(u64::from_be_bytes),
        })
    }

    fn is(&self, identifier: Option<u16>) -> bool {
        identifier.is_none_or(|ours| self.identifier == ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: u16 = 0x4bdb;
    const MARK_7: Mark = Mark { seat: 7, cookie: 0x0123_4567_89ab_cdef };

    fn sent(family: Family, size: u16) -> Vec<u8> {
        let mut packet = Vec::new();
        let address = IpAddr::from([192, 0, 2, 1]);
        request(&mut packet, family, OURS, &Departing { address, mark: MARK_7, size });
        packet
    }

    /// A router's error of `kind` that quotes the first `length` octets of our packet to `target`.
    fn error(kind: u8, target: [u8; 4], protocol: u8, quoted: &[u8]) -> Vec<u8> {
        let mut packet = vec![kind, 1, 0, 0, 0, 0, 0, 0];
        packet.extend([0x45, 0, 0, 84, 0, 0, 0, 0, 64, protocol, 0, 0, 127, 0, 0, 1]);
        packet.extend(target);
        packet.extend(quoted);
        packet
    }

    #[test]
    fn a_request_sums_to_nothing_and_has_the_size_asked_for() {
        for size in [16, 17, 56, 1472] {
            let packet = sent(Family::V4, size);
            assert_eq!(packet.len(), HEADER + usize::from(size));
            let mut copy = packet.clone();
            copy[2..4].fill(0);
            assert_eq!(packet[2..4], checksum(&copy).to_be_bytes());
        }
    }

    #[test]
    fn a_reply_is_known_by_its_mark() {
        for (family, kind) in [(Family::V4, 0), (Family::V6, 129)] {
            let mut packet = sent(family, 56);
            assert_eq!(heard(family, &packet, Some(OURS)), None, "our own request is no reply");
            packet[0] = kind;
            assert_eq!(heard(family, &packet, Some(OURS)), Some(Heard::Reply(MARK_7)));
            assert_eq!(heard(family, &packet, None), Some(Heard::Reply(MARK_7)));
            assert_eq!(heard(family, &packet, Some(OURS + 1)), None, "another program's");
            for length in 0..HEADER + 8 {
                assert_eq!(heard(family, &packet[..length], Some(OURS)), None, "{length} octets");
            }
        }
    }

    #[test]
    fn a_routers_error_is_ours_by_what_it_quotes() {
        let (request, target) = (sent(Family::V4, 56), [198, 51, 100, 9]);
        let to = IpAddr::from(target);
        for kind in [3, 11, 12] {
            let whole = heard(Family::V4, &error(kind, target, 1, &request), Some(OURS));
            let seat = MARK_7.seat;
            assert_eq!(whole, Some(Heard::NoWay { seat, cookie: Some(MARK_7.cookie), target: to }));
            let least = heard(Family::V4, &error(kind, target, 1, &request[..8]), Some(OURS));
            assert_eq!(least, Some(Heard::NoWay { seat, cookie: None, target: to }));
        }
        assert_eq!(heard(Family::V4, &error(3, target, 17, &request), Some(OURS)), None, "quotes UDP");
        assert_eq!(heard(Family::V4, &error(3, target, 1, &request), Some(OURS + 1)), None);
        assert_eq!(heard(Family::V4, &error(5, target, 1, &request), Some(OURS)), None, "a redirect");
        let mut too_big = error(3, target, 1, &request);
        too_big[1] = 4;
        assert_eq!(heard(Family::V4, &too_big, Some(OURS)), None, "the kernel mends it");
        for length in 0..error(3, target, 1, &request[..8]).len() {
            assert_eq!(heard(Family::V4, &error(3, target, 1, &request)[..length], Some(OURS)), None);
        }
    }

    #[test]
    fn options_before_the_icmp_part_are_skipped() {
        let mut packet = vec![0x46; 24];
        packet.extend([9, 9]);
        assert_eq!(inside_v4(&packet), Some(&[9, 9][..]));
        assert_eq!(inside_v4(&packet[..20]), None);
        assert_eq!(inside_v4(&[0x60; 48]), None);
        assert_eq!(inside_v4(&[]), None);
    }
}
