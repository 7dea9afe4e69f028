//! Who may speak as an agent: the key it enrolled with or the secret of its file, and the STAMP session ids of its
//! uplinks.
//!
//! ```text
//! agents.yml   agents:
//!   0600         28249-tt: {sessions: {28249-1: 2}, enrolled: {key: …, renewed: …, secrets: […]}}
//!                28250-tt: {sessions: {28250-1: 4}, code: {hash: …, until: …}}        yet to enrol
//!                trung-tam: {secret: 09…, sessions: {any: 6}}        by a file, on this machine alone
//!                28251-tt: {sessions: {28251-1: 8}}                  revoked: its ids are kept, never reused
//! ```
//!
//! Ids are even, from 2, and stable: a line keeps its id as long as the file lives. The file is replaced
//! whole (written aside, synced, renamed), so a reader sees the old or the new one. `agent add` and
//! `agent revoke` edit it while the collector runs, which then reads it anew.

mod enrolled;
mod roster;

pub use enrolled::{Renewal, Turned};
#[cfg(test)]
pub(crate) use roster::said;
pub use roster::{Denied, KeyPrint, Roster, Uplink};

use crate::plans::ANY;
use crate::topology::{Id, Topology};
use enrolled::{Enrolment, Invitation};
use haidang_daemon::yaml::{self, Fault};
use haidang_probe::key;
use haidang_probe::plan::Sealed;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Name of the file within the collector's directory.
pub const FILE: &str = "agents.yml";
/// Last id an up session may have: the down session's is one more.
const LAST: u16 = u16::MAX - 1;

/// All agents ever added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    agents: BTreeMap<Id, Agent>,
}

/// One agent, by the site it stands at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Agent {
    /// Of an agent that runs by a file with its secret; none otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<Secret>,
    /// Up session by uplink: a line's id, or [`ANY`].
    sessions: BTreeMap<String, u16>,
    /// The last code given out for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<Invitation>,
    /// The device that is its agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enrolled: Option<Enrolment>,
}

/// 32 random bytes; never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub(in crate::registry) [u8; 32]);

/// Why the registry could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The file does not read.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The system refused.
    #[error("cannot {what} {}: {source}", .path.display())]
    Disk {
        /// What was attempted.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No such site in the configuration.
    #[error("no site `{0}` in the configuration")]
    NoSite(Id),
    /// The site is recorded as having no agent.
    #[error("site `{0}` has no agent: its `observe` is neither `gateway` nor `box-behind`")]
    NoAgent(Id),
    /// It is enrolled: a secret in a file would be a second identity.
    #[error("the agent of site `{0}` is enrolled; `agent revoke {0}` comes before a file for it")]
    Enrolled(Id),
    /// All session ids are taken.
    #[error("all {} session ids are taken", LAST / 2)]
    Sessions,
    /// The system gives no random bytes.
    #[error("draw a secret: {0}")]
    Random(getrandom::Error),
}

impl Registry {
    /// The registry in the collector's directory; empty when there is none yet.
    pub fn read(data: &Path) -> Result<Registry, RegistryError> {
        let path = data.join(FILE);
        if !path.exists() {
            return Ok(Registry::default());
        }
        Ok(yaml::read(&path)?)
    }

    /// Reads, changes and replaces the registry, one editor at a time. Nothing is written when `change` fails
    /// or changes nothing.
    pub fn edit<T>(
        data: &Path,
        change: impl FnOnce(&mut Registry) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let _lock = lock(data)?;
        let before = Registry::read(data)?;
        let mut registry = before.clone();
        let done = change(&mut registry)?;
        if registry != before {
            replace(&data.join(FILE), registry.text().as_bytes())?;
        }
        Ok(done)
    }

    /// Adds the agent of a site that runs by a file, or completes it: a secret if it has none (or a new one is wished
    /// for) and a session for each of its lines. Gives the secret.
    pub fn add(&mut self, topology: &Topology, site: &str, renew: bool) -> Result<Secret, RegistryError> {
        let agent = self.expect(topology, site)?;
        if agent.enrolled.is_some() {
            return Err(RegistryError::Enrolled(site.into()));
        }
        match &agent.secret {
            Some(secret) if !renew => Ok(secret.clone()),
            _ => {
                let secret = Secret::draw()?;
                agent.secret = Some(secret.clone());
                Ok(secret)
            }
        }
    }

