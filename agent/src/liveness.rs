//! The up and down STAMP sessions of one uplink, over one UDP socket.
//!
//! ```text
//!   session n      up     we send `every` so often ──▶ the collector answers ─▶ round trip, cookie
//!   session n + 1  down   the collector sends ──▶ we answer                  ─▶ it is heard
//! ```
//!
//! What both did is told each ten seconds, as a [`LineDigest`]. On an uplink that nobody pays by volume, measuring
//! packets of the up session tell [its quality](crate::quality).
//!
//! Both kinds of authentic packet count as the collector being heard. Silence of [`SILENT_TURNS`], and its
//! end, are events: evidence of what the agent saw during an outage, told once a batch gets through. Network
//! errors end nothing: packets go on being sent, and the socket is bound anew when it does not work.

pub(crate) mod digester;
mod measure;

use crate::dial::Origin;
use crate::expose::Board;
use crate::quality::Quality;
use crate::timestamps::Timestamps;
use crate::uplink::{Uplink, meter::Meter};
use digester::Digester;
use haidang_daemon::clock::Clock;
use haidang_daemon::datagrams::{self, Inbox};
use haidang_daemon::stop::Stop;
use haidang_probe::digest::LineDigest;
use haidang_probe::event::{Event, EventKind};
use haidang_probe::liveness::{Key, MAX_PACKET, Reflected, Reflector, Sender, TTL_UNKNOWN, down_session};
use haidang_probe::moment::Moment;
use haidang_probe::outcome::Outcome;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::{Notify, mpsc};
use tokio::time::MissedTickBehavior;

/// Intervals of silence after which the collector counts as no longer heard.
pub const SILENT_TURNS: u32 = 3;

/// Errors of the socket in a row after which it is bound anew: its source address may have gone and come
/// back.
const ERRORS: u32 = 5;

/// Packets received by one call: a train that comes at once.
const BATCH: usize = 16;

/// Pause after a failed receive or bind.
const PAUSE: Duration = Duration::from_millis(500);

/// What a liveness task works with.
pub struct Liveness {
    /// Reads time.
    pub clock: Clock,
    /// The uplink it is for.
    pub uplink: Arc<Uplink>,
    /// Takes the events.
    pub events: mpsc::Sender<Event>,
    /// Takes the digests.
    pub digests: mpsc::Sender<LineDigest>,
    /// Takes what was measured.
    pub outcomes: mpsc::Sender<Outcome>,
    /// Between two measurements of quality. The first is at a random moment within it, so that a province's agents do
    /// not all send their trains at once.
    pub measure_every: Duration,
    /// Where round trips are shown.
    pub board: Board,
    /// Counts the octets of a metered uplink.
    pub meter: Meter,
    /// Woken when the collector is heard again.
    pub wake: Arc<Notify>,
}

/// Keeps both sessions until `stop`. The keys are the agent's STAMP key and, at a rotation, the one before, by which
/// the collector speaks until it has heard the new one.
///
/// # Errors
/// When the machine has no source of random numbers: without it a session proves nothing.
pub async fn run(liveness: Liveness, keys: (Key, Option<Key>), stop: Stop) -> io::Result<()> {
    let mut sessions = Sessions::new(liveness, keys)?;
    tokio::select! {
        () = stop.wait() => Ok(()),
        never = sessions.keep() => match never {},
    }
}

struct Sessions {
    liveness: Liveness,
    name: String,
    timestamps: Timestamps,
    up: Sender,
    down: Reflector,
    ears: Ears,
    digester: Digester,
    /// Not of a metered uplink.
    quality: Option<Quality>,
    /// When the measurement under way began.
    measured: Option<Moment>,
}

/// A datagram that came.
struct Arrival {
    packet: Vec<u8>,
    from: SocketAddr,
    stamp_ns: Option<u64>,
}

impl Sessions {
    fn new(liveness: Liveness, (key, previous): (Key, Option<Key>)) -> io::Result<Sessions> {
        let (mut start, mut secret) = ([0; 8], [0; 32]);
        getrandom::fill(&mut start).map_err(io::Error::other)?;
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        let plan = &liveness.uplink.plan;
        let (ssid, every) = (plan.ssid, plan.every.0);
        let (name, now_ns, now) =
            (liveness.uplink.name(), liveness.clock.steady_ns(), liveness.clock.moment());
        let mut down = Reflector::new(&secret);
        down.allow(down_session(ssid), key.clone());
        down.rotate(down_session(ssid), key.clone(), previous);
        Ok(Sessions {
            digester: Digester::new(name.clone(), every, plan.metered, now_ns, now),
            name,
            timestamps: Timestamps::of(&liveness.clock),
            up: Sender::new(ssid, key, u64::from_be_bytes(start)),
            down,
            ears: Ears::new(now_ns, now, every * SILENT_TURNS),
            quality: (!liveness.uplink.plan.metered).then(|| measure::begin(&liveness, start)),
            measured: None,
            liveness,
        })
    }

