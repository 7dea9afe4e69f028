//! One ICMP socket per family: an unprivileged datagram socket (`ping_group_range`), else a raw one with a filter
//! (CAP_NET_RAW). Either stamps what it receives in the kernel and counts what it had to drop.
//!
//! | | datagram | raw |
//! |---|---|---|
//! | identifier | the kernel's, compared by it | ours, compared here |
//! | routers' errors | its error queue | among the packets, by type |
//! | others' packets | never | let through by the filter, sorted out by identifier and cookie |

use super::packet::{self, Departing, Family, Heard};
use crate::dial;
use haidang_daemon::datagrams::{self, Message};
use haidang_probe::outcome::Failure;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd as _;

/// Receive buffer asked for; the kernel gives as much as `net.core.rmem_max` lets it. It holds what comes while this
/// thread is busy elsewhere: a second of 5,000 replies.
pub const BUFFER: usize = 4 << 20;

/// Where packets are received into: many at once, of each as much as an IPv4 packet with all options takes that quotes
/// another with its mark.
pub type Inbox = datagrams::Inbox<64, 192>;

/// Batches received in one go: a flood must not hold up the rest.
const BATCHES: usize = 64;

/// `ICMP_FILTER` (`linux/icmp.h`) and its level, `SOL_RAW`: a set bit keeps that type out.
const SOL_RAW: libc::c_int = 255;
const ICMP_FILTER: libc::c_int = 1;
/// `ICMPV6_FILTER` (RFC 3542 §3.2), 256 bits of the same sense.
const ICMPV6_FILTER: libc::c_int = 1;

/// `linux/socket.h`: everything but the sending itself.
const MSG_PROBE: libc::c_int = 0x10;

/// An open socket.
pub struct Door {
    socket: Socket,
    family: Family,
    /// Ours on a raw socket.
    identifier: Option<u16>,
    packet: Vec<u8>,
    drops: Drops,
}

/// What came in, when, and from whom.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// What it says.
    pub heard: Heard,
    /// Who sent it.
    pub from: IpAddr,
    /// When, by the kernel: ns of UTC.
    pub stamp_ns: Option<u64>,
}

/// Datagrams a socket dropped for want of room.
#[derive(Clone, Copy, Debug, Default)]
struct Drops {
    count: u32,
    total: u64,
    /// When the count was last seen to have risen.
    rose_ns: Option<u64>,
}

impl Drops {
    fn read(&mut self, count: u32, now_ns: u64) {
        // Counts in control messages are older than one read since: only a rise is news.
        let rise = count.wrapping_sub(self.count);
        if rise != 0 && rise < u32::MAX / 2 {
            (self.count, self.total, self.rose_ns) = (count, self.total + u64::from(rise), Some(now_ns));
        }
    }
}

impl Door {
    /// Opens the socket of `family`; `identifier` is for a raw one.
    ///
    /// # Errors
    /// `PermissionDenied` when the machine permits neither kind.
    pub fn open(family: Family, identifier: u16, buffer: usize) -> io::Result<Door> {
        let (socket, raw) = match datagram(family) {
            Ok(socket) => (socket, false),
            Err(_) => (self::raw(family)?, true),
        };
        socket.set_recv_buffer_size(buffer)?;
        datagrams::set(socket.as_fd(), libc::SOL_SOCKET, libc::SO_RXQ_OVFL, [1])?;
        let identifier = raw.then_some(identifier);
        Ok(Door { socket, family, identifier, packet: Vec::new(), drops: Drops::default() })
    }

    /// Whether it is a raw socket.
    pub fn raw(&self) -> bool {
        self.identifier.is_some()
    }

    /// The identifier its packets carry: on a datagram socket the kernel calls it a port.
    #[cfg(test)]
    pub fn on_the_wire(&self) -> io::Result<u16> {
        let named = self.socket.local_addr()?;
        Ok(self.identifier.unwrap_or(named.as_socket().map_or(0, |named| named.port())))
    }

    /// Walks the way of a packet to `address` up to its sending (`MSG_PROBE`), so that what a pause has pushed out of the
    /// processor's caches is not measured with the first packet after it.
    pub fn warm(&self, address: IpAddr) {
        let to = SockAddr::from(SocketAddr::new(address, 0));
        let header = packet::request_header(self.family);
        // Whatever comes of it, the packet itself tells.
        let _ = self.socket.send_to_with_flags(&header, &to, MSG_PROBE);
    }

    /// Makes the packet of `departure`, reads `stamp_ns` and sends it; returns what was read.
    pub fn send(&mut self, departing: &Departing, stamp_ns: impl Fn() -> u64) -> Result<u64, Failure> {
        let identifier = self.identifier.unwrap_or_default();
        packet::request(&mut self.packet, self.family, identifier, departing);
        let to = SockAddr::from(SocketAddr::new(departing.address, 0));
        let before_ns = stamp_ns();
        if self.socket.send_to(&self.packet, &to).is_ok() {
            return Ok(before_ns);
        }
        // On a datagram socket the error may be one a router caused earlier, for another target: it is told once.
        let before_ns = stamp_ns();
        match self.socket.send_to(&self.packet, &to) {
            Ok(_) => Ok(before_ns),
            Err(error) => Err(sending(&error)),
        }
    }

