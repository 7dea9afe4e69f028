//! What of all that is heard becomes an event: a bucket a source, and one over all.
//!
//! ```text
//!             ┌ bucket of the source ┐     ┌ bucket of all ┐
//!  message ──▶│ BURST, then 1 / EVERY │ ──▶ │ … the same     │ ──▶ Event
//!             └──────────┬───────────┘     └──────┬────────┘
//!                        └── full: counted by source and reason ─▶ each minute one HeardDropped
//! ```
//!
//! Messages of no class leave half of each bucket to those of one, so that a flood of chatter hides no refused sign-in.
//! Sources beyond [`MAX_SOURCES`] share one bucket until others fall silent.

use haidang_daemon::clock::Clock;
use haidang_probe::event::{Event, EventKind, Field};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Sources with a bucket of their own.
pub const MAX_SOURCES: usize = 1024;
/// Messages of one source that become events at once, and how long until one more does.
pub const OF_ONE: Rate = Rate { burst: 40, every_ns: 1_000_000_000 };
/// The same over all sources: what a thin line can carry besides its work.
pub const OF_ALL: Rate = Rate { burst: 400, every_ns: 50_000_000 };
/// Sources whose losses are told by name each minute; those of others are told as one.
pub const MAX_TOLD: usize = 32;

/// So many at once, then one at a time.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many at once.
    pub burst: u64,
    /// How long until one more, ns.
    pub every_ns: u64,
}

/// Why a message became no event. The names are stable: events carry them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lost {
    /// More than its source, or all sources together, may say.
    Rate,
    /// Not what the listener reads.
    Garbled,
    /// The agent had no room for one more event.
    Busy,
    /// The system had no room for one more datagram.
    Overrun,
}

impl Lost {
    /// Its name in events.
    pub fn name(self) -> &'static str {
        match self {
            Lost::Rate => "rate",
            Lost::Garbled => "garbled",
            Lost::Busy => "busy",
            Lost::Overrun => "overrun",
        }
    }
}

/// A token bucket, as the time at which it is full again.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket(u64);

impl Bucket {
    /// Whether one more fits; those that are not `urgent` leave half.
    fn has_room(self, rate: Rate, urgent: bool, now_ns: u64) -> bool {
        let most = if urgent { rate.burst } else { rate.burst / 2 };
        self.0.saturating_sub(now_ns) + rate.every_ns <= most * rate.every_ns
    }

    fn take(&mut self, rate: Rate, now_ns: u64) {
        self.0 = self.0.max(now_ns) + rate.every_ns;
    }
}

/// One source's bucket, and what of it was lost since that was told.
#[derive(Debug, Default)]
struct Source {
    bucket: Bucket,
    lost: BTreeMap<Lost, u64>,
}

/// All sources of a listener. Pure: time is given.
#[derive(Debug, Default)]
pub struct Sources {
    each: BTreeMap<IpAddr, Source>,
    others: Source,
    all: Bucket,
}

/// Messages of one source, or of all that are not named, that became no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Who sent them.
    pub source: Option<IpAddr>,
    /// Why they were lost.
    pub why: Lost,
    /// How many.
    pub count: u64,
}

impl Sources {
    /// Whether one more message of `source` becomes an event; a loss otherwise.
    pub fn admits(&mut self, source: IpAddr, urgent: bool, now_ns: u64) -> bool {
        let all = self.all;
        let from = self.source(source);
        let admitted = from.bucket.has_room(OF_ONE, urgent, now_ns) && all.has_room(OF_ALL, urgent, now_ns);
        if !admitted {
            *from.lost.entry(Lost::Rate).or_default() += 1;
            return false;
        }
        from.bucket.take(OF_ONE, now_ns);
        self.all.take(OF_ALL, now_ns);
        true
    }

    /// Counts messages that became no event.
    pub fn lose(&mut self, source: IpAddr, why: Lost, count: u64) {
        *self.source(source).lost.entry(why).or_default() += count;
    }

    fn source(&mut self, source: IpAddr) -> &mut Source {
        if self.each.len() >= MAX_SOURCES && !self.each.contains_key(&source) {
            return &mut self.others;
        }
        self.each.entry(source).or_default()
    }

    /// What was lost since last asked; sources whose bucket is full again are forgotten.
    pub fn losses(&mut self, now_ns: u64) -> Vec<Loss> {
        let mut named = Vec::new();
        let mut rest = std::mem::take(&mut self.others.lost);
        for (source, one) in &mut self.each {
            for (why, count) in std::mem::take(&mut one.lost) {
                if named.len() < MAX_TOLD {
                    named.push(Loss { source: Some(*source), why, count });
                } else {
                    *rest.entry(why).or_default() += count;
                }
            }
        }
        self.each.retain(|_, one| one.bucket.0 > now_ns);
        named.extend(rest.into_iter().map(|(why, count)| Loss { source: None, why, count }));
        named
    }
}

/// Where a listener's findings go. Cheap to clone.
#[derive(Clone)]
pub struct Ear {
    clock: Clock,
    events: mpsc::Sender<Event>,
    listener: &'static str,
    sources: Arc<Mutex<Sources>>,
}

impl Ear {
    /// The ear of a listener that has heard nothing yet.
    pub fn new(clock: Clock, events: mpsc::Sender<Event>, listener: &'static str) -> Ear {
        Ear { clock, events, listener, sources: Arc::default() }
    }

