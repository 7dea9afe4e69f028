//! The collector's STAMP sockets: both ends of every uplink, and the clock of the fold.
//!
//! One thread owns the sockets, one an address: a gateway that routes an address strictly over one carrier takes
//! an answer only from that address, so an answer and the down session leave by the socket an uplink was last
//! heard on. Each 100 ms of UTC it gives the fold a [`Tick`](crate::entry::Tick), also an
//! empty one. When it is late (the machine slept, the fold's queue is full) ticks are missing, which the fold
//! reads as blindness. A proof is said once, when it changes; one the fold did not take, which a full disk or queue may
//! do at any time, is said again once it takes entries. Nothing is answered that is not authentic, and no answer is longer than its request.

mod ends;
mod time;

use crate::entry::Entry;
use crate::fold::Fold;
use crate::registry::Roster;
use crate::watch::Watch;
use ends::{Ends, Peer, Taken};
use haidang_daemon::clock::Clock;
use haidang_daemon::datagrams::{self, Inbox};
use haidang_daemon::metrics::Metrics;
use haidang_probe::liveness::{Dropped, MAX_PACKET, Now};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::{counter::Counter, family::Family};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use time::Time;

/// Orders that may wait for the thread; one more train is dropped and counted, and the fold asks again.
const ORDERS: usize = 4096;
/// Datagrams received by one call.
const BATCH: usize = 16;
/// Longest the thread sleeps, so that it hears orders; also the fineness of its ticks.
const NAP: Duration = Duration::from_millis(5);
/// Between two looks for proofs that were refused, UTC ms.
const PROVE_AGAIN_MS: i64 = 1_000;
/// How long a new list of uplinks may wait for room among the orders.
const ROSTER_RETRY: Duration = Duration::from_millis(20);

/// What the thread is told.
enum Order {
    Serve(Box<Roster>),
    Train { ssid: u16, until: i64 },
    Stop,
}

/// Speaks to the thread.
#[derive(Clone)]
pub struct Liveness {
    orders: SyncSender<Order>,
    counts: Counts,
}

/// Sockets whose thread has yet to start: trains asked for meanwhile are kept.
pub struct Bound {
    sockets: Vec<UdpSocket>,
    orders: Receiver<Order>,
    counts: Counts,
}

/// The running thread.
pub struct Running {
    liveness: Liveness,
    join: JoinHandle<()>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// What the thread counts.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    up: Counter,
    down_sent: Counter,
    down: Counter,
    challenges: Counter,
    measured: Counter,
    dropped: Family<Reason, Counter>,
    unsent: Counter,
    waited: Counter,
    trains_dropped: Counter,
    ticks: Counter,
    ticks_refused: Counter,
}

impl Counts {
    fn register(metrics: &Metrics) -> Counts {
        let counts = Counts::default();
        for dropped in Dropped::ALL {
            drop(counts.dropped.get_or_create(&Reason { reason: dropped.name() }));
        }
        let all = [
            ("stamp_up_heard", "Authentic up packets counted", &counts.up),
            ("stamp_down_sent", "Down packets sent", &counts.down_sent),
            ("stamp_down_heard", "Authentic answers to down packets", &counts.down),
            ("stamp_challenges", "Authentic up packets answered with a challenge", &counts.challenges),
            ("stamp_measured", "Measuring packets answered", &counts.measured),
            ("stamp_unsent", "Packets the system did not take", &counts.unsent),
            ("stamp_train_waited", "Train packets that waited for their limit", &counts.waited),
            (
                "stamp_trains_dropped",
                "Trains not begun because too many orders waited",
                &counts.trains_dropped,
            ),
            ("ticks", "Ticks that ended, also those the fold's queue had no room for", &counts.ticks),
            ("ticks_refused", "Ticks and proofs the fold's queue had no room for", &counts.ticks_refused),
        ];
        metrics.register(|registry| {
            for (name, help, counter) in all {
                registry.register(name, help, counter.clone());
            }
            registry.register("stamp_dropped", "Datagrams not counted, by reason", counts.dropped.clone());
        });
        counts
    }

    fn drop(&self, dropped: Dropped) {
        self.dropped.get_or_create(&Reason { reason: dropped.name() }).inc();
    }
}

