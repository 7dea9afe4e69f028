//! Runs and packets under way. Pure: time is given, packets are sent and received by the caller.
//!
//! ```text
//!  start ─▶ ready ─┐                    ┌─ its reply ──────────────▶ Back
//!                  ├─▶ next ─▶ a seat ──┼─ a router's error ───────▶ Lost, Unreachable      all packets settled:
//!  gap over ─ due ─┘   │                ├─ time-out ───────────────▶ Lost, Timeout       ─▶ the run has ended
//!      ▲               │                └─ time-out, own drops ────▶ Ours, Local
//!      └── more to send┘
//! ```
//!
//! A seat is taken for one turn: the cookie is a keyed hash of both, so that neither a late reply of an earlier turn
//! nor a forged one counts. An error that quotes too little to prove anything ends nothing: it only names the failure
//! if no reply comes either.

use super::packet::{Departing, Family, Mark};
use crate::figures::{Fate, Found, found};
use haidang_probe::moment::Moment;
use haidang_probe::outcome::Failure;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::time::Duration;

/// Most packets under way at once; beyond it a packet is not sent and is our own failure.
pub const SEATS: usize = 32_768;

/// What a packet's two clocks may differ by without one of them having been stepped.
const SLACK_NS: u64 = 1_000_000;

/// What is asked, and for whom.
#[derive(Debug)]
pub struct Run<T> {
    /// Who wants to know.
    pub tag: T,
    /// Who is asked.
    pub address: IpAddr,
    /// Packets, at least one.
    pub packets: u16,
    /// From one packet to the next.
    pub gap: Duration,
    /// Octets after the ICMP header.
    pub size: u16,
    /// How long each packet's reply may take.
    pub timeout: Duration,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Ended<T> {
    /// Who wants to know.
    pub tag: T,
    /// When its first packet was sent.
    pub sent: Moment,
    /// What it found.
    pub found: Found,
}

/// Now, on the clocks that count here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// What outcomes are stamped with.
    pub moment: Moment,
    /// For deadlines.
    pub steady_ns: u64,
}

/// Runs under way.
#[derive(Debug)]
pub struct Flights<T> {
    key: RandomState,
    runs: Vec<UnderWay<T>>,
    free_runs: Vec<u32>,
    seats: Vec<Seat>,
    free_seats: Vec<u16>,
    turn: u64,
    /// Runs whose first packet is due.
    ready: VecDeque<u32>,
    /// When the next packet of a burst is due.
    due: BinaryHeap<Reverse<(u64, u32)>>,
    /// Time-outs of seats; those of seats given up before are left behind and skipped.
    deadlines: BinaryHeap<Reverse<(u64, u16, u64)>>,
    flying: usize,
    ended: Vec<Ended<T>>,
}

#[derive(Debug)]
struct UnderWay<T> {
    /// `None` in a place that is free.
    run: Option<Run<T>>,
    sent: Moment,
    begun_ns: u64,
    taken: u16,
    open: u16,
    fates: Vec<Fate>,
}

#[derive(Clone, Copy, Debug)]
struct Seat {
    taken: bool,
    turn: u64,
    run: u32,
    nth: u16,
    cookie: u64,
    address: IpAddr,
    /// By the clock the kernel stamps with.
    stamp_ns: u64,
    sent_ns: u64,
    timeout_ns: u64,
    /// Somebody said, unproved, that there is no way.
    hint: bool,
}

impl<T> Default for Flights<T> {
    fn default() -> Flights<T> {
        Flights {
            key: RandomState::new(),
            runs: Vec::new(),
            free_runs: Vec::new(),
            seats: Vec::new(),
            free_seats: Vec::new(),
            turn: 0,
            ready: VecDeque::new(),
            due: BinaryHeap::new(),
            deadlines: BinaryHeap::new(),
            flying: 0,
            ended: Vec::new(),
        }
    }
}

