//! What the page of one site reads from the fold beside verdicts and incidents.

use super::{Since, Verdict, Watch, changes::Change, skew::Skew};
use haidang_probe::check::Check;

impl Watch {
    /// What was changed about a site, newest first.
    pub fn changes(&self, site: &str) -> impl Iterator<Item = &Change> {
        self.changes.of(site)
    }

    /// When the record judged by was taken over, UTC ms; 0 before the first.
    pub fn configured(&self) -> i64 {
        self.configured
    }

    /// How what these checks of a site ask stands together; unknown while the site itself is not heard.
    pub fn checks_stand(&self, site: &str, checks: &[Check]) -> Since {
        let heard = self.site(site);
        match heard.verdict {
            Verdict::Up | Verdict::Degraded => self.checks.stand(site, checks, self.now()),
            _ => Since { verdict: Verdict::Unknown, established: false, ..heard },
        }
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
