//! Random lives against a model that is a list.

use crate::{SMALL, Seen};
use haidang_journal::memory::Memory;
use haidang_journal::{Error, Journal, OnFull, Position, Settings};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Op {
    Append(usize),
    Sync,
    /// Drops before the position this many per cent of the way.
    DropBefore(u64),
    SetCursor(usize, u64),
    /// The process ends; what the system has taken stays.
    Kill,
    PowerLoss(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => (4_usize..=SMALL.max_record as usize).prop_map(Op::Append),
        5 => Just(Op::Sync),
        1 => (0_u64..=100).prop_map(Op::DropBefore),
        1 => (0_usize..3, 0_u64..=100).prop_map(|(name, percent)| Op::SetCursor(name, percent)),
        1 => Just(Op::Kill),
        2 => any::<u64>().prop_map(Op::PowerLoss),
    ]
}

struct Life {
    settings: Settings,
    /// Payloads are this many times as long as the operations say.
    scale: usize,
    disk: Memory,
    /// `None` only while being reopened.
    journal: Option<Journal<Memory>>,
    /// What stands at each position; `None` for an unsynced one that a crash damaged.
    records: Vec<Option<Vec<u8>>>,
    /// Records before this one are promised.
    synced: usize,
    first: u64,
    dropped: u64,
    cursors: BTreeMap<&'static str, u64>,
    appended: u32,
}

impl Life {
    fn begin(settings: Settings, scale: usize) -> Self {
        let disk = Memory::new();
        let (journal, opened) = Journal::open(disk.clone(), settings).unwrap();
        assert_eq!((opened.first, opened.next, opened.repaired), (Position(0), Position(0), None));
        Self {
            settings,
            scale,
            disk,
            journal: Some(journal),
            records: Vec::new(),
            synced: 0,
            first: 0,
            dropped: 0,
            cursors: BTreeMap::new(),
            appended: 0,
        }
    }

    fn journal(&mut self) -> &mut Journal<Memory> {
        self.journal.as_mut().unwrap()
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Append(length) => self.append(length),
            Op::Sync => {
                self.journal().sync().unwrap();
                self.synced = self.records.len();
            }
            Op::DropBefore(percent) => {
                let position = self.records.len() as u64 * percent / 100;
                self.journal().drop_before(Position(position)).unwrap();
                let first = self.journal().first().0;
                assert!(first == self.first || (first > self.first && first <= position));
                self.first = first;
            }
            Op::SetCursor(name, percent) => {
                let name = ["a", "b", "c"][name];
                let position = self.journal().synced().0 * percent / 100;
                self.journal().set_cursor(name, Position(position)).unwrap();
                self.cursors.insert(name, position);
            }
            Op::Kill => self.reopen(self.disk.clone()),
            Op::PowerLoss(seed) => self.reopen(self.disk.power_loss(seed)),
        }
    }

    fn append(&mut self, length: usize) {
        // A serial number first: no two payloads are ever equal, whatever their position.
        let mut payload = self.appended.to_le_bytes().to_vec();
        payload.resize(length * self.scale, self.appended as u8);
        self.appended += 1;
        match self.journal().append(&payload) {
            Ok(appended) => {
                assert_eq!(appended.position, Position(self.records.len() as u64));
                self.records.push(Some(payload));
                self.first += appended.dropped;
                self.dropped += appended.dropped;
            }
            Err(Error::Full { .. }) => assert_eq!(self.settings.on_full, OnFull::Refuse),
            Err(error) => panic!("{error}"),
        }
        // A full segment is synced by its successor's creation.
        self.synced = self.synced.max(self.journal().synced().0 as usize);
    }

    fn reopen(&mut self, disk: Memory) {
        self.journal = None;
        self.disk = disk;
        let (journal, opened) = Journal::open(self.disk.clone(), self.settings).unwrap();
        let next = opened.next.0 as usize;
        assert!((self.synced..=self.records.len()).contains(&next), "{opened:?} synced {}", self.synced);
        assert_eq!(opened.first, Position(self.first));
        self.records.truncate(next);
        for gap in Seen::all(journal.read(opened.first), opened.next).gaps {
            for lost in gap.from.0 as usize..gap.to.0 as usize {
                assert!(lost >= self.synced, "synced record {lost} lost: {gap:?}");
                self.records[lost] = None;
            }
        }
        self.synced = next;
        self.journal = Some(journal);
    }

    fn check(&mut self) {
        let (first, dropped, synced) = (self.first, self.dropped, self.synced as u64);
        let max_bytes = self.settings.max_bytes;
        let journal = self.journal.as_ref().unwrap();
        assert_eq!((journal.first().0, journal.dropped()), (first, dropped));
        assert_eq!((journal.next().0, journal.synced().0), (self.records.len() as u64, synced));
        assert!(journal.bytes() <= max_bytes);
        for (name, position) in &self.cursors {
            assert_eq!(journal.cursor(name), Some(Position(*position)));
        }
        let seen = Seen::all(journal.read(Position(first)), Position(synced));
        let expected = (first..synced).filter_map(|at| Some((at, self.records[at as usize].clone()?)));
        assert_eq!(seen.records, expected.collect::<Vec<_>>());
    }
}

fn live(ops: &[Op], settings: Settings, scale: usize) {
    let mut life = Life::begin(settings, scale);
    for op in ops {
        life.apply(op);
        life.check();
    }
}

fn on_full() -> impl Strategy<Value = OnFull> {
    prop_oneof![Just(OnFull::Refuse), Just(OnFull::DropOldest)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_journal_is_a_list_that_forgets_only_what_it_says(
        ops in prop::collection::vec(op(), 1..120),
        segments in 2_u64..12,
        on_full in on_full(),
    ) {
        live(&ops, Settings { max_bytes: SMALL.segment_bytes * segments, on_full, ..SMALL }, 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The buffer overflows between syncs here, so a crash finds whole records the system has but the disk not.
    #[test]
    fn so_is_a_journal_of_records_that_fill_the_buffer(
        ops in prop::collection::vec(op(), 1..60),
        on_full in on_full(),
    ) {
        let settings =
            Settings { segment_bytes: 200_000, max_bytes: 500_000, on_full, max_record: 30_000 };
        live(&ops, settings, 300);
    }
}
