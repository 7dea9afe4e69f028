//! Datagrams nobody asked for, and many of them.

use crate::switch::ber;
use anyhow::Context;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

/// Datagrams at once.
const BURST: u64 = 100;

/// Says the same to a listener again and again, until it is dropped.
#[derive(Debug)]
pub struct Flood {
    /// Whom it is for.
    pub to: SocketAddr,
    over: Arc<AtomicBool>,
    sends: Option<JoinHandle<u64>>,
}

impl Flood {
    /// To the listener at `to`, by what `datagram` makes of a count; a hundred at once, and a pause behind them.
    ///
    /// # Errors
    /// When a socket is not to be had.
    pub fn start(to: SocketAddr, datagram: fn(u64) -> Vec<u8>, pause: Duration) -> anyhow::Result<Flood> {
        let socket = UdpSocket::bind("127.0.0.1:0").context("open a socket")?;
        let over = Arc::<AtomicBool>::default();
        let stop = over.clone();
        let send = move || {
            let mut sent = 0;
            for nth in 0.. {
                if nth % BURST == 0 {
                    sleep(pause);
                    if stop.load(Relaxed) {
                        break;
                    }
                }
                sent += u64::from(socket.send_to(&datagram(nth), to).is_ok());
            }
            sent
        };
        Ok(Flood { to, over, sends: Some(spawn(send)) })
    }

    /// Ends it; how many datagrams were sent.
    ///
    /// # Errors
    /// When it ended before.
    pub fn end(mut self) -> anyhow::Result<u64> {
        self.over.store(true, Relaxed);
        self.sends.take().and_then(|sends| sends.join().ok()).context("the flood ended by itself")
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        if let Some(sends) = self.sends.take() {
            let _ = sends.join();
        }
    }
}

/// Syslog: chatter, refused sign-ins, and what is none.
pub fn syslog(nth: u64) -> Vec<u8> {
    match nth % 4 {
        0 => b"no priority at all".to_vec(),
        1 => b"<38>Nov 22 10:00:00 sw-1 sshd[77]: Failed password for root".to_vec(),
        2 => format!("<13>1 - sw-1 app - - - {nth}").into_bytes(),
        _ => [b"<13>app: ".as_slice(), &[0xff; 1_000]].concat(),
    }
}

/// Traps of engines whose ids are empty, too long, nobody's, or another each time.
pub fn engines(nth: u64) -> Vec<u8> {
    let id = match nth % 5 {
        0 => Vec::new(),
        1 => vec![0xff; 33],
        2 => vec![0; 1_000],
        3 => vec![0; 5],
        // As many as a table would have to remember.
        _ => [&[0x80, 0, 0, 0, 5][..], &nth.to_be_bytes()].concat(),
    };
    let boots = [&[1][..], &[0x7f, 0xff, 0xff, 0xff], &[0xff; 9], &[]][nth as usize % 4];
    from_engine(&id, boots)
}

/// A message of version 3 from an engine of this id, of the user `trapper`, who does not authenticate (RFC 3412 §6,
/// RFC 3414 §2.4).
fn from_engine(id: &[u8], boots: &[u8]) -> Vec<u8> {
    let user =
        [ber(4, id), ber(2, boots), ber(2, &[1]), ber(4, b"trapper"), ber(4, &[]), ber(4, &[])].concat();
    let head = [ber(2, &[7]), ber(2, &[0x7f, 0xff]), ber(4, &[0]), ber(2, &[3])].concat();
    let pdu = ber(0xa7, &[ber(2, &[7]), ber(2, &[0]), ber(2, &[0]), ber(0x30, &[])].concat());
    let scoped = ber(0x30, &[ber(4, id), ber(4, &[]), pdu].concat());
    ber(0x30, &[ber(2, &[3]), ber(0x30, &head), ber(4, &ber(0x30, &user)), scoped].concat())
}

/// Octets that wait at the UDP socket of a port, and datagrams it had no room for (proc(5), `net/udp`).
///
/// # Errors
/// When there is no such socket.
pub fn waiting(port: u16) -> anyhow::Result<(u64, u64)> {
    let table = fs::read_to_string("/proc/net/udp").context("read /proc/net/udp")?;
    let suffix = format!(":{port:04X}");
    let mut rows = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.get(1).is_some_and(|at| at.ends_with(&suffix)));
    let row = row.with_context(|| format!("nobody listens on port {port}"))?;
    let queued = row.get(4).and_then(|both| both.split_once(':')).context("no queue")?.1;
    Ok((u64::from_str_radix(queued, 16)?, row.last().context("no drops")?.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_tells_what_waits_and_what_it_lost() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = socket.local_addr().unwrap();
        assert_eq!(waiting(to.port()).unwrap(), (0, 0));
        let pause = Duration::from_millis(5);
        let flood = Flood::start(to, syslog, pause).unwrap();
        while waiting(to.port()).unwrap().1 == 0 {
            sleep(pause);
        }
        let sent = flood.end().unwrap();
        let (queued, lost) = waiting(to.port()).unwrap();
        assert!(queued > 0 && (1..sent).contains(&lost), "{queued} {lost} of {sent}");
    }
}
