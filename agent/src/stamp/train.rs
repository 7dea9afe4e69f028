//! What a run's packets tell beside their round trips: loss, delay and its variation of each way, and how a call would
//! sound. Pure.
//!
//! # What can be told of one way
//!
//! - **Loss** by numbers: a reflector that counts its answers by itself says how many requests reached it. One that
//!   gives the request's number back (RFC 8762 §4.3, most routers) does not, and nothing is said. They are told apart by
//!   the first number of a session, which is never sent: who counts is one behind from then on, who repeats is not.
//!   Where requests of another check lie between those of a run, nothing is said either: the count is of both.
//! - **Variation** by differences of stamps, which need no common clock (RFC 3393).
//! - **Delay** only where both clocks say how wrong they may be, and that is less than is known without any clock: each
//!   way takes between nothing and the whole round trip.

use super::voice;
use crate::figures::{jitter_ns, rank, sample};
use haidang_probe::ask::stamp::Question;
use haidang_probe::liveness::Reply;
use haidang_probe::metric::Metric;
use haidang_probe::outcome::Sample;
use std::collections::BTreeMap;

/// De-jitter buffer of a call, in mean variations of delay.
const BUFFER: f64 = 2.0;

/// Numbers that went, arrived and came back between two answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Requests sent.
    pub sent: u32,
    /// Of them, those that reached the reflector.
    pub reflected: u32,
    /// Answers that came back.
    pub back: u32,
}

/// Where a run left its session's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// What it asked.
    by: Question,
    /// Number of the next request.
    next: u32,
    /// Numbers of the last request that was answered, and of its answer; none when none was.
    last: Option<(u32, u32)>,
}

/// What is between the last answer before a run and its own last one: `seqs` are the numbers of its requests, `replies`
/// what answered them, `before` where the session stood. And where it stands now. A span begins at the run's own first
/// answer where another question's requests lie before it, or a run without an answer: those losses are not its own.
pub fn span(
    by: &Question,
    before: Option<Left>,
    seqs: &[u32],
    replies: &BTreeMap<u32, Reply>,
) -> (Option<Span>, Option<Left>) {
    // Requests of another run among them would be counted with them.
    let alone = seqs.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1));
    let (Some((begin, end)), true) = (seqs.first().zip(seqs.last()), alone) else { return (None, None) };
    let mut answered = seqs.iter().filter_map(|seq| Some((*seq, replies.get(seq)?.peer_seq)));
    let next_to = |left: &Left, (seq, _): (u32, u32)| left.by == *by || seq.wrapping_add(1) == *begin;
    let known = before.filter(|left| left.next == *begin);
    let known = known.and_then(|left| left.last.filter(|last| next_to(&left, *last)));
    let first = known.or_else(|| answered.next());
    let back: Vec<(u32, u32)> = answered.collect();
    let last = back.last().copied();
    let left = Left {
        by: by.clone(),
        next: end.wrapping_add(1),
        last: last.or_else(|| first.filter(|_| known.is_none())),
    };
    (first.zip(last).and_then(|(first, last)| between(first, last, back.len() as u32)), Some(left))
}

/// Between two answers, each by the number of its request and its own, `back` more came.
fn between(first: (u32, u32), last: (u32, u32), back: u32) -> Option<Span> {
    // Who counts by itself is ahead of our numbers at both ends, or behind at both; one strange answer proves nothing.
    let side = |(ours, theirs): (u32, u32)| ours.cmp(&theirs);
    let counts = side(first).is_ne() && side(first) == side(last);
    let (sent, reflected) = (last.0.checked_sub(first.0)?, last.1.checked_sub(first.1)?);
    // A reflector that has begun anew counts from zero; one that answers twice counts what was never sent.
    (counts && 0 < reflected && reflected <= sent && back <= reflected).then_some(Span {
        sent,
        reflected,
        back,
    })
}

impl Span {
    fn losses(self) -> [(Metric, f64); 2] {
        let share = |lost: u32, of: u32| f64::from(lost) / f64::from(of);
        [
            (Metric::LossThere, share(self.sent - self.reflected, self.sent)),
            (Metric::LossBack, share(self.reflected - self.back, self.reflected)),
        ]
    }
}

