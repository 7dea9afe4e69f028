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

mod change;
mod ended;
mod keep;
mod trial;

use crate::by_id::ById;
use crate::expose::Board;
use crate::fault::{At, Resting, at};
use crate::fetch::Fetch;
use crate::gateway::{self, Links};
use crate::identity::{Identity, IdentityError, renewal};
use crate::keeper::{Keeper, Terms, WAITING};
use crate::listen::Listeners;
use crate::path::watch::{self as traces, Doubter};
use crate::place::Finder;
use crate::plan::{self, Asked, Changes, Loaded, kept};
use crate::portal::known::Known;
use crate::probe::{Answer, Probes, Tools};
use crate::schedule::Schedule;
use crate::spool::{Spool, SpoolError};
use crate::uplink::{Courier, Shared, Uplink, meter::Meter};
use bytes::Bytes;
use haidang_daemon::clock::{BootError, Clock};
use haidang_daemon::listen::{Listen, ListenError};
use haidang_daemon::metrics::Metrics;
use haidang_daemon::reload::{Reading, Reload, steadily};
use haidang_daemon::serve::{self, Counts, Health, Limits};
use haidang_daemon::stop::{self, Stop, Stopper};
use haidang_daemon::yaml::Faults;
use haidang_probe::check::CheckId;
use haidang_probe::digest::LineDigest;
use haidang_probe::event::Event;
use haidang_probe::outcome::{Failure, Outcome};
use haidang_probe::plan::PlanDigest;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use trial::Trial;

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
    /// No identity: nobody would take what is seen.
    #[error(transparent)]
    Identity(#[from] IdentityError),
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
    let (read, digest) = steadily(&settings.config, || plan::read(&settings.config));
    let own = read?;
    let clock = match &settings.boot_file {
        Some(path) => Clock::with_boot_file(path)?,
        None => Clock::machine()?,
    };
    let identity = Identity::read(&settings.directory)?.map(Arc::new);
    if own.plan.secret.is_none() && identity.is_none() {
        return Err(IdentityError::None(settings.directory).into());
    }
    let spool = Spool::open(&settings.directory.join("spool"), &own.plan.agent, own.plan.spool_bytes)?;
    let runs = kept::restore(&settings.directory, &own);
    tracing::info!(
        agent = runs.plan.agent,
        checks = runs.checks.len(),
        uplinks = runs.plan.uplinks.len(),
        plan = runs.digest.hex(),
        spool = format!("{:016x}", spool.id()),
        backlog = spool.tally().unacked,
        "agent starts"
    );
    let board = Board::default();
    board.spool(spool.tally());
    let metrics = Metrics::new();
    board.register(&metrics);
    let reading = Reading::register(&metrics, digest, clock.utc_ms());
    let shared = Shared {
        clock,
        spool: Arc::new(tokio::sync::Mutex::new(spool)),
        wake: Arc::default(),
        flowing: Arc::default(),
        board,
        meter: Meter::restore(&settings.directory),
        wanted: watch::Sender::new(PlanDigest::default()),
    };
    let exposed = expose(&own, metrics, &stop).await?;
    let clock = shared.clock.clone();
    let agent = Agent::start(settings, Plans { own, runs, identity }, shared, reading, stop.clone());
    if let Some(identity) = agent.identity.clone() {
        let (uplinks, finder) = (agent.uplinks.subscribe(), agent.finder.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.wait() => {}
                never = renewal::keep(&identity, uplinks, &finder, &clock) => match never {},
            }
        });
    }
    agent.run(reload).await;
    if let Some(server) = exposed {
        let _ = server.await;
    }
    Ok(())
}

async fn expose(
    own: &Loaded,
    metrics: Metrics,
    stop: &Stop,
) -> Result<Option<tokio::task::JoinHandle<()>>, RunError> {
    let Some(address) = own.plan.listen else { return Ok(None) };
    let listener = Listen::on(address).bind(Path::new("")).await?;
    tracing::info!(address = %listener.address(), "/metrics, /healthz and /readyz");
    let counts = Counts::register(&metrics, "metrics");
    // An agent that runs has a plan and a spool: it can always do its work.
    let health = Health::new(metrics, || Ok(()));
    Ok(Some(tokio::spawn(serve::run(listener, Limits::default(), counts, health, stop.clone()))))
}

/// What there is to run at a start.
struct Plans {
    /// The agent's own file.
    own: Loaded,
    /// The same with the orders kept, if there are some.
    runs: Loaded,
    /// Who it is, where it enrolled.
    identity: Option<Arc<Identity>>,
}

