//! The socket of one trace: unprivileged, else raw, as for echoes. Its hop limit is set before each packet.

use super::wire::{Answer, Flow, Step};
use crate::dial::Origin;
use crate::icmp::packet::{self, Family};
use crate::icmp::sockets;
use haidang_daemon::datagrams::{self, Inbox, Message};
use socket2::{SockAddr, Socket};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd as _;

/// `IPV6_AUTOFLOWLABEL` (`linux/in6.h`): routers share load by the flow label too, so that it stays the same: none.
const IPV6_AUTOFLOWLABEL: libc::c_int = 70;

/// Batches received in one go: nobody may hold us here.
const BATCHES: usize = 16;

/// An open socket. Nobody waits on it: it is looked at, as the engine of echoes does.
pub struct Door {
    socket: Socket,
    flow: Flow,
    raw: bool,
    packet: Vec<u8>,
    inbox: Inbox<32, 192>,
}

/// What came, from whom, and when by the kernel: ns of UTC.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// What it says.
    pub answer: Answer,
    /// Who says it.
    pub from: IpAddr,
    /// When it came.
    pub utc_ns: Option<u64>,
}

impl Door {
    /// Opens one for a trace of `flow` that leaves from `origin`. Where the machine gives another identifier, the flow
    /// has that one.
    ///
    /// # Errors
    /// `PermissionDenied` when the machine permits neither kind; when it has no such source or interface.
    pub fn open(flow: Flow, origin: &Origin) -> io::Result<Door> {
        let family = Family::of(flow.target);
        let (socket, raw) = match sockets::datagram(family) {
            Ok(socket) => (socket, false),
            Err(_) => (sockets::raw(family)?, true),
        };
        if family == Family::V6 {
            datagrams::set(socket.as_fd(), libc::IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, [0])?;
        }
        if let Some(interface) = &origin.interface {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        let identifier = bind(&socket, &flow, raw, origin)?;
        let (packet, inbox) = (Vec::new(), Inbox::default());
        Ok(Door { socket, flow: Flow { identifier, ..flow }, raw, packet, inbox })
    }

    /// The identifier its packets have.
    pub fn identifier(&self) -> u16 {
        self.flow.identifier
    }

    /// Sends the packet of `step`.
    ///
    /// # Errors
    /// What the kernel says; an error that came back of an earlier packet is not one of this.
    pub fn send(&mut self, step: Step) -> io::Result<()> {
        self.flow.write(step, &mut self.packet);
        let (socket, to) = (&self.socket, SocketAddr::new(self.flow.target, 0));
        match Family::of(self.flow.target) {
            Family::V4 => socket.set_ttl_v4(step.hop.into())?,
            Family::V6 => socket.set_unicast_hops_v6(step.hop.into())?,
        }
        let to = SockAddr::from(to);
        let sent = socket.send_to(&self.packet, &to).or_else(|_| socket.send_to(&self.packet, &to));
        sent.map(|_| ())
    }

    /// Takes in all that has come, without waiting.
    pub fn receive(&mut self, mut each: impl FnMut(Arrival)) {
        let (flow, raw) = (&self.flow, self.raw);
        for errors in [false, true] {
            for _ in 0..BATCHES {
                let more = self.inbox.receive(self.socket.as_fd(), errors, |message| {
                    arrival(flow, raw, errors, &message).into_iter().for_each(&mut each);
                });
                match more {
                    Ok(true) => {}
                    // An error of an earlier packet: told once, and again in the queue.
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => {}
                    Ok(false) | Err(_) => break,
                }
            }
        }
    }
}

/// Binds where the origin says; the identifier on the wire. On a datagram socket it is what the kernel calls a port, and
/// when another trace has it, any other will do.
fn bind(socket: &Socket, flow: &Flow, raw: bool, origin: &Origin) -> io::Result<u16> {
    let any: IpAddr =
        if flow.target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let address = origin.source.unwrap_or(any);
    if raw {
        socket.bind(&SocketAddr::new(address, 0).into())?;
        return Ok(flow.identifier);
    }
    // The kernel lets such sockets share an identifier by default, and then gives one of them all answers.
    socket.set_reuse_address(false)?;
    let wanted = socket.bind(&SocketAddr::new(address, flow.identifier).into());
    wanted.or_else(|_| socket.bind(&SocketAddr::new(address, 0).into()))?;
    Ok(socket.local_addr()?.as_socket().map_or(flow.identifier, |bound| bound.port()))
}

fn arrival(flow: &Flow, raw: bool, error: bool, message: &Message<'_>) -> Option<Arrival> {
    let utc_ns = message.stamp_ns;
    if error {
        // The queue is the socket's own, and says whom the packet was for.
        let ((kind, code), from) = (message.error?, message.offender?);
        message.from.filter(|target| target.ip() == flow.target)?;
        return Some(Arrival { answer: flow.read_error(kind, code, message.packet)?, from, utc_ns });
    }
    let raw_v4 = raw && flow.target.is_ipv4();
    let packet = if raw_v4 { packet::inside_v4(message.packet)? } else { message.packet };
    let answer = flow.read(packet, raw.then_some(flow.identifier))?;
    Some(Arrival { answer, from: message.from?.ip(), utc_ns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_that_another_trace_has_gets_another_identifier() {
        for target in [IpAddr::from([127, 0, 0, 1]), IpAddr::from(Ipv6Addr::LOCALHOST)] {
            let flow = Flow { target, identifier: 0x7a31, checksum: 1, cookie: 0, salt: 0 };
            let open = || Door::open(flow, &Origin::default());
            let (Ok(first), Ok(second)) = (open(), open()) else {
                println!("not judged: this machine does not permit icmp to {target}");
                continue;
            };
            // Raw sockets hear everything: there two may have one, and are told apart by what they sent.
            assert_eq!(first.identifier() == second.identifier(), first.raw);
        }
    }
}
