//! The promises of the journal's documentation, each broken on purpose.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod damage;
mod full;
mod kill;
mod model;
mod one_writer;
mod overtaken;
mod power;
mod torn;

use haidang_journal::memory::Memory;
use haidang_journal::{Disk, Gap, Item, Journal, OnFull, Position, Reader, Settings};
use std::collections::BTreeMap;

/// Small enough that a few records fill a segment.
pub const SMALL: Settings =
    Settings { segment_bytes: 160, max_bytes: 1 << 20, on_full: OnFull::Refuse, max_record: 100 };

/// A payload that no other position has, 9 to 30 bytes long.
pub fn payload(position: u64) -> Vec<u8> {
    let mut bytes = format!("record {position} ").into_bytes();
    bytes.resize(bytes.len() + (position % 23) as usize, b'~');
    bytes
}

/// A synced journal of `count` records, each the [`payload`] of its position.
pub fn written(disk: Memory, settings: Settings, count: u64) -> Journal<Memory> {
    let (mut journal, _) = Journal::open(disk, settings).unwrap();
    for _ in 0..count {
        let position = journal.next();
        assert_eq!(journal.append(&payload(position.0)).unwrap().position, position);
    }
    journal.sync().unwrap();
    journal
}

/// The names of the segments among `files`, oldest first.
pub fn segments(files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    files.keys().filter(|name| name.strip_suffix(".seg").is_some()).cloned().collect()
}

/// Bytes of all segments on the disk.
pub fn bytes_on(disk: &Memory) -> usize {
    let contents = disk.contents();
    segments(&contents).iter().map(|name| contents[name].len()).sum()
}

/// What a reader yields until its end for now, apart.
#[derive(Debug, Default, PartialEq)]
pub struct Seen {
    pub records: Vec<(u64, Vec<u8>)>,
    pub gaps: Vec<Gap>,
}

impl Seen {
    /// Drains the reader and checks that it covers `from..to` once, in order.
    pub fn all<D: Disk>(reader: Reader<D>, to: Position) -> Self {
        let mut seen = Self::default();
        let mut at = reader.position();
        for item in reader {
            match item.unwrap() {
                Item::Record { position, bytes } => {
                    assert_eq!(position, at);
                    seen.records.push((position.0, bytes));
                    at = position.next();
                }
                Item::Gap(gap) => {
                    assert_eq!(gap.from, at);
                    assert!(gap.to > gap.from);
                    at = gap.to;
                    seen.gaps.push(gap);
                }
            }
        }
        assert_eq!(at, to, "the reader covers everything");
        seen
    }

    pub fn positions(&self) -> Vec<u64> {
        self.records.iter().map(|(position, _)| *position).collect()
    }

    /// Each record is the [`payload`] of its position.
    pub fn assert_true(&self) {
        for (position, bytes) in &self.records {
            assert_eq!(bytes, &payload(*position));
        }
    }

    pub fn missing(&self) -> u64 {
        self.gaps.iter().map(Gap::records).sum()
    }
}
