//! The bottleneck of a way, by how far it pulls a train of packets apart. Pure.
//!
//! ```text
//!   sent      ▮▮▮▮▮▮▮▮▮▮
//!   narrow    ▮ ▮ ▮ ▮ ▮ ▮ ▮ ▮ ▮ ▮      each leaves when the one before is through: gap = length / rate
//! ```
//!
//! The median of the gaps is taken: a shaper lets the first packets through at once, other traffic pulls single ones
//! farther apart. Each way is judged by itself, by the gaps with which the packets began it: a sender that takes its time,
//! here or there, is no narrow link, and neither is the way back of a train that came torn apart. A way that pulls its
//! packets no farther carries at least the rate at which they came. Arrivals are stamped by the kernel. A shaper that saves
//! up more than a whole train is not seen: this is the rate of a link, not that of a contract.

use crate::figures::{rank, sample};
use haidang_probe::liveness::Ntp;
use haidang_probe::metric::Metric;
use haidang_probe::outcome::Sample;
use std::collections::BTreeMap;

/// Packets of a train.
pub const PACKETS: usize = 10;
/// Fewest gaps between packets sent one after the other that say a rate.
const GAPS: usize = 5;
/// Shorter gaps are those of interrupts and not of links, ns. Packets of 1500 octets at 1.2 Gbit/s.
const SHORTEST_NS: i64 = 10_000;
/// A way that pulled the train farther by this much is narrower than what the train came from.
const FARTHER: f64 = 1.1;

/// One packet of the train, answered.
#[derive(Clone, Copy, Debug)]
pub struct Back {
    /// When it was sent, monotonic ns.
    pub sent_ns: u64,
    /// When it arrived there, by the clock there.
    pub arrived: Ntp,
    /// When its answer left, by the clock there.
    pub left: Ntp,
    /// When its answer came, monotonic ns.
    pub came_ns: u64,
}

/// What a train says whose packets were `octets` long, IP header included; by their numbers.
pub fn figures(train: &BTreeMap<u32, Back>, octets: usize) -> Vec<Sample> {
    let lost = 1.0 - train.len() as f64 / PACKETS as f64;
    let mut samples = vec![sample(Metric::TrainLoss, lost.max(0.0))];
    let gap = |gap: fn(&Back, &Back) -> i64| gap_ns(train, gap);
    let up = [
        gap(|one, next| next.sent_ns as i64 - one.sent_ns as i64),
        gap(|one, next| next.arrived.ns_since(one.arrived)),
    ];
    let down = [
        gap(|one, next| next.left.ns_since(one.left)),
        gap(|one, next| next.came_ns as i64 - one.came_ns as i64),
    ];
    samples.extend(rate(up, octets, Metric::BottleneckUp, Metric::BottleneckUpLeast));
    samples.extend(rate(down, octets, Metric::BottleneckDown, Metric::BottleneckDownLeast));
    samples
}

/// The rate of a way that packets began and ended with these gaps: its own, or what it carries at least.
fn rate([began, ended]: [Option<i64>; 2], octets: usize, own: Metric, least: Metric) -> Option<Sample> {
    let (began, ended) = began.zip(ended.filter(|gap| *gap >= SHORTEST_NS))?;
    let metric = if ended as f64 > began as f64 * FARTHER { own } else { least };
    Some(sample(metric, octets as f64 * 8e9 / ended as f64))
}

