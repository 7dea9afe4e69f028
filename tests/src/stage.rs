//! A province of real processes: collector, one real agent and, where asked for, the rehearsal world, in a
//! temporary folder, on ports and loopback addresses of its own.

mod enrolling;

use crate::console::Console;
pub use crate::fake_clock::FakeClock;
use anyhow::{Context, anyhow, bail};
pub use enrolling::codes;
use haidang_collector::agent_file;
use haidang_daemon::yaml;
use haidang_probe::plan::Plan;
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;

/// The centre's site in the rehearsal configuration.
pub const CORE: &str = "trung-tam";
const STEP: Duration = Duration::from_millis(100);

/// Ports and folders of one stage, and what runs on it.
pub struct Stage {
    folder: TempDir,
    ports: Ports,
    /// Where the one real agent stands.
    site: String,
    /// It enrols, and has no file made by the collector.
    enrolled: bool,
    collector: Option<Child>,
    agent: Option<Child>,
    world: Option<Child>,
}

/// Ports that replace the rehearsal's own, so that stages do not meet.
#[derive(Clone, Copy, Debug)]
struct Ports {
    console: u16,
    agents: u16,
    stamp: u16,
    reflectors: u16,
    network: u8,
}

impl Stage {
    /// A stage with the rehearsal province and its agent files; nothing runs. `number` keeps stages apart.
    pub fn new(number: u8) -> anyhow::Result<Stage> {
        let stage = Stage::bare(number, CORE)?;
        copy(&root().join("configs/demo"), &stage.configuration(), &stage.ports)?;
        stage.add_agents(CORE)?;
        stage.add_agents("--rehearsal")?;
        Ok(stage)
    }

    /// The same without TLS on the agents' port, for who speaks to it in octets of their own.
    pub fn plain(number: u8) -> anyhow::Result<Stage> {
        let stage = Stage::new(number)?;
        let settings = format!("{}/collector.yml", stage.configuration());
        let agents = format!("agents: {{listen: \"127.0.0.1:{}\"", stage.agents_port());
        let text = fs::read_to_string(&settings)?.replace(&agents, &format!("{agents}, plain: true"));
        fs::write(settings, text)?;
        Ok(stage)
    }

    /// A stage with a configuration of its own, written with the rehearsal's ports and addresses, and the agent
    /// file of `site`.
    pub fn with(number: u8, site: &str, configuration: &str) -> anyhow::Result<Stage> {
        let stage = Stage::bare(number, site)?;
        stage.configure(configuration)?;
        stage.add_agents(site)?;
        Ok(stage)
    }

    fn configure(&self, configuration: &str) -> anyhow::Result<()> {
        fs::create_dir_all(self.configuration())?;
        let text = on_own_ports(configuration, &self.ports);
        Ok(fs::write(format!("{}/province.yml", self.configuration()), text)?)
    }

    fn bare(number: u8, site: &str) -> anyhow::Result<Stage> {
        let folder = tempfile::Builder::new().prefix("haidang-stage-").tempdir()?;
        let base = console_port(number);
        let ports = Ports {
            console: base,
            agents: base + 1,
            stamp: base + 2,
            reflectors: base + 3,
            network: 100 + number * 2,
        };
        Ok(Stage {
            folder,
            ports,
            site: site.into(),
            enrolled: false,
            collector: None,
            agent: None,
            world: None,
        })
    }

    fn add_agents(&self, which: &str) -> anyhow::Result<()> {
        let (config, collector, agents) =
            (self.configuration(), self.collector_folder(), self.path("agents"));
        let add = ["agent", "add", which, "--config", &config, "--data", &collector, "--out", &agents];
        run("haidang-collector", &add).map(drop)
    }

    /// Changes the file of the one real agent.
    pub fn change_plan(&self, change: impl FnOnce(&mut Plan)) -> anyhow::Result<()> {
        let file = PathBuf::from(self.plan_file());
        let text = fs::read_to_string(&file)?;
        let mut plan: Plan = yaml::parse(&file, &text).map_err(|fault| anyhow!("{fault}"))?;
        change(&mut plan);
        fs::write(&file, agent_file::text(&plan)).with_context(|| format!("write {}", file.display()))
    }

