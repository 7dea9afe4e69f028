//! DHCP servers that are not ours (RFC 2131): whoever answers on the LAN and is not the default gateway.
//!
//! ```text
//! IP │ UDP 67 → … │ BOOTREPLY … │ 99.130.83.99 │ 53: OFFER, ACK or NAK │ 54: server
//! ```
//!
//! Passive: a packet socket whose filter in the kernel passes nothing but what leaves port 67, so that answers to others
//! are seen as far as the LAN shows them to us (broadcasts always). It needs `CAP_NET_RAW` and nothing else. Our own
//! answers, where this machine is the server, are not seen by it.

use super::ear::Ear;
use super::{Said, Tools};
use haidang_probe::ask::place::Place;
use haidang_probe::event::{EventKind, Field};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tokio::net::UdpSocket;

/// Strangers remembered; one more is told and not remembered.
const MAX_STRANGERS: usize = 64;
/// Between two tellings of the same stranger.
const AGAIN: Duration = Duration::from_secs(3600);
/// Octets of a packet that are looked at.
const LOOK: usize = 1500;
/// `ETH_P_IP` (`linux/if_ether.h`).
const ETHERTYPE_IP: u16 = 0x0800;
/// UDP port of servers.
const SERVER: u16 = 67;

/// Whether strangers are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings;

impl Settings {
    /// What the plan says of it.
    pub fn of(said: &Said) -> Option<Settings> {
        said.listening.dhcp.then_some(Settings)
    }
}

/// Listens until it cannot.
pub async fn run(_settings: Settings, ear: Ear, tools: Tools) -> io::Result<Infallible> {
    // Waited on as tokio waits on any socket that receives messages; nothing of UDP is used.
    let socket = UdpSocket::from_std(std::net::UdpSocket::from(std::os::fd::OwnedFd::from(open()?)))?;
    let mut strangers = Strangers::default();
    let mut octets = vec![0; LOOK];
    loop {
        let length = socket.recv(&mut octets).await?;
        let Some(answer) = read_answer(&octets[..length]) else { continue };
        let gateway = tools.finder.address(&Place::DefaultGateway).await.ok();
        if strangers.tells(answer, gateway, ear.now_ns()) {
            tracing::info!("a DHCP server that is not the gateway answers on the LAN");
            ear.notice(EventKind::DhcpStranger, "", |event| {
                event
                    .with(Field::Address, answer.server.to_string())
                    .with(Field::Source, answer.source.to_string())
            });
        }
    }
}

/// A packet socket that sees what leaves UDP port 67. It sees other packets until the filter stands, which reading
/// passes over.
fn open() -> io::Result<Socket> {
    let protocol = Protocol::from(i32::from(ETHERTYPE_IP.to_be()));
    let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol))?;
    socket.attach_filter(&from_a_server())?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// `udp src port 67`, not a later fragment, in the kernel's packet language; octet 0 is the IP header's first.
