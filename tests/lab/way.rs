//! What stands where a real site has something in front that encrypts: an agent speaks plain text to this
//! machine alone, and each of its uplinks leaves from a loopback port that leads to the collector.

use anyhow::Context;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Longest wait for the collector, as the agent's own for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause after a connection that could not be taken.
const PAUSE: Duration = Duration::from_millis(100);

/// One uplink: listens here, leads there, from this address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// On loopback.
    pub from: SocketAddr,
    /// The collector.
    pub to: SocketAddr,
    /// Source address, where the uplink is pinned by it.
    pub source: Option<IpAddr>,
}

impl Way {
    /// `127.0.0.1:7100=10.255.0.1:8443@10.101.1.2`, the last part only where there is a source.
    pub fn text(&self) -> String {
        let source = self.source.map(|source| format!("@{source}")).unwrap_or_default();
        format!("{}={}{source}", self.from, self.to)
    }

    fn read(text: &str) -> anyhow::Result<Way> {
        let (from, rest) = text.split_once('=').context("no `=`")?;
        let (to, source) = rest.split_once('@').map_or((rest, None), |(to, source)| (to, Some(source)));
        Ok(Way { from: from.parse()?, to: to.parse()?, source: source.map(str::parse).transpose()? })
    }
}

/// Keeps ways open until killed.
///
/// # Errors
/// When a way is none, or its port is taken.
pub fn run(texts: &[&str]) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for text in texts {
            let way = Way::read(text).with_context(|| format!("way `{text}`"))?;
            let listener =
                TcpListener::bind(way.from).await.with_context(|| format!("listen on {}", way.from))?;
            tasks.spawn(lead(listener, way));
        }
        tasks.join_all().await;
        Ok(())
    })
}

async fn lead(listener: TcpListener, way: Way) {
    loop {
        match listener.accept().await {
            Ok((near, _)) => drop(tokio::spawn(carry(near, way))),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Whichever end closes first closes both: a dead line must not keep connections.
async fn carry(mut near: TcpStream, way: Way) {
    let Ok(Ok(mut far)) = tokio::time::timeout(PATIENCE, connect(way)).await else { return };
    let ((mut from_near, mut to_near), (mut from_far, mut to_far)) = (near.split(), far.split());
    tokio::select! {
        _ = tokio::io::copy(&mut from_near, &mut to_far) => {}
        _ = tokio::io::copy(&mut from_far, &mut to_near) => {}
    }
}

async fn connect(way: Way) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(source) = way.source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = socket.connect(way.to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_reads_back_as_written() {
        for text in ["127.0.0.1:7100=10.255.0.1:8443", "127.0.0.1:7101=10.255.0.1:8443@10.101.1.2"] {
            assert_eq!(Way::read(text).unwrap().text(), text);
        }
        assert!(Way::read("127.0.0.1:7100").is_err());
    }
}
