//! What a trace found, and whether it is the way that was known. Pure.
//!
//! ```text
//!   known    A ─ B ─ C ─ * ─ T                        a hop that answers in both, by another address: the way changed
//!   found    A ─ * ─ D ─ E ─ T                        a hop silent in one of them: it may just be limiting its answers
//!                    ▲
//!                    the first that differs: hop 3
//! ```
//!
//! Addresses of hops are restricted: they travel in events and are shown nowhere.

use super::wire::{Reason, Said};
use haidang_probe::metric::Metric;
use haidang_probe::outcome::{Failure, Sample};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// Who answered at a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Its address.
    pub address: IpAddr,
    /// From sending to its answer.
    pub round_trip: Duration,
    /// What it said.
    pub said: Said,
}

impl Hop {
    /// Whether the way ends with it.
    fn ends(&self) -> bool {
        self.said != Said::Passing
    }
}

/// How a way ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At the target.
    Reached,
    /// Somebody does not let packets pass.
    Refused(Reason),
    /// Packets go in a circle.
    Circle,
    /// After the last hop that answers nobody says anything.
    Silent,
}

impl End {
    /// Name in events.
    pub fn name(self) -> &'static str {
        match self {
            End::Reached => "reached",
            End::Refused(reason) => reason.name(),
            End::Circle => "circle",
            End::Silent => "silent",
        }
    }
}

/// What a trace found: hops from the first, a silent one as none, nothing behind the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    hops: Vec<Option<Hop>>,
    /// Who stands at the last hop, or this machine where there is none, lets nothing pass.
    refusal: Option<Reason>,
}

impl Route {
    /// Of what each hop limit brought, from 1. What lies behind the first end is left out. Who refuses a packet of one hop
    /// limit has most often let one with a lower expire: it stands there.
    pub fn of(hops: impl IntoIterator<Item = Option<Hop>>) -> Route {
        let mut hops: Vec<Option<Hop>> = hops.into_iter().collect();
        let end = (1..).zip(&hops).find_map(|(length, hop)| Some((length, hop.filter(Hop::ends)?)));
        let Some((length, last)) = end else {
            let answered = hops.iter().rposition(Option::is_some);
            hops.truncate(answered.map_or(0, |last| last + 1));
            return Route { hops, refusal: None };
        };
        let Said::NoWay(reason) = last.said else {
            hops.truncate(length);
            return Route { hops, refusal: None };
        };
        let stands = hops.iter().position(|hop| hop.is_some_and(|hop| hop.address == last.address));
        hops.truncate(stands.map_or(length, |place| place + 1));
        Route { hops, refusal: Some(reason) }
    }

    /// One that ends at this machine: it has no route, or its neighbour on the way does not answer it.
    pub fn stayed(reason: Reason) -> Route {
        Route { hops: Vec::new(), refusal: Some(reason) }
    }

    /// How it ends.
    pub fn end(&self) -> End {
        match (self.last().map(|hop| hop.said), self.refusal) {
            (Some(Said::Here), _) => End::Reached,
            (_, Some(reason)) => End::Refused(reason),
            _ if self.circles() => End::Circle,
            _ => End::Silent,
        }
    }

    /// Number of the last hop that answered; 0 when none did.
    pub fn length(&self) -> u8 {
        self.hops.len() as u8
    }

    /// The last hop that answered.
    pub fn last(&self) -> Option<&Hop> {
        self.hops.last()?.as_ref()
    }

    /// The round trip to the target, or why there is none.
    pub fn result(&self) -> Result<Duration, Failure> {
        match (self.end(), self.last()) {
            (End::Reached, Some(target)) => Ok(target.round_trip),
            (End::Refused(Reason::Prohibited), _) => Err(Failure::Prohibited),
            (End::Refused(_), _) => Err(Failure::Unreachable),
            (End::Circle, _) => Err(Failure::Circle),
            _ => Err(Failure::Timeout),
        }
    }

