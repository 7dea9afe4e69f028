//! The system calls that neither the standard library nor socket2 has: many datagrams at once with their control
//! messages, and a few socket options. The only `unsafe` code of the agent; nothing here decides anything.
#![allow(unsafe_code, reason = "recvmmsg, its control messages and two socket options have no safe wrapper")]

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr;

/// Datagrams received by one call.
const BATCH: usize = 64;

/// Octets of a datagram that are kept: an IPv4 packet with all options that quotes another with its mark.
pub const LONGEST: usize = 192;

/// Octets of control messages: a time, a count, an error with an address.
const CONTROL: usize = 192;

/// Place in the answer to `SO_MEMINFO` of the count of datagrams dropped (`linux/sock_diag.h`), and how many there are.
const MEMINFO_DROPS: usize = 8;
const MEMINFO: usize = 9;

/// Where datagrams are received into.
pub struct Inbox {
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
    /// Its first octets, at most [`LONGEST`].
    pub packet: &'a [u8],
    /// Who sent it; in an error queue, whom the packet was for that caused it.
    pub from: Option<IpAddr>,
    /// When it was received, ns of UTC.
    pub stamp_ns: Option<u64>,
    /// Datagrams the socket had dropped when this one was queued; missing while there are none.
    pub drops: Option<u32>,
    /// In an error queue: type and code of the ICMP message that was its cause, if one was.
    pub error: Option<(u8, u8)>,
}

impl Default for Inbox {
    fn default() -> Inbox {
        // SAFETY: all zeros is a `sockaddr_storage` of the family `AF_UNSPEC`.
        let name: libc::sockaddr_storage = unsafe { mem::zeroed() };
        Inbox {
            packets: Box::new([[0; LONGEST]; BATCH]),
            controls: Box::new([Control([0; CONTROL]); BATCH]),
            names: Box::new([name; BATCH]),
        }
    }
}

impl Inbox {
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

fn address(name: &libc::sockaddr_storage, length: libc::socklen_t) -> Option<IpAddr> {
    let whole = |size: usize| length as usize >= size;
    match libc::c_int::from(name.ss_family) {
        libc::AF_INET if whole(size_of::<libc::sockaddr_in>()) => {
            // SAFETY: the family says which structure it is, the storage is large and aligned enough for all.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            Some(Ipv4Addr::from(name.sin_addr.s_addr.to_ne_bytes()).into())
        }
        libc::AF_INET6 if whole(size_of::<libc::sockaddr_in6>()) => {
            // SAFETY: as above.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            Some(Ipv6Addr::from(name.sin6_addr.s6_addr).into())
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

/// Datagrams the socket has dropped for want of room, since it was opened; wraps.
pub fn drops(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut value = [0_u32; MEMINFO];
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the value is alive and of the length said.
    let got = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            value.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if got == 0 { Ok(value[MEMINFO_DROPS]) } else { Err(io::Error::last_os_error()) }
}
