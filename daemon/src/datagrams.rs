//! The system calls that neither the standard library nor socket2 has: many datagrams at once with their control
//! messages, and a few socket options. The only `unsafe` code of both programs; nothing here decides anything.
//!
//! The kernel stamps what it receives ([`stamped`]) before any program is woken, so a busy machine shows in no round
//! trip and a burst keeps its spacing.
#![allow(unsafe_code, reason = "recvmmsg, its control messages and two socket options have no safe wrapper")]

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr;

/// Octets of control messages: a time, a count, an error with an address.
const CONTROL: usize = 192;

/// Place in the answer to `SO_MEMINFO` of the count of datagrams dropped (`linux/sock_diag.h`), and how many there are.
const MEMINFO_DROPS: usize = 8;
const MEMINFO: usize = 9;

/// Where datagrams are received into: at most `BATCH` by one call, of each the first `LONGEST` octets.
pub struct Inbox<const BATCH: usize, const LONGEST: usize> {
    packets: Box<[[u8; LONGEST]; BATCH]>,
    controls: Box<[Control; BATCH]>,
    names: Box<[libc::sockaddr_storage; BATCH]>,
}

/// Aligned as control messages must be.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Control([u8; CONTROL]);

/// A datagram and what the kernel says of it.
#[derive(Debug)]
pub struct Message<'a> {
    /// Its first octets, as many as its [`Inbox`] keeps.
    pub packet: &'a [u8],
    /// Who sent it; in an error queue, whom the packet was for that caused it.
    pub from: Option<SocketAddr>,
    /// When it was received, ns of UTC; where the socket is [`stamped`].
    pub stamp_ns: Option<u64>,
    /// Datagrams the socket had dropped when this one was queued; missing while there are none.
    pub drops: Option<u32>,
    /// In an error queue: type and code of the ICMP message that was its cause, if one was.
    pub error: Option<(u8, u8)>,
    /// Who sent that message.
    pub offender: Option<IpAddr>,
}

impl<const BATCH: usize, const LONGEST: usize> Default for Inbox<BATCH, LONGEST> {
    fn default() -> Self {
        // SAFETY: all zeros is a `sockaddr_storage` of the family `AF_UNSPEC`.
        let name: libc::sockaddr_storage = unsafe { mem::zeroed() };
        Inbox {
            packets: Box::new([[0; LONGEST]; BATCH]),
            controls: Box::new([Control([0; CONTROL]); BATCH]),
            names: Box::new([name; BATCH]),
        }
    }
}

impl<const BATCH: usize, const LONGEST: usize> Inbox<BATCH, LONGEST> {
    /// Receives what is there, up to a batch, without waiting; each goes to `each`. Returns whether there may be
    /// more. `errors` reads the socket's error queue instead.
    pub fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        errors: bool,
        mut each: impl FnMut(Message<'_>),
    ) -> io::Result<bool> {
        let mut pieces = self
            .packets
            .each_mut()
            .map(|packet| libc::iovec { iov_base: packet.as_mut_ptr().cast(), iov_len: LONGEST });
        // SAFETY: all zeros is an `mmsghdr` without buffers.
        let mut heads: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        for (nth, head) in heads.iter_mut().enumerate() {
            head.msg_hdr.msg_name = (&raw mut self.names[nth]).cast();
            head.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            head.msg_hdr.msg_iov = &raw mut pieces[nth];
            head.msg_hdr.msg_iovlen = 1;
            head.msg_hdr.msg_control = self.controls[nth].0.as_mut_ptr().cast();
            head.msg_hdr.msg_controllen = CONTROL as _;
        }
        let flags = libc::MSG_DONTWAIT | if errors { libc::MSG_ERRQUEUE } else { 0 };
        // SAFETY: each head points at a name, a piece and a control buffer of its own, of the lengths it says, which all
        // outlive the call.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                heads.as_mut_ptr(),
                BATCH as libc::c_uint,
                flags as _,
                ptr::null_mut(),
            )
        };
        let Ok(received) = usize::try_from(received) else { return Err(io::Error::last_os_error()) };
        for (nth, head) in heads[..received].iter().enumerate() {
            let mut message = Message {
                packet: &self.packets[nth][..(head.msg_len as usize).min(LONGEST)],
                from: address(&self.names[nth], head.msg_hdr.msg_namelen),
                stamp_ns: None,
                drops: None,
                error: None,
                offender: None,
            };
            read_control(&head.msg_hdr, &mut message);
            each(message);
        }
        Ok(received == BATCH)
    }
}

fn read_control(head: &libc::msghdr, message: &mut Message<'_>) {
    // SAFETY: the kernel has set the length of what it wrote into the control buffer, which is alive; the macros stay
    // within it.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(head) };
    while !next.is_null() {
        // SAFETY: not null, so it points at a whole header in the buffer.
        let control = unsafe { next.read_unaligned() };
        match (control.cmsg_level, control.cmsg_type) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                // SAFETY: a message of this type holds a `timespec`.
                let time: libc::timespec = unsafe { content(next) };
                message.stamp_ns = Some(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64);
            }
            (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                // SAFETY: a message of this type holds a `u32`.
                message.drops = Some(unsafe { content(next) });
            }
            (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => {
                // SAFETY: a message of this type begins with a `sock_extended_err`.
                let error: libc::sock_extended_err = unsafe { content(next) };
                let by_icmp = [libc::SO_EE_ORIGIN_ICMP, libc::SO_EE_ORIGIN_ICMP6].contains(&error.ee_origin);
                message.error = by_icmp.then_some((error.ee_type, error.ee_code));
                message.offender = offender(next).filter(|_| by_icmp);
            }
            _ => {}
        }
        // SAFETY: as for the first.
        next = unsafe { libc::CMSG_NXTHDR(head, next) };
    }
}

