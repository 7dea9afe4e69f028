//! The file an agent runs by, rendered from the record and the registry.

use crate::config::Settings;
use crate::registry::{ANY, Registry, Secret};
use crate::topology::{Id, Role, SiteKind, Topology};
use haidang_probe::check::Span;
use haidang_probe::plan::{Plan, Uplink};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Longest a finished outcome waits before it is sent.
const FLUSH: Duration = Duration::from_secs(1);
/// Limit of an agent's spool, octets: weeks of outage for a gateway's checks.
const SPOOL_BYTES: u64 = 256 << 20;

/// Why there is no file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoFile {
    /// The collector listens on all its addresses, so none of them is the one to write.
    #[error("the collector listens on {0}, which is no address to reach it at; say one with --reach")]
    Reach(SocketAddr),
    /// The agent was not added.
    #[error("site `{0}` has no uplink in the registry")]
    NoUplink(Id),
}

/// The plan of the agent at `site`, which the registry has been told to add. `reach` is the collector's
/// address as agents see it; without one it is the address listened on.
pub fn plan(
    topology: &Topology,
    settings: &Settings,
    registry: &Registry,
    site: &str,
    secret: &Secret,
    reach: Option<IpAddr>,
) -> Result<Plan, NoFile> {
    let at = |listened: SocketAddr| match reach {
        Some(ip) => Ok(SocketAddr::new(ip, listened.port())),
        None if listened.ip().is_unspecified() => Err(NoFile::Reach(listened)),
        None => Ok(listened),
    };
    let scheme = if settings.agents.tls.is_some() { "https" } else { "http" };
    let collector = format!("{scheme}://{}", at(settings.agents.address)?);
    let stamp = at(settings.stamp[0])?;
    let uplinks: Vec<Uplink> = uplinks(topology, site)
        .into_iter()
        .filter_map(|(line, source)| {
            let ssid = registry.session(site, &line)?;
            Some(Uplink { line, ssid, stamp, collector: collector.clone(), source })
        })
        .collect();
    if uplinks.is_empty() {
        return Err(NoFile::NoUplink(site.into()));
    }
    Ok(Plan {
        agent: site.into(),
        secret: secret.hex(),
        uplinks,
        listen: None,
        flush: Span(FLUSH),
        prompt: topology.sites.get(site).is_some_and(|record| record.kind == SiteKind::Core),
        spool_bytes: SPOOL_BYTES,
        checks: topology.checks_of(site),
    })
}

/// The site's lines, primary first, each with the address packets leave from. A rehearsal's lines are told
/// apart by that alone; a real gateway's routes decide for themselves.
fn uplinks(topology: &Topology, site: &str) -> Vec<(String, Option<IpAddr>)> {
    let Some(record) = topology.sites.get(site) else { return Vec::new() };
    let mut lines: Vec<_> =
        record.needs.lines().iter().filter_map(|id| Some((id, topology.lines.get(id)?))).collect();
    if lines.is_empty() {
        return vec![(ANY.into(), None)];
    }
    lines.sort_by_key(|(_, line)| line.role == Role::Backup);
    let source = |seen_from: &[IpAddr]| seen_from.first().copied().filter(|_| record.rehearsal);
    lines.into_iter().map(|(id, line)| (id.clone(), source(&line.seen_from))).collect()
}

/// The file's text.
pub fn text(plan: &Plan) -> String {
    let yaml = serde_saphyr::to_string(plan).unwrap_or_default();
    format!("# Agent of site {}. It holds a secret: keep it to its owner (0600).\n{yaml}", plan.agent)
}

#[cfg(test)]
mod tests;
