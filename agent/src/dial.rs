//! Connections out: TCP from a chosen source address, with TLS on top where the URL says so.
//!
//! Shared by the http probe and the uplinks. Certificates are judged against the roots of Mozilla
//! (`webpki-roots`), the collector's against the province's own authority where the agent's file holds one.
//! For uplinks nothing turns that judgement off; the http probe [looks](certificate) at bad ones too, and sends
//! nothing to whoever shows one.

pub mod certificate;

use haidang_daemon::pem;
use haidang_probe::ask::place::Place;
use haidang_probe::ask::url::Url;
use haidang_probe::outcome::Failure;
use haidang_probe::plan::Uplink;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use socket2::{Domain, Protocol, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A port where a route is asked for and nothing is sent (RFC 863).
const DISCARD: u16 = 9;

/// What bytes can be exchanged over.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// The name a certificate must be for.
pub fn server_name(url: &Url) -> io::Result<ServerName<'static>> {
    match &url.endpoint.place {
        Place::Address(address) => Ok(ServerName::from(*address)),
        place => ServerName::try_from(place.to_string()).map_err(io::Error::other),
    }
}

/// Where packets leave this machine; what is not said, its routes choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Their source address.
    pub source: Option<IpAddr>,
    /// The interface they leave by (`SO_BINDTODEVICE`). Another than the socket's present one needs
    /// `CAP_NET_RAW`.
    pub interface: Option<String>,
}

impl Origin {
    /// The origin of an uplink's packets.
    pub fn of(uplink: &Uplink) -> Origin {
        Origin { source: uplink.source, interface: uplink.interface.clone() }
    }

    /// A UDP socket bound to it, for packets to `to`.
    pub fn udp(&self, to: SocketAddr) -> io::Result<UdpSocket> {
        UdpSocket::from_std(self.bound(to)?.into())
    }

    /// The address packets to `to` leave from. The routes are asked, nothing is sent.
    pub fn local(&self, to: IpAddr) -> io::Result<IpAddr> {
        let to = SocketAddr::new(to, DISCARD);
        let socket: std::net::UdpSocket = self.bound(to)?.into();
        socket.connect(to)?;
        Ok(socket.local_addr()?.ip())
    }

    /// Whether packets leave as those do that have no other way; none where there is no default route.
    pub fn is_default(&self, v4: bool) -> Option<bool> {
        // Addresses for documentation (RFC 5737, RFC 3849): nobody has a route of their own to them.
        let nowhere: IpAddr = if v4 {
            Ipv4Addr::new(192, 0, 2, 1).into()
        } else {
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()
        };
        let default = Origin::default().local(nowhere).ok()?;
        Some(self.local(nowhere).is_ok_and(|own| own == default))
    }

    fn bound(&self, to: SocketAddr) -> io::Result<socket2::Socket> {
        let domain = Domain::for_address(to);
        let socket = socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if let Some(interface) = &self.interface {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        let any: IpAddr =
            if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        socket.bind(&SocketAddr::new(self.source.unwrap_or(any), 0).into())?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// Connects, from `source` when given. Packets leave at once (`TCP_NODELAY`).
pub async fn tcp(address: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    tcp_from(address, &Origin { source, interface: None }).await
}

/// Connects from an origin. Packets leave at once (`TCP_NODELAY`).
pub async fn tcp_from(address: SocketAddr, origin: &Origin) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(interface) = &origin.interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    if let Some(source) = origin.source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Speaks TLS over `stream` as `url` asks, with whom `trust` vouches for; an error is the handshake's.
pub async fn tls(stream: TcpStream, url: &Url, trust: &Trust) -> io::Result<TlsStream<TcpStream>> {
    let name = trust.name.clone().map_or_else(|| server_name(url), Ok)?;
    trust.connector.connect(name, stream).await
}

/// Whose signature a certificate needs. One for many connections: it holds the roots and the session tickets.
#[derive(Clone)]
pub struct Trust {
    connector: TlsConnector,
    /// Whom the certificate must be for, whatever address is dialled.
    name: Option<ServerName<'static>>,
    /// Counts the certificates we have shown: a connection under an earlier one is not used again.
    shown: Arc<AtomicU64>,
}

impl Trust {
    /// The public web's authorities.
    pub fn web() -> io::Result<Trust> {
        static WEB: OnceLock<Trust> = OnceLock::new();
        if let Some(web) = WEB.get() {
            return Ok(web.clone());
        }
        let web = Trust::in_roots(roots()).map_err(io::Error::other)?;
        Ok(WEB.get_or_init(|| web).clone())
    }

    /// The certificates of a PEM text that holds nothing else; the error says what is wrong with it.
    pub fn in_pem(pem: &str) -> Result<Trust, String> {
        let pem = pem::certificates(pem).map_err(|wrong| wrong.to_string())?;
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|error| error.to_string())?;
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
        Trust::in_roots(roots).map_err(|error| error.to_string())
    }

    fn in_roots(roots: rustls::RootCertStore) -> Result<Trust, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Trust::by(config, None, Arc::default()))
    }