    /// One socket after the other, for ever.
    async fn keep(&mut self) -> std::convert::Infallible {
        let mut told = false;
        let plan = &self.liveness.uplink.plan;
        let (origin, to) = (Origin::of(plan), plan.stamp_address());
        loop {
            match open(&origin, to) {
                Ok(socket) => {
                    told = false;
                    self.liveness.board.bound(&self.name, true);
                    let error = self.converse(&socket).await;
                    tracing::debug!(line = self.name, %error, "liveness socket bound anew");
                }
                Err(error) => {
                    if !std::mem::replace(&mut told, true) {
                        let interface = origin.interface.as_deref().unwrap_or_default();
                        tracing::warn!(line = self.name, interface, %error, "no liveness socket; trying on");
                        self.liveness.board.bound(&self.name, false);
                        self.event(EventKind::UplinkUnbound, self.liveness.clock.moment());
                    }
                    self.turn();
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Until the socket no longer works.
    async fn converse(&mut self, socket: &UdpSocket) -> io::Error {
        let mut tick = tokio::time::interval(self.liveness.uplink.plan.every.0);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut inbox = Inbox::default();
        let mut errors = 0;
        loop {
            let measure_ns = self.quality.as_ref().map_or(u64::MAX, Quality::due_ns);
            let measure = Duration::from_nanos(measure_ns.saturating_sub(self.liveness.clock.steady_ns()));
            let done = tokio::select! {
                _ = tick.tick() => {
                    self.turn();
                    self.ask(socket).await
                }
                () = tokio::time::sleep(measure) => {
                    self.measure(socket).await;
                    continue;
                }
                ready = socket.readable() => match ready.and_then(|()| arrivals(socket, &mut inbox)) {
                    Ok(arrivals) => self.received_all(socket, &arrivals).await,
                    Err(error) => Err(error),
                },
            };
            match done {
                Ok(()) => errors = 0,
                Err(error) if errors + 1 >= ERRORS => return error,
                Err(error) => {
                    errors += 1;
                    tracing::trace!(line = self.name, %error, "liveness packet not sent or received");
                }
            }
        }
    }

    async fn ask(&mut self, socket: &UdpSocket) -> io::Result<()> {
        let (seq, packet) = self.up.next(&self.timestamps.now());
        self.digester.asked(seq);
        tracing::trace!(line = self.name, seq, "liveness asked");
        self.send(socket, &packet, self.liveness.uplink.plan.stamp_address()).await
    }

    async fn send(&self, socket: &UdpSocket, packet: &[u8], to: SocketAddr) -> io::Result<()> {
        self.metered(packet.len());
        socket.send_to(packet, to).await.map(|_| ())
    }

    fn metered(&self, octets: usize) {
        self.liveness.meter.packet(&self.liveness.uplink.plan, octets, self.liveness.clock.utc_ms());
    }

    async fn received_all(&mut self, socket: &UdpSocket, arrivals: &[Arrival]) -> io::Result<()> {
        let mut all = Ok(());
        for arrival in arrivals {
            all = all.and(self.received(socket, arrival).await);
        }
        all
    }

    async fn received(&mut self, socket: &UdpSocket, arrival: &Arrival) -> io::Result<()> {
        let Arrival { packet, from, stamp_ns } = arrival;
        let (packet, from) = (packet.as_slice(), *from);
        let now = self.timestamps.arrived(*stamp_ns);
        self.metered(packet.len());
        if !self.down.serves(packet) {
            match self.up.receive(packet, &now) {
                Ok(reply) if reply.measured => {
                    if let Some(quality) = &mut self.quality {
                        quality.answered(&reply, now.mono_ns);
                    }
                    self.heard();
                }
                Ok(reply) => {
                    tracing::trace!(
                        line = self.name,
                        seq = reply.seq,
                        rtt_ns = reply.rtt_ns,
                        "liveness answered"
                    );
                    self.digester.answered(&reply);
                    self.liveness.board.round_trip(&self.name, Duration::from_nanos(reply.rtt_ns));
                    self.heard();
                }
                Err(dropped) => tracing::debug!(line = self.name, %dropped, "liveness packet dropped"),
            }
            return Ok(());
        }
        match self.down.receive(packet, TTL_UNKNOWN, &now, &self.timestamps.now()) {
            Ok(Reflected::Heard { reply, heard }) => {
                tracing::trace!(line = self.name, seq = heard.seq, "liveness reflected");
                self.digester.heard(&heard, self.liveness.clock.steady_ns());
                self.heard();
                self.send(socket, &reply, from).await
            }
            // It may be a recording: it is answered, and proves nothing.
            Ok(Reflected::Challenged { reply, .. } | Reflected::Measured { reply }) => {
                self.send(socket, &reply, from).await
            }
            Err(dropped) => {
                tracing::debug!(line = self.name, %dropped, "liveness packet dropped");
                Ok(())
            }
        }
    }

    fn heard(&mut self) {
        let change = self.ears.heard(self.liveness.clock.steady_ns(), self.liveness.clock.moment());
        self.tell(change);
    }

    /// Time passed: there may be silence, and some seconds to tell of.
    fn turn(&mut self) {
        let now_ns = self.liveness.clock.steady_ns();
        let change = self.ears.silence(now_ns);
        self.tell(change);
        let digest = self.digester.turn(now_ns, self.liveness.clock.moment());
        if digest.is_some_and(|digest| self.liveness.digests.try_send(digest).is_err()) {
            tracing::warn!(line = self.name, "digest lost: too many at once");
        }
    }

    fn tell(&self, change: Option<(EventKind, Moment)>) {
        let Some((kind, at)) = change else { return };
        let heard = kind == EventKind::LivenessHeard;
        tracing::info!(line = self.name, heard, "collector on this uplink");
        self.liveness.uplink.heard(heard);
        self.liveness.board.heard(&self.name, heard);
        if heard {
            self.liveness.wake.notify_one();
        }
        self.event(kind, at);
    }

    fn event(&self, kind: EventKind, at: Moment) {
        self.send_event(Event::new(at, kind, &*self.name));
    }

    fn send_event(&self, event: Event) {
        let kind = event.kind;
        if self.liveness.events.try_send(event).is_err() {
            tracing::warn!(line = self.name, event = kind.name(), "event lost: too many at once");
        }
    }
}

fn open(origin: &Origin, to: SocketAddr) -> io::Result<UdpSocket> {
    let socket = origin.udp(to)?;
    datagrams::stamped(socket.as_fd())?;
    datagrams::unbroken(socket.as_fd(), to.is_ipv4())?;
    Ok(socket)
}

/// All that has come, up to a batch.
fn arrivals(socket: &UdpSocket, inbox: &mut Inbox<BATCH, { MAX_PACKET + 1 }>) -> io::Result<Vec<Arrival>> {
    let mut arrivals = Vec::new();
    let received = socket.try_io(Interest::READABLE, || {
        inbox.receive(socket.as_fd(), false, |message| {
            arrivals.extend(message.from.map(|from| Arrival {
                packet: message.packet.to_vec(),
                from,
                stamp_ns: message.stamp_ns,
            }));
        })
    });
    match received {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(arrivals),
    }
}

/// Whether the collector is heard. Pure.
#[derive(Debug)]
struct Ears {
    last_ns: u64,
    last: Moment,
    /// Silence that counts.
    silent_after: Duration,
    /// `None` until something was heard, or nothing for long enough.
    heard: Option<bool>,
}

impl Ears {
    fn new(now_ns: u64, now: Moment, silent_after: Duration) -> Ears {
        Ears { last_ns: now_ns, last: now, silent_after, heard: None }
    }

    /// An authentic packet came.
    fn heard(&mut self, now_ns: u64, now: Moment) -> Option<(EventKind, Moment)> {
        (self.last_ns, self.last) = (now_ns, now);
        (self.heard.replace(true) != Some(true)).then_some((EventKind::LivenessHeard, now))
    }

    /// Time passed. Silence is dated to the last packet heard, since that is what was seen.
    fn silence(&mut self, now_ns: u64) -> Option<(EventKind, Moment)> {
        if now_ns.saturating_sub(self.last_ns) < self.silent_after.as_nanos() as u64 {
            return None;
        }
        (self.heard.replace(false) != Some(false)).then_some((EventKind::LivenessSilent, self.last))
    }
}

#[cfg(test)]
mod tests;
