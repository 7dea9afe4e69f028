//! Requests as octets, as no honest client would send them, and answers as they came.

use anyhow::Context;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for octets.
const PATIENCE: Duration = Duration::from_secs(15);

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Status line and header lines.
    pub head: String,
    /// What follows them.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends octets and reads until the other side closes.
pub fn exchange(address: &str, octets: &[u8]) -> anyhow::Result<Answer> {
    ask(TcpStream::connect(address)?, octets)
}

/// The same on a connection that stands.
pub fn ask(mut stream: TcpStream, octets: &[u8]) -> anyhow::Result<Answer> {
    stream.set_read_timeout(Some(PATIENCE))?;
    // A server that has had enough closes before it read all; its answer is there nevertheless.
    let written = stream.write_all(octets);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => return Err(error.into()),
        _ => {}
    }
    parse(&answer).with_context(|| format!("no HTTP answer, written: {written:?}"))
}

/// A connection from a loopback address of one's own choice.
pub fn connect_from(source: Ipv4Addr, to: &str) -> anyhow::Result<TcpStream> {
    let to: SocketAddr = to.parse()?;
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head, body: answer[end + 4..].to_vec() })
}
