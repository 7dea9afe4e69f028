//! Name servers, good and other, octet by octet (RFC 1035 §4).
//!
//! ```text
//! message   id flags 1 answers 0 0 | question as it came | name type class ttl length content …
//! ```

use super::{Foe, Toll};
use anyhow::Context;
use haidang_probe::outcome::Failure;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread::spawn;

const HEAD: usize = 12;
/// The name that is asked for, by a pointer to it.
const ASKED: [u8; 2] = [0xc0, HEAD as u8];
const ADDRESS: u16 = 1;
const ALIAS: u16 = 5;
/// Answers of a server that does not stop: more than are passed over
/// ([`MAX_STRAY`](haidang_agent::probe::dns::MAX_STRAY)).
const STRAYS: usize = 1_000;

/// What is asked of every server.
pub const NAME: &str = "portal.test";

/// Where a server that knows every name is.
///
/// # Errors
/// When a socket is not to be had.
pub fn good() -> anyhow::Result<SocketAddr> {
    start(|query| vec![known(query)]).map(|(at, _)| at)
}

/// Servers that lead nowhere.
///
/// # Errors
/// When a socket is not to be had.
pub fn all() -> anyhow::Result<Vec<Foe>> {
    let foe = |name, answers, ends| {
        let (at, toll) = start(answers)?;
        let target = format!("{at}/{NAME}");
        let foe = Foe { name, probe: "dns", target, ends: Err(ends), toll, ..Foe::default() };
        anyhow::Ok(Foe { timeout_s: 1, requests: 1, ..foe })
    };
    Ok(vec![
        foe("dns-aliases", aliases, Failure::Loop)?,
        foe("dns-pointers", pointers, Failure::Protocol)?,
        foe("dns-strays", strays, Failure::Protocol)?,
    ])
}

fn known(query: &[u8]) -> Vec<u8> {
    reply(query, &[record(&ASKED, ADDRESS, &[192, 0, 2, 80])])
}

/// The name is an alias of `b`, and that of the name.
fn aliases(query: &[u8]) -> Vec<Vec<u8>> {
    let b = [1, b'b', 0];
    vec![reply(query, &[record(&ASKED, ALIAS, &b), record(&b, ALIAS, &ASKED)])]
}

/// A name that is a pointer to itself.
fn pointers(query: &[u8]) -> Vec<Vec<u8>> {
    let itself = [0xc0, query.len() as u8];
    vec![reply(query, &[record(&itself, ADDRESS, &[192, 0, 2, 80])])]
}

/// Answers to other queries, without end.
fn strays(query: &[u8]) -> Vec<Vec<u8>> {
    let mut other = known(query);
    other[0] ^= 1;
    vec![other; STRAYS]
}

/// The answer to a query that is its head and its question.
fn reply(query: &[u8], records: &[Vec<u8>]) -> Vec<u8> {
    let counts = [0, 1, 0, records.len() as u8, 0, 0, 0, 0];
    [&query[..2], &[0x81, 0x80], &counts, &query[HEAD..], &records.concat()].concat()
}

fn record(name: &[u8], kind: u16, content: &[u8]) -> Vec<u8> {
    let rest = [0, 1, 0, 0, 0, 60, 0, content.len() as u8];
    [name, &kind.to_be_bytes(), &rest, content].concat()
}

/// A server on a thread of its own, until the program ends.
fn start(answers: fn(&[u8]) -> Vec<Vec<u8>>) -> anyhow::Result<(SocketAddr, Arc<Toll>)> {
    let socket = UdpSocket::bind("127.0.0.1:0").context("open a name server's socket")?;
    let (at, toll) = (socket.local_addr()?, Arc::<Toll>::default());
    let count = toll.clone();
    spawn(move || {
        let mut buffer = [0; 512];
        // Whoever asked may be gone: that is told at the next receiving, and is no end.
        loop {
            let Ok((length @ HEAD.., from)) = socket.recv_from(&mut buffer) else { continue };
            count.asked(1);
            for answer in answers(&buffer[..length]) {
                count.gave(answer.len());
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    Ok((at, toll))
}