    /// Starts everything, and waits until the province is heard.
    pub fn start(&mut self) -> anyhow::Result<Console> {
        let console = self.start_collector()?;
        self.start_agent()?;
        self.start_world()?;
        wait("all rehearsal sites to be up", 90, || {
            Ok(console.sites_in("unknown")?.is_empty().then_some(()))
        })?;
        Ok(console)
    }

    /// Starts the collector and waits until it is ready.
    pub fn start_collector(&mut self) -> anyhow::Result<Console> {
        self.start_collector_with(&[])
    }

    /// Starts the collector under another wall clock.
    pub fn start_collector_under(&mut self, clock: &FakeClock) -> anyhow::Result<Console> {
        self.start_collector_with(&clock.environment())
    }

    fn start_collector_with(&mut self, environment: &[(&str, String)]) -> anyhow::Result<Console> {
        let (config, folder, sign_in) =
            (self.configuration(), self.collector_folder(), self.path("console.json"));
        let serve = ["serve", "--config", &config, "--data", &folder, "--first-sign-in", &sign_in];
        let log = self.path("collector.log");
        self.collector = Some(spawn("haidang-collector", &serve, &log, environment)?);
        let mut console =
            Console { address: format!("127.0.0.1:{}", self.ports.console), token: String::new() };
        wait("the collector to be ready", 60, || {
            if let Some(ended) = self.collector.as_mut().and_then(|child| child.try_wait().transpose()) {
                bail!("the collector ended: {}\n{}", ended?, fs::read_to_string(&log)?);
            }
            Ok(console.request("GET", "/readyz", "").is_ok_and(|(status, _)| status == 200).then_some(()))
        })?;
        let kept: Value = serde_json::from_str(&fs::read_to_string(self.path("console.json"))?)?;
        kept["token"].as_str().context("console.json has no token")?.clone_into(&mut console.token);
        Ok(console)
    }

    /// Starts the one real agent.
    pub fn start_agent(&mut self) -> anyhow::Result<()> {
        self.start_agent_with(&[])
    }

    /// Starts the one real agent under another wall clock.
    pub fn start_agent_under(&mut self, clock: &FakeClock) -> anyhow::Result<()> {
        self.start_agent_with(&clock.environment())
    }

    fn start_agent_with(&mut self, environment: &[(&str, String)]) -> anyhow::Result<()> {
        let (file, folder) = (self.plan_file(), self.agent_folder());
        let run = ["run", "--config", &file, "--data", &folder];
        self.agent = Some(spawn("haidang-agent", &run, &self.path("agent.log"), environment)?);
        Ok(())
    }

    /// Starts the rehearsal province.
    pub fn start_world(&mut self) -> anyhow::Result<()> {
        let (config, agents, run) = (self.configuration(), self.path("agents"), self.path("run"));
        fs::create_dir_all(&run)?;
        let serve = ["serve", "--config", &config, "--agents", &agents, "--run", &run];
        self.world = Some(spawn("haidang-world", &serve, &self.path("world.log"), &[])?);
        Ok(())
    }

    /// Breaks something: `cut 28249`.
    pub fn fault(&self, what: &str) -> anyhow::Result<String> {
        run("haidang-world", &["fault", what, "--run", &self.path("run")])
    }

    /// Mends everything.
    pub fn heal(&self) -> anyhow::Result<String> {
        run("haidang-world", &["heal", "--run", &self.path("run")])
    }

    /// Kills the collector at once, without a chance to say goodbye.
    pub fn kill_collector(&mut self) -> anyhow::Result<()> {
        kill(&mut self.collector)
    }

    /// Kills the real agent at once.
    pub fn kill_agent(&mut self) -> anyhow::Result<()> {
        kill(&mut self.agent)
    }

    /// Process id of the collector, the agent and the world, where they run.
    pub fn processes(&self) -> [Option<u32>; 3] {
        [&self.collector, &self.agent, &self.world].map(|child| child.as_ref().map(Child::id))
    }

    /// Folds the collector's journal again: what `replay` prints.
    pub fn replay(&self) -> anyhow::Result<String> {
        run("haidang-collector", &["replay", &format!("{}/evidence", self.collector_folder()), "--verdicts"])
    }