    /// By a configuration of the caller's own.
    pub fn by(
        config: rustls::ClientConfig,
        name: Option<ServerName<'static>>,
        shown: Arc<AtomicU64>,
    ) -> Trust {
        Trust { connector: TlsConnector::from(Arc::new(config)), name, shown }
    }

    /// How many certificates of ours it has shown before the present one.
    pub fn shown(&self) -> u64 {
        self.shown.load(Ordering::Relaxed)
    }
}

/// The issuers of certificates that are known: Mozilla's.
pub fn roots() -> rustls::RootCertStore {
    rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() }
}

/// What a failed connection or exchange says of the target.
pub fn failure(error: &io::Error) -> Failure {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => Failure::Refused,
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof => {
            Failure::Reset
        }
        Kind::HostUnreachable | Kind::NetworkUnreachable => Failure::Unreachable,
        Kind::TimedOut => Failure::Timeout,
        Kind::PermissionDenied => Failure::NotPermitted,
        _ => Failure::Local,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_daemon::listen::TlsFiles;
    use std::path::Path;

    #[tokio::test]
    async fn leaves_from_the_source_asked_for() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let source: IpAddr = "127.0.0.77".parse().unwrap();
        let _held = tcp(listener.local_addr().unwrap(), Some(source)).await.unwrap();
        assert_eq!(listener.accept().await.unwrap().1.ip(), source);
    }

    #[tokio::test]
    async fn an_interface_that_is_not_there_is_an_error_and_not_another_way_out() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let origin = Origin { source: None, interface: Some("no-such-wan0".into()) };
        assert!(tcp_from(to, &origin).await.is_err() && origin.udp(to).is_err());
    }

    #[tokio::test]
    async fn an_interface_asked_for_is_the_one_that_is_used() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let origin = Origin { source: None, interface: Some("lo".into()) };
        let stream = tcp_from(to, &origin).await.unwrap();
        assert_eq!(socket2::SockRef::from(&stream).device().unwrap().as_deref(), Some(&b"lo"[..]));
        let ear = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let socket = origin.udp(ear.local_addr().unwrap()).unwrap();
        assert_eq!(socket2::SockRef::from(&socket).device().unwrap().as_deref(), Some(&b"lo"[..]));
        socket.send_to(b"x", ear.local_addr().unwrap()).await.unwrap();
        assert_eq!(ear.recv(&mut [0; 8]).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn an_own_authority_vouches_where_the_web_does_not() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../daemon/fixtures");
        let files = TlsFiles { certificate: "localhost.pem".into(), key: "localhost.key".into() };
        let acceptor = files.acceptor(&fixtures).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = acceptor.accept(stream).await;
            }
        });
        let url = Url::parse(&format!("https://{address}/")).unwrap();
        let own = Trust::in_pem(&std::fs::read_to_string(fixtures.join("localhost.pem")).unwrap()).unwrap();
        assert!(tls(tcp(address, None).await.unwrap(), &url, &own).await.is_ok());
        let web = Trust::web().unwrap();
        assert!(tls(tcp(address, None).await.unwrap(), &url, &web).await.is_err());
    }

    #[test]
    fn an_authority_is_certificates() {
        let key = include_str!("../../daemon/fixtures/localhost.key");
        let both = format!("{}{key}", include_str!("../../daemon/fixtures/localhost.pem"));
        for wrong in ["", key, &both, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(Trust::in_pem(wrong).is_err());
        }
    }

    #[tokio::test]
    async fn tells_refused_from_unreachable() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(failure(&tcp(closed, None).await.unwrap_err()), Failure::Refused);
    }
}
