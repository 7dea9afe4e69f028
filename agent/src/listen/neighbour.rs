//! Hardware addresses on the LAN, as the kernel's neighbour table learns them (rtnetlink): new ones, ones that moved,
//! and the gateway's.
//!
//! ```text
//! at a start   what the table holds is known, silently
//! new          a hardware address nobody had ─────────────────────────────▶ neighbour-new
//! moved        an address that was heard under another within FRESH,
//!              or a hardware address on another interface ────────────────▶ neighbour-moved
//! gateway      the default gateway's address under another, always ───────▶ gateway-moved
//! ```
//!
//! Passive: nothing is asked of the LAN. Locally administered hardware addresses (phones draw one a network) are never
//! told as new or moved; as the gateway's they are, for that is what a spoofed gateway looks like. An address that
//! falls silent and comes back under another hardware address is a lease given anew, and no event.

use super::ear::Ear;
use super::netlink::{Netlink, Seen};
use super::{Said, Tools};
use haidang_probe::ask::place::Place;
use haidang_probe::event::{EventKind, Field};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// Hardware addresses, and addresses, remembered; of more, the half silent longest is forgotten.
const MAX_KNOWN: usize = 4096;
/// An address heard under one hardware address within this time, and now under another, has moved.
const FRESH: Duration = Duration::from_secs(600);

/// Whether neighbours are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings;

impl Settings {
    /// What the plan says of it.
    pub fn of(said: &Said) -> Option<Settings> {
        said.listening.neighbours.then_some(Settings)
    }
}

/// Listens until it cannot.
pub async fn run(_settings: Settings, ear: Ear, tools: Tools) -> io::Result<Infallible> {
    let mut netlink = Netlink::open()?;
    let mut neighbours = Neighbours::default();
    for seen in netlink.table().await? {
        neighbours.knows(seen, ear.now_ns());
    }
    tracing::debug!(known = neighbours.macs.len(), "neighbour table read");
    loop {
        for seen in netlink.changes().await? {
            let gateway = tools.finder.address(&Place::DefaultGateway).await.ok();
            let Some(finding) = neighbours.sees(seen, gateway, ear.now_ns()) else { continue };
            let interface = netlink.name_of(seen.interface);
            ear.notice(finding.kind, &interface, |event| {
                let event = event
                    .with(Field::Address, seen.address.to_string())
                    .with(Field::Mac, seen.mac.to_string());
                event.with(Field::MacBefore, finding.before.map(|mac| mac.to_string()).unwrap_or_default())
            });
        }
    }
}

