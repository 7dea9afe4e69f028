//! The bound, the policies, the cursors, and a disk that is full or fails.

use crate::{SMALL, Seen, bytes_on, payload, written};
use haidang_journal::memory::Memory;
use haidang_journal::{Error, Item, Journal, Loss, OnFull, Position, Settings};

const TIGHT: Settings = Settings { max_bytes: 480, on_full: OnFull::DropOldest, ..SMALL };

#[test]
fn drops_the_oldest_counts_them_and_never_passes_the_bound() {
    let disk = Memory::new();
    let (mut journal, _) = Journal::open(disk.clone(), TIGHT).unwrap();
    let mut dropped = 0;
    for position in 0..100 {
        dropped += journal.append(&payload(position)).unwrap().dropped;
        assert_eq!(journal.first(), Position(dropped));
        assert_eq!(journal.dropped(), dropped);
        assert!(journal.bytes() <= TIGHT.max_bytes);
        journal.sync().unwrap();
        assert_eq!(journal.bytes(), bytes_on(&disk) as u64);
    }
    assert!((60..100).contains(&dropped));
    let seen = Seen::all(journal.read(Position(0)), Position(100));
    seen.assert_true();
    assert_eq!(seen.positions(), (dropped..100).collect::<Vec<_>>());
    assert_eq!(seen.gaps.len(), 1);
    assert_eq!(seen.gaps[0].loss, Loss::Dropped);

    drop(journal);
    let (journal, opened) = Journal::open(disk, TIGHT).unwrap();
    assert_eq!((opened.first, opened.next), (Position(dropped), Position(100)));
    assert_eq!(journal.dropped(), dropped, "the count survives a restart");
}

#[test]
fn refuses_when_full_and_takes_again_after_a_drop() {
    let settings = Settings { on_full: OnFull::Refuse, ..TIGHT };
    let disk = Memory::new();
    let (mut journal, _) = Journal::open(disk.clone(), settings).unwrap();
    let mut taken = 0;
    let error = loop {
        match journal.append(&payload(taken)) {
            Ok(appended) => assert_eq!((appended.position, appended.dropped), (Position(taken), 0)),
            Err(error) => break error,
        }
        taken += 1;
    };
    let Error::Full { bytes, max_bytes: 480 } = error else { panic!("{error}") };
    assert_eq!(bytes, journal.bytes());
    assert!(taken >= 9, "the bound is used");
    journal.sync().unwrap();
    Seen::all(journal.read(Position(0)), Position(taken)).assert_true();

    journal.drop_before(Position(taken)).unwrap();
    assert_eq!(journal.append(&payload(taken)).unwrap().position, Position(taken));
    assert_eq!(journal.dropped(), 0, "what was let go is not lost");
    assert_eq!(journal.bytes(), bytes_on(&disk) as u64 + 8 + payload(taken).len() as u64);
}

#[test]
fn drop_before_removes_whole_segments_only() {
    let mut journal = written(Memory::new(), SMALL, 30);
    for position in 0..=30 {
        journal.drop_before(Position(position)).unwrap();
        assert!(journal.first() <= Position(position));
        let seen = Seen::all(journal.read(journal.first()), Position(30));
        assert_eq!(seen.gaps, []);
        seen.assert_true();
    }
    assert!(journal.first() > Position(20));
}

#[test]
fn a_smaller_bound_after_a_restart_takes_effect() {
    let disk = Memory::new();
    drop(written(disk.clone(), Settings { segment_bytes: 2000, ..SMALL }, 100));
    let before = bytes_on(&disk);
    let (mut journal, _) = Journal::open(disk, TIGHT).unwrap();
    assert!(before as u64 > TIGHT.max_bytes);
    assert!(journal.append(&payload(100)).unwrap().dropped > 0);
    assert!(journal.bytes() <= TIGHT.max_bytes);
}

#[test]
fn a_reader_overtaken_by_a_drop_sees_the_gap_and_goes_on() {
    let disk = Memory::new();
    let mut journal = written(disk, TIGHT, 10);
    let mut reader = journal.read(journal.first());
    let Some(Ok(Item::Record { position, .. })) = reader.next() else { panic!() };
    for at in 10..60 {
        journal.append(&payload(at)).unwrap();
    }
    journal.sync().unwrap();
    let seen = Seen::all(reader, Position(60));
    seen.assert_true();
    let gap = &seen.gaps[0];
    assert_eq!((gap.from, gap.to, &gap.loss), (position.next(), journal.first(), &Loss::Dropped));
}

#[test]
fn readers_see_only_what_is_durable_and_go_on_after_a_sync() {
    let mut journal = written(Memory::new(), SMALL, 3);
    let mut reader = journal.read(Position(0));
    journal.append(&payload(3)).unwrap();
    assert_eq!(reader.by_ref().count(), 3);
    assert_eq!((journal.synced(), journal.next()), (Position(3), Position(4)));
    journal.sync().unwrap();
    assert_eq!(reader.next().unwrap().unwrap(), Item::Record { position: Position(3), bytes: payload(3) });
    assert!(reader.next().is_none());
}

