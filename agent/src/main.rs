//! `haidang-agent`: the command line.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use haidang_agent::{enrol, plan, run};
use haidang_daemon::{log, stop};
use std::path::PathBuf;
use std::process::ExitCode;

/// Threads for look-ups and syncs.
const BLOCKING_THREADS: usize = 8;

/// Stack of those threads: the system's resolver needs some, the default of 2 MiB is never touched.
const STACK_BYTES: usize = 512 * 1024;

/// The agent of Hải Đăng: asks what its plan says, keeps what it saw through every outage, loses nothing.
#[derive(Parser)]
#[command(name = "haidang-agent", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run until SIGTERM or SIGINT.
    ///
    /// The plan is read again when its file changes and at SIGHUP; only what changed is touched, and a bad
    /// new file never replaces a good one. What was seen is kept in DATA until the collector has it, also
    /// across kill -9 and power cuts. SIGTERM ends within seconds and loses nothing; a second one ends at
    /// once.
    Run {
        /// The agent's file (YAML); DATA/agent.yml, which `enroll` wrote, when it is not said.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Directory for the spool and the agent's memory of itself; made when missing.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Speak for another box: its boot, as JSON `{"boot_id", "booted_at", "monotonic_ns"}`.
        #[arg(long, value_name = "FILE")]
        boot_file: Option<PathBuf>,
        /// error, warn, info, debug or trace, or per part: `info,haidang_agent::uplink=debug`. Default:
        /// $HAIDANG_LOG, then info.
        #[arg(long, value_name = "LEVEL")]
        log: Option<String>,
    },
    /// Make this device the agent of a site, by the one-time code of `haidang-collector agent add SITE`.
    ///
    /// The device's key is made here and never leaves it. `haidang-agent run --data DIR` runs what this wrote.
    Enroll {
        /// The collector's port for agents: `https://ADDRESS:8443`.
        url: String,
        /// The code; case, spaces and hyphens say nothing.
        code: String,
        /// The agent's directory; made when missing.
        #[arg(long, value_name = "DIR", default_value = "/var/lib/haidang-agent")]
        data: PathBuf,
    },
    /// Check an agent's file: exit 0 when it can run, else 1 with every fault as `file:line:col: message`.
    Check {
        /// The agent's file (YAML).
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Check { file } => check(&file),
        Command::Enroll { url, code, data } => told(enroll(&url, &code, &data)),
        Command::Run { config, data, boot_file, log } => {
            let config = config.unwrap_or_else(|| data.join(enrol::FILE));
            told(start(run::Settings { config, directory: data, boot_file }, log.as_deref()))
        }
    }
}

fn told(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn enroll(url: &str, code: &str, data: &std::path::Path) -> anyhow::Result<()> {
    log::init(Some("warn"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let site = runtime.context("start the runtime")?.block_on(enrol::enroll(url, code, data))?;
    println!("enrolled: agent {site}; run it with `haidang-agent run --data {}`", data.display());
    Ok(())
}

fn check(file: &std::path::Path) -> ExitCode {
    match plan::read(file) {
        Ok(loaded) => {
            let (checks, uplinks) = (loaded.checks.len(), loaded.plan.uplinks.len());
            println!(
                "{}: good: agent {}, {checks} checks, {uplinks} uplinks",
                file.display(),
                loaded.plan.agent
            );
            ExitCode::SUCCESS
        }
        Err(faults) => {
            eprintln!("{faults}");
            ExitCode::FAILURE
        }
    }
}

fn start(settings: run::Settings, level: Option<&str>) -> anyhow::Result<()> {
    log::init(level)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_stack_size(STACK_BYTES)
        .build()
        .context("start the runtime")?;
    let result = runtime.block_on(async {
        let stop = stop::on_signals().context("take over SIGINT and SIGTERM")?;
        run::run(settings, stop).await.map_err(anyhow::Error::from)
    });
    // A look-up that hangs must not hold up the end.
    runtime.shutdown_background();
    result
}
