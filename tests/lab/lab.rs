//! The lab's script: a province WAN of network namespaces, its faults and its truth.
//!
//! Ours runs beside any other: it has a state folder and a prefix of its own.

use crate::targets::Targets;
use anyhow::{Context, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::Value;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The lab's state folder and prefix, unless `LAB_RUN` and `LAB_PREFIX` say others.
const RUN: &str = "/run/haidang-lab";
const PREFIX: &str = "labhd-";

/// The script and where its state is.
#[derive(Clone, Debug)]
pub struct Lab {
    script: PathBuf,
    run: PathBuf,
    prefix: String,
}

/// Being in another network; holds the way back.
pub struct Inside(File);

impl Drop for Inside {
    fn drop(&mut self) {
        if let Err(error) = go(&self.0) {
            eprintln!("still in a network of the lab: {error}");
        }
    }
}

fn go(space: &File) -> rustix::io::Result<()> {
    move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))
}

impl Lab {
    /// The script at `$LAB`, when there is one.
    pub fn find() -> Option<Lab> {
        let script =
            PathBuf::from(std::env::var_os("LAB")?).canonicalize().ok().filter(|path| path.is_file())?;
        let or = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.into());
        Some(Lab { script, run: or("LAB_RUN", RUN).into(), prefix: or("LAB_PREFIX", PREFIX) })
    }

    /// A scenario by its name, or by its path.
    pub fn scenario_file(&self, said: &str) -> anyhow::Result<PathBuf> {
        let named = self.folder().join(format!("scenarios/{said}.json"));
        let found = [named, said.into()].into_iter().find(|path| path.is_file());
        found.with_context(|| format!("there is no scenario `{said}` in {}", self.folder().display()))
    }

    /// Builds a topology by its name.
    pub fn up(&self, topology: &str) -> anyhow::Result<()> {
        let file = self.folder().join(format!("topologies/{topology}.json"));
        print!("{}", self.run(&["up", &file.to_string_lossy()])?);
        Ok(())
    }

    /// Takes it down, with all that runs in it.
    pub fn down(&self) -> anyhow::Result<()> {
        self.run(&["down"]).map(drop)
    }

    /// The inventory.
    pub fn targets(&self) -> anyhow::Result<Targets> {
        Targets::read(&self.run(&["targets"])?).context("read the lab's targets")
    }

    /// Fixes the start of a scenario at least `seconds` ahead, so that its service hours are known.
    pub fn plan(&self, scenario: &Path, seconds: u32) -> anyhow::Result<()> {
        self.run(&["plan", &scenario.to_string_lossy(), &seconds.to_string()]).map(drop)
    }

    /// Starts a service in a node; it starts again when the node boots. With `clock` it sees the node's clock.
    pub fn start(&self, node: &str, name: &str, clock: bool, command: &str) -> anyhow::Result<()> {
        let clock: &[&str] = if clock { &["--clock"] } else { &[] };
        self.run(&[&["start", node, name], clock, &["--", "sh", "-c", command]].concat()).map(drop)
    }

    /// Kills a service at once, and forgets it.
    pub fn kill(&self, node: &str, name: &str) -> anyhow::Result<()> {
        let services = self.run(&["services"])?;
        let of = |line: &&str| line.starts_with(&format!("{node} {name} "));
        let pid = services.lines().find(of).and_then(|line| line.split(' ').nth(2));
        let pid = pid.and_then(|pid| pid.parse().ok()).and_then(rustix::process::Pid::from_raw);
        let pid = pid.with_context(|| format!("no service {name} on {node}"))?;
        rustix::process::kill_process(pid, rustix::process::Signal::KILL)
            .with_context(|| format!("kill {name} on {node}"))?;
        self.run(&["stop", node, name]).map(drop)
    }

    /// Starts a scenario; `hooks` is the program its hooks run, with these variables.
    pub fn scenario(&self, file: &Path, hooks: &Path, folder: &Path) -> anyhow::Result<Child> {
        let mut command = self.command(&["scenario", &file.to_string_lossy()]);
        command.env("LAB_HOOKS", hooks).env("LAB_STAGE", folder);
        command.spawn().context("start the scenario")
    }

    /// Scores incidents against a scenario that began at `t0`.
    pub fn score(&self, scenario: &Path, incidents: &Path, t0: f64) -> anyhow::Result<Value> {
        let (scenario, incidents) = (scenario.to_string_lossy(), incidents.to_string_lossy());
        let text = self.run(&["score", &scenario, &incidents, "--t0", &t0.to_string()])?;
        serde_json::from_str(&text).context("read the score")
    }

    /// How late the emulator was since the last reset.
    pub fn lag(&self, reset: bool) -> anyhow::Result<Value> {
        let words: &[&str] = if reset { &["lag", "reset"] } else { &["lag"] };
        serde_json::from_str(&self.run(words)?).context("read the lab's lag")
    }

    /// Everything that truly happened since the lab is up, in order.
    pub fn truth(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.run.join("events.jsonl")).unwrap_or_default();
        // The last line may still be under way.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// What is announced to be worked on.
    pub fn maintenance(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.run.join("maintenance.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// This thread, and what it starts, is in the network of a node until the guard goes: taking the lab down
    /// kills whatever is in there.
    pub fn enter(&self, node: &str) -> anyhow::Result<Inside> {
        let own = File::open("/proc/thread-self/ns/net").context("open our own network")?;
        let path = format!("/run/netns/{}{node}", self.prefix);
        let space = File::open(&path).with_context(|| format!("open {path}"))?;
        go(&space).with_context(|| format!("enter {path}"))?;
        Ok(Inside(own))
    }

    fn folder(&self) -> &Path {
        self.script.parent().unwrap_or(Path::new("."))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.script);
        command.args(words).env("LAB_RUN", &self.run).env("LAB_PREFIX", &self.prefix).stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> anyhow::Result<String> {
        let output = self.command(words).stderr(Stdio::piped()).output().context("start the lab")?;
        if !output.status.success() {
            bail!("lab {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
