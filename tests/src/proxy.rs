//! A line that can be held: TCP and UDP on loopback, between an agent and the collector.
//!
//! ```text
//!   agent ─▶ proxy ─▶ collector        flowing: everything passes, under the address it left from
//!   agent ─▶ proxy ┊  collector        held:    datagrams are lost; octets and connections wait
//! ```
//!
//! What waits is delivered when the line flows again, even when whoever sent it is gone by then, as a network
//! does: a batch of a killed agent still arrives, and its acknowledgement finds nobody.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::runtime::Builder;
use tokio::sync::watch;

/// Octets taken up at once.
const OCTETS: usize = 16 << 10;
/// Senders of datagrams told apart; those of more are lost.
const SENDERS: usize = 64;

/// A running proxy; it ends when dropped.
pub struct Proxy {
    /// Where batches go in.
    pub batches: SocketAddr,
    /// Where STAMP packets go in.
    pub stamp: SocketAddr,
    held: watch::Sender<bool>,
}

type Held = watch::Receiver<bool>;

impl Proxy {
    /// A proxy to the collector's two ports, flowing.
    ///
    /// # Errors
    /// When no socket is to be had.
    pub fn start(agents_port: u16, stamp_port: u16) -> io::Result<Proxy> {
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (held, holding) = watch::channel(false);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let tcp = runtime.block_on(TcpListener::bind(at(0)))?;
        let udp = runtime.block_on(UdpSocket::bind(at(0)))?;
        let proxy = Proxy { batches: tcp.local_addr()?, stamp: udp.local_addr()?, held };
        thread::spawn(move || {
            runtime.block_on(async move {
                let mut running = holding.clone();
                tokio::spawn(connections(tcp, at(agents_port), holding.clone()));
                tokio::spawn(datagrams(Arc::new(udp), at(stamp_port), holding));
                while running.changed().await.is_ok() {}
            });
        });
        Ok(proxy)
    }

    /// From now on nothing passes.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Everything passes again.
    pub fn release(&self) {
        self.held.send_replace(false);
    }
}

async fn connections(listener: TcpListener, to: SocketAddr, held: Held) {
    loop {
        if let Ok((near, sender)) = listener.accept().await {
            tokio::spawn(connection(near, sender.ip(), to, held.clone()));
        }
    }
}

async fn connection(near: TcpStream, sender: IpAddr, to: SocketAddr, mut held: Held) -> io::Result<()> {
    flowing(&mut held).await?;
    let socket = TcpSocket::new_v4()?;
    socket.bind((sender, 0).into())?;
    let far = socket.connect(to).await?;
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let (sent, answered) =
        tokio::join!(pass(near_in, far_out, held.clone()), pass(far_in, near_out, held.clone()));
    sent.and(answered)
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut held: Held,
) -> io::Result<()> {
    let mut octets = vec![0; OCTETS];
    loop {
        let count = from.read(&mut octets).await?;
        flowing(&mut held).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&octets[..count]).await?;
    }
}

async fn flowing(held: &mut Held) -> io::Result<()> {
    held.wait_for(|held| !held).await.map(drop).map_err(|_| io::ErrorKind::ConnectionAborted.into())
}

async fn datagrams(near: Arc<UdpSocket>, to: SocketAddr, held: Held) {
    let mut octets = vec![0; OCTETS];
    let mut far: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
    loop {
        let Ok((count, sender)) = near.recv_from(&mut octets).await else { continue };
        if *held.borrow() {
            continue;
        }
        if !far.contains_key(&sender) && far.len() < SENDERS {
            let Ok(socket) = toward(sender.ip(), to).await else { continue };
            far.insert(sender, socket.clone());
            tokio::spawn(answers(socket, near.clone(), sender, held.clone()));
        }
        if let Some(socket) = far.get(&sender) {
            let _ = socket.send(&octets[..count]).await;
        }
    }
}

async fn toward(sender: IpAddr, to: SocketAddr) -> io::Result<Arc<UdpSocket>> {
    let socket = UdpSocket::bind((sender, 0)).await?;
    socket.connect(to).await?;
    Ok(Arc::new(socket))
}

async fn answers(far: Arc<UdpSocket>, near: Arc<UdpSocket>, sender: SocketAddr, held: Held) {
    let mut octets = vec![0; OCTETS];
    loop {
        // An error is the collector's port closed for a while.
        let Ok(count) = far.recv(&mut octets).await else { continue };
        if !*held.borrow() {
            let _ = near.send_to(&octets[..count], sender).await;
        }
    }
}
