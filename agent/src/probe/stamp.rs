//! Unauthenticated STAMP (RFC 8762) against any reflector: one packet there, one back.
//!
//! All checks share one UDP socket per family, so a thousand checks cost one file descriptor and one task
//! that sorts answers by sender and number:
//!
//! ```text
//! check a ─┐                                   ┌─▶ waiter of (a, 7)
//! check b ─┼─▶ socket ─▶ reflectors ─▶ socket ─┼─▶ waiter of (b, 3)
//! check c ─┘        one task: whose?, which?   └─▶ nobody waits any more: dropped
//! ```
//!
//! An answer counts when it comes from the address asked and echoes the timestamp sent. The duration is the
//! round trip less the time the reflector held the packet.

use super::{Answer, Budget, Tools};
use crate::dial;
use crate::place::Finder;
use crate::timestamps::Timestamps;
use haidang_probe::ask::place::Endpoint;
use haidang_probe::ask::stamp::Question;
use haidang_probe::liveness::{MAX_PACKET, PlainSender};
use haidang_probe::outcome::Failure;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::oneshot;

/// Reflectors remembered. Beyond it those nobody waits for are forgotten; their numbers start again.
const SESSIONS: usize = 1024;

/// Pause after a failed receive, so that a lasting error does not spin.
const RECEIVE_PAUSE: Duration = Duration::from_millis(100);

/// One socket per family, for all runs.
pub struct Probe {
    finder: Finder,
    timestamps: Timestamps,
    v4: Mutex<Option<Arc<Shared>>>,
    v6: Mutex<Option<Arc<Shared>>>,
}

impl Probe {
    /// Opens no socket yet.
    pub fn new(tools: &Tools) -> Probe {
        let timestamps = Timestamps::of(&tools.clock);
        Probe { finder: tools.finder.clone(), timestamps, v4: Mutex::default(), v6: Mutex::default() }
    }

    /// One request, one answer.
    pub async fn ask(&self, question: &Question, budget: Budget) -> Answer {
        self.round_trip(&question.reflector, budget).await.into()
    }

    async fn round_trip(&self, endpoint: &Endpoint, budget: Budget) -> Result<Duration, Failure> {
        let address = budget.spend(Failure::Resolve, self.finder.socket_address(endpoint)).await?;
        let shared = self.shared(address).map_err(|error| dial::failure(&error))?;
        let asked = shared.ask(address);
        shared.socket.send_to(&asked.packet, address).await.map_err(|error| dial::failure(&error))?;
        budget.spend(Failure::Timeout, asked.answered()).await
    }

    fn shared(&self, address: SocketAddr) -> io::Result<Arc<Shared>> {
        let mut shared = lock(if address.is_ipv4() { &self.v4 } else { &self.v6 });
        if let Some(shared) = &*shared {
            return Ok(shared.clone());
        }
        let opened = Arc::new(Shared::open(address.is_ipv4(), self.timestamps.clone())?);
        let receiver = Arc::downgrade(&opened);
        let socket = opened.socket.clone();
        tokio::spawn(async move {
            let mut packet = [0; MAX_PACKET];
            loop {
                let received = socket.recv_from(&mut packet).await;
                // Ends when the probe is gone.
                let Some(shared) = receiver.upgrade() else { return };
                match received {
                    Ok((length, from)) => shared.received(&packet[..length], from),
                    Err(error) => {
                        tracing::debug!(%error, "stamp receive failed");
                        tokio::time::sleep(RECEIVE_PAUSE).await;
                    }
                }
            }
        });
        Ok(shared.insert(opened).clone())
    }
}

/// A socket and who waits on it.
struct Shared {
    socket: Arc<UdpSocket>,
    timestamps: Timestamps,
    sessions: Mutex<BTreeMap<SocketAddr, Session>>,
}

struct Session {
    sender: PlainSender,
    waiting: BTreeMap<u32, oneshot::Sender<Duration>>,
}

