//! Redirects: followed to a limit, circles told.

use super::{phases, probe, status, told};
use crate::dial;
use crate::probe::{Answer, Budget};
use haidang_daemon::clock::Clock;
use haidang_probe::ask::Question;
use haidang_probe::check::{Check, ProbeKind, Span};
use haidang_probe::metric::Metric;
use haidang_probe::outcome::Failure;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A server that answers each path as `answer` says, until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub async fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let _ = stream.write_all(&answer(path)).await;
        }
    });
    Server { address, task }
}

/// Asks a path of the server with these settings.
pub async fn ask(server: &Server, path: &str, with: &[(&str, &str)]) -> Answer {
    let second = Span(Duration::from_secs(1));
    let check = Check {
        id: None,
        name: "portal".into(),
        probe: ProbeKind::Http,
        target: format!("http://{}{path}", server.address),
        every: second,
        timeout: second,
        with: with.iter().copied().collect(),
    };
    let Ok(Question::Http(question)) = Question::of(&check) else { panic!("{check:?} is no question") };
    let budget = Budget::start(&Clock::machine().unwrap(), Duration::from_secs(10));
    probe(dial::roots()).ask(&question, budget).await
}

pub fn page(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub fn to(location: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

/// `/N` leads to `/N-1` and so on to `/0`.
async fn countdown() -> Server {
    serve(|path| match path.trim_start_matches('/').parse::<u32>() {
        Ok(0) => page("arrived"),
        Ok(number) => to(&format!("/{}", number - 1)),
        Err(_) => b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(),
    })
    .await
}

#[tokio::test]
async fn redirects_are_followed_to_the_limit_and_their_phases_added() {
    let server = countdown().await;
    let answer = ask(&server, "/3", &[("contains", "arrived")]).await;
    assert!(answer.result.is_ok(), "{answer:?}");
    assert_eq!((status(&answer), told(&answer, Metric::HttpRedirects)), (Some(200.0), Some(3.0)));
    assert_eq!(phases(&answer), ["resolve", "connect", "processing", "transfer"]);
    assert_eq!(ask(&server, "/5", &[]).await.result.map(drop), Ok(()), "five where nothing is said");
    assert_eq!(ask(&server, "/6", &[]).await.result, Err(Failure::Loop));
    assert_eq!(ask(&server, "/2", &[("redirects", "1")]).await.result, Err(Failure::Loop));
}

#[tokio::test]
async fn no_page_leads_into_another_network_of_ours() {
    for place in ["http://192.168.1.1/reboot", "http://10.0.0.1/", "http://[fd00::1]/"] {
        let tampered = serve(move |_| to(place)).await;
        let answer = ask(&tampered, "/", &[]).await;
        assert_eq!(answer.result, Err(Failure::Protocol), "{place}");
    }
}

#[tokio::test]
async fn a_circle_is_told_as_one() {
    let server = serve(|path| to(if path == "/a" { "/b" } else { "/a" })).await;
    let answer = ask(&server, "/a", &[("redirects", "20")]).await;
    assert_eq!((answer.result, told(&answer, Metric::HttpRedirects)), (Err(Failure::Loop), Some(1.0)));
    let itself = serve(|_| to("")).await;
    assert_eq!(ask(&itself, "/", &[]).await.result, Err(Failure::Loop));
}

#[tokio::test]
async fn a_redirect_that_is_asked_for_is_the_answer() {
    let server = countdown().await;
    let named = ask(&server, "/9", &[("status", "301,302")]).await;
    assert_eq!((named.result.map(drop), status(&named)), (Ok(()), Some(302.0)));
    let still = ask(&server, "/9", &[("redirects", "0")]).await;
    assert_eq!((still.result.map(drop), status(&still)), (Ok(()), Some(302.0)));
    let other = ask(&server, "/1", &[("status", "404")]).await;
    assert_eq!((other.result, status(&other)), (Err(Failure::Status), Some(200.0)));
}

#[tokio::test]
async fn a_place_in_letters_of_vietnamese_is_found() {
    let server = serve(|path| if path == "/" { to("/trang-chủ") } else { page(path) }).await;
    let answer = ask(&server, "/", &[("contains", "trang-ch")]).await;
    assert!(answer.result.is_ok(), "{answer:?}");
}

#[tokio::test]
async fn where_nobody_can_go_is_no_http() {
    for location in ["ftp://192.0.2.1/", "http://", "http://me:pw@portal.example/", "https://[::1"] {
        let server = serve(move |_| to(location)).await;
        assert_eq!(ask(&server, "/", &[]).await.result, Err(Failure::Protocol), "{location}");
    }
}
