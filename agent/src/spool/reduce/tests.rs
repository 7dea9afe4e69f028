use super::super::doubt::{Doubt, LINGER};
use super::super::standing::AHEAD;
use super::super::{LEAST_BYTES, SEGMENT_BYTES};
use super::*;
use haidang_journal::memory::Memory;
use haidang_probe::batch::{Ack, Ranges, sha256};
use haidang_probe::check::CheckId;
use haidang_probe::event::{Event, EventKind, Field};
use haidang_probe::key::hex;
use haidang_probe::metric::Metric;
use haidang_probe::moment::BootId;
use haidang_probe::outcome::{Failure, Outcome, Sample};
use std::collections::{BTreeMap, BTreeSet};
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
    let octets = || Sample { metric: Metric::IfInOctets, part: "eth0".into(), value: second as f64 };
    let run = |check| Outcome {
        check: CheckId(check),
        sent: at(second),
        result: if check == 0 { Err(Failure::Timeout) } else { Ok(Duration::from_millis(second % 97)) },
        samples: if check == 1 { vec![octets()] } else { Vec::new() },
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
    assert_eq!((told.says(Field::Samples), spool.tally().samples), (Some("256"), 256));
}

#[test]
fn a_reduction_does_not_take_the_place_of_what_was_just_seen() {
    let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
    let mut spool = filled(&disk, &folder, 600);
    assert_eq!(spool.reduce(at(600 * TURN), MAP, KEEP).unwrap().map(|sealed| sealed.seq), Some(600));
    assert_eq!(spool.newest().map(|newest| newest.seq), Some(599));
}

#[test]
fn spans_that_a_plan_made_shorter_count_at_once() {
    let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
    let mut spool = filled(&disk, &folder, 600);
    let (now, day) = (at(600 * TURN), Keep { raw: 24 * HOUR, digests: 48 * HOUR });
    assert_eq!(spool.reduce(now, MAP, day).unwrap(), None);
    assert!(spool.reduce(now, MAP, KEEP).unwrap().is_some());
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
    let told: u64 = held.values().flat_map(|batch| &batch.events).filter_map(count).sum();
    assert_eq!(told, spool.tally().reduced, "a batch is told once however often it is reduced");
    assert!((1_024..turns).contains(&told), "{:?}", spool.tally());
    let rows = held.values().flat_map(|batch| &batch.checks);
    let rows: Vec<_> = rows.filter(|row| row.check == CheckId(1)).collect();
    assert!(rows.iter().any(|row| row.runs > CHUNK as u32), "rows that follow each other are one: {rows:?}");
    assert!(rows.iter().all(|row| row.lasted <= 6 * HOUR && row.took.max <= 96_000), "{rows:?}");
}

