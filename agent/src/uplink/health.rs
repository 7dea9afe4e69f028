//! Which uplink is tried next, and when one that failed is tried again.
//!
//! Pure, save for [`jitter`]. After n failures in a row an uplink rests 1, 2, 4 … [`LONGEST`], ± a quarter, so
//! that a province's agents do not return in step; an answer, or a liveness packet heard again, ends the rest. An uplink
//! whose liveness packets are silent comes after those that are heard: trying it first would cost each batch
//! the deadline.

use std::time::Duration;

/// First rest after a failure.
const SHORTEST: Duration = Duration::from_secs(1);
/// Longest rest after failures.
const LONGEST: Duration = Duration::from_secs(15);
/// Rest after the collector said that it does not know us: a person has to act first.
const UNKNOWN: Duration = Duration::from_secs(60);

/// How one uplink fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    failures: u32,
    rests_until_ns: u64,
    unknown: bool,
    silent: bool,
    /// Whether the last attempt succeeded; `None` before the first.
    carries: Option<bool>,
}

impl Health {
    /// An answer came. `true` when that is news.
    pub fn answered(&mut self) -> bool {
        let silent = self.silent;
        let before = std::mem::replace(self, Health { silent, carries: Some(true), ..Health::default() });
        before.carries != Some(true)
    }

    /// No usable answer came; `jitter` is a random octet. `true` when that is news.
    pub fn failed(&mut self, now_ns: u64, jitter: u8) -> bool {
        let doubled = SHORTEST.saturating_mul(1 << self.failures.min(8)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.rest(doubled, now_ns, jitter)
    }

    /// The collector does not know us here. `true` when that is news.
    pub fn unknown(&mut self, now_ns: u64, jitter: u8) -> bool {
        let news = !std::mem::replace(&mut self.unknown, true);
        self.rest(UNKNOWN, now_ns, jitter);
        news
    }

    /// Liveness packets arrive again, or no longer.
    pub fn heard(&mut self, heard: bool) {
        self.silent = !heard;
        if heard && !self.unknown {
            (self.failures, self.rests_until_ns) = (0, 0);
        }
    }

    /// Whether something arrives by it, as far as anybody can tell: batches, or liveness packets.
    pub fn lives(&self) -> bool {
        !self.silent || self.carries == Some(true)
    }

    /// Whether it may be tried.
    pub fn rested(&self, now_ns: u64) -> bool {
        self.rests_until_ns <= now_ns
    }

    /// When it may be tried.
    pub fn rests_until_ns(&self) -> u64 {
        self.rests_until_ns
    }

    /// Whether its last attempt succeeded.
    pub fn carries(&self) -> bool {
        self.carries == Some(true)
    }

    fn rest(&mut self, span: Duration, now_ns: u64, jitter: u8) -> bool {
        let span = span.as_nanos() as u64;
        self.rests_until_ns = now_ns + span * 3 / 4 + span / 2 * u64::from(jitter) / 255;
        self.carries.replace(false) != Some(false)
    }
}

impl super::Uplink {
    /// Whether the collector's liveness packets have stopped arriving on it.
    pub fn silent(&self) -> bool {
        self.health().silent
    }
}

/// The uplinks for batches, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// For the newest batch.
    pub live: Vec<usize>,
    /// For old ones: never a metered uplink.
    pub backlog: Vec<usize>,
}

/// An uplink as far as the choice needs it.
#[derive(Clone, Debug, Default)]
pub struct Candidate {
    /// How it fares.
    pub health: Health,
    /// Paid by volume.
    pub metered: bool,
    /// Whether its budget allows another batch.
    pub affordable: bool,
}

/// What makes the rests of many agents differ: 0 to 255, at random.
pub fn jitter() -> u8 {
    let mut octet = [0];
    // Without a random source the rests are in step, no more.
    let _ = getrandom::fill(&mut octet);
    octet[0]
}

