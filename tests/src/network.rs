//! A network of a test's own: namespaces with cables between them. Needs root and iproute2; without them a test says so and
//! is passed over.

use crate::proof::unproved;
use anyhow::{Context, ensure};
use std::env;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// Names a test run inside the namespace.
const INSIDE: &str = "HAIDANG_INSIDE";

/// Runs `test` again with a network of its own, unless it is there already; false where that cannot be.
///
/// # Panics
/// When the test fails inside.
pub fn in_a_network_of_its_own(test: &str) -> bool {
    if env::var_os(INSIDE).is_some() {
        return true;
    }
    let probe = Command::new("unshare").args(["-n", "ip", "link"]).stdout(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        unproved("network", "a network of its own needs root and iproute2");
        return false;
    }
    let again = env::current_exe().and_then(|this| {
        let mut again = Command::new("unshare");
        again.arg("-n").arg(this).args(["--exact", test, "--nocapture"]).env(INSIDE, "1").status()
    });
    assert!(again.is_ok_and(|status| status.success()), "{test} inside its namespace");
    false
}

/// Another machine's network.
pub struct Elsewhere(Child);

impl Elsewhere {
    /// A machine with no cable yet.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> anyhow::Result<Elsewhere> {
        let elsewhere = Elsewhere(Command::new("unshare").args(["-n", "sleep", "600"]).spawn()?);
        let own = fs::read_link("/proc/self/ns/net")?;
        while fs::read_link(format!("/proc/{}/ns/net", elsewhere.pid()))? == own {
            thread::sleep(Duration::from_millis(10));
        }
        elsewhere.sh("ip link set lo up")?;
        Ok(elsewhere)
    }

    /// What `ip link set … netns` calls it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Runs something there.
    ///
    /// # Errors
    /// When it fails.
    pub fn sh(&self, command: &str) -> anyhow::Result<()> {
        sh(&format!("nsenter -t {} -n bash -c '{command}'", self.pid()))
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs something in the test's own network.
///
/// # Errors
/// When it fails.
pub fn sh(command: &str) -> anyhow::Result<()> {
    let status = Command::new("bash").args(["-c", command]).status().context("no bash")?;
    ensure!(status.success(), "{command}");
    Ok(())
}
