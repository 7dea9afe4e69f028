//! The file an agent runs by, rendered from the record and the registry.

use crate::config::Settings;
use crate::plans;
use crate::registry::Secret;
use crate::topology::{Id, Topology};
use haidang_daemon::pem::{self, NotCertificates};
use haidang_daemon::yaml::{self, Fault};
use haidang_probe::credential::Credentials;
use haidang_probe::plan::{Orders, Plan};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

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

/// The plan of the agent at `site`; the record holds the session ids of those added
/// ([`Registry::assign`](crate::registry::Registry::assign)). `reach` is the collector's address as agents see it;
/// without one it is the address listened on.
pub fn plan(
    topology: &Topology,
    (settings, credentials): (&Settings, &Credentials),
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
    let orders = plans::orders(topology, credentials, site).ok_or_else(|| NoFile::NoUplink(site.into()))?;
    let Orders { flush, prompt, uplinks, checks, listen, credentials, .. } = orders;
    Ok(Plan {
        agent: site.into(),
        secret: Some(secret.hex()),
        uplinks: uplinks.into_iter().map(|way| way.reached_at(collector.clone(), stamp)).collect(),
        authority: None,
        listen: None,
        flush,
        prompt,
        spool_bytes: SPOOL_BYTES,
        checks,
        listeners: listen,
        credentials,
    })
}

/// The certificates an agent file is given to know the collector by: those of the file the settings name, which is
/// in the configuration's directory.
///
/// # Errors
/// When it cannot be read or holds anything but certificates: every agent would get a copy of a key beside them.
pub fn authority(directory: &Path, settings: &Settings) -> Result<Option<String>, Fault> {
    let Some(path) = settings.authority.as_ref().map(|path| directory.join(path)) else { return Ok(None) };
    let wrong = |wrong: NotCertificates| Fault {
        file: path.clone(),
        line: wrong.line(),
        column: 1,
        message: wrong.to_string(),
    };
    pem::certificates(&yaml::text(&path)?).map(Some).map_err(wrong)
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