struct Agent {
    settings: Settings,
    /// The agent's own file: what delivered orders are laid over.
    own: Loaded,
    runs: Loaded,
    /// What runs has uplinks that have yet to carry something.
    trial: Option<Trial>,
    reading: Reading,
    fetch: Fetch,
    fetches: JoinSet<Result<Bytes, String>>,
    wanted: watch::Receiver<PlanDigest>,
    shared: Shared,
    stop: Stop,
    finder: Finder,
    /// Of an enrolled agent.
    identity: Option<Arc<Identity>>,
    probes: Arc<Probes>,
    asked: ById<Arc<Asked>>,
    schedule: Schedule,
    under_way: JoinSet<Outcome>,
    /// Which check a run is of, for one that ends without an outcome.
    running: BTreeMap<tokio::task::Id, CheckId>,
    resting: Resting,
    links: Links,
    portals: Known,
    doubter: Doubter,
    outcomes: mpsc::Sender<Outcome>,
    events: mpsc::Sender<Event>,
    digests: mpsc::Sender<LineDigest>,
    terms: watch::Sender<Terms>,
    uplinks: watch::Sender<Vec<Arc<Uplink>>>,
    listeners: Listeners,
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
    fn start(settings: Settings, plans: Plans, shared: Shared, reading: Reading, stop: Stop) -> Agent {
        let Plans { own, runs, identity } = plans;
        let finder = Finder::default();
        let tools = Tools { clock: shared.clock.clone(), finder: finder.clone() };
        let (outcomes, outcomes_in) = mpsc::channel(WAITING);
        let (events, events_in) = mpsc::channel(WAITING);
        let (digests, digests_in) = mpsc::channel(WAITING);
        let (terms, terms_in) = watch::channel(Terms::of(&runs));
        let (uplinks, uplinks_in) = watch::channel(Vec::new());
        let (courier_stopper, courier_stop) = stop::pair();
        let background = Background {
            keeper: tokio::spawn(
                Keeper::new(shared.clone(), terms_in, outcomes_in, (events_in, digests_in)).run(),
            ),
            courier: tokio::spawn(Courier::new(shared.clone(), uplinks_in).run(courier_stop)),
            courier_stopper,
        };
        for event in gateway::started(&settings.directory, Path::new("/"), shared.clock.moment()) {
            // Nothing else has been sent: the channel has room.
            let _ = events.try_send(event);
        }
        let probes = Arc::new(Probes::new(&tools));
        let doubter = Doubter::start(doubts(&shared, &tools, &probes, &events, &uplinks));
        let mut agent = Agent {
            probes,
            portals: Known::restore(&settings.directory),
            resting: Resting::restore(&settings.directory, shared.clock.steady_ns()),
            settings,
            reading,
            fetch: Fetch::default(),
            fetches: JoinSet::new(),
            wanted: shared.wanted.subscribe(),
            shared,
            stop,
            finder,
            identity,
            asked: ById::default(),
            schedule: Schedule::default(),
            under_way: JoinSet::new(),
            running: BTreeMap::new(),
            links: Links::default(),
            doubter,
            outcomes,
            events,
            digests,
            terms,
            uplinks,
            listeners: Listeners::default(),
            sessions: BTreeMap::new(),
            background,
            own,
            runs: runs.clone(),
            trial: None,
        };
        let all = runs.checks.keys().copied().collect();
        agent.take_over(runs, &Changes { set: all, ..Changes::default() });
        agent
    }

    async fn run(mut self, mut reload: Reload) {
        let stop = self.stop.clone();
        let mut keeping = tokio::time::interval(keep::EVERY);
        keeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.start_due();
            self.judge_trial().await;
            let trial_ns = self.trial.as_ref().map_or(u64::MAX, Trial::until_ns);
            let next_ns = self.schedule.next_ns().unwrap_or(u64::MAX).min(trial_ns);
            let pause = Duration::from_nanos(next_ns.saturating_sub(self.shared.clock.steady_ns()));
            tokio::select! {
                () = stop.wait() => break,
                () = reload.changed() => self.reload(),
                Ok(()) = self.wanted.changed() => self.wants(),
                Some(ended) = self.fetches.join_next() => {
                    self.fetched(ended.unwrap_or_else(|error| Err(error.to_string()))).await;
                }
                _ = keeping.tick() => self.keep_counts().await,
                Some(ended) = self.under_way.join_next_with_id() => self.ended(ended).await,
                ended = self.probes.ended() => self.echoed(ended).await,
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
            let question = asked.question.as_ref();
            let rests = self.resting.left(At::Check(check), now_ns).is_some();
            if !rests && question.is_some_and(|question| self.probes.starts(check, question, asked.timeout)) {
                continue;
            }
            let (probes, sent) = (self.probes.clone(), self.shared.clock.moment());
            let run = self.under_way.spawn(at(At::Check(check), async move {
                let answer = match &asked.question {
                    _ if rests => Answer::from(Err(Failure::Resting)),
                    Some(question) => probes.ask(question, asked.timeout).await,
                    None => Answer::from(Err(Failure::Unsupported)),
                };
                Outcome { check, sent, result: answer.result, samples: answer.samples }
            }));
            self.running.insert(run.id(), check);
        }
        self.shared.board.schedule(&self.schedule);
        self.shared.board.echoes(self.probes.echoes());
        self.shared.board.metered(self.shared.meter.octets());
    }

    async fn finish(mut self) {
        self.keep_counts().await;
        let stopped = gateway::stopped(&self.settings.directory, self.shared.clock.moment());
        let Agent { shared, under_way: mut runs, outcomes, events, background, .. } = self;
        drop((self.sessions, self.listeners, self.doubter));
        runs.shutdown().await;
        let _ = events.send(stopped).await;
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

/// Does what waits for the disk where nothing else waits for it.
async fn off_the_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// What ways in doubt are traced with.
fn doubts(
    shared: &Shared,
    tools: &Tools,
    probes: &Probes,
    events: &mpsc::Sender<Event>,
    uplinks: &watch::Sender<Vec<Arc<Uplink>>>,
) -> traces::Tools {
    traces::Tools {
        clock: shared.clock.clone(),
        finder: tools.finder.clone(),
        tracer: probes.tracer(),
        events: events.clone(),
        board: shared.board.clone(),
        meter: shared.meter.clone(),
        uplinks: uplinks.subscribe(),
    }
}

#[cfg(test)]
mod tests;
