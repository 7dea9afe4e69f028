//! One stream of liveness evidence: what was sent, what came back, what is owed.
//!
//! A miss counts by when it was *sent*. A reply proves the path was up when it was sent: it wipes every
//! earlier miss, however late it arrives. The weight of a miss is its log-likelihood ratio of "cut" against
//! "lost by chance", where chance knows the stream's own loss rate and that losses come in bursts
//! (detection.md §4).

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Loss rate assumed of a stream that has shown none, and the highest it may learn.
const LOSS_FLOOR: f64 = 0.005;
const LOSS_CEILING: f64 = 0.30;
/// Half-life of the learned loss rate, ms.
const LOSS_HALF_LIFE_MS: f64 = 600_000.0;
/// Mean length of a loss burst, ms.
const BURST_MS: f64 = 100.0;
/// Chance that a packet gets through a cut line (a stray answer).
const STRAY: f64 = 1e-4;
/// An answer is owed after the usual round trip and this, and never before [`PATIENCE_MIN_MS`].
const PATIENCE_MS: f64 = 100.0;
const PATIENCE_MIN_MS: f64 = 200.0;
/// Most misses in a row that may be chance.
const LOSSES: usize = 2;
/// Misses kept; beyond it a stream says nothing new.
const MISSES_KEPT: usize = 64;
/// A stream's say in a sum of weights is capped: one stream alone proves little about many.
const WEIGHT_CAP: f64 = 25.0;

/// One missed packet.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Miss {
    sent: i64,
    weight: f64,
}

/// The evidence of one stream. Times are UTC ms of the fold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stream {
    /// It answered at least once, in this run or an earlier one.
    pub established: bool,
    /// Send time of the latest reply.
    pub replied: Option<i64>,
    /// When any evidence of it last came.
    pub told: Option<i64>,
    misses: Vec<Miss>,
    streak: u32,
    streak_from: i64,
    loss: f64,
    rtt_ms: f64,
    rtt_dev_ms: f64,
    /// Arrival expected next, for a stream known only by what arrives.
    due: Option<i64>,
    /// Sent, not yet answered or owed.
    pending: VecDeque<(u8, i64)>,
    /// Since when, and until when, misses do not count; over with the first answer to something sent since.
    pardoned: Option<(i64, i64)>,
}

impl Default for Stream {
    fn default() -> Self {
        Stream {
            established: false,
            replied: None,
            told: None,
            misses: Vec::new(),
            streak: 0,
            streak_from: 0,
            loss: LOSS_FLOOR,
            rtt_ms: 50.0,
            rtt_dev_ms: 25.0,
            due: None,
            pending: VecDeque::new(),
            pardoned: None,
        }
    }
}

impl Stream {
    /// A packet of a stream that is known only by what arrives came at `at`; the next is due `every` later.
    pub fn arrived(&mut self, at: i64, every: i64) {
        self.reply(at, at);
        self.due = Some(at + every);
    }

    /// We sent packet `seq` at `at`.
    pub fn sent(&mut self, seq: u8, at: i64) {
        if self.pending.len() >= MISSES_KEPT {
            self.pending.pop_front();
        }
        self.pending.push_back((seq, at));
    }

    /// The answer to our packet `seq` came at `at` after `rtt_ms`.
    pub fn answered(&mut self, seq: u8, at: i64, rtt_ms: f64) {
        self.pending.retain(|(pending, _)| *pending != seq);
        self.rtt_dev_ms += ((rtt_ms - self.rtt_ms).abs() - self.rtt_dev_ms) / 16.0;
        self.rtt_ms += (rtt_ms - self.rtt_ms) / 16.0;
        self.reply(at - rtt_ms as i64, at);
    }

    /// A reply to something sent at `sent` was learned of at `now`.
    pub fn reply(&mut self, sent: i64, now: i64) {
        self.established = true;
        self.told = Some(now);
        self.pardoned = self.pardoned.filter(|(since, _)| sent < *since);
        let missed = self.misses.len();
        self.misses.retain(|miss| miss.sent > sent);
        self.learn(sent, missed - self.misses.len());
        self.replied = self.replied.max(Some(sent));
        if !self.misses.is_empty() {
            return;
        }
        if self.streak == 0 {
            self.streak_from = sent;
        }
        self.streak += 1;
    }

    /// What was sent at `sent` got no answer; learned of at `now`.
    pub fn miss(&mut self, sent: i64, now: i64) {
        self.told = Some(now);
        self.streak = 0;
        let pardoned = self.pardoned.is_some_and(|(_, until)| sent < until);
        if pardoned || !self.established || Some(sent) <= self.replied || self.misses.len() >= MISSES_KEPT {
            return;
        }
        let by_chance = match self.misses.last() {
            None => self.loss,
            Some(last) => {
                let gap = (sent - last.sent).max(0) as f64;
                self.loss + (1.0 - self.loss) * (-gap / BURST_MS).exp()
            }
        };
        self.misses.push(Miss { sent, weight: ((1.0 - STRAY) / by_chance).ln().max(0.0) });
    }

    /// What time alone tells: owed arrivals and answers become misses.
    pub fn pass(&mut self, now: i64, every: i64) {
        let patience = (self.rtt_ms + 4.0 * self.rtt_dev_ms + PATIENCE_MS).max(PATIENCE_MIN_MS) as i64;
        while let Some(due) = self.due.filter(|due| now - due > patience) {
            self.miss(due, now);
            self.due = Some(due + every);
        }
        while let Some((_, sent)) = self.pending.front().copied().filter(|(_, sent)| now - sent > patience) {
            self.pending.pop_front();
            self.miss(sent, now);
        }
    }

