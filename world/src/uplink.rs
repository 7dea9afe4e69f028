//! One simulated uplink: both authenticated STAMP sessions over one socket, seen from the site.
//!
//! ```text
//!   up n       sender ─── delay, loss ──▶ collector        1/s
//!              sender ◀── delay, loss ─── its answer
//!   down n+1   reflector ◀─ delay, loss ─ collector
//!              answer ─── delay, loss ──▶ collector
//! ```
//!
//! [`Uplink`] is pure; [`Session::run`] is its socket. While the line is cut the sender goes on counting and nothing
//! leaves or arrives, as for a real agent; where the agent's machine has no power it does not count, and begins anew
//! when it is back. Where its gateway changes lines, packets leave by the other from then on: another address, another
//! port, and the sessions go on.

use crate::later::Later;
use crate::switches::{Footing, Power, Switch};
use crate::time::Time;
use crate::weather::{Direction, Weather};
use anyhow::Context as _;
use haidang_collector::topology::Id;
use haidang_daemon::stop::Stop;
use haidang_probe::liveness::{
    Key, MAX_PACKET, Now, Reflected, Reflector, Sender, TTL_UNKNOWN, down_session,
};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// Interval of the up session.
const EVERY: Duration = Duration::from_secs(1);

/// The site's end of an uplink, without socket or clock.
pub struct Uplink {
    sender: Sender,
    reflector: Reflector,
    weather: Weather,
    answers: Later<Vec<u8>>,
}

impl Uplink {
    /// The end of up session `ssid` on `line`; `random` is drawn anew at each start.
    pub fn new(line: &str, ssid: u16, key: &[u8; 32], random: &[u8; 40], switch: &Switch) -> Uplink {
        let (mut start, mut cookie_secret) = ([0; 8], [0; 32]);
        start.copy_from_slice(&random[..8]);
        cookie_secret.copy_from_slice(&random[8..]);
        let key = Key::new(key);
        let mut reflector = Reflector::new(&cookie_secret);
        reflector.allow(down_session(ssid), key.clone());
        let sender = Sender::new(ssid, key, u64::from_be_bytes(start));
        Uplink { sender, reflector, weather: Weather::new(line, "life", switch), answers: Later::default() }
    }

    /// From now on packets take `line`, with its weather.
    pub fn ride(&mut self, line: &str, switch: &Switch) {
        self.weather = Weather::new(line, "life", switch);
    }

    /// The up packet that reaches the centre at `now`, sent a delay ago; `None` when it was lost.
    pub fn next(&mut self, now: &Now) -> Option<Vec<u8>> {
        let (_, packet) = self.sender.next(&moved(now, -(self.weather.delay_ns(Direction::Up) as i64)));
        self.weather.carries(Direction::Up).then_some(packet)
    }

    /// Takes a datagram the centre sent at `now`; the site has it a delay later.
    pub fn receive(&mut self, datagram: &[u8], now: &Now) {
        if !self.weather.carries(Direction::Down) {
            return;
        }
        let arrived = moved(now, self.weather.delay_ns(Direction::Down) as i64);
        if !self.reflector.serves(datagram) {
            // An answer to a packet of ours, or nothing we know.
            let _ = self.sender.receive(datagram, &arrived);
            return;
        }
        let reflected = self.reflector.receive(datagram, TTL_UNKNOWN, &arrived, &arrived);
        if let Ok(Reflected::Heard { reply, .. } | Reflected::Challenged { reply, .. }) = reflected
            && self.weather.carries(Direction::Up)
        {
            self.answers.send(arrived.mono_ns + self.weather.delay_ns(Direction::Up), reply);
        }
    }

    /// When an answer reaches the centre.
    pub fn due_ns(&self) -> Option<u64> {
        self.answers.due_ns()
    }

    /// An answer that has reached the centre by `now_ns`.
    pub fn answer(&mut self, now_ns: u64) -> Option<Vec<u8>> {
        self.answers.take(now_ns)
    }
}

fn moved(now: &Now, by_ns: i64) -> Now {
    Now { mono_ns: now.mono_ns.saturating_add_signed(by_ns), utc_ns: now.utc_ns + by_ns, ..*now }
}

