//! What the kernel and the LAN say, in a network of its own with a cable to another machine: new neighbours, another
//! gateway, a DHCP server that is not ours. Without root and iproute2 it is told and passed over.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use haidang_probe::credential::Credentials;
use haidang_probe::event::{EventKind, Field};
use haidang_probe::listening::Listening;
use haidang_tests::heard::Heard;
use haidang_tests::network::{Elsewhere, in_a_network_of_its_own, sh};
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

/// A machine at the other end of a cable.
struct Peer(Elsewhere);

impl Peer {
    fn connect() -> Peer {
        let peer = Elsewhere::new().unwrap();
        let own = [
            "ip link set lo up",
            "ip link add v0 address 00:00:5e:00:53:01 type veth peer name v1 address 00:00:5e:00:53:02",
            &format!("ip link set v1 netns {}", peer.pid()),
            "ip addr add 10.77.0.1/24 dev v0 && ip link set v0 up",
        ];
        own.into_iter().for_each(|command| sh(command).unwrap());
        peer.sh("ip addr add 10.77.0.2/24 dev v1 && ip addr add 10.77.0.66/24 dev v1 && ip link set v1 up")
            .unwrap();
        sh("ip route add default via 10.77.0.2").unwrap();
        Peer(peer)
    }

    /// Runs something at the peer.
    fn sh(&self, command: &str) {
        self.0.sh(command).unwrap();
    }

    /// Sends something to us, so that its address and hardware address are learnt.
    fn speaks(&self) {
        self.sh("echo > /dev/udp/10.77.0.1/9");
    }
}

#[tokio::test]
async fn the_kernel_tells_a_new_neighbour_and_another_gateway() {
    if !in_a_network_of_its_own("the_kernel_tells_a_new_neighbour_and_another_gateway") {
        return;
    }
    let (peer, mut site) = (Peer::connect(), Heard::new().unwrap());
    site.follow(Listening { neighbours: true, ..Listening::default() }, Credentials::default());
    tokio::time::sleep(Duration::from_millis(300)).await;
    peer.speaks();
    let event = site.next("a new neighbour").await.unwrap();
    assert_eq!((event.kind, &*event.part), (EventKind::NeighbourNew, "v0"));
    assert_eq!(
        (event.says(Field::Mac), event.says(Field::Address)),
        (Some("00:00:5e:00:53:02"), Some("10.77.0.2"))
    );
    peer.sh("ip link set v1 down && ip link set v1 address 00:00:5e:00:53:03 && ip link set v1 up");
    peer.speaks();
    let event = site.next("another gateway").await.unwrap();
    assert_eq!(event.kind, EventKind::GatewayMoved);
    let macs = [Field::MacBefore, Field::Mac].map(|field| event.says(field));
    assert_eq!(macs, [Some("00:00:5e:00:53:02"), Some("00:00:5e:00:53:03")]);
}

/// Set at the peer's end: this test run is to send an offer and end.
const OFFERS: &str = "HAIDANG_OFFERS";

#[tokio::test]
async fn a_dhcp_server_that_is_not_the_gateway_is_told() {
    let name = "a_dhcp_server_that_is_not_the_gateway_is_told";
    if let Some(server) = std::env::var_os(OFFERS) {
        let server: Ipv4Addr = server.to_str().unwrap().parse().unwrap();
        let mut offer = vec![0; 236];
        offer[0] = 2;
        offer.extend([99, 130, 83, 99, 53, 1, 2, 54, 4]);
        offer.extend(server.octets());
        offer.push(255);
        let socket = UdpSocket::bind((server, 67)).unwrap();
        socket.set_broadcast(true).unwrap();
        socket.send_to(&offer, "10.77.0.255:68").unwrap();
        return;
    }
    if !in_a_network_of_its_own(name) {
        return;
    }
    let (peer, mut site) = (Peer::connect(), Heard::new().unwrap());
    site.follow(Listening { dhcp: true, ..Listening::default() }, Credentials::default());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let this = std::env::current_exe().unwrap();
    for server in ["10.77.0.2", "10.77.0.66"] {
        peer.sh(&format!("{OFFERS}={server} {} --exact {name} >/dev/null", this.display()));
    }
    let event = site.next("a server that is not the gateway").await.unwrap();
    assert_eq!(event.kind, EventKind::DhcpStranger);
    assert_eq!(
        event.says(Field::Address),
        Some("10.77.0.66"),
        "the gateway's own answer, before it, is none"
    );
}
