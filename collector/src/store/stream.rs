//! The open end of a series: samples in order of time, each a few octets behind the one before.
//!
//! ```text
//! sample = how the gap to the sample before changed (zigzag LEB128) | value token (see `number`)
//! ```
//!
//! A steady series costs one octet for the time and, while its value stays, one for the value: an hour at
//! 10 s is some 700 to 1,500 octets, and no vector of floats.

use super::number::{Values, get, put, unzigzag, zigzag};

/// Samples one window of a series may hold: ten a second for an hour.
pub(super) const POINTS: usize = 36_000;

/// A sample: UTC ms, value.
pub(super) type Sample = (i64, f64);

/// What became of samples put in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// New ones.
    pub new: u64,
    /// Of an instant that was there.
    pub repeats: u64,
    /// Beyond [`POINTS`].
    pub full: u64,
}

/// Samples of one series in one window.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    octets: Vec<u8>,
    count: u32,
    last: i64,
    gap: i64,
    values: Values,
}

impl Stream {
    /// The stream of samples in order.
    pub fn of(samples: &[Sample]) -> Stream {
        let mut stream = Stream::default();
        samples.iter().for_each(|sample| stream.push(*sample));
        stream.octets.shrink_to_fit();
        stream
    }

    /// Octets held.
    pub fn octets(&self) -> usize {
        self.octets.len()
    }

    /// Puts in samples that are in order of time among themselves. The first of an instant stays.
    pub fn insert(&mut self, samples: &[Sample]) -> Taken {
        let mut taken = Taken::default();
        let late = samples.partition_point(|(at, _)| self.count > 0 && *at <= self.last);
        if late > 0 {
            let mut all = self.samples();
            taken = merge(&mut all, &samples[..late]);
            *self = Stream::of(&all);
        }
        for sample in &samples[late..] {
            if self.count > 0 && sample.0 <= self.last {
                taken.repeats += 1;
            } else if self.count as usize >= POINTS {
                taken.full += 1;
            } else {
                self.push(*sample);
                taken.new += 1;
            }
        }
        taken
    }

    fn push(&mut self, (at, value): Sample) {
        // A sixth more at a time: doubling would leave a third of the memory empty.
        if self.octets.capacity() - self.octets.len() < 20 {
            self.octets.reserve_exact(32 + self.octets.len() / 6);
        }
        let gap = at - self.last;
        put(&mut self.octets, zigzag(gap - self.gap));
        self.values.put(&mut self.octets, value);
        // The first gap is the time itself; the second is the step, told once.
        self.gap = if self.count == 0 { 0 } else { gap };
        self.last = at;
        self.count += 1;
    }

    /// All samples, oldest first.
    pub fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::with_capacity(self.count as usize);
        let (octets, mut values) = (&mut self.octets.as_slice(), Values::default());
        let (mut last, mut gap) = (0_i64, 0_i64);
        while let (Some(change), Some(value)) = (get(octets), values.get(octets)) {
            let step = gap + unzigzag(change);
            gap = if samples.is_empty() { 0 } else { step };
            last += step;
            samples.push((last, value));
        }
        samples
    }
}

/// Puts `later` samples among `first`, both in order of time; of one instant the first stays.
pub(super) fn merge(first: &mut Vec<Sample>, later: &[Sample]) -> Taken {
    let mut taken = Taken::default();
    let mut merged = Vec::with_capacity(first.len() + later.len());
    let mut known = first.iter().copied().peekable();
    for sample in later {
        while let Some(before) = known.next_if(|known| known.0 <= sample.0) {
            merged.push(before);
        }
        if merged.last().is_some_and(|last: &Sample| last.0 == sample.0) {
            taken.repeats += 1;
        } else if first.len() + taken.new as usize >= POINTS {
            taken.full += 1;
        } else {
            merged.push(*sample);
            taken.new += 1;
        }
    }
    merged.extend(known);
    *first = merged;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn holds_the_first_of_every_instant_in_order(
            batches in prop::collection::vec(prop::collection::vec((0..500_i64, -9.0..9.0_f64), 1..20), 1..20),
        ) {
            let (mut stream, mut model) = (Stream::default(), BTreeMap::new());
            let (mut pushed, mut repeats) = (0, 0);
            for mut batch in batches {
                pushed += batch.len() as u64;
                batch.sort_by_key(|(at, _)| *at);
                for (at, value) in &batch {
                    model.entry(*at).or_insert(*value);
                }
                repeats += stream.insert(&batch).repeats;
            }
            let samples = stream.samples();
            prop_assert_eq!(samples.len() as u64 + repeats, pushed);
            prop_assert_eq!(samples, model.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_steady_series_costs_two_octets_a_sample() {
        let samples: Vec<Sample> = (0..360).map(|n| (1_795_305_600_000 + n * 10_000, 1.0)).collect();
        let stream = Stream::of(&samples);
        assert_eq!(stream.samples(), samples);
        assert!(stream.octets() < 2 * 360 + 16, "{}", stream.octets());
    }

    #[test]
    fn a_window_holds_ten_samples_a_second_and_no_more() {
        let all: Vec<Sample> = (0..40_000).map(|n| (n, 0.0)).collect();
        let mut stream = Stream::default();
        assert_eq!(stream.insert(&all), Taken { new: 36_000, repeats: 0, full: 4_000 });
        assert_eq!(stream.insert(&all[..10]), Taken { new: 0, repeats: 10, full: 0 });
    }
}