    /// The collector's own folder.
    pub fn collector_folder(&self) -> String {
        self.path("collector")
    }

    /// The real agent's own folder.
    pub fn agent_folder(&self) -> String {
        self.path("agent")
    }

    /// The collector's configuration directory.
    pub fn configuration(&self) -> String {
        self.path("configuration")
    }

    /// A path in the stage's folder.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    /// What an address of the rehearsal is on this stage.
    pub fn own(&self, address: &str) -> String {
        on_own_ports(address, &self.ports)
    }

    /// The collector's address for agents.
    pub fn agents_port(&self) -> u16 {
        self.ports.agents
    }

    /// The collector's STAMP port.
    pub fn stamp_port(&self) -> u16 {
        self.ports.stamp
    }

    /// The file of the one real agent.
    pub fn plan_file(&self) -> String {
        if self.enrolled {
            return format!("{}/agent.yml", self.agent_folder());
        }
        format!("{}/{}.yml", self.path("agents"), self.site)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in [&mut self.world, &mut self.agent, &mut self.collector] {
            let _ = kill(child);
        }
    }
}

/// The first stage that nobody stands on; several benches may run side by side.
pub fn free(mut numbers: std::ops::Range<u8>) -> anyhow::Result<u8> {
    let open = |number: &u8| TcpListener::bind(("127.0.0.1", console_port(*number))).is_ok();
    numbers.find(open).context("every stage is taken")
}

/// Ports of a stage begin here, ten to each.
fn console_port(number: u8) -> u16 {
    20_000 + u16::from(number) * 10
}

/// Tries each 100 ms until there is a value; fails after `seconds`, saying what was waited for.
pub fn wait<T>(
    what: &str,
    seconds: u32,
    mut attempt: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let mut last = None;
    for _ in 0..seconds * 10 {
        match attempt() {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => last = None,
            Err(error) => last = Some(error),
        }
        sleep(STEP);
    }
    match last {
        Some(error) => Err(error.context(format!("waited {seconds} s for {what}"))),
        None => bail!("waited {seconds} s for {what}"),
    }
}

/// The project's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// A program of ours: from the folder in `BIN`, else built by the same profile as what asks.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("BIN") {
        return Ok(Path::new(&folder).join(name));
    }
    let own = std::env::current_exe()?;
    let built = own.ancestors().skip(1).map(|folder| folder.join(name)).find(|path| path.is_file());
    built.with_context(|| format!("{name} is not built; run `cargo build --workspace`"))
}

/// Runs a program of ours to its end; gives what it printed.
pub fn run(name: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program(name)?).args(arguments).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        bail!("{name} {arguments:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn spawn(name: &str, arguments: &[&str], log: &str, environment: &[(&str, String)]) -> anyhow::Result<Child> {
    let log = fs::File::options().create(true).append(true).open(log)?;
    let command = &mut Command::new(program(name)?);
    command.envs(environment.iter().map(|(key, value)| (key, value)));
    command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.spawn().with_context(|| format!("start {name}"))
}

fn kill(child: &mut Option<Child>) -> anyhow::Result<()> {
    if let Some(mut child) = child.take() {
        child.kill()?;
        child.wait()?;
    }
    Ok(())
}

/// Copies the rehearsal's configuration with the stage's ports and addresses.
fn copy(from: &Path, to: &str, ports: &Ports) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let target = format!("{to}/{}", name.to_string_lossy());
        if path.is_dir() {
            copy(&path, &target, ports)?;
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            fs::write(&target, on_own_ports(&fs::read_to_string(&path)?, ports))?;
        }
    }
    Ok(())
}

fn on_own_ports(text: &str, ports: &Ports) -> String {
    let Ports { console, agents, stamp, reflectors, network } = ports;
    let swaps = [
        ("127.0.0.1:8080", format!("127.0.0.1:{console}")),
        ("127.0.0.1:8443", format!("127.0.0.1:{agents}")),
        (":8862", format!(":{stamp}")),
        (":8620", format!(":{reflectors}")),
        ("127.82.", format!("127.{network}.")),
        ("127.83.", format!("127.{}.", network + 1)),
    ];
    swaps.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old, new))
}
