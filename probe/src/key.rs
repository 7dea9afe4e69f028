//! Keys of an agent, all derived from its one secret: HKDF-SHA256(secret, label) (RFC 5869).

use hkdf::Hkdf;
use sha2::Sha256;

/// Label of the bearer token.
pub const BEARER: &str = "haidang bearer v1";
/// Label of the STAMP sessions' HMAC key.
pub const STAMP: &str = "haidang stamp v1";

/// 32 bytes derived from `secret` for `label`.
pub fn derive(secret: &[u8], label: &str) -> [u8; 32] {
    let mut key = [0; 32];
    // 32 bytes is far below HKDF-SHA256's limit of 8,160: expansion cannot fail.
    let _ = Hkdf::<Sha256>::new(None, secret).expand(label.as_bytes(), &mut key);
    key
}

/// The bearer token of an agent: `derive(secret, BEARER)` in lower-case hex.
pub fn bearer(secret: &[u8]) -> String {
    hex(&derive(secret, BEARER))
}

/// Lower-case hex of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
        text
    })
}

/// The bytes a hex text stands for; `None` if it is not hex or of odd length.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect();
    let digits = digits?;
    (digits.len() % 2 == 0).then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_give_unrelated_keys() {
        assert_ne!(derive(b"secret", BEARER), derive(b"secret", STAMP));
        assert_ne!(derive(b"secret", BEARER), derive(b"other", BEARER));
    }

    #[test]
    fn hex_reads_back() {
        assert_eq!(unhex(&hex(&[0, 1, 0xfe, 0xff])), Some(vec![0, 1, 0xfe, 0xff]));
        assert_eq!(unhex("abc"), None);
        assert_eq!(unhex("zz"), None);
    }
}
