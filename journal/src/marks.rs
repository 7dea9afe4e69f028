//! The small file beside the segments: what was dropped, and how far each named cursor has come.
//!
//! Replaced whole and durably on each change, so it is the old or the new one after a power cut:
//! ```text
//! haidang-journal marks 1
//! oldest 500            first position not dropped; earlier segments still on disk are leftovers
//! dropped 12            records lost to the bound since creation
//! synced 497            records before it were durable: even if rot eats them, no position is given twice
//! cursor uplink 480     any number of these, sorted
//! crc 1a2b3c4d          of every byte before this line
//! ```

use crate::{Disk, Error};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;

const NAME: &str = "marks";
const TITLE: &str = "haidang-journal marks 1";
/// Longest cursor name, bytes, and most cursors: `marks` stays under 8 KiB.
const NAME_LIMIT: usize = 64;
const CURSOR_LIMIT: usize = 64;
const FILE_LIMIT: u64 = 8 * 1024;

/// The content of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) oldest: u64,
    pub(crate) dropped: u64,
    pub(crate) synced: u64,
    pub(crate) cursors: BTreeMap<String, u64>,
}

impl Marks {
    /// Reads the file: `Ok(None)` if it is there but damaged, empty marks if it is missing.
    pub(crate) fn load<D: Disk>(disk: &D) -> Result<Option<Self>, Error> {
        let mut bytes = vec![0; FILE_LIMIT as usize];
        match disk.read_at(NAME, 0, &mut bytes) {
            Ok(length) => bytes.truncate(length),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(Self::default())),
            Err(error) => return Err(Error::disk("read", disk.path(NAME))(error)),
        }
        Ok(std::str::from_utf8(&bytes).ok().and_then(Self::parse))
    }

    /// Replaces the file.
    pub(crate) fn store<D: Disk>(&self, disk: &D) -> Result<(), Error> {
        disk.replace(NAME, self.render().as_bytes()).map_err(Error::disk("replace", disk.path(NAME)))
    }

    /// The first position that must not be given again, as far as the marks know.
    pub(crate) fn floor(&self) -> u64 {
        self.cursors.values().copied().fold(self.oldest.max(self.synced), u64::max)
    }

    /// Why a cursor of this name cannot be set, if it cannot.
    pub(crate) fn refuses(&self, name: &str) -> Option<&'static str> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > NAME_LIMIT || !name.bytes().all(legal) {
            return Some("a name is 1 to 64 letters, digits, '.', '_' or '-'");
        }
        let one_too_many = self.cursors.len() >= CURSOR_LIMIT && !self.cursors.contains_key(name);
        one_too_many.then_some("there are 64 cursors already")
    }

    fn render(&self) -> String {
        let Self { oldest, dropped, synced, cursors } = self;
        let mut text = format!("{TITLE}\noldest {oldest}\ndropped {dropped}\nsynced {synced}\n");
        for (name, position) in cursors {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "cursor {name} {position}");
        }
        let crc = crc32fast::hash(text.as_bytes());
        let _ = writeln!(text, "crc {crc:08x}");
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let body = text.get(..text.strip_suffix('\n')?.rfind('\n')? + 1)?;
        if text.get(body.len()..)? != format!("crc {:08x}\n", crc32fast::hash(body.as_bytes())) {
            return None;
        }
        let mut lines = body.strip_prefix(TITLE)?.strip_prefix('\n')?.lines();
        let oldest = lines.next()?.strip_prefix("oldest ")?.parse().ok()?;
        let dropped = lines.next()?.strip_prefix("dropped ")?.parse().ok()?;
        let synced = lines.next()?.strip_prefix("synced ")?.parse().ok()?;
        let cursor = |line: &str| {
            let (name, position) = line.strip_prefix("cursor ")?.split_once(' ')?;
            Some((name.to_owned(), position.parse().ok()?))
        };
        let cursors = lines.map(cursor).collect::<Option<_>>()?;
        Some(Self { oldest, dropped, synced, cursors })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Marks {
        let cursors = [("uplink".to_owned(), 480), ("a.b-c_9".to_owned(), u64::MAX)].into();
        Marks { oldest: 500, dropped: 12, synced: 497, cursors }
    }

    #[test]
    fn what_was_rendered_parses_back() {
        for marks in [Marks::default(), some()] {
            assert_eq!(Marks::parse(&marks.render()), Some(marks));
        }
    }

    #[test]
    fn a_cut_or_flipped_file_is_known_as_damaged() {
        let text = some().render();
        for cut in 0..text.len() {
            assert_eq!(Marks::parse(&text[..cut]), None, "cut at {cut}");
        }
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            assert_eq!(std::str::from_utf8(&bytes).ok().and_then(Marks::parse), None, "flipped at {at}");
        }
    }

    #[test]
    fn the_most_cursors_of_the_longest_names_fit_the_limit() {
        let cursors = (0..CURSOR_LIMIT).map(|i| (format!("{i:0NAME_LIMIT$}"), u64::MAX)).collect();
        let marks = Marks { oldest: u64::MAX, dropped: u64::MAX, synced: u64::MAX, cursors };
        assert!(marks.render().len() as u64 <= FILE_LIMIT);
        assert!(marks.refuses("one-more").is_some());
        assert!(marks.refuses(&format!("{:0NAME_LIMIT$}", 0)).is_none());
    }
}
