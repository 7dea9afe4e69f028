//! One writes, any number read.

use crate::{SMALL, Seen, payload};
use haidang_journal::{Error, Files, Item, Journal, Position, Snapshot};
use std::sync::mpsc;
use std::thread;

#[test]
fn a_second_writer_is_refused_and_a_snapshot_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Files::new(directory.path().join("evidence"));
    let (mut journal, _) = Journal::open(disk.clone(), SMALL).unwrap();
    for position in 0..20 {
        journal.append(&payload(position)).unwrap();
    }
    journal.sync().unwrap();
    let Err(Error::Locked { path }) = Journal::open(disk.clone(), SMALL) else { panic!("opened twice") };
    assert_eq!(path, directory.path().join("evidence/lock").display().to_string());

    let (snapshot, opened) = Snapshot::open(disk.clone()).unwrap();
    assert_eq!((opened.first, opened.next, opened.repaired), (Position(0), Position(20), None));
    Seen::all(snapshot.read(Position(0)), Position(20)).assert_true();

    let reader = journal.read(Position(0));
    drop(journal);
    Journal::open(disk, SMALL).expect("a reader left over does not hold the lock");
    drop(reader);
}

#[test]
fn a_snapshot_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let missing = Files::new(directory.path().join("missing"));
    assert!(matches!(Snapshot::open(missing), Err(Error::Disk { what: "list", .. })));
    assert_eq!(directory.path().read_dir().unwrap().count(), 0);

    let torn = directory.path().join("00000000000000000007.seg");
    std::fs::write(&torn, b"HDJOURNL").unwrap();
    let (snapshot, opened) = Snapshot::open(Files::new(directory.path())).unwrap();
    assert_eq!(opened.repaired.unwrap().bytes_cut, 8);
    assert_eq!((snapshot.first(), snapshot.next()), (Position(7), Position(7)));
    assert_eq!(std::fs::read(&torn).unwrap(), b"HDJOURNL");
    assert_eq!(directory.path().read_dir().unwrap().count(), 1);
}

#[test]
fn a_reader_on_another_thread_follows_the_writer() {
    const COUNT: u64 = 500;
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(Files::new(directory.path()), SMALL).unwrap();
    let mut reader = journal.read(Position(0));
    let (synced, wake_ups) = mpsc::sync_channel(1);
    let follower = thread::spawn(move || {
        let mut next = 0;
        while wake_ups.recv().is_ok() {
            for item in reader.by_ref() {
                let bytes = payload(next);
                assert_eq!(item.unwrap(), Item::Record { position: Position(next), bytes });
                next += 1;
            }
        }
        next
    });
    for position in 0..COUNT {
        journal.append(&payload(position)).unwrap();
        if position % 50 == 49 {
            journal.sync().unwrap();
            synced.send(()).unwrap();
        }
    }
    drop(synced);
    assert_eq!(follower.join().unwrap(), COUNT);
}
