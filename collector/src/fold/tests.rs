use super::*;
use crate::entry::{Act, ActKind, Maintenance, Tick};
use haidang_journal::memory::Memory;
use haidang_probe::batch::Envelope;
use haidang_probe::check::CheckId;
use haidang_probe::moment::Moment;
use haidang_probe::outcome::Outcome;
use std::time::Duration;

const BEGAN: i64 = 1_795_000_000_000;

fn started(disk: &Memory, at: i64, hooks: Hooks) -> (Fold, Ending) {
    let journal = Journal { dir: PathBuf::new(), max_bytes: 1 << 30 };
    start_on(disk.clone(), Start { journal, at, topology: Topology::default(), resume: None, hooks }).unwrap()
}

fn quiet(disk: &Memory) -> (Fold, Ending) {
    started(disk, BEGAN, Hooks::default())
}

/// Ends as kill -9 does: no checkpoint, nothing more written; waits until the journal is let go.
fn kill((fold, ending): (Fold, Ending)) {
    let Ending { fold: other, join } = ending;
    drop((fold, other));
    join.join().unwrap();
}

fn tick(at: i64) -> Entry {
    Entry::Tick(Tick { at, ..Tick::default() })
}

fn arrival(seq: u64, at: i64) -> Arrival {
    let sent = Moment::default();
    let outcome = Outcome { check: CheckId(1), sent, result: Ok(Duration::ZERO), samples: Vec::new() };
    let batch = Batch { outcomes: vec![outcome], ..Batch::default() };
    let envelope = Envelope::seal("a", 7, seq, [0; 32], &batch).unwrap().encode();
    Arrival { received: Received { at, agent: "a".into(), envelope }, spool_id: 7, seq, batch }
}