fn from_a_server() -> [SockFilter; 9] {
    const LOAD_OCTET: u16 = 0x30;
    const LOAD_HALF: u16 = 0x28;
    const LOAD_HALF_AT_X: u16 = 0x48;
    const HEADER_LENGTH_TO_X: u16 = 0xb1;
    const JUMP_EQUAL: u16 = 0x15;
    const JUMP_ANY_BIT: u16 = 0x45;
    const RETURN: u16 = 0x06;
    [
        SockFilter::new(LOAD_OCTET, 0, 0, 9),
        SockFilter::new(JUMP_EQUAL, 0, 6, 17),
        SockFilter::new(LOAD_HALF, 0, 0, 6),
        SockFilter::new(JUMP_ANY_BIT, 4, 0, 0x1fff),
        SockFilter::new(HEADER_LENGTH_TO_X, 0, 0, 0),
        SockFilter::new(LOAD_HALF_AT_X, 0, 0, 0),
        SockFilter::new(JUMP_EQUAL, 0, 1, u32::from(SERVER)),
        SockFilter::new(RETURN, 0, 0, LOOK as u32),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

/// A server's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who sent the packet: the server, or a relay.
    pub source: Ipv4Addr,
    /// Who the answer says is the server.
    pub server: Ipv4Addr,
}

/// Reads an IP packet; none where it is no answer of a DHCP server.
pub fn read_answer(packet: &[u8]) -> Option<Answer> {
    const COOKIE: [u8; 4] = [99, 130, 83, 99];
    const REPLY: u8 = 2;
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let is_udp = packet[0] >> 4 == 4 && header >= 20 && *packet.get(9)? == 17;
    let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
    let udp = packet.get(header..)?;
    let from_server = udp.get(..2)? == SERVER.to_be_bytes();
    let bootp = udp.get(8..)?;
    if !is_udp || !from_server || *bootp.first()? != REPLY || bootp.get(236..240)? != COOKIE {
        return None;
    }
    let (mut kind, mut server) = (None, None);
    let mut options = bootp.get(240..)?;
    while let [code, rest @ ..] = options {
        match code {
            0 => options = rest,
            255 => break,
            _ => {
                let length = usize::from(*rest.first()?);
                let value = rest.get(1..=length)?;
                match code {
                    53 => kind = value.first().copied(),
                    54 => server = <[u8; 4]>::try_from(value).ok(),
                    _ => {}
                }
                options = &rest[1 + length..];
            }
        }
    }
    let source = Ipv4Addr::from(source);
    let answers = matches!(kind, Some(2 | 5 | 6));
    answers.then(|| Answer { source, server: server.map_or(source, Ipv4Addr::from) })
}

/// Who has answered that is not the gateway, and when that was told.
#[derive(Debug, Default)]
pub struct Strangers(BTreeMap<Ipv4Addr, u64>);

impl Strangers {
    /// Whether an answer is to be told: neither its server nor its sender is the gateway, and it was not told within
    /// [`AGAIN`]. While no gateway is known nothing is: who would be the stranger?
    pub fn tells(&mut self, answer: Answer, gateway: Option<IpAddr>, now_ns: u64) -> bool {
        let Some(IpAddr::V4(gateway)) = gateway else { return false };
        if [answer.server, answer.source].contains(&gateway) {
            return false;
        }
        let until = now_ns + AGAIN.as_nanos() as u64;
        if let Some(quiet_until) = self.0.get_mut(&answer.server) {
            return *quiet_until <= now_ns && std::mem::replace(quiet_until, until) <= now_ns;
        }
        if self.0.len() >= MAX_STRANGERS {
            self.0.retain(|_, quiet_until| *quiet_until > now_ns);
        }
        if self.0.len() < MAX_STRANGERS {
            self.0.insert(answer.server, until);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: [u8; 4] = [192, 0, 2, 1];
    const OTHER: [u8; 4] = [192, 0, 2, 66];

    /// An answer of kind `kind` from `source`, which says that `server` is the server.
    fn packet(source: [u8; 4], server: [u8; 4], kind: u8) -> Vec<u8> {
        let mut packet = vec![0; 20 + 8 + 236];
        packet[0] = 0x45;
        packet[9] = 17;
        packet[12..16].copy_from_slice(&source);
        packet[20..24].copy_from_slice(&[0, 67, 0, 68]);
        packet[28] = 2;
        packet.extend([99, 130, 83, 99, 0, 53, 1, kind, 54, 4]);
        packet.extend(server);
        packet.push(255);
        packet
    }

    fn answer(source: [u8; 4], server: [u8; 4]) -> Answer {
        Answer { source: source.into(), server: server.into() }
    }

    #[test]
    fn answers_of_servers_are_read_and_nothing_else() {
        assert_eq!(read_answer(&packet(OTHER, OTHER, 2)), Some(answer(OTHER, OTHER)));
        assert_eq!(read_answer(&packet(GATEWAY, OTHER, 5)), Some(answer(GATEWAY, OTHER)), "relayed");
        assert_eq!(read_answer(&packet(OTHER, OTHER, 1)), None, "a client asks");
        let whole = packet(OTHER, OTHER, 2);
        for length in 0..whole.len() - 7 {
            assert_eq!(read_answer(&whole[..length]), None, "cut at {length}");
        }
        for (at, wrong) in [(0, 0x65), (0, 0x42), (9, 6), (21, 68), (28, 1), (264, 0)] {
            let mut other = whole.clone();
            other[at] = wrong;
            assert_eq!(read_answer(&other), None, "octet {at}");
        }
    }

    #[test]
    fn who_is_not_the_gateway_is_told_once_an_hour() {
        let gateway = Some(IpAddr::V4(GATEWAY.into()));
        let mut strangers = Strangers::default();
        let mut tells = |source, server, hours: u64| {
            strangers.tells(answer(source, server), gateway, hours * AGAIN.as_nanos() as u64)
        };
        assert!(!tells(GATEWAY, GATEWAY, 0));
        assert!(!tells(GATEWAY, OTHER, 0), "the gateway relays for it");
        assert!(tells(OTHER, OTHER, 0));
        assert!(!tells(OTHER, OTHER, 0));
        assert!(tells(OTHER, OTHER, 1));
        assert!(!strangers.tells(answer(OTHER, OTHER), None, u64::MAX / 2), "no gateway is known");
    }

    #[test]
    fn strangers_without_end_take_no_memory() {
        let mut strangers = Strangers::default();
        for n in 0..1000_u32 {
            let server = n.to_be_bytes();
            assert!(strangers.tells(answer(server, server), Some(IpAddr::V4(GATEWAY.into())), 0));
        }
        assert_eq!(strangers.0.len(), MAX_STRANGERS);
    }
}
