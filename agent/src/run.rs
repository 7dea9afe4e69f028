//! The agent as a whole: what is started, what stops in which order, and what a new plan changes.
//!
//! ```text
//!   schedule ─▶ probes ─▶ outcomes ─▶ keeper ─▶ spool ─▶ courier ─▶ uplinks
//!                         liveness ─▶ events ──┘                     ▲
//!                            └── heard or silent ────────────────────┘
//! ```
//!
//! Everything runs on one thread; only look-ups and syncs have others. The end: no more runs, the last batch
//! is sealed, the courier tries to bring it, the cursor is stored.

use crate::expose::Board;
use crate::gateway::{self, Links};
use crate::keeper::{Keeper, Terms, WAITING};
use crate::liveness::{self, Liveness};
use crate::place::Finder;
use crate::plan::{self, Asked, Changes, Loaded};
use crate::probe::{Probes, Tools};
use crate::schedule::Schedule;
use crate::spool::{Spool, SpoolError};
use crate::uplink::{self, Courier, Shared, Uplink};
use haidang_daemon::clock::{BootError, Clock};
use haidang_daemon::listen::{Listen, ListenError};
use haidang_daemon::metrics::Metrics;
use haidang_daemon::reload::Reload;
use haidang_daemon::serve::{self, Counts, Health, Limits};
use haidang_daemon::stop::{self, Stop, Stopper};
use haidang_daemon::yaml::Faults;
use haidang_probe::check::CheckId;
use haidang_probe::event::Event;
use haidang_probe::key;
use haidang_probe::liveness::Key;
use haidang_probe::outcome::Outcome;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};

/// What the agent is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The agent's file.
    pub config: PathBuf,
    /// Where it keeps its spool.
    pub directory: PathBuf,
    /// Describes the boot of the box it speaks for, when that is not this machine.
    pub boot_file: Option<PathBuf>,
}

