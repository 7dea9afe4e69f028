//! The longest packet that gets through, by halving. Pure.
//!
//! ```text
//!   good ├────────────┬───────────┤ bad       a packet that comes back raises `good`, one that does not lowers `bad`;
//!      came back   asked next   did not       the bare packet beside it shows that the way itself is there
//! ```
//!
//! Usually one packet of full size comes back and that is all. Where it does not, it is asked again before it counts,
//! for a packet may also just be lost. What was found is looked at each time, with one octet more, so that a way that
//! grew, or a packet that was lost too often, corrects itself the next time.

use std::collections::BTreeSet;

/// Rounds a packet must stay away before it is too long.
const TRIES: u8 = 3;

/// A search under way. Sizes are octets of UDP payload.
#[derive(Clone, Debug)]
pub struct Search {
    full: usize,
    known: usize,
    good: usize,
    bad: usize,
    tries: u8,
    /// What is asked while halving.
    asked: Option<usize>,
}

/// What a round led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Another one.
    Again,
    /// The longest size that gets through.
    Found(usize),
    /// The way itself does not answer: nothing can be said.
    Silent,
}

impl Search {
    /// A search for sizes from `bare`, which gets through if anything does, to `full`; `known` is what was found last.
    pub fn begin(bare: usize, full: usize, known: Option<usize>) -> Search {
        Search { full, known: known.unwrap_or(full), good: bare, bad: full, tries: 0, asked: None }
    }

    /// The sizes of the next round, beside the bare one.
    pub fn sizes(&self) -> Vec<usize> {
        match self.asked {
            Some(size) => vec![size, size],
            None if self.known < self.full => vec![self.full, self.known + 1, self.known],
            None if self.tries == 0 => vec![self.full],
            None => vec![self.full, self.full],
        }
    }

    /// A round is over: the sizes that came back, and whether a bare packet did. `told` is what routers said, asked for
    /// when halving begins.
    pub fn learn(
        &mut self,
        back: &BTreeSet<usize>,
        bare: bool,
        told: impl FnOnce() -> Option<usize>,
    ) -> Round {
        if back.contains(&self.full) {
            return Round::Found(self.full);
        }
        if !bare && back.is_empty() {
            return Round::Silent;
        }
        if let Some(asked) = self.asked {
            let came = back.contains(&asked);
            *(if came { &mut self.good } else { &mut self.bad }) = asked;
            // What routers told is exact: one octet more shows it.
            let exact = came && self.bad == self.full && self.tries > TRIES;
            return self.halve(exact.then_some(asked + 1));
        }
        match back.last().copied() {
            Some(size) if size == self.known => return Round::Found(size),
            Some(size) => self.good = size,
            None => {
                self.tries += 1;
                if self.tries < TRIES {
                    return Round::Again;
                }
                self.bad = self.known;
            }
        }
        let told = told().filter(|told| (self.good + 1..self.bad).contains(told));
        if told.is_some() {
            self.tries = TRIES + 1;
        }
        self.halve(told)
    }

    fn halve(&mut self, next: Option<usize>) -> Round {
        if self.bad - self.good <= 1 {
            return Round::Found(self.good);
        }
        self.asked = Some(next.unwrap_or(self.good.midpoint(self.bad)));
        Round::Again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: usize = 156;
    const FULL: usize = 1472;

    /// What is found on a way that carries `longest`, and the packets it took. `loses` says whether a packet is lost
    /// though it is short enough.
    fn found(
        longest: usize,
        known: Option<usize>,
        told: Option<usize>,
        mut loses: impl FnMut() -> bool,
    ) -> (Round, usize) {
        let (mut search, mut packets) = (Search::begin(BARE, FULL, known), 0);
        loop {
            let sizes = search.sizes();
            packets += sizes.len() + 1;
            let back = sizes.into_iter().filter(|size| *size <= longest && !loses()).collect();
            match search.learn(&back, longest >= BARE, || told) {
                Round::Again => {}
                over => return (over, packets),
            }
        }
    }

    #[test]
    fn a_whole_way_costs_one_packet_of_full_size() {
        assert_eq!(found(FULL, None, None, || false), (Round::Found(FULL), 2));
        assert_eq!(found(FULL, Some(1400), None, || false).0, Round::Found(FULL), "whole again");
    }

    #[test]
    fn every_way_is_found_to_the_octet_within_what_a_minute_may_ask() {
        for longest in BARE..FULL {
            for known in [None, Some(1300), Some(longest)] {
                let (round, packets) = found(longest, known, None, || false);
                assert_eq!(round, Round::Found(longest), "known {known:?}");
                assert!(packets < 60, "{packets} packets for {longest}");
            }
        }
    }

    #[test]
    fn what_is_known_stays_cheap() {
        assert_eq!(found(1400, Some(1400), None, || false), (Round::Found(1400), 4));
    }

    #[test]
    fn what_routers_say_is_believed_once_it_is_seen() {
        let (round, told) = found(1444, None, Some(1444), || false);
        let (_, untold) = found(1444, None, None, || false);
        assert_eq!(round, Round::Found(1444));
        assert!(told < untold, "{told} against {untold} packets");
        assert_eq!(found(1300, None, Some(1444), || false).0, Round::Found(1300), "they were wrong");
        assert_eq!(
            found(1300, None, Some(9_000), || false).0,
            Round::Found(1300),
            "they spoke of another way"
        );
    }

    #[test]
    fn one_lost_packet_is_no_black_hole() {
        let mut lost = 2;
        let loses = || std::mem::take(&mut lost) > 0;
        assert_eq!(found(FULL, None, None, loses).0, Round::Found(FULL));
    }

    #[test]
    fn a_way_that_does_not_answer_has_no_length() {
        assert_eq!(found(0, None, None, || false).0, Round::Silent);
    }
}
