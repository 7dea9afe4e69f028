use super::*;
use haidang_probe::batch::{Ack, Ranges};
use haidang_probe::check::CheckId;
use haidang_probe::moment::{ClockMap, Moment};
use haidang_probe::outcome::Outcome;
use std::time::Duration;

fn batch(check: u32) -> Batch {
    let outcome = Outcome {
        check: CheckId(check),
        sent: Moment::default(),
        result: Ok(Duration::from_millis(3)),
        samples: Vec::new(),
    };
    Batch { clocks: vec![ClockMap::default()], outcomes: vec![outcome], ..Batch::default() }
}

fn open(directory: &Path) -> Spool {
    Spool::open(directory, "28249-tt", LEAST_BYTES).unwrap()
}

fn ack(spool: &Spool, seq: u64, received: &[(u64, u64)]) -> Ack {
    let received = Ranges::try_from(received.to_vec()).unwrap();
    Ack { spool_id: spool.id(), seq, received, ..Ack::default() }
}

fn checks(sealed: &Sealed) -> Vec<u32> {
    let batch = Envelope::decode(&sealed.bytes).unwrap().open().unwrap();
    batch.outcomes.iter().map(|outcome| outcome.check.0).collect()
}

#[test]
fn numbers_and_chain_go_on_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let (mut spool, mut last) = (open(directory.path()), [0; 32]);
    let id = spool.id();
    for seq in 0..3 {
        assert_eq!(spool.seal(&batch(seq)).unwrap().seq, u64::from(seq));
    }
    drop(spool); // Nothing is written on the way out: as with kill -9.
    let mut spool = open(directory.path());
    assert_eq!((spool.id(), spool.next_seq()), (id, 3));
    spool.seal(&batch(3)).unwrap();
    for seq in 0..4 {
        let sealed = spool.oldest_but(&(0..seq).collect()).unwrap().unwrap();
        let envelope = Envelope::decode(&sealed.bytes).unwrap();
        assert_eq!((envelope.seq, envelope.prev_sha256, checks(&sealed)), (seq, last, vec![seq as u32]));
        last = sha256(&sealed.bytes);
    }
}

#[test]
fn what_is_acknowledged_is_not_sent_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = open(directory.path());
    for seq in 0..6 {
        spool.seal(&batch(seq)).unwrap();
    }
    assert_eq!(spool.newest().map(|sealed| sealed.seq), Some(5));
    assert!(spool.acknowledged(&ack(&spool, 5, &[(0, 1), (5, 5)]), 0));
    assert_eq!(spool.newest(), None);
    let oldest = |spool: &mut Spool, under_way: &[u64]| {
        spool.oldest_but(&under_way.iter().copied().collect()).unwrap().map(|sealed| sealed.seq)
    };
    assert_eq!((oldest(&mut spool, &[]), oldest(&mut spool, &[2, 3])), (Some(2), Some(4)));
    assert_eq!(oldest(&mut spool, &[2, 3, 4]), None);
    assert_eq!(oldest(&mut spool, &[]), Some(2), "what failed is tried again");
    assert!(!spool.acknowledged(&Ack { spool_id: spool.id() + 1, ..ack(&spool, 2, &[(0, 5)]) }, 0));
    assert_eq!(spool.tally().unacked, 3, "another spool's answer changes nothing");
}

#[test]
fn the_cursor_survives_and_only_the_rest_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = open(directory.path());
    for seq in 0..6 {
        spool.seal(&batch(seq)).unwrap();
    }
    spool.acknowledged(&ack(&spool, 3, &[(0, 3)]), 0);
    spool.persist().unwrap();
    drop(spool);
    let mut spool = open(directory.path());
    assert_eq!(spool.tally().unacked, 2);
    assert_eq!(checks(&spool.oldest_but(&BTreeSet::new()).unwrap().unwrap()), [4]);
}

#[test]
fn what_was_acknowledged_behind_a_hole_is_not_sent_again_after_a_start() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = open(directory.path());
    (0..8).for_each(|seq| _ = spool.seal(&batch(seq)).unwrap());
    spool.acknowledged(&ack(&spool, 7, &[(2, 3), (6, 7)]), 0);
    spool.persist().unwrap();
    spool.seal(&batch(8)).unwrap();
    drop(spool);
    let spool = open(directory.path());
    assert_eq!(spool.unacked.as_slice(), [(0, 1), (4, 5), (8, 8)]);
    // One that is damaged makes more to be sent again, not less.
    spool.disk.replace("standing", b"haidang-spool 1\nnext 9\nsum 00\n").unwrap();
    drop(spool);
    assert_eq!(open(directory.path()).unacked.as_slice(), [(0, 8)]);
}

