use super::super::availability::{Whose, total};
use super::*;
use crate::entry::Tick;
use crate::topology::Site;

const MINUTE: i64 = 60_000;

/// A fold that knows one site in one commune; nobody was ever heard.
fn watch() -> Watch {
    let mut topology = Topology::default();
    topology.sites.insert("a".into(), Site { commune: Some("28249".into()), ..Site::default() });
    let mut watch = Watch::new();
    watch.apply(1, &Entry::Config { at: MINUTE, topology: Box::new(topology) });
    watch
}

fn tick(history: &History, position: u64, at: i64) {
    history.see(position, &Entry::Tick(Tick { at, ..Tick::default() }), &[], &watch());
}

fn turn(history: &History, position: u64, at: i64) {
    let watch = watch();
    let entry = Entry::Config { at, topology: Box::new(watch.topology().clone()) };
    history.see(position, &entry, &[Effect::Sites(vec!["a".into()])], &watch);
}

fn of_commune(history: &History, from: i64, to: i64) -> Share {
    let question = Question { whose: Whose::Commune("28249".into()), from, to, step: None };
    total(&question, &history.availability(watch().topology(), &question).unwrap())
}

fn rows(dir: &Path, table: &str) -> i64 {
    let file = Connection::open(dir.join(FILE)).unwrap();
    file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn only_what_is_durable_in_the_journal_is_written_and_the_rest_is_told_again() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::open(dir.path()).unwrap();
    turn(&history, 1, MINUTE);
    tick(&history, 2, MINUTE + 100);
    assert!(history.keep(2).unwrap());
    tick(&history, 3, 3 * MINUTE);
    assert!(!history.keep(2).unwrap(), "the journal may still lose the third");
    assert_eq!((rows(dir.path(), "turns"), rows(dir.path(), "blind")), (1, 0));
    drop(history);
    let history = History::open(dir.path()).unwrap();
    assert_eq!(history.reached(), 2);
    turn(&history, 1, MINUTE);
    tick(&history, 3, 3 * MINUTE);
    assert!(history.keep(3).unwrap());
    assert_eq!(
        (rows(dir.path(), "turns"), rows(dir.path(), "blind")),
        (1, 1),
        "nothing twice, nothing missed"
    );
}

#[test]
fn a_long_question_does_not_keep_the_fold_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::open(dir.path()).unwrap();
    turn(&history, 1, MINUTE);
    assert!(history.keep(1).unwrap());
    let reader = history.reader.lock().unwrap();
    let asked = history.past(&reader).unwrap();
    tick(&history, 2, 3 * MINUTE);
    assert!(history.keep(2).unwrap());
    let question = Question { whose: Whose::Site("a".into()), from: 0, to: 5 * MINUTE, step: None };
    let written = asked.written(watch().topology(), &question).unwrap();
    assert_eq!((written.turns["a"].len(), written.seen_to), (1, 0), "as it was when it was asked");
}

#[test]
fn what_waits_for_the_file_is_answered_with() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::open(dir.path()).unwrap();
    turn(&history, 1, MINUTE);
    tick(&history, 2, MINUTE);
    let before = of_commune(&history, 0, 5 * MINUTE);
    assert_eq!((before.to - before.from, before.unknown), (5 * MINUTE, 5 * MINUTE), "never heard is unknown");
    assert!(history.keep(2).unwrap());
    assert_eq!(of_commune(&history, 0, 5 * MINUTE), before);
}

#[test]
fn turns_beyond_their_days_go_but_the_one_a_site_stands_in() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::open(dir.path()).unwrap();
    turn(&history, 1, MINUTE);
    tick(&history, 2, MINUTE);
    tick(&history, 3, (KEPT_DAYS + 2) * DAY_MS);
    assert!(history.keep(3).unwrap());
    assert_eq!(rows(dir.path(), "turns"), 1);
}