/// What a train's packets say, in the order they were sent, `None` for one without an answer. `bound_ns` is how wrong
/// our own clock may be. Nothing where none was answered.
pub fn figures(packets: &[Option<Reply>], span: Option<Span>, bound_ns: u64) -> Vec<Sample> {
    let answered: Vec<&Reply> = packets.iter().flatten().collect();
    let mut trips: Vec<u64> = answered.iter().map(|reply| reply.rtt_ns).collect();
    trips.sort_unstable();
    if trips.is_empty() {
        return Vec::new();
    }
    let trip_ns = rank(&trips, 50);
    let ways = |way: fn(&Reply) -> i64| -> Vec<Option<i64>> {
        packets.iter().map(|packet| packet.as_ref().map(way)).collect()
    };
    let (there, back) = (ways(|reply| reply.there_ns), ways(|reply| reply.back_ns));
    let jitters = [(Metric::JitterThere, jitter_ns(&there)), (Metric::JitterBack, jitter_ns(&back))];
    let losses = span.map(Span::losses);
    let mut samples: Vec<Sample> =
        losses.into_iter().flatten().map(|(metric, share)| sample(metric, share)).collect();
    samples.extend(jitters.iter().filter_map(|(metric, ns)| Some(sample(*metric, (*ns)? / 1e9))));
    let peer_bound_ns = answered.iter().map(|reply| reply.peer_bound_ns).max().unwrap_or(u64::MAX);
    samples.extend(delays(&there, &back, trip_ns, bound_ns.saturating_add(peer_bound_ns)));
    // Who speaks and who listens hear each other's worse way.
    let lost = losses.map_or_else(
        || 1.0 - answered.len() as f64 / packets.len() as f64,
        |losses| losses[0].1.max(losses[1].1),
    );
    let jitter_ms = jitters.iter().filter_map(|(_, ns)| *ns).fold(0.0, f64::max) / 1e6;
    samples.push(sample(Metric::VoiceMos, voice::mos(trip_ns as f64 / 2e6 + BUFFER * jitter_ms, lost)));
    samples
}

