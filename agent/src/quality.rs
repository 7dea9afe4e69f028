//! How good an uplink is, once a minute: the longest packet it carries, and its bottleneck.
//!
//! ```text
//!   rest ── due ──▶ search: bare + full size ──▶ train of ten ──▶ told ──▶ rest
//!                     │  ▲ more rounds where it does not come back
//!                     └──┘
//! ```
//!
//! Measuring packets ride on the up session of the uplink, authenticated, and are no sign of life
//! ([`Sender::measure`](haidang_probe::liveness::Sender::measure)). A whole way costs 18 kB each way a minute. Pure: who
//! owns the socket sends what [`Quality::turn`] says and gives what comes to [`Quality::answered`].

mod search;
pub mod train;

use crate::figures::{rank, sample};
use haidang_probe::event::EventKind;
use haidang_probe::liveness::{MAX_PACKET, PACKET, Reply};
use haidang_probe::metric::Metric;
use haidang_probe::outcome::Sample;
use search::{Round, Search};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use train::Back;

/// Between two measurements of one uplink.
pub const EVERY: Duration = Duration::from_secs(60);

/// Longest a round waits for its answers, ns.
const WAIT_NS: u64 = 1_000_000_000;
/// Octets of IP and UDP headers before the payload.
const HEADS_V4: usize = 28;
const HEADS_V6: usize = 48;
/// Longest packet looked for, IP header included: Ethernet's.
const LONGEST: usize = MAX_PACKET + HEADS_V4;
/// Shortest payload asked for: a measuring packet with an empty padding TLV.
const BARE: usize = PACKET + 4;

/// An uplink's quality, measured over and over.
#[derive(Debug)]
pub struct Quality {
    every_ns: u64,
    heads: usize,
    /// When there is something to do, monotonic ns.
    due_ns: u64,
    /// When the next measurement begins.
    next_ns: u64,
    under_way: Option<UnderWay>,
    /// Longest payload that got through last time.
    known: Option<usize>,
    /// Longest payload that gets through as routers said, while it is searched for.
    told: Option<usize>,
}

/// Packets that are out.
#[derive(Debug)]
struct UnderWay {
    step: Step,
    /// By number: their sizes, and when they were sent.
    asked: BTreeMap<u32, (usize, u64)>,
    back: BTreeMap<u32, Back>,
    trips_ns: Vec<u64>,
}

#[derive(Debug)]
enum Step {
    Search(Search),
    Train { size: usize, change: Option<Change> },
}

/// What is to be done now.
#[derive(Debug, PartialEq)]
pub enum Turn {
    /// Nothing before [`Quality::due_ns`].
    Wait,
    /// Send measuring packets of these sizes (UDP payload), at once and in this order; say each to [`Quality::sent`].
    Send(Vec<usize>),
    /// It is over.
    Told(Told),
}

/// What was measured.
#[derive(Debug, PartialEq)]
pub struct Told {
    /// Median round trip of the train's packets, if one came back.
    pub trip: Option<Duration>,
    /// What was measured.
    pub samples: Vec<Sample>,
    /// The way carries longer packets than before, or shorter ones.
    pub change: Option<Change>,
}

/// A change of the longest packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// [`EventKind::PathShrank`] or [`EventKind::PathWhole`].
    pub kind: EventKind,
    /// Octets that get through, IP header included.
    pub mtu: usize,
    /// `told` by routers, or a `black-hole`; empty when the way is whole.
    pub reason: &'static str,
}

impl Quality {
    /// Measures each `every`, first at `first_ns` (monotonic). `v4` is the uplink's family.
    pub fn new(every: Duration, first_ns: u64, v4: bool) -> Quality {
        Quality {
            every_ns: every.as_nanos() as u64,
            heads: if v4 { HEADS_V4 } else { HEADS_V6 },
            due_ns: first_ns,
            next_ns: first_ns,
            under_way: None,
            known: None,
            told: None,
        }
    }

    /// When to ask [`Quality::turn`], monotonic ns.
    pub fn due_ns(&self) -> u64 {
        self.due_ns
    }

