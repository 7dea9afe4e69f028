//! ICMP echo for thousands of targets: one socket per family, no task per run.
//!
//! ```text
//!  start ─▶ flights ─ each slot ─▶ stamp, send, stamp, send … ─▶ network
//!             ▲  │                                                  │ stamped by the kernel on arrival
//!             │  └─ run over ─▶ ended, taken all at once            ▼
//!             └──────────── each slot: everything in the buffer ◀── socket
//! ```
//!
//! Work is done in slots of [`SLOT`]: one wake sends and receives for all. A round trip is measured between a stamp of
//! its own just before each packet is sent and the kernel's stamp of the reply, so that neither slots nor a busy machine
//! show in it. While nothing comes the socket is looked at ever more seldom, down to [`LAZY`].
//!
//! A reply lost to our own full buffer is counted and makes its run [`Failure::Local`]: unknown, never a loss.

pub mod flights;
pub mod packet;
mod entrance;
pub(crate) mod sockets;

use crate::figures::Found;
use entrance::Entrance;
use flights::{Ended, Flights, Now, Run};
use haidang_daemon::clock::Clock;
use haidang_probe::check::CheckId;
use haidang_probe::outcome::{Failure, Outcome};
use packet::{Family, Heard};
use sockets::{Arrival, BUFFER, Door, Inbox};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// Between two wakes while there is work.
pub const SLOT: Duration = Duration::from_millis(10);

/// Longest the socket is not looked at while packets are under way.
pub const LAZY: Duration = Duration::from_millis(40);

/// Most packets sent in one slot: what falls due at once after a pause is not one burst.
const PER_SLOT: usize = 256;

/// The engine. Cheap to clone; all clones are one. Opens no socket before the first run.
#[derive(Clone)]
pub struct Echo(Arc<Shared>);

struct Shared {
    clock: Clock,
    engine: Mutex<Engine>,
    /// There is something to send, or the engine is gone.
    wake: Arc<Notify>,
    /// Runs of checks have ended.
    done: Notify,
}

/// Who wants to know how a run ended.
enum Asker {
    Check(CheckId),
    Waiter(oneshot::Sender<Found>),
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who is asked.
    pub address: std::net::IpAddr,
    /// Packets, at least one.
    pub packets: u16,
    /// From one packet to the next.
    pub gap: Duration,
    /// Octets after the ICMP header.
    pub size: u16,
    /// How long each packet's reply may take.
    pub timeout: Duration,
}

/// What the engine counts, since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Packets lost to our own receive buffer.
    pub dropped: u64,
    /// Packets that were no answer to anything under way: late, doubled, foreign or forged.
    pub strays: u64,
}

impl Echo {
    /// An engine that reads `clock`.
    pub fn new(clock: &Clock) -> Echo {
        let engine = Mutex::new(Engine::new(BUFFER));
        Echo(Arc::new(Shared { clock: clock.clone(), engine, wake: Arc::default(), done: Notify::new() }))
    }

    /// Starts a run of `check`; its outcome is among those of [`Echo::ended`].
    pub fn start(&self, check: CheckId, request: &Request) {
        self.enter(Asker::Check(check), request);
    }

    /// Asks, and waits for what it finds.
    pub async fn ask(&self, request: &Request) -> Found {
        let (sender, found) = oneshot::channel();
        self.enter(Asker::Waiter(sender), request);
        found.await.unwrap_or_else(|_| Found { result: Err(Failure::Local), samples: Vec::new() })
    }

    /// Waits until runs of checks have ended; all that have. Nothing is lost when it is dropped while it waits.
    pub async fn ended(&self) -> Vec<Outcome> {
        loop {
            let ended = std::mem::take(&mut lock(&self.0.engine).outcomes);
            if !ended.is_empty() {
                return ended;
            }
            self.0.done.notified().await;
        }
    }

    /// What it has counted.
    pub fn tally(&self) -> Tally {
        lock(&self.0.engine).tally()
    }

