//! The sockets of all STAMP checks: one for each family, class of service and source port, so that a thousand checks cost one file
//! descriptor and one task that sorts answers by sender and number.
//!
//! An answer counts when it comes from the address asked and echoes the timestamp sent. It is stamped by the kernel. A
//! door that no run has used for [`IDLE`] is closed.

use super::train::{self, Left};
use crate::dial;
use crate::figures::{Fate, Found, found};
use crate::timestamps::Timestamps;
use haidang_daemon::clock::Clock;
use haidang_daemon::datagrams::{self, Inbox};
use haidang_probe::ask::stamp::Question;
use haidang_probe::liveness::{MAX_PACKET, PlainSender, Reply};
use haidang_probe::outcome::Failure;
use socket2::SockRef;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Reflectors remembered by a door. Beyond it those nobody waits for are forgotten; their numbers start again.
const SESSIONS: usize = 1024;

/// Answers received by one call.
const BATCH: usize = 16;

/// Pause after a failed receive, so that a lasting error does not spin.
const RECEIVE_PAUSE: Duration = Duration::from_millis(100);

/// Time after its last run began at which a door is closed: longer than any run. Nobody may ask by it any more, and its
/// port may be wanted.
const IDLE: Duration = Duration::from_secs(600);

/// All doors; none is open before it is needed.
pub struct Doors {
    timestamps: Timestamps,
    idle: Duration,
    open: Arc<Open>,
}

/// The open doors, and when a run last began at each, monotonic ns.
type Open = Mutex<BTreeMap<Kind, (Arc<Door>, u64)>>;

/// What makes a door another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    v4: bool,
    dscp: u8,
    port: u16,
}

impl Doors {
    /// Doors that read `clock`.
    pub fn new(clock: &Clock) -> Doors {
        Doors { timestamps: Timestamps::of(clock), idle: IDLE, open: Arc::default() }
    }

    /// The same, that close after `idle`.
    #[cfg(test)]
    pub fn closing_after(clock: &Clock, idle: Duration) -> Doors {
        Doors { idle, ..Doors::new(clock) }
    }

    /// Sends the train of `question` to `reflector`; each packet's answer may take `within`. One packet: its round trip,
    /// no samples.
    pub async fn run(&self, reflector: SocketAddr, question: &Question, within: Duration) -> Found {
        let kind = Kind { v4: reflector.is_ipv4(), dscp: question.dscp, port: question.source_port };
        match self.door(kind) {
            Ok(door) => door.run(reflector, question, within).await,
            Err(error) => found(&[Fate::Ours(dial::failure(&error))]),
        }
    }

    fn door(&self, kind: Kind) -> io::Result<Arc<Door>> {
        let (mut open, now_ns) = (lock(&self.open), self.timestamps.now().mono_ns);
        if let Some((door, used_ns)) = open.get_mut(&kind) {
            *used_ns = now_ns;
            return Ok(door.clone());
        }
        let door = Arc::new(Door::open(kind, self.timestamps.clone())?);
        let receiving = Receiving {
            kind,
            idle: self.idle,
            socket: door.socket.clone(),
            door: Arc::downgrade(&door),
            open: Arc::downgrade(&self.open),
        };
        let _ = door.receiving.set(tokio::spawn(receiving.run()).abort_handle());
        open.insert(kind, (door.clone(), now_ns));
        Ok(door)
    }

    /// Runs that wait on each reflector asked.
    #[cfg(test)]
    pub fn waiting(&self) -> Vec<(SocketAddr, usize)> {
        let open = lock(&self.open);
        let sessions = open.values().flat_map(|(door, _)| {
            let sessions = lock(&door.sessions);
            sessions.iter().map(|(to, session)| (*to, session.waiting.len())).collect::<Vec<_>>()
        });
        sessions.collect()
    }
}

/// The task that sorts what comes to a door, and closes it.
struct Receiving {
    kind: Kind,
    idle: Duration,
    socket: Arc<UdpSocket>,
    door: Weak<Door>,
    open: Weak<Open>,
}

impl Receiving {
    async fn run(self) {
        let mut inbox = Inbox::<BATCH, MAX_PACKET>::default();
        loop {
            let ready = tokio::time::timeout(self.idle, self.socket.readable()).await;
            let Some(door) = self.door.upgrade() else { return };
            if self.closes(&door) {
                return;
            }
            let Ok(ready) = ready else { continue };
            if let Err(error) = ready.and_then(|()| door.receive(&mut inbox)) {
                tracing::debug!(%error, "stamp receive failed");
                tokio::time::sleep(RECEIVE_PAUSE).await;
            }
        }
    }

    /// Closes the door when no run has begun for long; none can begin meanwhile.
    fn closes(&self, door: &Door) -> bool {
        let Some(open) = self.open.upgrade() else { return true };
        let (mut open, now_ns) = (lock(&open), door.timestamps.now().mono_ns);
        let used_ns = open.get(&self.kind).map_or(0, |(_, used_ns)| *used_ns);
        let closes = now_ns.saturating_sub(used_ns) >= self.idle.as_nanos() as u64;
        if closes {
            open.remove(&self.kind);
        }
        closes
    }
}

/// A socket and who waits on it.
struct Door {
    socket: Arc<UdpSocket>,
    /// The task that receives; it holds the socket, and ends with the door.
    receiving: OnceLock<AbortHandle>,
    timestamps: Timestamps,
    sessions: Mutex<BTreeMap<SocketAddr, Session>>,
}

struct Session {
    sender: PlainSender,
    /// Where the last run that ended left its numbers.
    left: Option<Left>,
    waiting: BTreeMap<u32, mpsc::Sender<Reply>>,
}

