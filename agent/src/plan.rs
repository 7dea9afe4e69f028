//! The agent's file: read, judged as a whole, compared with the one that runs.
//!
//! [`read`] gives a plan that can run, or every fault of it at its place (`file:line:col`). A bad file never
//! replaces a good one: whoever reloads keeps what it has until `read` succeeds.

mod judge;

use crate::gather::Flush;
use crate::probe::Question;
use haidang_daemon::yaml::{self, Faults};
use haidang_probe::check::{Check, CheckId};
use haidang_probe::plan::{Plan, PlanDigest};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Most checks of one agent.
pub const MAX_CHECKS: usize = 10_000;

/// Most uplinks of one agent.
pub const MAX_UPLINKS: usize = 8;

/// A plan that can run.
#[derive(Clone)]
pub struct Loaded {
    /// As the file says it. It holds the secret: never log it.
    pub plan: Plan,
    /// The agent's secret, 32 octets.
    pub secret: Vec<u8>,
    /// The checks, their targets understood.
    pub checks: BTreeMap<CheckId, Asked>,
    /// Digest of the file's text.
    pub digest: PlanDigest,
}

/// A check and what it asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// As the file says it.
    pub check: Check,
    /// Its target, understood.
    pub question: Question,
}

impl Loaded {
    /// When batches are due.
    pub fn flush(&self) -> Flush {
        Flush { every: self.plan.flush.0, prompt: self.plan.prompt }
    }
}

/// Reads and judges the file at `path`.
pub fn read(path: &Path) -> Result<Loaded, Faults> {
    parse(path, &yaml::text(path)?)
}

/// Judges `text`; `file` names it in faults.
pub fn parse(file: &Path, text: &str) -> Result<Loaded, Faults> {
    let plan: Plan = yaml::parse(file, text)?;
    judge::judge(file, text, plan)
}

/// What a new plan changes against the one that runs; what is in neither list is left alone.
#[derive(Debug, Default, PartialEq)]
pub struct Changes {
    /// Checks no longer asked.
    pub removed: Vec<CheckId>,
    /// Checks that are new, or ask otherwise than before.
    pub set: Vec<CheckId>,
    /// What a running agent does not take over: it needs a restart.
    pub restart: Vec<&'static str>,
}

impl Changes {
    /// From `before` to `after`.
    pub fn between(before: &Loaded, after: &Loaded) -> Changes {
        let ids = |loaded: &Loaded| loaded.checks.keys().copied().collect::<BTreeSet<_>>();
        let removed = ids(before).difference(&ids(after)).copied().collect();
        let differs = |(id, asked): &(&CheckId, &Asked)| before.checks.get(id) != Some(asked);
        let set = after.checks.iter().filter(differs).map(|(id, _)| *id).collect();
        let (old, new) = (&before.plan, &after.plan);
        let restart = [
            ("agent", old.agent != new.agent),
            ("listen", old.listen != new.listen),
            ("spool_bytes", old.spool_bytes != new.spool_bytes),
        ];
        let restart = restart.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect();
        Changes { removed, set, restart }
    }
}

#[cfg(test)]
mod tests;
