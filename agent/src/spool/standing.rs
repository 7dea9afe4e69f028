//! What a start must know that neither the records nor their cursor say, in a small file beside the segments.
//!
//! ```text
//! haidang-spool 1
//! next 9002            it speaks of the numbers before this one; those after it are not acknowledged
//! sent 9056            no number from here on has left this machine
//! held 40 94           not acknowledged: any number of these, ascending
//! gone 12 13           lost, or refused for good: any number of these, ascending
//! sum 1a2b3c4d5e6f7081 of all that stands before this line: the first octets of its SHA-256
//! ```
//!
//! It is replaced whole, so it is the old or the new one after a power cut, and only where a start would be told wrong
//! by the cursor and the file that is there: in quiet times [`AHEAD`] batches cost one. Without it, or where it is
//! damaged, all from the cursor on is held and may have left.

use super::{CURSOR, Spool, SpoolError, Unacked};
use haidang_journal::{Disk, Position};
use haidang_probe::batch::sha256;
use haidang_probe::key::hex;
use std::fmt::Write as _;
use std::io;

/// Numbers announced at once.
pub(super) const AHEAD: u64 = 64;

/// Intervals with which nothing more is reduced: each reduction may make one more.
pub(super) const INTERVALS: usize = 4_096;

const NAME: &str = "standing";
const TITLE: &str = "haidang-spool 1";
/// Octets read at most: more than [`INTERVALS`] need.
const MOST: usize = 256 << 10;
/// Octets of the sum.
const SUM: usize = 8;

/// The content of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    next: u64,
    /// No number from here on has left this machine.
    pub(super) sent: u64,
    held: Unacked,
    /// Lost, or refused for good.
    pub(super) gone: Unacked,
}

impl Standing {
    /// What is not acknowledged of a journal with this `cursor` and `next` number.
    pub(super) fn held(&self, cursor: u64, next: u64) -> Unacked {
        let mut held = self.held.clone();
        if self.next < next {
            held.put(self.next, next - 1);
        }
        held.remove(next, u64::MAX);
        if let Some(before) = cursor.checked_sub(1) {
            held.remove(0, before);
        }
        held
    }

    /// `None` where it is missing or damaged.
    fn load<D: Disk>(disk: &D) -> io::Result<Option<Standing>> {
        let mut octets = vec![0; MOST];
        match disk.read_at(NAME, 0, &mut octets) {
            Ok(length) => octets.truncate(length),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        let standing = std::str::from_utf8(&octets).ok().and_then(Standing::parse);
        if standing.is_none() {
            tracing::warn!(
                "what the spool knew of its batches is damaged; those brought before may be sent again"
            );
        }
        Ok(standing)
    }

    fn render(&self) -> String {
        let Standing { next, sent, held, gone } = self;
        let mut text = format!("{TITLE}\nnext {next}\nsent {sent}\n");
        for (word, intervals) in [("held", held), ("gone", gone)] {
            for (first, last) in intervals.as_slice() {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{word} {first} {last}");
            }
        }
        let sum = sum(&text);
        let _ = writeln!(text, "sum {sum}");
        text
    }

    fn parse(text: &str) -> Option<Standing> {
        let (body, told) = text.rsplit_once("sum ")?;
        if told.trim_end() != sum(body) {
            return None;
        }
        let mut standing = Standing::default();
        let mut lines = body.lines();
        lines.next().filter(|title| *title == TITLE)?;
        for line in lines {
            let (word, rest) = line.split_once(' ')?;
            let mut numbers = rest.split(' ').map(str::parse);
            let first = numbers.next()?.ok()?;
            match word {
                "next" => standing.next = first,
                "sent" => standing.sent = first,
                "held" => standing.held.put(first, numbers.next()?.ok()?),
                "gone" => standing.gone.put(first, numbers.next()?.ok()?),
                _ => return None,
            }
        }
        Some(standing)
    }
}

fn sum(text: &str) -> String {
    hex(&sha256(text.as_bytes())[..SUM])
}

impl<D: Disk + Clone> Spool<D> {
    /// What is left of an earlier run in a journal with this `cursor` and `next` number.
    pub(super) fn recall(&mut self, cursor: u64, next: u64) -> Result<(), SpoolError> {
        self.written = match Standing::load(&self.disk).map_err(|source| self.wrong_standing(source))? {
            Some(standing) => standing,
            None if next > 0 => Standing { sent: next, ..Standing::default() },
            None => {
                self.store(Standing::default())?;
                Standing::default()
            }
        };
        self.unacked = self.written.held(cursor, next);
        self.gone = self.written.gone.clone();
        Ok(())
    }

