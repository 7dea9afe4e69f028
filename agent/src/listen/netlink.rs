//! The kernel's neighbour table over a routing socket (rtnetlink(7)): read once, then its changes.
//!
//! ```text
//! nlmsghdr  length u32 │ kind u16 │ flags u16 │ seq u32 │ port u32
//! ndmsg     family u8 │ … │ interface u32 │ state u16 │ flags u8 │ type u8
//! rtattr    length u16 │ kind u16 │ value, padded to 4            NDA_DST: address, NDA_LLADDR: hardware address
//! ```
//!
//! Numbers are in the machine's own byte order. What does not fit is passed over: the kernel may say more than we read.

use super::neighbour::Mac;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType};
use std::io;
use std::net::IpAddr;
use tokio::net::UdpSocket;

const RTM_NEWNEIGH: u16 = 28;
const RTM_GETNEIGH: u16 = 30;
const NLMSG_DONE: u16 = 3;
const NLMSG_ERROR: u16 = 2;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
/// The group of neighbour changes, `RTNLGRP_NEIGH`, as a mask.
const NEIGHBOURS: u32 = 1 << 2;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
/// States in which the hardware address is one that answered: reachable, stale, delay, probe, permanent.
const HEARD: u16 = 0x02 | 0x04 | 0x08 | 0x10 | 0x80;
/// Octets read at once; the kernel's messages are of a page or two.
const BUFFER: usize = 32 << 10;

/// A neighbour as the table says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its hardware address.
    pub mac: Mac,
    /// The address it answers for.
    pub address: IpAddr,
    /// The interface it was heard on, by number.
    pub interface: u32,
}

/// A routing socket that hears of neighbours. It is waited on as tokio waits on any socket that receives messages;
/// nothing of UDP is used.
pub struct Netlink {
    socket: UdpSocket,
    buffer: Vec<u8>,
}

impl Netlink {
    /// Opens it; needs no rights.
    pub fn open() -> io::Result<Netlink> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // No protocol is number 0, which is NETLINK_ROUTE.
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, NEIGHBOURS))?;
        Ok(Netlink { socket: UdpSocket::from_std(socket.into())?, buffer: vec![0; BUFFER] })
    }

    /// What the table holds.
    pub async fn table(&mut self) -> io::Result<Vec<Seen>> {
        let mut request = [0; 28];
        request[..4].copy_from_slice(&28_u32.to_ne_bytes());
        request[4..6].copy_from_slice(&RTM_GETNEIGH.to_ne_bytes());
        request[6..8].copy_from_slice(&DUMP.to_ne_bytes());
        rustix::net::send(&self.socket, &request, SendFlags::empty())?;
        let mut all = Vec::new();
        loop {
            let length = self.receive().await?;
            let done = read(&self.buffer[..length], |seen| all.push(seen));
            if done {
                return Ok(all);
            }
        }
    }

    /// The next changes. When the kernel had more than it could keep for us, the table is read anew.
    pub async fn changes(&mut self) -> io::Result<Vec<Seen>> {
        let length = match self.receive().await {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error()) => {
                tracing::debug!("neighbour changes were lost; the table is read anew");
                return self.table().await;
            }
            received => received?,
        };
        let mut all = Vec::new();
        read(&self.buffer[..length], |seen| all.push(seen));
        Ok(all)
    }

    /// The name of an interface; empty when it is gone.
    pub fn name_of(&self, interface: u32) -> String {
        rustix::net::netdevice::index_to_name(&self.socket, interface).unwrap_or_default()
    }

    async fn receive(&mut self) -> io::Result<usize> {
        self.socket.recv(&mut self.buffer).await
    }
}