/// The median of each way and how wrong it may be, where the clocks allow.
fn delays(there: &[Option<i64>], back: &[Option<i64>], trip_ns: u64, bound_ns: u64) -> Vec<Sample> {
    let median = |way: &[Option<i64>]| {
        let mut sorted: Vec<i64> = way.iter().copied().flatten().collect();
        sorted.sort_unstable();
        rank(&sorted, 50)
    };
    let ways = [(Metric::DelayThere, median(there)), (Metric::DelayBack, median(back))];
    let (trip, bound) = (trip_ns as f64, bound_ns as f64);
    // A way that takes less than nothing, or more than the whole trip, shows that a bound is not true.
    let possible = |ns: f64| -bound <= ns && ns <= trip + bound;
    if bound > trip / 2.0 || !ways.iter().all(|(_, ns)| possible(*ns as f64)) {
        return Vec::new();
    }
    let mut samples: Vec<Sample> =
        ways.iter().map(|(metric, ns)| sample(*metric, (*ns).max(0) as f64 / 1e9)).collect();
    samples.push(sample(Metric::DelayBound, bound / 1e9));
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_probe::liveness::Ntp;
    use std::ops::RangeInclusive;

    const MS: i64 = 1_000_000;

    fn reply(seq: u32, peer_seq: u32, there_ms: i64, back_ms: i64) -> Reply {
        let (there_ns, back_ns) = (there_ms * MS, back_ms * MS);
        Reply {
            seq,
            rtt_ns: (there_ns + back_ns) as u64,
            peer_count: None,
            ttl: 255,
            peer_seq,
            arrived: Ntp(0),
            left: Ntp(0),
            there_ns,
            back_ns,
            peer_bound_ns: MS as u64,
            measured: false,
        }
    }

    fn value(samples: &[Sample], metric: Metric) -> Option<f64> {
        let sample = samples.iter().find(|sample| sample.metric == metric)?;
        Some((sample.value * 1e6).round() / 1e6)
    }

    fn question(place: &str) -> Question {
        place.parse().unwrap()
    }

    /// Who asks, the numbers of the requests, and of those answered and their answers.
    type Run<'a> = (&'a str, RangeInclusive<u32>, &'a [(u32, u32)]);

    /// A session of runs: what each of them tells.
    fn told(runs: &[Run<'_>]) -> Vec<Option<Span>> {
        let mut left = None;
        let run = |(by, seqs, answers): &Run<'_>| {
            let replies = answers.iter().map(|(seq, peer)| (*seq, reply(*seq, *peer, 1, 1))).collect();
            let seqs: Vec<u32> = seqs.clone().collect();
            let (span, now) = span(&question(by), left.take(), &seqs, &replies);
            left = now;
            span
        };
        runs.iter().map(run).collect()
    }

    const A: &str = "192.0.2.1:862";
    const B: &str = "192.0.2.2:862";

    #[test]
    fn who_counts_by_itself_tells_which_way_lost() {
        // Sent 1 to 10; 3 and 4 never arrived; the answer to 7 was lost. The next run loses its first on the way there:
        // seen from the last answer before it.
        let first: &[(u32, u32)] = &[(1, 0), (2, 1), (5, 2), (6, 3), (8, 5), (9, 6), (10, 7)];
        let spans = told(&[(A, 1..=10, first), (A, 11..=13, &[(12, 8), (13, 9)])]);
        let span = |sent, reflected, back| Some(Span { sent, reflected, back });
        assert_eq!(spans, [span(9, 7, 6), span(3, 2, 2)]);
    }

    #[test]
    fn who_repeats_our_numbers_tells_no_way() {
        assert_eq!(told(&[(A, 1..=5, &[(1, 1), (2, 2), (5, 5)])]), [None]);
        let samples = figures(&[Some(reply(1, 1, 5, 5)), None, Some(reply(3, 3, 5, 5))], None, u64::MAX);
        assert_eq!(value(&samples, Metric::LossThere), None);
        assert!(value(&samples, Metric::VoiceMos).is_some());
    }

    #[test]
    fn one_strange_number_makes_no_counting_reflector() {
        for (strange, by) in [1, 2, 4].into_iter().flat_map(|seq| [(seq, seq), (seq, 1)]) {
            let number = |seq| (seq, if seq == strange { seq - by } else { seq });
            let (one, next) = ([1, 2, 4].map(number), [5, 6, 8].map(number));
            assert_eq!(told(&[(A, 1..=4, &one), (A, 5..=8, &next)]), [None, None], "answer {strange}");
        }
    }

    #[test]
    fn a_reflector_that_begins_anew_tells_nothing_of_that_run_and_all_of_the_next() {
        let spans = told(&[(A, 1..=2, &[(1, 0), (2, 1)]), (A, 3..=3, &[(3, 0)]), (A, 4..=4, &[(4, 1)])]);
        assert_eq!(spans[1..], [None, Some(Span { sent: 1, reflected: 1, back: 1 })]);
    }

    #[test]
    fn a_run_without_an_answer_is_not_charged_to_the_next() {
        let spans =
            told(&[(A, 1..=2, &[(1, 0), (2, 1)]), (A, 3..=12, &[]), (A, 13..=14, &[(13, 2), (14, 3)])]);
        assert_eq!(spans[1..], [None, Some(Span { sent: 1, reflected: 1, back: 1 })]);
    }

    #[test]
    fn what_another_check_lost_is_not_this_ones() {
        // The other's last two are lost; then its last is answered.
        let own: Run<'_> = (A, 5..=7, &[(5, 2), (7, 4)]);
        let spans = told(&[(B, 1..=4, &[(1, 0), (2, 1)]), own.clone()]);
        assert_eq!(spans[1], Some(Span { sent: 2, reflected: 2, back: 1 }));
        let spans = told(&[(B, 3..=4, &[(4, 1)]), own]);
        assert_eq!(spans[1], Some(Span { sent: 3, reflected: 3, back: 2 }), "nothing lies between");
        let apart = told(&[(A, 1..=2, &[(1, 0), (2, 1)]), (A, 5..=7, &[(5, 4), (7, 6)])]);
        assert_eq!(apart[1], Some(Span { sent: 2, reflected: 2, back: 1 }), "another's 3 and 4 lie between");
        let replies = [2, 4, 6].map(|seq| (seq, reply(seq, seq - 1, 1, 1))).into();
        assert_eq!(span(&question(A), None, &[2, 4, 6], &replies), (None, None), "two trains at once");
    }

    #[test]
    fn variation_of_each_way_needs_no_common_clock() {
        let hour = 3_600_000;
        let train = [(10, 5), (14, 5), (10, 8)].map(|(there, back)| {
            Some(Reply { rtt_ns: 15 * MS as u64, ..reply(1, 1, there + hour, back - hour) })
        });
        let samples = figures(&train, None, 0);
        assert_eq!(value(&samples, Metric::JitterThere), Some(0.004));
        assert_eq!(value(&samples, Metric::JitterBack), Some(0.0015));
        assert_eq!(value(&samples, Metric::DelayThere), None, "an hour there within 15 ms there and back");
    }

    #[test]
    fn delay_of_one_way_is_told_with_its_bound_or_not_at_all() {
        let train = [Some(reply(1, 1, 10, 30)), Some(reply(2, 2, 12, 30))];
        let told = figures(&train, None, 2 * MS as u64);
        assert_eq!(value(&told, Metric::DelayThere), Some(0.010));
        assert_eq!(value(&told, Metric::DelayBack), Some(0.030));
        assert_eq!(value(&told, Metric::DelayBound), Some(0.003));
        for bound_ns in [20 * MS as u64, u64::MAX] {
            let untold = figures(&train, None, bound_ns);
            for metric in [Metric::DelayThere, Metric::DelayBack, Metric::DelayBound] {
                assert_eq!(value(&untold, metric), None, "{}", metric.name());
            }
        }
    }

    #[test]
    fn nothing_answered_says_nothing() {
        assert_eq!(figures(&[None, None], None, 0), []);
    }
}