    /// We were blind until `now`, or start anew: nothing is owed until `from`, or until something answers.
    pub fn pardon(&mut self, now: i64, from: i64) {
        self.pardoned = Some((now, from));
        self.misses.clear();
        self.pending.clear();
        self.streak = 0;
        self.due = self.due.map(|_| from);
    }

    /// Moves all its times back by `by`, ms.
    pub fn rewind(&mut self, by: i64) {
        for time in [&mut self.replied, &mut self.told, &mut self.due].into_iter().flatten() {
            *time -= by;
        }
        self.misses.iter_mut().for_each(|miss| miss.sent -= by);
        self.pending.iter_mut().for_each(|(_, sent)| *sent -= by);
        self.streak_from -= by;
        self.pardoned = self.pardoned.map(|(since, until)| (since - by, until - by));
    }

    /// Misses sent after `t`: how many, the first, and their weight (capped).
    pub fn silence_after(&self, t: i64) -> Silence {
        let mut silence = Silence::default();
        for miss in self.misses.iter().filter(|miss| miss.sent > t) {
            silence.began.get_or_insert(miss.sent);
            silence.misses += 1;
            silence.weight += miss.weight;
        }
        silence.weight = silence.weight.min(WEIGHT_CAP);
        silence
    }

    /// Whether anything is missed since the last reply.
    pub fn doubted(&self) -> bool {
        !self.misses.is_empty()
    }

    /// Replies in a row are counted anew.
    pub fn interrupt(&mut self) {
        self.streak = 0;
    }

    /// Replies in a row without a miss, and since when.
    pub fn streak(&self) -> (u32, i64) {
        (self.streak, self.streak_from)
    }

    /// The loss rate is learned slowly, once a reply shows which misses were losses and which a cut: more than
    /// [`LOSSES`] in a row were a cut, and teach nothing.
    fn learn(&mut self, sent: i64, lost: usize) {
        let gap = self.replied.map_or(0, |last| (sent - last).clamp(0, 60_000)) as f64;
        if gap == 0.0 || lost > LOSSES {
            return;
        }
        let share = 1.0 - (-gap * std::f64::consts::LN_2 / LOSS_HALF_LIFE_MS).exp();
        let rate = lost as f64 / (lost as f64 + 1.0);
        self.loss = (self.loss + (rate - self.loss) * share).clamp(LOSS_FLOOR, LOSS_CEILING);
    }
}

/// Misses of one or more streams since some time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Silence {
    /// Send time of the first.
    pub began: Option<i64>,
    /// How many.
    pub misses: usize,
    /// Their weight, nats.
    pub weight: f64,
    /// From how many streams.
    pub streams: usize,
}

impl Silence {
    /// Adds another stream's silence.
    pub fn join(&mut self, other: Silence) {
        if other.misses == 0 {
            return;
        }
        self.began = match (self.began, other.began) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.misses += other.misses;
        self.weight += other.weight;
        self.streams += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered_stream() -> Stream {
        let mut stream = Stream::default();
        for second in 0..10 {
            stream.sent(second as u8, second * 1000);
            stream.answered(second as u8, second * 1000 + 20, 20.0);
        }
        stream
    }

    #[test]
    fn a_stream_that_never_answered_misses_nothing() {
        let mut stream = Stream::default();
        stream.sent(0, 0);
        stream.pass(10_000, 1000);
        assert!(!stream.doubted());
    }

    #[test]
    fn a_reply_sent_later_wipes_misses_and_one_sent_earlier_does_not() {
        let mut stream = answered_stream();
        stream.sent(20, 10_000);
        stream.sent(21, 11_000);
        stream.pass(12_000, 1000);
        assert_eq!(stream.silence_after(0).misses, 2);
        stream.reply(10_500, 12_100);
        assert_eq!(stream.silence_after(0).began, Some(11_000));
        stream.reply(11_500, 12_200);
        assert!(!stream.doubted());
    }

    #[test]
    fn spaced_misses_weigh_more_than_a_burst() {
        let (mut spaced, mut burst) = (answered_stream(), answered_stream());
        for n in 0..4 {
            spaced.miss(10_000 + n * 1000, 15_000);
            burst.miss(10_000 + n * 10, 15_000);
        }
        assert!(spaced.silence_after(0).weight > 20.0);
        assert!(burst.silence_after(0).weight < 8.0);
    }

    #[test]
    fn owed_arrivals_become_misses_once_each() {
        let mut stream = Stream::default();
        stream.arrived(1000, 1000);
        for tick in 1..=40 {
            stream.pass(1000 + tick * 100, 1000);
        }
        assert_eq!(stream.silence_after(0).misses, 3);
    }

    #[test]
    fn pardon_forgets_what_was_owed() {
        let mut stream = answered_stream();
        stream.sent(20, 10_000);
        stream.pass(12_000, 1000);
        stream.pardon(12_000, 60_000);
        stream.pass(20_000, 1000);
        assert!(!stream.doubted());
    }

    #[test]
    fn after_a_start_misses_count_from_the_first_answer() {
        let mut stream = answered_stream();
        stream.pardon(12_000, 72_000);
        stream.miss(13_000, 14_000);
        stream.reply(11_000, 14_500);
        stream.miss(14_000, 15_000);
        assert!(!stream.doubted(), "what was sent before the start proves nothing of this run");
        stream.reply(15_000, 15_020);
        stream.miss(16_000, 17_000);
        assert!(stream.doubted());
    }
}
