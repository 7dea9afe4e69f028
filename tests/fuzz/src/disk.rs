//! What is read back from disk after whatever happened to it.

use haidang_collector::entry::Entry;
use haidang_journal::memory::Memory;
use haidang_journal::{Item, Journal, OnFull, Settings};
use std::collections::BTreeMap;

const SETTINGS: Settings =
    Settings { segment_bytes: 1 << 14, max_bytes: 1 << 20, on_full: OnFull::DropOldest, max_record: 1 << 12 };
const SENTINEL: &[u8] = b"written after the damage";

/// Between the files of a directory.
const BETWEEN: &[u8] = b"\n--\n";

/// An entry of the evidence.
pub fn entry(octets: &[u8]) {
    let Ok(entry) = Entry::decode(octets) else { return };
    let encoded = entry.encode();
    // Compared as octets: an entry may hold a number that equals nothing.
    let again = Entry::decode(&encoded).expect("what was written reads");
    assert_eq!(again.encode(), encoded);
}

/// A directory: `marks`, then segments, [`BETWEEN`] them. It opens, takes a record, and gives it back after what is
/// left of the old ones.
pub fn journal(octets: &[u8]) {
    let mut contents = BTreeMap::new();
    for (number, file) in split(octets).into_iter().take(4).enumerate() {
        let name = if number == 0 { "marks".into() } else { segment(file) };
        contents.insert(name, file.to_vec());
    }
    let disk = Memory::with(contents);
    let Ok((mut journal, opened)) = Journal::open(disk.clone(), SETTINGS) else { return };
    assert!(opened.first <= opened.next);
    let Ok(appended) = journal.append(SENTINEL) else { return };
    journal.sync().expect("memory takes everything");
    let mut last = None;
    for item in journal.read(journal.first()) {
        match item.expect("memory reads everything") {
            Item::Record { position, bytes } => {
                assert!(last < Some(position), "a position twice");
                last = Some(position);
                assert!(position != appended.position || bytes[..] == *SENTINEL);
            }
            Item::Gap(gap) => assert!(gap.from <= gap.to),
        }
    }
    assert_eq!(last, Some(appended.position), "what was synced is not read");
    drop(journal);
    let (_, again) = Journal::open(disk, SETTINGS).expect("what was mended opens");
    assert_eq!(again.repaired, None, "mended twice");
}

/// Named after the first position its header says, as a writer would.
fn segment(file: &[u8]) -> String {
    let first = file.get(12..20).map_or(0, |octets| u64::from_le_bytes(octets.try_into().expect("eight")));
    format!("{:020}.seg", first.min(1 << 40))
}

fn split(octets: &[u8]) -> Vec<&[u8]> {
    let mut files = Vec::new();
    let mut rest = octets;
    while let Some(at) = rest.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
        files.push(&rest[..at]);
        rest = &rest[at + BETWEEN.len()..];
    }
    files.push(rest);
    files
}
