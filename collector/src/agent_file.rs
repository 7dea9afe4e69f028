//! The file an agent runs by, rendered from the record and the registry.

use crate::config::Settings;
use crate::plans;
use crate::registry::Secret;
use crate::topology::{Id, Topology};
use haidang_probe::credential::Credentials;
use haidang_probe::plan::{Orders, Plan, SPOOL_DIGESTS, SPOOL_RAW};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Limit of an agent's spool, octets: weeks of outage for a gateway's checks.
const SPOOL_BYTES: u64 = 256 << 20;

/// Why there is no file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoFile {
    /// The collector does not listen on loopback, where alone a file's token counts.
    #[error(
        "files are for agents on this machine, and the collector listens on {0}, not on loopback; enrol the agent: leave --out out"
    )]
    Elsewhere(SocketAddr),
    /// The agent was not added.
    #[error("site `{0}` has no uplink in the registry")]
    NoUplink(Id),
}

/// The plan of the agent at `site`; the record holds the session ids of those added
/// ([`Registry::assign`](crate::registry::Registry::assign)). Its agent runs on the collector's machine and reaches it
/// by loopback; `authority` (PEM) vouches for the collector unless it is plain.
pub fn plan(
    topology: &Topology,
    (settings, credentials): (&Settings, &Credentials),
    site: &str,
    secret: &Secret,
    authority: &str,
) -> Result<Plan, NoFile> {
    let plain = settings.agents.plain;
    let scheme = if plain { "http" } else { "https" };
    let (agents, stamp) = reached(settings)?;
    let collector = format!("{scheme}://{agents}");
    let orders = plans::orders(topology, credentials, site).ok_or_else(|| NoFile::NoUplink(site.into()))?;
    let Orders { flush, prompt, uplinks, checks, listen, credentials, known, .. } = orders;
    Ok(Plan {
        agent: site.into(),
        secret: Some(secret.hex()),
        uplinks: uplinks.into_iter().map(|way| way.reached_at(collector.clone(), stamp)).collect(),
        authority: (!plain).then(|| authority.to_owned()),
        listen: None,
        flush,
        prompt,
        spool_bytes: SPOOL_BYTES,
        spool_raw: SPOOL_RAW,
        spool_digests: SPOOL_DIGESTS,
        checks,
        listeners: listen,
        credentials,
        known,
    })
}

/// Where an agent on this machine posts, and its STAMP end.
pub fn reached(settings: &Settings) -> Result<(SocketAddr, SocketAddr), NoFile> {
    let agents = near(settings.agents.address)?;
    let stamp = settings.stamp.iter().find_map(|listened| near(*listened).ok());
    Ok((agents, stamp.ok_or(NoFile::Elsewhere(settings.stamp[0]))?))
}

/// Where a program on this machine reaches what listens there.
fn near(listened: SocketAddr) -> Result<SocketAddr, NoFile> {
    let ip = match listened.ip() {
        ip if ip.to_canonical().is_loopback() => ip,
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        _ => return Err(NoFile::Elsewhere(listened)),
    };
    Ok(SocketAddr::new(ip, listened.port()))
}

/// The file's text.
pub fn text(plan: &Plan) -> String {
    let yaml = serde_saphyr::to_string(plan).unwrap_or_default();
    format!(
        "# Agent of site {}. It holds a secret: keep it to its owner (0600).\n\
         # `flush`, `prompt`, `uplinks`, `checks` and `credentials` are those of the collector's record once it is reached.\n{yaml}",
        plan.agent
    )
}

#[cfg(test)]
mod tests;
