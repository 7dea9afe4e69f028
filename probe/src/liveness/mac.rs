//! HMAC-SHA-256 truncated to 128 bits (RFC 8762 §4.4).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;

/// Octets of a truncated HMAC.
pub(super) const TAG: usize = 16;

/// A session's key with both HMAC pads already absorbed: a packet costs a clone, not two extra blocks.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// The key of 32 octets, as [`key::derive`](crate::key::derive) makes them.
    pub fn new(octets: &[u8; 32]) -> Key {
        // HMAC pads a short key with zeros to its block, so this is the key itself (RFC 2104 §2).
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        block[..octets.len()].copy_from_slice(octets);
        Key(Hmac::new(&block))
    }

    /// The truncated HMAC over the parts, one after the other.
    pub(super) fn tag(&self, parts: &[&[u8]]) -> [u8; TAG] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        let whole = mac.finalize().into_bytes();
        let mut tag = [0; TAG];
        tag.copy_from_slice(&whole[..TAG]);
        tag
    }

    /// Whether `tag` is that of the parts, in constant time.
    pub(super) fn matches(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.tag(parts).ct_eq(tag).into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::unhex;

    #[test]
    fn is_the_hmac_of_rfc_4231_cut_to_128_bits() {
        // RFC 4231 test case 2, the key "Jefe" padded with zeros as HMAC itself would.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let tag = Key::new(&key).tag(&[b"what do ya want ", b"for nothing?"]);
        assert_eq!(tag[..], unhex("5bdcc146bf60754e6a042426089575c7").unwrap()[..]);
    }

    #[test]
    fn is_not_shown() {
        assert_eq!(format!("{:?}", Key::new(&[7; 32])), "Key(..)");
    }
}
