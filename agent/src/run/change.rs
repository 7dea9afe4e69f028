//! What a new plan changes in a running agent: its own file edited, or orders delivered by the collector.

use super::trial::{End, Trial};
use super::{Agent, off_the_thread};
use crate::dial::Trust;
use crate::keeper::Terms;
use crate::listen;
use crate::liveness::{self, Liveness};
use crate::plan::{self, Changes, Loaded, kept};
use crate::quality;
use crate::uplink::{self, Uplink};
use bytes::Bytes;
use haidang_daemon::reload::steadily;
use haidang_daemon::stop::{self, Stopper};
use haidang_daemon::yaml::places;
use haidang_probe::event::{Event, EventKind};
use haidang_probe::liveness::Key;
use haidang_probe::plan::{Delivery, PlanDigest};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Agent {
    /// The agent's own file changed. A bad one never replaces the good one that runs; orders taken over the file
    /// stay while it says the same about what they replace.
    pub(super) fn reload(&mut self) {
        let (read, digest) = steadily(&self.settings.config, || plan::read(&self.settings.config));
        let own = match read {
            Ok(own) => own,
            Err(faults) => {
                self.reading.bad();
                let wrong = places(faults.all());
                tracing::warn!(
                    wrong,
                    "the new plan is not good, the last good one runs on; `haidang-agent check` says all"
                );
                return;
            }
        };
        self.reading.good(digest, self.shared.clock.utc_ms());
        let runs = kept::restore(&self.settings.directory, &own);
        self.own = own;
        self.trial = None;
        self.change(runs);
    }

    /// The collector named the orders it wants run: fetches them when they are others.
    pub(super) fn wants(&mut self) {
        let wanted = *self.wanted.borrow_and_update();
        let now_ns = self.shared.clock.steady_ns();
        if !self.fetch.starts(wanted, self.runs.digest, now_ns) {
            return;
        }
        // The acknowledgement came by one that carries.
        let uplinks = self.uplinks.borrow().clone();
        let by = uplinks.iter().find(|uplink| uplink.carries()).or(uplinks.first()).cloned();
        tracing::info!(
            wanted = wanted.hex(),
            runs = self.runs.digest.hex(),
            "the collector has another plan"
        );
        let shared = self.shared.clone();
        self.fetches.spawn(async move {
            match by {
                Some(uplink) => uplink.orders(&shared.meter, shared.clock.utc_ms()).await,
                None => Err("no uplink".into()),
            }
        });
    }

    /// Orders came, or something else.
    pub(super) async fn fetched(&mut self, fetched: Result<Bytes, String>) {
        let now_ns = self.shared.clock.steady_ns();
        let orders = match fetched {
            Ok(orders) => orders,
            Err(reason) => {
                tracing::info!(reason, "the plan was not fetched; trying again");
                return self.fetch.failed(now_ns);
            }
        };
        let digest = PlanDigest::of(Delivery::read(&orders).orders);
        let judged = self.own.with(&orders);
        self.fetch.came(digest, judged.is_err(), now_ns);
        match judged {
            Ok(runs) if runs.digest == self.runs.digest => {}
            Ok(runs) => self.follow(orders, runs).await,
            Err(refusal) => {
                tracing::warn!(%refusal, digest = digest.hex(), "the collector's plan is refused; the last good one runs on");
                self.refuse(refusal.name());
            }
        }
    }

    async fn follow(&mut self, orders: Bytes, runs: Loaded) {
        let before = self.trial.take().map_or_else(|| self.runs.clone(), |trial| trial.before);
        let (same, flush) = (runs.plan.uplinks == before.plan.uplinks, runs.flush().every);
        self.change(runs);
        self.event(EventKind::PlanTaken, String::new());
        if same {
            return self.keep(orders).await;
        }
        tracing::info!("the plan has other uplinks: it is kept once one of them carries a batch");
        let now_ns = self.shared.clock.steady_ns();
        self.trial = Some(Trial::begin(orders, before, flush, self.acknowledged(), now_ns));
    }

    /// Ends the trial of new uplinks, once it is decided.
    pub(super) async fn judge_trial(&mut self) {
        let (acknowledged, now_ns) = (self.acknowledged(), self.shared.clock.steady_ns());
        let ends = |trial: &mut Trial| trial.end(acknowledged, now_ns).is_some();
        let Some(trial) = self.trial.take_if(ends) else { return };
        if trial.end(acknowledged, now_ns) == Some(End::Carried) {
            return self.keep(trial.orders).await;
        }
        let digest = self.runs.digest;
        tracing::warn!(
            digest = digest.hex(),
            "no uplink of the collector's plan carries; what ran before runs again"
        );
        self.fetch.silent(digest, now_ns);
        self.change(trial.before);
        self.refuse("uplinks-silent");
    }

    /// Batches the uplinks in use have carried since they are.
    fn acknowledged(&self) -> u64 {
        self.uplinks.borrow().iter().map(|uplink| uplink.acknowledged()).sum()
    }

    fn refuse(&self, why: &str) {
        self.shared.board.plan_refused();
        self.event(EventKind::PlanRefused, why.into());
    }

    /// A disk that refuses costs the next start the new plan, not the running agent.
    async fn keep(&self, orders: Bytes) {
        let (directory, base) = (self.settings.directory.clone(), self.own.base());
        let kept = off_the_thread(move || kept::keep(&directory, base, &orders)).await;
        self.shared.board.plan_taken(kept.is_ok());
        if let Err(error) = kept {
            tracing::warn!(%error, "the plan is not kept on disk; a restart runs the one before");
        }
    }

    fn event(&self, kind: EventKind, part: String) {
        let at = self.shared.clock.moment();
        if self.events.try_send(Event::new(at, kind, part)).is_err() {
            tracing::warn!(event = kind.name(), "event lost: too many at once");
        }
    }

    fn change(&mut self, runs: Loaded) {
        let changes = Changes::between(&self.runs, &runs);
        let (set, removed) = (changes.set.len(), changes.removed.len());
        tracing::info!(set, removed, digest = runs.digest.hex(), "new plan taken over");
        if !changes.restart.is_empty() {
            tracing::warn!(keys = ?changes.restart, "these changes need a restart of the agent");
        }
        let stays = |check| runs.checks.contains_key(&check) && !changes.set.contains(&check);
        self.portals.retain(stays);
        self.take_over(runs, &changes);
    }

    pub(super) fn take_over(&mut self, runs: Loaded, changes: &Changes) {
        let now_ns = self.shared.clock.steady_ns();
        for check in &changes.removed {
            self.schedule.remove(*check);
            self.asked.remove(check);
        }
        for check in &changes.set {
            if let Some(asked) = runs.checks.get(check) {
                self.schedule.set(*check, asked.pace(), now_ns);
                self.asked.insert(*check, Arc::new(asked.clone()));
            }
        }
        self.doubter.follow(&self.asked, &runs.plan.known);
        let questions = runs.checks.values().filter_map(|asked| asked.question.as_ref());
        self.probes.learn(runs.credentials.clone(), questions);
        let names: Vec<String> = runs.plan.uplinks.iter().map(uplink::name).collect();
        let checks = runs.checks.iter().map(|(id, asked)| (*id, asked.name.as_str(), asked.target.as_str()));
        self.shared.board.plan(checks, &names);
        self.shared.board.runs(runs.digest, runs.digest != self.own.digest);
        self.use_uplinks(&runs);
        self.follow_listeners(&runs);
        self.terms.send_replace(Terms::of(&runs));
        self.runs = runs;
    }

    /// Listeners that stay as they are keep their sockets, and what they know.
    fn follow_listeners(&mut self, runs: &Loaded) {
        let tools = listen::Tools {
            clock: self.shared.clock.clone(),
            finder: self.finder.clone(),
            events: self.events.clone(),
            directory: self.settings.directory.clone(),
            resting: self.resting.clone(),
        };
        let said =
            listen::Said { listening: runs.plan.listeners.clone(), credentials: runs.credentials.clone() };
        self.listeners.follow(&said, &tools);
    }

    /// Uplinks that stay as they are keep their connections and sessions.
    fn use_uplinks(&mut self, runs: &Loaded) {
        let same = (&runs.secrets, &runs.plan.authority) == (&self.runs.secrets, &self.runs.plan.authority);
        let (bearer, stamp) = (runs.bearer(), runs.stamp_keys());
        let trust = match (&bearer, &self.identity) {
            (None, Some(identity)) => Some(identity.trust()),
            // It was judged with the file.
            _ => runs.plan.authority.as_deref().and_then(|pem| Trust::in_pem(pem).ok()),
        };
        let before = self.uplinks.borrow().clone();
        let mut sessions = BTreeMap::new();
        let mut uplinks = Vec::new();
        for plan in &runs.plan.uplinks {
            let name = uplink::name(plan);
            let kept = before.iter().find(|uplink| same && uplink.plan == *plan);
            if let (Some(kept), Some(stopper)) = (kept, self.sessions.remove(&name)) {
                uplinks.push(kept.clone());
                sessions.insert(name, stopper);
                continue;
            }
            match Uplink::new(plan, bearer.as_deref(), &self.finder, trust.as_ref()) {
                Ok(uplink) => {
                    let uplink = Arc::new(uplink);
                    if let Some(keys) = stamp.clone() {
                        sessions.insert(name, self.listen(uplink.clone(), keys));
                    }
                    uplinks.push(uplink);
                }
                Err(error) => tracing::error!(line = name, error, "uplink not used"),
            }
        }
        // Dropping a stopper stops: sessions left behind end here.
        self.sessions = sessions;
        self.uplinks.send_replace(uplinks);
    }

    fn listen(&self, uplink: Arc<Uplink>, keys: (Key, Option<Key>)) -> Stopper {
        let (stopper, stop) = stop::pair();
        let line = uplink.name();
        let liveness = Liveness {
            clock: self.shared.clock.clone(),
            uplink,
            events: self.events.clone(),
            digests: self.digests.clone(),
            outcomes: self.outcomes.clone(),
            measure_every: quality::EVERY,
            board: self.shared.board.clone(),
            meter: self.shared.meter.clone(),
            wake: self.shared.wake.clone(),
        };
        tokio::spawn(async move {
            if let Err(error) = liveness::run(liveness, keys, stop).await {
                tracing::error!(line, %error, "no liveness sessions");
            }
        });
        stopper
    }
}
