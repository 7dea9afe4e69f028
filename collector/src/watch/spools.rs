//! Which numbers of which spool were received: what tells a repeat from news, for as many spools as an agent
//! honestly has.
//!
//! ```text
//! agent ─▶ spool id ─▶ received 0-41, 44 · heard last
//! ```
//!
//! A spool id is the agent's own to draw, anew when its directory is lost. It may have [`SPOOLS`]; one more
//! takes the place of one not heard for [`QUIET_MS`], and is refused when there is none.

use crate::topology::{Id, Topology};
use haidang_probe::batch::Ranges;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Spools remembered of one agent.
pub const SPOOLS: usize = 64;
/// A spool not heard for so long, ms, may be forgotten for a new one; its late repeats are then news.
pub const QUIET_MS: i64 = 86_400_000;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Spool {
    received: Ranges,
    /// UTC ms.
    heard: i64,
}

/// The spools of all agents.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Spools {
    agents: BTreeMap<Id, BTreeMap<u64, Spool>>,
}

/// Why a number is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// The spool's numbers would need too many ranges.
    Holes,
    /// The agent has too many spools.
    Spools,
}

impl Spools {
    /// Another record: the agent of a site that it no longer has is forgotten once it is quiet for [`QUIET_MS`].
    pub fn configure(&mut self, topology: &Topology, now: i64) {
        let lately = |spool: &Spool| now.saturating_sub(spool.heard) < QUIET_MS;
        self.agents.retain(|agent, spools| topology.sites.contains_key(agent) || spools.values().any(lately));
    }

    /// Moves all times back by `by`, ms.
    pub fn rewind(&mut self, by: i64) {
        self.agents.values_mut().flat_map(BTreeMap::values_mut).for_each(|spool| spool.heard -= by);
    }

    /// Numbers received of a spool.
    pub fn of(&self, agent: &str, spool_id: u64) -> Option<&Ranges> {
        Some(&self.agents.get(agent)?.get(&spool_id)?.received)
    }

    /// When the spool of `agent` heard last was heard (UTC ms), and how many numbers below its highest are missing.
    pub fn standing(&self, agent: &str) -> Option<(i64, u64)> {
        let spool = self.agents.get(agent)?.values().max_by_key(|spool| spool.heard)?;
        let ranges = spool.received.as_slice();
        let first = ranges.first().map_or(0, |(first, _)| *first);
        let between = ranges.windows(2).map(|pair| pair[1].0 - pair[0].1 - 1).sum::<u64>();
        Some((spool.heard, first + between))
    }

    /// What [`Spools::receive`] would say at `at` (UTC ms), and the numbers received after it.
    pub fn expect(&self, agent: &str, spool_id: u64, seq: u64, at: i64) -> Result<(bool, Ranges), Beyond> {
        let spools = self.agents.get(agent);
        let known = spools.and_then(|spools| spools.get(&spool_id));
        if known.is_none() && spools.is_some_and(|spools| is_full(spools) && idle(spools, at).is_none()) {
            return Err(Beyond::Spools);
        }
        let mut received = known.map(|spool| spool.received.clone()).unwrap_or_default();
        let fresh = received.insert(seq).map_err(|_| Beyond::Holes)?;
        Ok((fresh, received))
    }

    /// Notes a number received at `at` (UTC ms); `false` for a repeat.
    pub fn receive(&mut self, agent: &str, spool_id: u64, seq: u64, at: i64) -> Result<bool, Beyond> {
        let (fresh, received) = self.expect(agent, spool_id, seq, at)?;
        let spools = self.agents.entry(agent.to_owned()).or_default();
        if !spools.contains_key(&spool_id)
            && is_full(spools)
            && let Some(idle) = idle(spools, at)
        {
            spools.remove(&idle);
        }
        spools.insert(spool_id, Spool { received, heard: at });
        Ok(fresh)
    }

    /// Numbers that a batch of the spool stands for will not come.
    pub fn cover(&mut self, agent: &str, spool_id: u64, (first, last): (u64, u64)) {
        if let Some(spool) = self.agents.get_mut(agent).and_then(|spools| spools.get_mut(&spool_id)) {
            spool.received.cover(first, last);
        }
    }
}

