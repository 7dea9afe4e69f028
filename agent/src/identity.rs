//! Who an enrolled agent is: its key, its certificate, and the authority of its collector.
//!
//! ```text
//! DATA/agent.key        0600   made on the device, and never leaves it
//! DATA/authority.pem    0600   whom the collector's certificate must be signed by: the code vouched for it
//! DATA/certificate.pem  0600   what the agent shows; replaced at each renewal
//! ```
//!
//! A device whose clock stands before this release is no judge of dates: it takes the day of the release for today.

pub mod renewal;

use crate::dial::{Trust, certificate::RELEASED};
use crate::spool::write_whole;
use haidang_daemon::pem;
use haidang_probe::enrol::{BACKDATED, COLLECTOR, Code};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::crypto::ring::default_provider;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// Names of its files.
const KEY: &str = "agent.key";
const AUTHORITY: &str = "authority.pem";
const CERTIFICATE: &str = "certificate.pem";

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// It never enrolled.
    #[error("{} holds no identity: `haidang-agent enroll URL CODE --data {}` comes first", .0.display(), .0.display())]
    None(PathBuf),
    /// A file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    Disk {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is damaged. Its content is not repeated.
    #[error("{}: {reason}; enrol anew with another code", .path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// In which way.
        reason: String,
    },
    /// The system makes no key, or TLS takes nothing of ours.
    #[error("make an identity: {0}")]
    Make(String),
}

/// An enrolled agent's identity.
pub struct Identity {
    directory: PathBuf,
    key: KeyPair,
    /// What is shown now.
    shown: Arc<Shown>,
    /// Towards the collector, by our certificate.
    trust: Trust,
    /// The same without one: a renewal must not need what it renews.
    stranger: Trust,
    renewals: Arc<AtomicU64>,
}

/// The certificate shown at each new connection.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl Identity {
    /// The identity kept in `directory`, if it enrolled.
    pub fn read(directory: &Path) -> Result<Option<Identity>, IdentityError> {
        let Some(certificate) = text(&directory.join(CERTIFICATE))? else { return Ok(None) };
        let key = kept_key(directory)?.ok_or_else(|| damaged(directory, KEY, "is missing"))?;
        let authority = text(&directory.join(AUTHORITY))?;
        let authority = authority.ok_or_else(|| damaged(directory, AUTHORITY, "is missing"))?;
        let roots = roots(&authority).map_err(|reason| damaged(directory, AUTHORITY, &reason))?;
        let shown =
            certified(&key, &certificate).map_err(|reason| damaged(directory, CERTIFICATE, &reason))?;
        let shown = Arc::new(Shown(RwLock::new(Arc::new(shown))));
        let renewals = Arc::new(AtomicU64::new(0));
        let by = |shown: Option<Arc<Shown>>| {
            let config =
                towards(roots.clone(), shown).map_err(|error| IdentityError::Make(error.to_string()));
            Ok::<_, IdentityError>(Trust::by(config?, Some(collector()?), renewals.clone()))
        };
        let (trust, stranger) = (by(Some(shown.clone()))?, by(None)?);
        Ok(Some(Identity { directory: directory.into(), key, shown, trust, stranger, renewals }))
    }

    /// Keeps what a device got when it enrolled with the key of [`key`]. The certificate comes last: with it the
    /// identity is whole.
    pub fn keep(directory: &Path, authority: &[u8], certificate: &str) -> Result<(), IdentityError> {
        write(directory, AUTHORITY, pem::of_certificate(authority).as_bytes())?;
        write(directory, CERTIFICATE, certificate.as_bytes())
    }

    /// Towards the collector; it shows whatever certificate is the present one.
    pub fn trust(&self) -> Trust {
        self.trust.clone()
    }

    /// The request (PEM) for another certificate.
    pub fn request(&self) -> Result<String, IdentityError> {
        request(&self.key)
    }

    /// Takes a new certificate (PEM), and keeps it.
    pub fn renewed(&self, certificate: &str) -> Result<(), IdentityError> {
        let wrong = |reason: String| IdentityError::Make(format!("the collector's answer {reason}"));
        let shown = certified(&self.key, certificate).map_err(wrong)?;
        *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(shown);
        self.renewals.fetch_add(1, Ordering::Relaxed);
        write(&self.directory, CERTIFICATE, certificate.as_bytes())
    }

    /// The life of the present certificate, and how long from `now_s` (since 1970) until a third of it is over.
    fn due(&self, now_s: i64) -> (Duration, Duration) {
        let shown = self.shown.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        let (from, until) = shown.cert.first().and_then(|leaf| dates(leaf)).unwrap_or_default();
        let life_s = (until - from - BACKDATED.as_secs() as i64).max(0);
        // Without a clock nobody knows: at once.
        let rest_s = if now_s < RELEASED as i64 { 0 } else { until - life_s / 3 * 2 - now_s };
        let seconds = |seconds: i64| Duration::from_secs(seconds.max(0) as u64);
        (seconds(life_s), seconds(rest_s.min(life_s / 3)))
    }
}

