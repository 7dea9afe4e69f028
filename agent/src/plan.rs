//! What the agent runs by: its own file, and the orders the collector delivered.
//!
//! ```text
//!  agent file ─ read ─▶ own plan ──────────────────────────┬─▶ what runs
//!  orders ─ Loaded::with: uplinks, flush, prompt, checks ──┘      │ Changes: only what differs is touched
//!     └─▶ DATA/plan.yml (kept): what a restart runs               ▼
//! ```
//!
//! The file is judged strictly, whole, each fault at its place (`file:line:col`): somebody is at a desk. Orders
//! are judged leniently, since nobody is in the field: a check this version does not understand answers
//! `Unsupported` and the rest runs. Neither ever replaces a good one by a bad one.

mod judge;
pub mod kept;
pub mod orders;

use crate::gather::Flush;
use crate::schedule::{Holds, Pace};
use haidang_daemon::yaml::{self, Faults};
use haidang_probe::ask::place::Place;
use haidang_probe::ask::{Question, Wrong};
use haidang_probe::check::{Check, CheckId};
use haidang_probe::credential::Credentials;
use haidang_probe::key;
use haidang_probe::liveness::Key;
use haidang_probe::plan::{Plan, PlanDigest, Uplink};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// A plan that can run.
#[derive(Clone)]
pub struct Loaded {
    /// The file, its uplinks, `flush` and `prompt` replaced by those of the orders where there are some. It holds
    /// the secret: never log it.
    pub plan: Plan,
    /// The secrets its STAMP keys derive from, 32 octets each: the current one, and at a rotation the one before. An
    /// enrolled agent has none until it has orders.
    pub secrets: Vec<Vec<u8>>,
    /// The checks, their targets understood.
    pub checks: BTreeMap<CheckId, Asked>,
    /// As whom devices are asked.
    pub credentials: Credentials,
    /// Digest of the orders, or of what the file says in their stead.
    pub digest: PlanDigest,
}

/// A check and what it asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Name within the agent.
    pub name: String,
    /// Who is asked, as it was written.
    pub target: String,
    /// Interval between runs.
    pub every: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// What is asked; none when this version does not understand it.
    pub question: Option<Question>,
}

impl Asked {
    /// A check that this version understands; else what is wrong with its target or settings.
    pub fn of(check: &Check) -> Result<Asked, Wrong> {
        let question = Question::of(check)?;
        Ok(Asked {
            name: check.name.clone(),
            target: check.target.clone(),
            every: check.every.0,
            timeout: check.timeout.0,
            question: Some(question),
        })
    }

    /// How its turns go. A burst or train lasts until its last packet has had its time; a device answers one run at a time,
    /// so that a second would but wait for the first, and lose its own time over that.
    pub fn pace(&self) -> Pace {
        let (length, holds) = match &self.question {
            Some(Question::Icmp(echo)) => {
                let given = matches!(echo.place, Place::Address(_));
                (echo.length() + self.timeout, if given { Holds::Echo } else { Holds::Task })
            }
            Some(Question::Stamp(train)) => (train.length() + self.timeout, Holds::Task),
            Some(Question::Snmp(_)) => (Duration::ZERO, Holds::Task),
            _ => (self.timeout, Holds::Task),
        };
        Pace { every: self.every, length, holds }
    }
}

impl Loaded {
    /// The bearer token of an agent that runs by a file with its secret; the enrolled show a certificate.
    pub fn bearer(&self) -> Option<String> {
        self.plan.secret.as_ref().and(self.secrets.first()).map(|secret| key::bearer(secret))
    }

    /// The keys of its STAMP sessions: the current one, and the one before.
    pub fn stamp_keys(&self) -> Option<(Key, Option<Key>)> {
        let key = |secret: &Vec<u8>| Key::new(&key::derive(secret, key::STAMP));
        Some((key(self.secrets.first()?), self.secrets.get(1).map(key)))
    }

    /// When batches are due.
    pub fn flush(&self) -> Flush {
        Flush { every: self.plan.flush.0, prompt: self.plan.prompt }
    }

    /// Digest of what orders replace, and of how the collector is reached: while it stays, so do the orders.
    pub fn base(&self) -> PlanDigest {
        let Plan { uplinks, flush, prompt, checks, listeners, credentials, .. } = &self.plan;
        let said = (uplinks as &Vec<Uplink>, flush, prompt, checks, listeners, credentials);
        let text = serde_json::to_string(&said);
        // Structures of text, numbers and truth values always serialise.
        PlanDigest::of(text.unwrap_or_default().as_bytes())
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
pub(crate) mod tests;
