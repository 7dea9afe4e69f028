//! Things that checks ask and that count who asked: listeners on loopback, in turn for `tcp` and for `http`.

use haidang_daemon::clock::Clock;
use haidang_probe::check::CheckId;
use haidang_probe::moment::Moment;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::watch;

/// Longest request read.
const REQUEST: usize = 4096;
/// What every page is.
const PAGE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// Listeners; they end when dropped.
pub struct Targets {
    addresses: Vec<SocketAddr>,
    asked: Asked,
    _running: watch::Sender<()>,
}

/// When each listener was asked, in order.
type Asked = Arc<Mutex<Vec<Vec<Moment>>>>;

impl Targets {
    /// So many listeners, on ports of the system's choice.
    ///
    /// # Errors
    /// When no socket is to be had.
    pub fn start(count: usize, clock: &Clock) -> io::Result<Targets> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let bind = || runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listeners = (0..count).map(|_| bind()).collect::<io::Result<Vec<_>>>()?;
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
        let asked: Asked = Arc::new(Mutex::new(vec![Vec::new(); count]));
        let (running, mut until) = watch::channel(());
        let (all, clock) = (asked.clone(), clock.clone());
        thread::spawn(move || {
            runtime.block_on(async move {
                for (number, listener) in listeners.into_iter().enumerate() {
                    tokio::spawn(answer(number, listener, all.clone(), clock.clone()));
                }
                while until.changed().await.is_ok() {}
            });
        });
        Ok(Targets { addresses, asked, _running: running })
    }

    /// The checks that ask them, as they stand in a site's record, indented by `indent` spaces.
    pub fn checks(&self, every: &str, indent: usize) -> String {
        let mut yaml = String::new();
        for (number, address) in self.addresses.iter().enumerate() {
            let (name, pad) = (name(number), " ".repeat(indent));
            let (probe, target) = match self.page(number) {
                Some(url) => ("http", url),
                None => ("tcp", address.to_string()),
            };
            let _ = writeln!(
                yaml,
                "{pad}- {{name: {name}, probe: {probe}, target: \"{target}\", every: {every}, timeout: 5s}}"
            );
        }
        yaml
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.addresses.len()
    }

    /// The address of a listener.
    pub fn address(&self, number: usize) -> SocketAddr {
        self.addresses[number]
    }

    /// The URL of a listener that is for `http`: each second one.
    pub fn page(&self, number: usize) -> Option<String> {
        (number % 2 == 1).then(|| format!("http://{}/", self.addresses[number]))
    }

    /// The check that asks a listener.
    pub fn check(number: usize) -> CheckId {
        CheckId::of_name(&name(number))
    }

    /// When each listener was asked, in order.
    pub fn asked(&self) -> Vec<Vec<Moment>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn name(number: usize) -> String {
    format!("target-{number:02}")
}

async fn answer(number: usize, listener: TcpListener, asked: Asked, clock: Clock) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        asked.lock().unwrap_or_else(PoisonError::into_inner)[number].push(clock.moment());
        if number % 2 == 1 {
            tokio::spawn(page(stream));
        }
    }
}

async fn page(mut stream: TcpStream) -> io::Result<()> {
    request(&mut stream).await?;
    stream.write_all(PAGE).await?;
    stream.shutdown().await
}

/// A request's head.
///
/// # Errors
/// When the other side closes before its end.
pub async fn request(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") && request.len() < REQUEST {
        if stream.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(request)
}
