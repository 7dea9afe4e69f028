//! The words of a page, as its octets come: HTML read far enough to know what a reader sees. Nothing is kept but the
//! word, the tag or the reference under way, each to a limit.
//!
//! ```text
//!         '<' letter / ! ?              '>'
//!  text ────────────────────▶ tag ─────────────▶ text, or raw: script, style … up to its end tag
//!   │ '&'                      └ "!--" ▶ comment ─ "-->" ─▶ text
//!   └─────▶ reference ─ ';' ─▶ text
//! ```
//!
//! What a page's script would write, and what a style sheet hides, is not seen; what hides itself by its own attributes
//! is known as hidden.

use super::letters;
use super::tag;

/// Octets kept of a tag; attributes beyond are not seen.
const MAX_TAG: usize = 4096;
/// Octets of text looked at together; a longer run without a space is cut.
const MAX_RUN: usize = 1024;
/// Characters of a word; the rest of a longer one is another word.
const MAX_WORD: usize = 48;
/// Octets of a character reference.
const MAX_REFERENCE: usize = 10;

/// How elements end whose content is no text.
const RAW: [&str; 5] = ["</script", "</style", "</textarea", "</iframe", "</xmp"];
/// Elements that may stand inside a word. Links stand side by side in menus, with room between them.
const INLINE: [&str; 13] =
    ["abbr", "b", "em", "font", "i", "mark", "small", "span", "strong", "sub", "sup", "u", "wbr"];

/// Where a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where readers see it.
    Seen,
    /// In an element that hides itself.
    Hidden,
    /// In the title.
    Title,
    /// What the page tells search engines of itself.
    Told,
}

/// What a page shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight<'a> {
    /// A word, in lower case.
    Word(&'a str, Place),
    /// A link to another place that readers do not see.
    HiddenLink,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Text,
    /// After a `<`.
    Open,
    Tag {
        quote: Option<u8>,
        /// The last octet that was no space is `=`: a quote may begin.
        value: bool,
    },
    Comment {
        dashes: u8,
    },
    Reference,
    /// In the element of that number in [`RAW`].
    Raw(usize),
}

/// A page being read.
#[derive(Clone, Debug)]
pub struct Page {
    step: Step,
    /// The tag or reference under way.
    tag: Vec<u8>,
    /// Text up to the next separator.
    run: Vec<u8>,
    /// The element that hides what stands in it, and how deep it stands in its like.
    hidden: Option<(String, u32)>,
    title: bool,
    titled: bool,
}

impl Default for Page {
    fn default() -> Page {
        Page { step: Step::Text, tag: Vec::new(), run: Vec::new(), hidden: None, title: false, titled: false }
    }
}

