//! The writer drops a segment in the very moment a reader turns to it.

use crate::{SMALL, Seen, payload};
use haidang_journal::memory::{Memory, MemoryFile};
use haidang_journal::{Disk, Entry, Journal, Loss, Position};
use std::io;
use std::sync::{Arc, Mutex};

type Hook = Box<dyn FnOnce() + Send>;

/// A disk that lets something happen just before the next read.
#[derive(Clone, Default)]
struct Interrupted {
    disk: Memory,
    before_read: Arc<Mutex<Option<Hook>>>,
}

impl Disk for Interrupted {
    type File = MemoryFile;
    type Lock = Arc<()>;

    fn lock(&self) -> io::Result<Arc<()>> {
        self.disk.lock()
    }

    fn list(&self) -> io::Result<Vec<Entry>> {
        self.disk.list()
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let hook = self.before_read.lock().unwrap().take();
        if let Some(hook) = hook {
            hook();
        }
        self.disk.read_at(name, offset, buffer)
    }

    fn open_cut(&self, name: &str, length: u64) -> io::Result<MemoryFile> {
        self.disk.open_cut(name, length)
    }

    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.disk.replace(name, content)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_names(&self) -> io::Result<()> {
        self.disk.sync_names()
    }

    fn path(&self, name: &str) -> String {
        self.disk.path(name)
    }
}

#[test]
fn a_segment_dropped_under_a_reader_is_dropped_and_not_damaged() {
    let disk = Interrupted::default();
    let (mut journal, _) = Journal::open(disk.clone(), SMALL).unwrap();
    for position in 0..20 {
        journal.append(&payload(position)).unwrap();
    }
    journal.sync().unwrap();
    let reader = journal.read(Position(0));
    let drops = move || journal.drop_before(Position(10)).unwrap();
    *disk.before_read.lock().unwrap() = Some(Box::new(drops));

    let seen = Seen::all(reader, Position(20));
    seen.assert_true();
    assert_eq!(seen.gaps.len(), 1);
    assert_eq!((seen.gaps[0].from, &seen.gaps[0].loss), (Position(0), &Loss::Dropped));
    assert!(seen.gaps[0].to > Position(5));
}
