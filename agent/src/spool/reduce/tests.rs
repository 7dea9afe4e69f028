use super::super::{LEAST_BYTES, SEGMENT_BYTES};
use super::*;
use haidang_journal::memory::Memory;
use haidang_probe::outcome::Failure;
use tempfile::TempDir;

const SECOND: u64 = 1_000_000_000;
const HOUR: Duration = Duration::from_secs(3_600);
const KEEP: Keep = Keep { raw: HOUR, digests: Duration::from_secs(2 * 3_600) };
const BOOT: BootId = BootId([1; 16]);
const MAP: ClockMap = ClockMap { boot: BOOT, offset_ns: 1_795_000_000_000_000_000, bound_ns: 1_000_000 };
/// Between two batches, seconds.
const TURN: u64 = 30;
const CHECKS: u32 = 4;

fn at(second: u64) -> Moment {
    Moment { boot: BOOT, mono_ns: second * SECOND }
}

fn batch(second: u64) -> Batch {
    let run = |check| Outcome {
        check: CheckId(check),
        sent: at(second),
        result: if check == 0 { Err(Failure::Timeout) } else { Ok(Duration::from_millis(second % 97)) },
        samples: Vec::new(),
    };
    let events = vec![Event::new(at(second), EventKind::LinkDown, "eth1")];
    Batch { clocks: vec![MAP], outcomes: (0..CHECKS).map(run).collect(), events, ..Batch::default() }
}

fn open(disk: &Memory, folder: &TempDir, bytes: u64) -> Spool<Memory> {
    Spool::on(disk.clone(), folder.path(), ("28249-tt", 7), bytes).unwrap()
}

/// A spool of so many batches, none of them acknowledged.
fn filled(disk: &Memory, folder: &TempDir, batches: u64) -> Spool<Memory> {
    let mut spool = open(disk, folder, 64 << 20);
    (0..batches).for_each(|turn| _ = spool.seal(&batch(turn * TURN)).unwrap());
    spool
}

/// What would be sent, by number.
fn held(spool: &mut Spool<Memory>) -> BTreeMap<u64, Batch> {
    let (mut held, mut passed) = (BTreeMap::new(), BTreeSet::new());
    while let Some(sealed) = spool.oldest_but(&passed).unwrap() {
        passed.insert(sealed.seq);
        held.insert(sealed.seq, Envelope::decode(&sealed.bytes).unwrap().open().unwrap());
    }
    held
}

#[test]
fn runs_older_than_they_are_kept_become_rows_and_the_rest_stays() {
    let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
    let mut spool = filled(&disk, &folder, 600);
    assert_eq!(spool.reduce(at(370 * TURN), MAP, KEEP).unwrap(), None, "the 256th is not an hour old");
    let now = at(600 * TURN);
    let sealed = spool.reduce(now, MAP, KEEP).unwrap().unwrap();
    assert_eq!(spool.reduce(now, MAP, KEEP).unwrap(), None);
    assert_eq!((sealed.seq, spool.tally().reduced, spool.tally().unacked), (600, 256, 345));
    let held = held(&mut spool);
    assert!(held.keys().copied().eq(256..=600));
    let reduced = &held[&600];
    assert_eq!((reduced.replaces, reduced.backlog, reduced.outcomes.len()), (Some((0, 255)), true, 0));
    let rows: Vec<_> = reduced.checks.iter().map(|row| (row.check.0, row.runs, row.succeeded)).collect();
    assert_eq!(rows, [(0, 256, 0), (1, 256, 256), (2, 256, 256), (3, 256, 256)]);
    assert_eq!((reduced.checks[0].from, reduced.checks[0].last), (at(0), Some(Failure::Timeout)));
    assert_eq!(reduced.checks[1].lasted, Duration::from_secs(255 * TURN));
    let told = reduced.events.last().unwrap();
    assert_eq!((told.kind, told.says(Field::Count)), (EventKind::SpoolReduced, Some("256")));
}

#[test]
fn events_outlive_runs_and_are_left_out_counted_when_they_are_too_old_themselves() {
    let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
    let mut spool = filled(&disk, &folder, 600);
    spool.reduce(at(600 * TURN), MAP, KEEP).unwrap();
    // Two hours are 240 turns: what was seen in turns 0 to 360 is older.
    assert_eq!(spool.tally().expired, 256);
    let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
    let mut spool = filled(&disk, &folder, 600);
    spool.reduce(at(600 * TURN), MAP, Keep { digests: 6 * HOUR, ..KEEP }).unwrap();
    assert_eq!((spool.tally().expired, held(&mut spool)[&600].events.len()), (0, 257));
}