    fn enter(&self, tag: Asker, request: &Request) {
        let &Request { address, packets, gap, size, timeout } = request;
        // Sent in slots: two packets within one would be a pair, and tell of its own making.
        let gap = Duration::from_nanos(slot_end_ns(gap.as_nanos() as u64));
        let mut engine = lock(&self.0.engine);
        engine.flights.start(Run { tag, address, packets, gap, size, timeout });
        if !std::mem::replace(&mut engine.driven, true) {
            let wake = self.0.wake.clone();
            tokio::spawn(drive(Arc::downgrade(&self.0), wake));
        }
        if !std::mem::replace(&mut engine.woken, true) {
            self.0.wake.notify_one();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}

/// Turns the engine whenever there is something to do, until it is gone.
async fn drive(shared: Weak<Shared>, wake: Arc<Notify>) {
    loop {
        let pause = match shared.upgrade() {
            Some(shared) => shared.turn(),
            None => return,
        };
        tokio::select! {
            () = wake.notified() => {}
            () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
        }
    }
}

impl Shared {
    fn turn(&self) -> Option<Duration> {
        let mut engine = lock(&self.engine);
        let next_ns = engine.turn(&self.clock);
        if !engine.outcomes.is_empty() {
            self.done.notify_one();
        }
        next_ns.map(|next_ns| Duration::from_nanos(next_ns.saturating_sub(self.clock.steady_ns())))
    }
}

/// The end of the slot in which `ns` is.
pub fn slot_end_ns(ns: u64) -> u64 {
    ns.next_multiple_of(SLOT.as_nanos() as u64)
}

struct Engine {
    driven: bool,
    /// A turn is coming: more runs need not ask for one.
    woken: bool,
    flights: Flights<Asker>,
    v4: Entrance,
    v6: Entrance,
    inbox: Inbox,
    strays: u64,
    tidied_ns: u64,
    /// Until the socket is looked at again when nothing else is to be done.
    patience: Duration,
    outcomes: Vec<Outcome>,
}

impl Engine {
    fn new(buffer: usize) -> Engine {
        // On a raw socket it tells our replies from other programs'; the cookie is what proves.
        let identifier = getrandom::u32().unwrap_or_else(|_| std::process::id()) as u16;
        Engine {
            driven: false,
            woken: false,
            flights: Flights::default(),
            v4: Entrance::new(Family::V4, identifier, buffer),
            v6: Entrance::new(Family::V6, identifier, buffer),
            inbox: Inbox::default(),
            strays: 0,
            tidied_ns: 0,
            patience: SLOT,
            outcomes: Vec::new(),
        }
    }

    /// Receives, gives up what has had its time, sends what is due, receives again. When to come next.
    fn turn(&mut self, clock: &Clock) -> Option<u64> {
        self.woken = false;
        let now = Now { moment: clock.moment(), steady_ns: clock.steady_ns() };
        let mut busy = self.look(now.steady_ns);
        self.expire(now.steady_ns);
        if self.send(&now, clock) {
            busy = true;
            self.receive(clock.steady_ns());
        }
        self.hand_over();
        self.patience = if busy { SLOT } else { (self.patience * 2).min(LAZY) };
        let now_ns = clock.steady_ns();
        let look_ns = (self.flights.flying() > 0).then(|| now_ns + self.patience.as_nanos() as u64);
        let next_ns = [self.flights.next_ns(now_ns), look_ns].into_iter().flatten().min()?;
        Some(slot_end_ns(next_ns.max(now_ns + 1)))
    }

    /// Takes in what has come, where something may have. Error queues, whose news is never urgent, and what comes while
    /// nothing is under way, are looked at once in [`LAZY`]: both take room of the receive buffer.
    fn look(&mut self, now_ns: u64) -> bool {
        let tidy = now_ns >= self.tidied_ns + LAZY.as_nanos() as u64;
        if tidy {
            self.tidied_ns = now_ns;
            let Engine { flights, v4, v6, inbox, strays, .. } = self;
            for door in [v4, v6].into_iter().filter_map(|entrance| entrance.door.as_mut()) {
                let mut foreign = 0;
                *strays += door.receive_errors(inbox, now_ns, |arrival| {
                    foreign += u64::from(!land(flights, &arrival, now_ns));
                });
                *strays += foreign;
            }
        }
        (tidy || self.flights.flying() > 0) && self.receive(now_ns)
    }

    /// Takes in what has come. True when something was.
    fn receive(&mut self, now_ns: u64) -> bool {
        let Engine { flights, v4, v6, inbox, strays, .. } = self;
        let mut any = false;
        for door in [v4, v6].into_iter().filter_map(|entrance| entrance.door.as_mut()) {
            let mut foreign = 0;
            *strays += door.receive(inbox, now_ns, |arrival| {
                any = true;
                foreign += u64::from(!land(flights, &arrival, now_ns));
            });
            *strays += foreign;
        }
        any
    }

    fn expire(&mut self, now_ns: u64) {
        if !self.flights.expires(now_ns) {
            return;
        }
        for entrance in [&mut self.v4, &mut self.v6] {
            if let Some(door) = &mut entrance.door {
                door.read_drops(now_ns);
            }
        }
        let Engine { flights, v4, v6, .. } = self;
        flights.expire(now_ns, |family, sent_ns| {
            let entrance = if family == Family::V4 { &v4 } else { &v6 };
            entrance.door.as_ref().is_some_and(|door| door.dropped_since(sent_ns))
        });
    }

    /// Sends what is due, at most [`PER_SLOT`]. True when something was.
    fn send(&mut self, now: &Now, clock: &Clock) -> bool {
        let (mut any, mut warm) = (false, false);
        for _ in 0..PER_SLOT {
            let Some(departing) = self.flights.next(now) else { break };
            any = true;
            let seat = departing.mark.seat;
            let v4 = Family::of(departing.address) == Family::V4;
            let entrance = if v4 { &mut self.v4 } else { &mut self.v6 };
            if !warm && let Some(door) = &entrance.door {
                door.warm(departing.address);
                warm = true;
            }
            match entrance.send(&departing, clock, now.steady_ns) {
                Ok(stamp_ns) => self.flights.departed(seat, stamp_ns),
                Err(failure) => self.flights.stayed(seat, failure),
            }
        }
        any
    }

    fn hand_over(&mut self) {
        for Ended { tag, sent, found } in self.flights.take_ended() {
            match tag {
                Asker::Check(check) => {
                    let Found { result, samples } = found;
                    self.outcomes.push(Outcome { check, sent, result, samples });
                }
                // Nobody waits any more when its budget ran out first.
                Asker::Waiter(waiter) => drop(waiter.send(found)),
            }
        }
    }

    fn tally(&self) -> Tally {
        let doors = [&self.v4, &self.v6].into_iter().filter_map(|entrance| entrance.door.as_ref());
        Tally { dropped: doors.map(Door::dropped).sum(), strays: self.strays }
    }
}

fn land(flights: &mut Flights<Asker>, arrival: &Arrival, now_ns: u64) -> bool {
    match arrival.heard {
        Heard::Reply(mark) => flights.back(mark, arrival.from, arrival.stamp_ns, now_ns),
        Heard::NoWay { seat, cookie, target } => flights.no_way(seat, cookie, target),
    }
}

fn lock(engine: &Mutex<Engine>) -> MutexGuard<'_, Engine> {
    engine.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
