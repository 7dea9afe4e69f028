//! Signs of defacement: gambling phrases, and which of them count.
//!
//! Pages of communes also speak of gambling: the police warn of it. So a phrase that readers see counts only when no
//! phrase of a warning stands within [`NEAR`] words of it, before or behind; one that hides counts always. Both lists
//! are files beside this one.

use super::letters;
use super::page::{self, Place};
use std::collections::{BTreeMap, VecDeque};
use std::sync::LazyLock;

/// Words between a phrase and a warning that covers it.
pub const NEAR: u64 = 30;
/// Words of the longest phrase.
const LONGEST: usize = 5;

static LEXICON: LazyLock<Lexicon> =
    LazyLock::new(|| Lexicon::of(include_str!("gambling.txt"), include_str!("warning.txt")));

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Gambling,
    Warning,
}

/// Phrases by their last word.
struct Lexicon(BTreeMap<String, Vec<(Vec<String>, Kind)>>);

impl Lexicon {
    fn of(gambling: &str, warning: &str) -> Lexicon {
        let mut lexicon = Lexicon(BTreeMap::new());
        for (list, kind) in [(gambling, Kind::Gambling), (warning, Kind::Warning)] {
            let lines = list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            for line in lines {
                let phrase = phrase(line);
                if !line.starts_with('=') {
                    lexicon.add(phrase.iter().map(|word| letters::plain(word)).collect(), kind);
                }
                lexicon.add(phrase, kind);
            }
        }
        lexicon
    }

    fn add(&mut self, phrase: Vec<String>, kind: Kind) {
        let Some(last) = phrase.last() else { return };
        let ending = self.0.entry(last.clone()).or_default();
        if ending.iter().all(|(known, _)| *known != phrase) {
            ending.push((phrase, kind));
        }
    }

    /// What ends with the last of these words: a warning rather than the phrase it holds.
    fn ends(&self, words: &VecDeque<String>, ignore: &[Vec<String>]) -> Option<Kind> {
        let ending = self.0.get(words.back()?)?;
        let stands = |phrase: &[String]| {
            phrase.len() <= words.len()
                && phrase.iter().rev().zip(words.iter().rev()).all(|(one, other)| one == other)
        };
        let found = ending.iter().filter(|(phrase, _)| stands(phrase) && !ignore.contains(phrase));
        found.map(|(_, kind)| *kind).max()
    }
}

fn phrase(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    page::words(line, &mut |word| words.push(word.to_owned()));
    words
}

/// Signs counted while a page is read.
#[derive(Clone, Debug, Default)]
pub struct Signs {
    ignore: Vec<Vec<String>>,
    /// The last words and where they stand.
    last: VecDeque<String>,
    place: Option<Place>,
    /// Words so far that are not hidden.
    at: u64,
    /// Where the last warning stood.
    warned: Option<u64>,
    /// Phrases that a warning may still cover.
    waiting: VecDeque<u64>,
    seen: u64,
    hidden: u64,
}

impl Signs {
    /// Nothing counted; the phrases of `ignore` never are.
    pub fn ignoring(ignore: &[String]) -> Signs {
        let phrases = ignore.iter().map(|line| phrase(line));
        let both = phrases.flat_map(|phrase| {
            let plain = phrase.iter().map(|word| letters::plain(word)).collect();
            [phrase, plain]
        });
        Signs { ignore: both.collect(), ..Signs::default() }
    }

    /// One more word.
    pub fn word(&mut self, word: &str, place: Place) {
        if self.place != Some(place) {
            self.last.clear();
            self.place = Some(place);
        }
        if self.last.len() == LONGEST {
            self.last.pop_front();
        }
        self.last.push_back(word.into());
        let found = LEXICON.ends(&self.last, &self.ignore);
        if place == Place::Hidden {
            self.hidden += u64::from(found == Some(Kind::Gambling));
            return;
        }
        self.at += 1;
        while self.waiting.front().is_some_and(|at| self.at - at > NEAR) {
            self.waiting.pop_front();
            self.seen += 1;
        }
        match found {
            Some(Kind::Warning) => {
                self.warned = Some(self.at);
                self.waiting.clear();
            }
            Some(Kind::Gambling) if self.warned.is_none_or(|warned| self.at - warned > NEAR) => {
                self.waiting.push_back(self.at);
            }
            _ => {}
        }
    }

    /// Phrases that count, of those that readers, or search engines, are meant to see.
    pub fn seen(&self) -> u64 {
        self.seen + self.waiting.len() as u64
    }

    /// Phrases that hide.
    pub fn hidden(&self) -> u64 {
        self.hidden
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str, place: Place, ignore: &[&str]) -> u64 {
        let ignore: Vec<String> = ignore.iter().map(ToString::to_string).collect();
        let mut signs = Signs::ignoring(&ignore);
        page::words(text, &mut |word| signs.word(word, place));
        signs.seen() + signs.hidden()
    }

    #[test]
    fn phrases_count_with_and_without_their_marks() {
        for (text, signs) in [
            ("Nhà cái uy tín, NỔ HŨ đổi thưởng, tài xỉu", 4),
            ("nha cai uy tin no hu doi thuong tai xiu", 4),
            ("Link W88 casino slot 2026", 3),
            ("澳门赌场 网上博彩 老虎机", 3),
            ("cả cuộc đời, số đề tài, nhà cải tạo, tái xiu", 0),
            ("Ca do nhac vo co; lo de lam gi", 0),
        ] {
            assert_eq!(count(text, Place::Seen, &[]), signs, "{text}");
        }
    }

    #[test]
    fn a_warning_nearby_covers_what_readers_see_and_nothing_that_hides() {
        let warns = "Công an xã cảnh báo: đánh bạc, cá cược, tài xỉu trên mạng là vi phạm pháp luật";
        assert_eq!(count(warns, Place::Seen, &[]), 0);
        assert_eq!(count(warns, Place::Hidden, &[]), 3);
        let before = "đánh bạc và cá cược bị xử phạt";
        assert_eq!(count(before, Place::Seen, &[]), 0);
        let far = format!("cảnh báo {} nhà cái", "chữ ".repeat(NEAR as usize));
        assert_eq!(count(&far, Place::Seen, &[]), 1);
        let ahead = format!("nhà cái {} cảnh báo", "chữ ".repeat(NEAR as usize));
        assert_eq!(count(&ahead, Place::Seen, &[]), 1);
    }

    #[test]
    fn what_is_ignored_is_no_sign() {
        let text = "một slot trống, casino; nhà cái, nha cai";
        assert_eq!(count(text, Place::Seen, &["Slot", "nhà cái"]), 1);
    }

    #[test]
    fn no_phrase_is_longer_than_what_is_remembered() {
        let phrases = || LEXICON.0.values().flatten();
        assert!(phrases().all(|(phrase, _)| (1..=LONGEST).contains(&phrase.len())));
        assert!(phrases().count() > 150);
    }
}
