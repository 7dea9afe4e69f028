//! The last segment ends anywhere.

use crate::{SMALL, Seen, payload, segments, written};
use haidang_journal::memory::Memory;
use haidang_journal::{Fault, Journal, Position, Snapshot};
use std::collections::BTreeMap;

const HEADER: usize = 24;
const COUNT: u64 = 14;

/// The files of a log, its last segment, the position that begins it and the byte each of its records ends at.
struct Log {
    files: BTreeMap<String, Vec<u8>>,
    last: String,
    first: u64,
    ends: Vec<usize>,
}

fn log() -> Log {
    let disk = Memory::new();
    drop(written(disk.clone(), SMALL, COUNT));
    let files = disk.contents();
    let last = segments(&files).pop().unwrap();
    let first: u64 = last.trim_end_matches(".seg").parse().unwrap();
    assert!(first > 0 && first + 2 < COUNT, "several segments, several records in the last one");
    let mut end = HEADER;
    let ends = (first..COUNT).map(|position| {
        end += 8 + payload(position).len();
        end
    });
    let ends = ends.collect();
    Log { files, last, first, ends }
}

impl Log {
    /// Reopens with `tail` as the last segment, of which the first `whole` bytes are as they were written.
    fn reopens_with(&self, tail: Vec<u8>, whole: usize) {
        let mut files = self.files.clone();
        let length = tail.len();
        files.insert(self.last.clone(), tail);
        let survivors = self.ends.iter().filter(|&&end| end <= whole).count();
        let boundary = match survivors {
            0 if whole < HEADER => 0,
            0 => HEADER,
            n => self.ends[n - 1],
        };
        let next = Position(self.first + survivors as u64);

        let (snapshot, seen) = Snapshot::open(Memory::with(files.clone())).unwrap();
        assert_eq!(Seen::all(snapshot.read(Position(0)), next).gaps, []);

        let disk = Memory::with(files);
        let (mut journal, opened) = Journal::open(disk.clone(), SMALL).unwrap();
        assert_eq!(opened, seen, "a snapshot reports what an opening repairs");
        assert_eq!(opened.next, next);
        let torn = boundary != length || length == 0;
        assert_eq!(opened.repaired.is_some(), torn);
        if let Some(repair) = opened.repaired {
            assert_eq!(repair.bytes_cut, (length - boundary) as u64);
            assert_eq!(repair.offset, boundary as u64);
            assert!(repair.path.ends_with(&self.last));
        }

        for position in next.0..next.0 + 5 {
            journal.append(&payload(position)).unwrap();
        }
        journal.sync().unwrap();
        drop(journal);
        let (journal, opened) = Journal::open(disk, SMALL).unwrap();
        assert_eq!(opened.repaired, None, "repaired once");
        let seen = Seen::all(journal.read(Position(0)), Position(next.0 + 5));
        assert_eq!(seen.gaps, []);
        seen.assert_true();
    }
}

#[test]
fn a_log_cut_at_any_byte_keeps_every_whole_record_and_goes_on() {
    let log = log();
    let whole = &log.files[&log.last];
    for cut in 0..=whole.len() {
        log.reopens_with(whole[..cut].to_vec(), cut);
    }
}

#[test]
fn a_tail_zero_filled_from_any_byte_keeps_every_whole_record_and_goes_on() {
    let log = log();
    let whole = &log.files[&log.last];
    for from in 0..whole.len() {
        let mut tail = whole.clone();
        tail[from..].fill(0);
        tail.resize(whole.len() + 4096, 0);
        // A byte that was zero anyway is as it was written.
        let intact = tail.iter().zip(whole).take_while(|(a, b)| a == b).count();
        log.reopens_with(tail, intact);
    }
}

#[test]
fn the_report_tells_a_cut_from_zeros_from_nonsense() {
    let log = log();
    let whole = &log.files[&log.last];
    let fault = |extra: &[u8]| {
        let mut files = log.files.clone();
        files.insert(log.last.clone(), [whole.as_slice(), extra].concat());
        Journal::open(Memory::with(files), SMALL).unwrap().1.repaired.unwrap().fault
    };
    assert_eq!(fault(&[7]), Fault::Incomplete);
    assert_eq!(fault(&[7, 0, 0, 0, 1, 2, 3, 4, b'x']), Fault::Incomplete);
    assert_eq!(fault(&[0; 9000]), Fault::ZeroFilled);
    assert_eq!(fault(&[1, 0, 0, 0, 1, 2, 3, 4, b'x']), Fault::Checksum);
    assert_eq!(fault(&[&[0; 100][..], &[1][..]].concat()), Fault::Checksum);
}