#[test]
fn what_was_reduced_is_reduced_again_without_losing_a_run() {
    let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
    let keep = Keep { digests: 1_000 * HOUR, ..KEEP };
    let mut spool = open(&disk, &folder, 64 << 20);
    let turns = 1_500;
    for turn in 0..turns {
        spool.seal(&batch(turn * TURN)).unwrap();
        spool.reduce(at(turn * TURN), MAP, keep).unwrap();
    }
    let held = held(&mut spool);
    let digested: u64 = held.values().flat_map(|batch| &batch.checks).map(|row| u64::from(row.runs)).sum();
    let raw: usize = held.values().map(|batch| batch.outcomes.len()).sum();
    assert_eq!(digested + raw as u64, turns * u64::from(CHECKS));
    assert_eq!((spool.tally().lost, spool.tally().expired), (0, 0));
    assert!(spool.tally().reduced >= 1_024, "{:?}", spool.tally());
}

/// Kills and power cuts at each change of the disk that a reduction makes.
#[test]
fn a_fall_at_any_byte_leaves_each_batch_raw_or_reduced() {
    let (mut raw_alone, mut reduced_alone) = (0, 0);
    for fuse in 0..24 {
        for kill in [true, false] {
            let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
            let mut spool = filled(&disk, &folder, 400);
            disk.lose_power_after(fuse);
            let _ = spool.reduce(at(400 * TURN), MAP, KEEP);
            let _ = spool.seal(&batch(401 * TURN));
            drop(spool);
            let disk = if kill { disk.kill(fuse) } else { disk.power_loss(fuse) };
            let mut spool = open(&disk, &folder, 64 << 20);
            let held = held(&mut spool);
            let stands_for = |seq: &u64| {
                let mut replaced = held.values().filter_map(|batch| batch.replaces);
                replaced.any(|(first, last)| (first..=last).contains(seq))
            };
            for seq in 0..400 {
                let (raw, reduced) = (held.contains_key(&seq), stands_for(&seq));
                assert!(raw != reduced, "fuse {fuse}, kill {kill}: {seq} raw {raw}, reduced {reduced}");
            }
            *(if stands_for(&0) { &mut reduced_alone } else { &mut raw_alone }) += 1;
            assert_eq!(spool.tally().lost, 0);
            // And it goes on.
            spool.seal(&batch(402 * TURN)).unwrap();
            spool.reduce(at(402 * TURN), MAP, KEEP).unwrap();
        }
    }
    assert!(raw_alone > 0 && reduced_alone > 0, "{raw_alone} before, {reduced_alone} after");
}

#[test]
fn what_is_under_way_is_not_reduced() {
    let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
    let mut spool = filled(&disk, &folder, 600);
    spool.lend(0);
    assert_eq!(spool.reduce(at(600 * TURN), MAP, KEEP).unwrap(), None);
    spool.returned(0);
    spool.lend(100);
    let sealed = spool.reduce(at(600 * TURN), MAP, KEEP).unwrap().unwrap();
    let reduced = Envelope::decode(&sealed.bytes).unwrap().open().unwrap();
    assert_eq!(reduced.replaces, Some((0, 99)));
}

#[test]
fn a_full_spool_is_reduced_before_anything_is_lost() {
    let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
    let mut spool = open(&disk, &folder, LEAST_BYTES + SEGMENT_BYTES);
    let mut state = 1_u64;
    for turn in 0..1_600 {
        let mut large = batch(turn);
        large.events.clear();
        // Durations that do not compress.
        large.outcomes = (0..600)
            .map(|check| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let result = Ok(Duration::from_nanos(state >> 24));
                Outcome { check: CheckId(check), sent: at(turn), result, samples: Vec::new() }
            })
            .collect();
        spool.seal(&large).unwrap();
        spool.reduce(at(turn), MAP, Keep { raw: 72 * HOUR, digests: 168 * HOUR }).unwrap();
    }
    let tally = spool.tally();
    assert!(tally.lost == 0 && tally.reduced > 100, "{tally:?}");
    assert!(tally.bytes <= LEAST_BYTES + SEGMENT_BYTES);
}

#[test]
fn only_clocks_that_are_known_to_be_right_make_another_boot_old() {
    let ages = Ages { now: at(600), map: MAP, keep: KEEP };
    let other = BootId([2; 16]);
    let then = Moment { boot: other, mono_ns: 0 };
    let map = |bound_ns| ClockMap { boot: other, offset_ns: MAP.offset_ns - 3_600 * SECOND as i64, bound_ns };
    assert_eq!(ages.of(at(500), &[]), Duration::from_secs(100));
    assert_eq!(ages.of(then, &[map(5)]), Duration::from_secs(4_200));
    assert_eq!(ages.of(then, &[map(u64::MAX)]), Duration::from_secs(600));
    assert_eq!(ages.of(then, &[]), Duration::from_secs(600));
}
