//! Certificates of every kind, made by OpenSSL, shown by real servers.

use super::redirects::{ask, serve, to};
use super::{fetch, phases, portal, probe, status, told};
use crate::dial::certificate::Verdict;
use haidang_probe::metric::Metric;
use haidang_probe::outcome::Failure;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const KEY: [&str; 6] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-batch"];

/// An authority in a directory of its own.
struct Authority(tempfile::TempDir);

impl Authority {
    fn new() -> Authority {
        let authority = Authority(tempfile::tempdir().unwrap());
        let root = ["-x509", "-days", "30", "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.pem"];
        authority.openssl(&[&["req"], &KEY[..], &root[..]].concat());
        authority
    }

    fn openssl(&self, words: &[&str]) {
        let made = Command::new("openssl").args(words).current_dir(&self.0).output();
        let made = made.expect("the test makes certificates with `openssl`");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// A certificate for `name`, good for so many days from now.
    fn sign(&self, name: &str, days: &str) {
        std::fs::write(self.path().join("names"), format!("subjectAltName=DNS:{name}\n")).unwrap();
        let ask = ["-subj", "/CN=portal", "-keyout", "leaf.key", "-out", "leaf.csr"];
        self.openssl(&[&["req"], &KEY[..], &ask[..]].concat());
        let sign = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"];
        let leaf = ["x509", "-req", "-in", "leaf.csr", "-days", days, "-out", "leaf.pem"];
        self.openssl(&[&leaf[..], &sign[..]].concat());
    }

    /// A certificate that signs itself.
    fn sign_itself(&self) {
        let own = ["-x509", "-days", "9", "-subj", "/CN=portal", "-addext", "subjectAltName=DNS:portal.test"];
        self.openssl(&[&["req"], &KEY[..], &own[..], &["-keyout", "leaf.key", "-out", "leaf.pem"]].concat());
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path().join("ca.pem")).unwrap()).unwrap();
        roots
    }

    /// A server that shows the last certificate made; it answers 204 and tells whether it was asked anything.
    async fn serve(&self) -> (SocketAddr, tokio::task::JoinHandle<bool>) {
        let chain = vec![CertificateDer::from_pem_file(self.path().join("leaf.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(self.path().join("leaf.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
            let Ok(mut stream) = acceptor.accept(stream).await else { return false };
            let mut request = [0; 1024];
            let asked = stream.read(&mut request).await.unwrap_or(0) > 0;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            asked
        });
        (address, server)
    }
}

fn verdict_is(answer: &super::Answer, verdict: Verdict) {
    assert_eq!(told(answer, Metric::TlsVerdict), Some(f64::from(verdict as u8)), "{verdict:?}");
}

/// Days from now until the expiry told, rounded.
fn days_left(answer: &super::Answer) -> i64 {
    let now = haidang_daemon::clock::Clock::machine().unwrap().utc_ms() / 1000;
    ((told(answer, Metric::CertExpiry).unwrap() - now as f64) / 86_400.0).round() as i64
}

#[tokio::test]
async fn a_good_certificate_lets_the_question_through() {
    let authority = Authority::new();
    authority.sign("portal.test", "10");
    let (address, server) = authority.serve().await;
    let answer = portal(&probe(authority.roots()), address, false).await;
    assert!(answer.result.is_ok(), "{answer:?}");
    verdict_is(&answer, Verdict::Good);
    assert_eq!((status(&answer), days_left(&answer)), (Some(204.0), 10));
    assert_eq!(phases(&answer), ["resolve", "connect", "tls", "processing", "transfer"]);
    assert!(server.await.unwrap());
}

#[tokio::test]
async fn a_broken_certificate_is_told_with_its_expiry_and_asked_nothing() {
    let authority = Authority::new();
    for (days, name, verdict) in
        [("-1", "portal.test", Verdict::Expired), ("10", "other.test", Verdict::WrongName)]
    {
        authority.sign(name, days);
        let (address, server) = authority.serve().await;
        let answer = portal(&probe(authority.roots()), address, false).await;
        assert_eq!(answer.result, Err(Failure::Tls));
        verdict_is(&answer, verdict);
        assert_eq!((days_left(&answer).to_string().as_str(), status(&answer)), (days, None));
        assert!(!server.await.unwrap(), "nothing is sent to whoever shows a bad certificate");
    }
}

