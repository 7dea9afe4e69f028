//! Certificates as text (PEM, RFC 7468), and nothing else: what is copied to others must not hold a key.
//!
//! ```text
//! issued by …                        left out
//! -----BEGIN CERTIFICATE-----   ┐
//! MIIB…                         │    given as it stands
//! -----END CERTIFICATE-----     ┘
//! -----BEGIN PRIVATE KEY-----        refused, whole, by its line
//! ```

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END CERTIFICATE-----";

/// Why a text is not certificates. It never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCertificates {
    /// Something else begins on this line, from 1: a private key, as it may be.
    #[error("line {0} begins something other than a certificate; leave the certificates alone in it")]
    Other(u64),
    /// The block that begins on this line, from 1, cannot be read.
    #[error("the certificate on line {0} is cut short or garbled")]
    Garbled(u64),
    /// There is none.
    #[error("holds no certificate")]
    Empty,
}

/// The blocks of the certificates in `text`, at least one, without what stands around them.
///
/// # Errors
/// When there is none, one cannot be read, or a block of another kind is among them.
pub fn certificates(text: &str) -> Result<String, NotCertificates> {
    let (mut all, mut open) = (String::new(), None);
    for (line, words) in (1..).zip(text.lines().map(str::trim)) {
        if words.contains(BEGIN) {
            if words != "-----BEGIN CERTIFICATE-----" {
                return Err(NotCertificates::Other(line));
            }
            if let Some((before, _)) = open.replace((line, String::new())) {
                return Err(NotCertificates::Garbled(before));
            }
        }
        let Some((began, block)) = &mut open else { continue };
        block.push_str(words);
        block.push('\n');
        if words == END {
            CertificateDer::from_pem_slice(block.as_bytes()).map_err(|_| NotCertificates::Garbled(*began))?;
            all.push_str(block);
            open = None;
        }
    }
    match open {
        Some((began, _)) => Err(NotCertificates::Garbled(began)),
        None if all.is_empty() => Err(NotCertificates::Empty),
        None => Ok(all),
    }
}

/// A certificate (DER) as text.
pub fn of_certificate(der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let bits =
                (0..3).fold(0, |bits, nth| bits << 8 | u32::from(three.get(nth).copied().unwrap_or(0)));
            for nth in 0..4 {
                let symbol = char::from(ALPHABET[(bits >> (18 - 6 * nth)) as usize & 63]);
                text.push(if nth <= three.len() { symbol } else { '=' });
            }
        }
        text.push('\n');
    }
    text + END + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = include_str!("../fixtures/localhost.pem");
    const KEY: &str = include_str!("../fixtures/localhost.key");

    #[test]
    fn a_key_among_certificates_is_refused_by_its_line() {
        let line = CERTIFICATE.lines().count() as u64 + 1;
        assert_eq!(certificates(&format!("{CERTIFICATE}{KEY}")), Err(NotCertificates::Other(line)));
        assert_eq!(certificates(KEY), Err(NotCertificates::Other(1)));
        let within = CERTIFICATE.replace("-----END", &format!("{KEY}-----END"));
        assert!(matches!(certificates(&within), Err(NotCertificates::Other(_))));
    }

    #[test]
    fn what_stands_around_certificates_is_left_out() {
        let text = format!("subject: CN=a\r\n{CERTIFICATE}between\n{CERTIFICATE}0123\n");
        assert_eq!(certificates(&text).unwrap(), CERTIFICATE.repeat(2));
    }

    #[test]
    fn a_certificate_reads_back() {
        for der in [&b"a"[..], b"ab", b"abc", &[0xfb; 97]] {
            let text = certificates(&of_certificate(der)).unwrap();
            assert_eq!(CertificateDer::from_pem_slice(text.as_bytes()).unwrap().as_ref(), der);
        }
    }

    #[test]
    fn what_is_cut_short_or_missing_is_said() {
        assert_eq!(certificates("nothing"), Err(NotCertificates::Empty));
        let cut = CERTIFICATE.split("-----END").next().unwrap();
        assert_eq!(certificates(cut), Err(NotCertificates::Garbled(1)));
        assert_eq!(certificates(&format!("{cut}{CERTIFICATE}")), Err(NotCertificates::Garbled(1)));
        let garbled = format!("-----BEGIN CERTIFICATE-----\n!\n{END}\n");
        assert_eq!(certificates(&garbled), Err(NotCertificates::Garbled(1)));
    }
}
