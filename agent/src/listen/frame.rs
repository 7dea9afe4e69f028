//! Syslog messages out of a stream of octets (RFC 6587).
//!
//! ```text
//! octet counting   "11 <13>1 - - -"      a digit begins it
//! by line          "<13>…\n"             anything else
//! ```
//!
//! Pure. A message beyond [`MAX_MESSAGE`] is passed over without being kept.

/// Octets of the longest message; RFC 5424 asks for 2048.
pub const MAX_MESSAGE: usize = 8192;
/// Digits of the largest count worth believing.
const MAX_DIGITS: usize = 7;

/// What a stream held.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A message.
    Message(&'a [u8]),
    /// One that was too long; it is gone.
    TooLong,
}

/// Cuts a stream into messages.
#[derive(Debug, Default)]
pub struct Frames {
    kept: Vec<u8>,
    /// Octets of a counted message still to pass over.
    skip: usize,
    /// Whether everything up to the next line is passed over.
    skip_line: bool,
}

impl Frames {
    /// Takes in `octets`, and gives each message that is whole to `each`.
    pub fn take(&mut self, octets: &[u8], mut each: impl FnMut(Frame<'_>)) {
        self.kept.extend_from_slice(octets);
        let mut begins = 0;
        while let Some(length) = self.next(begins, &mut each) {
            begins += length;
        }
        self.kept.drain(..begins);
    }

    /// Deals with what begins at `at`; how many octets that was, none when more are needed.
    fn next(&mut self, at: usize, each: &mut impl FnMut(Frame<'_>)) -> Option<usize> {
        let rest = &self.kept[at..];
        if rest.is_empty() {
            return None;
        }
        if self.skip > 0 {
            let passed = self.skip.min(rest.len());
            self.skip -= passed;
            return Some(passed);
        }
        let begins = if self.skip_line { None } else { counted(rest)? };
        if let Some((digits, count)) = begins {
            if count > MAX_MESSAGE {
                each(Frame::TooLong);
                self.skip = count;
                return Some(digits);
            }
            let message = rest.get(digits..digits + count)?;
            each(Frame::Message(message));
            return Some(digits + count);
        }
        let Some(length) = rest.iter().position(|octet| *octet == b'\n') else {
            if rest.len() <= MAX_MESSAGE && !self.skip_line {
                return None;
            }
            if !std::mem::replace(&mut self.skip_line, true) {
                each(Frame::TooLong);
            }
            return Some(rest.len());
        };
        let line = rest[..length].strip_suffix(b"\r").unwrap_or(&rest[..length]);
        let passed_over = std::mem::take(&mut self.skip_line);
        if length > MAX_MESSAGE && !passed_over {
            each(Frame::TooLong);
        } else if !line.is_empty() && !passed_over {
            each(Frame::Message(line));
        }
        Some(length + 1)
    }
}

/// The count a message begins with, and how many octets that takes: `Some(None)` when it begins with none, `None` when
/// that cannot be told yet.
#[allow(clippy::option_option)]
fn counted(rest: &[u8]) -> Option<Option<(usize, usize)>> {
    let digits = rest.iter().take(MAX_DIGITS + 1).take_while(|octet| octet.is_ascii_digit()).count();
    if digits == 0 || digits > MAX_DIGITS || rest[0] == b'0' {
        return Some(None);
    }
    match rest.get(digits) {
        None => None,
        Some(b' ') => {
            let count = rest[..digits].iter().fold(0, |count, digit| count * 10 + usize::from(digit - b'0'));
            Some(Some((digits + 1, count)))
        }
        Some(_) => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages as text, `…` for one too long; the stream arrives in pieces of `size`.
    fn frames(stream: &[u8], size: usize) -> Vec<String> {
        let (mut frames, mut all) = (Frames::default(), Vec::new());
        for piece in stream.chunks(size) {
            frames.take(piece, |frame| {
                all.push(match frame {
                    Frame::Message(message) => String::from_utf8_lossy(message).into_owned(),
                    Frame::TooLong => "…".into(),
                });
            });
            assert!(frames.kept.len() <= MAX_MESSAGE + MAX_DIGITS + 1 + size);
        }
        all
    }

    #[test]
    fn both_framings_mix_in_any_pieces() {
        let stream = b"<13>a\n8 <13>b\nc <13>d\r\n\n4 <1>e <2>f\n";
        for size in 1..stream.len() {
            assert_eq!(frames(stream, size), ["<13>a", "<13>b\nc ", "<13>d", "<1>e", " <2>f"], "{size}");
        }
    }

    #[test]
    fn what_is_too_long_is_passed_over_and_what_follows_is_heard() {
        let long = "x".repeat(3 * MAX_MESSAGE);
        let by_line = format!("<13>{long}\n<13>after\n");
        let counted = format!("{} {long}5 after", long.len());
        for size in [1, 100, 1000, 100_000] {
            assert_eq!(frames(by_line.as_bytes(), size), ["…", "<13>after"], "{size}");
            assert_eq!(frames(counted.as_bytes(), size), ["…", "after"], "{size}");
        }
    }

    #[test]
    fn a_number_that_counts_nothing_is_a_line() {
        assert_eq!(frames(b"99999999999 x\n007 y\n12x\n", 3), ["99999999999 x", "007 y", "12x"]);
    }
}
