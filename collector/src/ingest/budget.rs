//! How much one agent may send: what it can take of the journal is bounded, or one stolen secret could push
//! everybody else's evidence out of it.

use crate::topology::Id;
use std::collections::BTreeMap;

/// Octets a second an agent may send for ever: a hundred times what a busy one does.
pub const RATE: u64 = 256 << 10;
/// Octets it may send at once on top: a backlog of days.
pub const BURST: u64 = 64 << 20;

/// What each agent may still send.
#[derive(Debug, Default)]
pub struct Budgets(BTreeMap<Id, Budget>);

#[derive(Debug)]
struct Budget {
    octets: u64,
    since_ms: u64,
}

impl Budgets {
    /// Takes the octets of a batch; false when the agent has to wait. `now_ms` never turns back.
    pub fn take(&mut self, agent: &Id, octets: usize, now_ms: u64) -> bool {
        let fresh = || Budget { octets: BURST, since_ms: now_ms };
        let budget = self.0.entry(agent.clone()).or_insert_with(fresh);
        let earned = now_ms.saturating_sub(budget.since_ms).saturating_mul(RATE) / 1_000;
        // Not before something was earned, or many small steps would earn nothing.
        if earned > 0 {
            *budget = Budget { octets: budget.octets.saturating_add(earned).min(BURST), since_ms: now_ms };
        }
        let left = budget.octets.checked_sub(octets as u64);
        budget.octets = left.unwrap_or(budget.octets);
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
        let mut budgets = Budgets::default();
        let sent = (0..1_000).filter(|_| budgets.take(&flood, BATCH, 0)).count();
        assert_eq!(sent as u64, BURST / BATCH as u64);
        assert!(budgets.take(&other, BATCH, 0));
        let hour = (0..3_600_000).step_by(100).filter(|now| budgets.take(&flood, BATCH, *now)).count();
        let fair = 3_600 * RATE / BATCH as u64;
        assert!((fair - 1..=fair).contains(&(hour as u64)), "{hour} batches in an hour, {fair} are due");
    }

    #[test]
    fn what_a_busy_agent_sends_never_waits() {
        let mut budgets = Budgets::default();
        assert!((0..100_000).all(|second| budgets.take(&"a".into(), 2_500, second * 1_000)));
    }
}
