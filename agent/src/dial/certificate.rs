//! A look at the certificate of whoever answers TLS.
//!
//! The handshake goes through whatever the certificate is, so that a broken one is told with its expiry and
//! with what is wrong with it. Whoever looks sends nothing over a connection whose certificate is not good.
//!
//! ```text
//! dates ──▶ name ──▶ issuer ──▶ good          the first that is wrong is the verdict
//! ```

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// A clock before 2026-01-01 is wrong: by it no certificate's dates are judged. Seconds since 1970.
pub const RELEASED: u64 = 1_767_225_600;

/// What is wrong with a certificate; the number is the value of `probe_tls_verdict`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Verdict {
    Good = 0,
    Expired = 1,
    NotYetValid = 2,
    WrongName = 3,
    UnknownIssuer = 4,
    /// It cannot be read, is not for servers, or is signed wrongly.
    Bad = 5,
    /// There was no certificate: the target speaks no TLS that we do.
    Unspoken = 6,
}

/// What was seen of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What is wrong with it.
    pub verdict: Verdict,
    /// When it, or an intermediate sent with it, expires first; seconds since 1970, absent where unreadable.
    pub expiry: Option<i64>,
}

/// Looks at certificates. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Looker {
    provider: Arc<CryptoProvider>,
    issuers: Arc<WebPkiServerVerifier>,
    /// What all looks share; each has its own verifier.
    config: ClientConfig,
}

impl Looker {
    /// One that knows these issuers.
    pub fn new(roots: RootCertStore) -> io::Result<Looker> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let issuers = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
        let issuers = issuers.build().map_err(io::Error::other)?;
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_webpki_verifier(Arc::clone(&issuers))
            .with_no_client_auth();
        // A resumed session would show no certificate; and a cache of sessions costs more than a handshake's rest.
        config.resumption = Resumption::disabled();
        Ok(Looker { provider, issuers, config })
    }

    /// Speaks TLS over `stream` with whoever should be `name`. What was seen of the certificate is told
    /// whether or not the handshake went through; with `any_issuer` nobody needs to know who signed it.
    pub async fn look(
        &self,
        stream: TcpStream,
        name: ServerName<'static>,
        any_issuer: bool,
    ) -> (io::Result<TlsStream<TcpStream>>, Option<Seen>) {
        let look = Arc::new(Look { looker: self.clone(), any_issuer, seen: Mutex::default() });
        let mut config = self.config.clone();
        config.dangerous().set_certificate_verifier(Arc::<Look>::clone(&look));
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        let mut seen = *look.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if stream.as_ref().is_err_and(unspoken) {
            seen.get_or_insert(Seen { verdict: Verdict::Unspoken, expiry: None });
        }
        (stream, seen)
    }
}

/// Whether the handshake failed because the target speaks no TLS that we do.
fn unspoken(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    matches!(
        tls,
        Some(
            Error::PeerIncompatible(_)
                | Error::AlertReceived(
                    AlertDescription::ProtocolVersion
                        | AlertDescription::HandshakeFailure
                        | AlertDescription::InsufficientSecurity
                )
        )
    )
}

/// One handshake's look.
#[derive(Debug)]
struct Look {
    looker: Looker,
    any_issuer: bool,
    seen: Mutex<Option<Seen>>,
}

impl Look {
    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Verdict {
        let Some((from, until)) = dates(leaf) else { return Verdict::Bad };
        let (at, dated) = (now.as_secs() as i64, now.as_secs() >= RELEASED);
        if dated && at >= until {
            return Verdict::Expired;
        }
        if dated && at < from {
            return Verdict::NotYetValid;
        }
        let named = ParsedCertificate::try_from(leaf).and_then(|leaf| verify_server_name(&leaf, name));
        match named {
            Ok(()) if self.any_issuer || !dated => return Verdict::Good,
            Ok(()) => {}
            Err(error) => return verdict(&error),
        }
        match self.looker.issuers.verify_server_cert(leaf, others, name, &[], now) {
            Ok(_) => Verdict::Good,
            Err(_) if signed_by_itself(leaf) => Verdict::UnknownIssuer,
            Err(error) => verdict(&error),
        }
    }
}

impl ServerCertVerifier for Look {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.judge(leaf, others, name, now);
        let at = now.as_secs() as i64;
        // An expired intermediate beside a good path is not on it.
        let counts = |until: &i64| verdict != Verdict::Good || *until > at;
        let intermediates = others.iter().filter(|other| !signed_by_itself(other)).filter_map(dates);
        let expiry =
            intermediates.map(|(_, until)| until).filter(counts).chain(dates(leaf).map(|d| d.1)).min();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Seen { verdict, expiry });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.looker.provider.signature_verification_algorithms;
        verify_tls12_signature(message, leaf, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.looker.provider.signature_verification_algorithms;
        verify_tls13_signature(message, leaf, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.looker.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What kind of wrong a failed handshake says a certificate is.
pub fn verdict(error: &Error) -> Verdict {
    use CertificateError as Wrong;
    let Error::InvalidCertificate(wrong) = error else { return Verdict::Bad };
    match wrong {
        Wrong::Expired | Wrong::ExpiredContext { .. } => Verdict::Expired,
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => Verdict::NotYetValid,
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => Verdict::WrongName,
        Wrong::UnknownIssuer => Verdict::UnknownIssuer,
        _ => Verdict::Bad,
    }
}

/// When a certificate begins and ends, seconds since 1970 (RFC 5280 §4.1.2.5).
fn dates(certificate: &CertificateDer<'_>) -> Option<(i64, i64)> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let validity = certificate.validity();
    Some((validity.not_before.timestamp(), validity.not_after.timestamp()))
}

fn signed_by_itself(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, read)| read.issuer() == read.subject())
}