    /// What is measured of it.
    pub fn samples(&self) -> Vec<Sample> {
        let whole = |metric, value| Sample { metric, part: String::new(), value };
        let mut samples = vec![whole(Metric::PathLastHop, f64::from(self.length()))];
        if self.end() == End::Reached {
            samples.push(whole(Metric::PathHops, f64::from(self.length())));
        }
        let hops = (1..).zip(&self.hops).filter_map(|(number, hop): (u8, _)| Some((number, hop.as_ref()?)));
        samples.extend(hops.map(|(number, hop)| Sample {
            metric: Metric::PathHopRtt,
            part: number.to_string(),
            value: hop.round_trip.as_secs_f64(),
        }));
        samples
    }

    /// The addresses of its hops, `*` for a silent one; as many as fit in `octets`, and how many do not.
    pub fn text(&self, octets: usize) -> String {
        let word = |hop: &Option<Hop>| hop.map_or("*".into(), |hop| hop.address.to_string());
        fitted(&self.hops.iter().map(word).collect::<Vec<String>>(), octets)
    }

    /// The hops of which `names` knows who stands there, `NUMBER=NAME`; as [`Route::text`].
    pub fn known(&self, names: &BTreeMap<IpAddr, String>, octets: usize) -> String {
        let name = |(number, hop): (u8, &Option<Hop>)| {
            Some(format!("{number}={}", names.get(&hop.as_ref()?.address)?))
        };
        fitted(&(1..).zip(&self.hops).filter_map(name).collect::<Vec<String>>(), octets)
    }

    /// Whether somebody answers again after another did: packets come back to it.
    fn circles(&self) -> bool {
        let answered: Vec<IpAddr> = self.hops.iter().flatten().map(|hop| hop.address).collect();
        answered.iter().enumerate().any(|(at, address)| {
            answered[at + 1..].iter().skip_while(|next| *next == address).any(|later| later == address)
        })
    }

    /// Who stands at each hop. Of one that only ever refused it is not known where it stands: perhaps a hop before.
    fn addresses(&self) -> Vec<Option<IpAddr>> {
        let stands = |hop: &Hop| !matches!(hop.said, Said::NoWay(_));
        self.hops.iter().map(|hop| hop.filter(stands).map(|hop| hop.address)).collect()
    }
}

/// The first of `words` that fit in `octets`, and `+N` where N are left out.
fn fitted(words: &[String], octets: usize) -> String {
    let cut = |kept: usize| {
        let left_out = words.len() - kept;
        let more = (left_out > 0).then(|| format!("+{left_out}"));
        words[..kept].iter().cloned().chain(more).collect::<Vec<String>>().join(" ")
    };
    (0..=words.len()).rev().map(cut).find(|text| text.len() <= octets).unwrap_or_default()
}

/// A way as far as it is known, over several traces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    hops: Vec<Option<IpAddr>>,
    /// Hops to the target, once it answered.
    reached: Option<u8>,
}

/// The way is another than was known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The first hop that differs, from 1.
    pub hop: u8,
    /// Fingerprint of the way known before.
    pub before: String,
}

impl Known {
    /// Takes in what a trace found; says when it is another way. Hops that answer for the first time make none.
    pub fn follow(&mut self, route: &Route) -> Option<Change> {
        let reached = (route.end() == End::Reached).then(|| route.length());
        let found = route.addresses();
        let Some(first) = self.differs(&found, reached) else {
            self.hops.resize(self.hops.len().max(found.len()), None);
            for (known, found) in self.hops.iter_mut().zip(found) {
                *known = known.or(found);
            }
            self.reached = self.reached.or(reached);
            return None;
        };
        let before = self.fingerprint();
        let kept = self.hops.iter().take(first).copied().chain(std::iter::repeat(None));
        let hops = found.iter().zip(kept).map(|(found, known)| found.or(known)).collect();
        *self = Known { hops, reached };
        Some(Change { hop: first as u8 + 1, before })
    }

