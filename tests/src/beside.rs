//! What benches share that run our agent beside a peer.

use crate::{raw, stage};
use anyhow::{Context, bail};
use std::path::PathBuf;
use std::process::{Child, Command};

/// Says that this process is in its network namespace already.
const INSIDE: &str = "HAIDANG_BENCH_INSIDE";

/// A program that ends with its owner.
#[derive(Debug)]
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The agent as it is packaged, where it is built beside the folder in `BIN`; else the one in it.
///
/// # Errors
/// When there is neither.
pub fn agent() -> anyhow::Result<PathBuf> {
    let built = stage::program("haidang-agent")?;
    let packaged = built.ancestors().nth(2).map(|target| target.join("small/haidang-agent"));
    Ok(packaged.filter(|path| path.is_file()).unwrap_or(built))
}

/// Runs this bench once more in a network namespace of its own, after `setup` (of a shell, ended by `&&`) was done there.
/// False when this is that run: it has to measure.
///
/// # Errors
/// When the run in the namespace fails.
pub fn elsewhere(setup: &str, pairs: u64) -> anyhow::Result<bool> {
    if std::env::var_os(INSIDE).is_some() {
        return Ok(false);
    }
    if !rustix::process::geteuid().is_root() {
        println!("not measured: a network namespace needs root");
        return Ok(true);
    }
    let own = std::env::current_exe().context("find this bench")?;
    let mut inside = Command::new("unshare");
    inside.args(["--net", "sh", "-c", &format!("ip link set lo up && {setup} exec \"$@\""), "sh"]);
    let ended = inside.arg(own).arg(pairs.to_string()).env(INSIDE, "1").status().context("start unshare")?;
    if !ended.success() {
        bail!("the bench in its namespace failed: {ended}");
    }
    Ok(true)
}

/// What `path` of the server at `address` says.
///
/// # Errors
/// When nobody answers there.
pub fn page(address: &str, path: &str) -> anyhow::Result<String> {
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    Ok(raw::exchange(address, request.as_bytes())?.text())
}

/// How many checks succeeded when last run, by the agent's `/metrics`.
pub fn succeeded(metrics: &str) -> usize {
    let of_checks =
        metrics.lines().filter_map(|line| line.strip_prefix("probe_success{")?.rsplit(' ').next());
    of_checks.filter(|value| value.parse() == Ok(1.0)).count()
}

#[cfg(test)]
mod tests {
    #[test]
    fn checks_that_succeed_are_counted_however_one_is_written() {
        let metrics = "# HELP probe_success x\nprobe_success{check=\"a b\"} 1.0\nprobe_success{check=\"c\"} 1\nprobe_success{check=\"d\"} 0.0\n";
        assert_eq!(super::succeeded(metrics), 2);
    }
}
