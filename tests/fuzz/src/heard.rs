//! What an agent hears unasked, and what answers its echoes.

use haidang_agent::icmp::packet::{Family, heard, inside_v4, no_way};
use haidang_agent::listen::frame::{Frame, Frames, MAX_MESSAGE};
use haidang_agent::listen::{dhcp, netlink, syslog as log};
use haidang_agent::path::wire::{Flow, Step};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A syslog message.
pub fn syslog(octets: &[u8]) {
    let Some(header) = log::read(octets) else { return };
    assert!(header.app.is_ascii() && !header.app.contains(char::is_whitespace), "text was taken for a name");
}

/// A stream of them. The first octet says where it is cut in two: the messages are the same.
pub fn syslog_stream(octets: &[u8]) {
    let Some((&cut, stream)) = octets.split_first() else { return };
    let cut = usize::from(cut) * stream.len() / 256;
    assert_eq!(messages(&[stream]), messages(&[&stream[..cut], &stream[cut..]]));
}

fn messages(pieces: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
    let mut frames = Frames::default();
    let mut all = Vec::new();
    for piece in pieces {
        frames.take(piece, |frame| match frame {
            Frame::Message(message) => {
                assert!(message.len() <= MAX_MESSAGE);
                all.push(Some(message.to_vec()));
            }
            Frame::TooLong => all.push(None),
        });
    }
    all
}

/// An IP packet that may be a DHCP server's.
pub fn dhcp_answer(octets: &[u8]) {
    let _ = dhcp::read_answer(octets);
}

/// The kernel's messages about neighbours.
pub fn neighbours(octets: &[u8]) {
    let mut seen = 0;
    netlink::read(octets, |_| seen += 1);
    assert!(seen <= octets.len() / 16, "more neighbours than messages");
}

/// ICMP as a socket gives it, of both versions of IP, with the header and without.
pub fn icmp(octets: &[u8]) {
    let ways: [(Family, IpAddr); 2] =
        [(Family::V4, Ipv4Addr::LOCALHOST.into()), (Family::V6, Ipv6Addr::LOCALHOST.into())];
    for (family, target) in ways {
        for identifier in [None, Some(1)] {
            let _ = heard(family, octets, identifier);
            let _ = no_way(family, octets, identifier, target);
        }
    }
    if let Some(inside) = inside_v4(octets) {
        let _ = heard(Family::V4, inside, Some(1));
    }
}

/// What routers say of a trace's packets, and quote of them, by both kinds of socket. The first two octets are type and code
/// of an error in a datagram socket's queue.
pub fn path(octets: &[u8]) {
    for target in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        let cookie = u64::from_be_bytes([1; 8]);
        let flow = Flow { target, identifier: 1, checksum: 0x1234, cookie, salt: 0 };
        let queued = octets
            .split_first_chunk()
            .and_then(|([kind, code], quoted)| flow.read_error(*kind, *code, quoted));
        for answer in [flow.read(octets, None), flow.read(octets, Some(1)), queued].into_iter().flatten() {
            let Step { hop, again } = answer.step;
            assert!((1..64).contains(&hop), "an answer to a packet that cannot have been sent");
            let mut packet = Vec::new();
            flow.write(Step { hop, again }, &mut packet);
            assert_eq!(packet[2..4], [0x12, 0x34], "another flow");
        }
    }
}
