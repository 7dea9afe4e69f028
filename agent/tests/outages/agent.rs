//! The agent's program with a directory of its own.

use haidang_journal::{Files, Item, Position, Snapshot};
use haidang_probe::key;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

const PROGRAM: &str = env!("CARGO_BIN_EXE_haidang-agent");
const SECRET: [u8; 32] = [0x5a; 32];

/// What the `Authorization` header says.
pub fn bearer() -> String {
    format!("Bearer {}", key::bearer(&SECRET))
}

pub struct Agent {
    directory: tempfile::TempDir,
}

pub struct Process(Child);

impl Agent {
    /// An agent with these uplinks and the rest of its plan as text.
    pub fn new(collectors: &[&str], rest: &str) -> Agent {
        let agent = Agent { directory: tempfile::tempdir().unwrap() };
        agent.write(collectors, rest);
        agent
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Puts a plan in place as editors do: a new file renamed over the old one.
    pub fn write(&self, collectors: &[&str], rest: &str) {
        let uplinks = collectors.iter().enumerate().map(|(nth, collector)| {
            let ssid = 2 + 2 * nth;
            format!(
                "  - {{line: l{nth}, ssid: {ssid}, stamp: \"127.0.0.1:9\", collector: \"{collector}\"}}\n"
            )
        });
        let (secret, uplinks) = (key::hex(&SECRET), uplinks.collect::<String>());
        let text = format!("agent: a\nsecret: {secret}\nflush: 100ms\nuplinks:\n{uplinks}{rest}");
        let draft = self.directory().join("draft");
        std::fs::write(&draft, text).unwrap();
        std::fs::rename(draft, self.plan()).unwrap();
    }

    pub fn start(&self) -> Process {
        let mut command = Command::new(PROGRAM);
        command
            .args(["run", "--log", "info", "--config"])
            .arg(self.plan())
            .arg("--data")
            .arg(self.directory());
        Process(command.stdin(Stdio::null()).kill_on_drop(true).spawn().unwrap())
    }

    /// Exit code and standard error of `haidang-agent check`.
    pub fn check(&self) -> (Option<i32>, String) {
        let done = std::process::Command::new(PROGRAM).arg("check").arg(self.plan()).output().unwrap();
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    }

    /// The envelopes on disk, by number.
    pub fn sealed(&self) -> BTreeMap<u64, Vec<u8>> {
        let (snapshot, _) = Snapshot::open(Files::new(self.directory().join("spool/journal"))).unwrap();
        let items = snapshot.read(Position(0)).map(Result::unwrap);
        let records = items.map(|item| match item {
            Item::Record { position, bytes } => (position.0, bytes),
            Item::Gap(gap) => panic!("records gone: {gap:?}"),
        });
        records.collect()
    }

    /// Until so many more batches are on disk.
    pub async fn seals(&self, more: usize) {
        let enough = self.sealed().len() + more;
        while self.sealed().len() < enough {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn plan(&self) -> PathBuf {
        self.directory().join("agent.yml")
    }
}

impl Process {
    /// kill -9.
    pub async fn kill(&mut self) {
        self.0.kill().await.unwrap();
    }

    /// SIGTERM, then its orderly end.
    pub async fn terminate(&mut self) {
        let id = self.0.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        let ended = tokio::time::timeout(Duration::from_secs(20), self.0.wait()).await;
        assert!(ended.is_ok_and(|status| status.unwrap().success()), "ends at SIGTERM");
    }
}