    /// Steady time, ns.
    pub fn now_ns(&self) -> u64 {
        self.clock.steady_ns()
    }

    /// Something of `source` was heard: an event of its kind that says `source` and what `say` adds, if there is room.
    pub fn hear(&self, source: IpAddr, kind: EventKind, say: impl FnOnce(Event) -> Event) {
        let source = source.to_canonical();
        let urgent = !matches!(kind, EventKind::SyslogHeard | EventKind::TrapHeard);
        if !self.sources().admits(source, urgent, self.now_ns()) {
            return;
        }
        let event = say(Event::new(self.clock.moment(), kind, ""));
        let event = event.with(Field::Source, source.to_string());
        if self.events.try_send(event).is_err() {
            self.sources().lose(source, Lost::Busy, 1);
        }
    }

    /// Something the agent noticed by itself on `interface`.
    pub fn notice(&self, kind: EventKind, interface: &str, say: impl FnOnce(Event) -> Event) {
        let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        if !self.sources().admits(nobody, true, self.now_ns()) {
            return;
        }
        if self.events.try_send(say(Event::new(self.clock.moment(), kind, interface))).is_err() {
            self.sources().lose(nobody, Lost::Busy, 1);
        }
    }

    /// Something about the listener itself, which no rate holds back.
    pub fn own(&self, kind: EventKind, part: &str) {
        if self.events.try_send(Event::new(self.clock.moment(), kind, part)).is_err() {
            tracing::warn!(event = kind.name(), "event lost: too many at once");
        }
    }

    /// Something of `source` was not what is read here.
    pub fn garbled(&self, source: IpAddr) {
        self.sources().lose(source.to_canonical(), Lost::Garbled, 1);
    }

    /// So many messages were lost before they came here, and nobody knows whose.
    pub fn unheard(&self, why: Lost, count: u64) {
        self.sources().lose(IpAddr::V4(Ipv4Addr::UNSPECIFIED), why, count);
    }

    /// Tells what was lost since the last telling.
    pub fn tell(&self) {
        let losses = self.sources().losses(self.now_ns());
        for Loss { source, why, count } in losses {
            let event = Event::new(self.clock.moment(), EventKind::HeardDropped, self.listener)
                .with(Field::Reason, why.name())
                .with(Field::Count, count.to_string());
            let known = source.filter(|source| !source.is_unspecified());
            let event = match known {
                Some(source) => event.with(Field::Source, source.to_string()),
                None => event,
            };
            tracing::debug!(listener = self.listener, reason = why.name(), count, "messages dropped");
            if self.events.try_send(event).is_err() {
                let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
                self.sources().lose(source.unwrap_or(nobody), why, count);
            }
        }
    }

    fn sources(&self) -> MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn source(n: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n))
    }

    #[test]
    fn a_flood_of_one_source_is_capped_and_counted() {
        let mut sources = Sources::default();
        let heard = (0..10_000).filter(|_| sources.admits(source(1), true, 0)).count() as u64;
        assert_eq!(heard, OF_ONE.burst);
        assert!(sources.admits(source(2), true, 0), "another source is not held back by it");
        let lost = Loss { source: Some(source(1)), why: Lost::Rate, count: 10_000 - heard };
        assert_eq!(sources.losses(0), [lost]);
        assert_eq!(sources.losses(0), [], "told once");
        assert!(!sources.admits(source(1), true, OF_ONE.every_ns / 2));
        assert!(sources.admits(source(1), true, OF_ONE.every_ns), "one more each second");
    }

    #[test]
    fn chatter_leaves_room_for_what_has_a_class() {
        let mut sources = Sources::default();
        let chatter = (0..10_000).filter(|_| sources.admits(source(1), false, 0)).count() as u64;
        assert_eq!(chatter, OF_ONE.burst / 2);
        assert!(sources.admits(source(1), true, 0));
    }

    #[test]
    fn forged_sources_share_what_all_have_and_memory_stays() {
        let mut sources = Sources::default();
        let heard = (0..100_000).filter(|n| sources.admits(source(*n), true, 0)).count() as u64;
        assert_eq!(heard, OF_ALL.burst);
        assert_eq!(sources.each.len(), MAX_SOURCES);
        let losses = sources.losses(S);
        assert_eq!(losses.len(), MAX_TOLD + 1);
        assert_eq!(losses.iter().map(|loss| loss.count).sum::<u64>(), 100_000 - heard);
        sources.losses(2 * S);
        assert!(sources.each.is_empty(), "who is silent is forgotten");
    }

    #[tokio::test]
    async fn no_room_for_an_event_is_told_later() {
        let (events, mut heard) = mpsc::channel(1);
        let ear = Ear::new(Clock::manual(), events, "syslog");
        ear.hear(source(1), EventKind::AuthFailure, |event| event.with(Field::App, "sshd"));
        ear.hear(source(1), EventKind::AuthFailure, |event| event);
        let event = heard.try_recv().unwrap();
        assert_eq!((event.says(Field::Source), event.says(Field::App)), (Some("10.0.0.1"), Some("sshd")));
        ear.tell();
        let told = heard.try_recv().unwrap();
        assert_eq!((told.says(Field::Reason), told.says(Field::Count)), (Some("busy"), Some("1")));
    }
}