impl<T> Flights<T> {
    /// Takes a run in; its first packet is ready to be sent.
    pub fn start(&mut self, run: Run<T>) {
        let place = self.free_runs.pop().unwrap_or_else(|| {
            self.runs.push(UnderWay {
                run: None,
                sent: Moment::default(),
                begun_ns: 0,
                taken: 0,
                open: 0,
                fates: Vec::new(),
            });
            (self.runs.len() - 1) as u32
        });
        let under_way = &mut self.runs[place as usize];
        under_way.fates.clear();
        under_way.fates.resize(usize::from(run.packets), Fate::Ours(Failure::Local));
        (under_way.taken, under_way.open, under_way.run) = (0, run.packets, Some(run));
        self.ready.push_back(place);
    }

    /// A packet to be sent now; call [`Flights::departed`] or [`Flights::stayed`] with its seat next.
    pub fn next(&mut self, now: &Now) -> Option<Departing> {
        loop {
            let place = match self.due.peek() {
                Some(&Reverse((due_ns, place))) if due_ns <= now.steady_ns => {
                    self.due.pop();
                    place
                }
                _ => self.ready.pop_front()?,
            };
            if let Some(departing) = self.seat(place, now) {
                return Some(departing);
            }
        }
    }

    /// A seat for the next packet of the run at `place`; none where all are taken.
    fn seat(&mut self, place: u32, now: &Now) -> Option<Departing> {
        let under_way = &mut self.runs[place as usize];
        let run = under_way.run.as_ref()?;
        let (address, size, timeout_ns) = (run.address, run.size, run.timeout.as_nanos() as u64);
        let nth = under_way.taken;
        if nth == 0 {
            (under_way.sent, under_way.begun_ns) = (now.moment, now.steady_ns);
        }
        under_way.taken += 1;
        if under_way.taken < run.packets {
            let after = run.gap.as_nanos() as u64 * u64::from(under_way.taken);
            self.due.push(Reverse((under_way.begun_ns + after, place)));
        }
        if self.free_seats.is_empty() && self.seats.len() == SEATS {
            self.settle(place, nth, Fate::Ours(Failure::Local));
            return None;
        }
        self.turn += 1;
        let number = self.free_seats.pop().unwrap_or(self.seats.len() as u16);
        let cookie = self.key.hash_one((number, self.turn));
        let seat = Seat {
            taken: true,
            turn: self.turn,
            run: place,
            nth,
            cookie,
            address,
            stamp_ns: 0,
            sent_ns: now.steady_ns,
            timeout_ns,
            hint: false,
        };
        match self.seats.get_mut(usize::from(number)) {
            Some(free) => *free = seat,
            None => self.seats.push(seat),
        }
        self.flying += 1;
        Some(Departing { address, mark: Mark { seat: number, cookie }, size })
    }

    /// The packet in `seat` was sent; `stamp_ns` is the kernel's UTC read just before.
    pub fn departed(&mut self, seat: u16, stamp_ns: u64) {
        let taken = &mut self.seats[usize::from(seat)];
        taken.stamp_ns = stamp_ns;
        self.deadlines.push(Reverse((taken.sent_ns + taken.timeout_ns, seat, taken.turn)));
    }

    /// The packet in `seat` could not be sent.
    pub fn stayed(&mut self, seat: u16, failure: Failure) {
        let fate = if failure.tells_of_target() { Fate::Lost(failure) } else { Fate::Ours(failure) };
        self.leave(seat, fate);
    }