/// Hooks that tell when which batch was given, and what was given so far.
fn listening() -> (Hooks, Arc<Mutex<Vec<i64>>>) {
    let given = Arc::new(Mutex::new(Vec::new()));
    let hook = given.clone();
    let on_batch =
        Box::new(move |_: u64, received: &Received, _: &Batch| hook.lock().unwrap().push(received.at));
    (Hooks { on_batch, ..Hooks::default() }, given)
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[tokio::test]
async fn an_answer_means_that_a_power_cut_does_not_take_it() {
    let disk = Memory::new();
    let (fold, ending) = quiet(&disk);
    fold.batch(arrival(0, BEGAN)).await.unwrap();
    let disk = disk.power_loss(1);
    kill((fold, ending));
    let (fold, _ending) = quiet(&disk);
    let kept = fold.batch(arrival(0, BEGAN)).await.unwrap();
    assert_eq!(kept.position, None, "a repeat");
}

#[tokio::test]
async fn a_failed_sync_is_answered_with_a_refusal_and_made_good_under_the_same_positions() {
    let disk = Memory::new();
    let (fold, ending) = quiet(&disk);
    fold.batch(arrival(0, BEGAN)).await.unwrap();
    disk.fail_next_sync();
    assert!(matches!(fold.batch(arrival(1, BEGAN)).await, Err(Refused::Journal(_))));
    assert!(fold.fault().is_some(), "not ready");
    let kept = fold.batch(arrival(1, BEGAN)).await.unwrap();
    assert_eq!((kept.position, kept.received.as_slice()), (None, &[(0, 1)][..]), "kept by the first attempt");
    assert_eq!(fold.fault(), None, "ready again");
    let seq = fold.read(Watch::seq);
    kill((fold, ending));
    let (fold, _ending) = quiet(&disk.power_loss(2));
    assert_eq!(fold.read(Watch::seq), seq + 1, "every entry once, and the new start");
}

#[tokio::test]
async fn a_full_disk_refuses_and_nothing_is_judged_until_there_is_room() {
    let disk = Memory::new();
    let (fold, _ending) = quiet(&disk);
    let used = disk.contents().values().map(Vec::len).sum();
    disk.limit(Some(used));
    assert!(matches!(fold.durable(tick(BEGAN + 100)).await, Err(Refused::Journal(_))));
    assert!(fold.fault().is_some());
    disk.limit(None);
    fold.durable(tick(BEGAN + 200)).await.unwrap();
    assert_eq!((fold.fault(), fold.read(Watch::now)), (None, BEGAN + 200));
}

#[tokio::test]
async fn what_a_full_disk_does_not_take_waits_within_a_bound_and_the_rest_is_refused_and_counted() {
    let disk = Memory::new();
    let (fold, ending) = quiet(&disk);
    let before = fold.read(Watch::seq);
    disk.limit(Some(disk.contents().values().map(Vec::len).sum()));
    for n in 1..=20 {
        let kind = ActKind::Note("x".repeat(10_000));
        let act = Act { at: BEGAN + n, person: "lan".into(), incident: "SC-1".into(), kind };
        assert!(matches!(fold.durable(Entry::Act(act)).await, Err(Refused::Journal(_))), "none is durable");
    }
    let waited = fold.read(Watch::seq) - before;
    assert_eq!((waited, count(&fold.counts().refused)), (6, 14), "as many as fit the journal's 64 KiB");
    disk.limit(None);
    fold.durable(tick(BEGAN + 200)).await.unwrap();
    assert_eq!((fold.fault(), count(&fold.counts().refused)), (None, 14));
    kill((fold, ending));
    let (fold, _ending) = quiet(&disk);
    assert_eq!(fold.read(Watch::seq), before + waited + 2, "what waited, the tick, and the new start");
}

#[tokio::test]
async fn an_entry_too_long_is_refused_alone() {
    let disk = Memory::new();
    let (fold, _ending) = quiet(&disk);
    let note = ActKind::Note("x".repeat(17 << 20));
    let act = Act { at: BEGAN, person: "lan".into(), incident: "SC-1".into(), kind: note };
    assert!(matches!(fold.durable(Entry::Act(act)).await, Err(Refused::Journal(_))));
    assert_eq!(fold.fault(), None);
}

#[tokio::test]
async fn checkpoint_and_tail_give_the_fold_that_everything_gives() {
    let disk = Memory::new();
    let (fold, ending) = quiet(&disk);
    for n in 1..=CHECKPOINT_MS / 100 + 5 {
        // Each waits, so that the queue never fills.
        fold.durable(tick(BEGAN + n * 100)).await.unwrap();
    }
    fold.batch(arrival(0, BEGAN)).await.unwrap();
    let told = |watch: &Watch| (watch.transcript(), watch.heard("a", 7).cloned());
    let (lived, seq) = fold.read(|watch| (told(watch), watch.seq()));
    kill((fold, ending));
    let (fold, _ending) = started(&disk, BEGAN + CHECKPOINT_MS + 1_000, Hooks::default());
    assert_eq!(fold.read(|watch| (told(watch), watch.seq())), (lived, seq + 1), "and the new start");
    let (journal, _) = haidang_journal::Snapshot::open(disk).unwrap();
    let checkpoint = journal.cursor("checkpoint").unwrap();
    assert!(checkpoint.0 > 5_000, "the checkpoint of ten minutes stands at {checkpoint}");
}

#[tokio::test]
async fn a_start_gives_the_batches_of_a_day_again_and_no_older_ones() {
    let disk = Memory::new();
    let (fold, ending) = quiet(&disk);
    for (seq, at) in [(0, BEGAN), (1, BEGAN + 1_000), (2, BEGAN + 2_000)] {
        fold.batch(arrival(seq, at)).await.unwrap();
    }
    ending.stop().await;
    let (hooks, given) = listening();
    let (fold, _ending) = started(&disk, BEGAN + REBUILD_MS + 1_000, hooks);
    assert_eq!(*given.lock().unwrap(), [BEGAN + 1_000, BEGAN + 2_000]);
    fold.batch(arrival(3, BEGAN + 9_000)).await.unwrap();
    fold.batch(arrival(3, BEGAN + 9_000)).await.unwrap();
    assert_eq!(given.lock().unwrap().len(), 3, "a repeat is given to nobody");
}

#[tokio::test]
async fn the_same_record_is_not_noted_again() {
    let (fold, _ending) = quiet(&Memory::new());
    let before = count(&fold.counts().entries);
    fold.configure(BEGAN, Topology::default()).await.unwrap();
    assert_eq!(count(&fold.counts().entries), before);
    let mut other = Topology::default();
    other.province.name = "Đồng Tháp".into();
    fold.configure(BEGAN, other.clone()).await.unwrap();
    assert_eq!(fold.read(|watch| watch.topology().clone()), other);
}

#[tokio::test]
async fn a_full_queue_refuses_and_counts() {
    let (block, blocked) = std::sync::mpsc::sync_channel::<()>(0);
    let on_batch = Box::new(move |_: u64, _: &Received, _: &Batch| _ = blocked.recv());
    let (fold, _ending) = started(&Memory::new(), BEGAN, Hooks { on_batch, ..Hooks::default() });
    let held = tokio::spawn({
        let fold = fold.clone();
        async move { fold.batch(arrival(0, BEGAN)).await }
    });
    while fold.read(|watch| watch.heard("a", 7).is_none()) {
        tokio::task::yield_now().await;
    }
    let refused = (0..=QUEUE as i64).map(|n| fold.submit(tick(BEGAN + n))).filter(Result::is_err).count();
    assert_eq!((refused, count(&fold.counts().full)), (1, 1));
    drop(block);
    assert!(held.await.unwrap().is_ok());
}

#[tokio::test]
async fn an_orderly_stop_keeps_what_was_submitted_before() {
    let disk = Memory::new();
    let (fold, ending) = quiet(&disk);
    for n in 1..=100 {
        fold.submit(tick(BEGAN + n * 100)).unwrap();
    }
    ending.stop().await;
    assert_eq!(fold.submit(tick(BEGAN)), Err(Refused::Stopping));
    let (fold, _ending) = quiet(&disk);
    assert_eq!(fold.read(Watch::seq), 102, "start, ticks, checkpoint, and the new start");
}

#[tokio::test]
async fn a_history_begun_anew_does_not_cost_what_a_journal_without_its_start_knows() {
    let (disk, dir) = (Memory::new(), tempfile::tempdir().unwrap());
    let fresh = |name: &str| {
        let dir = dir.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        Hooks { history: Some(Arc::new(History::open(&dir).unwrap())), ..Hooks::default() }
    };
    let begun = |hooks: Hooks| {
        let journal = Journal { dir: PathBuf::new(), max_bytes: 128 << 20 };
        let topology = Topology::default();
        start_on(disk.clone(), Start { journal, at: BEGAN, topology, resume: None, hooks }).unwrap()
    };
    let (fold, ending) = begun(fresh("first"));
    fold.batch(arrival(0, BEGAN)).await.unwrap();
    let kind = ActKind::Note("x".repeat(15 << 20));
    let act = Act { at: BEGAN, person: "lan".into(), incident: "SC-1".into(), kind };
    while count(&fold.counts().dropped) == 0 {
        fold.durable(Entry::Act(act.clone())).await.unwrap();
    }
    ending.stop().await;
    let (fold, _ending) = begun(fresh("second"));
    let kept = fold.batch(arrival(0, BEGAN)).await.unwrap();
    assert_eq!(kept.position, None, "known as received");
}

/// As many characters as asked for, which no compression makes much shorter.
fn noise(length: usize) -> String {
    let mut state = 1_u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from((state >> 57) as u8)
    };
    (0..length).map(next).collect()
}