fn is_full(spools: &BTreeMap<u64, Spool>) -> bool {
    spools.len() >= SPOOLS
}

/// The spool not heard for longest, if that is long enough.
fn idle(spools: &BTreeMap<u64, Spool>, at: i64) -> Option<u64> {
    let (id, spool) = spools.iter().min_by_key(|(_, spool)| spool.heard)?;
    (spool.heard < at.saturating_sub(QUIET_MS)).then_some(*id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Spools {
        let mut spools = Spools::default();
        for id in 0..SPOOLS as u64 {
            assert_eq!(spools.receive("a", id, 0, id as i64), Ok(true));
        }
        spools
    }

    #[test]
    fn what_a_batch_stands_for_is_missed_no_longer() {
        let mut spools = Spools::default();
        assert_eq!(spools.receive("a", 7, 600, 5), Ok(true));
        assert_eq!(spools.standing("a"), Some((5, 600)));
        spools.cover("a", 7, (0, 511));
        spools.cover("b", 7, (0, 511));
        assert_eq!((spools.standing("a"), spools.standing("b")), (Some((5, 88)), None));
    }

    #[test]
    fn an_agent_that_invents_spools_is_refused_and_others_are_not() {
        let mut spools = full();
        assert_eq!(spools.receive("a", 1_000, 0, QUIET_MS), Err(Beyond::Spools));
        assert_eq!(spools.receive("a", 5, 0, QUIET_MS), Ok(false), "the ones it has still count");
        assert_eq!(spools.receive("a", 5, 1, QUIET_MS), Ok(true));
        assert_eq!(spools.receive("b", 1_000, 0, QUIET_MS), Ok(true));
    }

    #[test]
    fn a_new_spool_takes_the_place_of_the_one_quiet_for_longest() {
        let mut spools = full();
        assert_eq!(spools.receive("a", 0, 1, 10), Ok(true));
        assert_eq!(spools.receive("a", 1_000, 0, QUIET_MS + 2), Ok(true));
        assert_eq!(spools.of("a", 1), None);
        assert!(spools.of("a", 0).is_some());
        assert_eq!(spools.agents["a"].len(), SPOOLS);
    }

    #[test]
    fn an_agent_stands_by_the_spool_heard_last_and_what_is_missing_in_it() {
        let mut spools = Spools::default();
        assert_eq!(spools.standing("a"), None);
        for (spool, seq, at) in [(1, 9, 5), (2, 0, 10), (2, 1, 11), (2, 4, 12), (2, 7, 13)] {
            assert_eq!(spools.receive("a", spool, seq, at), Ok(true));
        }
        assert_eq!(spools.standing("a"), Some((13, 4)), "2, 3, 5 and 6 of the second spool");
    }

    #[test]
    fn a_spool_heard_by_a_clock_that_was_ahead_is_no_younger_than_it_is() {
        let mut spools = full();
        spools.rewind(10 * QUIET_MS);
        assert_eq!(spools.standing("a"), Some((63 - 10 * QUIET_MS, 0)));
        assert_eq!(spools.receive("a", 1_000, 0, -8 * QUIET_MS), Ok(true));
    }

    #[test]
    fn an_agent_that_left_the_record_is_forgotten_once_its_repeats_cannot_come() {
        let mut spools = full();
        spools.configure(&Topology::default(), QUIET_MS);
        assert!(spools.standing("a").is_some());
        spools.configure(&Topology::default(), QUIET_MS + SPOOLS as i64);
        assert_eq!(spools.standing("a"), None);
    }

    #[test]
    fn what_is_expected_is_what_happens() {
        let mut spools = Spools::default();
        for seq in [3, 3, 5, 4] {
            let (fresh, received) = spools.expect("a", 7, seq, 0).unwrap();
            assert_eq!(spools.receive("a", 7, seq, 0), Ok(fresh));
            assert_eq!(spools.of("a", 7), Some(&received));
        }
    }
}