/// What a control message holds.
///
/// # Safety
/// It must hold a `T`.
unsafe fn content<T: Copy>(control: *const libc::cmsghdr) -> T {
    // SAFETY: the caller says so; it may lie unaligned.
    unsafe { libc::CMSG_DATA(control).cast::<T>().read_unaligned() }
}

/// Who caused the error that a control message tells of (`SO_EE_OFFENDER`): a name that follows it.
fn offender(control: *const libc::cmsghdr) -> Option<IpAddr> {
    // SAFETY: the caller has found a whole header here; its length is that of the header and what it holds.
    let (start, length) = unsafe { (libc::CMSG_DATA(control), control.read_unaligned().cmsg_len) };
    let whole: usize = length as _;
    let head = (start as usize).saturating_sub(control as usize);
    let length = whole.checked_sub(head + size_of::<libc::sock_extended_err>())?;
    // SAFETY: all zeros is a `sockaddr_storage` of the family `AF_UNSPEC`.
    let mut name: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let length = length.min(size_of_val(&name));
    // SAFETY: so many octets of the message lie behind the error, and the name has room for them.
    unsafe {
        let from = start.add(size_of::<libc::sock_extended_err>());
        ptr::copy_nonoverlapping(from, (&raw mut name).cast::<u8>(), length);
    }
    address(&name, length as libc::socklen_t).map(|from| from.ip())
}

fn address(name: &libc::sockaddr_storage, length: libc::socklen_t) -> Option<SocketAddr> {
    let whole = |size: usize| length as usize >= size;
    match libc::c_int::from(name.ss_family) {
        libc::AF_INET if whole(size_of::<libc::sockaddr_in>()) => {
            // SAFETY: the family says which structure it is, the storage is large and aligned enough for all.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let address = Ipv4Addr::from(name.sin_addr.s_addr.to_ne_bytes());
            Some((address, u16::from_be(name.sin_port)).into())
        }
        libc::AF_INET6 if whole(size_of::<libc::sockaddr_in6>()) => {
            // SAFETY: as above.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            let (address, port) = (name.sin6_addr.s6_addr.into(), u16::from_be(name.sin6_port));
            // Without the scope an answer to a link-local address would not find its link.
            Some(SocketAddrV6::new(address, port, name.sin6_flowinfo, name.sin6_scope_id).into())
        }
        _ => None,
    }
}

/// Sets a socket option whose value is these numbers.
pub fn set<const N: usize>(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: [u32; N],
) -> io::Result<()> {
    let length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the value is alive and of the length said.
    let set = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value.as_ptr().cast(), length) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Has the kernel stamp what the socket receives.
///
/// # Errors
/// When the system refuses.
pub fn stamped(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, [1])
}

/// Has no packet of the socket broken up on its way, and none refused here for what routers said of the way before: it
/// gets there whole or not at all. `v4` is the socket's family.
///
/// # Errors
/// When the system refuses.
pub fn unbroken(socket: BorrowedFd<'_>, v4: bool) -> io::Result<()> {
    let (level, name, probing) = if v4 {
        (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE)
    } else {
        (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE)
    };
    set(socket, level, name, [probing as u32])
}

/// The longest packet, IP header included, that goes the whole way to where the socket is connected, as far as routers
/// said so.
///
/// # Errors
/// When the socket is not connected.
pub fn told_mtu(socket: BorrowedFd<'_>, v4: bool) -> io::Result<u32> {
    let (level, name) =
        if v4 { (libc::IPPROTO_IP, libc::IP_MTU) } else { (libc::IPPROTO_IPV6, libc::IPV6_MTU) };
    let [mtu] = get(socket, level, name)?;
    Ok(mtu)
}

/// Datagrams the socket has dropped for want of room, since it was opened; wraps.
///
/// # Errors
/// When the system does not tell.
pub fn drops(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let value: [u32; MEMINFO] = get(socket, libc::SOL_SOCKET, libc::SO_MEMINFO)?;
    Ok(value[MEMINFO_DROPS])
}

fn get<const N: usize>(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
) -> io::Result<[u32; N]> {
    let mut value = [0_u32; N];
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the value is alive and of the length said.
    let got = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, value.as_mut_ptr().cast(), &raw mut length)
    };
    if got == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd as _;

    #[test]
    fn datagrams_come_whole_with_sender_and_stamp() {
        let (here, there) =
            (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        stamped(here.as_fd()).unwrap();
        unbroken(there.as_fd(), true).unwrap();
        for octets in [&b"one"[..], b"another, longer than is kept"] {
            there.send_to(octets, here.local_addr().unwrap()).unwrap();
        }
        let mut inbox = Inbox::<4, 8>::default();
        let mut seen = Vec::new();
        let more = inbox.receive(here.as_fd(), false, |message| {
            assert_eq!(message.from, there.local_addr().ok());
            assert!(message.stamp_ns.is_some());
            seen.push(message.packet.to_vec());
        });
        assert!(!more.unwrap(), "there is no more");
        assert_eq!(seen, [&b"one"[..], b"another,"]);
    }

    #[test]
    fn the_way_to_oneself_is_told() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(told_mtu(socket.as_fd(), true).is_err(), "to nowhere");
        socket.connect("127.0.0.1:9").unwrap();
        assert!(told_mtu(socket.as_fd(), true).unwrap() >= 1280);
    }
}