    /// Receives all that has come. What is not an echo's answer goes to nobody; returns how many such there were.
    pub fn receive(&mut self, inbox: &mut Inbox, now_ns: u64, each: impl FnMut(Arrival)) -> u64 {
        self.drain(inbox, false, now_ns, each)
    }

    /// Receives the routers' errors that came to a datagram socket. On a raw one they are among the packets.
    pub fn receive_errors(&mut self, inbox: &mut Inbox, now_ns: u64, each: impl FnMut(Arrival)) -> u64 {
        if self.raw() { 0 } else { self.drain(inbox, true, now_ns, each) }
    }

    fn drain(&mut self, inbox: &mut Inbox, errors: bool, now_ns: u64, mut each: impl FnMut(Arrival)) -> u64 {
        let (family, identifier, drops) = (self.family, self.identifier, &mut self.drops);
        let mut strays = 0;
        for _ in 0..BATCHES {
            let received = inbox.receive(self.socket.as_fd(), errors, |message| {
                if let Some(count) = message.drops {
                    drops.read(count, now_ns);
                }
                match arrival(family, identifier, errors, &message) {
                    Some(arrival) => each(arrival),
                    None => strays += 1,
                }
            });
            match received {
                Ok(true) => {}
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {}
                Ok(false) | Err(_) => break,
            }
        }
        strays
    }

    /// Reads how many datagrams were dropped, also when none has come since.
    pub fn read_drops(&mut self, now_ns: u64) {
        if let Ok(count) = datagrams::drops(self.socket.as_fd()) {
            self.drops.read(count, now_ns);
        }
    }

    /// Whether replies to what was sent at `sent_ns` or later may have been dropped here.
    pub fn dropped_since(&self, sent_ns: u64) -> bool {
        self.drops.rose_ns.is_some_and(|rose_ns| rose_ns >= sent_ns)
    }

    /// Datagrams dropped since it was opened.
    pub fn dropped(&self) -> u64 {
        self.drops.total
    }
}

/// An unprivileged socket, stamped by the kernel, with its error queue.
///
/// # Errors
/// When the machine does not permit it.
pub fn datagram(family: Family) -> io::Result<Socket> {
    let (domain, protocol) = protocol(family);
    let socket = stamped(Socket::new(domain, Type::DGRAM, Some(protocol))?)?;
    let (level, name) = match family {
        Family::V4 => (libc::IPPROTO_IP, libc::IP_RECVERR),
        Family::V6 => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
    };
    datagrams::set(socket.as_fd(), level, name, [1])?;
    Ok(socket)
}

/// A raw socket, stamped by the kernel, that is handed echo replies and errors alone.
///
/// # Errors
/// When the machine does not permit it.
pub fn raw(family: Family) -> io::Result<Socket> {
    let (domain, protocol) = protocol(family);
    let socket = stamped(Socket::new(domain, Type::RAW, Some(protocol))?)?;
    match family {
        Family::V4 => datagrams::set(socket.as_fd(), SOL_RAW, ICMP_FILTER, [!types(&[0, 3, 11, 12])])?,
        Family::V6 => {
            let mut filter = [u32::MAX; 8];
            filter[0] = !types(&[1, 3, 4]);
            filter[129 / 32] &= !types(&[129 % 32]);
            datagrams::set(socket.as_fd(), libc::IPPROTO_ICMPV6, ICMPV6_FILTER, filter)?;
        }
    }
    Ok(socket)
}

fn protocol(family: Family) -> (Domain, Protocol) {
    match family {
        Family::V4 => (Domain::IPV4, Protocol::ICMPV4),
        Family::V6 => (Domain::IPV6, Protocol::ICMPV6),
    }
}

fn stamped(socket: Socket) -> io::Result<Socket> {
    socket.set_nonblocking(true)?;
    datagrams::stamped(socket.as_fd())?;
    Ok(socket)
}

/// What a message says to us. Errors in a datagram socket's queue come without IP header, quoted from the ICMP header
/// on, and were found to be this socket's by the kernel.
fn arrival(family: Family, identifier: Option<u16>, error: bool, message: &Message<'_>) -> Option<Arrival> {
    let from = message.from?.ip();
    let heard = if error {
        message.error.filter(|(kind, code)| packet::says_no_way(family, *kind, *code))?;
        packet::no_way(family, message.packet, identifier, from)?
    } else {
        let raw_v4 = identifier.is_some() && family == Family::V4;
        let packet = if raw_v4 { packet::inside_v4(message.packet)? } else { message.packet };
        packet::heard(family, packet, identifier)?
    };
    Some(Arrival { heard, from, stamp_ns: message.stamp_ns })
}

/// A failure to send: `Unreachable` where there is no route, which is the network's word; anything else is our own.
fn sending(error: &io::Error) -> Failure {
    match dial::failure(error) {
        failure @ (Failure::Unreachable | Failure::NotPermitted) => failure,
        _ => Failure::Local,
    }
}

fn types(types: &[u32]) -> u32 {
    types.iter().fold(0, |bits, kind| bits | 1 << kind)
}
