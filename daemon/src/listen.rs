//! Bound sockets and TLS, under one rule: nothing leaves the machine in plain text unless it was asked for.
//!
//! ```yaml
//! listen:
//!   address: 0.0.0.0:8443
//!   tls: { certificate: agents.pem, key: agents.key }   # or `plain: true`, or a loopback address
//! ```
//!
//! Every error names the address or the file and the reason. A key's content never shows.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;

/// Where and how to listen for TCP.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Address and port, no names: `127.0.0.1:8080`, `[::1]:8080`, `0.0.0.0:8443`.
    pub address: SocketAddr,
    /// Certificate and key; without them plain HTTP.
    #[serde(default)]
    pub tls: Option<TlsFiles>,
    /// Allows plain text beyond loopback, because something in front encrypts.
    #[serde(default)]
    pub plain: bool,
}

/// PEM files of a TLS server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The certificate and its chain, leaf first.
    pub certificate: PathBuf,
    /// The private key (PKCS#8, PKCS#1 or SEC1).
    pub key: PathBuf,
}

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The rule of this module.
    #[error(
        "listen on {0}: not a loopback address and no tls; give `tls`, or `plain: true` if something else encrypts"
    )]
    Plain(SocketAddr),
    /// The system refused the address.
    #[error("listen on {address}: {reason}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason, with what usually helps.
        reason: String,
    },
    /// A PEM file cannot be used.
    #[error("tls {what} {path}: {reason}")]
    Pem {
        /// `certificate` or `key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key do not make a server.
    #[error("tls certificate {path}: {reason}")]
    Pair {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// A bound TCP socket, with what turns a connection on it into TLS.
pub struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) tls: Option<TlsAcceptor>,
    address: SocketAddr,
}

impl Listener {
    /// The address bound, with the port the system chose when 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

impl Listen {
    /// Plain on this address; [`Listen::bind`] refuses it beyond loopback.
    pub fn on(address: SocketAddr) -> Listen {
        Listen { address, tls: None, plain: false }
    }

    /// The rule alone: no listener beyond loopback without TLS unless `plain: true`.
    pub fn permitted(&self) -> Result<(), ListenError> {
        if self.address.ip().to_canonical().is_loopback() || self.tls.is_some() || self.plain {
            return Ok(());
        }
        Err(ListenError::Plain(self.address))
    }

    /// Checks the rule, loads certificate and key, binds. Relative PEM paths count from `directory`.
    pub async fn bind(&self, directory: &Path) -> Result<Listener, ListenError> {
        self.permitted()?;
        let tls = self.tls.as_ref().map(|files| files.acceptor(directory)).transpose()?;
        Listener::bind(self.address, tls).await
    }
}

impl Listener {
    /// Binds with TLS of the caller's own making.
    pub async fn with_tls(address: SocketAddr, tls: rustls::ServerConfig) -> Result<Listener, ListenError> {
        Listener::bind(address, Some(TlsAcceptor::from(Arc::new(tls)))).await
    }

