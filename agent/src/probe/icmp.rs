//! ICMP echo (RFC 792, RFC 4443): one packet or a burst, by the engine of [`crate::icmp`].
//!
//! A target given as an address needs no task of its own ([`Probe::starts`]); a name is looked up in one. Where the
//! machine permits no ICMP socket, that is said once, with how to mend it, and the outcome is
//! [`Failure::NotPermitted`]: the target is unknown, not down. Permission given later is used within a second.

use super::{Answer, Budget, Tools};
use crate::icmp::{Echo, Request, Tally};
use crate::place::Finder;
use haidang_probe::ask::icmp::Question;
use haidang_probe::ask::place::Place;
use haidang_probe::check::CheckId;
use haidang_probe::outcome::{Failure, Outcome};
use std::net::IpAddr;
use std::time::Duration;

/// The engine and who finds addresses.
pub struct Probe {
    finder: Finder,
    echo: Echo,
}

impl Probe {
    /// Opens no socket yet.
    pub fn new(tools: &Tools) -> Probe {
        Probe { finder: tools.finder.clone(), echo: Echo::new(&tools.clock) }
    }

    /// The duration is the round trip, of a burst the median. Each packet of a burst has what the look-up left of the
    /// budget.
    pub async fn ask(&self, question: &Question, budget: Budget) -> Answer {
        match budget.spend(Failure::Resolve, self.finder.address(&question.place)).await {
            Ok(address) => {
                let found = self.echo.ask(&request(question, address, budget.left())).await;
                Answer { result: found.result, samples: found.samples }
            }
            Err(failure) => Err(failure).into(),
        }
    }

    /// Starts a run of `check`, where an address is given: its end is among [`Probe::ended`]. False: ask it.
    pub fn starts(&self, check: CheckId, question: &Question, within: Duration) -> bool {
        let Place::Address(address) = question.place else { return false };
        self.echo.start(check, &request(question, address, within));
        true
    }

    /// Waits until runs have ended; all that have.
    pub async fn ended(&self) -> Vec<Outcome> {
        self.echo.ended().await
    }

    /// What the engine has counted.
    pub fn tally(&self) -> Tally {
        self.echo.tally()
    }
}

fn request(question: &Question, address: IpAddr, timeout: Duration) -> Request {
    Request { address, packets: question.packets, gap: question.gap, size: question.size, timeout }
}
