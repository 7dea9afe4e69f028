//! A fault of this program (a panic) ends it at once, and what it was at rests after the next start.
//!
//! ```text
//!  panic ─▶ a line in DATA/faults: what it was at ─▶ abort ─▶ the system starts the agent again (systemd: 5 s)
//!                                                                │
//!  the line leaves the file ◀── REST later ◀── no run of that check, no such listener ("resting")
//! ```
//!
//! What is lost is what kill -9 loses: the runs that were not in a synced batch yet, and minutes of what is written now and
//! then (octets of metered lines, pages of portals). Going on instead would keep whatever
//! half-done state the fault left, and a task that is gone without anybody seeing it. Without rest a device that brings
//! out a fault would end the agent again and again; with it, once in [`REST`] for each of its checks. A fault
//! outside of checks and listeners, or in a task that a library spawned for one, rests nothing. See ADR 10.

use crate::spool::write_whole;
use haidang_probe::check::CheckId;
use std::collections::BTreeSet;
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long what the agent was at when it ended by a fault is left alone.
pub const REST: Duration = Duration::from_secs(3600);

/// Most things that rest at once: more than a plan has checks.
const MAX_RESTING: usize = 20_000;

const FILE: &str = "faults";

/// What a task is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// A run of this check.
    Check(CheckId),
    /// This listener, by name.
    Listener(&'static str),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Check(check) => write!(f, "check {check}"),
            At::Listener(name) => write!(f, "listener {name}"),
        }
    }
}

tokio::task_local! {
    static AT: At;
}

/// `task`, known to be at this.
pub fn at<F: Future>(at: At, task: F) -> impl Future<Output = F::Output> {
    AT.scope(at, task)
}

/// `task`, to be spawned for what this one is at.
pub fn along<F: Future>(task: F) -> impl Future<Output = F::Output> {
    let at = AT.try_with(|at| *at).ok();
    async move {
        match at {
            Some(at) => AT.scope(at, task).await,
            None => task.await,
        }
    }
}

/// Lets every panic from now on, in whatever thread, end the program, once it is told on standard error and kept in
/// `directory`.
pub fn end_by_panic(directory: &Path) {
    let file = directory.join(FILE);
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        if let Ok(at) = AT.try_with(|at| *at) {
            // A full disk leaves no line: the same may happen again after the start.
            let appended = OpenOptions::new().create(true).append(true).open(&file);
            let _ = appended.and_then(|mut file| writeln!(file, "{at}").and_then(|()| file.sync_all()));
        }
        std::process::abort();
    }));
}

/// What rests since the start.
#[derive(Clone, Debug, Default)]
pub struct Resting(Arc<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// As [`At`] is written.
    lines: BTreeSet<String>,
    /// Until when, steady time, ns.
    until_ns: u64,
    file: PathBuf,
}

impl Resting {
    /// What was kept in the agent's directory by those that ended; all of it rests from now on.
    pub fn restore(directory: &Path, now_ns: u64) -> Resting {
        let file = directory.join(FILE);
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let mut lines = BTreeSet::new();
        for line in text.lines() {
            if lines.len() < MAX_RESTING {
                lines.insert(line.to_owned());
            }
        }
        let told = lines.iter().fold(String::new(), |told, line| told + line + "\n");
        if text != told
            && let Err(error) = write_whole(&file, told.as_bytes())
        {
            tracing::warn!(%error, "what rests is not written anew");
        }
        for at in &lines {
            tracing::warn!(at, minutes = REST.as_secs() / 60, "the agent ended by a fault at this: it rests");
        }
        Resting(Arc::new(Kept { lines, until_ns: now_ns + REST.as_nanos() as u64, file }))
    }

    /// How long this still rests; `None` when it does not.
    pub fn left(&self, at: At, now_ns: u64) -> Option<Duration> {
        if self.0.lines.is_empty() || now_ns >= self.0.until_ns {
            return None;
        }
        self.0.lines.contains(&at.to_string()).then(|| Duration::from_nanos(self.0.until_ns - now_ns))
    }

    /// How many things rest.
    pub fn count(&self, now_ns: u64) -> usize {
        if now_ns < self.0.until_ns { self.0.lines.len() } else { 0 }
    }

    /// Once all have rested, lets the file forget them.
    pub fn forget(&self, now_ns: u64) -> std::io::Result<()> {
        if self.0.lines.is_empty() || now_ns < self.0.until_ns || !self.0.file.exists() {
            return Ok(());
        }
        write_whole(&self.0.file, b"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Says to this test's own program, started once more, where to keep what it was at.
    const DIRECTORY: &str = "HAIDANG_FAULT_IN";
    const CHECK: At = At::Check(CheckId(0xfa017));
    const HOUR_NS: u64 = REST.as_nanos() as u64;

    /// Ends by a fault in a task that a run of a check spawned.
    fn fault(directory: &str) {
        end_by_panic(Path::new(directory));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(at(CHECK, async {
            let parses =
                tokio::spawn(along(async { assert_eq!(1 + 1, 3, "a parser meets what it does not know") }));
            let _ = parses.await;
        }));
    }

    #[test]
    fn what_a_panic_was_at_rests_an_hour_from_each_start_and_is_forgotten_then() {
        if let Ok(directory) = std::env::var(DIRECTORY) {
            return fault(&directory);
        }
        let directory = tempfile::tempdir().unwrap();
        let own = "fault::tests::what_a_panic_was_at_rests_an_hour_from_each_start_and_is_forgotten_then";
        let mut again = Command::new(std::env::current_exe().unwrap());
        let ended =
            again.args([own, "--exact", "--nocapture"]).env(DIRECTORY, directory.path()).output().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended.status), Some(6), "{ended:?}");
        assert!(String::from_utf8_lossy(&ended.stderr).contains("meets what it does not know"));

        for start_ns in [5, 7 * HOUR_NS] {
            let resting = Resting::restore(directory.path(), start_ns);
            assert_eq!(resting.left(CHECK, start_ns + 1), Some(Duration::from_nanos(HOUR_NS - 1)));
            assert_eq!(resting.left(At::Check(CheckId(1)), start_ns + 1), None);
            assert_eq!(resting.left(At::Listener("traps"), start_ns + 1), None);
            assert_eq!(resting.left(CHECK, start_ns + HOUR_NS), None, "it is tried again");
            resting.forget(start_ns + 1).unwrap();
            assert_eq!((resting.count(start_ns + 1), resting.count(start_ns + HOUR_NS)), (1, 0));
        }
        let resting = Resting::restore(directory.path(), 0);
        resting.forget(HOUR_NS).unwrap();
        assert_eq!(Resting::restore(directory.path(), 0).count(1), 0);
    }
}
