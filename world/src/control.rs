//! Orders to a running world, over a Unix socket that only its owner can open.
//!
//! ```text
//!   ─ cut 28249 ⏎ ─▶
//!   ◀─ ok ⏎ cut 28249: 1 line of 1 site (28249-1) silent ─       or: error ⏎ unknown commune …
//! ```
//!
//! One order a connection, one connection at a time.

use crate::failover::Gateways;
use crate::map::Map;
use crate::standing::{Change, Standing};
use crate::switches::Switches;
use crate::time::Time;
use crate::truth::Truth;
use anyhow::{Context as _, bail};
use haidang_daemon::stop::Stop;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream as Connection;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

/// Name of the socket in the directory of the run.
pub const SOCKET: &str = "world.sock";
/// Octets of an order; more are not read.
const MAX_ORDER: u64 = 512;
/// Octets of an answer.
const MAX_ANSWER: u64 = 64 << 10;
/// Longest an order or its answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What orders change.
pub struct Control {
    map: Map,
    switches: Switches,
    truth: Truth,
    time: Time,
    standing: Standing,
    gateways: Gateways,
}

/// Opens the socket in `run`, for its owner only.
///
/// # Errors
/// When another world answers there, or the socket cannot be made.
pub fn listen(run: &Path) -> anyhow::Result<UnixListener> {
    let path = run.join(SOCKET);
    if Connection::connect(&path).is_ok() {
        bail!("another world runs in {}: end it first", run.display());
    }
    if path.exists() {
        std::fs::remove_file(&path)
            .with_context(|| format!("remove the socket {} of a run that is over", path.display()))?;
    }
    let listener = UnixListener::bind(&path).with_context(|| format!("listen at {}", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("close {} to others", path.display()))?;
    Ok(listener)
}

impl Control {
    /// Nothing is broken in `map`; what changes moves `switches` and is noted in `truth`.
    pub fn new(map: Map, switches: Switches, truth: Truth, time: Time) -> Control {
        let gateways = Gateways::new(&map);
        Control { map, switches, truth, time, standing: Standing::default(), gateways }
    }

    /// Carries out orders until `stop`.
    pub async fn run(mut self, listener: UnixListener, stop: Stop) {
        loop {
            let due_ns = [self.standing.due_ns(), self.gateways.due_ns()].into_iter().flatten().min();
            let due_in = due_ns.map(|due_ns| due_ns.saturating_sub(self.time.mono_ns()));
            let connection = tokio::select! {
                () = stop.wait() => return,
                () = tokio::time::sleep(Duration::from_nanos(due_in.unwrap_or_default())), if due_in.is_some() => {
                    self.tick();
                    continue;
                }
                accepted = listener.accept() => match accepted {
                    Ok((connection, _)) => connection,
                    Err(error) => {
                        tracing::warn!(%error, "accept an order");
                        tokio::time::sleep(PATIENCE).await;
                        continue;
                    }
                },
            };
            let taken = tokio::time::timeout(PATIENCE, self.take(connection)).await;
            if !matches!(taken, Ok(Ok(()))) {
                tracing::debug!("whoever gave an order did not wait for its answer");
            }
        }
    }

    async fn take(&mut self, mut connection: UnixStream) -> std::io::Result<()> {
        let mut order = String::new();
        (&mut connection).take(MAX_ORDER).read_to_string(&mut order).await?;
        let answer = match self.order(&order) {
            Ok(told) => format!("ok\n{told}"),
            Err(wrong) => format!("error\n{wrong}"),
        };
        connection.write_all(answer.as_bytes()).await?;
        connection.shutdown().await
    }

    fn order(&mut self, order: &str) -> Result<String, String> {
        // What was due before the order happened before it.
        self.tick();
        let done = self.standing.order(order, &self.map, self.time.mono_ns())?;
        let Some(change) = done.change else { return Ok(done.told) };
        let noted = self.note(&change);
        self.settle();
        noted.map(|()| done.told.clone()).map_err(|error| format!("{}; {error:#}", done.told))
    }

    /// Does what time does to the faults that stand.
    fn tick(&mut self) {
        let changes = self.standing.tick(&self.map, self.time.mono_ns());
        self.note_all(&changes);
        self.settle();
    }

    /// Lets the gateways see what is broken, and everybody feel it.
    fn settle(&mut self) {
        let mut effects = self.standing.effects();
        let changes = self.gateways.tick(&effects, self.time.mono_ns());
        effects.on_backup = self.gateways.on_backup();
        self.switches.set(&effects);
        self.note_all(&changes);
    }

    fn note_all(&mut self, changes: &[Change]) {
        for change in changes {
            if let Err(error) = self.note(change) {
                tracing::warn!(order = change.order, error = format!("{error:#}"), "truth not noted");
            }
        }
    }

    fn note(&mut self, change: &Change) -> anyhow::Result<()> {
        let (lines, sites) = (change.lines.len(), change.sites.len());
        tracing::info!(order = change.order, lines, sites, "the province changed");
        self.truth.note(change, self.time.utc_ms())
    }
}

/// Gives one order to the world that runs in `run`; its answer.
///
/// # Errors
/// No world, or what it says is wrong with the order.
pub fn order(run: &Path, order: &str) -> anyhow::Result<String> {
    let path = run.join(SOCKET);
    let mut connection = Connection::connect(&path).with_context(|| {
        format!("no rehearsal province runs in {} (`make run` starts one)", run.display())
    })?;
    connection.set_read_timeout(Some(PATIENCE)).context("set a time-out")?;
    let unanswered = || format!("the rehearsal province in {} does not answer", run.display());
    connection.write_all(order.as_bytes()).with_context(unanswered)?;
    connection.shutdown(Shutdown::Write).with_context(unanswered)?;
    let mut answer = String::new();
    connection.take(MAX_ANSWER).read_to_string(&mut answer).with_context(unanswered)?;
    match answer.split_once('\n') {
        Some(("ok", told)) => Ok(told.to_owned()),
        Some(("error", wrong)) => bail!("{wrong}"),
        _ => bail!(unanswered()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::Part;
    use crate::map::tests::map;
    use haidang_daemon::clock::Clock;
    use haidang_daemon::stop;
    use std::path::PathBuf;

    async fn asked(run: PathBuf, text: &'static str) -> anyhow::Result<String> {
        tokio::task::spawn_blocking(move || order(&run, text)).await.unwrap()
    }

    #[tokio::test]
    async fn an_order_is_carried_out_and_noted() {
        let directory = tempfile::tempdir().unwrap();
        let run = directory.path().to_owned();
        let map = map();
        let switches = Switches::new(&map);
        let line = switches.of(&Part::Line("28249-1".into())).unwrap();
        let truth = Truth::open(&run.join("truth.jsonl"), 0).unwrap();
        let control = Control::new(map, switches, truth, Time::new(Clock::manual()));
        let (stopper, stop) = stop::pair();
        let running = tokio::spawn(control.run(listen(&run).unwrap(), stop));
        let told = asked(run.clone(), "cut dao thanh").await.unwrap();
        assert_eq!(told, "cut 28249: 1 line of 1 site (28249-1) silent");
        assert!(line.is_cut());
        let wrong = asked(run.clone(), "cut 28248").await.unwrap_err();
        assert_eq!(wrong.to_string(), "unknown commune `28248`; did you mean `28249`?");
        assert!(listen(&run).unwrap_err().to_string().starts_with("another world runs in"));
        asked(run.clone(), "heal").await.unwrap();
        assert!(!line.is_cut());
        stopper.stop();
        running.await.unwrap();
        let truth = std::fs::read_to_string(run.join("truth.jsonl")).unwrap();
        assert_eq!(truth.lines().count(), 3, "start, cut and heal: {truth}");
    }

    #[tokio::test]
    async fn a_run_that_was_killed_leaves_no_obstacle() {
        let directory = tempfile::tempdir().unwrap();
        drop(listen(directory.path()).unwrap());
        assert!(directory.path().join(SOCKET).exists());
        let wrong = asked(directory.path().to_owned(), "list").await.unwrap_err();
        assert!(wrong.to_string().starts_with("no rehearsal province runs in"), "{wrong}");
        listen(directory.path()).unwrap();
    }
}
