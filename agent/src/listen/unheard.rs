//! What came to a listener and never reached it: counted by somebody else, told with what else was lost.
//!
//! ```text
//! /proc/net/udp     sl  local_address …  drops      a row a socket; `drops` wraps
//!                    7: 0100007F:0202 …      4
//! ```

use super::ear::{Ear, Lost};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(10);

/// A count of messages that were lost before they were heard, nobody knows whose.
pub struct Unheard<'a, F: Fn() -> Option<u32>> {
    ear: &'a Ear,
    why: Lost,
    /// Since the listener began; wraps.
    count: F,
    told: AtomicU32,
}

impl<'a, F: Fn() -> Option<u32>> Unheard<'a, F> {
    /// Nothing was lost yet.
    pub fn new(ear: &'a Ear, why: Lost, count: F) -> Unheard<'a, F> {
        Unheard { ear, why, count, told: AtomicU32::default() }
    }

    /// Counts on, as long as the listener listens.
    pub async fn count_on(&self) -> io::Result<Infallible> {
        loop {
            tokio::time::sleep(LOOK).await;
            self.look();
        }
    }

    fn look(&self) {
        let Some(now) = (self.count)() else { return };
        let more = now.wrapping_sub(self.told.swap(now, Relaxed));
        if more > 0 {
            self.ear.unheard(self.why, more.into());
        }
    }
}

/// What came since the last look is told with the rest when the listener ends.
impl<F: Fn() -> Option<u32>> Drop for Unheard<'_, F> {
    fn drop(&mut self) {
        self.look();
    }
}

/// Datagrams that the system had no room for at the UDP socket bound to `address`.
pub fn overrun(address: SocketAddr) -> Option<u32> {
    let table = if address.is_ipv4() { "/proc/net/udp" } else { "/proc/net/udp6" };
    drops(&std::fs::read_to_string(table).ok()?, address)
}

fn drops(table: &str, address: SocketAddr) -> Option<u32> {
    // Four octets at a time, as this machine orders those of a number.
    let word = |octets: &[u8; 4]| format!("{:08X}", u32::from_ne_bytes(*octets));
    let ip = match address.ip() {
        IpAddr::V4(ip) => word(&ip.octets()),
        IpAddr::V6(ip) => ip.octets().as_chunks::<4>().0.iter().map(word).collect::<Vec<_>>().concat(),
    };
    let at = format!("{ip}:{:04X}", address.port());
    let mut rows = table.lines().map(str::split_ascii_whitespace);
    let mut row = rows.find_map(|mut row| (row.nth(1) == Some(at.as_str())).then_some(row))?;
    row.next_back()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn a_socket_that_nobody_reads_runs_over() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(socket) = UdpSocket::bind(any) else { continue };
            let at = socket.local_addr().unwrap();
            assert_eq!(overrun(at), Some(0));
            let sent = (0..2_000).filter(|_| socket.send_to(&[0; 1_000], at).is_ok()).count();
            assert!(overrun(at).is_some_and(|lost| (1..sent as u32).contains(&lost)), "{at}");
            drop(socket);
            assert_eq!(overrun(at), None);
        }
    }
}