/// Binds a socket to each address. The thread starts with [`Bound::start`], once there is a fold to give ticks to.
///
/// # Errors
/// The first address the system does not give, and what it said.
pub fn bind(
    addresses: &[SocketAddr],
    metrics: &Metrics,
) -> Result<(Liveness, Bound), (SocketAddr, io::Error)> {
    let mut sockets = Vec::new();
    for address in addresses {
        sockets.push(open(*address).map_err(|error| (*address, error))?);
    }
    let counts = Counts::register(metrics);
    let (sender, orders) = sync_channel(ORDERS);
    Ok((Liveness { orders: sender, counts: counts.clone() }, Bound { sockets, orders, counts }))
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    datagrams::stamped(socket.as_fd())?;
    // An answer is as long as its request: broken up on its way back it would hide how long a packet may be.
    datagrams::unbroken(socket.as_fd(), address.is_ipv4())?;
    Ok(socket)
}

impl Liveness {
    /// Asks for a train until `until` (UTC ms); never waits.
    pub fn train(&self, ssid: u16, until: i64) {
        if self.orders.try_send(Order::Train { ssid, until }).is_err() {
            self.counts.trains_dropped.inc();
        }
    }

    /// Serves these uplinks from now on.
    pub async fn serve(&self, roster: Roster) {
        self.order(Order::Serve(Box::new(roster))).await;
    }

    async fn order(&self, mut order: Order) {
        while let Err(std::sync::mpsc::TrySendError::Full(back)) = self.orders.try_send(order) {
            order = back;
            tokio::time::sleep(ROSTER_RETRY).await;
        }
    }
}

impl Bound {
    /// The addresses bound.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.sockets.iter().map(UdpSocket::local_addr).collect()
    }

    /// Starts the thread.
    pub fn start(self, liveness: Liveness, clock: Clock, fold: Fold) -> io::Result<Running> {
        let mut cookie_secret = [0; 32];
        getrandom::fill(&mut cookie_secret).map_err(io::Error::other)?;
        let last_tick = fold.read(Watch::now);
        let refused = refused(&fold);
        let sockets = Sockets {
            sockets: self.sockets.into(),
            fold,
            counts: self.counts,
            ends: Ends::new(&cookie_secret, last_tick),
            time: Time::new(clock, last_tick),
            refused,
            prove_again: None,
        };
        let orders = self.orders;
        let thread = std::thread::Builder::new().name("liveness".into());
        Ok(Running { liveness, join: thread.spawn(move || sockets.run(&orders))? })
    }
}

impl Running {
    /// Ends the thread.
    pub async fn stop(self) {
        self.liveness.order(Order::Stop).await;
        // It looks at its orders each NAP.
        let _ = self.join.join();
    }
}

/// The thread's own.
struct Sockets {
    sockets: Arc<[UdpSocket]>,
    fold: Fold,
    counts: Counts,
    ends: Ends,
    time: Time,
    /// What [`refused`] said last.
    refused: u64,
    /// Something was refused: when to look for proofs that were, UTC ms.
    prove_again: Option<i64>,
}

/// Entries the fold ever refused, by its queue or its journal.
fn refused(fold: &Fold) -> u64 {
    let counts = fold.counts();
    counts.full.load(Ordering::Relaxed) + counts.refused.load(Ordering::Relaxed)
}

impl Sockets {
    fn run(mut self, orders: &Receiver<Order>) {
        let mut inbox = Inbox::<BATCH, { MAX_PACKET + 1 }>::default();
        let sockets = self.sockets.clone();
        loop {
            let now = self.time.now();
            if !self.obey(orders, &now) {
                return;
            }
            self.send(&now);
            self.tick(&now);
            let nap =
                self.ends.next_due().map_or(NAP, |due| Duration::from_nanos(due.saturating_sub(now.mono_ns)));
            for socket in self.heard(nap.min(NAP)) {
                let received = inbox.receive(sockets[socket].as_fd(), false, |message| {
                    if let Some(address) = message.from {
                        self.take(message.packet, Peer { socket, address }, message.stamp_ns);
                    }
                });
                if let Err(error) = received {
                    tracing::trace!(%error, "stamp receive failed");
                }
            }
        }
    }

