//! What travels from agent to collector, and what comes back.
//!
//! ```text
//!   Batch ── pack: columns ── protobuf ── zstd ──▶ payload
//!                                                     │
//!   Envelope { version, agent, spool_id, seq, prev_sha256, payload, signature } ── protobuf ──▶ POST
//!                                        ▲
//!                     SHA-256 of the encoded envelope seq − 1
//!   Ack { spool_id, seq, received: Ranges, plan_digest } ◀── once it is on disk
//! ```
//!
//! The format is published in `probe/proto/haidang.proto`. It promises:
//!
//! - Check ids, never labels: a rename touches no agent.
//! - A numbered envelope is immutable bytes; [`sha256`] of those bytes chains the next one to it.
//! - Moments keep microseconds: sealing drops the nanoseconds below, durations keep theirs.
//! - Reading never panics and never trusts a length: every [`Refusal`] has a stable name for counters, every
//!   limit a constant in [`limit`].
//! - A newer agent's unknown metrics and events are skipped and counted in [`Batch::unknown`]; its unknown
//!   failures become [`Failure::Other`](crate::outcome::Failure::Other) or
//!   [`Failure::Local`](crate::outcome::Failure::Local).
//!
//! Fuzz entry points: [`Envelope::decode`], [`Envelope::open`], [`Ack::decode`].

mod ack;
mod columns;
mod digests;
mod envelope;
mod fields;
pub mod limit;
mod pack;
mod ranges;
mod refusal;
mod unpack;
#[rustfmt::skip]
#[allow(clippy::all, clippy::pedantic, missing_docs)]
mod wire;

pub use ack::Ack;
pub use envelope::{Envelope, VERSION, sha256};
pub use ranges::{MAX_RANGES, Ranges, TooManyRanges};
pub use refusal::Refusal;

use crate::{
    digest::{CheckDigest, LineDigest},
    event::Event,
    moment::ClockMap,
    outcome::Outcome,
    plan::PlanDigest,
};

/// What an agent saw during one flush interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// How the monotonic clock of each boot spoken of relates to UTC.
    pub clocks: Vec<ClockMap>,
    /// Runs of checks, in the order they ended.
    pub outcomes: Vec<Outcome>,
    /// What came unasked.
    pub events: Vec<Event>,
    /// What was heard on each uplink, some seconds a row.
    pub lines: Vec<LineDigest>,
    /// What is left of runs too old to be kept one by one.
    pub checks: Vec<CheckDigest>,
    /// First and last number of the spool whose records were reduced to this batch: they will not come.
    pub replaces: Option<(u64, u64)>,
    /// Digest of the plan the agent runs.
    pub plan_digest: PlanDigest,
    /// Whether these are old records sent after an outage rather than fresh ones.
    pub backlog: bool,
    /// Values skipped while reading because this version does not know their number; not sent.
    pub unknown: u32,
}

