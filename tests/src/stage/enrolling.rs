//! A stage whose one real agent enrols by a code, as people do it.

use super::{Stage, program, run};
use crate::fake_clock::FakeClock;
use anyhow::{Context, bail, ensure};
use std::process::Command;

/// The codes within what `agent add` printed for so many sites.
///
/// # Errors
/// When there are not so many.
pub fn codes(printed: &str, sites: usize) -> anyhow::Result<Vec<String>> {
    let commands = printed.lines().filter_map(|line| line.trim().strip_prefix("haidang-agent enroll "));
    let codes: Vec<_> = commands.filter_map(|rest| rest.split(' ').nth(1)).map(str::to_owned).collect();
    ensure!(codes.len() == sites, "{} codes for {sites} sites", codes.len());
    Ok(codes)
}

impl Stage {
    /// A stage with a configuration of its own, and no agent yet.
    pub fn enrolling(number: u8, site: &str, configuration: &str) -> anyhow::Result<Stage> {
        let mut stage = Stage::bare(number, site)?;
        stage.configure(configuration)?;
        stage.enrolled = true;
        Ok(stage)
    }

    /// What `agent add` prints for its site.
    pub fn invite(&self) -> anyhow::Result<String> {
        self.agent_command(&["add", &self.site, "--config", &self.configuration()])
    }

    /// `haidang-collector agent …` with the collector's folder.
    pub fn agent_command(&self, words: &[&str]) -> anyhow::Result<String> {
        let folder = self.collector_folder();
        let data = ["--data", folder.as_str()];
        run("haidang-collector", &[&["agent"], words, &data].concat())
    }

    /// The code within what `agent add` printed.
    pub fn code(printed: &str) -> anyhow::Result<String> {
        codes(printed, 1)?.pop().context("no code")
    }

    /// Where agents enrol.
    pub fn agents_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.agents_port())
    }

    /// Enrols the one real agent; `clock` is the device's.
    pub fn enroll(&self, code: &str, folder: &str, clock: Option<&FakeClock>) -> anyhow::Result<String> {
        let mut command = Command::new(program("haidang-agent")?);
        if let Some(clock) = clock {
            command.envs(clock.environment());
        }
        let output = command.args(["enroll", &self.agents_url(), code, "--data", folder]).output()?;
        let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if !output.status.success() {
            bail!("{}", words(&output.stderr));
        }
        Ok(words(&output.stdout))
    }
}
