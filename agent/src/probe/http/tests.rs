mod answers;
mod certificates;
mod portals;
mod redirects;

use super::body::MAX_BODY;
use super::*;
use haidang_daemon::clock::Clock;
use rustls::RootCertStore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A probe that knows these issuers.
fn probe(roots: RootCertStore) -> Probe {
    Probe { finder: Finder::default(), looker: Some(Looker::new(roots).unwrap()) }
}

async fn fetch(probe: &Probe, target: &str, seconds: u64) -> Answer {
    let budget = Budget::start(&Clock::machine().unwrap(), Duration::from_secs(seconds));
    probe.ask(&target.parse().unwrap(), budget).await
}

/// Asks for `portal.test` at an address.
async fn portal(probe: &Probe, address: SocketAddr, any_issuer: bool) -> Answer {
    let mut question: Question = format!("https://{address}/").parse().unwrap();
    (question.name, question.any_issuer) = (Some("portal.test".into()), any_issuer);
    let budget = Budget::start(&Clock::machine().unwrap(), Duration::from_secs(20));
    probe.ask(&question, budget).await
}

/// Asks a server that answers each connection with these bytes and then closes it, or holds it open.
async fn ask(answer: &'static [u8], hold: bool) -> Answer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}/status", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let read = stream.read(&mut request).await.unwrap();
        assert!(request[..read].starts_with(b"GET /status HTTP/1.1\r\nhost: 127.0.0.1:"));
        stream.write_all(answer).await.unwrap();
        if hold {
            std::future::pending::<()>().await;
        }
    });
    let tools = Tools { clock: Clock::machine().unwrap(), finder: Finder::default() };
    let budget = Budget::start(&tools.clock, Duration::from_millis(300));
    let answer = Probe::new(&tools).ask(&target.parse().unwrap(), budget).await;
    server.abort();
    answer
}

fn told(answer: &Answer, metric: Metric) -> Option<f64> {
    answer.samples.iter().find(|sample| sample.metric == metric).map(|sample| sample.value)
}

fn status(answer: &Answer) -> Option<f64> {
    told(answer, Metric::HttpStatus)
}

fn phases(answer: &Answer) -> Vec<&str> {
    let phases = answer.samples.iter().filter(|sample| sample.metric == Metric::HttpDuration);
    phases.map(|sample| sample.part.as_str()).collect()
}

#[tokio::test]
async fn two_and_three_hundreds_are_success() {
    let found = ask(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", true).await;
    assert!(found.result.is_ok());
    assert_eq!((status(&found), told(&found, Metric::HttpBody)), (Some(200.0), Some(2.0)));
    assert_eq!(phases(&found), ["resolve", "connect", "processing", "transfer"]);
    let moved = ask(b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n", true).await;
    assert!(moved.result.is_ok(), "it leads nowhere");
    assert_eq!(status(&moved), Some(302.0));
}

#[tokio::test]
async fn other_statuses_fail_and_are_still_measured() {
    let answer = ask(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", true).await;
    assert_eq!((answer.result, status(&answer)), (Err(Failure::Status), Some(503.0)));
}

#[tokio::test]
async fn each_way_to_fail_has_its_name() {
    assert_eq!(ask(b"SSH-2.0-OpenSSH_9.9\r\n", true).await.result, Err(Failure::Protocol));
    assert_eq!(ask(b"", false).await.result, Err(Failure::Reset));
    assert_eq!(ask(b"", true).await.result, Err(Failure::Timeout));
    let cut = ask(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", false).await;
    assert_eq!((cut.result, status(&cut)), (Err(Failure::Reset), Some(200.0)));
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_off_in_time() {
    let drip = ask(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\ndrip", true).await;
    assert_eq!(drip.result, Err(Failure::Timeout));
}

#[tokio::test]
async fn a_body_without_a_length_or_an_end_is_a_failure_and_a_stated_long_one_is_cut_off() {
    let served = |head: &'static [u8]| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("http://{}/", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(head).await.unwrap();
            while stream.write_all(&[b'x'; 8_192]).await.is_ok() {}
        });
        let answer = fetch(&probe(dial::roots()), &target, 20).await;
        server.abort();
        answer
    };
    let endless = served(b"HTTP/1.1 200 OK\r\n\r\n").await;
    assert_eq!(endless.result, Err(Failure::Body));
    let long = served(b"HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n").await;
    assert!(long.result.is_ok());
    assert!(told(&long, Metric::HttpBody).unwrap() < 1.5 * MAX_BODY as f64);
}

#[tokio::test]
async fn a_head_without_an_end_is_no_http() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        while stream.write_all(b"x-more: more of the same\r\n").await.is_ok() {}
    });
    let answer = fetch(&probe(dial::roots()), &target, 20).await;
    assert_eq!(answer.result, Err(Failure::Protocol));
    server.abort();
}

#[tokio::test]
async fn plain_text_where_tls_is_due_fails_as_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("https://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    });
    let tools = Tools { clock: Clock::machine().unwrap(), finder: Finder::default() };
    let budget = Budget::start(&tools.clock, Duration::from_secs(2));
    assert_eq!(Probe::new(&tools).ask(&target.parse().unwrap(), budget).await.result, Err(Failure::Tls));
    server.abort();
}