/// A hardware address of Ethernet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Whether whoever uses it chose it (IEEE 802, the second bit): a phone, a virtual machine, a container.
    pub fn is_local(self) -> bool {
        self.0[0] & 0x02 != 0
    }

    /// Whether it is one machine's: neither a group's nor nobody's.
    pub fn is_of_one(self) -> bool {
        self.0[0] & 0x01 == 0 && self.0 != [0; 6]
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, octet) in self.0.iter().enumerate() {
            let colon = if nth == 0 { "" } else { ":" };
            write!(f, "{colon}{octet:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// New, moved or the gateway's.
    pub kind: EventKind,
    /// The hardware address the address had, where it had another.
    pub before: Option<Mac>,
}

/// Who is known. Pure: time is given.
#[derive(Debug, Default)]
pub struct Neighbours {
    /// Interface of each hardware address, and when it was heard last.
    macs: BTreeMap<Mac, (u32, u64)>,
    /// Hardware address of each address, and when it was heard last.
    addresses: BTreeMap<IpAddr, (Mac, u64)>,
}

impl Neighbours {
    /// Remembers a neighbour without a word.
    pub fn knows(&mut self, seen: Seen, now_ns: u64) {
        if seen.mac.is_of_one() {
            remember(&mut self.macs, seen.mac, (seen.interface, now_ns), |known| known.1);
            remember(&mut self.addresses, seen.address, (seen.mac, now_ns), |known| known.1);
        }
    }

    /// A neighbour was heard; what is to be told of it.
    pub fn sees(&mut self, seen: Seen, gateway: Option<IpAddr>, now_ns: u64) -> Option<Finding> {
        if !seen.mac.is_of_one() {
            return None;
        }
        let known = self.macs.get(&seen.mac).copied();
        let held = self.addresses.get(&seen.address).copied();
        self.knows(seen, now_ns);
        let before = held.map(|(mac, _)| mac).filter(|mac| *mac != seen.mac);
        if before.is_some() && gateway == Some(seen.address) {
            return Some(Finding { kind: EventKind::GatewayMoved, before });
        }
        if seen.mac.is_local() {
            return None;
        }
        let Some((interface, _)) = known else {
            return Some(Finding { kind: EventKind::NeighbourNew, before });
        };
        let fresh =
            held.is_some_and(|(_, heard_ns)| now_ns.saturating_sub(heard_ns) <= FRESH.as_nanos() as u64);
        let taken = before.is_some_and(|mac| fresh && !mac.is_local());
        let moved = taken || interface != seen.interface;
        moved.then_some(Finding { kind: EventKind::NeighbourMoved, before })
    }
}

/// Sets `key`, and forgets what was heard longest ago when there are too many.
fn remember<K: Ord + Copy, V>(map: &mut BTreeMap<K, V>, key: K, value: V, heard_ns: fn(&V) -> u64) {
    map.insert(key, value);
    if map.len() > MAX_KNOWN {
        // The older half at once: a flood would otherwise look through all of them for each.
        let mut heard: Vec<u64> = map.values().map(heard_ns).collect();
        let (_, &mut middle, _) = heard.select_nth_unstable(MAX_KNOWN / 2);
        map.retain(|_, value| heard_ns(value) > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000_000_000;

    fn seen(mac: u8, address: &str, interface: u32) -> Seen {
        Seen { mac: Mac([0, 0, 0x5e, 0, 0x53, mac]), address: address.parse().unwrap(), interface }
    }

    fn kind(finding: Option<Finding>) -> Option<EventKind> {
        finding.map(|finding| finding.kind)
    }

    #[test]
    fn a_new_one_is_told_once_and_the_ones_of_the_start_never() {
        let mut neighbours = Neighbours::default();
        neighbours.knows(seen(1, "192.0.2.1", 2), 0);
        assert_eq!(neighbours.sees(seen(1, "192.0.2.1", 2), None, 0), None);
        assert_eq!(kind(neighbours.sees(seen(2, "192.0.2.2", 2), None, 0)), Some(EventKind::NeighbourNew));
        assert_eq!(neighbours.sees(seen(2, "192.0.2.2", 2), None, 0), None);
        assert_eq!(neighbours.sees(seen(2, "2001:db8::2", 2), None, 0), None, "its second address");
    }

    #[test]
    fn an_address_taken_over_has_moved_and_a_lease_given_anew_has_not() {
        let mut neighbours = Neighbours::default();
        for (mac, address) in [(1, "192.0.2.1"), (2, "192.0.2.2")] {
            neighbours.knows(seen(mac, address, 2), 0);
        }
        let moved = neighbours.sees(seen(2, "192.0.2.1", 2), None, MINUTE);
        let before = Some(Mac([0, 0, 0x5e, 0, 0x53, 1]));
        assert_eq!(moved, Some(Finding { kind: EventKind::NeighbourMoved, before }));
        assert_eq!(neighbours.sees(seen(1, "192.0.2.1", 2), None, 60 * MINUTE), None);
        assert_eq!(
            kind(neighbours.sees(seen(1, "192.0.2.1", 3), None, 61 * MINUTE)),
            Some(EventKind::NeighbourMoved)
        );
    }

    #[test]
    fn the_gateway_is_told_however_long_it_was_silent_and_whoever_it_is() {
        let gateway = "192.0.2.1".parse().ok();
        let mut neighbours = Neighbours::default();
        neighbours.knows(seen(1, "192.0.2.1", 2), 0);
        assert_eq!(neighbours.sees(seen(1, "192.0.2.1", 2), gateway, 0), None);
        let forged = Seen { mac: Mac([2, 0, 0, 0, 0, 9]), ..seen(1, "192.0.2.1", 2) };
        assert_eq!(kind(neighbours.sees(forged, gateway, 600 * MINUTE)), Some(EventKind::GatewayMoved));
    }

    #[test]
    fn locally_administered_ones_are_nobodys_news() {
        let mut neighbours = Neighbours::default();
        neighbours.knows(seen(1, "192.0.2.1", 2), 0);
        let phone = Seen { mac: Mac([0xda, 0, 0, 0, 0, 1]), ..seen(1, "192.0.2.7", 2) };
        assert_eq!(neighbours.sees(phone, None, 0), None);
        assert_eq!(neighbours.sees(Seen { interface: 3, ..phone }, None, 0), None);
        assert_eq!(neighbours.sees(Seen { address: "192.0.2.1".parse().unwrap(), ..phone }, None, 0), None);
        assert_eq!(neighbours.sees(seen(1, "192.0.2.1", 2), None, MINUTE), None, "back from a phone");
        let group = Seen { mac: Mac([1, 0, 0x5e, 0, 0, 1]), ..phone };
        assert_eq!(neighbours.sees(group, None, 0), None);
    }

    #[test]
    fn a_flood_of_forged_addresses_takes_no_memory() {
        let mut neighbours = Neighbours::default();
        for n in 0..10_000_u32 {
            let [_, b, c, d] = n.to_be_bytes();
            let address = IpAddr::from([10, b, c, d]);
            neighbours.sees(Seen { mac: Mac([0, 1, 2, b, c, d]), address, interface: 2 }, None, u64::from(n));
        }
        assert!((MAX_KNOWN / 2..=MAX_KNOWN).contains(&neighbours.macs.len()));
        assert!(neighbours.addresses.len() <= MAX_KNOWN);
        assert!(neighbours.macs.contains_key(&Mac([0, 1, 2, 0, 0x27, 0x0f])), "the last one is known");
    }
}
