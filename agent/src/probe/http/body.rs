//! A body as it comes: read to a limit, looked at, dropped. Nothing of it is kept but how much there was.

use super::failure;
use crate::portal::Look;
use bytes::Bytes;
use haidang_probe::ask::http::Question;
use haidang_probe::outcome::{Failure, Sample};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderMap};

/// Most bytes read of a body that says its length; a longer one is cut off and still a success.
pub const MAX_BODY: u64 = 1 << 20;
/// Most bytes of a body that does not say its length; a longer one has no end.
pub const MAX_UNSTATED: u64 = 4 << 20;

/// Whether a body came other than it was asked for: compressed.
pub fn is_encoded(headers: &HeaderMap) -> bool {
    let encoding = headers.get(header::CONTENT_ENCODING);
    encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// What a body is read for.
pub struct Reading {
    octets: u64,
    contains: Option<Sought>,
    lacks: Option<Sought>,
    look: Option<Look>,
}

impl Reading {
    /// What the question wants to know of the body.
    pub fn of(question: &Question) -> Reading {
        let sought = |text: &Option<String>| text.as_deref().map(Sought::new);
        Reading {
            octets: 0,
            contains: sought(&question.contains),
            lacks: sought(&question.lacks),
            look: question.portal.as_ref().map(Look::new),
        }
    }

    /// Reads the body to its end or its limit.
    pub async fn read(&mut self, mut body: Incoming) -> Result<(), Failure> {
        let stated = body.size_hint().exact().is_some();
        while let Some(frame) = body.frame().await {
            if let Some(octets) = frame.map_err(failure)?.data_ref() {
                self.take(octets);
            }
            if stated && self.octets > MAX_BODY {
                break;
            }
            if self.octets > MAX_UNSTATED {
                return Err(Failure::Body);
            }
        }
        Ok(())
    }

    fn take(&mut self, octets: &Bytes) {
        self.octets += octets.len() as u64;
        for sought in [&mut self.contains, &mut self.lacks].into_iter().flatten() {
            sought.take(octets);
        }
        if let Some(look) = &mut self.look {
            look.take(octets);
        }
    }

    /// How many octets there were.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Whether what must be there was, and what must not was not; and what a look at the page measured.
    pub fn end(self) -> (bool, Vec<Sample>) {
        let there = self.contains.is_none_or(|sought| sought.found);
        let absent = self.lacks.is_none_or(|sought| !sought.found);
        (there && absent, self.look.map(Look::samples).unwrap_or_default())
    }
}

/// A text that is looked for in octets as they come, however they are cut (Knuth, Morris and Pratt).
struct Sought {
    text: Vec<u8>,
    /// To where a mismatch after so many octets falls back.
    fall: Vec<usize>,
    /// Octets that match so far.
    at: usize,
    found: bool,
}

impl Sought {
    fn new(text: &str) -> Sought {
        let text = text.as_bytes().to_vec();
        let mut fall = vec![0; text.len()];
        let mut at = 0;
        for end in 1..text.len() {
            while at > 0 && text[at] != text[end] {
                at = fall[at - 1];
            }
            at += usize::from(text[at] == text[end]);
            fall[end] = at;
        }
        Sought { found: text.is_empty(), text, fall, at: 0 }
    }

    fn take(&mut self, octets: &[u8]) {
        for octet in octets {
            if self.found {
                return;
            }
            while self.at > 0 && self.text[self.at] != *octet {
                self.at = self.fall[self.at - 1];
            }
            self.at += usize::from(self.text[self.at] == *octet);
            self.found = self.at == self.text.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_wherever_it_is_cut() {
        for (text, body, there) in [
            ("abab", "aabababc", true),
            ("aab", "aaaab", true),
            ("abcabd", "abcabcabd", true),
            ("Dịch vụ", "xx Dịch vụ công", true),
            ("abc", "ab", false),
            ("abc", "ab c", false),
        ] {
            for cut in 0..=body.len() {
                let mut sought = Sought::new(text);
                sought.take(&body.as_bytes()[..cut]);
                sought.take(&body.as_bytes()[cut..]);
                assert_eq!(sought.found, there, "{text} in {body}, cut at {cut}");
            }
        }
    }
}
