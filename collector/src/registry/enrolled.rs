//! Codes given out, and the devices that enrolled with them.
//!
//! ```text
//! code ── used by a key within its day ──▶ enrolled ◀── approved ── quarantined
//!   └─ used by another key, or too late: turned away   └── renews after too long a silence ──▲
//! ```

use super::roster::KeyPrint;
use super::{Registry, RegistryError, Secret};
use crate::topology::{Id, Topology};
use haidang_probe::enrol::CODE_LIFE;
use haidang_probe::key;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// SHA-256 of something, hex in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Print(pub [u8; 32]);

/// A code given out: not the code itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Invitation {
    hash: Print,
    /// UTC ms.
    until: i64,
    /// The key that used it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used_by: Option<Print>,
}

/// A device that is the agent of a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Enrolment {
    pub key: Print,
    /// When it had its last certificate, UTC ms.
    pub renewed: i64,
    /// Since when it waits for approval, UTC ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<i64>,
    /// From which its STAMP keys derive: the current one, and the one before.
    pub secrets: Vec<Secret>,
}

/// Why a code is turned away. Only who has the code learns more than that it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Turned {
    /// No such code.
    #[error("there is no such code")]
    Wrong,
    /// Another device used it.
    #[error("the code has been used; ask for another")]
    Used,
    /// Its day is over.
    #[error("the code has expired; ask for another")]
    Expired,
}

/// What became of a wish for a new certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// Whose key it is.
    pub site: Id,
    /// It waits for approval.
    pub quarantined: bool,
}

impl Registry {
    /// Gives out a code for the agent of a site, in place of an earlier one. A device enrolled already stays the
    /// agent until another has used the code.
    pub fn invite(
        &mut self,
        topology: &Topology,
        site: &str,
        hash: [u8; 32],
        now: i64,
    ) -> Result<(), RegistryError> {
        let until = now + CODE_LIFE.as_millis() as i64;
        self.expect(topology, site)?.code = Some(Invitation { hash: Print(hash), until, used_by: None });
        Ok(())
    }

    /// Makes the holder of `key` the agent of the site whose code hashes to `hash`. The same key may use the code
    /// again: its answer may have been lost.
    pub fn enroll(
        &mut self,
        hash: [u8; 32],
        key: KeyPrint,
        now: i64,
    ) -> Result<Result<Id, Turned>, RegistryError> {
        let same = |code: &Invitation| bool::from(code.hash.0.ct_eq(&hash));
        let mut invited = self.agents.iter_mut().filter(|(_, agent)| agent.code.as_ref().is_some_and(same));
        let Some((site, agent)) = invited.next() else { return Ok(Err(Turned::Wrong)) };
        let Some(code) = agent.code.as_mut() else { return Ok(Err(Turned::Wrong)) };
        if now > code.until {
            return Ok(Err(Turned::Expired));
        }
        if code.used_by.is_some_and(|used_by| used_by.0 != key) {
            return Ok(Err(Turned::Used));
        }
        code.used_by = Some(Print(key));
        let again = agent.enrolled.as_ref().filter(|before| before.key.0 == key);
        let secrets = match again {
            Some(before) => before.secrets.clone(),
            None => vec![Secret::draw()?],
        };
        agent.enrolled = Some(Enrolment { key: Print(key), renewed: now, quarantined: None, secrets });
        agent.secret = None;
        let site = site.clone();
        // A device stands at one site: brought to another, it is no longer the agent of the first.
        for (_, other) in self.agents.iter_mut().filter(|(id, _)| **id != site) {
            other.enrolled.take_if(|before| before.key.0 == key);
        }
        Ok(Ok(site))
    }

    /// Notes that the holder of `key` has a new certificate; none when no agent has this key. One that had none for
    /// longer than `silence` is in quarantine from now on. A certificate within `seldom` of the last is not noted.
    pub fn renew(&mut self, key: KeyPrint, now: i64, silence: Duration, seldom: Duration) -> Option<Renewal> {
        let mut enrolled =
            self.agents.iter_mut().filter_map(|(site, agent)| Some((site, agent.enrolled.as_mut()?)));
        let (site, enrolled) = enrolled.find(|(_, enrolled)| bool::from(enrolled.key.0.ct_eq(&key)))?;
        let since = u128::from(now.saturating_sub(enrolled.renewed).max(0) as u64);
        if since > silence.as_millis() {
            enrolled.quarantined.get_or_insert(now);
        }
        if since > seldom.as_millis() {
            enrolled.renewed = now;
        }
        Some(Renewal { site: site.clone(), quarantined: enrolled.quarantined.is_some() })
    }

    /// Ends the quarantine of a site's agent. False when it was in none.
    pub fn approve(&mut self, site: &str) -> bool {
        let enrolled = self.agents.get_mut(site).and_then(|agent| agent.enrolled.as_mut());
        enrolled.is_some_and(|enrolled| enrolled.quarantined.take().is_some())
    }

    /// Draws a new secret for an enrolled agent; the one before still counts. Lines added since get their session.
    /// False when none is enrolled.
    pub fn rotate(&mut self, topology: &Topology, site: &str) -> Result<bool, RegistryError> {
        if self.agents.get(site).is_none_or(|agent| agent.enrolled.is_none()) {
            return Ok(false);
        }
        let Some(enrolled) = self.expect(topology, site)?.enrolled.as_mut() else { return Ok(false) };
        enrolled.secrets.insert(0, Secret::draw()?);
        enrolled.secrets.truncate(2);
        Ok(true)
    }
}

impl Serialize for Print {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&key::hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Print {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let octets =
            key::unhex(&String::deserialize(deserializer)?).and_then(|octets| octets.try_into().ok());
        octets.map(Print).ok_or_else(|| D::Error::custom("a digest is 64 hex digits"))
    }
}