/// The uplinks to use now. A metered one carries only while no other lives, and goes before those that do not.
pub fn lanes(uplinks: &[Candidate], now_ns: u64) -> Lanes {
    let mut order = order(uplinks.iter().map(|uplink| &uplink.health), now_ns);
    let lives = |index: &usize| !uplinks[*index].metered && uplinks[*index].health.lives();
    let others_live = order.iter().any(lives);
    order.retain(|index| !uplinks[*index].metered || (uplinks[*index].affordable && !others_live));
    let backlog = order.iter().copied().filter(|index| !uplinks[*index].metered).collect();
    order.sort_by_key(|index| !uplinks[*index].metered && !others_live);
    Lanes { live: order, backlog }
}

/// The uplinks to try now, best first: rested ones, heard before silent, in the plan's order.
fn order<'a>(healths: impl IntoIterator<Item = &'a Health>, now_ns: u64) -> Vec<usize> {
    let rested = healths.into_iter().enumerate().filter(|(_, health)| health.rested(now_ns));
    let mut order: Vec<(bool, usize)> = rested.map(|(index, health)| (health.silent, index)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn rests_double_up_to_the_longest_and_end_with_an_answer() {
        let mut health = Health::default();
        let rests: Vec<u64> = (0..6)
            .map(|_| {
                health.failed(0, 128);
                health.rests_until_ns() / SECOND
            })
            .collect();
        assert_eq!(rests, [1, 2, 4, 8, 15, 15]);
        assert!(health.answered() && health.rested(0), "news, and tried at once");
        assert!(!health.answered());
        assert!(health.failed(0, 0) && !health.failed(0, 0), "said once");
    }

    #[test]
    fn jitter_is_a_quarter_either_way() {
        for (jitter, rest_ms) in [(0, 750), (255, 1250)] {
            let mut health = Health::default();
            health.failed(0, jitter);
            assert_eq!(health.rests_until_ns() / 1_000_000, rest_ms);
        }
    }

    #[test]
    fn a_liveness_packet_ends_the_rest_unless_we_are_unknown() {
        let mut health = Health::default();
        health.failed(0, 0);
        health.heard(true);
        assert!(health.rested(0));
        assert!(health.unknown(0, 0) && !health.unknown(0, 0));
        health.heard(true);
        assert!(!health.rested(SECOND));
    }

    #[test]
    fn silent_uplinks_come_last_and_resting_ones_not_at_all() {
        let mut uplinks = vec![Health::default(); 3];
        assert_eq!(order(&uplinks, 0), [0, 1, 2], "the plan's order");
        uplinks[0].heard(false);
        assert_eq!(order(&uplinks, 0), [1, 2, 0]);
        uplinks[1].failed(0, 0);
        assert_eq!(order(&uplinks, 0), [2, 0]);
        uplinks[2].heard(false);
        assert_eq!(order(&uplinks, 0), [0, 2], "all silent: perhaps only liveness is");
    }
    #[test]
    fn a_metered_uplink_carries_only_while_nothing_else_lives_and_never_what_is_old() {
        let plain = Candidate { affordable: true, ..Candidate::default() };
        let metered = Candidate { metered: true, ..plain.clone() };
        let mut uplinks = [metered, plain];
        assert_eq!(lanes(&uplinks, 0), Lanes { live: vec![1], backlog: vec![1] });
        uplinks[1].health.heard(false);
        assert_eq!(lanes(&uplinks, 0), Lanes { live: vec![0, 1], backlog: vec![1] });
        uplinks[1].health.failed(0, 0);
        assert_eq!(lanes(&uplinks, 0), Lanes { live: vec![0], backlog: vec![] });
        uplinks[0].affordable = false;
        assert_eq!(lanes(&uplinks, 0), Lanes::default(), "its budget is spent");
        uplinks[1].health.answered();
        assert_eq!(lanes(&uplinks, 0).live, [1], "silent, but it carries");
    }
}
