//! The one file that knows the crate which speaks SNMP (`async-snmp`).
//!
//! One UDP socket per address family is shared by all devices; replies are told apart by the crate. Passwords are
//! hashed once per credential (RFC 3414 A.2 hashes a megabyte), off the agent's thread.

use async_snmp::transport::{UdpHandle, UdpTransport};
use async_snmp::v3::ReportStatus;
use async_snmp::{
    Auth, AuthProtocol, Client, EngineCache, Error, ErrorStatus, FixedCardinalityChunkError, MasterKeys,
    PrivProtocol, Retry, UsmConfig, VarBind,
};
use bytes::Bytes;
use haidang_probe::credential::{self, Credential, Privacy, Version};
use haidang_probe::outcome::Failure;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

pub use async_snmp::Oid;

/// Devices whose engine is remembered (version 3).
const MAX_ENGINES: usize = 1024;
/// A request that is not answered is sent once more.
const RETRIES: u32 = 1;
/// OIDs of one request at most; the callers ask for fewer.
const MAX_OIDS: usize = 64;

/// A value as far as an agent cares (RFC 2578 §7).
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// INTEGER, Gauge32.
    Number(f64),
    /// Wraps at 2^32.
    Counter32(u32),
    /// Never wraps in practice.
    Counter64(u64),
    /// Hundredths of a second; wraps after 497 days.
    Ticks(u32),
    /// OCTET STRING.
    Octets(Bytes),
    /// OBJECT IDENTIFIER.
    Oid(Oid),
    /// There is no such object or instance, or it is of a type nobody reads.
    Absent,
    /// Nothing follows.
    End,
}

impl Value {
    /// As a number, where it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            Value::Counter32(count) | Value::Ticks(count) => Some(f64::from(*count)),
            Value::Counter64(count) => Some(*count as f64),
            _ => None,
        }
    }

    /// Octets it takes, about.
    pub fn size(&self) -> usize {
        match self {
            Value::Octets(octets) => octets.len(),
            Value::Oid(oid) => oid.len(),
            _ => 8,
        }
    }
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answer would not fit a message: ask for less.
    TooBig,
    /// Version 1: the object at this place of the request does not exist.
    Missing(usize),
    /// Version 3: another engine than the one known answers, or its clock was set. Ask as if for the first time.
    Stranger,
    /// It failed.
    Failed(Failure),
}

/// Speaks SNMP.
pub struct Wire {
    v4: OnceCell<UdpTransport>,
    v6: OnceCell<UdpTransport>,
    engines: Arc<EngineCache>,
    /// How each credential is presented; its passwords hashed.
    presented: Mutex<BTreeMap<String, (Credential, Auth)>>,
}

impl Default for Wire {
    fn default() -> Wire {
        Wire {
            v4: OnceCell::new(),
            v6: OnceCell::new(),
            engines: Arc::new(EngineCache::new().with_max_capacity(MAX_ENGINES)),
            presented: Mutex::default(),
        }
    }
}

/// Speaks to one device as one user.
pub struct Session {
    client: Client<UdpHandle>,
    engines: Arc<EngineCache>,
    device: SocketAddr,
    /// Whether the device ever answered as it is asked, and not only who it is.
    answered: AtomicBool,
}

impl Wire {
    /// A session with `device`; each request waits `wait` for its answer, twice. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Failure::Local`] when this machine has no socket for it, or the credential is none.
    pub async fn open(
        &self,
        device: SocketAddr,
        credential: &Credential,
        wait: Duration,
    ) -> Result<Session, Failure> {
        let auth = self.present(credential).await?;
        // Each session finds out itself who answers: that it does tells a wrong password from silence.
        self.engines.remove(&device);
        let (cell, any) = if device.is_ipv4() { (&self.v4, "0.0.0.0:0") } else { (&self.v6, "[::]:0") };
        let socket = cell.get_or_try_init(|| UdpTransport::bind(any)).await.map_err(|_| Failure::Local)?;
        let retry = Retry::fixed(RETRIES, Duration::ZERO).map_err(|_| Failure::Local)?;
        let client = Client::builder(device, auth)
            .request_timeout(wait)
            .retry(retry)
            .max_oids_per_request(MAX_OIDS)
            .strict_source(true)
            .engine_cache(self.engines.clone())
            .build_with(socket)
            .await;
        let client = client.map_err(|_| Failure::Local)?;
        Ok(Session { client, engines: self.engines.clone(), device, answered: AtomicBool::new(false) })
    }