/// Why the agent does not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The file is not a plan.
    #[error("{0}")]
    Plan(#[from] Faults),
    /// No clock.
    #[error(transparent)]
    Clock(#[from] BootError),
    /// No spool: what is seen could be lost.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The plan's `listen` cannot be bound.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The system refuses something basic.
    #[error("{what}: {source}")]
    System {
        /// What was attempted.
        what: String,
        /// Its reason.
        source: io::Error,
    },
}

/// Runs the agent until `stop`.
pub async fn run(settings: Settings, stop: Stop) -> Result<(), RunError> {
    let system = |what: &str, source| RunError::System { what: what.into(), source };
    let reload = Reload::start(&settings.config).map_err(|error| system("take over SIGHUP", error))?;
    let loaded = plan::read(&settings.config)?;
    let clock = match &settings.boot_file {
        Some(path) => Clock::with_boot_file(path)?,
        None => Clock::machine()?,
    };
    let spool = Spool::open(&settings.directory.join("spool"), &loaded.plan.agent, loaded.plan.spool_bytes)?;
    tracing::info!(
        agent = loaded.plan.agent,
        checks = loaded.checks.len(),
        uplinks = loaded.plan.uplinks.len(),
        spool = format!("{:016x}", spool.id()),
        backlog = spool.tally().unacked,
        "agent starts"
    );
    let board = Board::default();
    board.spool(spool.tally());
    let shared = Shared {
        clock,
        spool: Arc::new(tokio::sync::Mutex::new(spool)),
        wake: Arc::default(),
        flowing: Arc::default(),
        board,
    };
    let exposed = expose(&loaded, &shared.board, &stop).await?;
    Agent::start(settings, loaded, shared, stop).run(reload).await;
    if let Some(server) = exposed {
        let _ = server.await;
    }
    Ok(())
}

async fn expose(
    loaded: &Loaded,
    board: &Board,
    stop: &Stop,
) -> Result<Option<tokio::task::JoinHandle<()>>, RunError> {
    let Some(address) = loaded.plan.listen else { return Ok(None) };
    let listener = Listen::on(address).bind(Path::new("")).await?;
    tracing::info!(address = %listener.address(), "/metrics, /healthz and /readyz");
    let metrics = Metrics::new();
    board.register(&metrics);
    let counts = Counts::register(&metrics, "metrics");
    // An agent that runs has a plan and a spool: it can always do its work.
    let health = Health::new(metrics, || Ok(()));
    Ok(Some(tokio::spawn(serve::run(listener, Limits::default(), counts, health, stop.clone()))))
}

struct Agent {
    settings: Settings,
    loaded: Loaded,
    shared: Shared,
    stop: Stop,
    finder: Finder,
    probes: Arc<Probes>,
    asked: BTreeMap<CheckId, Arc<Asked>>,
    schedule: Schedule,
    runs: JoinSet<Outcome>,
    /// Which check a run is of, for one that ends without an outcome.
    running: BTreeMap<tokio::task::Id, CheckId>,
    links: Links,
    outcomes: mpsc::Sender<Outcome>,
    events: mpsc::Sender<Event>,
    terms: watch::Sender<Terms>,
    uplinks: watch::Sender<Vec<Arc<Uplink>>>,
    /// Ends the liveness sessions of an uplink, by name.
    sessions: BTreeMap<String, Stopper>,
    background: Background,
}

/// The tasks that end after the agent's own loop, in this order.
struct Background {
    keeper: tokio::task::JoinHandle<()>,
    courier: tokio::task::JoinHandle<()>,
    courier_stopper: Stopper,
}

impl Agent {
    fn start(settings: Settings, loaded: Loaded, shared: Shared, stop: Stop) -> Agent {
        let finder = Finder::default();
        let tools = Tools { clock: shared.clock.clone(), finder: finder.clone() };
        let (outcomes, outcomes_in) = mpsc::channel(WAITING);
        let (events, events_in) = mpsc::channel(WAITING);
        let (terms, terms_in) = watch::channel(terms(&loaded));
        let (uplinks, uplinks_in) = watch::channel(Vec::new());
        let (courier_stopper, courier_stop) = stop::pair();
        let background = Background {
            keeper: tokio::spawn(Keeper::new(shared.clone(), terms_in, outcomes_in, events_in).run()),
            courier: tokio::spawn(Courier::new(shared.clone(), uplinks_in).run(courier_stop)),
            courier_stopper,
        };
        for event in gateway::started(&settings.directory, shared.clock.moment()) {
            // Nothing else has been sent: the channel has room.
            let _ = events.try_send(event);
        }
        let mut agent = Agent {
            probes: Arc::new(Probes::new(&tools)),
            settings,
            shared,
            stop,
            finder,
            asked: BTreeMap::new(),
            schedule: Schedule::default(),
            runs: JoinSet::new(),
            running: BTreeMap::new(),
            links: Links::default(),
            outcomes,
            events,
            terms,
            uplinks,
            sessions: BTreeMap::new(),
            background,
            loaded: loaded.clone(),
        };
        let all = loaded.checks.keys().copied().collect();
        agent.take_over(loaded, &Changes { set: all, ..Changes::default() });
        agent
    }

    async fn run(mut self, mut reload: Reload) {
        let stop = self.stop.clone();
        loop {
            self.start_due();
            let next_ns = self.schedule.next_ns().unwrap_or(u64::MAX);
            let pause = Duration::from_nanos(next_ns.saturating_sub(self.shared.clock.steady_ns()));
            tokio::select! {
                () = stop.wait() => break,
                () = reload.changed() => self.reload(),
                Some(ended) = self.runs.join_next_with_id() => self.ended(ended).await,
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.finish().await;
    }

    fn start_due(&mut self) {
        let now_ns = self.shared.clock.steady_ns();
        while let Some(check) = self.schedule.due(now_ns) {
            let Some(asked) = self.asked.get(&check).cloned() else {
                self.schedule.ended(check);
                continue;
            };
            let (probes, sent) = (self.probes.clone(), self.shared.clock.moment());
            let run = self.runs.spawn(async move {
                let answer = probes.ask(&asked.question, asked.check.timeout.0).await;
                Outcome { check, sent, result: answer.result, samples: answer.samples }
            });
            self.running.insert(run.id(), check);
        }
        self.shared.board.schedule(self.schedule.skipped(), self.schedule.in_flight());
    }

    async fn ended(&mut self, ended: Result<(tokio::task::Id, Outcome), JoinError>) {
        let run = ended.as_ref().map_or_else(JoinError::id, |(run, _)| *run);
        if let Some(check) = self.running.remove(&run) {
            self.schedule.ended(check);
        }
        let outcome = match ended {
            Ok((_, outcome)) => outcome,
            Err(error) => return tracing::error!(%error, "a probe ended early"),
        };
        tracing::trace!(check = %outcome.check, result = ?outcome.result, "run ended");
        self.shared.board.outcome(&outcome);
        for event in self.links.see(&outcome) {
            tracing::info!(interface = event.part, event = event.kind.name(), "link changed");
            let _ = self.events.send(event).await;
        }
        let _ = self.outcomes.send(outcome).await;
    }

    /// A bad new file never replaces the good plan that runs.
    fn reload(&mut self) {
        match plan::read(&self.settings.config) {
            Err(faults) => {
                self.shared.board.bad_plan();
                tracing::warn!("the new plan is not good, the last good one runs on:\n{faults}");
            }
            Ok(loaded) => {
                let changes = Changes::between(&self.loaded, &loaded);
                tracing::info!(
                    set = changes.set.len(),
                    removed = changes.removed.len(),
                    "new plan taken over"
                );
                if !changes.restart.is_empty() {
                    tracing::warn!(keys = ?changes.restart, "these changes need a restart of the agent");
                }
                self.take_over(loaded, &changes);
            }
        }
    }

    fn take_over(&mut self, loaded: Loaded, changes: &Changes) {
        let now_ns = self.shared.clock.steady_ns();
        for check in &changes.removed {
            self.schedule.remove(*check);
            self.asked.remove(check);
        }
        for check in &changes.set {
            if let Some(asked) = loaded.checks.get(check) {
                self.schedule.set(*check, asked.check.every.0, asked.check.timeout.0, now_ns);
                self.asked.insert(*check, Arc::new(asked.clone()));
            }
        }
        let names: Vec<String> = loaded.plan.uplinks.iter().map(uplink::name).collect();
        let checks = loaded.checks.values().map(|asked| &asked.check);
        self.shared.board.plan(checks, &names, self.shared.clock.utc_ms());
        self.uplinks(&loaded);
        self.terms.send_replace(terms(&loaded));
        self.loaded = loaded;
    }

    /// Uplinks that stay as they are keep their connections and sessions.
    fn uplinks(&mut self, loaded: &Loaded) {
        let same_secret = loaded.secret == self.loaded.secret;
        let before = self.uplinks.borrow().clone();
        let (bearer, stamp) =
            (key::bearer(&loaded.secret), Key::new(&key::derive(&loaded.secret, key::STAMP)));
        let mut sessions = BTreeMap::new();
        let mut uplinks = Vec::new();
        for plan in &loaded.plan.uplinks {
            let name = uplink::name(plan);
            let kept = before.iter().find(|uplink| same_secret && uplink.plan == *plan);
            if let (Some(kept), Some(stopper)) = (kept, self.sessions.remove(&name)) {
                uplinks.push(kept.clone());
                sessions.insert(name, stopper);
                continue;
            }
            match Uplink::new(plan, &bearer, &self.finder) {
                Ok(uplink) => {
                    let uplink = Arc::new(uplink);
                    sessions.insert(name, self.listen(uplink.clone(), stamp.clone()));
                    uplinks.push(uplink);
                }
                Err(error) => tracing::error!(line = name, error, "uplink not used"),
            }
        }
        // Dropping a stopper stops: sessions left behind end here.
        self.sessions = sessions;
        self.uplinks.send_replace(uplinks);
    }

    fn listen(&self, uplink: Arc<Uplink>, key: Key) -> Stopper {
        let (stopper, stop) = stop::pair();
        let line = uplink.name();
        let liveness = Liveness {
            clock: self.shared.clock.clone(),
            uplink,
            events: self.events.clone(),
            board: self.shared.board.clone(),
            wake: self.shared.wake.clone(),
        };
        tokio::spawn(async move {
            if let Err(error) = liveness::run(liveness, key, stop).await {
                tracing::error!(line, %error, "no liveness sessions");
            }
        });
        stopper
    }

    async fn finish(self) {
        let Agent { shared, mut runs, outcomes, events, sessions, background, .. } = self;
        drop(sessions);
        runs.shutdown().await;
        let _ = events.send(gateway::stopped(shared.clock.moment())).await;
        drop((outcomes, events));
        let Background { keeper, courier, courier_stopper } = background;
        let _ = keeper.await;
        courier_stopper.stop();
        let _ = courier.await;
        if let Err(error) = shared.spool.lock().await.persist() {
            tracing::warn!(%error, "cursor not stored; acknowledged batches may be sent again");
        }
        tracing::info!("agent stopped");
    }
}

fn terms(loaded: &Loaded) -> Terms {
    Terms { flush: loaded.flush(), checks: loaded.checks.keys().copied().collect(), digest: loaded.digest }
}
