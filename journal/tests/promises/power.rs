//! The power goes off in the middle of every single operation on the disk.

use crate::{SMALL, Seen, bytes_on, payload};
use haidang_journal::memory::Memory;
use haidang_journal::{Error, Journal, OnFull, Position, Settings};

const TIGHT: Settings = Settings { max_bytes: 480, on_full: OnFull::DropOldest, ..SMALL };
const SEEDS: u64 = 8;

/// What the caller of the journal was told before the lights went out.
#[derive(Debug, Default, Clone, Copy)]
struct Told {
    synced: u64,
    appended: u64,
    first: u64,
    dropped: u64,
    cursor: u64,
}

/// A life of rotations, drops of both kinds and cursor moves.
fn live(disk: &Memory, told: &mut Told) -> Result<(), Error> {
    let (mut journal, _) = Journal::open(disk.clone(), TIGHT)?;
    for position in 0..40 {
        // Counted before the attempt: an append that fails may still reach the disk later.
        told.appended = position + 1;
        told.synced = told.synced.max(journal.synced().0);
        journal.append(&payload(position))?;
        (told.first, told.dropped) = (journal.first().0, journal.dropped());
        if position % 3 == 2 {
            journal.sync()?;
            told.synced = position + 1;
        }
        if position % 7 == 6 {
            let cursor = journal.synced();
            journal.set_cursor("uplink", cursor)?;
            told.cursor = cursor.0;
        }
        if position % 11 == 10 {
            journal.drop_before(Position(told.cursor))?;
            told.first = journal.first().0;
        }
    }
    Ok(())
}

/// Opens what is left and holds it against what was told.
fn judge(disk: &Memory, told: Told) {
    let (mut journal, opened) = Journal::open(disk.clone(), TIGHT).unwrap();
    assert_eq!(journal.bytes(), bytes_on(disk) as u64, "nothing dropped is left behind");
    assert!(opened.next.0 >= told.synced && opened.next.0 <= told.appended, "{opened:?} {told:?}");
    assert!(opened.first.0 >= told.first, "{opened:?} {told:?}");
    assert!(journal.dropped() >= told.dropped && journal.dropped() <= opened.first.0, "{told:?}");
    assert!(journal.cursor("uplink").map_or(0, |p| p.0) >= told.cursor, "{told:?}");
    assert!(!opened.marks_lost);
    let seen = Seen::all(journal.read(opened.first), opened.next);
    seen.assert_true();
    for gap in &seen.gaps {
        assert!(gap.from.0 >= told.synced, "lost {gap:?} of {told:?}");
    }
    let next = opened.next.0;
    journal.append(&payload(next)).unwrap();
    journal.sync().unwrap();
    Seen::all(journal.read(opened.next), Position(next + 1)).assert_true();
}

/// Records longer than the buffer, so that the system takes them long before they are synced.
const WIDE: Settings =
    Settings { segment_bytes: 1 << 20, max_bytes: 4 << 20, on_full: OnFull::Refuse, max_record: 70_000 };

#[test]
fn what_a_kill_left_unsynced_is_durable_once_it_was_opened() {
    for seed in 0..SEEDS {
        let disk = Memory::new();
        let (mut journal, _) = Journal::open(disk.clone(), WIDE).unwrap();
        for byte in 0..4 {
            journal.append(&vec![byte; 70_000]).unwrap();
        }
        assert_eq!(journal.synced(), Position(0));
        drop(journal);
        let (journal, killed) = Journal::open(disk.clone(), WIDE).unwrap();
        assert_eq!(killed.next, Position(3), "the last one was still in the buffer");
        drop(journal);
        let (journal, opened) = Journal::open(disk.power_loss(seed), WIDE).unwrap();
        assert_eq!((opened.next, opened.repaired), (Position(3), None));
        let seen = Seen::all(journal.read(Position(0)), Position(3));
        let expected = (0..3).map(|byte| (u64::from(byte), vec![byte; 70_000]));
        assert!(seen.records == expected.collect::<Vec<_>>());
    }
}

fn operations_of_a_life() -> u64 {
    let disk = Memory::new();
    live(&disk, &mut Told::default()).unwrap();
    disk.operations()
}

#[test]
fn nothing_synced_is_lost_whenever_the_power_goes_off() {
    let operations = operations_of_a_life();
    assert!(operations > 80);
    for fuse in 0..operations {
        for seed in 0..SEEDS {
            let (disk, mut told) = (Memory::new(), Told::default());
            disk.lose_power_after(fuse);
            live(&disk, &mut told).unwrap_err();
            judge(&disk.power_loss(seed), told);
        }
    }
}

#[test]
fn a_repair_cut_short_is_repaired_by_the_next_opening() {
    let mut interrupted = 0;
    for fuse in 0..operations_of_a_life() {
        for again in 0..6 {
            let (disk, mut told) = (Memory::new(), Told::default());
            disk.lose_power_after(fuse);
            live(&disk, &mut told).unwrap_err();
            let disk = disk.power_loss(fuse);
            disk.lose_power_after(again);
            interrupted += u64::from(Journal::open(disk.clone(), TIGHT).is_err());
            judge(&disk.power_loss(again), told);
        }
    }
    assert!(interrupted > 200, "{interrupted}");
}
