//! The quality of the uplink, measured over the socket of its sessions.

use super::{Liveness, Sessions};
use crate::dial::Origin;
use crate::quality::{Quality, Told, Turn};
use haidang_daemon::datagrams;
use haidang_probe::check::CheckId;
use haidang_probe::event::{Event, Field};
use haidang_probe::moment::Moment;
use haidang_probe::outcome::{Failure, Outcome};
use haidang_probe::plan;
use socket2::SockRef;
use std::os::fd::AsFd as _;
use std::time::Duration;
use tokio::net::UdpSocket;

/// Intervals from the start to the first measurement of quality, at least: a start must be admitted first.
const SETTLE_TURNS: u32 = 2;

/// A measurement that began longer ago than this and ended nowhere is over.
const ANSWERED: Duration = Duration::from_secs(60);

/// The measurement of an uplink's quality, with its first moment drawn from `start`.
pub(super) fn begin(liveness: &Liveness, start: [u8; 8]) -> Quality {
    let every = liveness.measure_every;
    let share = f64::from(start[0]) / 256.0;
    let settled = liveness.uplink.plan.every.0 * SETTLE_TURNS;
    let first = settled.max(every.mul_f64(share)).as_nanos() as u64;
    Quality::new(every, liveness.clock.steady_ns() + first, liveness.uplink.plan.stamp_address().is_ipv4())
}

impl Sessions {
    /// Goes on with the measurement of quality. What cannot be sent does not come back, and that is all it says: a
    /// packet may be too long for our own interface.
    pub(super) async fn measure(&mut self, socket: &UdpSocket) {
        let now_ns = self.liveness.clock.steady_ns();
        let Sessions { liveness, quality, up, .. } = self;
        let plan = &liveness.uplink.plan;
        let Some(quality) = quality else { return };
        match quality.turn(now_ns, || told_mtu(plan)) {
            Turn::Wait => {}
            Turn::Told(told) => self.tell_quality(told),
            Turn::Send(sizes) => {
                let now = self.timestamps.now();
                // Made before the first is sent: a train leaves as fast as it can.
                let packets = sizes.iter().map(|size| up.measure(&now, *size));
                let packets: Vec<(u32, Vec<u8>)> = packets.collect();
                let moment = liveness.clock.moment();
                // What began longer ago was never answered.
                let recent =
                    |at: &Moment| moment.mono_ns.saturating_sub(at.mono_ns) < ANSWERED.as_nanos() as u64;
                self.measured = Some(self.measured.filter(recent).unwrap_or(moment));
                for (seq, packet) in packets {
                    self.leaves(seq, packet.len());
                    if let Err(error) =
                        self.send(socket, &packet, self.liveness.uplink.plan.stamp_address()).await
                    {
                        tracing::trace!(line = self.name, octets = packet.len(), %error, "measuring packet not sent");
                    }
                }
            }
        }
    }

    /// A packet of the round leaves now.
    fn leaves(&mut self, seq: u32, octets: usize) {
        let now_ns = self.liveness.clock.steady_ns();
        if let Some(quality) = &mut self.quality {
            quality.sent(seq, octets, now_ns);
        }
    }

    fn tell_quality(&mut self, told: Told) {
        let Told { trip, samples, change } = told;
        let sent = self.measured.take().unwrap_or_else(|| self.liveness.clock.moment());
        tracing::debug!(line = self.name, ?trip, "quality measured");
        if let Some(change) = change {
            tracing::info!(
                line = self.name,
                octets = change.mtu,
                event = change.kind.name(),
                "longest packet changed"
            );
            let event = Event::new(self.liveness.clock.moment(), change.kind, &*self.name);
            self.send_event(
                event.with(Field::Count, change.mtu.to_string()).with(Field::Reason, change.reason),
            );
        }
        self.liveness.board.quality(&self.name, &samples);
        // A line's second session has series of its own.
        let line = &self.liveness.uplink.plan.line;
        let first = self.liveness.board.is_first_of(line, &self.name);
        let check = CheckId::of_line(if first { line } else { &self.name });
        let outcome = Outcome { check, sent, result: trip.ok_or(Failure::Timeout), samples };
        if self.liveness.outcomes.try_send(outcome).is_err() {
            tracing::warn!(line = self.name, "quality of the uplink lost: too many outcomes at once");
        }
    }
}

/// The longest packet, IP header included, that routers said gets to the collector on this uplink.
fn told_mtu(uplink: &plan::Uplink) -> Option<usize> {
    let to = uplink.stamp_address();
    let socket = Origin::of(uplink).udp(to).ok()?;
    SockRef::from(&socket).connect(&to.into()).ok()?;
    Some(datagrams::told_mtu(socket.as_fd(), to.is_ipv4()).ok()? as usize)
}