#[tokio::test]
async fn an_unknown_issuer_is_a_failure_unless_any_will_do() {
    let authority = Authority::new();
    let own = |authority: &Authority| authority.sign_itself();
    let others = |authority: &Authority| authority.sign("portal.test", "9");
    for make in [own, others] as [fn(&Authority); 2] {
        make(&authority);
        for (any_issuer, verdict) in [(false, Verdict::UnknownIssuer), (true, Verdict::Good)] {
            let (address, server) = authority.serve().await;
            let answer = portal(&probe(crate::dial::roots()), address, any_issuer).await;
            verdict_is(&answer, verdict);
            assert_eq!((answer.result.is_ok(), days_left(&answer)), (verdict == Verdict::Good, 9));
            assert_eq!(server.await.unwrap(), verdict == Verdict::Good);
        }
    }
}

#[tokio::test]
async fn tls_that_nobody_speaks_any_more_is_told_apart() {
    let authority = Authority::new();
    authority.sign("portal.test", "9");
    // A free port: OpenSSL does not tell which one it took.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let old = ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", "-www", "-quiet"];
    let mut server = Command::new("openssl")
        .args(["s_server", "-accept", &address.to_string(), "-cert", "leaf.pem", "-key", "leaf.key"])
        .args(old)
        .current_dir(authority.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut answer = portal(&probe(authority.roots()), address, false).await;
    for _ in 0..100 {
        if answer.result != Err(Failure::Refused) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        answer = portal(&probe(authority.roots()), address, false).await;
    }
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(answer.result, Err(Failure::TlsUnspoken), "{answer:?}");
    verdict_is(&answer, Verdict::Unspoken);
}

/// A server that answers whatever comes with these octets and then holds the connection.
async fn says(octets: &'static [u8]) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("https://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(octets).await;
        std::future::pending::<()>().await;
    });
    (target, server)
}

#[tokio::test]
async fn an_alert_that_our_tls_is_too_new_is_told_as_that() {
    // Alert, fatal, protocol_version (RFC 8446 §6) and handshake_failure.
    for alert in [&[21, 3, 1, 0, 2, 2, 70], &[21, 3, 1, 0, 2, 2, 40]] {
        let (target, server) = says(alert).await;
        let answer = fetch(&probe(crate::dial::roots()), &target, 5).await;
        assert_eq!(answer.result, Err(Failure::TlsUnspoken));
        verdict_is(&answer, Verdict::Unspoken);
        server.abort();
    }
}

#[tokio::test]
async fn a_handshake_without_an_end_ends_with_the_time() {
    // Half a ServerHello.
    for octets in [&b""[..], &[22, 3, 3, 0, 90, 2, 0, 0, 86, 3, 3]] {
        let (target, server) = says(octets).await;
        let answer = fetch(&probe(crate::dial::roots()), &target, 1).await;
        assert_eq!((answer.result, status(&answer)), (Err(Failure::Timeout), None));
        assert_eq!(phases(&answer), ["resolve", "connect"]);
        server.abort();
    }
}

#[tokio::test]
async fn a_redirect_to_tls_is_judged_as_the_check_says() {
    let authority = Authority::new();
    authority.sign_itself();
    for (any_issuer, verdict) in [("true", Verdict::Good), ("false", Verdict::UnknownIssuer)] {
        let (address, server) = authority.serve().await;
        let plain = serve(move |_| to(&format!("https://{address}/"))).await;
        let answer = ask(&plain, "/", &[("name", "portal.test"), ("any_issuer", any_issuer)]).await;
        verdict_is(&answer, verdict);
        assert_eq!(answer.result.is_ok(), verdict == Verdict::Good, "{answer:?}");
        assert_eq!(server.await.unwrap(), verdict == Verdict::Good);
    }
}
