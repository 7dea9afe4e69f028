//! What a run's packets say together: loss, round trips, jitter. Pure.

use haidang_probe::metric::Metric;
use haidang_probe::outcome::{Failure, Sample};
use std::time::Duration;

/// What a run found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The round trip, or why there is none.
    pub result: Result<Duration, Failure>,
    /// How the packets of a burst were.
    pub samples: Vec<Sample>,
}

/// What became of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its reply came after so many nanoseconds.
    Back(u64),
    /// Nothing came in time, or the network said that there is no way.
    Lost(Failure),
    /// Our own side failed: it says nothing of the network.
    Ours(Failure),
}

/// What a run's packets say. One packet: its round trip or why there is none, no samples. Several: the median, and how
/// they were; a packet that our own side failed does not count as lost.
pub fn found(fates: &[Fate]) -> Found {
    if let [only] = fates {
        let result = match only {
            Fate::Back(ns) => Ok(Duration::from_nanos(*ns)),
            Fate::Lost(failure) | Fate::Ours(failure) => Err(*failure),
        };
        return Found { result, samples: Vec::new() };
    }
    let back: Vec<u64> = fates.iter().filter_map(|fate| fate.back()).collect();
    let ours = fates.iter().filter(|fate| matches!(fate, Fate::Ours(_))).count();
    let counted = fates.len() - ours;
    let mut samples = Vec::new();
    if ours > 0 {
        samples.push(sample(Metric::PacketsUncounted, ours as f64));
    }
    if counted > 0 {
        samples.push(sample(Metric::LossRatio, (counted - back.len()) as f64 / counted as f64));
    }
    let mut sorted = back;
    sorted.sort_unstable();
    let Some((least, most)) = sorted.first().zip(sorted.last()) else {
        return Found { result: Err(failure(fates)), samples };
    };
    let median = rank(&sorted, 50);
    let seconds = [
        (Metric::RttMin, *least),
        (Metric::RttMax, *most),
        (Metric::RttMedian, median),
        (Metric::RttP99, rank(&sorted, 99)),
    ];
    samples.extend(seconds.map(|(metric, ns)| sample(metric, ns as f64 / 1e9)));
    let trips: Vec<Option<i64>> = fates.iter().map(|fate| fate.back().map(|ns| ns as i64)).collect();
    samples.extend(jitter_ns(&trips).map(|ns| sample(Metric::RttJitter, ns / 1e9)));
    Found { result: Ok(Duration::from_nanos(median)), samples }
}

impl Fate {
    fn back(self) -> Option<u64> {
        if let Fate::Back(ns) = self { Some(ns) } else { None }
    }
}

/// Why nothing came back: what the network said, else silence, and only where no packet tells of it our own failure.
fn failure(fates: &[Fate]) -> Failure {
    let lost = |wanted: fn(&Failure) -> bool| {
        fates.iter().find_map(|fate| match fate {
            Fate::Lost(failure) if wanted(failure) => Some(*failure),
            _ => None,
        })
    };
    let ours =
        || fates.iter().find_map(|fate| if let Fate::Ours(failure) = fate { Some(*failure) } else { None });
    lost(|failure| *failure != Failure::Timeout)
        .or_else(|| lost(|_| true))
        .or_else(ours)
        .unwrap_or(Failure::Local)
}

/// The value at this percentile of `sorted`, which is not empty, by nearest rank: always one that was measured.
pub fn rank<T: Copy>(sorted: &[T], percent: usize) -> T {
    let nth = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[nth - 1]
}

/// Mean of the differences between the delays of packets sent one after the other, `None` for a lost one (RFC 3393 §2,
/// selection: consecutive packets; a pair with a lost packet is undefined and left out). `None` without such a pair.
pub fn jitter_ns(delays: &[Option<i64>]) -> Option<f64> {
    let differences: Vec<f64> =
        delays.windows(2).filter_map(|pair| Some(pair[0]?.abs_diff(pair[1]?) as f64)).collect();
    (!differences.is_empty()).then(|| differences.iter().sum::<f64>() / differences.len() as f64)
}

/// A sample of the whole target.
pub fn sample(metric: Metric, value: f64) -> Sample {
    Sample { metric, part: String::new(), value }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOST: Fate = Fate::Lost(Failure::Timeout);
    const MS: u64 = 1_000_000;

    fn back(ms: u64) -> Fate {
        Fate::Back(ms * MS)
    }

    fn value(answer: &Found, metric: Metric) -> Option<f64> {
        let sample = answer.samples.iter().find(|sample| sample.metric == metric)?;
        Some((sample.value * 1e6).round() / 1e6)
    }

    #[test]
    fn one_packet_is_its_round_trip_and_nothing_else() {
        for (fate, result) in [(back(7), Ok(Duration::from_millis(7))), (LOST, Err(Failure::Timeout))] {
            assert_eq!(found(&[fate]), Found { result, samples: Vec::new() });
        }
    }

    #[test]
    fn a_burst_is_loss_quantiles_and_jitter() {
        let answer = found(&[back(10), back(14), LOST, back(11), back(30)]);
        assert_eq!(answer.result, Ok(Duration::from_millis(11)), "the median");
        for (metric, expected) in [
            (Metric::LossRatio, 0.2),
            (Metric::RttMin, 0.010),
            (Metric::RttMax, 0.030),
            (Metric::RttMedian, 0.011),
            (Metric::RttP99, 0.030),
            // |14 − 10| and |30 − 11|; the lost packet's two pairs are undefined.
            (Metric::RttJitter, 0.0115),
        ] {
            assert_eq!(value(&answer, metric), Some(expected), "{}", metric.name());
        }
        assert_eq!(value(&answer, Metric::PacketsUncounted), None);
    }

    #[test]
    fn what_our_own_side_failed_is_no_loss() {
        let ours = Fate::Ours(Failure::Local);
        let some = found(&[back(1), ours, back(1), LOST]);
        assert_eq!(
            (value(&some, Metric::LossRatio), value(&some, Metric::PacketsUncounted)),
            (Some(0.333_333), Some(1.0))
        );
        let all = found(&[ours, ours]);
        assert_eq!((all.result, value(&all, Metric::LossRatio)), (Err(Failure::Local), None));
    }

    #[test]
    fn nothing_back_names_what_the_network_said() {
        let no_way = Fate::Lost(Failure::Unreachable);
        assert_eq!(found(&[LOST, no_way]).result, Err(Failure::Unreachable));
        assert_eq!(found(&[Fate::Ours(Failure::Local), LOST]).result, Err(Failure::Timeout));
        assert_eq!(value(&found(&[LOST, LOST]), Metric::LossRatio), Some(1.0));
    }

    #[test]
    fn without_two_packets_in_a_row_there_is_no_jitter() {
        assert_eq!(value(&found(&[back(1), LOST, back(5)]), Metric::RttJitter), None);
    }
}
