//! Who may speak now: what ingest and liveness ask of the registry.

use super::Registry;
use crate::topology::{Id, Line, Topology};
use haidang_probe::enrol::identity;
use haidang_probe::key;
use haidang_probe::plan::{EVERY, Sealed};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// SHA-256 of a public key (SubjectPublicKeyInfo): by it an agent's key is known.
pub type KeyPrint = [u8; 32];

/// Who may speak now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// Site by SHA-256 of its bearer token.
    tokens: BTreeMap<[u8; 32], Id>,
    /// By the key it enrolled with.
    keys: BTreeMap<KeyPrint, Member>,
    /// What is secret in the orders of the enrolled.
    pub sealed: BTreeMap<Id, Sealed>,
    /// By up session.
    pub uplinks: BTreeMap<u16, Uplink>,
}

/// An enrolled agent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    site: Id,
    /// What its certificate must say.
    identity: String,
    /// Since when nothing of it is taken, UTC ms.
    quarantined: Option<i64>,
}

/// Why the bearer of a certificate of our authority may not speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// It ended, or its key is of no agent (any more).
    Unknown,
    /// Its agent was silent for too long.
    Quarantined,
}

/// An uplink whose packets are authentic under a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Uplink {
    /// Key of both its sessions.
    pub key: [u8; 32],
    /// The key before, which counts beside it until the agent has learnt of the new one.
    pub previous: Option<[u8; 32]>,
    /// Source addresses that prove that it rides on its line; empty when nothing can.
    pub seen_from: Vec<IpAddr>,
    /// Between two liveness packets each way.
    pub every: Duration,
}

/// Keys of an agent's sessions: the current one, and the one before.
#[derive(Clone, Copy)]
struct Keys([u8; 32], Option<[u8; 32]>);

impl Registry {
    /// Who may speak, for a record that [`Registry::assign`] has written into.
    pub fn roster(&self, topology: &Topology) -> Roster {
        let mut roster = Roster::default();
        for (site, record) in topology.sites.iter().filter(|(_, record)| record.observe.has_agent()) {
            let Some(keys) = self.member(topology, site, &mut roster) else { continue };
            let lines = record.needs.lines().iter().filter_map(|id| topology.lines.get(id));
            let lines = lines.filter_map(|line| Some((line.ssid?, Uplink::of(line, keys))));
            let Keys(key, previous) = keys;
            let alone = Uplink { key, previous, seen_from: Vec::new(), every: EVERY };
            let alone = record.ssid.map(|ssid| (ssid, alone));
            roster.uplinks.extend(lines.chain(alone));
        }
        roster
    }

    /// Writes the agent of a site down; the keys of its sessions, if it may speak.
    fn member(&self, topology: &Topology, site: &Id, roster: &mut Roster) -> Option<Keys> {
        let agent = self.agents.get(site)?;
        let stamp = |secret: &super::Secret| key::derive(&secret.0, key::STAMP);
        if let Some(enrolled) = &agent.enrolled {
            let identity = identity(&topology.province.code, site);
            let member = Member { site: site.clone(), identity, quarantined: enrolled.quarantined };
            roster.keys.insert(enrolled.key.0, member);
            roster.sealed.insert(site.clone(), self.sealed(site));
            let [current, before @ ..] = &enrolled.secrets[..] else { return None };
            let spoken = enrolled.quarantined.is_none();
            return spoken.then(|| Keys(stamp(current), before.first().map(stamp)));
        }
        let secret = agent.secret.as_ref()?;
        roster.tokens.insert(fingerprint(&key::bearer(&secret.0)), site.clone());
        Some(Keys(stamp(secret), None))
    }
}

impl Roster {
    /// Whose bearer token this is. Only digests are compared, so the time it takes tells nothing of a token.
    pub fn identity(&self, token: &str) -> Option<&Id> {
        self.tokens.get(&fingerprint(token))
    }

    /// Whose certificate this is at `now` (UTC ms). TLS has judged who signed it; a connection may outlive it.
    pub fn certified(&self, certificate: &[u8], now: i64) -> Result<&Id, Denied> {
        let (key, identity, ends) = said(certificate).ok_or(Denied::Unknown)?;
        let member = self.keys.get(&key).filter(|member| member.identity == identity);
        let member = member.filter(|_| now / 1000 < ends).ok_or(Denied::Unknown)?;
        if member.quarantined.is_some() { Err(Denied::Quarantined) } else { Ok(&member.site) }
    }

    /// Whether an agent enrolled with this key.
    pub fn knows(&self, key: &KeyPrint) -> bool {
        self.keys.contains_key(key)
    }

    /// Sites whose agent is in quarantine, and since when (UTC ms).
    pub fn quarantined(&self) -> impl Iterator<Item = (&Id, i64)> {
        self.keys.values().filter_map(|member| Some((&member.site, member.quarantined?)))
    }
}

impl Uplink {
    fn of(line: &Line, Keys(key, previous): Keys) -> Uplink {
        let every = Duration::from_millis(line.every_ms().unsigned_abs());
        Uplink { key, previous, seen_from: line.seen_from.clone(), every }
    }
}

impl fmt::Debug for Uplink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen_from = &self.seen_from;
        f.debug_struct("Uplink")
            .field("seen_from", seen_from)
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

/// What an agent's certificate says: its key, its identity, and when it ends (seconds since 1970).
pub(crate) fn said(certificate: &[u8]) -> Option<(KeyPrint, String, i64)> {
    use x509_parser::extensions::GeneralName;
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    let [GeneralName::URI(identity)] = names.value.general_names[..] else { return None };
    let key = Sha256::digest(certificate.tbs_certificate.subject_pki.raw).into();
    Some((key, identity.to_owned(), certificate.validity().not_after.timestamp()))
}

fn fingerprint(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
