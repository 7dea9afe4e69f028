//! What the page of one site reads from the fold beside verdicts and incidents.

use super::{Watch, changes::Change, skew::Skew};

impl Watch {
    /// What was changed about a site, newest first.
    pub fn changes(&self, site: &str) -> impl Iterator<Item = &Change> {
        self.changes.of(site)
    }

    /// When the record judged by was taken over, UTC ms; 0 before the first.
    pub fn configured(&self) -> i64 {
        self.configured
    }

    /// When anything of an agent arrived last (UTC ms), and how many of its batches have not.
    pub fn agent_stands(&self, agent: &str) -> Option<(i64, u64)> {
        self.spools.standing(agent)
    }

    /// Whether an agent runs the plan meant for it, as far as it was heard.
    pub fn agent_plan(&self, agent: &str) -> Option<&'static str> {
        self.taking.of(agent)
    }

    /// How far an agent's clock is ahead of ours, ms (behind: negative); 0 while it may be right.
    pub fn agent_clock(&self, agent: &str) -> Option<i64> {
        self.clocks.get(agent).map(Skew::ahead)
    }
}
