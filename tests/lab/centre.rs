//! Our programs in the lab: the collector and the core agent in node core, an agent in each commune that has
//! one, all in one folder.
//!
//! ```text
//! STAGE/configuration   the record            STAGE/agent/SITE        keys, spools
//! STAGE/collector       journal, registry
//! STAGE/console.json    the first sign-in
//! ```

use crate::lab::Lab;
use crate::record::{self, CONSOLE, CORE};
use crate::targets::Targets;
use anyhow::{Context, anyhow};
use haidang_tests::console::Console;
use haidang_tests::stage;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest until the collector is ready, and until every line is up, seconds.
const READY: u32 = 60;
const ESTABLISHED: u32 = 180;

/// The programs and their folder.
#[derive(Clone, Debug)]
pub struct Centre {
    lab: Lab,
    folder: PathBuf,
}

impl Centre {
    /// The programs of a lab that is up, in this folder.
    pub fn new(lab: &Lab, folder: &Path) -> Centre {
        Centre { lab: lab.clone(), folder: folder.into() }
    }

    /// Writes the configuration for an inventory. A running collector takes it over.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn configure(&self, targets: &Targets) -> anyhow::Result<()> {
        let folder = self.folder.join("configuration");
        fs::create_dir_all(&folder)?;
        let text = serde_json::to_string_pretty(&record::configuration(targets))?;
        fs::write(folder.join("province.yml"), text).context("write the configuration")
    }

    /// Starts everything; gives the console once every line is up.
    ///
    /// # Errors
    /// When something does not start, or a line does not come up.
    pub fn start(&self, targets: &Targets) -> anyhow::Result<Console> {
        self.start_collector()?;
        let console = self.console()?;
        let agents: Vec<_> = [(CORE, CORE)].into_iter().chain(targets.agents()).collect();
        let codes = self.invite(&agents)?;
        for ((site, node), code) in agents.into_iter().zip(codes) {
            self.start_agent(targets, (site, node), &code)?;
        }
        stage::wait("every line to be up", ESTABLISHED, || {
            let missing = not_up(&console.get("/api/v1/state")?);
            if missing.is_empty() { Ok(Some(())) } else { Err(anyhow!("not up: {}", missing.join(" "))) }
        })?;
        Ok(console)
    }

    /// Starts the collector in node core.
    ///
    /// # Errors
    /// When the lab refuses.
    pub fn start_collector(&self) -> anyhow::Result<()> {
        let serve = format!(
            "exec {} serve --config {} --data {} --first-sign-in {}",
            stage::program("haidang-collector")?.display(),
            self.path("configuration"),
            self.path("collector"),
            self.path("console.json")
        );
        self.lab.start(CORE, "collector", false, &serve)
    }

    /// Kills the collector at once.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_collector(&self) -> anyhow::Result<()> {
        self.lab.kill(CORE, "collector")
    }

    fn console(&self) -> anyhow::Result<Console> {
        let mut console = Console { address: CONSOLE.into(), token: String::new() };
        stage::wait("the collector to be ready", READY, || {
            Ok(console.request("GET", "/readyz", "").is_ok_and(|(status, _)| status == 200).then_some(()))
        })?;
        let kept: Value = serde_json::from_str(&fs::read_to_string(self.path("console.json"))?)?;
        kept["token"].as_str().context("console.json has no token")?.clone_into(&mut console.token);
        Ok(console)
    }

    /// A code for each agent.
    fn invite(&self, agents: &[(&str, &str)]) -> anyhow::Result<Vec<String>> {
        let (config, data) = (self.path("configuration"), self.path("collector"));
        let words = ["agent", "add"].into_iter().chain(agents.iter().map(|(site, _)| *site));
        let words: Vec<_> = words.chain(["--config", &config, "--data", &data]).collect();
        stage::codes(&stage::run("haidang-collector", &words)?, agents.len())
    }

    /// Enrols the device at its first boot; later boots go on with what it kept.
    fn start_agent(&self, targets: &Targets, (site, node): (&str, &str), code: &str) -> anyhow::Result<()> {
        let agent = stage::program("haidang-agent")?;
        let (agent, data) = (agent.display(), self.path(&format!("agent/{site}")));
        let reach = record::reach(targets);
        let run = format!(
            "[ -e {data}/certificate.pem ] || {agent} enroll https://{reach} {code} --data {data} || exit 1; \
             exec {agent} run --data {data} --boot-file \"$LAB_BOOT_FILE\""
        );
        self.lab.start(node, "agent", site != CORE, &run)
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }
}

/// Sites and lines that are not up.
fn not_up(state: &Value) -> Vec<String> {
    let sites = state["sites"].as_array().into_iter().flatten();
    let parts =
        sites.flat_map(|site| std::iter::once(site).chain(site["lines"].as_array().into_iter().flatten()));
    let bad = parts.filter(|part| !["up", "off_hours"].iter().any(|good| part["state"] == *good));
    bad.map(|part| format!("{} {}", part["id"].as_str().unwrap_or("?"), part["state"])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_are_named_while_they_are_not_up() {
        let state = json!({"sites": [
            {"id": "c01", "state": "up", "lines": [{"id": "d1-c01", "state": "up"}, {"id": "b-c01", "state": "unknown"}]},
            {"id": "core", "state": "up", "lines": []}]});
        assert_eq!(not_up(&state), [r#"b-c01 "unknown""#]);
    }
}
