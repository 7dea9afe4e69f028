//! The one-time code a person carries from the collector to a device.
//!
//! ```text
//! K7QD-0M3V-…   8 groups of 4 symbols of Crockford's base32 (no I, L, O, U), 160 bits
//!   16 octets   drawn at random: the secret; the collector keeps its SHA-256
//!    4 octets   HMAC-SHA-256(secret, LABEL ‖ certificate of the collector's authority), cut
//! ```
//!
//! The tag lets the device know the collector before it says the secret. It is keyed by the secret, so nobody who
//! has not seen the code can search for an authority that fits: an impostor has one guess in 2^32 a code.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// Octets of a code's secret.
const SECRET: usize = 16;
/// Octets of the tag.
pub const AUTHORITY_TAG: usize = 4;
/// Symbols of a code, and of a group of them.
const SYMBOLS: usize = (SECRET + AUTHORITY_TAG) * 8 / 5;
const GROUP: usize = 4;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LABEL: &[u8] = b"haidang authority v1";

/// A one-time code. Whoever has it may enrol: it is shown once, and never by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    secret: [u8; SECRET],
    tag: [u8; AUTHORITY_TAG],
}

/// Why a text is no code. It never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotACode {
    /// Too short or too long.
    #[error("a code has {SYMBOLS} letters and digits, this has {0}")]
    Length(usize),
    /// A symbol no code has.
    #[error("symbol {0} is in no code: codes are made of digits and letters but U")]
    Symbol(usize),
}

impl Code {
    /// The code of a secret drawn at random, for a collector whose authority's certificate this is (DER).
    pub fn new(secret: [u8; SECRET], authority: &[u8]) -> Code {
        let tag = tag(&secret, authority);
        Code { secret, tag }
    }

    /// Reads a code as people type it: case, spaces and hyphens say nothing; O is 0, I and L are 1.
    pub fn parse(text: &str) -> Result<Code, NotACode> {
        let symbols: Vec<char> = text.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
        if symbols.len() != SYMBOLS {
            return Err(NotACode::Length(symbols.len()));
        }
        let mut bits: u64 = 0;
        let (mut held, mut octets) = (0, Vec::with_capacity(SECRET + AUTHORITY_TAG));
        for (place, symbol) in (1..).zip(symbols) {
            bits = bits << 5 | value(symbol).ok_or(NotACode::Symbol(place))?;
            held += 5;
            if held >= 8 {
                held -= 8;
                octets.push((bits >> held) as u8);
            }
        }
        let (mut secret, mut tag) = ([0; SECRET], [0; AUTHORITY_TAG]);
        secret.copy_from_slice(&octets[..SECRET]);
        tag.copy_from_slice(&octets[SECRET..]);
        Ok(Code { secret, tag })
    }

    /// Whether it was made by the collector whose authority's certificate this is (DER).
    pub fn vouches_for(&self, authority: &[u8]) -> bool {
        tag(&self.secret, authority).ct_eq(&self.tag).into()
    }

    /// What the device says.
    pub fn secret(&self) -> &[u8; SECRET] {
        &self.secret
    }

    /// What the collector keeps of a secret.
    pub fn hash(secret: &[u8]) -> [u8; 32] {
        Sha256::digest(secret).into()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut bits, mut held, mut written) = (0_u64, 0, 0);
        for octet in self.secret.iter().chain(&self.tag) {
            bits = bits << 8 | u64::from(*octet);
            held += 8;
            while held >= 5 {
                held -= 5;
                if written > 0 && written % GROUP == 0 {
                    f.write_str("-")?;
                }
                write!(f, "{}", char::from(ALPHABET[(bits >> held) as usize & 31]))?;
                written += 1;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

fn tag(secret: &[u8; SECRET], authority: &[u8]) -> [u8; AUTHORITY_TAG] {
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    block[..SECRET].copy_from_slice(secret);
    let mut mac = Hmac::<Sha256>::new(&block);
    mac.update(LABEL);
    mac.update(authority);
    let whole = mac.finalize().into_bytes();
    let mut tag = [0; AUTHORITY_TAG];
    tag.copy_from_slice(&whole[..AUTHORITY_TAG]);
    tag
}

fn value(symbol: char) -> Option<u64> {
    let symbol = match symbol.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    ALPHABET.iter().position(|known| char::from(*known) == symbol).map(|place| place as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> Code {
        Code::new(std::array::from_fn(|nth| nth as u8 * 17), b"authority")
    }

    #[test]
    fn reads_back_as_people_type_it() {
        let text = code().to_string();
        assert_eq!(text.len(), 39, "{text}");
        assert_eq!(Code::parse(&text), Ok(code()));
        let typed = text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        assert_eq!(Code::parse(&typed), Ok(code()));
    }

    #[test]
    fn knows_its_collector_and_no_other() {
        let code = code();
        assert!(code.vouches_for(b"authority") && !code.vouches_for(b"impostor"));
        let other = Code::new([7; SECRET], b"authority");
        assert_ne!(other.tag, code.tag, "a tag of one code says nothing about another's");
    }

    #[test]
    fn what_is_no_code_is_told_without_repeating_it() {
        assert_eq!(Code::parse("K7QD-0M3V"), Err(NotACode::Length(8)));
        assert_eq!(Code::parse(&"U".repeat(32)), Err(NotACode::Symbol(1)));
        assert_eq!(Code::parse(&"é".repeat(32)), Err(NotACode::Symbol(1)));
        assert_eq!(format!("{:?}", code()), "Code(…)");
    }
}