impl Batch {
    /// Whether there is nothing in it worth sending.
    pub fn is_empty(&self) -> bool {
        let records = self.outcomes.is_empty() && self.events.is_empty();
        records && self.lines.is_empty() && self.checks.is_empty() && self.replaces.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::Batch;
    use crate::{
        check::CheckId,
        digest::{CheckDigest, LineDigest, Spread},
        event::{Event, EventKind, Field, MAX_FIELDS},
        metric::Metric,
        moment::{BootId, ClockMap, Moment},
        outcome::{Failure, Outcome, Sample},
        plan::PlanDigest,
    };
    use proptest::{prelude::*, sample::select};
    use std::time::Duration;

    /// A small batch with one of everything.
    pub(super) fn batch() -> Batch {
        let boot = BootId([3; 16]);
        let at = |mono_ns| Moment { boot, mono_ns };
        let sample = |metric, part: &str, value| Sample { metric, part: part.into(), value };
        let samples = vec![
            sample(Metric::IfInOctets, "eth0", 123_456_789_012.0),
            sample(Metric::IfInOctets, "eth1", 7.0),
            sample(Metric::LossRatio, "", 0.25),
        ];
        let answered = Outcome {
            check: CheckId(0xdead_beef),
            sent: at(5_000_000_000),
            result: Ok(Duration::from_nanos(1_234_567)),
            samples,
        };
        let silent = Outcome {
            check: CheckId(1),
            sent: at(4_000_000_000),
            result: Err(Failure::Timeout),
            samples: Vec::new(),
        };
        let event = |kind, part: &str| Event::new(at(1_000_000), kind, part);
        Batch {
            clocks: vec![ClockMap { boot, offset_ns: 1_795_000_000_000_000_000, bound_ns: 40_000_000 }],
            outcomes: vec![answered, silent],
            events: vec![
                event(EventKind::AgentStarted, ""),
                event(EventKind::AuthFailure, "").with(Field::Source, "192.0.2.7").with(Field::App, "sshd"),
                event(EventKind::LinkDown, "eth1"),
            ],
            lines: vec![
                LineDigest { from: at(1_000_000_000), sent: 10, ttl: Some(61), ..line_digest() },
                line_digest(),
            ],
            checks: vec![CheckDigest {
                check: CheckId(1),
                from: at(2_000_000),
                lasted: Duration::from_secs(600),
                runs: 60,
                succeeded: 58,
                first: Some(Failure::Timeout),
                last: Some(Failure::Refused),
                took: Spread { min: 900, median: 1_100, max: 25_000 },
            }],
            replaces: Some((3, 9)),
            plan_digest: PlanDigest::of(b"plan"),
            backlog: true,
            unknown: 0,
        }
    }

    fn line_digest() -> LineDigest {
        LineDigest {
            from: Moment { boot: BootId([3; 16]), mono_ns: 11_000_000_000 },
            lasted: Duration::from_secs(10),
            uplink: "d1-c02/40".into(),
            sent: 10,
            answered: 7,
            due: 10,
            heard: 10,
            rtt: Spread { min: 12_400, median: 12_900, max: 31_000 },
            ttl: None,
            unanswered: 0b11_0010_0000,
            unheard: 0,
        }
    }

    fn any_line_digest() -> impl Strategy<Value = LineDigest> {
        let counts = any::<[u32; 7]>();
        (any_moment(), any::<u32>(), any_part(), counts, any::<u8>(), any::<[u64; 2]>()).prop_map(
            |(from, lasted, uplink, [sent, answered, due, heard, min, median, max], ttl, bits)| LineDigest {
                from,
                lasted: Duration::from_millis(lasted.into()),
                uplink,
                sent,
                answered,
                due,
                heard,
                rtt: Spread { min, median, max },
                ttl: (ttl > 0).then_some(ttl),
                unanswered: bits[0],
                unheard: bits[1],
            },
        )
    }

    fn any_check_digest() -> impl Strategy<Value = CheckDigest> {
        let failure = || prop::option::of(select(Failure::ALL));
        (any::<u32>(), any_moment(), any::<u32>(), any::<[u32; 5]>(), failure(), failure()).prop_map(
            |(check, from, lasted, [runs, succeeded, min, median, max], first, last)| CheckDigest {
                check: CheckId(check),
                from,
                lasted: Duration::from_millis(lasted.into()),
                runs,
                succeeded,
                first,
                last,
                took: Spread { min, median, max },
            },
        )
    }

    fn any_moment() -> impl Strategy<Value = Moment> {
        let micros = prop_oneof![0..10_000_000_000u64, 0..u64::MAX / 1_000];
        (0u8..3, micros)
            .prop_map(|(boot, micros)| Moment { boot: BootId([boot; 16]), mono_ns: micros * 1_000 })
    }

    fn any_part() -> impl Strategy<Value = String> {
        prop_oneof![Just(String::new()), "eth[0-3]", "\\PC{0,12}"]
    }

    fn any_value() -> impl Strategy<Value = f64> {
        let not_nan = prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO;
        prop_oneof![not_nan | prop::num::f64::INFINITE, any::<i32>().prop_map(f64::from)]
    }

    fn any_outcome() -> impl Strategy<Value = Outcome> {
        let sample = (select(Metric::ALL), any_part(), any_value());
        let samples = prop::collection::vec(sample, 0..5);
        let took = (0..=i64::MAX as u64).prop_map(|ns| Ok(Duration::from_nanos(ns)));
        let result = prop_oneof![took, select(Failure::ALL).prop_map(Err)];
        (any::<u32>(), any_moment(), result, samples).prop_map(|(check, sent, result, samples)| Outcome {
            check: CheckId(check),
            sent,
            result,
            samples: samples
                .into_iter()
                .map(|(metric, part, value)| Sample { metric, part, value })
                .collect(),
        })
    }

    /// Any batch that reads back as written: times in microseconds, no NaN (it equals nothing).
    pub(super) fn any_batch() -> impl Strategy<Value = Batch> {
        let clock = (0u8..3, any::<i64>(), any::<u64>()).prop_map(|(boot, offset_ns, bound_ns)| ClockMap {
            boot: BootId([boot; 16]),
            offset_ns,
            bound_ns,
        });
        let fields = prop::collection::vec((select(Field::ALL), any_part()), 0..=MAX_FIELDS);
        let event = (any_moment(), select(EventKind::ALL), any_part(), fields);
        let event = event.prop_map(|(at, kind, part, fields)| Event { at, kind, part, fields });
        (
            prop::collection::vec(clock, 0..4),
            prop::collection::vec(any_outcome(), 0..20),
            prop::collection::vec(event, 0..6),
            prop::collection::vec(any_line_digest(), 0..4),
            prop::collection::vec(any_check_digest(), 0..4),
            prop::option::of((any::<u64>(), any::<u64>())),
            any::<[u8; 8]>(),
            any::<bool>(),
        )
            .prop_map(|(clocks, outcomes, events, lines, checks, replaces, digest, backlog)| Batch {
                clocks,
                outcomes,
                events,
                lines,
                checks,
                replaces: replaces.map(|(one, other)| (one.min(other), one.max(other))),
                plan_digest: PlanDigest(digest),
                backlog,
                unknown: 0,
            })
    }

    #[test]
    fn a_batch_of_clocks_alone_is_empty() {
        assert!(Batch { clocks: batch().clocks, ..Batch::default() }.is_empty());
        assert!(!Batch { events: batch().events, ..Batch::default() }.is_empty());
    }

    #[test]
    fn a_digest_of_ten_seconds_takes_forty_octets_at_most() {
        use prost::Message as _;
        let octets = |count: usize| {
            let row = |nth: usize| {
                let mut digest = line_digest();
                digest.from.mono_ns += nth as u64 * 10_000_000_000;
                digest
            };
            let lines: Vec<LineDigest> = (0..count).map(row).collect();
            super::pack::pack(&Batch { lines, ..Batch::default() }).unwrap().encoded_len()
        };
        assert!(octets(101) - octets(1) <= 100 * 40, "{} octets a hundred", octets(101) - octets(1));
    }

    #[test]
    fn digests_that_do_not_add_up_are_refused() {
        let edited = |edit: fn(&mut super::wire::Payload)| {
            let mut payload = super::pack::pack(&batch()).unwrap();
            edit(&mut payload);
            super::unpack::unpack(payload)
        };
        assert!(edited(|payload| payload.lines.as_mut().unwrap().ttl.truncate(1)).is_err());
        assert!(edited(|payload| payload.lines.as_mut().unwrap().uplink[0] = 99).is_err());
        assert!(edited(|payload| payload.checks.as_mut().unwrap().check[0] = 1).is_err());
        assert!(edited(|payload| payload.checks.as_mut().unwrap().took_max_us.clear()).is_err());
        assert!(edited(|payload| payload.replaces = vec![4]).is_err());
        assert!(edited(|payload| payload.replaces = vec![4, 3]).is_err());
    }

    #[test]
    fn a_batch_without_fields_is_what_an_agent_that_knew_none_sent() {
        let mut bare = batch();
        bare.events.iter_mut().for_each(|event| event.fields.clear());
        let payload = super::pack::pack(&bare).unwrap();
        let columns = payload.events.as_ref().unwrap();
        assert!(columns.fields.is_empty() && columns.field.is_empty() && payload.values.is_empty());
        assert_eq!(super::unpack::unpack(payload).unwrap(), bare);
    }

    #[test]
    fn fields_that_do_not_add_up_are_refused_and_unknown_ones_counted() {
        let edited = |edit: fn(&mut super::wire::Events)| {
            let mut payload = super::pack::pack(&batch()).unwrap();
            edit(payload.events.as_mut().unwrap());
            super::unpack::unpack(payload)
        };
        assert!(edited(|columns| columns.fields[1] = 3).is_err());
        assert!(edited(|columns| columns.fields[1] = 1).is_err());
        assert!(edited(|columns| columns.fields.truncate(1)).is_err());
        assert!(edited(|columns| columns.value[0] = 9).is_err());
        let newer = edited(|columns| columns.field[0] = 999).unwrap();
        assert_eq!((newer.unknown, newer.events[1].fields.len()), (1, 1));
    }
}