    async fn bind(address: SocketAddr, tls: Option<TlsAcceptor>) -> Result<Listener, ListenError> {
        let refused = |error: std::io::Error| refused(address, &error);
        let socket = TcpListener::bind(address).await.map_err(refused)?;
        let address = socket.local_addr().map_err(refused)?;
        Ok(Listener { socket, tls, address })
    }
}

/// Binds a datagram socket, with the same errors. STAMP carries its own authentication, so the rule on plain
/// text does not apply to it.
pub async fn bind_udp(address: SocketAddr) -> Result<UdpSocket, ListenError> {
    UdpSocket::bind(address).await.map_err(|error| refused(address, &error))
}

fn refused(address: SocketAddr, error: &std::io::Error) -> ListenError {
    use std::io::ErrorKind;
    let reason = match error.kind() {
        ErrorKind::AddrInUse => "another program already listens there".into(),
        ErrorKind::AddrNotAvailable => "no interface of this machine has that address".into(),
        ErrorKind::PermissionDenied => format!("{error}; ports below 1024 need CAP_NET_BIND_SERVICE"),
        _ => error.to_string(),
    };
    ListenError::Bind { address, reason }
}

impl TlsFiles {
    /// The TLS side of a server: TLS 1.2 and 1.3, HTTP/1.1 by ALPN, no client certificates.
    pub fn acceptor(&self, directory: &Path) -> Result<TlsAcceptor, ListenError> {
        let chain = chain(&directory.join(&self.certificate))?;
        let key = key(&directory.join(&self.key))?;
        let pair = |error: rustls::Error| self.pair(directory, error);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(pair)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn pair(&self, directory: &Path, error: rustls::Error) -> ListenError {
        let reason = match error {
            rustls::Error::InconsistentKeys(_) => "the key belongs to another certificate".into(),
            other => other.to_string(),
        };
        ListenError::Pair { path: directory.join(&self.certificate), reason }
    }
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, ListenError> {
    let fault = |reason: String| ListenError::Pem { what: "certificate", path: path.into(), reason };
    let chain = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fault(error.to_string()))?;
    if chain.is_empty() {
        return Err(fault("holds no certificate".into()));
    }
    Ok(chain)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, ListenError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| ListenError::Pem {
        what: "key",
        path: path.into(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(address: &str, tls: bool, plain: bool) -> Listen {
        let tls = tls.then(|| TlsFiles { certificate: "c.pem".into(), key: "k.pem".into() });
        Listen { address: address.parse().unwrap(), tls, plain }
    }

    #[test]
    fn plain_text_stays_on_loopback_unless_asked_for() {
        for (address, tls, plain, permitted) in [
            ("127.0.0.1:80", false, false, true),
            ("127.3.4.5:80", false, false, true),
            ("[::1]:80", false, false, true),
            ("[::ffff:127.0.0.1]:80", false, false, true),
            ("0.0.0.0:80", false, false, false),
            ("[::]:80", false, false, false),
            ("10.1.2.3:80", false, false, false),
            ("[::ffff:10.1.2.3]:80", false, false, false),
            ("0.0.0.0:80", true, false, true),
            ("0.0.0.0:80", false, true, true),
        ] {
            let listen = listen(address, tls, plain);
            assert_eq!(listen.permitted().is_ok(), permitted, "{listen:?}");
        }
    }

    #[tokio::test]
    async fn a_taken_address_is_named_with_the_reason() {
        let first = Listen::on("127.0.0.1:0".parse().unwrap()).bind(Path::new("")).await.unwrap();
        let error = Listen::on(first.address()).bind(Path::new("")).await.err().unwrap().to_string();
        assert_eq!(error, format!("listen on {}: another program already listens there", first.address()));
    }

    #[tokio::test]
    async fn a_foreign_address_is_named_with_the_reason() {
        let error = bind_udp("192.0.2.1:0".parse().unwrap()).await.unwrap_err().to_string();
        assert_eq!(error, "listen on 192.0.2.1:0: no interface of this machine has that address");
    }

    fn fixtures() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
    }

    fn secure(certificate: &str, key: &str) -> Listen {
        let tls = Some(TlsFiles { certificate: certificate.into(), key: key.into() });
        Listen { tls, ..Listen::on("127.0.0.1:0".parse().unwrap()) }
    }

    #[tokio::test]
    async fn certificate_and_key_are_checked_before_anything_listens() {
        for (certificate, key, wanted) in [
            ("none.pem", "localhost.key", "tls certificate "),
            ("localhost.key", "localhost.key", "holds no certificate"),
            ("localhost.pem", "none.key", "tls key "),
            ("localhost.pem", "localhost.pem", "tls key "),
            ("localhost.pem", "other.key", "the key belongs to another certificate"),
        ] {
            let error = secure(certificate, key).bind(&fixtures()).await.err().unwrap().to_string();
            assert!(error.contains(wanted), "{error}");
            assert!(!error.contains("BEGIN"), "{error}");
        }
        assert_eq!(
            secure("localhost.pem", "localhost.key").bind(&fixtures()).await.unwrap().scheme(),
            "https"
        );
    }
}