    /// Waits for datagrams, at most `nap`; the sockets that have one.
    fn heard(&self, nap: Duration) -> Vec<usize> {
        let mut asked: Vec<_> =
            self.sockets.iter().map(|socket| PollFd::new(socket, PollFlags::IN)).collect();
        let nap = Timespec { tv_sec: 0, tv_nsec: i64::from(nap.subsec_nanos()) };
        // Interrupted or refused: nothing is heard this time, and the next turn asks again.
        if poll(&mut asked, Some(&nap)).is_err() {
            return Vec::new();
        }
        (0..asked.len()).filter(|number| !asked[*number].revents().is_empty()).collect()
    }

    /// Follows what it was told; false when it is to stop.
    fn obey(&mut self, orders: &Receiver<Order>, now: &Now) -> bool {
        loop {
            match orders.try_recv() {
                Ok(Order::Serve(roster)) => {
                    tracing::info!(uplinks = roster.uplinks.len(), "serving liveness");
                    self.ends.serve(&roster, || {
                        let mut start = [0; 8];
                        // Without randomness a start id is merely guessable; the cookie still is not.
                        let _ = getrandom::fill(&mut start);
                        u64::from_be_bytes(start)
                    });
                }
                Ok(Order::Train { ssid, until }) => {
                    let ahead = until.saturating_sub(now.utc_ns / 1_000_000).max(0) as u64;
                    self.ends.train(ssid, now.mono_ns.saturating_add(ahead.saturating_mul(1_000_000)), now);
                }
                Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    fn send(&mut self, now: &Now) {
        let (sockets, counts) = (&self.sockets, &self.counts);
        let waited = self.ends.send(now, |packet, to| {
            let sent = sockets[to.socket].send_to(packet, to.address).is_ok();
            if sent {
                counts.down_sent.inc()
            } else {
                counts.unsent.inc()
            };
            sent
        });
        self.counts.waited.inc_by(waited);
    }

    fn tick(&mut self, now: &Now) {
        let Some(tick) = self.ends.tick(now.utc_ns.div_euclid(1_000_000)) else { return };
        let lost = self.lost_proofs(tick.at);
        for entry in self.ends.proofs().into_iter().chain(lost).chain([Entry::Tick(tick)]) {
            if self.fold.submit(entry).is_err() {
                self.counts.ticks_refused.inc();
            }
        }
        self.counts.ticks.inc();
    }

    /// Proofs that were refused since they were said. Looked for only after something was, a moment later, so that
    /// what still waits in the queue has come through.
    fn lost_proofs(&mut self, at: i64) -> Vec<Entry> {
        let refused = refused(&self.fold);
        if std::mem::replace(&mut self.refused, refused) != refused {
            self.prove_again.get_or_insert(at + PROVE_AGAIN_MS);
        }
        if self.prove_again.is_none_or(|due| at < due) || self.fold.fault().is_some() {
            return Vec::new();
        }
        let lost = self.fold.read(|watch| self.ends.unknown(at, |ssid| watch.proof(ssid)));
        self.prove_again = (!lost.is_empty()).then_some(at + PROVE_AGAIN_MS);
        lost
    }

    fn take(&mut self, datagram: &[u8], from: Peer, stamp_ns: Option<u64>) {
        let (arrived, now) = self.time.arrived(stamp_ns);
        let answer = match self.ends.receive(datagram, from, &arrived, &now) {
            Ok(Taken::Down) => {
                self.counts.down.inc();
                return;
            }
            Ok(Taken::Up(answer)) => {
                self.counts.up.inc();
                answer
            }
            Ok(Taken::Measure(answer)) => {
                self.counts.measured.inc();
                answer
            }
            Ok(Taken::Challenge(answer)) => {
                self.counts.challenges.inc();
                self.counts.drop(Dropped::StaleCookie);
                answer
            }
            Err(dropped) => {
                tracing::trace!(from = %from.address, reason = dropped.name(), "datagram dropped");
                self.counts.drop(dropped);
                return;
            }
        };
        if self.sockets[from.socket].send_to(&answer, from.address).is_err() {
            self.counts.unsent.inc();
        }
    }
}

#[cfg(test)]
mod tests;
