//! Fingerprints of texts: few bits that tell how alike two texts are, and nothing of what they say.
//!
//! SimHash (Charikar 2002) over pairs of neighbouring words. Each pair votes with its hash on every bit; the share of
//! bits in which two fingerprints differ is the angle between their texts. 52 bits, so that a sample holds one exactly.
//! The hash is FNV-1a of the words and a finalizer, and stays: fingerprints of years are compared.

/// Bits of a fingerprint.
pub const BITS: u32 = 52;

/// A text on its way to a fingerprint.
#[derive(Clone, Debug)]
pub struct Text {
    votes: [i32; BITS as usize],
    before: u64,
}

impl Default for Text {
    fn default() -> Text {
        Text { votes: [0; BITS as usize], before: 0 }
    }
}

impl Text {
    /// One more word.
    pub fn word(&mut self, word: &str) {
        let hash = fnv(word);
        let pair = mixed(self.before.rotate_left(17) ^ hash);
        self.before = hash;
        for (bit, votes) in self.votes.iter_mut().enumerate() {
            *votes += if pair >> bit & 1 == 1 { 1 } else { -1 };
        }
    }

    /// The fingerprint; 0 of no words.
    pub fn fingerprint(&self) -> u64 {
        let set = self.votes.iter().enumerate().filter(|(_, votes)| **votes > 0);
        set.fold(0, |print, (bit, _)| print | 1 << bit)
    }
}

/// A fingerprint of exactly these words, of which nothing is alike: for titles.
pub fn exact(words: &[String]) -> u64 {
    if words.is_empty() {
        return 0;
    }
    mixed(fnv(&words.join(" "))) & ((1 << BITS) - 1)
}

/// How far apart two texts are by their fingerprints: 0 the same, 1 nothing in common.
pub fn distance(one: u64, other: u64) -> f64 {
    let angle = f64::from((one ^ other).count_ones()) / f64::from(BITS) * std::f64::consts::PI;
    (1.0 - angle.cos()).clamp(0.0, 1.0)
}

fn fnv(word: &str) -> u64 {
    word.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3))
}

/// MurmurHash3's finalizer: every bit of the input moves every bit of the output.
fn mixed(mut hash: u64) -> u64 {
    hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: impl IntoIterator<Item = String>) -> u64 {
        let mut text = Text::default();
        words.into_iter().for_each(|word| text.word(&word));
        text.fingerprint()
    }

    fn page(words: std::ops::Range<u32>) -> impl Iterator<Item = String> {
        words.map(|word| format!("w{word}"))
    }

    #[test]
    fn a_small_change_is_near_and_another_text_far() {
        let known = of(page(0..400));
        assert!(distance(known, known) < 1e-9);
        assert!(distance(known, of(page(0..380).chain(page(900..920)))) < 0.2);
        assert!(distance(known, of(page(1000..1400))) > 0.6);
    }

    #[test]
    fn an_emptied_page_is_far_from_what_it_was() {
        assert_eq!(of(page(0..0)), 0);
        assert!(distance(of(page(0..400)), 0) > 0.6);
    }

    #[test]
    fn a_fingerprint_fits_a_sample_and_stays_what_it_is() {
        let print = of(["cổng", "thông", "tin", "xã"].map(str::to_owned));
        assert_eq!(print as f64 as u64, print);
        let title = exact(&["cổng".to_owned()]);
        assert_eq!(title as f64 as u64, title);
        let of_old = (1_234_414_425_657_859, 1_449_970_579_987_011);
        assert_eq!((print, title), of_old, "a change of these breaks comparison with years of record");
    }
}