#[test]
fn in_quiet_times_the_cursor_alone_is_stored() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = open(directory.path());
    let stored = || std::fs::read(directory.path().join("journal/standing")).unwrap();
    spool.announce(0).unwrap();
    let before = stored();
    for seq in 0..64 {
        assert!(spool.is_announced(seq));
        spool.seal(&batch(0)).unwrap();
        spool.acknowledged(&ack(&spool, seq, &[(0, seq)]), 0);
        spool.persist().unwrap();
    }
    assert_eq!(stored(), before);
    drop(spool);
    assert_eq!(open(directory.path()).tally().unacked, 0);
}

#[test]
fn a_full_spool_drops_the_oldest_and_counts_what_was_not_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = open(directory.path());
    let mut large = batch(0);
    // Names that do not compress, so that a batch is some tens of kilobytes.
    let mut state = 1_u64;
    large.events = (0..2000)
        .map(|_| {
            let part = (0..16).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                format!("{:x}", state >> 33)
            });
            let (at, kind) = (Moment::default(), haidang_probe::event::EventKind::LinkUp);
            haidang_probe::event::Event::new(at, kind, part.collect::<String>())
        })
        .collect();
    spool.seal(&batch(1)).unwrap();
    spool.acknowledged(&ack(&spool, 0, &[(0, 0)]), 0);
    while spool.tally().lost == 0 {
        assert!(spool.next_seq() < 1000, "the bound does not hold");
        spool.seal(&large).unwrap();
    }
    let tally = spool.tally();
    assert!(tally.bytes <= LEAST_BYTES);
    assert_eq!(tally.lost + tally.unacked + 1, spool.next_seq(), "each batch is acknowledged, held or lost");
    assert_eq!(spool.oldest_but(&BTreeSet::new()).unwrap().unwrap().seq, tally.lost + 1);
}

#[test]
fn a_refused_batch_is_set_aside_and_blocks_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = open(directory.path());
    for seq in 0..2 {
        spool.seal(&batch(seq)).unwrap();
    }
    let bad = spool.oldest_but(&BTreeSet::new()).unwrap().unwrap();
    spool.set_aside(&bad);
    assert_eq!(std::fs::read(directory.path().join("refused/0.batch")).unwrap(), bad.bytes);
    assert_eq!(spool.oldest_but(&BTreeSet::new()).unwrap().unwrap().seq, 1);
    assert_eq!(spool.tally().refused, 1);
}

#[test]
fn what_the_disk_refused_keeps_its_number_and_is_written_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = open(directory.path());
    spool.seal(&batch(0)).unwrap();
    spool.journal = None;
    // Another program holds the journal: nothing can be written.
    let thief = Journal::open(Files::new(directory.path().join("journal")), spool.settings).unwrap();
    assert_eq!(spool.seal(&batch(1)).unwrap().seq, 1);
    assert!(!spool.durable(1) && spool.newest().is_some_and(|newest| newest.seq == 0));
    assert!(spool.seal(&batch(2)).is_err(), "one is kept in memory, no more");
    drop(thief);
    assert_eq!(spool.seal(&batch(2)).unwrap().seq, 2);
    let all: Vec<_> = (0..3).map(|n| spool.oldest_but(&(0..n).collect()).unwrap().unwrap()).collect();
    assert_eq!(all.iter().flat_map(checks).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn what_a_failed_sync_left_on_disk_is_not_taken_for_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = open(directory.path());
    spool.seal(&batch(0)).unwrap();
    let sealed = Sealed { seq: 1, bytes: spool.encode(&batch(1)).unwrap() };
    spool.write(&sealed).unwrap();
    // It was told that the sync failed.
    (spool.unsure, spool.next, spool.journal) = (Some(sealed), 2, None);
    spool.persist().unwrap();
    drop(spool);
    assert_eq!(open(directory.path()).tally().unacked, 2);
}

#[test]
fn another_agents_spool_is_moved_aside_not_sent_and_not_lost() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().join("spool");
    let mut spool = open(&directory);
    spool.seal(&batch(0)).unwrap();
    let old = spool.id();
    drop(spool);
    let spool = Spool::open(&directory, "28252-tt", LEAST_BYTES).unwrap();
    assert_ne!(spool.id(), old);
    assert_eq!((spool.next_seq(), spool.tally().unacked), (0, 0));
    let aside = data.path().join(format!("spool.{old:016x}"));
    assert_eq!(open(&aside).tally().unacked, 1, "whole, for a person to look at");
}

#[test]
fn a_wiped_disk_starts_another_spool() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_ne!(open(one.path()).id(), open(two.path()).id());
}
