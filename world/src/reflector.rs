//! What answers the core agent: an unauthenticated STAMP reflector at a gateway, port or core.
//!
//! Stateless but for the answers under way. A silent part neither takes nor gives.

use crate::later::Later;
use crate::map::Part;
use crate::switches::Switch;
use crate::time::Time;
use crate::weather::{Direction, Weather};
use haidang_daemon::stop::Stop;
use haidang_probe::liveness::{MAX_PACKET, Now, TTL_UNKNOWN, reflect_plain};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::UdpSocket;

/// The reflector of one part, without socket or clock.
pub struct Reflector {
    weather: Weather,
    answers: Later<(Vec<u8>, SocketAddr)>,
}

impl Reflector {
    /// What answers at `part`.
    pub fn new(part: &Part, switch: &Switch) -> Reflector {
        // A port or a core has a way of its own, with a weather like a line's.
        let (Part::Line(way) | Part::OurPort(way) | Part::CarrierPort(way) | Part::Core(way)) = part;
        Reflector { weather: Weather::new(way, &format!("{part:?}"), switch), answers: Later::default() }
    }

    /// Takes a datagram sent at `now`; its answer is back both delays later, if neither is lost.
    pub fn receive(&mut self, datagram: &[u8], from: SocketAddr, now: &Now) {
        let arrives = self.weather.carries(Direction::Down);
        let returns = self.weather.carries(Direction::Up);
        if !(arrives && returns) {
            return;
        }
        let down_ns = self.weather.delay_ns(Direction::Down);
        let arrived = Now { mono_ns: now.mono_ns + down_ns, utc_ns: now.utc_ns + down_ns as i64, ..*now };
        if let Ok(answer) = reflect_plain(datagram, TTL_UNKNOWN, &arrived, &arrived) {
            self.answers.send(arrived.mono_ns + self.weather.delay_ns(Direction::Up), (answer, from));
        }
    }
}

/// Binds a reflector's socket.
///
/// # Errors
/// Says at which address.
pub async fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let said = |error: io::Error| io::Error::new(error.kind(), format!("udp at {address}: {error}"));
    UdpSocket::bind(address).await.map_err(said)
}

/// Answers until `stop`.
pub async fn run(mut reflector: Reflector, socket: UdpSocket, part: Switch, time: Time, stop: Stop) {
    let mut datagram = [0; MAX_PACKET + 1];
    loop {
        let answer_in = reflector.answers.due_ns().map(|due_ns| due_ns.saturating_sub(time.mono_ns()));
        tokio::select! {
            () = stop.wait() => return,
            Ok((length, from)) = socket.recv_from(&mut datagram) => if !part.is_cut() {
                reflector.receive(&datagram[..length], from, &time.now(0));
            },
            () = tokio::time::sleep(Duration::from_nanos(answer_in.unwrap_or_default())), if answer_in.is_some() => {
                while let Some((answer, to)) = reflector.answers.take(time.mono_ns()) {
                    if !part.is_cut() {
                        // Who asked may be gone; that is theirs to notice.
                        let _ = socket.send_to(&answer, to).await;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_probe::liveness::PlainSender;

    #[test]
    fn the_answer_is_back_after_both_delays() {
        let mut reflector = Reflector::new(&Part::Line("28249-1".into()), &Switch::default());
        let mut sender = PlainSender::new(0);
        let from: SocketAddr = "127.0.0.1:9".parse().unwrap();
        let mut answered = 0;
        for second in 1..1_000u64 {
            let now =
                Now { mono_ns: second * 1_000_000_000, utc_ns: second as i64 * 1_000_000_000, bound_ns: 1 };
            reflector.receive(&sender.next(&now).1, from, &now);
            let Some(due_ns) = reflector.answers.due_ns() else { continue };
            let (answer, to) = reflector.answers.take(due_ns).unwrap();
            let back = Now { mono_ns: due_ns, utc_ns: due_ns as i64, bound_ns: 1 };
            let rtt_ns = sender.receive(&answer, &back).unwrap().rtt_ns;
            assert_eq!((to, rtt_ns), (from, due_ns - now.mono_ns));
            assert!((6_000_000..60_000_000).contains(&rtt_ns));
            answered += 1;
        }
        assert!((980..999).contains(&answered), "half a per cent is lost, not {answered} of 999");
    }

    #[test]
    fn noise_gets_no_answer() {
        let mut reflector = Reflector::new(&Part::Core("vnpt".into()), &Switch::default());
        let now = Now { mono_ns: 0, utc_ns: 0, bound_ns: 1 };
        reflector.receive(&[7; 43], "127.0.0.1:9".parse().unwrap(), &now);
        assert_eq!(reflector.answers.due_ns(), None);
    }
}
