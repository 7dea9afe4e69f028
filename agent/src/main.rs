//! `haidang-agent`: the command line.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use haidang_agent::{plan, run};
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
        /// The agent's file (YAML), as `haidang-collector agent add SITE` prints it.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
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
        Command::Run { config, data, boot_file, log } => {
            match start(run::Settings { config, directory: data, boot_file }, log.as_deref()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("{error:#}");
                    ExitCode::FAILURE
                }
            }
        }
    }
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
