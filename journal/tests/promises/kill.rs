//! A real process, really killed.

use crate::{SMALL, Seen, payload};
use haidang_journal::{Files, Journal, Position, Settings};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Set in the child: the directory it writes until it is killed.
const VICTIM: &str = "HAIDANG_JOURNAL_VICTIM";
const SETTINGS: Settings = Settings { segment_bytes: 4096, ..SMALL };

/// Appends for ever; says `acked N` when every record before N is synced.
fn write_until_killed(directory: &OsStr) -> ! {
    let (mut journal, _) = Journal::open(Files::new(directory), SETTINGS).unwrap();
    let mut out = std::io::stdout().lock();
    writeln!(out).unwrap();
    loop {
        for _ in 0..7 {
            journal.append(&payload(journal.next().0)).unwrap();
        }
        journal.sync().unwrap();
        // One more that nobody acknowledged, so that the kill finds something in flight.
        journal.append(&payload(journal.next().0)).unwrap();
        writeln!(out, "acked {}", journal.synced()).unwrap();
        out.flush().unwrap();
    }
}

/// Starts a writer, kills it once it has acknowledged `enough`, returns the last it acknowledged.
fn kill_writer_after(directory: &Path, enough: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::what_was_acknowledged_survives_kill_9", "--nocapture"])
        .env(VICTIM, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acked = 0;
    let mut killed = false;
    // To the end of the pipe: what was said before death counts, too.
    for line in lines {
        let line = line.unwrap();
        let Some(position) = line.strip_prefix("acked ") else { continue };
        // The last line may be cut by the kill; then it was not said.
        acked = acked.max(position.parse().unwrap_or(0));
        if acked >= enough && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    assert!(killed, "the writer ended by itself");
    acked
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    if let Some(directory) = std::env::var_os(VICTIM) {
        write_until_killed(&directory);
    }
    let directory = tempfile::tempdir().unwrap();
    let mut enough = 0;
    for _ in 0..5 {
        let acked = kill_writer_after(directory.path(), enough + 150);
        let (journal, opened) = Journal::open(Files::new(directory.path()), SETTINGS).unwrap();
        assert!(opened.next >= Position(acked), "{opened:?}, acknowledged before {acked}");
        let seen = Seen::all(journal.read(Position(0)), opened.next);
        assert_eq!(seen.gaps, []);
        seen.assert_true();
        enough = opened.next.0;
    }
}