/// The median gap between packets that were sent one after the other.
fn gap_ns(train: &BTreeMap<u32, Back>, gap: fn(&Back, &Back) -> i64) -> Option<i64> {
    let next = |(seq, one): (&u32, &Back)| Some(gap(one, train.get(&(seq + 1))?));
    let mut gaps: Vec<i64> = train.iter().filter_map(next).collect();
    gaps.sort_unstable();
    (gaps.len() >= GAPS).then(|| rank(&gaps, 50))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OCTETS: usize = 1500;

    /// A train of which `came` answers came: its gaps as it was sent, arrived there, left there and came back.
    fn gaps(came: &[u32], [sent, arrived, left, back]: [f64; 4]) -> BTreeMap<u32, Back> {
        let at = |nth: u32, us: f64| (f64::from(nth) * us * 1e3) as u64;
        let there = |nth, us| Ntp::from_utc_ns(1_795_000_000_000_000_000 + at(nth, us) as i64);
        let packet = |nth: u32| Back {
            sent_ns: at(nth, sent),
            arrived: there(nth, arrived),
            left: there(nth, left),
            came_ns: at(nth, back),
        };
        came.iter().map(|nth| (*nth, packet(*nth))).collect()
    }

    /// One that was sent and answered as fast as it went.
    fn train(came: &[u32], up_us: f64, down_us: f64) -> BTreeMap<u32, Back> {
        gaps(came, [5.0, up_us, up_us, down_us])
    }

    fn megabits(samples: &[Sample], metric: Metric) -> Option<f64> {
        samples
            .iter()
            .find(|sample| sample.metric == metric)
            .map(|sample| (sample.value / 1e5).round() / 10.0)
    }

    const WHOLE: [u32; 10] = [40, 41, 42, 43, 44, 45, 46, 47, 48, 49];

    #[test]
    fn the_gap_is_the_rate() {
        // 12,000 bits in 1.2 ms.
        let samples = figures(&train(&WHOLE, 1_200.0, 1_200.0), OCTETS);
        assert_eq!(megabits(&samples, Metric::BottleneckUp), Some(10.0));
        assert_eq!(megabits(&samples, Metric::BottleneckDown), None, "it may be wider");
        assert_eq!(megabits(&samples, Metric::BottleneckDownLeast), Some(10.0));
    }

    #[test]
    fn a_way_back_that_pulls_the_train_farther_is_the_narrower() {
        let samples = figures(&train(&WHOLE, 120.0, 2_400.0), OCTETS);
        assert_eq!(megabits(&samples, Metric::BottleneckUp), Some(100.0));
        assert_eq!(megabits(&samples, Metric::BottleneckDown), Some(5.0));
        assert_eq!(megabits(&samples, Metric::BottleneckDownLeast), None);
    }

    #[test]
    fn who_sends_slowly_is_no_narrow_link() {
        // A small router that takes 60 µs a packet, and a reflector that takes 90: gigabit links both ways.
        let samples = figures(&gaps(&WHOLE, [60.0, 60.0, 90.0, 90.0]), OCTETS);
        for narrow in [Metric::BottleneckUp, Metric::BottleneckDown] {
            assert_eq!(megabits(&samples, narrow), None, "{}", narrow.name());
        }
        assert_eq!(megabits(&samples, Metric::BottleneckUpLeast), Some(200.0));
        assert_eq!(megabits(&samples, Metric::BottleneckDownLeast), Some(133.3));
    }

    #[test]
    fn a_shapers_burst_and_other_traffic_do_not_move_the_median() {
        let mut squeezed = train(&WHOLE, 1_200.0, 1_200.0);
        let first = squeezed[&40];
        for early in [41, 42] {
            squeezed.insert(early, Back { came_ns: first.came_ns + 1_000, ..first });
        }
        let samples = figures(&squeezed, OCTETS);
        assert_eq!(megabits(&samples, Metric::BottleneckUp), Some(10.0));
    }

    #[test]
    fn a_torn_train_says_its_loss_and_no_rate() {
        let torn = figures(&train(&[40, 41, 43, 45, 46, 48], 1_200.0, 1_200.0), OCTETS);
        assert_eq!(torn, [sample(Metric::TrainLoss, 0.4)]);
        let dented = figures(&train(&WHOLE[..9], 1_200.0, 1_200.0), OCTETS);
        assert_eq!(megabits(&dented, Metric::BottleneckUp), Some(10.0));
        assert_eq!(figures(&BTreeMap::new(), OCTETS), [sample(Metric::TrainLoss, 1.0)]);
    }

    #[test]
    fn gaps_no_stamp_resolves_say_no_rate() {
        let samples = figures(&train(&WHOLE, 2.0, 2_400.0), OCTETS);
        assert_eq!(megabits(&samples, Metric::BottleneckUp), None);
        assert_eq!(megabits(&samples, Metric::BottleneckDown), Some(5.0), "the way back does");
    }
}
