//! The packets of one trace under way. Pure: time is given, packets are sent and received by the caller.
//!
//! ```text
//!  round 1   hop limit 1 2 3 … all at once      round 2   those that were silent, once more
//!            │ │ │
//!            ▼ ▼ ▼   each answer fills its hop; the nearest that is the target, or refuses, is the end
//! ```

use super::route::{Hop, Route};
use super::wire::{Answer, Said, Step};
use std::net::IpAddr;
use std::time::Duration;

/// What a packet's two clocks may differ by without one of them having been stepped.
const SLACK_NS: u64 = 1_000_000;

/// A reading of both clocks: the one the kernel stamps packets with, and one that is never stepped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamp {
    /// UTC, ns.
    pub utc_ns: u64,
    /// For differences, ns.
    pub steady_ns: u64,
}

/// A trace under way.
#[derive(Debug)]
pub struct Flight {
    /// By hop limit, from 1.
    seats: Vec<Seat>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seat {
    /// When the packet of each round was sent.
    sent: [Option<Stamp>; 2],
    found: Option<Hop>,
}

impl Flight {
    /// A trace of so many hops.
    pub fn new(hops: u8) -> Flight {
        Flight { seats: vec![Seat::default(); usize::from(hops)] }
    }

    /// The packets to send in a round.
    pub fn round(&self, again: bool) -> Vec<Step> {
        let seats = (1..).zip(self.nearer()).filter(|(_, seat)| seat.found.is_none());
        seats.map(|(hop, _)| Step { hop, again }).collect()
    }

    /// A packet was sent.
    pub fn departed(&mut self, step: Step, stamp: Stamp) {
        if let Some(seat) = self.seats.get_mut(usize::from(step.hop) - 1) {
            seat.sent[usize::from(step.again)] = Some(stamp);
        }
    }

    /// An answer came from `from` at `utc_ns`, where the kernel says when. False when it is to nothing that was sent, or
    /// the hop is known already.
    pub fn back(&mut self, answer: Answer, from: IpAddr, utc_ns: Option<u64>, steady_ns: u64) -> bool {
        let Answer { step, said } = answer;
        let Some(seat) = self.seats.get_mut(usize::from(step.hop).wrapping_sub(1)) else { return false };
        let Some(sent) = seat.sent[usize::from(step.again)].filter(|_| seat.found.is_none()) else {
            return false;
        };
        let elapsed_ns = steady_ns.saturating_sub(sent.steady_ns);
        // Out of these bounds the wall clock was stepped in between.
        let trip_ns = utc_ns
            .and_then(|utc_ns| utc_ns.checked_sub(sent.utc_ns))
            .filter(|trip_ns| *trip_ns <= elapsed_ns + SLACK_NS)
            .unwrap_or(elapsed_ns);
        seat.found = Some(Hop { address: from, round_trip: Duration::from_nanos(trip_ns), said });
        true
    }

    /// Whether nothing more is waited for: the end and all hops before it have answered.
    pub fn over(&self) -> bool {
        self.ends().is_some() && self.nearer().iter().all(|seat| seat.found.is_some())
    }

    /// What it found.
    pub fn route(&self) -> Route {
        Route::of(self.seats.iter().map(|seat| seat.found))
    }

    /// The seats up to the end, all while that is not known.
    fn nearer(&self) -> &[Seat] {
        &self.seats[..self.ends().map_or(self.seats.len(), |last| last + 1)]
    }

    fn ends(&self) -> Option<usize> {
        self.seats.iter().position(|seat| seat.found.is_some_and(|hop| hop.said != Said::Passing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::route::End;

    const MS: u64 = 1_000_000;

    fn at(ms: u64) -> Stamp {
        Stamp { utc_ns: 1_795_000_000_000 * MS + ms * MS, steady_ns: ms * MS }
    }

    fn launched(hops: u8) -> Flight {
        let mut flight = Flight::new(hops);
        flight.round(false).into_iter().for_each(|step| flight.departed(step, at(0)));
        flight
    }

    fn answers(flight: &mut Flight, hop: u8, again: bool, said: Said, ms: u64) -> bool {
        let (from, at) = (IpAddr::from([10, 0, 0, hop]), at(ms));
        flight.back(Answer { step: Step { hop, again }, said }, from, Some(at.utc_ns), at.steady_ns)
    }

    #[test]
    fn the_second_round_asks_those_that_were_silent_before_the_end() {
        let mut flight = launched(8);
        assert!(answers(&mut flight, 1, false, Said::Passing, 1));
        assert!(
            answers(&mut flight, 4, false, Said::Here, 4) && answers(&mut flight, 5, false, Said::Here, 4)
        );
        assert!(!flight.over());
        let steps = flight.round(true);
        assert_eq!(steps.iter().map(|step| step.hop).collect::<Vec<u8>>(), [2, 3]);
        steps.into_iter().for_each(|step| flight.departed(step, at(1_000)));
        assert!(answers(&mut flight, 2, true, Said::Passing, 1_002));
        assert!(answers(&mut flight, 3, false, Said::Passing, 1_500), "late, to the first packet");
        assert!(flight.over());
        let route = flight.route();
        assert_eq!((route.end(), route.length()), (End::Reached, 4));
    }

    #[test]
    fn only_the_first_answer_to_a_packet_that_was_sent_counts() {
        let mut flight = launched(4);
        assert!(!answers(&mut flight, 2, true, Said::Passing, 1), "round 2 was not sent");
        assert!(!answers(&mut flight, 5, false, Said::Here, 1), "nor was hop 5");
        assert!(!answers(&mut flight, 0, false, Said::Here, 1));
        assert!(
            answers(&mut flight, 2, false, Said::Passing, 1)
                && !answers(&mut flight, 2, false, Said::Here, 2)
        );
        assert_eq!(flight.route().last().map(|hop| hop.round_trip), Some(Duration::from_millis(1)));
    }

    #[test]
    fn a_stepped_wall_clock_does_not_show_in_a_round_trip() {
        let mut flight = launched(1);
        let answer = Answer { step: Step { hop: 1, again: false }, said: Said::Here };
        let stepped_ns = at(3_600_000).utc_ns;
        flight.back(answer, IpAddr::from([10, 0, 0, 1]), Some(stepped_ns), 5 * MS);
        assert_eq!(flight.route().last().map(|hop| hop.round_trip), Some(Duration::from_millis(5)));
    }

    #[test]
    fn who_refuses_is_the_end() {
        let mut flight = launched(8);
        for hop in 3..=8 {
            answers(&mut flight, hop, false, Said::NoWay(super::super::wire::Reason::Prohibited), 1);
        }
        assert!(!flight.over(), "hops 1 and 2 are silent yet");
        assert_eq!(flight.round(true).len(), 2);
    }
}