    /// Stores what is not acknowledged, and gives back the disk space of what is.
    pub fn persist(&mut self) -> Result<(), SpoolError> {
        self.since_persisted = 0;
        let keep = self.unacked.first().unwrap_or(u64::MAX);
        let directory = self.directory.clone();
        if self.unacked.is_empty() {
            // No reduction is left that could stand for what surrounds them.
            self.gone = Unacked::default();
        }
        let synced = self.synced()?;
        // The last record stays: the next one names its hash.
        let last = Position(self.open_journal()?.next().0.saturating_sub(1));
        let cursor = Position(keep.min(synced));
        if self.written.held(cursor.0, synced) != self.unacked || self.written.gone != self.gone {
            self.store(self.standing(synced, self.written.sent))?;
        }
        let journal = self.open_journal()?;
        journal
            .set_cursor(CURSOR, cursor)
            .and_then(|()| journal.drop_before(Position(keep).min(last)))
            .map_err(|source| SpoolError::Journal { directory, source })?;
        self.reducing.stored();
        Ok(())
    }

    /// Whether a start would know that this number may have left.
    pub fn is_announced(&self, seq: u64) -> bool {
        seq < self.written.sent
    }

    /// Before the first octet of a batch leaves: a start will know that it may have.
    ///
    /// # Errors
    /// When the disk does not take that.
    pub fn announce(&mut self, seq: u64) -> Result<(), SpoolError> {
        if self.is_announced(seq) {
            return Ok(());
        }
        let synced = self.synced()?;
        self.store(self.standing(synced, seq + AHEAD))
    }

    /// Below this everything is on disk and in our books. A record whose sync failed may be on disk, and is not.
    fn synced(&mut self) -> Result<u64, SpoolError> {
        let synced = self.open_journal()?.synced().0;
        Ok(self.unsure.as_ref().map_or(synced, |unsure| synced.min(unsure.seq)))
    }

    fn standing(&self, next: u64, sent: u64) -> Standing {
        Standing { next, sent, held: self.unacked.clone(), gone: self.gone.clone() }
    }

    fn store(&mut self, standing: Standing) -> Result<(), SpoolError> {
        let stored = self.disk.replace(NAME, standing.render().as_bytes());
        stored.map_err(|source| self.wrong_standing(source))?;
        self.written = standing;
        Ok(())
    }

    fn wrong_standing(&self, source: io::Error) -> SpoolError {
        SpoolError::Standing { directory: self.directory.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_it_wrote_and_nothing_that_was_altered() {
        let mut held = Unacked::between(40, 95);
        held.put(100, 100);
        let standing = Standing { next: 101, sent: 164, held, gone: Unacked::between(12, 14) };
        let text = standing.render();
        assert_eq!(Standing::parse(&text), Some(standing));
        for place in 0..text.len() - 1 {
            let mut altered = text.clone().into_bytes();
            altered[place] ^= 1;
            assert_eq!(std::str::from_utf8(&altered).ok().and_then(Standing::parse), None, "octet {place}");
        }
        assert_eq!(Standing::parse(&text[..text.len() / 2]), None);
    }

    #[test]
    fn what_came_after_it_is_held_and_what_the_cursor_passed_is_not() {
        let mut held = Unacked::between(10, 20);
        held.put(30, 30);
        let standing = Standing { next: 40, held, ..Standing::default() };
        assert_eq!(standing.held(0, 50).as_slice(), [(10, 19), (30, 30), (40, 49)]);
        assert_eq!(standing.held(15, 40).as_slice(), [(15, 19), (30, 30)]);
        assert_eq!(standing.held(45, 50).as_slice(), [(45, 49)]);
        assert_eq!(Standing::default().held(3, 5).as_slice(), [(3, 4)]);
    }
}
