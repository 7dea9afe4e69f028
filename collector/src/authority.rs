//! The collector's own small authority: who it is to agents, and who agents are to it.
//!
//! ```text
//! authority.key  0600   its key (P-256, PKCS#8); made at the first start with
//! authority.pem  0600   its certificate: the same for as long as both files live
//!        ├─ signs the collector's certificate: its key is in memory alone, drawn at each start
//!        └─ signs agents' certificates: their key is what they asked with, all else is said here
//! ```
//!
//! Without the key every agent has to enrol anew: both files belong into the backup. Neither is ever made anew
//! beside the other's loss, but the certificate where only it is missing, which the same key signs as before.

use crate::registry::{KeyPrint, RegistryError, lock, replace};
use haidang_probe::enrol::{BACKDATED, COLLECTOR};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PublicKeyData as _, SanType, SigningKey, date_time_ymd,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Name of the key's file within the collector's directory.
pub const KEY: &str = "authority.key";
/// Name of the certificate's file.
pub const CERTIFICATE: &str = "authority.pem";

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file cannot be read.
    #[error("read {}: {source}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file cannot be written, or another program edits the directory.
    #[error(transparent)]
    Write(#[from] RegistryError),
    /// A file is damaged. Its content is not repeated.
    #[error("{}: {reason}; bring both {KEY} and {CERTIFICATE} back from the backup", .path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// In which way.
        reason: String,
    },
    /// Something could not be signed.
    #[error("sign a certificate: {0}")]
    Sign(#[from] rcgen::Error),
    /// TLS does not take what was signed.
    #[error("tls of the agents' port: {0}")]
    Tls(String),
}

/// The authority.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// What a device asks to have signed: its public key, and a proof that it has the private one.
#[derive(Debug)]
pub struct Request {
    asked: CertificateSigningRequestParams,
    /// The key.
    pub key: KeyPrint,
}

/// Why a request is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARequest {
    /// Not PKCS#10, or its signature is wrong.
    #[error("the request cannot be read, or is not signed by the key it names")]
    Garbled,
    /// A key of another kind than agents make.
    #[error("the request's key is not an ECDSA key on P-256")]
    Key,
}

impl Request {
    /// Reads a request (PEM) and checks that its key signed it.
    pub fn read(pem: &str) -> Result<Request, NotARequest> {
        let asked = CertificateSigningRequestParams::from_pem(pem).map_err(|_| NotARequest::Garbled)?;
        if *asked.public_key.algorithm() != PKCS_ECDSA_P256_SHA256 {
            return Err(NotARequest::Key);
        }
        let key = Sha256::digest(asked.public_key.subject_public_key_info()).into();
        Ok(Request { asked, key })
    }
}

impl Authority {
    /// The authority of the collector's directory, made where there is none yet.
    pub fn open(data: &Path) -> Result<Authority, AuthorityError> {
        let _alone = lock(data)?;
        let (key_path, certificate_path) = (data.join(KEY), data.join(CERTIFICATE));
        let damaged = |path: &Path, reason: &str| AuthorityError::Damaged {
            path: path.into(),
            reason: reason.to_owned(),
        };
        let key = match (text(&key_path)?, certificate_path.exists()) {
            (Some(pem), _) => KeyPair::from_pem(&pem).map_err(|_| damaged(&key_path, "is no private key"))?,
            (None, true) => return Err(damaged(&key_path, "is missing")),
            (None, false) => {
                let key = KeyPair::generate()?;
                replace(&key_path, key.serialize_pem().as_bytes())?;
                key
            }
        };
        let pem = if let Some(pem) = text(&certificate_path)? {
            pem
        } else {
            let pem = own(&key)?.pem();
            replace(&certificate_path, pem.as_bytes())?;
            pem
        };
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| damaged(&certificate_path, "is no certificate"))?;
        if key_of(&certificate) != Some(print(&key)) {
            return Err(damaged(&certificate_path, "is not of the key beside it"));
        }
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|_| damaged(&certificate_path, "is no certificate of an authority"))?;
        Ok(Authority { certificate, issuer })
    }

    /// Its certificate, DER: what a code vouches for.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// An agent's certificate (PEM), for `life` from `now` (UTC ms). Of the request only the key is taken.
    pub fn sign(
        &self,
        request: Request,
        identity: &str,
        now: i64,
        life: Duration,
    ) -> Result<String, AuthorityError> {
        let mut asked = request.asked;
        let epoch = date_time_ymd(1970, 1, 1);
        let now = Duration::from_millis(now.max(0) as u64);
        let mut params = said_of("Hai Dang agent", KeyUsagePurpose::DigitalSignature);
        (params.not_before, params.not_after) = (epoch + now.saturating_sub(BACKDATED), epoch + now + life);
        params.subject_alt_names = vec![SanType::URI(identity.try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        asked.params = params;
        Ok(asked.signed_by(&self.issuer)?.pem())
    }

    /// TLS of the agents' port. Whoever shows a certificate must have it of this authority; it may also show none.
    pub fn tls(&self) -> Result<ServerConfig, AuthorityError> {
        let wrong = |error: &dyn std::fmt::Display| AuthorityError::Tls(error.to_string());
        let provider = Arc::new(default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).map_err(|error| wrong(&error))?;
        let agents = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
            .allow_unauthenticated()
            .build()
            .map_err(|error| wrong(&error))?;
        let shown = SingleCertAndKey::from(self.collector()?);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&error))?
            .with_client_cert_verifier(agents)
            .with_cert_resolver(Arc::new(shown));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Our certificate with a key of its own, which no disk holds: it needs no end but the program's.
    fn collector(&self) -> Result<CertifiedKey, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = said_of("Hai Dang collector", KeyUsagePurpose::DigitalSignature);
        params.subject_alt_names = vec![SanType::DnsName(COLLECTOR.try_into()?)];
        // Agents with files, on this machine, ask for no name.
        params.subject_alt_names.extend(
            [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)].map(SanType::IpAddress),
        );
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let chain = vec![params.signed_by(&key, &self.issuer)?.der().clone(), self.certificate.clone()];
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        CertifiedKey::from_der(chain, key, &default_provider())
            .map_err(|error| AuthorityError::Tls(error.to_string()))
    }
}

/// The key a certificate is of, where it can be read.
pub fn key_of(certificate: &[u8]) -> Option<KeyPrint> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(Sha256::digest(certificate.tbs_certificate.subject_pki.raw).into())
}

fn own(key: &KeyPair) -> Result<Certificate, rcgen::Error> {
    let mut params = said_of("Hai Dang authority", KeyUsagePurpose::KeyCertSign);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.self_signed(key)
}

/// What certificates of ours have in common. Those of the collector itself have no end: renewing the authority's
/// would end every agent's.
fn said_of(name: &str, usage: KeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(9999, 12, 31));
    params.key_usages = vec![usage];
    params
}

fn print(key: &impl SigningKey) -> KeyPrint {
    Sha256::digest(key.subject_public_key_info()).into()
}

fn text(path: &Path) -> Result<Option<String>, AuthorityError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AuthorityError::Read { path: path.into(), source }),
    }
}

#[cfg(test)]
mod tests;
