//! The limits of [`run`](super::run), over real sockets.

use super::*;
use crate::listen::{Listen, TlsFiles};
use crate::stop::{self, Stopper};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;

/// Longer than any limit a test sets; only a server that keeps none lets it pass.
const PATIENCE: Duration = Duration::from_secs(20);

struct Served {
    address: SocketAddr,
    metrics: Metrics,
    stopper: Stopper,
    task: JoinHandle<()>,
}

async fn serve(limits: Limits) -> Served {
    serve_on(Listen::on("127.0.0.1:0".parse().unwrap()), limits).await
}

async fn serve_on(listen: Listen, limits: Limits) -> Served {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let listener = listen.bind(&fixtures).await.unwrap();
    let (address, metrics) = (listener.address(), Metrics::new());
    let (stopper, stop) = stop::pair();
    let counts = Counts::register(&metrics, "test");
    let health = Health::new(metrics.clone(), || Ok(()));
    let task = tokio::spawn(run(listener, limits, counts, health, stop));
    Served { address, metrics, stopper, task }
}

impl Served {
    /// Sends `request` and reads until the server closes.
    async fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        read(&mut stream).await
    }

    fn count(&self, name: &str) -> u64 {
        let wanted = format!("http_connections_{name}{{server=\"test\"}} ");
        let text = self.metrics.text().unwrap();
        text.lines().find_map(|line| line.strip_prefix(&wanted)).unwrap().parse().unwrap()
    }
}

async fn read(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset counts as closed: the server may leave bytes unread when it has had enough.
    let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(closed.is_ok(), "the server did not close");
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn serves_metrics_and_ends_when_stopped() {
    let served = serve(Limits::default()).await;
    let answer = served.ask("GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("process_resident_memory_bytes "), "{answer}");
    let mut idle = TcpStream::connect(served.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    served.stopper.stop();
    served.task.await.unwrap();
    assert!(TcpStream::connect(served.address).await.is_err(), "nothing listens any more");
}

#[tokio::test]
async fn a_peer_that_dawdles_over_its_head_is_cut_off() {
    let served = serve(Limits { head: Duration::from_millis(50), ..Limits::default() }).await;
    served.ask("GET /healthz HTTP/1.1\r\nhost: ").await;
    assert_eq!(served.count("failed_total"), 1);
}

#[tokio::test]
async fn a_head_beyond_the_limit_is_refused() {
    let served = serve(Limits::default()).await;
    let large = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(MAX_HEAD));
    assert!(served.ask(&large).await.starts_with("HTTP/1.1 431 "));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(MAX_HEADER_LINES + 1));
    assert!(served.ask(&many).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn a_connection_beyond_the_limit_is_closed_and_counted() {
    let served = serve(Limits { connections: 1, ..Limits::default() }).await;
    let mut first = TcpStream::connect(served.address).await.unwrap();
    let mut second = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(read(&mut second).await, "");
    assert_eq!(served.count("refused_total"), 1);
    assert_eq!(served.count("open"), 1);
    first.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(read(&mut first).await.ends_with("ok\n"), "the first is still served");
}

#[tokio::test]
async fn a_head_that_never_ends_does_not_hold_up_the_stop() {
    let limits = Limits { drain: Duration::from_millis(50), ..Limits::default() };
    let mut served = serve(limits).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(b"GET /hea").await.unwrap();
    while served.count("open") == 0 {
        tokio::task::yield_now().await;
    }
    served.stopper.stop();
    (&mut served.task).await.unwrap();
    assert_eq!(served.count("open"), 0);
}

fn secure() -> Listen {
    let tls = TlsFiles { certificate: "localhost.pem".into(), key: "localhost.key".into() };
    Listen { tls: Some(tls), ..Listen::on("127.0.0.1:0".parse().unwrap()) }
}

/// A client that trusts the fixture's certificate and nothing else.
fn client() -> tokio_rustls::TlsConnector {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/localhost.pem");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(path).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Arc::new(config.unwrap().with_root_certificates(roots).with_no_client_auth()).into()
}

#[tokio::test]
async fn tls_is_served_to_who_trusts_the_certificate() {
    let served = serve_on(secure(), Limits::default()).await;
    let stream = TcpStream::connect(served.address).await.unwrap();
    let mut stream = client().connect("localhost".try_into().unwrap(), stream).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("ok\n"), "{answer}");
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_cut_off() {
    let served =
        serve_on(secure(), Limits { handshake: Duration::from_millis(50), ..Limits::default() }).await;
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(read(&mut silent).await, "");
    assert_eq!(served.count("failed_total"), 1);
}