impl Page {
    /// More octets; `see` is shown what is in them.
    pub fn take(&mut self, octets: &[u8], see: &mut impl FnMut(Sight<'_>)) {
        for &octet in octets {
            self.octet(octet, see);
        }
    }

    /// There are no more octets.
    pub fn end(&mut self, see: &mut impl FnMut(Sight<'_>)) {
        self.end_run(self.place(), see);
    }

    fn octet(&mut self, octet: u8, see: &mut impl FnMut(Sight<'_>)) {
        match self.step {
            Step::Text => self.text(octet, self.place(), see),
            Step::Reference => self.reference(octet, self.place(), see),
            Step::Open if octet.is_ascii_alphabetic() || b"/!?".contains(&octet) => {
                self.tag.clear();
                self.tag.push(octet);
                self.step = Step::Tag { quote: None, value: false };
            }
            Step::Open => {
                self.step = Step::Text;
                self.end_run(self.place(), see);
                self.text(octet, self.place(), see);
            }
            Step::Tag { quote, value } => self.tag(octet, quote, value, see),
            Step::Comment { dashes } => {
                self.step = match octet {
                    b'-' => Step::Comment { dashes: (dashes + 1).min(2) },
                    b'>' if dashes == 2 => Step::Text,
                    _ => Step::Comment { dashes: 0 },
                };
            }
            Step::Raw(element) => self.raw(octet, element),
        }
    }

    fn place(&self) -> Place {
        match (&self.hidden, self.title) {
            (_, true) => Place::Title,
            (Some(_), _) => Place::Hidden,
            (None, _) => Place::Seen,
        }
    }

    fn text(&mut self, octet: u8, place: Place, see: &mut impl FnMut(Sight<'_>)) {
        match octet {
            b'<' => self.step = Step::Open,
            b'&' => {
                self.tag.clear();
                self.step = Step::Reference;
            }
            _ if octet.is_ascii_alphanumeric() || octet >= 0x80 => {
                // Not inside a character, while there are any: the next one begins the rest.
                let inside = octet & 0xc0 == 0x80 && self.run.len() < MAX_RUN + 4;
                if self.run.len() >= MAX_RUN && !inside {
                    self.end_run(place, see);
                }
                self.run.push(octet);
            }
            _ => self.end_run(place, see),
        }
    }

    /// A character reference stands for its character, so that a word cannot hide behind it.
    fn reference(&mut self, octet: u8, place: Place, see: &mut impl FnMut(Sight<'_>)) {
        if self.tag.len() < MAX_REFERENCE && (octet.is_ascii_alphanumeric() || octet == b'#') {
            return self.tag.push(octet);
        }
        self.step = Step::Text;
        let written = std::mem::take(&mut self.tag);
        if let Some(character) = tag::character(&written).filter(|_| octet == b';') {
            if self.run.len() >= MAX_RUN {
                self.end_run(place, see);
            }
            return self.run.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.end_run(place, see);
        written.into_iter().for_each(|octet| self.text(octet, place, see));
        self.text(octet, place, see);
    }

    fn tag(&mut self, octet: u8, quote: Option<u8>, value: bool, see: &mut impl FnMut(Sight<'_>)) {
        if self.tag.len() < MAX_TAG {
            self.tag.push(octet);
        }
        if self.tag.starts_with(b"!--") {
            self.step = Step::Comment { dashes: 2 };
            return;
        }
        let quote = match quote {
            Some(quote) => Some(quote).filter(|quote| *quote != octet),
            None if octet == b'>' => return self.end_tag(see),
            None => Some(octet).filter(|octet| value && b"\"'".contains(octet)),
        };
        let value = octet == b'=' || value && octet.is_ascii_whitespace();
        self.step = Step::Tag { quote, value };
    }

    fn end_tag(&mut self, see: &mut impl FnMut(Sight<'_>)) {
        self.step = Step::Text;
        let written = std::mem::take(&mut self.tag);
        let (closing, name) = tag::name(&written);
        if !INLINE.contains(&name.as_str()) {
            self.end_run(self.place(), see);
        }
        match name.as_str() {
            "title" if closing || !self.titled => {
                (self.title, self.titled) = (!closing, true);
            }
            "meta" => self.told(&written, see),
            _ => self.hide(&written, &name, closing, see),
        }
        if let Some(element) = RAW.iter().position(|end| !closing && end[2..] == name) {
            self.step = Step::Raw(element);
        }
        self.tag.clear();
    }

    /// Begins or ends an element that hides what stands in it.
    fn hide(&mut self, written: &[u8], name: &str, closing: bool, see: &mut impl FnMut(Sight<'_>)) {
        if tag::is_void(name) {
            return;
        }
        match &mut self.hidden {
            Some((hiding, depth)) if hiding == name => {
                *depth = if closing { *depth - 1 } else { *depth + 1 };
                if *depth == 0 {
                    self.end_run(Place::Hidden, see);
                    self.hidden = None;
                }
            }
            None if !closing && tag::hides(written) => {
                self.end_run(Place::Seen, see);
                self.hidden = Some((name.into(), 1));
            }
            _ => {}
        }
        if self.hidden.is_some() && name == "a" && !closing && tag::leads_away(written) {
            see(Sight::HiddenLink);
        }
    }

    /// What the page says of itself: a word there is for search engines.
    fn told(&mut self, written: &[u8], see: &mut impl FnMut(Sight<'_>)) {
        let Some(content) = tag::told(written) else { return };
        for octet in content {
            match self.step {
                Step::Reference => self.reference(octet, Place::Told, see),
                _ if octet == b'<' => self.end_run(Place::Told, see),
                _ => self.text(octet, Place::Told, see),
            }
        }
        self.step = Step::Text;
        self.end_run(Place::Told, see);
    }

    /// Waits for the end tag of a raw element; the octets that may be one are in `tag`.
    fn raw(&mut self, octet: u8, element: usize) {
        let end = RAW[element].as_bytes();
        if octet == b'<' {
            self.tag.clear();
        } else if self.tag.is_empty() {
            return;
        }
        self.tag.push(octet.to_ascii_lowercase());
        if !end.starts_with(&self.tag) {
            self.tag.clear();
        } else if self.tag.len() == end.len() {
            self.tag.remove(0);
            self.step = Step::Tag { quote: None, value: false };
        }
    }

    fn end_run(&mut self, place: Place, see: &mut impl FnMut(Sight<'_>)) {
        if self.run.is_empty() {
            return;
        }
        let run = std::mem::take(&mut self.run);
        words(&String::from_utf8_lossy(&run), &mut |word| see(Sight::Word(word, place)));
    }
}

/// The words of a text, in lower case and one form; each character of a script that knows no spaces is one.
pub fn words(text: &str, see: &mut impl FnMut(&str)) {
    let mut word = String::new();
    let mut end = |word: &mut String| {
        if !word.is_empty() {
            see(word);
            word.clear();
        }
    };
    for letter in text.chars().flat_map(char::to_lowercase) {
        if letters::is_mark(letter) {
            if let Some(before) = word.pop() {
                word.push(letters::marked(before, letter));
            }
        } else if is_ideograph(letter) {
            end(&mut word);
            end(&mut letter.to_string());
        } else if letter.is_alphanumeric() {
            if word.chars().count() >= MAX_WORD {
                end(&mut word);
            }
            word.push(letter);
        } else if !is_nothing(letter) {
            end(&mut word);
        }
    }
    end(&mut word);
}

/// Characters that take no room, with which words are torn apart.
fn is_nothing(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

fn is_ideograph(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of a page by place, and its hidden links; the same however the octets are cut.
    fn read(page: &str) -> (Vec<(String, Place)>, usize) {
        let cut = |size: usize| {
            let (mut seen, mut links, mut reading) = (Vec::new(), 0, Page::default());
            let mut see = |sight: Sight<'_>| match sight {
                Sight::Word(word, place) => seen.push((word.to_owned(), place)),
                Sight::HiddenLink => links += 1,
            };
            page.as_bytes().chunks(size).for_each(|octets| reading.take(octets, &mut see));
            reading.end(&mut see);
            (seen, links)
        };
        let whole = cut(page.len().max(1));
        assert_eq!(cut(1), whole);
        assert_eq!(cut(7), whole);
        whole
    }

    fn in_place(page: &str, wanted: Place) -> String {
        let (words, _) = read(page);
        let words = words.into_iter().filter(|(_, place)| *place == wanted).map(|(word, _)| word);
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_readers_see_is_words_and_nothing_else() {
        for (page, words) in [
            ("<p>Ủy ban nhân dân <b>xã</b> Mỹ An!", "ủy ban nhân dân xã mỹ an"),
            ("a<script>var x = '</p>casino';</script>b<STYLE>c</style >d", "a b d"),
            ("a<!-- b -- > c -->d<!doctype html>e<?php f ?>g", "ad e g"),
            ("n<b>ổ</b> h&#361;, T&agrave;i x&#x1EC9;u &amp; c&nbsp;d", "nổ hũ tài xỉu c d"),
            ("1 < 2 and a<b", "1 2 and a"),
            ("no\u{306}\u{301}, nô\u{309} ca\u{200b}si\u{ad}no", "nó nổ casino"),
            ("<img alt=\"a > b\" title='c'>d<a href=x>e</a>f", "d e f"),
            ("x &unknown; &amp y &#xd800; &#99999999;", "x unknown amp y xd800 99999999"),
            ("网上博彩 online", "网 上 博 彩 online"),
        ] {
            assert_eq!(in_place(page, Place::Seen), words, "{page}");
        }
    }

    #[test]
    fn what_hides_itself_is_known_as_hidden() {
        let page = "a<div style='Display : none'>b<div>c</div><a href='https://x.example'>d</a></div>e\
            <span hidden>f</span>g<p style=\"position:absolute; left:-9999px\">h</p>i<br style='display:none'>j\
            <i style='font-size:0'>k</i><i style='font-size:0.9em'>l</i><a href=/own>m</a>";
        assert_eq!(in_place(page, Place::Hidden), "b c d f h k");
        assert_eq!(in_place(page, Place::Seen), "a e g i j l m");
        assert_eq!(read(page).1, 1, "a link to another place that nobody sees");
    }

    #[test]
    fn the_title_and_what_search_engines_are_told_stand_apart() {
        let page = "<head><title>Xã Mỹ An</title><meta name=Description content='Nh&agrave; cái <b>uy tín'>\
            <meta name=viewport content='width'></head><svg><title>logo</title></svg>";
        assert_eq!(in_place(page, Place::Title), "xã mỹ an");
        assert_eq!(in_place(page, Place::Told), "nhà cái b uy tín");
        assert_eq!(in_place(page, Place::Seen), "logo");
    }

    #[test]
    fn a_page_of_one_endless_word_tag_or_reference_is_bounded() {
        let texts = [
            "x".repeat(20_000),
            format!("<a {}", "y".repeat(20_000)),
            format!("&{}", "z".repeat(20_000)),
            "&aacute;".repeat(5_000),
        ];
        for page in texts.into_iter().map(String::into_bytes).chain([vec![0x80; 20_000]]) {
            let mut reading = Page::default();
            reading.take(&page, &mut |sight| {
                let Sight::Word(word, _) = sight else { return };
                assert!(word.chars().count() <= MAX_WORD);
            });
            assert!(reading.run.capacity() + reading.tag.capacity() <= 4 * MAX_TAG);
        }
    }
}