    async fn present(&self, credential: &Credential) -> Result<Auth, Failure> {
        let known = self.presented().get(&credential.id).cloned();
        if let Some((_, auth)) = known.filter(|(known, _)| known == credential) {
            return Ok(auth);
        }
        let wanted = credential.clone();
        let hashed = tokio::task::spawn_blocking(move || present(&wanted)).await;
        let auth = hashed.ok().flatten().ok_or(Failure::Local)?;
        self.presented().insert(credential.id.clone(), (credential.clone(), auth.clone()));
        Ok(auth)
    }

    /// Forgets the credentials that are not among `names`.
    pub fn retain(&self, named: impl Fn(&str) -> bool) {
        self.presented().retain(|name, _| named(name));
    }

    fn presented(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (Credential, Auth)>> {
        self.presented.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// The values of `oids` (GET), in any order.
    pub async fn get(&self, oids: &[Oid]) -> Result<Vec<(Oid, Value)>, Fault> {
        let mut leaves = self.client.get_many_chunks(oids).map_err(|error| fault(&error))?;
        let mut pairs = Vec::with_capacity(oids.len());
        while let Some(leaf) = leaves.next().await {
            let failed = |error: FixedCardinalityChunkError| {
                shifted(self.fault(&error.source), error.failed_request_range.start)
            };
            let leaf = leaf.map_err(failed)?;
            self.answered.store(true, Ordering::Relaxed);
            pairs.extend(leaf.response.varbinds.into_iter().map(pair));
        }
        Ok(pairs)
    }

    /// What follows each of `oids` (GETNEXT).
    pub async fn next(&self, oids: &[Oid]) -> Result<Vec<(Oid, Value)>, Fault> {
        let mut leaves = self.client.get_next_many_chunks(oids).map_err(|error| fault(&error))?;
        let mut pairs = Vec::with_capacity(oids.len());
        while let Some(leaf) = leaves.next().await {
            let failed = |error: FixedCardinalityChunkError| {
                shifted(self.fault(&error.source), error.failed_request_range.start)
            };
            let leaf = leaf.map_err(failed)?;
            self.answered.store(true, Ordering::Relaxed);
            pairs.extend(leaf.response.varbinds.into_iter().map(pair));
        }
        Ok(pairs)
    }

    /// What follows each of `oids`, as often (GETBULK): the first of each, the second of each, …
    pub async fn bulk(&self, oids: &[Oid], repetitions: u32) -> Result<Vec<(Oid, Value)>, Fault> {
        let answer = self.client.get_bulk_with_metadata(oids, 0, repetitions).await;
        let answer = answer.map_err(|error| fault(&error))?;
        Ok(answer.varbinds.into_iter().map(pair).collect())
    }

    /// A device that says who it is and then nothing has refused the user: its reports of that carry no authentication
    /// (RFC 3414 §3.2), so the crate rightly takes none of them for an answer.
    fn fault(&self, error: &Error) -> Fault {
        let refused = !self.answered.load(Ordering::Relaxed) && self.engines.get(&self.device).is_some();
        match fault(error) {
            Fault::Failed(Failure::Timeout) if refused => Fault::Failed(Failure::SnmpAuth),
            other => other,
        }
    }

    /// Whether it can ask for many at once, and for 64-bit counters.
    pub fn is_version_1(&self) -> bool {
        self.client.version() == async_snmp::Version::V1
    }
}

/// Who answered is forgotten with the session: the next one asks for the engine anew (RFC 3414 §4).
impl Drop for Session {
    fn drop(&mut self) {
        self.engines.remove(&self.device);
    }
}

fn shifted(fault: Fault, by: usize) -> Fault {
    match fault {
        Fault::Missing(place) => Fault::Missing(by + place),
        other => other,
    }
}

/// What a device bound, as far as an agent cares.
pub fn pair(bound: VarBind) -> (Oid, Value) {
    use async_snmp::Value as Wire;
    let value = match bound.value {
        Wire::Integer(number) => Value::Number(f64::from(number)),
        Wire::Gauge32(number) | Wire::UInteger32(number) => Value::Number(f64::from(number)),
        Wire::Counter32(count) => Value::Counter32(count),
        Wire::Counter64(count) => Value::Counter64(count),
        Wire::TimeTicks(ticks) => Value::Ticks(ticks),
        Wire::OctetString(octets) => Value::Octets(octets),
        Wire::ObjectIdentifier(oid) => Value::Oid(oid),
        Wire::EndOfMibView => Value::End,
        _ => Value::Absent,
    };
    (bound.oid, value)
}

fn fault(error: &Error) -> Fault {
    match error {
        Error::SharedOperation { source } => fault(source),
        Error::Exchange { source, .. } => fault(source),
        Error::Timeout { .. } | Error::ConstructionTimeout { .. } => Fault::Failed(Failure::Timeout),
        Error::Network { source, .. } => Fault::Failed(crate::dial::failure(source)),
        Error::OutboundMessageTooLarge { .. } => Fault::TooBig,
        Error::Snmp { status, index, .. } => match status {
            ErrorStatus::TooBig => Fault::TooBig,
            ErrorStatus::NoSuchName => Fault::Missing((*index as usize).saturating_sub(1)),
            ErrorStatus::NoAccess | ErrorStatus::AuthorizationError => Fault::Failed(Failure::SnmpAuth),
            _ => Fault::Failed(Failure::SnmpError),
        },
        Error::Report { status, .. } => match **status {
            ReportStatus::UnknownEngineId { .. } | ReportStatus::NotInTimeWindow { .. } => Fault::Stranger,
            ReportStatus::Other { .. } => Fault::Failed(Failure::Protocol),
            _ => Fault::Failed(Failure::SnmpAuth),
        },
        Error::Auth { .. } => Fault::Failed(Failure::SnmpAuth),
        Error::Decode(_) | Error::MalformedResponse { .. } | Error::ResponseShape { .. } => {
            Fault::Failed(Failure::Protocol)
        }
        _ => Fault::Failed(Failure::Local),
    }
}

/// None when it is no credential at all.
fn present(credential: &Credential) -> Option<Auth> {
    let octets = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    if credential.wrong().is_some() {
        return None;
    }
    if credential.version != Version::V3 {
        let community = octets(credential.community.as_ref()?.reveal());
        let old = credential.version == Version::V1;
        return Some(if old { Auth::v1(community) } else { Auth::v2c(community) });
    }
    let user = UsmConfig::new(octets(credential.user.as_ref()?));
    let Some(method) = credential.auth else { return Some(user.into()) };
    let mut keys =
        MasterKeys::new(authentic(method), credential.auth_secret.as_ref()?.reveal().as_bytes()).ok()?;
    if let Some(method) = credential.privacy {
        keys = keys
            .with_privacy(private(method), credential.privacy_secret.as_ref()?.reveal().as_bytes())
            .ok()?;
    }
    user.with_master_keys(keys).ok().map(Auth::from)
}

/// The protocol of a way to authenticate.
pub fn authentic(method: credential::Auth) -> AuthProtocol {
    match method {
        credential::Auth::Md5 => AuthProtocol::Md5,
        credential::Auth::Sha1 => AuthProtocol::Sha1,
        credential::Auth::Sha224 => AuthProtocol::Sha224,
        credential::Auth::Sha256 => AuthProtocol::Sha256,
        credential::Auth::Sha384 => AuthProtocol::Sha384,
        credential::Auth::Sha512 => AuthProtocol::Sha512,
    }
}

/// The protocol of a way to keep secret.
pub fn private(method: Privacy) -> PrivProtocol {
    match method {
        Privacy::Aes128 => PrivProtocol::Aes128,
        Privacy::Aes192 => PrivProtocol::Aes192Blumenthal,
        Privacy::Aes256 => PrivProtocol::Aes256Blumenthal,
        Privacy::Aes192Cisco => PrivProtocol::Aes192Reeder,
        Privacy::Aes256Cisco => PrivProtocol::Aes256Reeder,
    }
}
