//! Packets of a trace, and what routers quote of them. Pure.
//!
//! A trace's packets differ in their hop limit, and routers that share load over several ways choose one by the first
//! octets after the IP header. So these are the same in all packets of a trace, and of all traces to a target (Paris
//! traceroute, Augustin et al. 2006):
//!
//! ```text
//!  type │ code │ checksum │ identifier │ sequence           │ cookie │ …  │ balance  │ fill
//!  same │ same │ same     │ same       │ salt, round, hop   │        │    │ what keeps the checksum the same
//! ```
//!
//! An answer counts when it quotes our identifier, a sequence of this trace and the target, and where it quotes that
//! much, the cookie. A quote of no more than RFC 792's eight octets proves little, but old routers give no more: who did not
//! see the packet has to guess sixteen bits of identifier and nine of salt. What follows the quote (RFC 4884) is not read.

use crate::icmp::packet::{self, Departing, Family, Heard, Mark};
use std::net::IpAddr;

/// Octets of a packet after its ICMP header, as `ping` sends them: firewalls know these.
const SIZE: u16 = 56;

/// Where the sixteen bits are that balance the checksum: the last of the mark.
const BALANCE: usize = packet::HEADER + packet::MARK - 2;

/// Bits of the sequence that hold the hop, and the one above them for the round.
const HOP_BITS: u16 = 6;
const HOP: u16 = (1 << HOP_BITS) - 1;
const ROUND: u16 = 1 << HOP_BITS;
/// The rest.
const SALT: u16 = !(HOP | ROUND);

/// What is the same in all packets of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Who is asked.
    pub target: IpAddr,
    /// The echo's identifier, as it is on the wire.
    pub identifier: u16,
    /// The ICMP checksum (IPv4; of IPv6 before the addresses are added to it), neither 0 nor 0xffff.
    pub checksum: u16,
    /// What nobody knows who has not seen a packet of this trace.
    pub cookie: u64,
    /// Bits of the sequence that differ from trace to trace.
    pub salt: u16,
}

/// Which packet of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// Its hop limit, from 1.
    pub hop: u8,
    /// Whether it is the second one with this hop limit.
    pub again: bool,
}

/// Why somebody on the way does not let a packet pass (RFC 792, RFC 1812 §5.2.7, RFC 4443 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It knows no way to the target's network.
    NoNetwork,
    /// It is the target's neighbour, and the target does not answer it.
    NoTarget,
    /// It is told not to let it pass.
    Prohibited,
    /// Anything else.
    Other,
}

impl Reason {
    /// Name in events.
    pub fn name(self) -> &'static str {
        match self {
            Reason::NoNetwork => "no-network",
            Reason::NoTarget => "no-target",
            Reason::Prohibited => "prohibited",
            Reason::Other => "unreachable",
        }
    }
}

/// What somebody on the way says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It has come so far and no further: its hop limit is used up.
    Passing,
    /// It is the target.
    Here,
    /// It does not let it pass.
    NoWay(Reason),
}

/// An answer to a packet of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// To which.
    pub step: Step,
    /// What it says.
    pub said: Said,
}

impl Flow {
    /// Writes the packet of `step` into `packet`, over what is there.
    pub fn write(&self, step: Step, packet: &mut Vec<u8>) {
        let seat = self.sequence(step);
        let mark = Mark { seat, cookie: self.cookie };
        let departing = Departing { address: self.target, mark, size: SIZE };
        packet::request(packet, Family::of(self.target), self.identifier, &departing);
        let written = u16::from_be_bytes([packet[2], packet[3]]);
        let balance = sum(!self.checksum, written);
        packet[BALANCE..BALANCE + 2].copy_from_slice(&balance.to_be_bytes());
        // A raw IPv4 socket sends it as it is here; elsewhere the kernel comes to the same.
        packet[2..4].copy_from_slice(&self.checksum.to_be_bytes());
    }

