//! Bits rot, files vanish, later versions were here.

use crate::{SMALL, Seen, payload, segments, written};
use haidang_journal::memory::Memory;
use haidang_journal::{Disk, Error, Fault, Journal, Loss, Position, Snapshot};
use std::collections::BTreeMap;

const HEADER: usize = 24;
const COUNT: u64 = 14;

fn log() -> BTreeMap<String, Vec<u8>> {
    let disk = Memory::new();
    let mut journal = written(disk.clone(), SMALL, COUNT);
    journal.set_cursor("uplink", Position(COUNT)).unwrap();
    disk.contents()
}

#[test]
fn a_flipped_byte_never_yields_a_wrong_record_nor_a_silent_loss() {
    let files = log();
    let segments = segments(&files);
    assert!(segments.len() >= 3);
    for name in &segments {
        for at in 0..files[name].len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut files = files.clone();
                files.get_mut(name).unwrap()[at] ^= mask;
                let disk = Memory::with(files);
                let (mut journal, opened) = Journal::open(disk, SMALL).unwrap();
                assert_eq!(opened.next, Position(COUNT), "a cursor stood there: no position is given twice");

                let seen = Seen::all(journal.read(Position(0)), Position(COUNT));
                seen.assert_true();
                assert_eq!(seen.missing() == 0, at < HEADER, "{name} byte {at}: {:?}", seen.gaps);
                for gap in &seen.gaps {
                    let Loss::Damaged { path, offset, .. } = &gap.loss else { panic!("{gap:?}") };
                    assert!(path.ends_with(name));
                    assert!(*offset as usize <= at);
                }

                journal.append(&payload(COUNT)).unwrap();
                journal.sync().unwrap();
                let seen = Seen::all(journal.read(Position(COUNT)), Position(COUNT + 1));
                assert_eq!(seen.records, [(COUNT, payload(COUNT))]);
            }
        }
    }
}

#[test]
fn rot_behind_every_cursor_gives_no_position_twice() {
    let disk = Memory::new();
    let mut journal = written(disk.clone(), SMALL, COUNT);
    journal.set_cursor("uplink", Position(1)).unwrap();
    let mut files = disk.contents();
    let last = segments(&files).pop().unwrap();
    files.get_mut(&last).unwrap()[HEADER + 3] ^= 1;
    let disk = Memory::with(files);
    for _ in 0..2 {
        let (journal, opened) = Journal::open(disk.clone(), SMALL).unwrap();
        assert_eq!(opened.next, Position(COUNT));
        let seen = Seen::all(journal.read(Position(0)), Position(COUNT));
        assert!(seen.missing() >= 2, "the gap stays");
    }
}

#[test]
fn a_flipped_payload_costs_its_own_record_only() {
    let mut files = log();
    let name = segments(&files)[1].clone();
    let first: u64 = name.trim_end_matches(".seg").parse().unwrap();
    files.get_mut(&name).unwrap()[HEADER + 8] ^= 1;
    let (snapshot, _) = Snapshot::open(Memory::with(files)).unwrap();
    let seen = Seen::all(snapshot.read(Position(0)), Position(COUNT));
    assert_eq!(seen.missing(), 1);
    assert_eq!(seen.gaps[0].from, Position(first));
    let path = format!("memory/{name}");
    assert_eq!(seen.gaps[0].loss, Loss::Damaged { path, offset: HEADER as u64, fault: Fault::Checksum });
}

#[test]
fn a_flipped_length_costs_the_rest_of_its_segment_and_nothing_behind() {
    let mut files = log();
    let names = segments(&files);
    files.get_mut(&names[0]).unwrap()[HEADER] ^= 1;
    let behind: u64 = names[1].trim_end_matches(".seg").parse().unwrap();
    let (snapshot, _) = Snapshot::open(Memory::with(files)).unwrap();
    let seen = Seen::all(snapshot.read(Position(0)), Position(COUNT));
    assert_eq!(seen.positions(), (behind..COUNT).collect::<Vec<_>>());
    assert_eq!(seen.missing(), behind);
    // A seek into the damaged part is told too, from where it seeks.
    assert_eq!(Seen::all(snapshot.read(Position(1)), Position(COUNT)).missing(), behind - 1);
}

