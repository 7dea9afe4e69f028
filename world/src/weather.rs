//! How a line treats the packets it carries: a constant delay each way, a little loss, and what its switch says is
//! lost beside. Pure and seeded: the same line treats its n-th packet alike in every run.

use crate::switches::Switch;

/// Share of packets lost in one direction while nothing is broken.
pub const LOSS: f64 = 0.0025;
/// Shortest delay of one direction, nanoseconds.
const SHORTEST_NS: u64 = 3_000_000;
/// Longest delay of one direction, nanoseconds.
const LONGEST_NS: u64 = 30_000_000;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the site to the centre.
    Up,
    /// From the centre to the site.
    Down,
}

/// One line's weather, as one of its streams meets it.
#[derive(Clone, Debug)]
pub struct Weather {
    seed: u64,
    carried: [u64; 2],
    switch: Switch,
}

impl Weather {
    /// The weather of a line, for the stream called `stream`: streams lose different packets, but the delay is the
    /// line's.
    pub fn new(line: &str, stream: &str, switch: &Switch) -> Weather {
        Weather { seed: mix(hash(line)), carried: [mix(hash(stream)); 2], switch: switch.clone() }
    }

    /// How long a packet is under way, nanoseconds.
    pub fn delay_ns(&self, direction: Direction) -> u64 {
        SHORTEST_NS + mix(self.seed ^ direction as u64) % (LONGEST_NS - SHORTEST_NS)
    }

    /// Whether the next packet in this direction arrives.
    pub fn carries(&mut self, direction: Direction) -> bool {
        let carried = &mut self.carried[direction as usize];
        *carried = carried.wrapping_add(1);
        share(mix(self.seed ^ mix(*carried ^ (direction as u64) << 63))) >= LOSS + self.switch.loss()
    }
}

/// FNV-1a, 64 bits.
pub fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): neighbouring numbers become unrelated ones.
pub fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// A number as a share of 1, below it.
pub fn share(number: u64) -> f64 {
    (number >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::effects::Effects;
    use crate::map::{Part, tests::map};
    use crate::switches::Switches;

    fn lost(line: &str, stream: &str, direction: Direction, packets: usize) -> Vec<usize> {
        let mut weather = Weather::new(line, stream, &Switch::default());
        (0..packets).filter(|_| !weather.carries(direction)).collect()
    }

    #[test]
    fn a_quarter_of_a_per_cent_is_lost_each_way() {
        for direction in [Direction::Up, Direction::Down] {
            let lost: usize =
                (0..200).map(|line| lost(&format!("28{line}-1"), "up", direction, 5_000).len()).sum();
            // 2 500 of a million, ± 6 standard deviations.
            assert!((2_200..2_800).contains(&lost), "{lost} of a million");
        }
    }

    #[test]
    fn a_brownout_loses_its_share_each_way_beside_the_usual() {
        let switches = Switches::new(&map());
        let line = Part::Line("28249-1".into());
        switches.set(&Effects { lost: [(line.clone(), 30_000)].into(), ..Effects::default() });
        let mut weather = Weather::new("28249-1", "life", &switches.of(&line).unwrap());
        for direction in [Direction::Up, Direction::Down] {
            let lost = (0..100_000).filter(|_| !weather.carries(direction)).count();
            // 30 250 ± 6 standard deviations.
            assert!((29_370..31_130).contains(&lost), "{lost}");
        }
        switches.set(&Effects::default());
        assert!((0..10_000).filter(|_| !weather.carries(Direction::Up)).count() < 60);
    }

    #[test]
    fn losses_repeat_from_run_to_run_and_differ_by_stream_and_direction() {
        let up = lost("28249-1", "life", Direction::Up, 20_000);
        assert_eq!(up, lost("28249-1", "life", Direction::Up, 20_000));
        assert_ne!(up, lost("28249-1", "life", Direction::Down, 20_000));
        assert_ne!(up, lost("28249-1", "gateway", Direction::Up, 20_000));
        assert_ne!(up, lost("28250-1", "life", Direction::Up, 20_000));
    }

    #[test]
    fn losses_do_not_come_in_runs() {
        for line in 0..200 {
            let lost = lost(&format!("28{line}-1"), "life", Direction::Up, 20_000);
            assert!(!lost.windows(3).any(|run| run[2] - run[0] == 2), "three in a row on line {line}");
        }
    }

    #[test]
    fn the_delay_is_the_lines_whatever_rides_on_it() {
        let delays: Vec<u64> = (0..100)
            .map(|line| {
                Weather::new(&format!("28{line}-1"), "life", &Switch::default()).delay_ns(Direction::Up)
            })
            .collect();
        assert!(delays.iter().all(|delay| (SHORTEST_NS..LONGEST_NS).contains(delay)));
        assert!(
            delays.iter().any(|delay| *delay < 8_000_000) && delays.iter().any(|delay| *delay > 25_000_000)
        );
        let [one, other] =
            ["life", "gateway"].map(|stream| Weather::new("28249-1", stream, &Switch::default()));
        assert_eq!(one.delay_ns(Direction::Down), other.delay_ns(Direction::Down));
    }
}
