//! Where the places that targets name are, now.
//!
//! `@default-gateway` (IPv4, `/proc/net/route`) and `@resolver` (first `nameserver` of `/etc/resolv.conf`)
//! are read at every run, so a change of network needs no restart; what they mean is logged when it changes.
//! At most [`LOOKUPS`] name look-ups are under way: a resolver that never answers costs failed outcomes, not
//! threads.

use haidang_probe::ask::place::{Endpoint, Place};
use haidang_probe::outcome::Failure;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Most name look-ups under way at once. The system's resolver may hold a thread for half a minute each.
pub const LOOKUPS: usize = 4;

/// Routing flags of a usable route through a gateway (`RTF_UP | RTF_GATEWAY`, `linux/route.h`).
const UP_GATEWAY: u16 = 0x3;

/// Finds the addresses of places. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Finder {
    lookups: Arc<Semaphore>,
    /// What `@default-gateway` and `@resolver` meant last.
    known: Arc<Mutex<[Known; 2]>>,
    route: PathBuf,
    resolv_conf: PathBuf,
}

/// What a place of this machine meant when it was last asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Known {
    #[default]
    NotAsked,
    Asked(Option<IpAddr>),
}

impl Default for Finder {
    fn default() -> Finder {
        Finder::reading("/proc/net/route", "/etc/resolv.conf")
    }
}

impl Finder {
    /// A finder that reads these files in place of the machine's.
    pub fn reading(route: impl Into<PathBuf>, resolv_conf: impl Into<PathBuf>) -> Finder {
        Finder {
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
            known: Arc::default(),
            route: route.into(),
            resolv_conf: resolv_conf.into(),
        }
    }

    /// The address of `place`: [`Failure::Local`] when this machine has no such place, [`Failure::Resolve`]
    /// when its name does not resolve. A name may take as long as the system's resolver does: bound the wait.
    pub async fn address(&self, place: &Place) -> Result<IpAddr, Failure> {
        match place {
            Place::Address(address) => Ok(*address),
            Place::Name(name) => self.look_up(name).await,
            Place::DefaultGateway => self.tell(0, place, &self.route, gateway),
            Place::Resolver => self.tell(1, place, &self.resolv_conf, resolver),
        }
    }

    /// The socket address of `endpoint`; see [`Finder::address`].
    pub async fn socket_address(&self, endpoint: &Endpoint) -> Result<SocketAddr, Failure> {
        Ok(SocketAddr::new(self.address(&endpoint.place).await?, endpoint.port))
    }

    async fn look_up(&self, name: &str) -> Result<IpAddr, Failure> {
        let permit = self.lookups.clone().acquire_owned().await.map_err(|_| Failure::Local)?;
        let query = (name.to_owned(), 0);
        // The permit goes with the thread, which outlives a caller that stops waiting.
        let found = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            query.to_socket_addrs().map(|mut found| found.next())
        });
        match found.await {
            Ok(Ok(Some(address))) => Ok(address.ip()),
            _ => Err(Failure::Resolve),
        }
    }

    fn tell(
        &self,
        which: usize,
        place: &Place,
        file: &PathBuf,
        parse: fn(&str) -> Option<IpAddr>,
    ) -> Result<IpAddr, Failure> {
        let found = std::fs::read_to_string(file).ok().as_deref().and_then(parse);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known[which] != Known::Asked(found) {
            known[which] = Known::Asked(found);
            if found.is_some() {
                tracing::info!(%place, "place found");
            } else {
                let file = file.display();
                tracing::warn!(%place, %file, "this machine has no such place; its checks are unknown");
            }
        }
        found.ok_or(Failure::Local)
    }
}

/// The gateway of the default route with the least metric, in the form of `/proc/net/route`.
fn gateway(routes: &str) -> Option<IpAddr> {
    let usable = routes.lines().skip(1).filter_map(|line| {
        let field: Vec<&str> = line.split_ascii_whitespace().collect();
        let hex = |at: usize| u32::from_str_radix(field.get(at)?, 16).ok();
        let flags = u16::from_str_radix(field.get(3)?, 16).ok()?;
        let metric: u32 = field.get(6)?.parse().ok()?;
        let everything = hex(1)? == 0 && hex(7)? == 0;
        (everything && flags & UP_GATEWAY == UP_GATEWAY).then_some((metric, hex(2)?))
    });
    // The kernel prints the address as an integer in its own byte order.
    usable.min().map(|(_, gateway)| IpAddr::V4(Ipv4Addr::from(gateway.to_ne_bytes())))
}

/// The first `nameserver` of a `resolv.conf`.
fn resolver(resolv_conf: &str) -> Option<IpAddr> {
    resolv_conf.lines().find_map(|line| {
        let address = line.trim().strip_prefix("nameserver")?.trim();
        address.split(['%', ' ', '\t', '#']).next()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "\
Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth1\t00000000\t0102A8C0\t0003\t0\t0\t200\t00000000\t0\t0\t0
eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
";

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn the_default_gateway_is_the_one_of_least_metric() {
        assert_eq!(gateway(ROUTES), Some(address("192.168.1.1")));
        assert_eq!(gateway("Iface\tDestination\n"), None);
        assert_eq!(gateway(""), None);
    }

    #[test]
    fn the_resolver_is_the_first_that_is_named() {
        assert_eq!(
            resolver("# x\nsearch a\nnameserver 192.0.2.53 # y\nnameserver 192.0.2.54\n"),
            Some(address("192.0.2.53"))
        );
        assert_eq!(resolver("nameserver fe80::1%eth0\n"), Some(address("fe80::1")));
        assert_eq!(resolver("search a\n"), None);
    }

    #[tokio::test]
    async fn a_place_this_machine_lacks_is_our_failure() {
        let empty = tempfile::NamedTempFile::new().unwrap();
        let finder = Finder::reading(empty.path(), empty.path());
        assert_eq!(finder.address(&Place::DefaultGateway).await, Err(Failure::Local));
        assert_eq!(finder.address(&Place::Resolver).await, Err(Failure::Local));
    }

    #[tokio::test]
    async fn a_changed_file_changes_the_place() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let finder = Finder::reading(file.path(), file.path());
        for resolver in ["192.0.2.53", "192.0.2.54"] {
            std::fs::write(file.path(), format!("nameserver {resolver}\n")).unwrap();
            assert_eq!(finder.address(&Place::Resolver).await, Ok(address(resolver)));
        }
    }
}
