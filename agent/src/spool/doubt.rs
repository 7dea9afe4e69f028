//! Which batches the collector may have though no answer said so: brought again they are known by their number, but
//! reduced their runs would count twice.
//!
//! ```text
//!   lent ── left ─▶ answered ─▶ acknowledged                no doubt
//!     │       └──▶ no answer ─▶ in doubt ── an answer, LINGER after it left, does not name it ─▶ not there
//!     └── never left ─▶ not there
//! ```
//!
//! Of what an earlier process sent only a bound is known ([`Spool::announce`]): all below it is in doubt until an answer
//! tells. Where nothing was ever sent, as in an outage that outlasts a restart, there is no doubt.

use super::{Spool, Unacked};
use haidang_journal::Disk;
use haidang_probe::batch::Ack;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// So long after it was given up a request may still arrive: the kernel goes on sending what it was handed
/// (tcp_orphan_retries).
pub(super) const LINGER: Duration = Duration::from_secs(900);

/// Numbers kept one by one; with more all below the highest are in doubt.
const DOUBTS: usize = 4_096;

/// Numbers on their way, and those that may have arrived.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// Under way.
    lent: BTreeSet<u64>,
    /// Left and given up: when, monotonic ns.
    unanswered: BTreeMap<u64, u64>,
    /// Below this any may have left.
    below: u64,
    /// When the first answer came since that was so.
    answered_ns: Option<u64>,
}

impl Doubt {
    /// An earlier process may have sent all before `sent`.
    pub(super) fn earlier(sent: u64) -> Doubt {
        Doubt { below: sent, ..Doubt::default() }
    }

    /// Whether the collector may have it.
    pub(super) fn of(&self, seq: u64) -> bool {
        seq < self.below || self.unanswered.contains_key(&seq)
    }

    /// Whether the collector may have any of these.
    pub(super) fn of_any(&self, first: u64, last: u64) -> bool {
        first < self.below || self.unanswered.range(first..=last).next().is_some()
    }

    pub(super) fn is_lent(&self, seq: u64) -> bool {
        self.lent.contains(&seq)
    }

    fn left(&mut self, seq: u64, now_ns: u64) {
        self.unanswered.insert(seq, now_ns);
        if self.unanswered.len() > DOUBTS {
            let highest = self.unanswered.last_key_value().map_or(0, |(seq, _)| *seq);
            (self.below, self.answered_ns) = (self.below.max(highest + 1), None);
            self.unanswered.clear();
        }
    }

    /// An answer said what has arrived; `unacked` has not.
    fn told(&mut self, unacked: &Unacked, now_ns: u64) {
        let lingers = |since_ns: u64| now_ns.saturating_sub(since_ns) < LINGER.as_nanos() as u64;
        if !lingers(*self.answered_ns.get_or_insert(now_ns)) {
            self.below = 0;
        }
        self.unanswered.retain(|seq, left_ns| lingers(*left_ns) && unacked.contains(*seq));
    }
}

impl<D: Disk + Clone> Spool<D> {
    /// A batch is on its way to the collector.
    pub fn lend(&mut self, seq: u64) {
        self.doubt.lent.insert(seq);
    }

    /// It no longer is; `left_ns` is now, by the monotonic clock, where any octet of it may have left.
    pub fn returned(&mut self, seq: u64, left_ns: Option<u64>) {
        self.doubt.lent.remove(&seq);
        if let Some(now_ns) = left_ns {
            self.doubt.left(seq, now_ns);
        }
    }

    /// None is, and whether they left is not known.
    pub fn all_returned(&mut self, now_ns: u64) {
        for seq in std::mem::take(&mut self.doubt.lent) {
            self.doubt.left(seq, now_ns);
        }
    }

    /// The collector has what `ack` says, at `now_ns` of the monotonic clock; an answer that speaks of another spool
    /// changes nothing.
    pub fn acknowledged(&mut self, ack: &Ack, now_ns: u64) -> bool {
        if ack.spool_id != self.id {
            return false;
        }
        self.unacked.remove(ack.seq, ack.seq);
        for &(first, last) in ack.received.as_slice() {
            self.unacked.remove(first, last);
        }
        self.doubt.told(&self.unacked, now_ns);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: u64 = LINGER.as_nanos() as u64;

    #[test]
    fn what_left_is_in_doubt_until_an_answer_long_after_does_not_name_it() {
        let (mut doubt, unacked) = (Doubt::default(), Unacked::between(0, 10));
        doubt.left(3, 5);
        doubt.told(&unacked, 5 + LATER - 1);
        assert!(doubt.of(3) && !doubt.of(2));
        doubt.told(&unacked, 5 + LATER);
        assert!(!doubt.of(3));
    }

    #[test]
    fn of_an_earlier_process_all_that_may_have_left_is_in_doubt_until_answers_tell() {
        let (mut doubt, unacked) = (Doubt::earlier(64), Unacked::between(0, 100));
        assert!(doubt.of(63) && !doubt.of(64));
        doubt.told(&unacked, 7);
        assert!(doubt.of(63), "what it sent may still be on its way");
        doubt.told(&unacked, 7 + LATER);
        assert!(!doubt.of(0));
    }

    #[test]
    fn doubts_are_bounded_and_the_bound_forgets_none() {
        let mut doubt = Doubt::default();
        (0..=DOUBTS as u64).for_each(|nth| doubt.left(nth * 2, 0));
        assert!(doubt.unanswered.is_empty() && doubt.of(0) && doubt.of(DOUBTS as u64 * 2));
        assert!(!doubt.of(DOUBTS as u64 * 2 + 1));
    }
}
