//! The running collector: everything started in order, kept in step with its files, and ended in order.
//!
//! ```text
//! configuration, agents.yml ─▶ record, roster ─▶ fold ─▶ liveness ─▶ ports ─▶ (enrol) agents.yml
//!          ▲ a change of either: both are read anew; what is wrong stays out, and the last good one stays.
//!            Each counts for itself: who is revoked is out also while the configuration is wrong
//! end:  ports (DRAIN) ─▶ liveness ─▶ fold with a checkpoint ─▶ store
//! ```

mod agents;
mod exposed;
mod feed;

use crate::access::{Access, AccessError, first::FirstError};
use crate::api;
use crate::authority::{Authority, AuthorityError};
use crate::config::{self, Config, Fault};
use crate::fold::{self, Ending, Fold, StartError};
use crate::history::kept::{History, HistoryError};
use crate::ingest::{IN_HAND, Ingest};
use crate::liveness::{self, Liveness, Running};
use crate::plans::{self, Plans};
use crate::registry::{FILE, Registry, RegistryError, Roster};
use crate::store::{OpenError, Store, Upkeep};
use crate::topology::Topology;
use arc_swap::ArcSwap;
use exposed::Exposed;
use haidang_daemon::clock::Clock;
use haidang_daemon::listen::{ListenError, Listener};
use haidang_daemon::metrics::Metrics;
use haidang_daemon::reload::{Digest, Reading, Reload, steadily};
use haidang_daemon::room::make_room;
use haidang_daemon::serve::{self, Counts, Limits};
use haidang_daemon::stop::Stop;
use haidang_daemon::yaml::places;
use haidang_probe::credential::Credentials;
use hyper_util::service::TowerToHyperService;
use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Name of the journal's directory within the collector's.
pub const EVIDENCE: &str = "evidence";
/// Connections of people and scripts at a time, event streams included.
const CONSOLE_CONNECTIONS: usize = 256;
/// Connections of agents at a time: two uplinks of each of several hundred.
const AGENT_CONNECTIONS: usize = 16 * IN_HAND;
/// Files open at a time besides: journal, people, watches, and room to spare.
const OWN_FILES: usize = 128;
/// Time for answers under way at the end, within the two seconds an orderly stop may take.
const DRAIN: Duration = Duration::from_secs(1);

/// After a change the fold refused for a passing reason (its journal is full, its queue too), it is read again.
const RETRY: Duration = Duration::from_secs(5);

/// Where a collector's files are.
#[derive(Clone, Debug)]
pub struct Place {
    /// The configuration directory.
    pub config: PathBuf,
    /// The collector's own directory, made when missing.
    pub data: PathBuf,
    /// Where a first sign-in is written, if one is wished for.
    pub first_sign_in: Option<PathBuf>,
}

