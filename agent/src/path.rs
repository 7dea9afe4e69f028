//! The way to a target, hop by hop: traced on demand, on doubt, and compared with the way that was known.
//!
//! ```text
//!  checks `path` ────────────────┐
//!  a check went silent, came back ┼─▶ tracer ─▶ flight: 1 … 32 at once, silent ones again ─▶ route ─▶ known? changed?
//!  an uplink is silent, now and  ─┘     │ limits: traces at once, packets a second                        │
//!    then, and each half hour           ▼                                                                ▼
//!                                  a socket of its own                                     samples, events
//! ```
//!
//! Echoes with rising hop limits, one flow in the eyes of routers that share load ([`wire`]). Addresses of hops are
//! restricted: they are in events, which the collector keeps as evidence, and in no log, metric or message.

pub mod door;
pub mod doubt;
pub mod flight;
pub mod route;
pub mod watch;
pub mod wire;

use crate::dial::{self, Origin};
use crate::icmp::{LAZY, SLOT};
use door::Door;
use flight::{Flight, Stamp};
use haidang_daemon::clock::Clock;
use haidang_probe::event::{Event, EventKind, Field, MAX_VALUE_BYTES};
use haidang_probe::moment::Moment;
use haidang_probe::outcome::Failure;
use route::{Change, End, Known, Route};
use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use wire::{Flow, Reason, Said, Step};

/// Traces under way at once; the next waits.
pub const AT_ONCE: usize = 4;

/// Packets a second of all traces together.
pub const PACKETS_PER_SECOND: u64 = 128;

/// Ways remembered, each by target and origin. Beyond it the one not traced for longest is forgotten: its next trace
/// finds no change.
const KNOWN: usize = 1024;

/// Traces. Cheap to clone; all clones share limits and memory.
#[derive(Clone, Debug)]
pub struct Tracer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    /// Makes flows: the same for a target as long as the agent runs.
    key: RandomState,
    turns: Semaphore,
    /// Until when packets were granted.
    granted_ns: Mutex<u64>,
    known: Mutex<BTreeMap<Way, Standing>>,
}

/// A way is known by its ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    target: IpAddr,
    source: Option<IpAddr>,
    interface: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Standing {
    known: Known,
    changes: u64,
    whole: Option<bool>,
    traced_ns: u64,
}

/// What is traced.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whereto.
    pub target: IpAddr,
    /// Hops looked at.
    pub hops: u8,
    /// Where packets leave.
    pub origin: Origin,
    /// How long it may take: half of it for each of two rounds.
    pub within: Duration,
}

/// What a trace found, and what is new about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// When its first packet was sent.
    pub began: Moment,
    /// The way.
    pub route: Route,
    /// Set when it is another than was known.
    pub change: Option<Change>,
    /// Fingerprint of the way as it is known now.
    pub fingerprint: String,
    /// Changes since the agent started.
    pub changes: u64,
    /// It was whole and is broken, or the reverse.
    pub turned: bool,
    /// Packets sent.
    pub packets: u16,
}

impl Tracer {
    /// A tracer that knows nothing yet and opens no socket.
    pub fn new(clock: &Clock) -> Tracer {
        Tracer(Arc::new(Shared {
            clock: clock.clone(),
            key: RandomState::new(),
            turns: Semaphore::new(AT_ONCE),
            granted_ns: Mutex::new(0),
            known: Mutex::default(),
        }))
    }

    /// Traces the way to `request`'s target. That it is broken is what was found, no error.
    ///
    /// # Errors
    /// A failure of our own side: no socket, no source, no turn in time.
    pub async fn trace(&self, request: &Request) -> Result<Traced, Failure> {
        let begun_ns = self.0.clock.steady_ns();
        let turn = tokio::time::timeout(request.within, self.0.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Failure::Local) };
        let waited = Duration::from_nanos(self.0.clock.steady_ns().saturating_sub(begun_ns));
        let round = request.within.saturating_sub(waited) / 2;
        let flow = self.flow(request).map_err(|error| dial::failure(&error))?;
        let door = Door::open(flow, &request.origin).map_err(|error| dial::failure(&error))?;
        let began = self.0.clock.moment();
        let mut trace = Trace::new(self, door, request);
        for again in [false, true] {
            self.granted(trace.flight.round(again).len()).await;
            trace.send(again)?;
            if trace.listen(round).await {
                break;
            }
        }
        let packets = trace.packets;
        Ok(self.compared(request, trace.route(), began, packets))
    }

    fn flow(&self, request: &Request) -> io::Result<Flow> {
        let way = Way::of(request);
        let hash = self.0.key.hash_one((way.target, way.source, &way.interface));
        Ok(Flow {
            target: request.target,
            identifier: (hash as u16).max(1),
            checksum: ((hash >> 16) as u16).clamp(1, 0xfffe),
            cookie: getrandom::u64()?,
            salt: getrandom::u32()? as u16,
        })
    }

    /// Waits until so many packets may be sent.
    async fn granted(&self, packets: usize) {
        let now_ns = self.0.clock.steady_ns();
        let from_ns = {
            let mut granted_ns = lock(&self.0.granted_ns);
            let from_ns = (*granted_ns).max(now_ns);
            *granted_ns = from_ns + packets as u64 * 1_000_000_000 / PACKETS_PER_SECOND;
            from_ns
        };
        tokio::time::sleep(Duration::from_nanos(from_ns - now_ns)).await;
    }

    fn compared(&self, request: &Request, route: Route, began: Moment, packets: u16) -> Traced {
        let (mut ways, way) = (lock(&self.0.known), Way::of(request));
        if ways.len() >= KNOWN && !ways.contains_key(&way) {
            let oldest = ways.iter().min_by_key(|(_, standing)| standing.traced_ns);
            if let Some(oldest) = oldest.map(|(way, _)| way.clone()) {
                ways.remove(&oldest);
            }
        }
        let standing = ways.entry(way).or_default();
        standing.traced_ns = self.0.clock.steady_ns();
        let change = standing.known.follow(&route);
        standing.changes += u64::from(change.is_some());
        let whole = route.end() == End::Reached;
        let turned = standing.whole.replace(whole).is_some_and(|before| before != whole);
        let (fingerprint, changes) = (standing.known.fingerprint(), standing.changes);
        Traced { began, route, change, fingerprint, changes, turned, packets }
    }
}