#[tokio::test]
async fn a_checkpoint_that_the_journal_cannot_take_is_said_and_not_the_end_of_them() {
    let (fold, _ending) = quiet(&Memory::new());
    let said = |id: &str, reason: String, to: i64| {
        let (id, person, items) = (id.to_owned(), "lan".to_owned(), Vec::new());
        Entry::Maintenance(Maintenance { at: BEGAN, id, person, items, from: BEGAN, to, reason })
    };
    fold.durable(tick(BEGAN)).await.unwrap();
    for id in ["1", "2"] {
        fold.durable(said(id, noise(12 << 20), BEGAN + 1)).await.unwrap();
    }
    // The second answers after the turn that the first one's checkpoint is part of.
    let due = |n: i64| [tick(BEGAN + n * CHECKPOINT_MS), tick(BEGAN + n * CHECKPOINT_MS + 100)];
    for entry in due(1) {
        fold.durable(entry).await.unwrap();
    }
    assert!(fold.fault().unwrap().contains("checkpoint"));
    fold.durable(said("1", String::new(), BEGAN + 1)).await.unwrap();
    for entry in due(2) {
        fold.durable(entry).await.unwrap();
    }
    assert_eq!(fold.fault(), None);
    assert!(count(&fold.counts().checkpoint) > 0);
}
