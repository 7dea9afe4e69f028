//! How much one agent may send: what it can take of the journal is bounded, or one stolen secret could push
//! everybody else's evidence out of it.

use crate::topology::Id;
use std::collections::BTreeMap;

/// What may be had for ever, and at once on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Earned in a minute.
    pub a_minute: u64,
    /// Saved at most.
    pub burst: u64,
}

/// Octets of batches: for ever a hundred times what a busy agent sends, at once a backlog of days.
pub const OCTETS: Rate = Rate { a_minute: 60 * (256 << 10), burst: 64 << 20 };
/// Plans: an agent fetches one for each edit, at most each two seconds.
pub const PLANS: Rate = Rate { a_minute: 30, burst: 60 };

/// What each agent may still have.
#[derive(Debug)]
pub struct Budgets {
    rate: Rate,
    agents: BTreeMap<Id, Budget>,
}

#[derive(Debug)]
struct Budget {
    left: u64,
    since_ms: u64,
}

impl Budgets {
    /// Everybody may have a burst.
    pub fn new(rate: Rate) -> Budgets {
        Budgets { rate, agents: BTreeMap::new() }
    }

    /// Takes so much; false when the agent has to wait. `now_ms` never turns back.
    pub fn take(&mut self, agent: &Id, amount: usize, now_ms: u64) -> bool {
        let Rate { a_minute, burst } = self.rate;
        let budget = self.agents.entry(agent.clone()).or_insert(Budget { left: burst, since_ms: now_ms });
        let earned = now_ms.saturating_sub(budget.since_ms).saturating_mul(a_minute) / 60_000;
        // Not before something was earned, or many small steps would earn nothing.
        if earned > 0 {
            *budget = Budget { left: budget.left.saturating_add(earned).min(burst), since_ms: now_ms };
        }
        let left = budget.left.checked_sub(amount as u64);
        budget.left = left.unwrap_or(budget.left);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: usize = 1 << 20;

    #[test]
    fn a_flood_is_held_to_the_rate_and_hurts_nobody_else() {
        let (flood, other) = (Id::from("a"), Id::from("b"));
        let mut budgets = Budgets::new(OCTETS);
        let sent = (0..1_000).filter(|_| budgets.take(&flood, BATCH, 0)).count();
        assert_eq!(sent as u64, OCTETS.burst / BATCH as u64);
        assert!(budgets.take(&other, BATCH, 0));
        let hour = (0..3_600_000).step_by(100).filter(|now| budgets.take(&flood, BATCH, *now)).count();
        let fair = 60 * OCTETS.a_minute / BATCH as u64;
        assert!((fair - 1..=fair).contains(&(hour as u64)), "{hour} batches in an hour, {fair} are due");
    }

    #[test]
    fn what_a_busy_agent_sends_never_waits() {
        let mut budgets = Budgets::new(OCTETS);
        assert!((0..100_000).all(|second| budgets.take(&"a".into(), 2_500, second * 1_000)));
    }

    #[test]
    fn an_edit_each_two_seconds_is_delivered_and_a_storm_of_requests_is_not() {
        let mut budgets = Budgets::new(PLANS);
        assert!((0..10_000).all(|nth| budgets.take(&"a".into(), 1, nth * 2_000)));
        let storm = (0..60_000).filter(|now| budgets.take(&"b".into(), 1, *now)).count() as u64;
        assert!((PLANS.burst..=PLANS.burst + PLANS.a_minute).contains(&storm), "{storm} in a minute");
    }
}