    /// What is to be done at `now_ns`. `told` gives the longest packet, IP header included, that routers said gets
    /// through; it is asked when one of full size does not.
    pub fn turn(&mut self, now_ns: u64, told: impl FnOnce() -> Option<usize>) -> Turn {
        if now_ns < self.due_ns {
            return Turn::Wait;
        }
        let Some(UnderWay { step, asked, back, trips_ns }) = self.under_way.take() else {
            (self.next_ns, self.told) = (now_ns + self.every_ns, None);
            return self.round(Search::begin(BARE, self.full(), self.known), now_ns);
        };
        let mut search = match step {
            Step::Search(search) => search,
            Step::Train { size, change } => {
                self.due_ns = self.next_ns;
                return Turn::Told(self.conclude(size, change, &back, trips_ns));
            }
        };
        let came = back.keys().filter_map(|seq| asked.get(seq)).map(|(size, _)| *size);
        let came: BTreeSet<usize> = came.collect();
        let longer: BTreeSet<usize> = came.iter().copied().filter(|size| *size > BARE).collect();
        let (kept, heads) = (&mut self.told, self.heads);
        let told = || {
            *kept = told().and_then(|told| told.checked_sub(heads));
            *kept
        };
        match search.learn(&longer, came.contains(&BARE), told) {
            Round::Again => self.round(search, now_ns),
            Round::Found(size) => {
                let change = self.note(size);
                self.send(Step::Train { size, change }, vec![size; train::PACKETS], now_ns)
            }
            Round::Silent => {
                self.due_ns = self.next_ns;
                Turn::Wait
            }
        }
    }

    /// A measuring packet is sent at `now_ns`, monotonic.
    pub fn sent(&mut self, seq: u32, size: usize, now_ns: u64) {
        if let Some(now) = &mut self.under_way {
            now.asked.insert(seq, (size, now_ns));
        }
    }

    /// An answer to one came at `came_ns`, monotonic.
    pub fn answered(&mut self, reply: &Reply, came_ns: u64) {
        let Some(now) = &mut self.under_way else { return };
        let Some((_, sent_ns)) = now.asked.get(&reply.seq) else { return };
        let Reply { arrived, left, .. } = *reply;
        now.back.insert(reply.seq, Back { sent_ns: *sent_ns, arrived, left, came_ns });
        now.trips_ns.push(reply.rtt_ns);
        if now.back.len() == now.asked.len() {
            self.due_ns = came_ns;
        }
    }

    fn full(&self) -> usize {
        LONGEST - self.heads
    }

    /// The longer ones first: a bare packet that comes back shows that they had their time.
    fn round(&mut self, search: Search, now_ns: u64) -> Turn {
        let mut sizes = search.sizes();
        sizes.push(BARE);
        self.send(Step::Search(search), sizes, now_ns)
    }

    fn send(&mut self, step: Step, sizes: Vec<usize>, now_ns: u64) -> Turn {
        let (asked, back) = (BTreeMap::new(), BTreeMap::new());
        self.under_way = Some(UnderWay { step, asked, back, trips_ns: Vec::new() });
        self.due_ns = now_ns + WAIT_NS;
        Turn::Send(sizes)
    }

    /// Notes the longest payload that gets through, and whether that is news.
    fn note(&mut self, size: usize) -> Option<Change> {
        let (before, full, mtu) = (self.known.replace(size), self.full(), size + self.heads);
        if size == full {
            let whole = Change { kind: EventKind::PathWhole, mtu, reason: "" };
            return before.is_some_and(|before| before < full).then_some(whole);
        }
        let reason = if self.told == Some(size) { "told" } else { "black-hole" };
        (before != Some(size)).then_some(Change { kind: EventKind::PathShrank, mtu, reason })
    }