/// Binds the uplink's own socket, which hears the collector alone.
///
/// # Errors
/// Says from which address to which.
pub async fn bind(source: Option<IpAddr>, collector: SocketAddr) -> io::Result<UdpSocket> {
    let source = source.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let said =
        |error: io::Error| io::Error::new(error.kind(), format!("udp from {source} to {collector}: {error}"));
    let socket = UdpSocket::bind((source, 0)).await.map_err(said)?;
    socket.connect(collector).await.map_err(said)?;
    Ok(socket)
}

/// A line as packets of an uplink leave by it.
#[derive(Clone, Debug)]
pub struct Outlet {
    /// The line.
    pub line: Id,
    /// Its switch.
    pub switch: Switch,
    /// The address they come from then; the system chooses when absent.
    pub source: Option<IpAddr>,
}

/// What an uplink begins with, at the start and after each loss of power.
pub struct Session {
    /// Where packets leave while its gateway rides on the primary, and on the backup; the same where it does not
    /// choose for them.
    pub outlets: [Outlet; 2],
    /// The collector's STAMP port.
    pub to: SocketAddr,
    /// Its up session.
    pub ssid: u16,
    /// The STAMP key.
    pub key: [u8; 32],
    /// How the site stands.
    pub site: watch::Receiver<Footing>,
    /// The clocks.
    pub time: Time,
}

impl Session {
    fn begin(&self) -> anyhow::Result<Uplink> {
        let Outlet { line, switch, .. } = self.outlet();
        Ok(Uplink::new(line, self.ssid, &self.key, &random()?, switch))
    }

    /// Where packets leave now.
    fn outlet(&self) -> &Outlet {
        &self.outlets[usize::from(self.site.borrow().on_backup)]
    }

    /// Now, by the clock of the agent's machine.
    fn now(&self) -> Now {
        let now = self.time.now(0);
        Now { utc_ns: now.utc_ns.saturating_add(self.site.borrow().clock_ns), ..now }
    }

    /// Whether the agent's machine has power.
    fn lives(&self) -> bool {
        self.site.borrow().power != Power::Off
    }

    /// Runs the uplink until `stop`, first on `socket`, bound to where it leaves on the primary; its first packet leaves
    /// after `phase`, so that a province does not speak at once.
    ///
    /// # Errors
    /// When no random octets can be drawn, or no socket be bound on another line.
    pub async fn run(self, mut socket: UdpSocket, phase: Duration, stop: Stop) -> anyhow::Result<()> {
        let (mut uplink, mut losses) = (self.begin()?, self.site.borrow().losses);
        tokio::time::sleep(phase).await;
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut datagram = [0; MAX_PACKET + 1];
        let (mut rides_on, mut felt) = (self.outlets[0].line.clone(), self.site.clone());
        loop {
            let outlet = self.outlet();
            if outlet.line != rides_on {
                socket = bind(outlet.source, self.to).await?;
                uplink.ride(&outlet.line, &outlet.switch);
                rides_on.clone_from(&outlet.line);
            }
            let lost = self.site.borrow().losses;
            if lost != losses {
                (uplink, losses) = (self.begin()?, lost);
            }
            let answer_in = uplink.due_ns().map(|due_ns| due_ns.saturating_sub(self.time.mono_ns()));
            // What the socket refuses (nobody listens at the collector's port) is a lost packet, here as there.
            tokio::select! {
                () = stop.wait() => return Ok(()),
                Ok(()) = felt.changed() => {}
                _ = every.tick() => if self.lives() && let Some(packet) = uplink.next(&self.now()) && !outlet.switch.is_cut() {
                    let _ = socket.send(&packet).await;
                },
                Ok(length) = socket.recv(&mut datagram) => if self.lives() && !outlet.switch.is_cut() {
                    uplink.receive(&datagram[..length], &self.now());
                },
                () = tokio::time::sleep(Duration::from_nanos(answer_in.unwrap_or_default())), if answer_in.is_some() => {
                    while let Some(answer) = uplink.answer(self.time.mono_ns()) {
                        if !outlet.switch.is_cut() {
                            let _ = socket.send(&answer).await;
                        }
                    }
                }
            }
        }
    }
}