impl Way {
    fn of(request: &Request) -> Way {
        let Origin { source, interface } = request.origin.clone();
        Way { target: request.target, source, interface }
    }
}

/// One trace under way.
struct Trace<'a> {
    clock: &'a Clock,
    door: Door,
    flight: Flight,
    /// Ourselves: who says of its own packets that there is no way has not let them out.
    own: Option<IpAddr>,
    stayed: Option<Reason>,
    packets: u16,
}

impl<'a> Trace<'a> {
    fn new(tracer: &'a Tracer, door: Door, request: &Request) -> Trace<'a> {
        let own = request.origin.local(request.target).ok();
        let flight = Flight::new(request.hops);
        Trace { clock: &tracer.0.clock, door, flight, own, stayed: None, packets: 0 }
    }

    /// Sends what a round asks. Without a way out nothing more is sent.
    fn send(&mut self, again: bool) -> Result<(), Failure> {
        for step in self.flight.round(again) {
            let stamp = self.stamp();
            match self.door.send(step) {
                Ok(()) => self.departed(step, stamp),
                Err(error) => match dial::failure(&error) {
                    Failure::Unreachable => {
                        self.stayed = Some(unreachable(&error));
                        break;
                    }
                    failure => return Err(failure),
                },
            }
        }
        Ok(())
    }

    fn departed(&mut self, step: Step, stamp: Stamp) {
        self.packets += 1;
        self.flight.departed(step, stamp);
    }

    /// Takes in what comes within `round`; true when nothing more is waited for. The kernel stamps what comes: to look ever
    /// more seldom costs no accuracy.
    async fn listen(&mut self, round: Duration) -> bool {
        let until_ns = self.clock.steady_ns() + round.as_nanos() as u64;
        let mut pause = SLOT;
        while !self.flight.whole() {
            let left = Duration::from_nanos(until_ns.saturating_sub(self.clock.steady_ns()));
            tokio::time::sleep(pause.min(left)).await;
            pause = if self.receive() { SLOT } else { (pause * 2).min(LAZY) };
            if left.is_zero() {
                break;
            }
        }
        self.flight.whole()
    }

    /// True when something came.
    fn receive(&mut self) -> bool {
        let Trace { clock, door, flight, own, stayed, .. } = self;
        let mut any = false;
        door.receive(|arrival| match arrival.answer.said {
            Said::NoWay(reason) if *own == Some(arrival.from) => *stayed = Some(reason),
            _ => any |= flight.back(arrival.answer, arrival.from, arrival.utc_ns, clock.steady_ns()),
        });
        any
    }

    fn route(&self) -> Route {
        let route = self.flight.route();
        self.stayed.filter(|_| route.length() == 0).map_or(route, Route::stayed)
    }

    fn stamp(&self) -> Stamp {
        Stamp { utc_ns: self.clock.stamp_ns(), steady_ns: self.clock.steady_ns() }
    }
}

fn unreachable(error: &io::Error) -> Reason {
    if error.kind() == io::ErrorKind::HostUnreachable { Reason::NoTarget } else { Reason::NoNetwork }
}

impl Traced {
    /// What it has to tell of `part`: that the way changed; and, where somebody doubts it or it has turned, how it is.
    pub fn events(&self, part: &str, doubted: bool) -> Vec<Event> {
        let event = |kind| {
            Event::new(self.began, kind, part)
                .with(Field::Route, self.route.text(MAX_VALUE_BYTES))
                .with(Field::Fingerprint, self.fingerprint.as_str())
        };
        let changed = self.change.as_ref().map(|change| {
            event(EventKind::PathChanged)
                .with(Field::Hop, change.hop.to_string())
                .with(Field::FingerprintBefore, change.before.as_str())
        });
        let length = self.route.length().to_string();
        let standing = match self.route.end() {
            _ if !doubted && !self.turned => None,
            End::Reached => Some(event(EventKind::PathReached).with(Field::Hop, length)),
            end => {
                let last = self.route.last().map(|hop| hop.address.to_string());
                let broken = event(EventKind::PathBroken).with(Field::Hop, length);
                Some(broken.with(Field::Reason, end.name()).with(Field::Address, last.unwrap_or_default()))
            }
        };
        changed.into_iter().chain(standing).collect()
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
