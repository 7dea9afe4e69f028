//! Syslog over UDP and TCP: RFC 5424, RFC 3164 and what devices send in its stead.
//!
//! ```text
//! <38>Nov 22 10:00:00 sw-1 sshd[77]: Failed password for …      facility auth, severity info, app sshd ─▶ auth-failure
//!  └┬┘                     └─┬┘       └──────┬─────┘
//!  facility × 8 + severity  app        looked at once, to find the class; never kept
//! ```
//!
//! A message is its header and a class by [`CLASSES`]; its text is gone when the datagram is. What begins with no
//! priority is garbled, and counted.

use super::ear::{Ear, Lost};
use super::frame::{Frame, Frames, MAX_MESSAGE};
use super::unheard::{self, Unheard};
use super::{Said, Tools};
use crate::fault;
use haidang_probe::event::{Event, EventKind, Field};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

/// Connections at once, over all sources and of one.
const MAX_CONNECTIONS: (usize, usize) = (64, 8);
/// Octets asked of the system for datagrams that wait; it may give fewer.
const WAITING: usize = 1 << 20;
/// Datagrams read before others have their turn.
const AT_ONCE: usize = 64;
/// A connection whose other end is gone is found by asking it after this long.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// Octets of a message that are looked at for its class and its app.
const LOOK: usize = 512;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Octets of the longest app (RFC 5424 §6).
const MAX_APP: usize = 48;

const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];
const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// What a message must hold, in lower case, to be of a class: the first that fits. Vendors' own words.
const CLASSES: &[(EventKind, &[&str])] = &[
    (
        EventKind::AuthFailure,
        &[
            "failed password",
            "authentication fail",
            "login fail",
            "login_fail",
            "loginfail",
            "failed login",
            "invalid user",
            "auth_fail",
            "bad password",
            "password mismatch",
        ],
    ),
    (
        EventKind::ConfigChanged,
        &[
            "config_i:",
            "configured from",
            "configuration changed",
            "configuration is changed",
            "config changed",
            "cfg_change",
            "ui_commit:",
            "commit complete",
            "attribute configured",
        ],
    ),
    (
        EventKind::PortDown,
        &["state to down", "link down", "link is down", "link status is down", "the down state", "link_down"],
    ),
    (
        EventKind::PortUp,
        &["state to up", "link up", "link is up", "link status is up", "the up state", "link_up"],
    ),
    (
        EventKind::DeviceRestarted,
        &[
            "sys-5-restart",
            "system restarted",
            "cold start",
            "coldstart",
            "warm start",
            "router rebooted",
            "linux version ",
        ],
    ),
];

/// Where syslog is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings(SocketAddr);

impl Settings {
    /// What the plan says of it.
    pub fn of(said: &Said) -> Option<Settings> {
        said.listening.syslog.map(Settings)
    }
}

/// Listens until it cannot.
pub async fn run(settings: Settings, ear: Ear, _tools: Tools) -> io::Result<Infallible> {
    let Settings(address) = settings;
    let datagrams = UdpSocket::bind(address).await?;
    // Best effort: what the system gives is enough for a site.
    let _ = socket2::SockRef::from(&datagrams).set_recv_buffer_size(WAITING);
    let connections = TcpListener::bind(address).await?;
    let overrun = Unheard::new(&ear, Lost::Overrun, || unheard::overrun(address));
    let (sent, connected) = (hear_datagrams(&datagrams, &ear), hear_connections(&connections, &ear));
    tokio::try_join!(sent, connected, overrun.count_on()).map(|(never, ..)| never)
}

/// Hears one datagram after the other, some at once.
pub async fn hear_datagrams(socket: &UdpSocket, ear: &Ear) -> io::Result<Infallible> {
    let mut octets = vec![0; MAX_MESSAGE];
    loop {
        socket.readable().await?;
        for _ in 0..AT_ONCE {
            match socket.try_recv_from(&mut octets) {
                Ok((length, source)) => hear(&octets[..length], source.ip(), ear),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        tokio::task::yield_now().await;
    }
}

/// One message of `source` becomes an event, or is counted.
pub fn hear(message: &[u8], source: IpAddr, ear: &Ear) {
    let Some(header) = read(message) else { return ear.garbled(source) };
    ear.hear(source, header.kind, |event| header.said(event));
}

async fn hear_connections(listener: &TcpListener, ear: &Ear) -> io::Result<Infallible> {
    let open: Arc<Mutex<BTreeMap<IpAddr, usize>>> = Arc::default();
    let mut conversations = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            Some(_) = conversations.join_next() => continue,
        };
        let source = peer.ip().to_canonical();
        {
            let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
            let of_source = open.get(&source).copied().unwrap_or(0);
            if conversations.len() >= MAX_CONNECTIONS.0 || of_source >= MAX_CONNECTIONS.1 {
                // Closed by being dropped; the sender sees it and may come again.
                tracing::debug!("syslog connection refused: too many");
                continue;
            }
            *open.entry(source).or_default() += 1;
        }
        let (ear, open) = (ear.clone(), open.clone());
        conversations.spawn(fault::along(async move {
            // The other end went, which is its right.
            let _ = converse(stream, source, &ear).await;
            let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = open.get_mut(&source) {
                *count -= 1;
                if *count == 0 {
                    open.remove(&source);
                }
            }
        }));
    }
}

