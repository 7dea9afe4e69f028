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
//! restricted: they are in events, which the collector keeps as evidence, and in no log, metric or message. A hop that
//! stands in the record is named by its id there, which is not.

pub mod door;
pub mod doubt;
pub mod flight;
pub mod route;
pub mod traced;
pub mod watch;
pub mod wire;

use crate::dial::{self, Origin};
use crate::icmp::{LAZY, SLOT};
use door::Door;
use flight::{Flight, Stamp};
use haidang_daemon::clock::Clock;
use haidang_probe::event::MAX_VALUE_BYTES;
use haidang_probe::moment::Moment;
use haidang_probe::outcome::Failure;
use route::{End, Known, Route};
use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
pub use traced::{Cost, Traced, Untraced};
use wire::{Flow, Reason, Said, Step};

/// Traces under way at once, beside those by uplinks; the next waits.
pub const AT_ONCE: usize = 4;

/// Packets a second of all traces together.
pub const PACKETS_PER_SECOND: u64 = 128;

/// Parts of a trace's time that must be left when its first round begins, and its second: what waited longer for its turn
/// would take hops for silent that just had no time.
const LEFT: [u64; 2] = [2, 8];

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
    /// What stands where by the record: `KIND/ID`.
    names: Mutex<BTreeMap<IpAddr, String>>,
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
    reached: Option<bool>,
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

impl Tracer {
    /// A tracer that knows nothing yet and opens no socket.
    pub fn new(clock: &Clock) -> Tracer {
        Tracer(Arc::new(Shared {
            clock: clock.clone(),
            key: RandomState::new(),
            turns: Semaphore::new(AT_ONCE),
            granted_ns: Mutex::new(0),
            known: Mutex::default(),
            names: Mutex::default(),
        }))
    }

    /// What stands where by the record, from now on: `KIND/ID` by address.
    pub fn name(&self, names: BTreeMap<IpAddr, String>) {
        *lock(&self.0.names) = names;
    }

