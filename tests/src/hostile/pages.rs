//! Servers of HTTP and TLS as none should be.

use super::{Foe, Toll};
use crate::targets::request;
use anyhow::Context;
use haidang_agent::probe::http::MAX_HEAD;
use haidang_daemon::listen::TlsFiles;
use haidang_probe::outcome::Failure;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::fs;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::spawn;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// What a server would send before it ends by itself, octets.
const MUCH: u64 = 10_000_000_000;
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
/// Octets that may be under way beyond what was read: buffers of both sockets.
const UNDER_WAY: u64 = 8 << 20;
/// Octets read of a body that does not say its length, and of one that does (agent/src/probe/http/body.rs).
const UNSTATED: u64 = (4 << 20) + UNDER_WAY;
const STATED: u64 = (1 << 20) + UNDER_WAY;
/// Between two octets of a server that never finishes.
const PAUSE: Duration = Duration::from_millis(50);
/// Redirects that are followed where nothing is said (probe/src/ask/http.rs).
const REDIRECTS: u64 = 5;
/// Whom the certificates are for.
const NAME: &str = "portal.test";

/// How a server answers each request.
#[derive(Clone, Copy)]
enum Manner {
    /// Not at all.
    Silent,
    /// An octet now and then, of as many as it said.
    Drips,
    /// Headers without end.
    Heads,
    /// 10 GB of zeros, as fast as they are taken; whether it says how many.
    Zeros(bool),
    /// By a redirect to the same place.
    Circle,
    /// By a redirect to the next place.
    Onward,
}

/// All of them; `folder` keeps certificates.
///
/// # Errors
/// When a socket or a certificate is not to be had.
pub fn all(folder: &Path) -> anyhow::Result<Vec<Foe>> {
    let runtime = Builder::new_current_thread().enable_all().build().context("start the servers")?;
    let foe = |name, manner, ends, octets| {
        let (at, toll) = serve(&runtime, move |stream, toll| answer(manner, stream, toll))?;
        let foe = Foe {
            name,
            probe: "http",
            target: format!("http://{at}/"),
            ends,
            octets,
            toll,
            ..Foe::default()
        };
        anyhow::Ok(Foe { timeout_s: 1, requests: 1, ..foe })
    };
    let slow = |foe: anyhow::Result<Foe>| foe.map(|foe| Foe { timeout_s: 5, ..foe });
    let foes = vec![
        foe("http-silent", Manner::Silent, Err(Failure::Timeout), 0)?,
        foe("http-drips", Manner::Drips, Err(Failure::Timeout), 4_096)?,
        slow(foe("http-heads", Manner::Heads, Err(Failure::Protocol), MAX_HEAD as u64 + UNDER_WAY))?,
        slow(foe("http-zeros", Manner::Zeros(false), Err(Failure::Body), UNSTATED))?,
        // It says that there is more than is read: cut off, and no failure of the server's.
        slow(foe("http-stated", Manner::Zeros(true), Ok(()), STATED))?,
        slow(foe("http-circle", Manner::Circle, Err(Failure::Loop), 512))?,
        Foe {
            requests: 1 + REDIRECTS,
            ..slow(foe("http-onward", Manner::Onward, Err(Failure::Loop), 4_096))?
        },
        with_certificate(&runtime, folder, "tls-expired", 2025)?,
        with_certificate(&runtime, folder, "tls-own", 2125)?,
    ];
    spawn(move || runtime.block_on(pending::<()>()));
    Ok(foes)
}

/// Accepts until the program ends.
fn serve<F>(
    runtime: &Runtime,
    answer: impl Fn(TcpStream, Arc<Toll>) -> F + Send + 'static,
) -> anyhow::Result<(SocketAddr, Arc<Toll>)>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).context("open a server's socket")?;
    let (at, toll) = (listener.local_addr()?, Arc::<Toll>::default());
    let count = toll.clone();
    runtime.spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            count.asked(1);
            tokio::spawn(answer(stream, count.clone()));
        }
    });
    Ok((at, toll))
}

/// Answers until the other side has had enough.
async fn answer(manner: Manner, mut stream: TcpStream, toll: Arc<Toll>) -> io::Result<()> {
    let asked = request(&mut stream).await?;
    match manner {
        Manner::Silent => _ = stream.read(&mut [0; 64]).await?,
        Manner::Drips => {
            give(&mut stream, b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", &toll).await?;
            loop {
                tokio::time::sleep(PAUSE).await;
                give(&mut stream, b"x", &toll).await?;
            }
        }
        Manner::Heads => {
            give(&mut stream, b"HTTP/1.1 200 OK\r\n", &toll).await?;
            let some = b"X-More: and more\r\n".repeat(64);
            loop {
                give(&mut stream, &some, &toll).await?;
            }
        }
        Manner::Zeros(stated) => {
            let length = if stated { format!("Content-Length: {MUCH}\r\n") } else { String::new() };
            give(&mut stream, format!("HTTP/1.1 200 OK\r\n{length}\r\n").as_bytes(), &toll).await?;
            for _ in 0..MUCH / ZEROS.len() as u64 {
                give(&mut stream, &ZEROS, &toll).await?;
            }
        }
        Manner::Circle => give(&mut stream, to("/").as_bytes(), &toll).await?,
        Manner::Onward => give(&mut stream, to(&format!("{}x", path(&asked))).as_bytes(), &toll).await?,
    }
    Ok(())
}

fn to(path: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

fn path(request: &[u8]) -> String {
    String::from_utf8_lossy(request).split(' ').nth(1).unwrap_or("/").to_owned()
}

async fn give(stream: &mut TcpStream, octets: &[u8], toll: &Toll) -> io::Result<()> {
    stream.write_all(octets).await?;
    toll.gave(octets.len());
    Ok(())
}

/// A server that shows a certificate signed by itself, good until the beginning of `year`: nothing may be said to it.
fn with_certificate(runtime: &Runtime, folder: &Path, name: &'static str, year: i32) -> anyhow::Result<Foe> {
    let mut certificate = CertificateParams::new(vec![NAME.to_owned()])?;
    (certificate.not_before, certificate.not_after) = (date_time_ymd(2024, 1, 1), date_time_ymd(year, 1, 1));
    let key = KeyPair::generate()?;
    fs::write(folder.join("certificate.pem"), certificate.self_signed(&key)?.pem())?;
    fs::write(folder.join("key.pem"), key.serialize_pem())?;
    let files = TlsFiles { certificate: "certificate.pem".into(), key: "key.pem".into() };
    let acceptor = files.acceptor(folder)?;
    let (at, toll) = serve(runtime, move |stream, toll| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await?;
            toll.gave(stream.read(&mut [0; 1024]).await?);
            Ok(())
        }
    })?;
    Ok(Foe {
        name,
        probe: "http",
        target: format!("https://{at}/"),
        with: "{name: portal.test}",
        timeout_s: 5,
        ends: Err(Failure::Tls),
        requests: 1,
        octets: 0,
        toll,
    })
}