/// Gives each neighbour in `messages` to `each`; whether the end of a table was among them.
pub fn read(mut messages: &[u8], mut each: impl FnMut(Seen)) -> bool {
    while let Some(length) = u32_at(messages, 0) {
        let length = length as usize;
        let Some(message) = messages.get(16..length) else { return false };
        match u16_at(messages, 4) {
            Some(NLMSG_DONE | NLMSG_ERROR) => return true,
            Some(RTM_NEWNEIGH) => seen(message).into_iter().for_each(&mut each),
            _ => {}
        }
        messages = messages.get(padded(length)..).unwrap_or_default();
    }
    false
}

fn seen(message: &[u8]) -> Option<Seen> {
    let interface = u32_at(message, 4)?;
    if u16_at(message, 8)? & HEARD == 0 {
        return None;
    }
    let (mut mac, mut address) = (None, None);
    let mut rest = message.get(12..)?;
    while let (Some(length), Some(kind)) = (u16_at(rest, 0), u16_at(rest, 2)) {
        let value = rest.get(4..usize::from(length))?;
        match kind {
            NDA_LLADDR => mac = value.try_into().ok().map(Mac),
            NDA_DST => address = ip(value),
            _ => {}
        }
        rest = rest.get(padded(usize::from(length))..).unwrap_or_default();
    }
    Some(Seen { mac: mac?, address: address?, interface })
}

fn ip(octets: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message as the kernel writes it.
    fn message(kind: u16, state: u16, mac: &[u8], address: &[u8]) -> Vec<u8> {
        let mut body = vec![2, 0, 0, 0];
        body.extend(7_u32.to_ne_bytes());
        body.extend(state.to_ne_bytes());
        body.extend([0, 1]);
        for (kind, value) in [(NDA_DST, address), (NDA_LLADDR, mac)] {
            body.extend((4 + value.len() as u16).to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(value);
            body.resize(padded(body.len()), 0);
        }
        let mut whole = (16 + body.len() as u32).to_ne_bytes().to_vec();
        whole.extend(kind.to_ne_bytes());
        whole.extend([0; 10]);
        whole.extend(body);
        whole
    }

    fn all(messages: &[u8]) -> Vec<Seen> {
        let mut all = Vec::new();
        read(messages, |seen| all.push(seen));
        all
    }

    const MAC: [u8; 6] = [0, 0, 0x5e, 0, 0x53, 1];

    #[test]
    fn neighbours_that_answered_are_read() {
        let one = message(RTM_NEWNEIGH, 2, &MAC, &[192, 0, 2, 1]);
        let seen = Seen { mac: Mac(MAC), address: "192.0.2.1".parse().unwrap(), interface: 7 };
        let silent = message(RTM_NEWNEIGH, 0x20, &MAC, &[192, 0, 2, 2]);
        let tunnel = message(RTM_NEWNEIGH, 2, &MAC[..4], &[192, 0, 2, 3]);
        let gone = message(29, 2, &MAC, &[192, 0, 2, 4]);
        assert_eq!(all(&[&one[..], &silent, &tunnel, &gone, &one].concat()), [seen, seen]);
        let six = message(RTM_NEWNEIGH, 4, &MAC, &[0xfe; 16]);
        assert!(all(&six)[0].address.is_ipv6());
    }

    #[test]
    fn the_end_of_a_table_is_seen() {
        assert!(read(&message(NLMSG_DONE, 0, &[], &[]), |_| {}));
        assert!(!read(&message(RTM_NEWNEIGH, 2, &MAC, &[192, 0, 2, 1]), |_| {}));
    }

    #[test]
    fn lengths_that_lie_end_the_reading() {
        let whole = message(RTM_NEWNEIGH, 2, &MAC, &[192, 0, 2, 1]);
        for length in [0_u32, 1, 15, 16, 17, u32::MAX] {
            let mut lying = whole.clone();
            lying[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(all(&lying), [], "{length}");
        }
        for length in [0_u16, 3, 5, u16::MAX] {
            let mut lying = whole.clone();
            lying[28..30].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(all(&lying), [], "attribute of {length}");
        }
    }
}