impl Shared {
    fn open(v4: bool, timestamps: Timestamps) -> io::Result<Shared> {
        let any: SocketAddr =
            if v4 { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
        let socket = std::net::UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        Ok(Shared { socket: Arc::new(UdpSocket::from_std(socket)?), timestamps, sessions: Mutex::default() })
    }

    fn ask(self: &Arc<Shared>, address: SocketAddr) -> Asked {
        let mut sessions = lock(&self.sessions);
        if sessions.len() >= SESSIONS && !sessions.contains_key(&address) {
            sessions.retain(|_, session| !session.waiting.is_empty());
        }
        let session = sessions
            .entry(address)
            .or_insert_with(|| Session { sender: PlainSender::new(0), waiting: BTreeMap::new() });
        let (seq, packet) = session.sender.next(&self.timestamps.now());
        let (answer, waiter) = oneshot::channel();
        session.waiting.insert(seq, answer);
        Asked { shared: self.clone(), address, seq, packet, waiter }
    }

    fn received(&self, packet: &[u8], from: SocketAddr) {
        let now = self.timestamps.now();
        let mut sessions = lock(&self.sessions);
        let Some(session) = sessions.get_mut(&from) else { return };
        match session.sender.receive(packet, &now) {
            Ok(reply) => {
                if let Some(waiter) = session.waiting.remove(&reply.seq) {
                    // Nobody waits any more when the run was cut off just now.
                    let _ = waiter.send(Duration::from_nanos(reply.rtt_ns));
                }
            }
            Err(dropped) => tracing::trace!(%from, %dropped, "stamp answer dropped"),
        }
    }
}

/// A request under way; dropping it stops waiting.
struct Asked {
    shared: Arc<Shared>,
    address: SocketAddr,
    seq: u32,
    packet: Vec<u8>,
    waiter: oneshot::Receiver<Duration>,
}

impl Asked {
    async fn answered(mut self) -> Result<Duration, Failure> {
        (&mut self.waiter).await.map_err(|_| Failure::Local)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(session) = lock(&self.shared.sessions).get_mut(&self.address) {
            session.waiting.remove(&self.seq);
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_daemon::clock::Clock;
    use haidang_probe::ask::stamp::Question;
    use haidang_probe::liveness::{TTL_UNKNOWN, reflect_plain};

    fn probe() -> (Clock, Probe) {
        let tools = Tools { clock: Clock::machine().unwrap(), finder: Finder::default() };
        (tools.clock.clone(), Probe::new(&tools))
    }

    async fn reflector(clock: &Clock) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let timestamps = Timestamps::of(clock);
        tokio::spawn(async move {
            let mut packet = [0; MAX_PACKET];
            loop {
                let (length, from) = socket.recv_from(&mut packet).await.unwrap();
                let now = timestamps.now();
                let answer = reflect_plain(&packet[..length], TTL_UNKNOWN, &now, &now).unwrap();
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        address
    }

    fn question(address: SocketAddr) -> Question {
        address.to_string().parse().unwrap()
    }

    #[tokio::test]
    async fn many_checks_share_one_socket_and_get_their_own_answers() {
        let (clock, probe) = probe();
        let probe = Arc::new(probe);
        let mut runs = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let address = reflector(&clock).await;
            for _ in 0..4 {
                let (probe, budget) = (probe.clone(), Budget::start(&clock, Duration::from_secs(5)));
                runs.spawn(async move { probe.ask(&question(address), budget).await });
            }
        }
        while let Some(answer) = runs.join_next().await {
            assert!(answer.unwrap().result.is_ok());
        }
        let shared = lock(&probe.v4).clone().unwrap();
        assert_eq!(lock(&shared.sessions).len(), 8);
        assert!(lock(&shared.sessions).values().all(|session| session.waiting.is_empty()));
    }

    #[tokio::test]
    async fn silence_times_out_and_leaves_nobody_waiting() {
        let (clock, probe) = probe();
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap();
        let answer = probe.ask(&question(address), Budget::start(&clock, Duration::from_millis(50))).await;
        assert_eq!(answer.result, Err(Failure::Timeout));
        let shared = lock(&probe.v4).clone().unwrap();
        assert!(lock(&shared.sessions)[&address].waiting.is_empty());
    }

    #[tokio::test]
    async fn an_answer_from_a_stranger_does_not_count() {
        let (clock, probe) = probe();
        let asked = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = asked.local_addr().unwrap();
        let timestamps = Timestamps::of(&clock);
        tokio::spawn(async move {
            let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let mut packet = [0; MAX_PACKET];
            let (length, from) = asked.recv_from(&mut packet).await.unwrap();
            let now = timestamps.now();
            let answer = reflect_plain(&packet[..length], TTL_UNKNOWN, &now, &now).unwrap();
            stranger.send_to(&answer, from).await.unwrap();
        });
        let answer = probe.ask(&question(address), Budget::start(&clock, Duration::from_millis(100))).await;
        assert_eq!(answer.result, Err(Failure::Timeout));
    }
}
