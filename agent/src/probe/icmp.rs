//! ICMP echo (RFC 792, RFC 4443) by surge-ping: one socket per family for all checks, opened when first
//! needed.
//!
//! An unprivileged datagram socket is tried first, then a raw one. Where the machine permits neither, that is
//! said once, with how to mend it, and the outcome is [`Failure::NotPermitted`]: the target is unknown, not
//! down. Permission given later is used at the next run.

use super::{Answer, Budget, Tools};
use crate::dial;
use crate::place::Finder;
use haidang_probe::ask::icmp::Question;
use haidang_probe::ask::place::Place;
use haidang_probe::outcome::Failure;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use surge_ping::{Client, Config, ICMP, IcmpPacket, PingIdentifier, PingSequence, SurgeError};

/// Octets after the ICMP header, as `ping` sends them by default.
const PAYLOAD: [u8; 56] = [0x48; 56];

/// One socket per family, for all runs.
pub struct Probe {
    finder: Finder,
    v4: Shared,
    v6: Shared,
    /// A number of its own for each request, over all targets: two checks of one target never share one.
    next: AtomicU16,
    identifier: PingIdentifier,
}

impl Probe {
    /// Opens no socket yet.
    pub fn new(tools: &Tools) -> Probe {
        Probe {
            finder: tools.finder.clone(),
            v4: Shared::new(ICMP::V4),
            v6: Shared::new(ICMP::V6),
            next: AtomicU16::new(0),
            // Tells our answers from another process's on a raw socket; the kernel does it on a datagram one.
            identifier: PingIdentifier(std::process::id() as u16),
        }
    }

    /// One request, one answer; the duration is the round trip.
    pub async fn ask(&self, question: &Question, budget: Budget) -> Answer {
        self.echo(&question.place, budget).await.into()
    }

    async fn echo(&self, place: &Place, budget: Budget) -> Result<Duration, Failure> {
        let address = budget.spend(Failure::Resolve, self.finder.address(place)).await?;
        let shared = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        let client = shared.client()?;
        budget.spend(Failure::Timeout, self.round_trip(&client, address, budget.left())).await
    }

    async fn round_trip(
        &self,
        client: &Client,
        address: IpAddr,
        within: Duration,
    ) -> Result<Duration, Failure> {
        let sequence = PingSequence(self.next.fetch_add(1, Ordering::Relaxed));
        let mut pinger = client.pinger(address, self.identifier).await;
        match pinger.timeout(within).ping(sequence, &PAYLOAD).await {
            Ok((packet, round_trip)) if is_reply(&packet) => Ok(round_trip),
            Ok(_) => Err(Failure::Unreachable),
            Err(error) => Err(failure(&error)),
        }
    }
}

/// The socket of one family.
struct Shared {
    kind: ICMP,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    client: Option<Client>,
    refused: bool,
}

impl Shared {
    fn new(kind: ICMP) -> Shared {
        Shared { kind, state: Mutex::default() }
    }

    fn client(&self) -> Result<Client, Failure> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &state.client {
            return Ok(client.clone());
        }
        match Client::new(&Config::builder().kind(self.kind).build()) {
            Ok(client) => {
                if state.refused {
                    tracing::info!(family = ?self.kind, "icmp is permitted now");
                }
                Ok(state.client.insert(client).clone())
            }
            Err(error) => {
                let failure = dial::failure(&error);
                if !std::mem::replace(&mut state.refused, true) {
                    self.tell(&error, failure);
                }
                Err(failure)
            }
        }
    }

    fn tell(&self, error: &io::Error, failure: Failure) {
        let reason = error.to_string();
        let reason = reason.lines().next().unwrap_or_default();
        if failure == Failure::NotPermitted {
            tracing::warn!(
                family = ?self.kind,
                "this machine does not permit icmp: icmp checks are unknown, all others run; to mend it: \
                 `sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"`, or \
                 `setcap cap_net_raw+ep haidang-agent`"
            );
        } else {
            tracing::warn!(family = ?self.kind, reason, "no icmp socket: icmp checks are unknown");
        }
    }
}

/// Whether a packet is the echo reply (RFC 792: type 0; RFC 4443: type 129). The library also hands over a router's
/// error that quotes our request: that says that there is no way there.
fn is_reply(packet: &IcmpPacket) -> bool {
    match packet {
        IcmpPacket::V4(packet) => packet.get_icmp_type().0 == 0,
        IcmpPacket::V6(packet) => packet.get_icmpv6_type().0 == 129,
    }
}

fn failure(error: &SurgeError) -> Failure {
    match error {
        SurgeError::Timeout { .. } => Failure::Timeout,
        SurgeError::IOError(error) => dial::failure(error),
        _ => Failure::Local,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_daemon::clock::Clock;
    use socket2::Type;
    use surge_ping::Icmpv4Packet;

    fn probe() -> (Tools, Probe) {
        let tools = Tools { clock: Clock::machine().unwrap(), finder: Finder::default() };
        let probe = Probe::new(&tools);
        (tools, probe)
    }

    /// What a machine may answer to a request to itself: it permits icmp, or it does not; never a verdict on
    /// the target in the second case.
    #[tokio::test]
    async fn loopback_answers_or_the_machine_does_not_permit() {
        let (tools, probe) = probe();
        for _ in 0..2 {
            let budget = Budget::start(&tools.clock, Duration::from_secs(2));
            match probe.ask(&"127.0.0.1".parse().unwrap(), budget).await.result {
                Ok(round_trip) => assert!(round_trip < Duration::from_secs(2)),
                Err(failure) => assert_eq!(failure, Failure::NotPermitted),
            }
        }
    }

    #[tokio::test]
    async fn two_checks_of_one_target_do_not_disturb_each_other() {
        let (tools, probe) = probe();
        let question: Question = "127.0.0.1".parse().unwrap();
        let budget = || Budget::start(&tools.clock, Duration::from_secs(2));
        let (first, second) = tokio::join!(probe.ask(&question, budget()), probe.ask(&question, budget()));
        assert_eq!(first.result.is_ok(), second.result.is_ok());
        assert_ne!(second.result, Err(Failure::Local), "same number used twice");
    }

    #[test]
    fn a_refused_socket_leaves_the_target_unknown() {
        let refused = io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(!failure(&SurgeError::IOError(refused)).tells_of_target());
        assert!(failure(&SurgeError::Timeout { seq: PingSequence(0) }).tells_of_target());
    }

    /// An IPv4 packet from 198.51.100.9, without checksums, which nobody looks at here.
    fn packet(icmp: &[u8]) -> IcmpPacket {
        let mut octets = vec![0x45, 0, 0, 20 + icmp.len() as u8, 0, 0, 0, 0, 64, 1, 0, 0];
        octets.extend([198, 51, 100, 9, 127, 0, 0, 1]);
        octets.extend(icmp);
        let (from, to) = ("198.51.100.9".parse().unwrap(), "127.0.0.1".parse().unwrap());
        IcmpPacket::V4(Icmpv4Packet::decode(&octets, Type::RAW, from, to).unwrap())
    }

    #[test]
    fn a_routers_error_that_quotes_our_request_is_no_answer() {
        let request = [8, 0, 0, 0, 0x4b, 0xdb, 0, 1];
        assert!(is_reply(&packet(&[0, 0, 0, 0, 0x4b, 0xdb, 0, 1])));
        for kind in [3, 11] {
            let mut error = vec![kind, 1, 0, 0, 0, 0, 0, 0];
            error.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 127, 0, 0, 1, 198, 51, 100, 9]);
            error.extend(request);
            assert!(!is_reply(&packet(&error)), "type {kind}");
        }
    }
}
