//! The socket of a family is opened when it is first needed. Where the machine refuses it, that is said once, with how to
//! mend it, and tried again each second.

use super::packet::{Departing, Family};
use super::sockets::Door;
use crate::dial;
use haidang_daemon::clock::Clock;
use haidang_probe::outcome::Failure;
use std::io;
use std::time::Duration;

/// Between two attempts to open a socket that was refused.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// The socket of one family, once the machine permits it.
pub struct Entrance {
    family: Family,
    identifier: u16,
    buffer: usize,
    /// Open.
    pub door: Option<Door>,
    pub(super) refused: Option<Refused>,
}

/// Why there is no socket, and when it is tried again.
#[derive(Clone, Copy)]
pub(super) struct Refused {
    pub failure: Failure,
    pub until_ns: u64,
}

impl Entrance {
    /// Opens nothing yet.
    pub fn new(family: Family, identifier: u16, buffer: usize) -> Entrance {
        Entrance { family, identifier, buffer, door: None, refused: None }
    }

    /// Sends, where a socket is open or can be opened; what the clock said just before.
    pub fn send(&mut self, departing: &Departing, clock: &Clock, now_ns: u64) -> Result<u64, Failure> {
        self.opened(now_ns)?.send(departing, || clock.stamp_ns())
    }

    pub(super) fn opened(&mut self, now_ns: u64) -> Result<&mut Door, Failure> {
        if self.door.is_none() {
            self.open(now_ns)?;
        }
        self.door.as_mut().ok_or(Failure::Local)
    }

    fn open(&mut self, now_ns: u64) -> Result<(), Failure> {
        if let Some(refused) = self.refused.filter(|refused| now_ns < refused.until_ns) {
            return Err(refused.failure);
        }
        match Door::open(self.family, self.identifier, self.buffer) {
            Ok(door) => {
                let (family, raw) = (self.family, door.raw());
                if self.refused.take().is_some() {
                    tracing::info!(?family, raw, "icmp is permitted now");
                } else {
                    tracing::debug!(?family, raw, "icmp socket open");
                }
                self.door = Some(door);
                Ok(())
            }
            Err(error) => {
                let failure = dial::failure(&error);
                let until_ns = now_ns + RETRY.as_nanos() as u64;
                if self.refused.replace(Refused { failure, until_ns }).is_none() {
                    self.tell(&error, failure);
                }
                Err(failure)
            }
        }
    }

    fn tell(&self, error: &io::Error, failure: Failure) {
        let family = self.family;
        if failure == Failure::NotPermitted {
            tracing::warn!(
                ?family,
                "this machine does not permit icmp: icmp checks are unknown, all others run; to mend it: \
                 `sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"`, or \
                 `setcap cap_net_raw+ep haidang-agent`"
            );
        } else {
            tracing::warn!(?family, %error, "no icmp socket: icmp checks are unknown");
        }
    }
}