async fn converse(mut stream: TcpStream, source: IpAddr, ear: &Ear) -> io::Result<()> {
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    let mut frames = Frames::default();
    let mut octets = vec![0; 4096];
    loop {
        let length = stream.read(&mut octets).await?;
        if length == 0 {
            return Ok(());
        }
        frames.take(&octets[..length], |frame| match frame {
            Frame::Message(message) => hear(message, source, ear),
            Frame::TooLong => ear.garbled(source),
        });
        tokio::task::yield_now().await;
    }
}

/// What is kept of a message.
#[derive(Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its facility.
    pub facility: &'static str,
    /// Its severity.
    pub severity: &'static str,
    /// The program it says it is from; empty where it says none.
    pub app: &'a str,
    /// Its class.
    pub kind: EventKind,
}

impl Header<'_> {
    fn said(&self, event: Event) -> Event {
        event
            .with(Field::Facility, self.facility)
            .with(Field::Severity, self.severity)
            .with(Field::App, self.app)
    }
}

/// Reads a message; none when it begins with no priority.
pub fn read(message: &[u8]) -> Option<Header<'_>> {
    let (priority, rest) = priority(message)?;
    let rest = &rest[..rest.len().min(LOOK)];
    let app = rest.strip_prefix(b"1 ").map_or_else(|| app_of_3164(rest), app_of_5424);
    Some(Header {
        facility: FACILITIES.get(priority / 8)?,
        severity: SEVERITIES[priority % 8],
        app: app.unwrap_or_default(),
        kind: class(rest),
    })
}

/// `<0>` to `<191>`, and what follows.
fn priority(message: &[u8]) -> Option<(usize, &[u8])> {
    let rest = message.strip_prefix(b"<")?;
    let digits = rest.iter().take(4).take_while(|octet| octet.is_ascii_digit()).count();
    if !(1..=3).contains(&digits) || rest.get(digits) != Some(&b'>') {
        return None;
    }
    let number = rest[..digits].iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
    Some((number, &rest[digits + 1..]))
}

/// `TIMESTAMP HOSTNAME APP-NAME …` (RFC 5424 §6).
fn app_of_5424(rest: &[u8]) -> Option<&str> {
    name(rest.split(|octet| *octet == b' ').nth(2)?).filter(|app| *app != "-")
}

/// The tag, `sshd[77]:` or `%SYS-5-CONFIG_I:`, where a header has it: a word further on would be text.
fn app_of_3164(rest: &[u8]) -> Option<&str> {
    let words = || rest.split(|octet| *octet == b' ').filter(|word| !word.is_empty());
    let first = words().next()?;
    let dated = MONTHS.iter().any(|month| first.starts_with(month.as_bytes()));
    let (places, mark) = match first {
        // `Nov 22 10:00:00 [name] tag:`.
        _ if dated => (3..5, None),
        // `2026-11-22T10:00:00Z [name] tag:`.
        [b'0'..=b'9', ..] if first.contains(&b'T') => (1..3, None),
        // Cisco counts and dates its messages in many ways, but marks the tag.
        _ if first.ends_with(b":") && !first.starts_with(b"%") => (0..8, Some(b'%')),
        _ => (0..1, None),
    };
    words().take(places.end).skip(places.start).find_map(|word| tag(word, mark))
}

/// `word` as a tag, which begins with `mark` if one is given.
fn tag(word: &[u8], mark: Option<u8>) -> Option<&str> {
    if mark.is_some_and(|mark| word.first() != Some(&mark)) {
        return None;
    }
    let tag = word.strip_suffix(b":")?;
    let tag = tag.split(|octet| *octet == b'[').next()?;
    name(tag.strip_prefix(b"%").unwrap_or(tag))
}

/// The octets as a name, if they can be one.
fn name(octets: &[u8]) -> Option<&str> {
    let named = |octet: &u8| octet.is_ascii_alphanumeric() || b"._-/".contains(octet);
    let good = (1..=MAX_APP).contains(&octets.len()) && octets.iter().all(named);
    std::str::from_utf8(octets).ok().filter(|_| good)
}

/// The class of a text; what is not ASCII fits nothing.
fn class(text: &[u8]) -> EventKind {
    let mut lower = [0; LOOK];
    for (small, octet) in lower.iter_mut().zip(text) {
        *small = if octet.is_ascii() { octet.to_ascii_lowercase() } else { b'?' };
    }
    let text = std::str::from_utf8(&lower[..text.len().min(LOOK)]).unwrap_or_default();
    let fits = |(_, words): &&(EventKind, &[&str])| words.iter().any(|word| text.contains(word));
    CLASSES.iter().find(fits).map_or(EventKind::SyslogHeard, |(kind, _)| *kind)
}

#[cfg(test)]
mod tests;