/// Why a collector does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration is wrong.
    #[error("{}", lines(.0))]
    Config(Vec<Fault>),
    /// The collector's directory cannot be made.
    #[error("create {}: {source}", .path.display())]
    Data {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The agents' file is wrong.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The people's file is wrong.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// No first sign-in.
    #[error(transparent)]
    FirstSignIn(#[from] FirstError),
    /// No history.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// No authority for agents.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// No port.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// No series.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// No fold.
    #[error(transparent)]
    Fold(#[from] StartError),
    /// The fold's thread is gone; its panic stands above in the log.
    #[error("the fold broke down: nothing is judged")]
    BrokeDown,
    /// Something else the system refused.
    #[error("{what}: {source}")]
    System {
        /// What was attempted.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Runs a collector until `stop`. Needs a tokio runtime.
pub async fn run(place: &Place, clock: Clock, stop: Stop) -> Result<(), ServeError> {
    let files = (CONSOLE_CONNECTIONS + AGENT_CONNECTIONS + OWN_FILES) as u64;
    let allowed = make_room(files);
    if allowed < files {
        tracing::warn!(
            allowed,
            wanted = files,
            "strangers' connections may use up all files; raise LimitNOFILE"
        );
    }
    let data = &place.data;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.map_err(|source| ServeError::Data { path: data.clone(), source })?;
    // Before the first read, so that no change falls between the two.
    let mut config_changes = Reload::start(&place.config).map_err(system("watch the configuration"))?;
    let mut agent_changes = Reload::start(&data.join(FILE)).map_err(system("watch the agents' file"))?;
    let (read, digest) = steadily(&place.config, || read(place));
    let collector = Collector::start(place, read?, digest, clock, &stop).await?;
    let mut next = Next::Change;
    loop {
        tokio::select! {
            () = stop.wait() => break,
            () = config_changes.changed() => {}
            () = agent_changes.changed() => {}
            () = tokio::time::sleep(RETRY), if next == Next::Retry => {}
            () = collector.fold.ended() => return Err(ServeError::BrokeDown),
        }
        next = collector.reread(place, next).await;
    }
    collector.end().await;
    Ok(())
}

/// What stands in the files: the configuration with session ids in its record, and who may speak.
fn read(place: &Place) -> Result<(Config, Roster), ServeError> {
    let mut config = config::load(&place.config).map_err(ServeError::Config)?;
    let registry = Registry::read(&place.data)?;
    registry.assign(&mut config.topology);
    plans::seal(&mut config.topology, &config.credentials);
    let roster = registry.roster(&config.topology);
    Ok((config, roster))
}

/// What the files are read again for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Another edit.
    Change,
    /// Nothing: what they say was refused, and may be taken a little later.
    Retry,
}

struct Collector {
    fold: Fold,
    ending: Ending,
    upkeep: Upkeep,
    liveness: Liveness,
    running: Running,
    roster: Arc<ArcSwap<Roster>>,
    plans: Arc<ArcSwap<Plans>>,
    /// As whom agents ask devices: beside the record, which is journalled.
    credentials: ArcSwap<Credentials>,
    settings: config::Settings,
    reading: Reading,
    clock: Clock,
    ports: JoinSet<()>,
}

/// Serves agents and the console until `stop`.
fn ports(
    (agents, router): (Listener, axum::Router),
    (console, parts): (Listener, api::Parts),
    metrics: &Metrics,
    stop: &Stop,
) -> JoinSet<()> {
    let mut ports = JoinSet::new();
    let service = TowerToHyperService::new(router);
    let [agents_counts, counts] = Counts::of_each(metrics, ["agents", "console"]);
    ports.spawn(serve::run(agents, at_most(AGENT_CONNECTIONS), agents_counts, service, stop.clone()));
    let service = TowerToHyperService::new(api::router(parts));
    ports.spawn(serve::run(console, at_most(CONSOLE_CONNECTIONS), counts, service, stop.clone()));
    ports
}

impl Collector {
    async fn start(
        place: &Place,
        (config, roster): (Config, Roster),
        digest: Digest,
        clock: Clock,
        stop: &Stop,
    ) -> Result<Collector, ServeError> {
        let Config { topology, collector: settings, credentials, .. } = config;
        let (metrics, console) = (Metrics::new(), settings.console.bind(&place.config).await?);
        let authority = Arc::new(Authority::open(&place.data)?);
        let agents = agents::port(&settings, &authority).await?;
        let (liveness, bound) = liveness::bind(&settings.stamp, &metrics).map_err(unbound)?;
        let access = people(place, &console, &clock)?;
        let plans = Arc::new(ArcSwap::from_pointee(Plans::of(&topology, &credentials)));
        let (store, upkeep) = keep_series(place, &settings, &clock)?;
        let history = Arc::new(History::open(&place.data)?);
        let journal = fold::Journal { dir: place.data.join(EVIDENCE), max_bytes: settings.journal.max_bytes };
        let (at, resume) = (clock.utc_ms(), store.resume());
        let hooks = feed::hooks(&store, &history, &liveness, &clock);
        let (fold, ending) = fold::start(fold::Start { journal, at, topology, resume, hooks })?;
        let stamp = bound.addresses().map_err(system("read the STAMP addresses"))?;
        let running = bound.start(liveness.clone(), clock.clone(), fold.clone());
        let running = running.map_err(system("start the liveness thread"))?;
        liveness.serve(roster.clone()).await;
        let roster = Arc::new(ArcSwap::from_pointee(roster));
        let reading = Reading::register(&metrics, digest, clock.utc_ms());
        Exposed::register(&metrics, fold.clone(), store.clone());
        tracing::info!(console = %url(&console), agents = %url(&agents), stamp = stamp.len(), "serving");
        let ingest = Ingest::new(fold.clone(), roster.clone(), plans.clone(), clock.clone(), &metrics);
        let stamp_port = stamp.first().map_or(0, SocketAddr::port);
        let who = (authority, roster.clone());
        let enrol = agents::enrol(place, &settings, who, (fold.clone(), clock.clone()), stamp_port);
        let routes = ingest.router().merge(enrol.router(&metrics));
        let parts = api::Parts {
            fold: fold.clone(),
            config: place.config.clone(),
            store,
            history,
            access,
            roster: roster.clone(),
            clock: clock.clone(),
            health: exposed::health(&metrics, &fold, &reading),
            stop: stop.clone(),
            secure: console.scheme() == "https",
        };
        let ports = ports((agents, routes), (console, parts), &metrics, stop);
        Ok(Collector {
            fold,
            ending,
            upkeep,
            liveness,
            running,
            roster,
            plans,
            credentials: ArcSwap::from_pointee(credentials),
            settings,
            reading,
            clock,
            ports,
        })
    }

    /// Takes over what the files say now; what is wrong, or the journal refuses, stays as it was.
    async fn reread(&self, place: &Place, last: Next) -> Next {
        let now = self.clock.utc_ms();
        let (read, digest) = steadily(&place.config, || config::load(&place.config));
        let registry = match Registry::read(&place.data) {
            Ok(registry) => registry,
            Err(RegistryError::Fault(fault)) => return self.not_taken(&places(&[fault]), Next::Change),
            Err(error) => return self.not_taken(&error.to_string(), Next::Change),
        };
        let wrong = read.as_ref().err().map(|faults| places(faults));
        let record = match read {
            Ok(config) => self.may_change(config),
            // A broken file must not keep a stolen secret in: the agents' file is judged by the record in use.
            Err(_) => self.fold.read(|watch| watch.topology().clone()),
        };
        if let Err(refused) = self.apply(now, record, &registry).await {
            if last == Next::Retry {
                tracing::debug!(%refused, "still not taken over");
                return Next::Retry;
            }
            return self.not_taken(&refused.to_string(), Next::Retry);
        }
        if let Some(wrong) = wrong {
            return self.not_taken(&wrong, Next::Change);
        }
        tracing::info!("configuration taken over");
        self.reading.good(digest, now);
        Next::Change
    }

    fn not_taken(&self, why: &str, next: Next) -> Next {
        tracing::warn!(
            why,
            "the changed configuration is not taken over; `haidang-collector check` says all"
        );
        self.reading.bad();
        next
    }

    /// The part of a configuration that a running collector takes over.
    fn may_change(&self, config: Config) -> Topology {
        if config.collector != self.settings {
            tracing::warn!("addresses and limits of the collector itself change at its next start");
        }
        self.credentials.store(Arc::new(config.credentials));
        config.topology
    }

    async fn apply(&self, now: i64, mut record: Topology, registry: &Registry) -> Result<(), fold::Refused> {
        registry.assign(&mut record);
        let credentials = self.credentials.load_full();
        plans::seal(&mut record, &credentials);
        let roster = registry.roster(&record);
        // The revoked are out even when the journal refuses the record.
        self.roster.store(Arc::new(roster.clone()));
        self.liveness.serve(roster).await;
        let plans = Plans::of(&record, &credentials);
        self.fold.configure(now, record).await?;
        // Only what is judged by is delivered.
        self.plans.store(Arc::new(plans));
        Ok(())
    }

    async fn end(mut self) {
        while self.ports.join_next().await.is_some() {}
        self.running.stop().await;
        self.ending.stop().await;
        self.upkeep.stop();
        tracing::info!("stopped");
    }
}

fn url(listener: &Listener) -> String {
    format!("{}://{}", listener.scheme(), listener.address())
}

fn keep_series(
    place: &Place,
    settings: &config::Settings,
    clock: &Clock,
) -> Result<(Arc<Store>, Upkeep), ServeError> {
    let store = Arc::new(Store::open(&place.data, settings.series.into(), clock.utc_ms())?);
    let upkeep = Upkeep::start(store.clone(), clock.clone());
    Ok((store, upkeep.map_err(system("start the store's thread"))?))
}

/// Who may sign in; at the very first start one is written down.
fn people(place: &Place, console: &Listener, clock: &Clock) -> Result<Arc<Access>, ServeError> {
    let access = Arc::new(Access::open(&place.data)?);
    let Some(path) = &place.first_sign_in else { return Ok(access) };
    let url = url(console);
    if access.first_sign_in(path, &url, clock.utc_ms())? {
        tracing::info!(path = %path.display(), "a first sign-in was written");
    }
    Ok(access)
}

fn at_most(connections: usize) -> Limits {
    Limits { connections, drain: DRAIN, ..Limits::default() }
}

fn unbound((address, error): (SocketAddr, std::io::Error)) -> ServeError {
    system(&format!("listen on {address} for STAMP"))(error)
}

fn system(what: &str) -> impl FnOnce(std::io::Error) -> ServeError {
    let what = what.to_owned();
    move |source| ServeError::System { what, source }
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A configuration, its record without session ids: what `agent add` works on.
pub fn record(config: &Path) -> Result<Config, ServeError> {
    config::load(config).map_err(ServeError::Config)
}

#[cfg(test)]
mod tests;