    /// Traces the way to `request`'s target. That it is broken is what was found, no error.
    ///
    /// # Errors
    /// A failure of our own side: no socket, no source, no turn in time.
    pub async fn trace(&self, request: &Request) -> Result<Traced, Untraced> {
        let begun_ns = self.0.clock.steady_ns();
        let turn = tokio::time::timeout(request.within / LEFT[0] as u32, self.0.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Failure::Local.into()) };
        self.trace_since(request, begun_ns).await
    }

    /// The same by an uplink: it waits for no turn, and whoever asks makes one at a time for each uplink.
    ///
    /// # Errors
    /// As of [`Tracer::trace`].
    pub async fn trace_uplink(&self, request: &Request) -> Result<Traced, Untraced> {
        self.trace_since(request, self.0.clock.steady_ns()).await
    }

    async fn trace_since(&self, request: &Request, begun_ns: u64) -> Result<Traced, Untraced> {
        let flow = self.flow(request)?;
        let door = Door::open(flow, &request.origin)?;
        let usual = door.identifier() == flow.identifier;
        let mut trace = Trace::new(self, door, request);
        match self.rounds(&mut trace, request.within, begun_ns).await {
            Ok(began) => Ok(self.compared(request, trace.route(), Flew { began, usual, cost: trace.cost })),
            Err(failure) => Err(Untraced { failure, cost: trace.cost }),
        }
    }

    /// Both rounds, `within` from `begun_ns` on; when the first began.
    async fn rounds(
        &self,
        trace: &mut Trace<'_>,
        within: Duration,
        begun_ns: u64,
    ) -> Result<Moment, Failure> {
        let (clock, within_ns) = (&self.0.clock, within.as_nanos() as u64);
        let (until_ns, mut began) = (begun_ns + within_ns, None);
        for (again, part) in [false, true].into_iter().zip(LEFT) {
            self.granted(trace.flight.round(again).len(), until_ns - within_ns / part).await?;
            began = began.or_else(|| Some(clock.moment()));
            trace.send(again)?;
            let left = Duration::from_nanos(until_ns.saturating_sub(clock.steady_ns()));
            if trace.listen(if again { left } else { left / 2 }).await {
                break;
            }
        }
        began.ok_or(Failure::Local)
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

    /// Waits until so many packets may be sent; a failure, and no wait, where that is after `latest_ns`.
    async fn granted(&self, packets: usize, latest_ns: u64) -> Result<(), Failure> {
        let now_ns = self.0.clock.steady_ns();
        let from_ns = {
            let mut granted_ns = lock(&self.0.granted_ns);
            let from_ns = (*granted_ns).max(now_ns);
            if from_ns > latest_ns {
                return Err(Failure::Local);
            }
            *granted_ns = from_ns + packets as u64 * 1_000_000_000 / PACKETS_PER_SECOND;
            from_ns
        };
        tokio::time::sleep(Duration::from_nanos(from_ns - now_ns)).await;
        Ok(())
    }

    fn compared(&self, request: &Request, route: Route, flew: Flew) -> Traced {
        let Flew { began, usual, cost } = flew;
        let (mut ways, way) = (lock(&self.0.known), Way::of(request));
        if ways.len() >= KNOWN && !ways.contains_key(&way) {
            let oldest = ways.iter().min_by_key(|(_, standing)| standing.traced_ns);
            if let Some(oldest) = oldest.map(|(way, _)| way.clone()) {
                ways.remove(&oldest);
            }
        }
        let standing = ways.entry(way).or_default();
        standing.traced_ns = self.0.clock.steady_ns();
        // Another flow may well take another way.
        let change = if usual { standing.known.follow(&route) } else { None };
        standing.changes += u64::from(change.is_some());
        let reached = route.end() == End::Reached;
        let turned = standing.reached.replace(reached).is_some_and(|before| before != reached);
        let (fingerprint, changes) = (standing.known.fingerprint(), standing.changes);
        let known = route.known(&lock(&self.0.names), MAX_VALUE_BYTES);
        Traced { began, route, change, fingerprint, changes, turned, known, cost }
    }
}

/// How a trace was made.
#[derive(Clone, Copy, Debug)]
struct Flew {
    began: Moment,
    /// By the flow that is its way's own. Another has it while two traces of one way overlap.
    usual: bool,
    cost: Cost,
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
    cost: Cost,
}

impl<'a> Trace<'a> {
    fn new(tracer: &'a Tracer, door: Door, request: &Request) -> Trace<'a> {
        let own = request.origin.local(request.target).ok();
        let flight = Flight::new(request.hops);
        Trace { clock: &tracer.0.clock, door, flight, own, stayed: None, cost: Cost::default() }
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
        self.cost.packets += 1;
        self.flight.departed(step, stamp);
    }

    /// Takes in what comes within `round`; true when nothing more is waited for. The kernel stamps what comes: to look ever
    /// more seldom costs no accuracy.
    async fn listen(&mut self, round: Duration) -> bool {
        let until_ns = self.clock.steady_ns() + round.as_nanos() as u64;
        let mut pause = SLOT;
        while !self.flight.over() {
            let left = Duration::from_nanos(until_ns.saturating_sub(self.clock.steady_ns()));
            tokio::time::sleep(pause.min(left)).await;
            pause = if self.receive() { SLOT } else { (pause * 2).min(LAZY) };
            if left.is_zero() {
                break;
            }
        }
        self.flight.over()
    }

    /// True when something came.
    fn receive(&mut self) -> bool {
        let Trace { clock, door, flight, own, stayed, cost } = self;
        let mut any = false;
        door.receive(|arrival| match arrival.answer.said {
            Said::NoWay(reason) if *own == Some(arrival.from) => *stayed = Some(reason),
            _ => {
                cost.answers = cost.answers.saturating_add(1);
                any |= flight.back(arrival.answer, arrival.from, arrival.utc_ns, clock.steady_ns());
            }
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

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
