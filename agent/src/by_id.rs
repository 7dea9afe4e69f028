//! A table by check id, for what is looked up at every run.
//!
//! Ids are digests, or numbers the record gives, never an adversary's: one multiplication spreads them, where the
//! standard library's keyed hash would cost more than all else a look-up does. Never iterated where order shows.

use haidang_probe::check::CheckId;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table by check id.
pub type ById<T> = HashMap<CheckId, T, BuildHasherDefault<Spread>>;

/// Spreads the 32 bits of an id over 64 by 2^64 / golden ratio.
#[derive(Default)]
pub struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u32(&mut self, id: u32) {
        self.0 = (self.0 ^ u64::from(id)).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        // The table takes its place from the low bits and its mark from the high ones.
        self.0 ^= self.0 >> 32;
    }

    fn write(&mut self, octets: &[u8]) {
        octets.iter().for_each(|octet| self.write_u32(u32::from(*octet)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::hash::Hash as _;

    #[test]
    fn neighbouring_ids_get_places_of_their_own() {
        let spread = |id: u32| {
            let mut spread = Spread::default();
            CheckId(id).hash(&mut spread);
            spread.finish()
        };
        for step in [1, 256, 1 << 20] {
            let low: BTreeSet<u64> = (0..4096).map(|nth| spread(nth * step) & 0x3fff).collect();
            assert!(low.len() > 3000, "{} of 4,096 by {step}", low.len());
        }
    }
}