#[test]
fn records_under_the_name_of_another_segment_get_no_number() {
    let mut files = log();
    let names = segments(&files);
    let first = |i: usize| names[i].trim_end_matches(".seg").parse::<u64>().unwrap();
    let other = files[&names[0]].clone();
    files.insert(names[1].clone(), other);
    let (snapshot, _) = Snapshot::open(Memory::with(files)).unwrap();
    let seen = Seen::all(snapshot.read(Position(0)), Position(COUNT));
    seen.assert_true();
    assert_eq!(seen.missing(), first(2) - first(1));
}

#[test]
fn a_missing_segment_is_a_gap() {
    let mut files = log();
    let names = segments(&files);
    files.remove(&names[1]);
    let first = |name: &String| name.trim_end_matches(".seg").parse::<u64>().unwrap();
    let (journal, _) = Journal::open(Memory::with(files), SMALL).unwrap();
    let seen = Seen::all(journal.read(Position(0)), Position(COUNT));
    assert_eq!(seen.gaps.len(), 1);
    assert_eq!((seen.gaps[0].from.0, seen.gaps[0].to.0), (first(&names[1]), first(&names[2])));
}

#[test]
fn a_segment_removed_under_the_feet_of_a_journal_is_a_gap() {
    let disk = Memory::new();
    let journal = written(disk.clone(), SMALL, COUNT);
    let names = segments(&disk.contents());
    disk.remove(&names[1]).unwrap();
    let seen = Seen::all(journal.read(Position(0)), Position(COUNT));
    let path = format!("memory/{}", names[1]);
    assert_eq!(seen.gaps.len(), 1);
    assert_eq!(seen.gaps[0].loss, Loss::Damaged { path, offset: 0, fault: Fault::Unreadable });
}

#[test]
fn damaged_marks_lose_the_cursors_and_say_so() {
    let files = log();
    for at in 0..files["marks"].len() {
        let mut files = files.clone();
        files.get_mut("marks").unwrap()[at] ^= 0xff;
        let (journal, opened) = Journal::open(Memory::with(files), SMALL).unwrap();
        assert!(opened.marks_lost);
        assert_eq!(journal.cursor("uplink"), None);
        Seen::all(journal.read(Position(0)), Position(COUNT)).assert_true();
    }
}

/// Gives `name` the header of a later format, whole in itself.
fn as_version_two(files: &mut BTreeMap<String, Vec<u8>>, name: &str) {
    let bytes = files.get_mut(name).unwrap();
    bytes[8] = 2;
    let crc = crc32fast::hash(&bytes[..20]);
    bytes[20..HEADER].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn a_later_format_is_refused_by_name_and_left_untouched() {
    let mut files = log();
    let names = segments(&files);
    let last = names.last().unwrap();
    as_version_two(&mut files, last);
    let disk = Memory::with(files.clone());
    let error = Journal::open(disk.clone(), SMALL).err().unwrap();
    assert_eq!(
        error.to_string(),
        format!("cannot read memory/{last}: segment format 2, this program knows format 1")
    );
    assert_eq!(disk.contents(), files);
    assert!(matches!(Snapshot::open(disk).err().unwrap(), Error::Version { found: 2, .. }));
}

#[test]
fn a_later_format_in_the_middle_stops_the_reader_there() {
    let mut files = log();
    let names = segments(&files);
    as_version_two(&mut files, &names[1]);
    let (snapshot, _) = Snapshot::open(Memory::with(files)).unwrap();
    let stopped = snapshot.read(Position(0)).find_map(Result::err).unwrap();
    assert!(matches!(stopped, Error::Version { path, .. } if path.ends_with(&names[1])));
}