/// Batches a `spool-reduced` tells of.
fn count(event: &Event) -> Option<u64> {
    let count = event.says(Field::Count).filter(|_| event.kind == EventKind::SpoolReduced);
    count.map(|count| count.parse().unwrap())
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

/// What the last reduction stands for.
fn replaced(sealed: Option<Sealed>) -> Option<(u64, u64)> {
    Envelope::decode(&sealed?.bytes).unwrap().open().unwrap().replaces
}

fn acknowledge(spool: &mut Spool<Memory>, received: &[(u64, u64)], now_ns: u64) {
    let received = Ranges::try_from(received.to_vec()).unwrap();
    assert!(spool.acknowledged(&Ack { spool_id: 7, seq: u64::MAX, received, ..Ack::default() }, now_ns));
}

#[test]
fn what_is_under_way_is_not_reduced_and_stops_nothing_behind_it() {
    let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
    let (mut spool, now) = (filled(&disk, &folder, 600), at(600 * TURN));
    spool.lend(0);
    spool.lend(100);
    assert_eq!(replaced(spool.reduce(now, MAP, KEEP).unwrap()), Some((1, 99)));
    assert_eq!(replaced(spool.reduce(now, MAP, KEEP).unwrap()), Some((101, 356)));
    spool.returned(0, None);
    spool.returned(100, None);
    assert!(held(&mut spool).keys().copied().eq([0, 100].into_iter().chain(357..=601)));
}

#[test]
fn what_may_have_arrived_is_not_reduced_before_an_answer_says_that_it_has_not() {
    let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
    let (mut spool, now) = (filled(&disk, &folder, 600), at(600 * TURN));
    for seq in [0, 1] {
        spool.lend(seq);
        spool.returned(seq, Some(0));
    }
    assert_eq!(replaced(spool.reduce(now, MAP, KEEP).unwrap()), Some((2, 257)));
    // 1 had arrived; of 0 nothing is known while it may still be on its way.
    acknowledge(&mut spool, &[(1, 1)], 1);
    assert!(spool.doubt.of(0) && !spool.doubt.of(1));
    acknowledge(&mut spool, &[(1, 1)], LINGER.as_nanos() as u64);
    assert!(!spool.doubt.of(0));
    let (first, last) = replaced(spool.reduce(at(1_200 * TURN), MAP, KEEP).unwrap()).unwrap();
    assert!(first == 0 && last > 257, "{first}-{last}");
}

#[test]
fn after_a_start_what_was_announced_is_in_doubt_and_what_never_left_is_not() {
    let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
    let mut spool = filled(&disk, &folder, 10);
    spool.announce(9).unwrap();
    (10..600).for_each(|turn| _ = spool.seal(&batch(turn * TURN)).unwrap());
    drop(spool);
    let disk = disk.kill(1);
    let (mut spool, now) = (open(&disk, &folder, 64 << 20), at(600 * TURN));
    let behind = 9 + AHEAD;
    assert_eq!(replaced(spool.reduce(now, MAP, KEEP).unwrap()), Some((behind, behind + CHUNK - 1)));
    drop(spool);
    let mut spool = open(&disk.kill(2), &folder, 64 << 20);
    assert_eq!(
        spool.unacked.as_slice(),
        [(0, behind - 1), (behind + CHUNK, 600)],
        "what was reduced stays so"
    );
    assert_eq!(spool.reduce(now, MAP, KEEP).unwrap(), None);
    acknowledge(&mut spool, &[], 0);
    acknowledge(&mut spool, &[], LINGER.as_nanos() as u64);
    assert!(!spool.doubt.of(0));
    let later = at(1_200 * TURN);
    assert!(replaced(spool.reduce(later, MAP, KEEP).unwrap()).is_some_and(|(first, _)| first == 0));
}

#[test]
fn a_reduction_stands_for_nothing_that_was_lost() {
    let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
    let (mut spool, now) = (filled(&disk, &folder, 600), at(600 * TURN));
    let refused = spool.read(50).unwrap().unwrap();
    spool.set_aside(&refused);
    assert_eq!(replaced(spool.reduce(now, MAP, KEEP).unwrap()), Some((0, 49)));
    spool.lose(60, 60, "damage on disk");
    assert_eq!(replaced(spool.reduce(now, MAP, KEEP).unwrap()), Some((51, 59)));
    // Nor does a reduction of reductions, nor after a start.
    drop(spool);
    let mut spool = open(&disk.clone().kill(1), &folder, 64 << 20);
    spool.doubt = Doubt::default();
    (601..1_800).for_each(|turn| _ = spool.seal(&batch(turn * TURN)).unwrap());
    let mut all = Vec::new();
    while let Some(sealed) = spool.reduce(at(1_800 * TURN), MAP, KEEP).unwrap() {
        all.extend(replaced(Some(sealed)));
    }
    assert!(all.len() > 3 && all.iter().all(|&(first, last)| last < 50 || first > 60), "{all:?}");
}

#[test]
fn what_does_not_shrink_is_passed_over_and_stops_nothing_behind_it() {
    let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
    let mut spool = open(&disk, &folder, 64 << 20);
    for turn in 0..600 {
        let mut one = batch(turn * TURN);
        if turn < 300 {
            one.outcomes.clear();
            let part = |nth: u64| {
                let octets = |salt: u64| hex(&sha256(&[turn, nth, salt].map(u64::to_le_bytes).concat()));
                (0..4).map(octets).collect::<String>()
            };
            let event = |nth| Event::new(at(turn * TURN), EventKind::LinkDown, part(nth));
            one.events = (0..8).map(event).collect();
        }
        spool.seal(&one).unwrap();
    }
    let (now, keep) = (at(1_200 * TURN), Keep { digests: 1_000 * HOUR, ..KEEP });
    assert_eq!(spool.reduce(now, MAP, keep).unwrap(), None, "0 to 255 do not shrink");
    assert_eq!(replaced(spool.reduce(now, MAP, keep).unwrap()), Some((256, 511)));
}

#[test]
fn a_chunk_beyond_a_limit_of_the_format_is_made_of_fewer_batches() {
    let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
    let mut spool = open(&disk, &folder, 64 << 20);
    for turn in 0..600 {
        let mut one = batch(turn * TURN);
        // Sixteen fields each: 256 batches of them hold twice as many as a batch may.
        let full = |event: Event| (0..16).fold(event, |event, _| event.with(Field::Count, "1"));
        one.events =
            (0..16).map(|_| full(Event::new(at(turn * TURN), EventKind::LinkDown, "eth1"))).collect();
        spool.seal(&one).unwrap();
    }
    let keep = Keep { digests: 1_000 * HOUR, ..KEEP };
    assert_eq!(replaced(spool.reduce(at(600 * TURN), MAP, keep).unwrap()), Some((0, 127)));
}

#[test]
fn rows_keep_the_clock_that_was_least_wrong() {
    let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
    let mut spool = open(&disk, &folder, 64 << 20);
    for turn in 0..600 {
        let worse = ClockMap { offset_ns: MAP.offset_ns + turn as i64, bound_ns: MAP.bound_ns + turn, ..MAP };
        spool.seal(&Batch { clocks: vec![worse], ..batch(turn * TURN) }).unwrap();
    }
    let today = ClockMap { offset_ns: 0, bound_ns: u64::MAX, ..MAP };
    let sealed = spool.reduce(at(600 * TURN), today, KEEP).unwrap().unwrap();
    assert_eq!(held(&mut spool)[&sealed.seq].clocks, [MAP]);
}

#[test]
fn space_of_what_was_acknowledged_is_no_want_of_room() {
    let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
    let mut spool = open(&disk, &folder, LEAST_BYTES);
    let mut turn = 0;
    while spool.tally().bytes < LEAST_BYTES / 8 * 7 {
        spool.seal(&large(turn)).unwrap();
        turn += 1;
    }
    acknowledge(&mut spool, &[(0, turn - LEAST - 1)], 0);
    assert_eq!(spool.reduce(at(turn), MAP, KEEP).unwrap(), None);
    assert!(spool.tally().bytes <= SEGMENT_BYTES && spool.tally().unacked == LEAST, "{:?}", spool.tally());
}

#[test]
fn where_room_is_short_and_nothing_else_is_left_what_is_in_doubt_is_reduced() {
    let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
    let mut spool = open(&disk, &folder, LEAST_BYTES);
    for turn in 0..1_000 {
        let sealed = spool.seal(&large(turn)).unwrap();
        spool.lend(sealed.seq);
        spool.returned(sealed.seq, Some(turn));
        spool.reduce(at(turn), MAP, Keep { raw: 72 * HOUR, digests: 168 * HOUR }).unwrap();
    }
    assert!(spool.tally().lost == 0 && spool.tally().reduced > 100, "{:?}", spool.tally());
}

/// A batch of some kilobytes that do not compress.
fn large(second: u64) -> Batch {
    let mut state = second + 1;
    let runs = (0..600).map(|check| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let result = Ok(Duration::from_nanos(state >> 24));
        Outcome { check: CheckId(check), sent: at(second), result, samples: Vec::new() }
    });
    Batch { outcomes: runs.collect(), events: Vec::new(), ..batch(second) }
}

#[test]
fn a_full_spool_is_reduced_before_anything_is_lost() {
    let (disk, folder) = (Memory::new(), tempfile::tempdir().unwrap());
    let mut spool = open(&disk, &folder, LEAST_BYTES + SEGMENT_BYTES);
    for turn in 0..1_600 {
        spool.seal(&large(turn)).unwrap();
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
