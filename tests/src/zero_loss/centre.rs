//! The centre's end: the collector's ingest, roster, fold and journal, without sockets.

use super::Fall;
use super::site::SITE;
use anyhow::{Context, ensure};
use arc_swap::ArcSwap;
use bytes::Bytes;
use haidang_collector::entry::Entry;
use haidang_collector::fold::{self, Ending, Hooks, Journal, Start};
use haidang_collector::ingest::{Ingest, PATH};
use haidang_collector::plans::Plans;
use haidang_collector::registry::Registry;
use haidang_collector::topology::{Observe, Site, Topology};
use haidang_daemon::clock::Clock;
use haidang_daemon::metrics::Metrics;
use haidang_daemon::serve::Peer;
use haidang_journal::memory::Memory;
use haidang_journal::{Item, Position, Snapshot};
use haidang_probe::batch::{Ack, Envelope};
use haidang_probe::credential::Credentials;
use haidang_probe::key;
use http_body_util::{BodyExt as _, Full};
use hyper::service::Service as _;
use hyper::{Request, StatusCode};
use hyper_util::service::TowerToHyperService;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// Bound of the evidence, octets: nothing goes for want of room.
const ROOM: u64 = 1 << 30;

pub(super) struct Centre {
    clock: Clock,
    pub(super) disk: Memory,
    /// Holds the register of agents.
    _folder: TempDir,
    topology: Topology,
    registry: Registry,
    token: String,
    running: (Arc<Ingest>, Ending),
    /// Numbers an answer spoke of, whether or not it arrived.
    pub(super) answered: BTreeSet<u64>,
    refused: bool,
}

impl Centre {
    pub(super) fn new(clock: &Clock, disk: Memory) -> anyhow::Result<Centre> {
        let folder = tempfile::tempdir()?;
        let mut topology = Topology::default();
        topology.sites.insert(SITE.into(), Site { observe: Observe::Gateway, ..Site::default() });
        let secret = Registry::edit(folder.path(), |registry| registry.add(&topology, SITE, false))?;
        let registry = Registry::read(folder.path())?;
        registry.assign(&mut topology);
        let token = key::bearer(&key::unhex(&secret.hex()).context("the secret is not hex")?);
        let running = start(clock, &disk, &topology, &registry)?;
        let (clock, answered) = (clock.clone(), BTreeSet::new());
        Ok(Centre {
            clock,
            disk,
            _folder: folder,
            topology,
            registry,
            token,
            running,
            answered,
            refused: false,
        })
    }

    /// Posts a batch; none where it was refused, or nobody lives to take it.
    pub(super) async fn post(&mut self, batch: Bytes) -> anyhow::Result<Option<Ack>> {
        let service = TowerToHyperService::new(self.running.0.clone().router());
        let near = Peer((Ipv4Addr::LOCALHOST, 1).into());
        let request =
            Request::post(PATH).header("authorization", format!("Bearer {}", self.token)).extension(near);
        let response = service.call(request.body(Full::new(batch))?).await?;
        self.refused = response.status() == StatusCode::SERVICE_UNAVAILABLE;
        ensure!(response.status() != StatusCode::FORBIDDEN, "what is refused for good never comes home");
        if response.status() != StatusCode::OK {
            return Ok(None);
        }
        let ack = Ack::decode(&response.into_body().collect().await?.to_bytes())?;
        self.answered.insert(ack.seq);
        self.answered.extend(ack.received.as_slice().iter().flat_map(|&(first, last)| first..=last));
        Ok(Some(ack))
    }

    /// Whether its disk took nothing at the last post.
    pub(super) fn fell(&self) -> bool {
        self.refused
    }

    /// The collector is gone and starts again on what its disk held.
    pub(super) fn fall(&mut self, fall: Fall, seed: u64) -> anyhow::Result<()> {
        self.disk = fall.leaves(&self.disk, seed);
        self.refused = false;
        // The old one's thread ends by itself, on a disk that is dark.
        self.running = start(&self.clock, &self.disk, &self.topology, &self.registry)?;
        Ok(())
    }

    /// The batches in the journal, in the order they came.
    pub(super) fn stored(&self) -> anyhow::Result<Vec<(u64, Vec<u8>)>> {
        let (snapshot, _) = Snapshot::open(self.disk.clone())?;
        let mut batches = Vec::new();
        for item in snapshot.read(Position(0)) {
            let Item::Record { bytes, .. } = item? else { anyhow::bail!("records of the evidence are gone") };
            if let Entry::Batch(received) = Entry::decode(&bytes)? {
                batches.push((Envelope::decode(&received.envelope)?.seq, received.envelope));
            }
        }
        Ok(batches)
    }
}

fn start(
    clock: &Clock,
    disk: &Memory,
    topology: &Topology,
    registry: &Registry,
) -> anyhow::Result<(Arc<Ingest>, Ending)> {
    let journal = Journal { dir: PathBuf::new(), max_bytes: ROOM };
    let (at, topology) = (clock.utc_ms(), topology.clone());
    let roster = Arc::new(ArcSwap::from_pointee(registry.roster(&topology)));
    let plans = Arc::new(ArcSwap::from_pointee(Plans::of(&topology, &Credentials::new())));
    let start = Start { journal, at, topology, resume: None, hooks: Hooks::default() };
    let (fold, ending) = fold::start_on(disk.clone(), start)?;
    Ok((Ingest::new(fold, roster, plans, clock.clone(), &Metrics::new()), ending))
}