#[test]
fn cursors_survive_and_never_pass_what_is_durable() {
    let disk = Memory::new();
    let mut journal = written(disk.clone(), SMALL, 5);
    assert_eq!(journal.cursor("live"), None);
    journal.set_cursor("live", Position(4)).unwrap();
    journal.set_cursor("backlog", Position(2)).unwrap();
    journal.append(&payload(5)).unwrap();
    let ahead = journal.set_cursor("live", Position(6)).unwrap_err();
    assert_eq!(ahead.to_string(), "cannot set cursor \"live\" to 6: records are durable only before 5");
    for name in ["", "two words", "ỗ", &"x".repeat(65)] {
        assert!(matches!(journal.set_cursor(name, Position(0)), Err(Error::Cursor { .. })), "{name:?}");
    }
    drop(journal);
    let (journal, _) = Journal::open(disk.power_loss(1), SMALL).unwrap();
    assert_eq!(journal.cursor("live"), Some(Position(4)));
    assert_eq!(journal.cursor("backlog"), Some(Position(2)));
}

#[test]
fn a_record_of_no_bytes_or_too_many_is_refused() {
    let (mut journal, _) = Journal::open(Memory::new(), SMALL).unwrap();
    assert!(matches!(journal.append(&[]), Err(Error::Empty)));
    assert!(matches!(journal.append(&[1; 101]), Err(Error::TooLong { bytes: 101, max_record: 100 })));
    assert_eq!(journal.append(&[1; 100]).unwrap().position, Position(0));
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    for settings in [
        Settings { max_record: 0, ..SMALL },
        Settings { segment_bytes: 131, ..SMALL },
        Settings { max_bytes: 319, ..SMALL },
    ] {
        assert!(matches!(Journal::open(Memory::new(), settings), Err(Error::Settings { .. })));
    }
    let exact = Settings { segment_bytes: 132, max_bytes: 264, on_full: OnFull::DropOldest, max_record: 100 };
    let (mut journal, _) = Journal::open(Memory::new(), exact).unwrap();
    for _ in 0..5 {
        journal.append(&[9; 100]).unwrap();
        assert!(journal.bytes() <= 264);
    }
    assert_eq!(journal.dropped(), 3);
}

#[test]
fn a_full_disk_takes_nothing_half_and_goes_on_when_there_is_room() {
    let disk = Memory::new();
    let mut journal = written(disk.clone(), SMALL, 2);
    journal.append(&payload(2)).unwrap();
    disk.limit(Some(bytes_on(&disk) + 7));
    for _ in 0..3 {
        let error = journal.sync().unwrap_err().to_string();
        assert!(error.starts_with("cannot append to memory/00000000000000000000.seg: "), "{error}");
    }
    assert_eq!(journal.synced(), Position(2));
    disk.limit(None);
    for position in 3..20 {
        journal.append(&payload(position)).unwrap();
    }
    journal.sync().unwrap();
    let seen = Seen::all(journal.read(Position(0)), Position(20));
    assert_eq!(seen.gaps, []);
    seen.assert_true();
}

#[test]
fn a_full_disk_at_the_turn_of_a_segment_loses_nothing() {
    let disk = Memory::new();
    let mut journal = written(disk.clone(), SMALL, 4);
    disk.limit(Some(bytes_on(&disk) + 60));
    let mut next = 4;
    while journal.append(&payload(next)).and_then(|_| journal.sync()).is_ok() {
        next += 1;
    }
    let next = journal.next().0;
    disk.limit(None);
    for position in next..40 {
        journal.append(&payload(position)).unwrap();
    }
    journal.sync().unwrap();
    drop(journal);
    let (journal, opened) = Journal::open(disk.power_loss(3), SMALL).unwrap();
    assert_eq!(opened.repaired, None);
    let seen = Seen::all(journal.read(Position(0)), Position(40));
    assert_eq!(seen.gaps, []);
    seen.assert_true();
}

#[test]
fn a_segment_once_given_up_takes_no_smaller_record_either() {
    let disk = Memory::new();
    let (mut journal, _) = Journal::open(disk.clone(), SMALL).unwrap();
    journal.append(&[b'a'; 100]).unwrap();
    journal.sync().unwrap();
    disk.limit(Some(bytes_on(&disk)));
    assert!(matches!(journal.append(&[b'b'; 30]), Err(Error::Disk { what: "create", .. })));
    disk.limit(None);
    let records = [vec![b'a'; 100], b"c".to_vec(), b"d".to_vec()];
    for (position, record) in records.iter().enumerate().skip(1) {
        assert_eq!(journal.append(record).unwrap().position, Position(position as u64));
    }
    journal.sync().unwrap();
    drop(journal);
    let (journal, _) = Journal::open(disk, SMALL).unwrap();
    let seen = Seen::all(journal.read(Position(0)), Position(3));
    assert_eq!(seen.records.into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>(), records);
}

#[test]
fn after_a_failed_sync_nothing_is_believed_until_reopened() {
    let disk = Memory::new();
    let mut journal = written(disk.clone(), SMALL, 2);
    journal.append(&payload(2)).unwrap();
    disk.fail_next_sync();
    assert!(matches!(journal.sync(), Err(Error::Disk { what: "sync", .. })));
    assert!(matches!(journal.sync(), Err(Error::Failed { .. })));
    assert!(matches!(journal.append(b"x"), Err(Error::Failed { .. })));
    assert_eq!(journal.synced(), Position(2));
    assert_eq!(journal.read(Position(0)).count(), 2);
    drop(journal);
    let (journal, _) = Journal::open(disk, SMALL).unwrap();
    assert!(journal.next() >= Position(2));
}