    /// The agent of a site, with a session for each of its lines.
    fn expect(&mut self, topology: &Topology, site: &str) -> Result<&mut Agent, RegistryError> {
        let record = topology.sites.get(site).ok_or_else(|| RegistryError::NoSite(site.into()))?;
        if !record.observe.has_agent() {
            return Err(RegistryError::NoAgent(site.into()));
        }
        let lines = record.needs.lines();
        let uplinks: Vec<String> = if lines.is_empty() { vec![ANY.into()] } else { lines.to_vec() };
        for uplink in uplinks {
            let free = self.free()?;
            self.agents.entry(site.into()).or_default().sessions.entry(uplink).or_insert(free);
        }
        Ok(self.agents.entry(site.into()).or_default())
    }

    /// Takes all away by which somebody may speak as the agent; its session ids stay its own. False when there was
    /// nothing.
    pub fn revoke(&mut self, site: &str) -> bool {
        let Some(agent) = self.agents.get_mut(site) else { return false };
        let revoked = agent.may_speak() || agent.code.is_some();
        (agent.secret, agent.code, agent.enrolled) = (None, None, None);
        revoked
    }

    /// What of the orders of the agent at `site` is secret.
    pub fn sealed(&self, site: &str) -> Sealed {
        let enrolled = self.agents.get(site).and_then(|agent| agent.enrolled.as_ref());
        let secrets = enrolled.map(|enrolled| enrolled.secrets.iter().map(Secret::hex).collect());
        Sealed { secrets: secrets.unwrap_or_default() }
    }

    /// Up session of an uplink (a line's id or [`ANY`]) of an agent.
    pub fn session(&self, site: &str, uplink: &str) -> Option<u16> {
        self.agents.get(site)?.sessions.get(uplink).copied()
    }

    /// Writes the session ids of all agents that may speak into the record, so that the fold expects them, and the
    /// digest of what is sealed in their orders.
    pub fn assign(&self, topology: &mut Topology) {
        let session = |site: &Id, uplink: &str| {
            self.agents.get(site).filter(|agent| agent.may_speak())?.sessions.get(uplink).copied()
        };
        for (id, site) in &mut topology.sites {
            let alone = site.observe.has_agent() && site.needs.lines().is_empty();
            site.ssid = if alone { session(id, ANY) } else { None };
            site.sealed = self.sealed(id).digest();
        }
        for (id, line) in &mut topology.lines {
            let observed = topology.sites.get(&line.site).is_some_and(|site| site.observe.has_agent());
            line.ssid = if observed { session(&line.site, id) } else { None };
        }
    }

    fn free(&self) -> Result<u16, RegistryError> {
        let taken = self.agents.values().flat_map(|agent| agent.sessions.values()).max().copied();
        let free = taken.map_or(Some(2), |last| last.checked_add(2));
        free.filter(|free| *free <= LAST).ok_or(RegistryError::Sessions)
    }

    fn text(&self) -> String {
        // Maps of text and numbers always serialise.
        serde_saphyr::to_string(self).unwrap_or_default()
    }
}

impl Agent {
    /// By its file or by its certificate.
    fn may_speak(&self) -> bool {
        self.secret.is_some() || self.enrolled.is_some()
    }
}

impl Secret {
    fn draw() -> Result<Secret, RegistryError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(RegistryError::Random)?;
        Ok(Secret(secret))
    }

    /// The hex text an agent file holds.
    pub fn hex(&self) -> String {
        key::hex(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.hex())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = key::unhex(&String::deserialize(deserializer)?).and_then(|bytes| bytes.try_into().ok());
        // The text is not repeated: it may be most of a secret.
        bytes.map(Secret).ok_or_else(|| D::Error::custom("a secret is 64 hex digits"))
    }
}

fn disk(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RegistryError {
    move |source| RegistryError::Disk { what, path: path.into(), source }
}

/// Keeps other editors of the directory out until it is dropped.
pub(crate) fn lock(data: &Path) -> Result<File, RegistryError> {
    DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(disk("create", data))?;
    let path = data.join("agents.lock");
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    let file = file.map_err(disk("open", &path))?;
    file.lock().map_err(disk("lock", &path))?;
    Ok(file)
}

/// Replaces a file whole, for the owner only, durably. What stands beside it under the new one's name, such as
/// somebody's link or file in a shared directory, is never written to.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), RegistryError> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(disk("remove", &new)(error)),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new);
    let mut file = file.map_err(disk("write", &new))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(disk("write", &new))?;
    fs::rename(&new, path).map_err(disk("replace", path))?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|names| names.sync_all()).map_err(disk("sync", directory))
}

#[cfg(test)]
mod tests;
