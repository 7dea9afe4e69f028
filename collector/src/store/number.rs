//! Numbers as the store writes them: LEB128, zigzag, and values whose exact form is short.
//!
//! ```text
//! token = difference to the value before << 2 | 0      the scale stays                    all LEB128
//!       | value << 2 | 1                               whole numbers from here on
//!       | value << 2 | 2                               millionths from here on
//!       | 3, then the 8 octets of the bit pattern      neither; the scale stays
//! ```
//!
//! Every finite value reads back bit by bit. Reading never panics: what is no token is `None`.

/// Largest number both an `f64` and its millionths hold exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Millionths in a whole.
const MICRO: f64 = 1e6;

/// What a stored integer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// Wholes.
    Whole,
    /// Millionths.
    Micro,
}

impl Scale {
    /// The value as an integer of this scale, if that is exact.
    pub fn exact(self, value: f64) -> Option<i64> {
        let scaled = match self {
            Scale::Whole => value,
            Scale::Micro => (value * MICRO).round(),
        };
        // NaN and infinities fail the first, minus zero the second.
        let integer = scaled as i64;
        (scaled.abs() <= EXACT && self.value(integer).to_bits() == value.to_bits()).then_some(integer)
    }

    /// The value of an integer of this scale.
    pub fn value(self, integer: i64) -> f64 {
        match self {
            Scale::Whole => integer as f64,
            Scale::Micro => integer as f64 / MICRO,
        }
    }
}

/// The state between two tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values {
    scale: Scale,
    last: i64,
}

impl Default for Values {
    fn default() -> Values {
        Values { scale: Scale::Whole, last: 0 }
    }
}

impl Values {
    /// Writes the token of a value.
    pub fn put(&mut self, octets: &mut Vec<u8>, value: f64) {
        if let Some(integer) = self.scale.exact(value) {
            put(octets, zigzag(integer - self.last) << 2);
            self.last = integer;
            return;
        }
        for (scale, tag) in [(Scale::Whole, 1), (Scale::Micro, 2)] {
            if let Some(integer) = scale.exact(value) {
                put(octets, zigzag(integer) << 2 | tag);
                *self = Values { scale, last: integer };
                return;
            }
        }
        put(octets, 3);
        octets.extend(value.to_bits().to_le_bytes());
    }

    /// Reads the next token.
    pub fn get(&mut self, octets: &mut &[u8]) -> Option<f64> {
        let token = get(octets)?;
        let integer = unzigzag(token >> 2);
        match token & 3 {
            0 => self.last = self.last.wrapping_add(integer),
            1 => *self = Values { scale: Scale::Whole, last: integer },
            2 => *self = Values { scale: Scale::Micro, last: integer },
            _ => {
                let (bits, rest) = octets.split_first_chunk::<8>()?;
                *octets = rest;
                return Some(f64::from_bits(u64::from_le_bytes(*bits)));
            }
        }
        Some(self.scale.value(self.last))
    }
}

/// Small magnitudes to small numbers.
pub(super) fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

/// What [`zigzag`] was given.
pub(super) fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

/// Writes LEB128.
pub(super) fn put(octets: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        octets.push(n as u8 | 0x80);
        n >>= 7;
    }
    octets.push(n as u8);
}

/// Reads LEB128.
pub(super) fn get(octets: &mut &[u8]) -> Option<u64> {
    let mut n = 0;
    for shift in (0..64).step_by(7) {
        let (octet, rest) = octets.split_first()?;
        *octets = rest;
        n |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_finite_value_reads_back_bit_by_bit(
            values in prop::collection::vec(prop_oneof![
                any::<f64>().prop_filter("finite", |value| value.is_finite()),
                any::<i32>().prop_map(f64::from),
                (0..1_000_000_000_u32).prop_map(|micros| f64::from(micros) / 1e6),
                Just(-0.0), Just(9_007_199_254_740_992.0),
            ], 0..50),
        ) {
            let (mut octets, mut writer, mut reader) = (Vec::new(), Values::default(), Values::default());
            values.iter().for_each(|value| writer.put(&mut octets, *value));
            let rest = &mut octets.as_slice();
            for value in &values {
                prop_assert_eq!(reader.get(rest).map(f64::to_bits), Some(value.to_bits()));
            }
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn a_value_that_stays_costs_one_octet() {
        let (mut octets, mut values) = (Vec::new(), Values::default());
        for value in [0.25, 0.25, 0.25] {
            values.put(&mut octets, value);
        }
        assert_eq!(octets.len(), 5);
    }

    #[test]
    fn what_is_no_token_is_none() {
        assert_eq!(Values::default().get(&mut [].as_slice()), None);
        assert_eq!(Values::default().get(&mut [3, 1, 2].as_slice()), None);
        assert_eq!(get(&mut [0xff; 11].as_slice()), None);
    }
}
