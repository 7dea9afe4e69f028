//! The bottleneck of a way, by how far it pulls a train of packets apart. Pure.
//!
//! ```text
//!   sent      ▮▮▮▮▮▮▮▮▮▮
//!   narrow    ▮ ▮ ▮ ▮ ▮ ▮ ▮ ▮ ▮ ▮      each leaves when the one before is through: gap = length / rate
//! ```
//!
//! The median of the gaps is taken: a shaper lets the first packets through at once, other traffic pulls single ones
//! farther apart. Both ends read the kernel's own stamps. A way back that is wider than the way there does not pull the
//! train any farther, so of it only a least rate is known. A shaper that saves up more than a whole train is not seen:
//! this is the rate of a link, not that of a contract.

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
/// A way back that pulled the train farther by this much is the narrower one.
const FARTHER: f64 = 1.1;

/// One packet of the train, answered.
#[derive(Clone, Copy, Debug)]
pub struct Back {
    /// When it arrived there, by the clock there.
    pub arrived: Ntp,
    /// When its answer came, monotonic ns.
    pub came_ns: u64,
}

/// What a train says whose packets were `octets` long, IP header included; by their numbers.
pub fn figures(train: &BTreeMap<u32, Back>, octets: usize) -> Vec<Sample> {
    let lost = 1.0 - train.len() as f64 / PACKETS as f64;
    let mut samples = vec![sample(Metric::TrainLoss, lost.max(0.0))];
    let up_ns = gap_ns(train, |one, next| next.arrived.ns_since(one.arrived));
    let down_ns = gap_ns(train, |one, next| next.came_ns as i64 - one.came_ns as i64);
    let rate = |gap_ns: i64| octets as f64 * 8e9 / gap_ns as f64;
    let resolved = |gap: Option<i64>| gap.filter(|gap| *gap >= SHORTEST_NS);
    samples.extend(resolved(up_ns).map(|gap| sample(Metric::BottleneckUp, rate(gap))));
    if let (Some(up), Some(down)) = (up_ns, resolved(down_ns)) {
        let narrower = down as f64 > up as f64 * FARTHER;
        let metric = if narrower { Metric::BottleneckDown } else { Metric::BottleneckDownLeast };
        samples.push(sample(metric, rate(down)));
    }
    samples
}

/// The median gap between packets that were sent one after the other.
fn gap_ns(train: &BTreeMap<u32, Back>, gap: impl Fn(&Back, &Back) -> i64) -> Option<i64> {
    let next = |(seq, one): (&u32, &Back)| Some(gap(one, train.get(&(seq + 1))?));
    let mut gaps: Vec<i64> = train.iter().filter_map(next).collect();
    gaps.sort_unstable();
    (gaps.len() >= GAPS).then(|| rank(&gaps, 50))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OCTETS: usize = 1500;

    /// A train of which `came` answers came, with these gaps there and here.
    fn train(came: &[u32], up_us: f64, down_us: f64) -> BTreeMap<u32, Back> {
        let back = |nth: u32| Back {
            arrived: Ntp::from_utc_ns(1_795_000_000_000_000_000 + (f64::from(nth) * up_us * 1e3) as i64),
            came_ns: (f64::from(nth) * down_us * 1e3) as u64,
        };
        came.iter().map(|nth| (*nth, back(*nth))).collect()
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