    fn conclude(
        &self,
        size: usize,
        change: Option<Change>,
        back: &BTreeMap<u32, Back>,
        mut trips_ns: Vec<u64>,
    ) -> Told {
        let mtu = size + self.heads;
        let mut samples = vec![sample(Metric::PathMtu, mtu as f64)];
        samples.extend(train::figures(back, mtu));
        trips_ns.sort_unstable();
        let trip = (!trips_ns.is_empty()).then(|| Duration::from_nanos(rank(&trips_ns, 50)));
        Told { trip, samples, change }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_probe::liveness::{Key, Now, Reflected, Reflector, Sender, TTL_UNKNOWN};

    const SECOND: u64 = 1_000_000_000;

    /// A way between a sender and a reflector that have met.
    struct Way {
        sender: Sender,
        reflector: Reflector,
        quality: Quality,
        longest: usize,
        told: Option<usize>,
        now_ns: u64,
    }

    fn at(mono_ns: u64) -> Now {
        Now { mono_ns, utc_ns: 1_795_000_000 * SECOND as i64 + mono_ns as i64, bound_ns: 1_000_000 }
    }

    impl Way {
        fn new(longest: usize) -> Way {
            let key = Key::new(&[3; 32]);
            let (mut sender, mut reflector) = (Sender::new(2, key.clone(), 7), Reflector::new(&[1; 32]));
            reflector.allow(2, key);
            for _ in 0..2 {
                let (_, request) = sender.next(&at(0));
                let reply = reflector.receive(&request, TTL_UNKNOWN, &at(0), &at(0)).unwrap().into_reply();
                sender.receive(&reply, &at(0)).unwrap();
            }
            Way { sender, reflector, quality: Quality::new(EVERY, 0, true), longest, told: None, now_ns: 0 }
        }

        /// Sends packets that each take 1 ms through the narrowest link, and brings back what comes back.
        fn carry(&mut self, sizes: &[usize]) {
            for (nth, size) in sizes.iter().enumerate() {
                let (seq, request) = self.sender.measure(&at(self.now_ns), *size);
                assert_eq!(request.len(), *size);
                self.quality.sent(seq, *size, self.now_ns);
                let there = at(self.now_ns + (nth as u64 + 1) * SECOND / 1_000);
                if size + HEADS_V4 > self.longest {
                    continue;
                }
                let reflected = self.reflector.receive(&request, TTL_UNKNOWN, &there, &there).unwrap();
                assert!(matches!(reflected, Reflected::Measured { .. }));
                let reply = self.sender.receive(&reflected.into_reply(), &there).unwrap();
                self.quality.answered(&reply, there.mono_ns);
            }
        }

        /// One measurement: what was told, if anything was, and the octets it cost each way.
        fn minute(&mut self) -> (Option<Told>, usize) {
            let mut octets = 0;
            loop {
                self.now_ns = self.quality.due_ns();
                match self.quality.turn(self.now_ns, || self.told) {
                    Turn::Send(sizes) => {
                        octets += sizes.iter().map(|size| size + HEADS_V4).sum::<usize>();
                        self.carry(&sizes);
                    }
                    Turn::Told(told) => return (Some(told), octets),
                    Turn::Wait => return (None, octets),
                }
            }
        }
    }

    fn value(told: &Told, metric: Metric) -> Option<f64> {
        told.samples.iter().find(|sample| sample.metric == metric).map(|sample| sample.value.round())
    }

    #[test]
    fn a_whole_way_is_measured_each_minute_for_eighteen_kilobytes() {
        let mut way = Way::new(1500);
        for minute in 0..3 {
            let (told, octets) = way.minute();
            let told = told.unwrap();
            assert_eq!((value(&told, Metric::PathMtu), told.change), (Some(1500.0), None));
            assert_eq!(value(&told, Metric::BottleneckUp).map(|rate| (rate / 1e6).round()), Some(12.0));
            assert!((16_000..18_000).contains(&octets), "{octets}");
            assert!(told.trip.is_some());
            assert!((minute * 60..=minute * 60 + 1).contains(&(way.now_ns / SECOND)));
        }
    }

    #[test]
    fn a_black_hole_is_told_once_and_its_end_too() {
        let mut way = Way::new(1500);
        way.minute();
        way.longest = 1392;
        let told = way.minute().0.unwrap();
        assert_eq!(value(&told, Metric::PathMtu), Some(1392.0));
        let shrank = Change { kind: EventKind::PathShrank, mtu: 1392, reason: "black-hole" };
        assert_eq!(told.change, Some(shrank));
        let still = way.minute().0.unwrap();
        assert_eq!((value(&still, Metric::PathMtu), still.change), (Some(1392.0), None));
        way.longest = 1500;
        let whole = Change { kind: EventKind::PathWhole, mtu: 1500, reason: "" };
        assert_eq!(way.minute().0.unwrap().change, Some(whole));
    }

    #[test]
    fn what_routers_told_is_no_black_hole() {
        let mut way = Way::new(1476);
        way.told = Some(1476);
        let told = way.minute().0.unwrap();
        assert_eq!(told.change, Some(Change { kind: EventKind::PathShrank, mtu: 1476, reason: "told" }));
    }

    #[test]
    fn a_dead_way_tells_nothing_and_is_asked_again_a_minute_later() {
        let mut way = Way::new(0);
        assert_eq!(way.minute().0, None);
        way.longest = 1500;
        let begun = way.now_ns / SECOND;
        assert!(way.minute().0.is_some());
        assert!((59..=61).contains(&(way.now_ns / SECOND - begun)));
    }

    #[test]
    fn a_sixth_version_head_is_longer() {
        let mut quality = Quality::new(EVERY, 0, false);
        assert_eq!(quality.turn(0, || None), Turn::Send(vec![1452, BARE]));
    }
}
