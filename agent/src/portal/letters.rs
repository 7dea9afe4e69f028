//! Letters of Vietnamese: one form for each, however it was typed.
//!
//! A letter may come whole (`ắ`) or as a base with marks behind it (`a`, breve, acute; in any order). Both are the same
//! letter here, and each has a plain one under it (`a`), which is what people type in a hurry and what addresses hold.

/// Each vowel without a tone, then with grave, hook, tilde, acute and dot below.
const VOWELS: [[char; 6]; 12] = [
    ['a', 'à', 'ả', 'ã', 'á', 'ạ'],
    ['ă', 'ằ', 'ẳ', 'ẵ', 'ắ', 'ặ'],
    ['â', 'ầ', 'ẩ', 'ẫ', 'ấ', 'ậ'],
    ['e', 'è', 'ẻ', 'ẽ', 'é', 'ẹ'],
    ['ê', 'ề', 'ể', 'ễ', 'ế', 'ệ'],
    ['i', 'ì', 'ỉ', 'ĩ', 'í', 'ị'],
    ['o', 'ò', 'ỏ', 'õ', 'ó', 'ọ'],
    ['ô', 'ồ', 'ổ', 'ỗ', 'ố', 'ộ'],
    ['ơ', 'ờ', 'ở', 'ỡ', 'ớ', 'ợ'],
    ['u', 'ù', 'ủ', 'ũ', 'ú', 'ụ'],
    ['ư', 'ừ', 'ử', 'ữ', 'ứ', 'ự'],
    ['y', 'ỳ', 'ỷ', 'ỹ', 'ý', 'ỵ'],
];

/// The tone that a combining mark is: its column above.
fn tone(mark: char) -> Option<usize> {
    let tones = ['\u{300}', '\u{309}', '\u{303}', '\u{301}', '\u{323}'];
    tones.iter().position(|tone| *tone == mark).map(|place| place + 1)
}

/// The vowel that a combining mark makes of another: its row above.
fn shape(row: usize, mark: char) -> Option<usize> {
    let made = match (VOWELS[row][0], mark) {
        ('a', '\u{306}') => 'ă',
        ('a', '\u{302}') => 'â',
        ('e', '\u{302}') => 'ê',
        ('o', '\u{302}') => 'ô',
        ('o', '\u{31b}') => 'ơ',
        ('u', '\u{31b}') => 'ư',
        _ => return None,
    };
    VOWELS.iter().position(|vowel| vowel[0] == made)
}

fn place(letter: char) -> Option<(usize, usize)> {
    VOWELS
        .iter()
        .enumerate()
        .find_map(|(row, vowel)| Some((row, vowel.iter().position(|one| *one == letter)?)))
}

/// Whether a character is a mark that belongs to the letter before it.
pub fn is_mark(letter: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&letter)
}

/// A lower-case letter with one more mark on it; the same letter where Vietnamese has no such.
pub fn marked(letter: char, mark: char) -> char {
    let Some((row, column)) = place(letter) else { return letter };
    match (tone(mark), shape(row, mark)) {
        (Some(tone), _) => VOWELS[row][tone],
        (None, Some(row)) => VOWELS[row][column],
        (None, None) => letter,
    }
}

/// The plain letter under a lower-case one.
fn plain_letter(letter: char) -> char {
    match (letter, place(letter)) {
        ('đ', _) => 'd',
        (_, Some((row, _))) => match VOWELS[row][0] {
            'ă' | 'â' => 'a',
            'ê' => 'e',
            'ô' | 'ơ' => 'o',
            'ư' => 'u',
            vowel => vowel,
        },
        (letter, None) => letter,
    }
}

/// A word of lower-case letters without its marks.
pub fn plain(word: &str) -> String {
    word.chars().map(plain_letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_make_the_letter_in_any_order() {
        for (base, marks, letter) in [
            ('a', "\u{306}\u{301}", 'ắ'),
            ('a', "\u{323}\u{302}", 'ậ'),
            ('a', "\u{302}\u{323}", 'ậ'),
            ('o', "\u{31b}\u{300}", 'ờ'),
            ('u', "\u{303}", 'ũ'),
            ('b', "\u{301}", 'b'),
        ] {
            assert_eq!(marks.chars().fold(base, marked), letter);
        }
    }

    #[test]
    fn each_letter_has_a_plain_one() {
        assert_eq!(plain("nổ hũ tài xỉu đánh bạc ượt ỷ"), "no hu tai xiu danh bac uot y");
        let letters: String = VOWELS.concat().into_iter().collect();
        assert!(plain(&letters).is_ascii());
    }
}