/// The device's key, made and kept when it has none; with it a request (PEM).
pub fn key(directory: &Path) -> Result<String, IdentityError> {
    if let Some(key) = kept_key(directory)? {
        return request(&key);
    }
    let key = KeyPair::generate().map_err(|error| IdentityError::Make(error.to_string()))?;
    write(directory, KEY, key.serialize_pem().as_bytes())?;
    request(&key)
}

fn kept_key(directory: &Path) -> Result<Option<KeyPair>, IdentityError> {
    let Some(pem) = text(&directory.join(KEY))? else { return Ok(None) };
    KeyPair::from_pem(&pem).map(Some).map_err(|_| damaged(directory, KEY, "is no private key"))
}

fn request(key: &KeyPair) -> Result<String, IdentityError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(key).and_then(|request| request.pem());
    request.map_err(|error| IdentityError::Make(error.to_string()))
}

/// The first contact: the collector is whoever shows a chain of an authority the code vouches for.
#[derive(Debug)]
pub struct FirstContact {
    code: Code,
    seen: Mutex<Option<CertificateDer<'static>>>,
}

impl FirstContact {
    /// With this code, and how to reach the collector with it.
    pub fn by(code: Code) -> Result<(Arc<FirstContact>, Trust), IdentityError> {
        let contact = Arc::new(FirstContact { code, seen: Mutex::default() });
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| IdentityError::Make(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(contact.clone())
            .with_no_client_auth();
        Ok((contact, Trust::by(config, Some(collector()?), Arc::default())))
    }

    /// The authority's certificate (DER), once it was shown and good.
    pub fn authority(&self) -> Option<CertificateDer<'static>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for FirstContact {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let authority = others.last().filter(|authority| self.code.vouches_for(authority));
        let authority = authority.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let judge =
            WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::new(default_provider())).build();
        let judge = judge.map_err(|error| Error::General(error.to_string()))?;
        let good = judge.verify_server_cert(leaf, others, name, ocsp, released(now))?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Some(authority.clone().into_owned());
        Ok(good)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let provider = default_provider();
        verify_tls12_signature(message, leaf, signed, &provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let provider = default_provider();
        verify_tls13_signature(message, leaf, signed, &provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Today, or the day of the release where the clock stands before it.
#[derive(Debug)]
struct Today;

impl TimeProvider for Today {
    fn current_time(&self) -> Option<UnixTime> {
        DefaultTimeProvider.current_time().map(released)
    }
}

fn released(now: UnixTime) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs().max(RELEASED)))
}

fn towards(roots: RootCertStore, shown: Option<Arc<Shown>>) -> Result<ClientConfig, Error> {
    let config = ClientConfig::builder_with_details(Arc::new(default_provider()), Arc::new(Today))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let mut config = match shown {
        Some(shown) => config.with_client_cert_resolver(shown),
        None => config.with_no_client_auth(),
    };
    // A resumed session would go on under the certificate it began with.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn collector() -> Result<ServerName<'static>, IdentityError> {
    ServerName::try_from(COLLECTOR).map_err(|error| IdentityError::Make(error.to_string()))
}

fn roots(authority: &str) -> Result<RootCertStore, String> {
    let authority = pem::certificates(authority).map_err(|wrong| wrong.to_string())?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    Ok(roots)
}

fn certified(key: &KeyPair, certificate: &str) -> Result<CertifiedKey, String> {
    let chain =
        CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|_| "is no certificate".to_owned())?;
    dates(&chain).ok_or("is no certificate")?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    CertifiedKey::from_der(vec![chain], key, &default_provider())
        .map_err(|_| "is not of the device's key".to_owned())
}

/// When a certificate begins and ends, seconds since 1970.
fn dates(certificate: &[u8]) -> Option<(i64, i64)> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let validity = certificate.validity();
    Some((validity.not_before.timestamp(), validity.not_after.timestamp()))
}

fn text(path: &Path) -> Result<Option<String>, IdentityError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(IdentityError::Disk { path: path.into(), source }),
    }
}

fn write(directory: &Path, name: &str, content: &[u8]) -> Result<(), IdentityError> {
    let path = directory.join(name);
    write_whole(&path, content).map_err(|source| IdentityError::Disk { path, source })
}

fn damaged(directory: &Path, name: &str, reason: &str) -> IdentityError {
    IdentityError::Damaged { path: directory.join(name), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
