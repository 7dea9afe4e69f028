//! Words as people type them: cleaned for keeping, folded for comparing.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Characters that show nothing and are pasted along.
const INVISIBLE: [char; 5] = ['\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}'];

/// What is kept of a cell's text: composed letters (NFC), single spaces, nothing invisible and nothing a terminal obeys.
pub fn clean(text: &str) -> String {
    let is_seen = |c: &char| !INVISIBLE.contains(c) && (!c.is_control() || c.is_whitespace());
    let seen: String = text.nfc().filter(is_seen).collect();
    seen.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What two spellings of one word have in common: lower case, no diacritics, words of letters and digits
/// divided by single spaces. `Mã kênh (VNPT)`, `MA KENH VNPT` and `mã_kênh vnpt` are all `ma kenh vnpt`.
pub fn fold(text: &str) -> String {
    let plain = plain(text);
    plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Lower case without diacritics; punctuation stays.
pub fn plain(text: &str) -> String {
    let base = |c: char| if c == 'đ' { 'd' } else { c };
    text.to_lowercase().nfd().filter(|c| !is_combining_mark(*c)).map(base).collect()
}

/// An id's letters and digits out of words: `Khu vực Mỹ Tho` → `khu-vuc-my-tho`.
pub fn slug(text: &str) -> String {
    let ascii: String = fold(text).chars().filter(|c| c.is_ascii_alphanumeric() || *c == ' ').collect();
    ascii.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_word_fold_to_one() {
        for text in ["Mã kênh (VNPT)", "MA KENH VNPT", "mã_kênh\u{a0}vnpt", "Ma\u{303} ke\u{302}nh: VNPT"]
        {
            assert_eq!(fold(text), "ma kenh vnpt", "{text}");
        }
        assert_eq!(fold("Đường truyền"), "duong truyen");
    }

    #[test]
    fn cleaning_keeps_what_can_be_seen() {
        assert_eq!(clean("  \u{feff}Đa\u{323}o\u{a0} \u{1b}Tha\u{323}nh\n"), "Đạo Thạnh");
    }

    #[test]
    fn a_slug_is_fit_for_an_id() {
        assert_eq!(slug("Khu vực Tân Phú Đông, số 2"), "khu-vuc-tan-phu-dong-so-2");
    }
}