#[test]
fn a_damaged_file_is_set_aside_and_a_new_one_asks_for_everything() {
    let dir = tempfile::tempdir().unwrap();
    for aside in ["history.db.damaged", "history.db.damaged-2"] {
        let damaged = "no database, whatever it is, at least a page long".repeat(100);
        std::fs::write(dir.path().join(FILE), &damaged).unwrap();
        let history = History::open(dir.path()).unwrap();
        assert_eq!(history.reached(), 0);
        assert!(history.keep(0).unwrap());
        assert_eq!(std::fs::read_to_string(dir.path().join(aside)).unwrap(), damaged);
    }
}

#[test]
fn a_file_that_may_open_later_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::open(dir.path()).unwrap();
    turn(&history, 1, MINUTE);
    assert!(history.keep(1).unwrap());
    drop(history);
    let other = Connection::open(dir.path().join(FILE)).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;").unwrap();
    assert!(matches!(History::open(dir.path()), Err(HistoryError::Sqlite(_))), "locked");
    other.execute_batch("COMMIT; PRAGMA user_version = 2;").unwrap();
    drop(other);
    assert!(matches!(History::open(dir.path()), Err(HistoryError::Version(2))), "a later program's");
    assert_eq!(rows(dir.path(), "turns"), 1);
}

#[test]
fn a_checkpoint_says_how_every_site_stands_after_what_was_missed() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::open(dir.path()).unwrap();
    history.see(700, &watch().checkpoint(), &[], &watch());
    assert!(history.keep(700).unwrap());
    history.see(701, &watch().checkpoint(), &[], &watch());
    assert!(history.keep(701).unwrap());
    assert_eq!(rows(dir.path(), "turns"), 1, "said once");
}

#[test]
fn every_verdict_reads_back() {
    for known in VERDICTS {
        assert_eq!(verdict(number(Some(known))), Some(known));
    }
    assert_eq!(verdict(number(None)), None);
}

fn start(history: &History, position: u64, at: i64) {
    history.see(position, &Entry::Start { at }, &[], &watch());
}

#[test]
fn time_lived_again_after_a_clock_was_set_back_is_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::open(dir.path()).unwrap();
    turn(&history, 1, 10 * MINUTE);
    tick(&history, 2, 10 * MINUTE);
    start(&history, 3, 5 * MINUTE);
    for second in 0..=301 {
        if second == 100 {
            assert!(history.keep(3 + second as u64).unwrap());
            assert_eq!(rows(dir.path(), "turns"), 2, "the later one is not reached yet");
            history = History::open(dir.path()).unwrap();
        }
        tick(&history, 4 + second as u64, 5 * MINUTE + second * 1_000);
    }
    assert!(history.keep(305).unwrap());
    assert_eq!((rows(dir.path(), "turns"), rows(dir.path(), "blind")), (1, 0));
    let share = of_commune(&history, 0, 20 * MINUTE);
    assert_eq!(share.to - share.from, share.unknown);
}

#[test]
fn a_clock_that_was_at_1970_for_a_while_costs_nothing_that_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let (history, day) = (History::open(dir.path()).unwrap(), 1_000 * DAY_MS);
    turn(&history, 1, day);
    tick(&history, 2, day + 60 * MINUTE);
    start(&history, 3, MINUTE);
    tick(&history, 4, MINUTE + 100);
    tick(&history, 5, day + 120 * MINUTE);
    assert!(history.keep(5).unwrap());
    let file = Connection::open(dir.path().join(FILE)).unwrap();
    let spell = |of: &str| file.query_row(&format!("SELECT {of} FROM blind"), [], |row| row.get(0));
    assert_eq!((spell("from_ms"), spell("to_ms")), (Ok(day + 60 * MINUTE), Ok(day + 120 * MINUTE)));
    let kept = "SELECT count(*) FROM turns WHERE from_ms = ?1";
    assert_eq!(file.query_row(kept, [day], |row| row.get(0)), Ok(1));
}