/// Octets that nobody else has.
///
/// # Errors
/// When the machine gives none.
pub fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).context("draw random octets")?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_probe::liveness::Reply;

    const KEY: [u8; 32] = [7; 32];
    const SECOND: u64 = 1_000_000_000;

    fn at(mono_ns: u64) -> Now {
        Now { mono_ns, utc_ns: 1_795_000_000 * SECOND as i64 + mono_ns as i64, bound_ns: 1 }
    }

    fn uplink() -> Uplink {
        Uplink::new("28249-1", 6, &KEY, &[3; 40], &Switch::default())
    }

    #[test]
    fn the_collector_hears_the_up_session() {
        let mut uplink = uplink();
        let mut centre = Reflector::new(&[1; 32]);
        centre.allow(6, Key::new(&KEY));
        let heard = (1..100).filter(|second| {
            let now = at(second * SECOND);
            let Some(packet) = uplink.next(&now) else { return false };
            match centre.receive(&packet, TTL_UNKNOWN, &now, &now).unwrap() {
                Reflected::Heard { reply, .. } => {
                    uplink.receive(&reply, &now);
                    true
                }
                Reflected::Measured { .. } => panic!("a simulated agent measures no quality"),
                Reflected::Challenged { reply, .. } => {
                    uplink.receive(&reply, &now);
                    false
                }
            }
        });
        assert!(heard.count() > 90);
    }

    #[test]
    fn a_down_packet_is_answered_both_delays_later() {
        let mut uplink = uplink();
        let mut centre = Sender::new(7, Key::new(&KEY), 9);
        let mut replies: Vec<Reply> = Vec::new();
        for second in 1..20 {
            let (_, packet) = centre.next(&at(second * SECOND));
            uplink.receive(&packet, &at(second * SECOND));
            let Some(due_ns) = uplink.due_ns() else { continue };
            assert_eq!(uplink.answer(due_ns - 1), None, "still under way");
            replies.push(centre.receive(&uplink.answer(due_ns).unwrap(), &at(due_ns)).unwrap());
        }
        let delay = uplink.weather.delay_ns(Direction::Up) + uplink.weather.delay_ns(Direction::Down);
        assert!(replies.len() > 15 && replies.iter().all(|reply| reply.rtt_ns == delay), "{replies:?}");
        assert!(replies.last().unwrap().peer_count.is_some(), "counted as life");
    }

    #[tokio::test]
    async fn packets_leave_by_the_other_line_when_the_gateway_changes_over() {
        let centre = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let to = centre.local_addr().unwrap();
        let outlet = |line: &str, source: &str| Outlet {
            line: line.into(),
            switch: Switch::default(),
            source: source.parse().ok(),
        };
        let outlets = [outlet("28250-1", "127.83.16.2"), outlet("28250-2", "127.83.16.3")];
        let (footing, site) = watch::channel(Footing::default());
        let time = Time::new(haidang_daemon::clock::Clock::manual());
        let socket = bind(outlets[0].source, to).await.unwrap();
        let (stopper, stop) = haidang_daemon::stop::pair();
        let session = Session { outlets, to, ssid: 6, key: KEY, site, time };
        let running = tokio::spawn(session.run(socket, Duration::ZERO, stop));
        let mut datagram = [0; MAX_PACKET];
        for on_backup in [false, true, false] {
            footing.send_modify(|footing| footing.on_backup = on_backup);
            let expected = if on_backup { "127.83.16.3" } else { "127.83.16.2" };
            // One that was under way may still come from before.
            while centre.recv_from(&mut datagram).await.unwrap().1.ip().to_string() != expected {}
        }
        stopper.stop();
        running.await.unwrap().unwrap();
    }

    #[test]
    fn noise_gets_no_answer() {
        let mut uplink = uplink();
        for length in [0, 1, 28, 44, 112, 156, 1_473] {
            uplink.receive(&vec![7; length], &at(SECOND));
        }
        assert_eq!(uplink.due_ns(), None);
    }
}