    /// What an ICMP message says of this trace: `packet` begins at its ICMP header, `identifier` is ours where the kernel
    /// has not compared it.
    pub fn read(&self, packet: &[u8], identifier: Option<u16>) -> Option<Answer> {
        let family = Family::of(self.target);
        let said = |kind, code| said(family, kind, code);
        self.answer(packet::heard(family, packet, identifier)?, said(*packet.first()?, *packet.get(1)?))
    }

    /// What an error in a datagram socket's queue says, of `kind` and `code`, that quotes `quoted` from its ICMP header on.
    pub fn read_error(&self, kind: u8, code: u8, quoted: &[u8]) -> Option<Answer> {
        let family = Family::of(self.target);
        let said = Some(said(family, kind, code)?);
        self.answer(packet::no_way(family, quoted, None, self.target)?, said)
    }

    fn answer(&self, heard: Heard, error: Option<Said>) -> Option<Answer> {
        let (seat, said) = match heard {
            Heard::Reply(mark) if mark.cookie == self.cookie => (mark.seat, Said::Here),
            Heard::NoWay { seat, cookie, target }
                if target == self.target && cookie.is_none_or(|cookie| cookie == self.cookie) =>
            {
                (seat, error?)
            }
            _ => return None,
        };
        let step = Step { hop: (seat & HOP) as u8, again: seat & ROUND != 0 };
        (step.hop > 0 && seat & SALT == self.salt & SALT).then_some(Answer { step, said })
    }

    fn sequence(&self, step: Step) -> u16 {
        let round = if step.again { ROUND } else { 0 };
        self.salt & SALT | round | u16::from(step.hop) & HOP
    }
}

/// What an ICMP error of this type and code says; none where it says nothing of the way.
fn said(family: Family, kind: u8, code: u8) -> Option<Said> {
    let said = match (family, kind, code) {
        (Family::V4, 11, 0) | (Family::V6, 3, 0) => Said::Passing,
        (Family::V4, 3, 4) => return None,
        (Family::V4, 3, 0 | 6 | 11) | (Family::V6, 1, 0) => Said::NoWay(Reason::NoNetwork),
        (Family::V4, 3, 1 | 7 | 12) | (Family::V6, 1, 3) => Said::NoWay(Reason::NoTarget),
        (Family::V4, 3, 9 | 10 | 13) | (Family::V6, 1, 1 | 5 | 6) => Said::NoWay(Reason::Prohibited),
        (Family::V4, 3, _) | (Family::V6, 1, _) => Said::NoWay(Reason::Other),
        _ => return None,
    };
    Some(said)
}

