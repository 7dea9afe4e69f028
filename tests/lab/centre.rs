//! Our programs in the lab: the collector and the core agent in node core, an agent in each commune that has
//! one, all in one folder.
//!
//! ```text
//! STAGE/configuration   the record            STAGE/agents/SITE.yml   agents' files
//! STAGE/collector       journal, registry     STAGE/agent/SITE        spools
//! STAGE/console.json    the first sign-in
//! ```

use crate::lab::Lab;
use crate::record::{self, AGENTS, CONSOLE, CORE, STAMP};
use crate::targets::Targets;
use crate::way::Way;
use anyhow::{Context, anyhow};
use haidang_collector::agent_file;
use haidang_daemon::yaml;
use haidang_probe::plan::Plan;
use haidang_tests::console::Console;
use haidang_tests::stage;
use serde_json::Value;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// First loopback port of an agent's ways to the collector.
const WAYS: u16 = 7100;
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
        self.add_agents(targets)?;
        self.start_collector()?;
        let console = self.console()?;
        for (site, node) in [(CORE, CORE)].into_iter().chain(targets.agents()) {
            self.start_agent(targets, site, node)?;
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

    fn add_agents(&self, targets: &Targets) -> anyhow::Result<()> {
        let (config, data, out) = (self.path("configuration"), self.path("collector"), self.path("agents"));
        let reach = record::reach(targets).to_string();
        let sites = [CORE].into_iter().chain(targets.agents().map(|(site, _)| site));
        let words = ["agent", "add"].into_iter().chain(sites);
        let rest = ["--config", &config, "--data", &data, "--out", &out, "--reach", &reach];
        stage::run("haidang-collector", &words.chain(rest).collect::<Vec<_>>()).map(drop)
    }

    fn start_agent(&self, targets: &Targets, site: &str, node: &str) -> anyhow::Result<()> {
        let file = PathBuf::from(self.path(&format!("agents/{site}.yml")));
        let text = fs::read_to_string(&file)?;
        let mut plan: Plan = yaml::parse(&file, &text).map_err(|fault| anyhow!("{fault}"))?;
        let ways = lead(targets, site, &mut plan);
        fs::write(&file, agent_file::text(&plan)).with_context(|| format!("write {}", file.display()))?;
        if site != CORE {
            let ways = ways.iter().map(Way::text).collect::<Vec<_>>().join(" ");
            let own = std::env::current_exe()?;
            self.lab.start(node, "way", false, &format!("exec {} way {ways}", own.display()))?;
        }
        let run = format!(
            "exec {} run --config {} --data {} --boot-file \"$LAB_BOOT_FILE\"",
            stage::program("haidang-agent")?.display(),
            file.display(),
            self.path(&format!("agent/{site}"))
        );
        self.lab.start(node, "agent", site != CORE, &run)
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }
}

/// Each uplink goes to the collector's address of its line, and its batches by a way of their own.
fn lead(targets: &Targets, site: &str, plan: &mut Plan) -> Vec<Way> {
    let mut ways = Vec::new();
    for (number, uplink) in (0..).zip(&mut plan.uplinks) {
        let from =
            SocketAddr::new(Ipv4Addr::LOCALHOST.into(), if site == CORE { AGENTS } else { WAYS + number });
        uplink.collector = format!("http://{from}");
        let lines = targets.communes.get(site).map_or(&[][..], |commune| &commune.lines);
        let Some(line) = lines.iter().find(|line| line.link == uplink.line) else { continue };
        uplink.stamp = SocketAddr::new(line.collector, STAMP);
        uplink.source = (line.pinned_by == "source-address").then_some(line.gw_ip);
        ways.push(Way { from, to: SocketAddr::new(line.collector, AGENTS), source: uplink.source });
    }
    ways
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
