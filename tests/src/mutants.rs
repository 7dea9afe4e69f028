//! Datagrams near to a real one, for the tests of readers: octets changed, cut out, doubled, and the end cut off.

/// A trap of version 2c, community `public`: linkDown, no more than what every trap says.
pub const TRAP: &[u8] = &[
    0x30, 0x43, 0x02, 0x01, 0x01, 0x04, 0x06, b'p', b'u', b'b', b'l', b'i', b'c', 0xa7, 0x36, 0x02, 0x04,
    0x2c, 0x7b, 0x3e, 0x53, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x30, 0x28, 0x30, 0x0d, 0x06, 0x08, 0x2b,
    0x06, 0x01, 0x02, 0x01, 0x01, 0x03, 0x00, 0x43, 0x01, 0x00, 0x30, 0x17, 0x06, 0x0a, 0x2b, 0x06, 0x01,
    0x06, 0x03, 0x01, 0x01, 0x04, 0x01, 0x00, 0x06, 0x09, 0x2b, 0x06, 0x01, 0x06, 0x03, 0x01, 0x01, 0x05,
    0x03,
];

/// Draws mutants; the same number draws the same ones.
pub struct Mutants(u64);

impl Mutants {
    /// A source of mutants.
    pub fn new(number: u64) -> Mutants {
        Mutants(number)
    }

    /// One mutant of `seed`.
    pub fn of(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut octets = seed.to_vec();
        for _ in 0..self.below(4) {
            let at = self.below(octets.len() + 1);
            match self.below(5) {
                0 => octets.truncate(at),
                1 => octets.insert(at, self.below(256) as u8),
                2 => drop(octets.drain(..at.min(octets.len()) / 2)),
                3 => octets.extend_from_within(at..),
                _ => {
                    if let Some(octet) = octets.get_mut(at) {
                        *octet = [0, 0x7f, 0x80, 0xff, self.below(256) as u8][self.below(5)];
                    }
                }
            }
        }
        octets
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        // SplitMix64 (Steele et al. 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}
