//! The running world: every reflector, every simulated agent, and the socket for orders, on one thread.

use crate::agent::{Agent, Place};
use crate::control::{self, Control};
use crate::failover::Pair;
use crate::map::Map;
use crate::reflector::{self, Reflector};
use crate::switches::Switches;
use crate::time::Time;
use crate::truth::Truth;
use anyhow::{Context as _, anyhow, bail};
use haidang_collector::topology::DeviceKind;
use haidang_daemon::{clock::Clock, stop::Stop, yaml};
use haidang_probe::{check::Check, plan::Plan};
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinSet;

/// Folder of the configuration that holds what only the world knows.
const HIDDEN: &str = "world";
/// How often the relation of the clocks is looked at again.
const RELATE: Duration = Duration::from_secs(10);

/// Where the world finds and leaves things.
pub struct Places<'a> {
    /// The collector's configuration directory.
    pub config: &'a Path,
    /// Agent files.
    pub agents: &'a Path,
    /// Socket and truth log.
    pub run: &'a Path,
}

/// Reads the map of a configuration directory, hidden POPs included.
///
/// # Errors
/// All faults of the directory.
pub fn read_map(config: &Path) -> anyhow::Result<Map> {
    let faults = |faults: Vec<yaml::Fault>| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow!("{}", lines.join("\n"))
    };
    let read = haidang_collector::config::load(config).map_err(faults)?;
    let mut map = Map::new(read.topology).map_err(anyhow::Error::msg)?;
    map.add_hidden(&config.join(HIDDEN))?;
    Ok(map)
}

/// Runs the world until `stop`.
///
/// # Errors
/// What keeps it from starting; nothing runs then.
pub async fn serve(places: &Places<'_>, stop: Stop) -> anyhow::Result<()> {
    let map = read_map(places.config)?;
    let time = Time::new(Clock::machine()?);
    let switches = Switches::new(&map);
    let listener = control::listen(places.run)?;
    let mut tasks = JoinSet::new();
    let reflectors = reflect(&mut tasks, &map, &switches, &time, &stop).await?;
    let (agents, uplinks) = simulate(&mut tasks, places.agents, &map, &switches, &time, &stop).await?;
    let truth = Truth::open(&places.run.join("truth.jsonl"), time.utc_ms())?;
    tasks.spawn(relate(time.clone(), stop.clone()));
    tasks.spawn(Control::new(map, switches, truth, time).run(listener, stop.clone()));
    tracing::info!(reflectors, agents, uplinks, "the rehearsal province runs");
    while let Some(ended) = tasks.join_next().await {
        ended.context("a part of the world failed")?;
    }
    let _ = std::fs::remove_file(places.run.join(control::SOCKET));
    tracing::info!("stopped");
    Ok(())
}

async fn reflect(
    tasks: &mut JoinSet<()>,
    map: &Map,
    switches: &Switches,
    time: &Time,
    stop: &Stop,
) -> anyhow::Result<usize> {
    for (&address, part) in &map.reflectors {
        let socket = reflector::bind(address).await?;
        let switch = switches.of(part).unwrap_or_default();
        tasks.spawn(reflector::run(
            Reflector::new(part, &switch),
            socket,
            switch,
            time.clone(),
            stop.clone(),
        ));
    }
    Ok(map.reflectors.len())
}

/// Starts an agent for each agent file of a rehearsal site; the others are real agents' files.
async fn simulate(
    tasks: &mut JoinSet<()>,
    directory: &Path,
    map: &Map,
    switches: &Switches,
    time: &Time,
    stop: &Stop,
) -> anyhow::Result<(usize, usize)> {
    let (mut agents, mut uplinks) = (0, 0);
    for file in yaml::files(directory)? {
        let text = yaml::text(&file)?;
        let plan: Plan = yaml::parse(&file, &text)?;
        let Some(site) = map.topology.sites.get(&plan.agent) else {
            bail!("{}: no site `{}` in the configuration", file.display(), plan.agent);
        };
        if !site.rehearsal {
            continue;
        }
        let gateway = site.devices.values().filter(|device| device.kind == DeviceKind::Gateway);
        let gateway = gateway.flat_map(|device| &device.checks).map(Check::id).collect();
        let place = Place { gateway, failover: Pair::of(&plan.agent, site, &map.topology) };
        let agent = Agent::bind(plan, place, time, switches).await;
        let agent = agent.with_context(|| format!("agent file {}", file.display()))?;
        (agents, uplinks) = (agents + 1, uplinks + agent.uplinks());
        tasks.spawn(agent.run(stop.clone()));
    }
    let recorded =
        map.topology.sites.values().filter(|site| site.rehearsal && site.observe.has_agent()).count();
    if agents < recorded {
        tracing::warn!(
            agents,
            recorded,
            "sites without an agent file stay silent: `haidang-collector agent add --rehearsal` writes them"
        );
    }
    Ok((agents, uplinks))
}

async fn relate(time: Time, stop: Stop) {
    let mut every = tokio::time::interval(RELATE);
    loop {
        tokio::select! {
            () = stop.wait() => return,
            _ = every.tick() => time.relate(),
        }
    }
}
