//! Datagrams near to a real one, for the tests of readers: octets changed, cut out, doubled, and the end cut off.

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