    /// First 8 octets of SHA-256 over the hops that are known, each with its number; hex. Empty while none is.
    pub fn fingerprint(&self) -> String {
        if self.hops.iter().all(Option::is_none) {
            return String::new();
        }
        let mut digest = Sha256::new();
        for (number, address) in (1_u8..).zip(&self.hops) {
            let Some(address) = address else { continue };
            digest.update([number]);
            match address {
                IpAddr::V4(address) => digest.update(address.octets()),
                IpAddr::V6(address) => digest.update(address.octets()),
            }
        }
        haidang_probe::key::hex(&digest.finalize()[..8])
    }

    /// The first place, from 0, at which both answer and differ.
    fn differs(&self, found: &[Option<IpAddr>], reached: Option<u8>) -> Option<usize> {
        let pairs = self.hops.iter().zip(found);
        let other = |(known, found): (&Option<IpAddr>, &Option<IpAddr>)| {
            known.zip(*found).is_some_and(|(known, found)| known != found)
        };
        let longer = self.reached.zip(reached).filter(|(known, found)| known != found);
        let length = longer.map(|(known, found)| usize::from(known.min(found)) - 1);
        pairs.map(other).position(|other| other).into_iter().chain(length).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u8 = 99;

    /// Hops by the last octet of their address; 0 is silent, [`T`] the target.
    fn route(hops: &[u8]) -> Route {
        Route::of(hops.iter().map(|hop| match hop {
            0 => None,
            &last => Some(self::hop(last, if last == T { Said::Here } else { Said::Passing })),
        }))
    }

    fn hop(last: u8, said: Said) -> Hop {
        let address = IpAddr::from([10, 0, 0, last]);
        Hop { address, round_trip: Duration::from_millis(u64::from(last)), said }
    }

    /// Where the last of `hops` lets nothing pass, or somebody nobody has seen.
    fn refused(hops: &[u8], reason: Reason) -> Route {
        let passing = hops.iter().map(|hop| (*hop != 0).then(|| self::hop(*hop, Said::Passing)));
        let by = hops.last().copied().filter(|hop| *hop != 0).unwrap_or(50);
        Route::of(passing.chain([Some(hop(by, Said::NoWay(reason))); 2]))
    }

    /// The first hop that differs, of each route after the first.
    fn changes(routes: &[&[u8]]) -> Vec<Option<u8>> {
        let mut known = Known::default();
        let mut hops = routes.iter().map(|hops| known.follow(&route(hops)).map(|change| change.hop));
        assert_eq!(hops.next(), Some(None), "the first is no change");
        hops.collect()
    }

    #[test]
    fn another_router_at_a_hop_is_another_way() {
        assert_eq!(changes(&[&[1, 2, 3, T], &[1, 4, 5, T], &[1, 4, 5, T]]), [Some(2), None]);
        assert_eq!(changes(&[&[1, 2, T], &[1, 4, T], &[1, 2, T]]), [Some(2), Some(2)]);
    }

    #[test]
    fn a_hop_that_limits_its_answers_is_no_change() {
        assert_eq!(changes(&[&[1, 0, 3, T], &[1, 2, 0, T], &[0, 2, 3, T]]), [None, None]);
        assert_eq!(changes(&[&[1, 0, 3, T], &[1, 2, 3, T], &[1, 4, 3, T]]), [None, Some(2)], "it was learnt");
    }

    #[test]
    fn a_way_that_is_shorter_or_longer_is_another_one() {
        assert_eq!(changes(&[&[1, 0, 0, T], &[1, 0, T]]), [Some(3)]);
        assert_eq!(changes(&[&[1, T], &[1, 0, T]]), [Some(2)]);
    }

    #[test]
    fn a_way_that_breaks_is_not_another_one() {
        assert_eq!(changes(&[&[1, 2, 3, T], &[1, 2], &[], &[1, 2, 3, T]]), [None, None, None]);
        let mut known = Known::default();
        known.follow(&route(&[1, 2, 3, T]));
        assert_eq!(known.follow(&refused(&[1, 2], Reason::NoNetwork)), None, "router 2 answers at hop 3 too");
    }

    #[test]
    fn a_way_is_known_by_the_hops_that_answered() {
        let fingerprint = |routes: &[&[u8]]| {
            let mut known = Known::default();
            routes.iter().for_each(|hops| drop(known.follow(&route(hops))));
            known.fingerprint()
        };
        let whole = fingerprint(&[&[1, 2, 3, T]]);
        assert_eq!(whole.len(), 16);
        assert_eq!(fingerprint(&[&[1, 0, 3, T], &[1, 2, 0, T]]), whole);
        assert_ne!(fingerprint(&[&[1, 0, 3, T]]), whole);
        assert_ne!(fingerprint(&[&[2, 1, 3, T]]), whole, "the order counts");
    }

    #[test]
    fn each_end_has_its_failure() {
        assert_eq!(route(&[1, 2, T]).result(), Ok(Duration::from_millis(u64::from(T))));
        for (route, end, failure) in [
            (route(&[1, 2, 0, 0]), "silent", Failure::Timeout),
            (route(&[]), "silent", Failure::Timeout),
            (route(&[1, 2, 1, 2, 1, 2]), "circle", Failure::Circle),
            (refused(&[1, 2], Reason::NoTarget), "no-target", Failure::Unreachable),
            (refused(&[1], Reason::Prohibited), "prohibited", Failure::Prohibited),
        ] {
            assert_eq!((route.end().name(), route.result()), (end, Err(failure)));
        }
        let (stands, only) = (refused(&[1, 2], Reason::NoTarget), refused(&[1, 0, 0], Reason::NoTarget));
        assert_eq!(
            [stands.length(), only.length()],
            [2, 4],
            "where it let one expire, else where it answered"
        );
        assert_eq!(route(&[1, 1, 1]).end(), End::Silent, "one that forgets to count is no circle");
    }

    #[test]
    fn a_sample_for_each_hop_that_answered_and_none_behind_the_target() {
        let samples = route(&[1, 0, T, T]).samples();
        let rows: Vec<(Metric, &str, f64)> =
            samples.iter().map(|sample| (sample.metric, sample.part.as_str(), sample.value)).collect();
        let expected = [
            (Metric::PathLastHop, "", 3.0),
            (Metric::PathHops, "", 3.0),
            (Metric::PathHopRtt, "1", 0.001),
            (Metric::PathHopRtt, "3", 0.099),
        ];
        assert_eq!(rows, expected);
        assert!(route(&[1, 0]).samples().iter().all(|sample| sample.metric != Metric::PathHops));
    }

    #[test]
    fn a_long_route_is_told_as_far_as_it_fits_and_says_so() {
        let long = route(&[1, 0, 3, 4]);
        assert_eq!(long.text(128), "10.0.0.1 * 10.0.0.3 10.0.0.4");
        assert_eq!(long.text(22), "10.0.0.1 * 10.0.0.3 +1");
        assert_eq!(long.text(21), "10.0.0.1 * +2");
        assert_eq!(Route::default().text(128), "");
    }

    #[test]
    fn a_hop_that_stands_in_the_record_is_named() {
        let named = [(1, "line/a"), (3, "hand-off/vnpt-1"), (9, "carrier/vnpt")];
        let names = named.map(|(last, name)| (IpAddr::from([10, 0, 0, last]), name.to_owned())).into();
        let way = route(&[1, 0, 3, T]);
        assert_eq!(way.known(&names, 128), "1=line/a 3=hand-off/vnpt-1");
        assert_eq!(way.known(&names, 12), "1=line/a +1");
        assert_eq!(route(&[2, T]).known(&names, 128), "");
    }
}
