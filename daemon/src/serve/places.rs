//! Who may connect: so many at a time, and of one network not all of them.
//!
//! Waiting costs a peer nothing and us a place, so one that opens connections and says nothing would keep
//! everybody else out for as long as a head may take. A quarter of the places is out of any one's reach.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Places for connections.
pub(super) struct Places {
    all: usize,
    taken: Mutex<BTreeMap<IpAddr, usize>>,
}

/// A place, held until it is dropped.
pub(super) struct Place {
    of: Arc<Places>,
    network: IpAddr,
}

impl Places {
    pub fn new(all: usize) -> Arc<Places> {
        Arc::new(Places { all, taken: Mutex::default() })
    }

    /// A place for a connection from `peer`, if there is one for it.
    pub fn take(self: &Arc<Places>, peer: IpAddr) -> Option<Place> {
        let network = network(peer);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_network = taken.get(&network).copied().unwrap_or(0);
        if taken.values().sum::<usize>() >= self.all || of_network >= self.of_one() {
            return None;
        }
        taken.insert(network, of_network + 1);
        Some(Place { of: self.clone(), network })
    }

    fn of_one(&self) -> usize {
        self.all - self.all / 4
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.network);
            }
        }
    }
}

/// What one peer can choose its addresses from: in IPv6 the last 64 bits are its own (RFC 4291 §2.5.1).
pub(super) fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_network_leaves_a_quarter_to_the_others() {
        let places = Places::new(8);
        let mut held: Vec<Place> = (0..6).filter_map(|_| places.take(at("192.0.2.1"))).collect();
        assert_eq!(held.len(), 6);
        assert!(places.take(at("192.0.2.1")).is_none());
        assert!(places.take(at("::ffff:192.0.2.1")).is_none(), "the same by another name");
        held.extend([places.take(at("192.0.2.2")), places.take(at("192.0.2.3"))].into_iter().flatten());
        assert_eq!(held.len(), 8);
        assert!(places.take(at("192.0.2.4")).is_none(), "all are taken");
        held.clear();
        assert!(places.taken.lock().unwrap().is_empty());
    }

    #[test]
    fn a_subnet_of_ipv6_is_one_peer() {
        assert_eq!(network(at("2001:db8::1")), network(at("2001:db8::ffff:1")));
        assert_ne!(network(at("2001:db8::1")), network(at("2001:db8:0:1::1")));
    }
}