impl Door {
    fn open(kind: Kind, timestamps: Timestamps) -> io::Result<Door> {
        let any: SocketAddr = if kind.v4 {
            (Ipv4Addr::UNSPECIFIED, kind.port).into()
        } else {
            (Ipv6Addr::UNSPECIFIED, kind.port).into()
        };
        let socket = std::net::UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        datagrams::stamped(socket.as_fd())?;
        let octet = u32::from(kind.dscp) << 2;
        match kind.v4 {
            _ if octet == 0 => {}
            true => SockRef::from(&socket).set_tos_v4(octet)?,
            false => SockRef::from(&socket).set_tclass_v6(octet)?,
        }
        let socket = Arc::new(UdpSocket::from_std(socket)?);
        Ok(Door { socket, receiving: OnceLock::new(), timestamps, sessions: Mutex::default() })
    }

    async fn run(self: &Arc<Door>, to: SocketAddr, question: &Question, within: Duration) -> Found {
        let packets = usize::from(question.packets);
        let (answers, mut answered) = mpsc::channel(packets);
        let mut run = Run { door: self.clone(), to, seqs: Vec::with_capacity(packets) };
        let mut failures = BTreeMap::new();
        let started_ns = self.timestamps.now().mono_ns;
        for nth in 0..packets {
            let due_ns = started_ns + (question.gap * nth as u32).as_nanos() as u64;
            let early_ns = due_ns.saturating_sub(self.timestamps.now().mono_ns);
            tokio::time::sleep(Duration::from_nanos(early_ns)).await;
            let (seq, packet) = self.ask(to, usize::from(question.size), &answers);
            run.seqs.push(seq);
            if let Err(error) = self.socket.send_to(&packet, to).await {
                failures.insert(seq, dial::failure(&error));
            }
        }
        drop(answers);
        let mut replies = BTreeMap::new();
        let all = async {
            while replies.len() + failures.len() < packets
                && let Some(reply) = answered.recv().await
            {
                replies.insert(reply.seq, reply);
            }
        };
        // What came in time counts, whether it is all or not.
        let _ = tokio::time::timeout(within, all).await;
        let fates: Vec<Fate> = run.seqs.iter().map(|seq| fate(replies.get(seq), failures.get(seq))).collect();
        let mut found = found(&fates);
        let span = self.span(to, question, &run.seqs, &replies);
        if packets > 1 {
            let bound_ns = self.timestamps.now().bound_ns;
            let train: Vec<Option<Reply>> = run.seqs.iter().map(|seq| replies.get(seq).copied()).collect();
            found.samples.extend(train::figures(&train, span, bound_ns));
        }
        found
    }

    /// The next request to `to`; its answer goes to `answers`.
    fn ask(&self, to: SocketAddr, size: usize, answers: &mpsc::Sender<Reply>) -> (u32, Vec<u8>) {
        let mut sessions = lock(&self.sessions);
        if sessions.len() >= SESSIONS && !sessions.contains_key(&to) {
            sessions.retain(|_, session| !session.waiting.is_empty());
        }
        let now = self.timestamps.now();
        let session = sessions.entry(to).or_insert_with(|| {
            let mut sender = PlainSender::new(0);
            // Its first number is never sent: see `train`.
            let _ = sender.next(&now);
            Session { sender, left: None, waiting: BTreeMap::new() }
        });
        let (seq, packet) = session.sender.next_of(&now, size);
        session.waiting.insert(seq, answers.clone());
        (seq, packet)
    }

    /// A run of `question` is over: what its numbers tell of each way.
    fn span(
        &self,
        to: SocketAddr,
        question: &Question,
        seqs: &[u32],
        replies: &BTreeMap<u32, Reply>,
    ) -> Option<train::Span> {
        let mut sessions = lock(&self.sessions);
        let session = sessions.get_mut(&to)?;
        let (span, left) = train::span(question, session.left.take(), seqs, replies);
        session.left = left;
        span
    }

    fn receive(&self, inbox: &mut Inbox<BATCH, MAX_PACKET>) -> io::Result<()> {
        let received = self.socket.try_io(Interest::READABLE, || {
            inbox.receive(self.socket.as_fd(), false, |message| {
                if let Some(from) = message.from {
                    self.received(message.packet, from, message.stamp_ns);
                }
            })
        });
        match received {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    fn received(&self, packet: &[u8], from: SocketAddr, stamp_ns: Option<u64>) {
        let now = self.timestamps.arrived(stamp_ns);
        let mut sessions = lock(&self.sessions);
        let Some(session) = sessions.get_mut(&from) else { return };
        match session.sender.receive(packet, &now) {
            Ok(reply) => {
                if let Some(waiter) = session.waiting.remove(&reply.seq) {
                    // Nobody waits any more when the run was cut off just now.
                    let _ = waiter.try_send(reply);
                }
            }
            Err(dropped) => tracing::trace!(%dropped, "stamp answer dropped"),
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(receiving) = self.receiving.get() {
            receiving.abort();
        }
    }
}

fn fate(reply: Option<&Reply>, failure: Option<&Failure>) -> Fate {
    match (reply, failure) {
        (Some(reply), _) => Fate::Back(reply.rtt_ns),
        (None, Some(failure)) if !failure.tells_of_target() => Fate::Ours(*failure),
        (None, Some(failure)) => Fate::Lost(*failure),
        (None, None) => Fate::Lost(Failure::Timeout),
    }
}

/// A run under way; dropping it stops waiting.
struct Run {
    door: Arc<Door>,
    to: SocketAddr,
    seqs: Vec<u32>,
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(session) = lock(&self.door.sessions).get_mut(&self.to) {
            self.seqs.iter().for_each(|seq| drop(session.waiting.remove(seq)));
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
