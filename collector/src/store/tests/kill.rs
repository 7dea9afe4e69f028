//! What is left of the store when it is killed at a step of a seal: the disk is copied at each.

use super::*;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use upkeep::Step;

/// The disk as a kill leaves it: whatever was written by then.
fn image(of: &Path) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(&entry.path(), &target);
            } else {
                match fs::copy(entry.path(), target) {
                    // The store removed it meanwhile, so the kill came after that.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    copied => drop(copied.unwrap()),
                }
            }
        }
    }
    let image = tempfile::tempdir().unwrap();
    copy(of, image.path());
    image
}

/// What `evidence` gives from these positions on: two series of two groups, about midnight.
fn give(store: &Store, positions: std::ops::Range<u64>) {
    for position in positions {
        let at = DAY0 + (position as i64 - 1_000) * BUCKET_MS;
        let values = [(Metric::ProbeDuration, "", position as f64 / 4.0)];
        let row = |check| Row { site: "site", check: CheckId(check), at, values: &values };
        store.take(Some(position), &[row(7), row(8)], at);
    }
}

/// Everything of [`give`], each sample of both series by itself.
fn given(store: &Store) -> Vec<(u32, i64, f64, u64)> {
    let of = |check| {
        let checks = vec![("site", Some(CheckId(check)))];
        let (from, to) = (DAY0 - 86_400_000, DAY0 + 86_400_000);
        let all = Question { checks, ..ask(Metric::ProbeDuration, from, to, BUCKET_MS) };
        query(store, &all).into_iter().map(move |point| (check, point.at, point.max, point.count))
    };
    of(7).chain(of(8)).collect()
}

#[test]
fn a_kill_after_any_step_of_a_seal_neither_loses_nor_doubles() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(&dir, DAY0);
    give(&store, 0..1_000);
    store.flush().unwrap();
    assert!(store.seal(DAY0).unwrap() > 0, "an hour that was sealed before");
    give(&store, 1_000..1_950);
    store.flush().unwrap();
    // These stand in `evidence` alone.
    give(&store, 1_950..2_000);
    let (all, now) = (given(&store), DAY0 + 1_000 * BUCKET_MS);
    assert!(all.len() == 4_000 && all.iter().all(|(.., count)| *count == 1));
    let mut images = vec![(None, image(dir.path()))];
    store.seal_in_steps(now, &mut |step| images.push((Some(step), image(dir.path())))).unwrap();
    let steps: Vec<Step> = images.iter().filter_map(|(step, _)| *step).collect();
    let of_group = [Step::TakenOut, Step::Rows, Step::Chunks, Step::Noted];
    assert_eq!(steps, [&of_group[..], &of_group[..], &[Step::Flushed, Step::Cut]].concat());

    for (step, image) in &images {
        // A seal may come before `evidence` is read again, or after.
        for sealed_first in [true, false] {
            let dir = self::image(image.path());
            let store = opened(&dir, now);
            if sealed_first {
                store.seal(now).unwrap();
            }
            give(&store, store.resume().unwrap()..2_000);
            assert!(given(&store) == all, "after {step:?}, sealed first: {sealed_first}");
            store.seal(now + 7_200_000).unwrap();
            assert!(given(&store) == all, "after {step:?} and a seal, sealed first: {sealed_first}");
            assert_eq!(store.counts().head, 0, "after {step:?}: all of it is sealed");
            drop(store);
            assert!(given(&opened(&dir, now)) == all, "after {step:?} and another start");
        }
    }
}

#[test]
fn a_kill_after_a_full_journal_was_cut_loses_nothing_of_the_hour_that_was_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { journal_bytes: 12 << 20, ..Limits::default() };
    let store = Store::open(dir.path(), limits, DAY0).unwrap();
    let large = Definition {
        site: "x".repeat(1 << 20),
        check: CHECK,
        metric: Metric::ProbeDuration,
        part: String::new(),
    };
    let fill = || {
        let record = Record::Samples { fresh: vec![(9, large.clone())], samples: Vec::new() };
        store.ring().queue.put(&record, None);
        store.flush()
    };
    // The hour from midnight begins in one segment and goes on in the next, behind a seal of the hour before.
    give(&store, 0..1_100);
    (0..4).for_each(|_| fill().unwrap());
    assert!(store.seal(DAY0).unwrap() > 0);
    give(&store, 1_100..1_500);
    store.flush().unwrap();
    assert!((0..16).any(|_| fill().is_err()), "the journal is full");
    let all = given(&store);
    assert!(store.seal(DAY0 + 500 * BUCKET_MS).is_err(), "it takes nothing, and is cut");
    let image = image(dir.path());

    let now = DAY0 + 501 * BUCKET_MS;
    let store = opened(&image, now);
    give(&store, store.resume().unwrap()..1_500);
    store.seal(now + 7_200_000).unwrap();
    assert!(given(&store) == all);
}