    /// A reply came from `from`; `stamp_ns` is when, by the kernel. False when it is to nothing under way.
    pub fn back(&mut self, mark: Mark, from: IpAddr, stamp_ns: Option<u64>, now_ns: u64) -> bool {
        let ours = |seat: &&Seat| seat.taken && seat.cookie == mark.cookie && seat.address == from;
        let Some(seat) = self.seats.get(usize::from(mark.seat)).filter(ours) else { return false };
        let elapsed_ns = now_ns.saturating_sub(seat.sent_ns);
        // Out of these bounds the wall clock was stepped in between.
        let trip_ns = stamp_ns
            .and_then(|stamp_ns| stamp_ns.checked_sub(seat.stamp_ns))
            .filter(|trip_ns| *trip_ns <= elapsed_ns + SLACK_NS)
            .unwrap_or(elapsed_ns);
        let late = trip_ns > seat.timeout_ns;
        self.leave(mark.seat, if late { Fate::Lost(Failure::Timeout) } else { Fate::Back(trip_ns) });
        true
    }

    /// An error came that quotes the packet in `seat`, sent to `target`. False when that is not under way.
    pub fn no_way(&mut self, number: u16, cookie: Option<u64>, target: IpAddr) -> bool {
        let ours = |seat: &&mut Seat| {
            seat.taken && seat.address == target && cookie.is_none_or(|cookie| cookie == seat.cookie)
        };
        let Some(seat) = self.seats.get_mut(usize::from(number)).filter(ours) else { return false };
        seat.hint = true;
        if cookie.is_some() {
            self.leave(number, Fate::Lost(Failure::Unreachable));
        }
        true
    }

    /// Whether a packet's time is over: what has come must be received before [`Flights::expire`].
    pub fn expires(&mut self, now_ns: u64) -> bool {
        self.deadline_ns().is_some_and(|deadline_ns| deadline_ns <= now_ns)
    }

    /// Gives up what has had its time. `dropped` tells whether our own socket may have dropped a reply since.
    pub fn expire(&mut self, now_ns: u64, dropped: impl Fn(Family, u64) -> bool) {
        while self.expires(now_ns) {
            let Some(Reverse((_, number, _))) = self.deadlines.pop() else { return };
            let seat = &self.seats[usize::from(number)];
            let fate = if dropped(Family::of(seat.address), seat.sent_ns) {
                Fate::Ours(Failure::Local)
            } else if seat.hint {
                Fate::Lost(Failure::Unreachable)
            } else {
                Fate::Lost(Failure::Timeout)
            };
            self.leave(number, fate);
        }
    }

    /// Packets under way.
    pub fn flying(&self) -> usize {
        self.flying
    }

    /// When something is to be done without anything having come: `now_ns` when packets are ready.
    pub fn next_ns(&mut self, now_ns: u64) -> Option<u64> {
        let ready = (!self.ready.is_empty()).then_some(now_ns);
        let due = self.due.peek().map(|Reverse((due_ns, _))| *due_ns);
        [ready, due, self.deadline_ns()].into_iter().flatten().min()
    }

    /// The runs that have ended, since last asked, appended to `ended`.
    pub fn take_ended(&mut self) -> Vec<Ended<T>> {
        std::mem::take(&mut self.ended)
    }

    fn deadline_ns(&mut self) -> Option<u64> {
        while let Some(&Reverse((deadline_ns, number, turn))) = self.deadlines.peek() {
            let seat = &self.seats[usize::from(number)];
            if seat.taken && seat.turn == turn {
                return Some(deadline_ns);
            }
            self.deadlines.pop();
        }
        None
    }

    fn leave(&mut self, number: u16, fate: Fate) {
        let seat = &mut self.seats[usize::from(number)];
        seat.taken = false;
        let (place, nth) = (seat.run, seat.nth);
        self.free_seats.push(number);
        self.flying -= 1;
        self.settle(place, nth, fate);
    }

    fn settle(&mut self, place: u32, nth: u16, fate: Fate) {
        let under_way = &mut self.runs[place as usize];
        under_way.fates[usize::from(nth)] = fate;
        under_way.open -= 1;
        if under_way.open > 0 {
            return;
        }
        let (found, sent) = (found(&under_way.fates), under_way.sent);
        if let Some(run) = under_way.run.take() {
            self.ended.push(Ended { tag: run.tag, sent, found });
        }
        self.free_runs.push(place);
    }
}

#[cfg(test)]
mod tests;