/// One's complement sum.
fn sum(a: u16, b: u16) -> u16 {
    let (sum, carried) = a.overflowing_add(b);
    sum + u16::from(carried)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: [u8; 4] = [198, 51, 100, 9];

    fn flow(target: impl Into<IpAddr>) -> Flow {
        let cookie = 0x0123_4567_89ab_cdef;
        Flow { target: target.into(), identifier: 0x4bdb, checksum: 0x1234, cookie, salt: 0xabff }
    }

    fn step(hop: u8, again: bool) -> Step {
        Step { hop, again }
    }

    fn sent(flow: &Flow, step: Step) -> Vec<u8> {
        let mut packet = Vec::new();
        flow.write(step, &mut packet);
        packet
    }

    /// A router's error about a packet to `target` of which it quotes `quoted`.
    fn error(kind: u8, code: u8, target: [u8; 4], quoted: &[u8]) -> Vec<u8> {
        let mut packet = vec![kind, code, 0, 0, 0, 0, 0, 0];
        packet.extend([0x45, 0, 0, 84, 0, 0, 0, 0, 1, 1, 0, 0, 127, 0, 0, 1]);
        packet.extend(target);
        packet.extend(quoted);
        packet
    }

    #[test]
    fn routers_that_share_load_see_one_flow() {
        let (flow, mut heads, mut rests) = (flow(TARGET), Vec::new(), Vec::new());
        for hop in 1..=32 {
            for again in [false, true] {
                let packet = sent(&flow, step(hop, again));
                let words = packet.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
                assert_eq!(words.sum::<u32>() % 0xffff, 0, "the checksum is right");
                heads.push(packet[..6].to_vec());
                rests.push(packet[6..8].to_vec());
            }
        }
        heads.dedup();
        assert_eq!(heads, [[8, 0, 0x12, 0x34, 0x4b, 0xdb]], "type, code, checksum, identifier");
        rests.sort();
        rests.dedup();
        assert_eq!(rests.len(), 64, "each packet is known by its sequence");
    }

    #[test]
    fn each_answer_names_its_packet() {
        let flow = flow(TARGET);
        let packet = sent(&flow, step(7, true));
        let read = |kind, code, quoted: &[u8]| flow.read(&error(kind, code, TARGET, quoted), Some(0x4bdb));
        for (kind, code, said) in [
            (11, 0, Said::Passing),
            (3, 0, Said::NoWay(Reason::NoNetwork)),
            (3, 1, Said::NoWay(Reason::NoTarget)),
            (3, 13, Said::NoWay(Reason::Prohibited)),
            (3, 3, Said::NoWay(Reason::Other)),
        ] {
            let answer = Some(Answer { step: step(7, true), said });
            assert_eq!(read(kind, code, &packet), answer, "{kind}/{code}");
            assert_eq!(read(kind, code, &packet[..8]), answer, "{kind}/{code}, the least quote");
            assert_eq!(flow.read_error(kind, code, &packet), answer, "{kind}/{code}, by the error queue");
            assert_eq!(read(kind, code, &packet[..7]), None);
        }
        assert_eq!(read(11, 1, &packet), None, "pieces that did not come together");
        assert_eq!(read(3, 4, &packet), None, "too big: the kernel mends it");
        let mut reply = packet;
        reply[0] = 0;
        assert_eq!(flow.read(&reply, None), Some(Answer { step: step(7, true), said: Said::Here }));
    }

    #[test]
    fn what_follows_the_quote_is_not_read() {
        let flow = flow(TARGET);
        let mut labelled = error(11, 0, TARGET, &sent(&flow, step(3, false)));
        labelled.resize(128 + 8, 0);
        // RFC 4884 and RFC 4950: an extension of one MPLS label.
        labelled.extend([0x20, 0, 0, 0, 0, 8, 1, 1, 0xff, 0xff, 0xff, 0xff]);
        let answer = flow.read(&labelled, Some(0x4bdb));
        assert_eq!(answer, Some(Answer { step: step(3, false), said: Said::Passing }));
    }

    #[test]
    fn another_traces_answers_are_not_ours() {
        let ours = flow(TARGET);
        for theirs in [
            Flow { cookie: 1, ..ours },
            Flow { salt: 0, ..ours },
            Flow { identifier: 1, ..ours },
            flow([198, 51, 100, 10]),
        ] {
            let packet = sent(&theirs, step(2, false));
            let IpAddr::V4(target) = theirs.target else { continue };
            let heard = error(11, 0, target.octets(), &packet);
            assert_eq!(ours.read(&heard, Some(0x4bdb)), None, "{theirs:?}");
        }
    }

    #[test]
    fn of_ipv6_the_same_is_told() {
        let flow = flow("2001:db8::9".parse::<IpAddr>().unwrap());
        let packet = sent(&flow, step(4, false));
        for (kind, code, said) in [
            (3, 0, Said::Passing),
            (1, 0, Said::NoWay(Reason::NoNetwork)),
            (1, 1, Said::NoWay(Reason::Prohibited)),
            (1, 3, Said::NoWay(Reason::NoTarget)),
        ] {
            let answer = Some(Answer { step: step(4, false), said });
            assert_eq!(flow.read_error(kind, code, &packet), answer, "{kind}/{code}");
        }
        assert_eq!(flow.read_error(2, 0, &packet), None, "too big");
    }
}
