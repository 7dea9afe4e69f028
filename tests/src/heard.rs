//! A machine's listeners without the rest of an agent, and what they heard.

use anyhow::Context;
use haidang_agent::fault::Resting;
use haidang_agent::listen::{Listeners, Said, Tools};
use haidang_agent::place::Finder;
use haidang_daemon::clock::Clock;
use haidang_probe::credential::Credentials;
use haidang_probe::event::Event;
use haidang_probe::listening::Listening;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;

/// Longest one waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Listeners, with a folder of their own.
pub struct Heard {
    listeners: Listeners,
    tools: Tools,
    events: mpsc::Receiver<Event>,
    directory: tempfile::TempDir,
}

impl Heard {
    /// None that run yet.
    ///
    /// # Errors
    /// Without a clock or a folder.
    pub fn new() -> anyhow::Result<Heard> {
        let (sender, events) = mpsc::channel(4096);
        let directory = tempfile::tempdir()?;
        let (clock, finder) = (Clock::machine()?, Finder::default());
        let resting = Resting::default();
        let tools = Tools { clock, finder, events: sender, directory: directory.path().into(), resting };
        Ok(Heard { listeners: Listeners::default(), tools, events, directory })
    }

    /// Listens to this from now on, and to nothing else.
    pub fn follow(&mut self, listening: Listening, credentials: Credentials) {
        self.listeners.follow(&Said { listening, credentials }, &self.tools);
    }

    /// The next event.
    ///
    /// # Errors
    /// When `what` is not heard in time.
    pub async fn next(&mut self, what: &str) -> anyhow::Result<Event> {
        let next = tokio::time::timeout(PATIENCE, self.events.recv()).await;
        next.ok().flatten().with_context(|| format!("not heard: {what}"))
    }

    /// Their folder.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}
