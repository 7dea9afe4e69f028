//! `haidang-world`: the rehearsal province as a program.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use haidang_daemon::{log, stop};
use haidang_world::{control, province, serve};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A province that does not exist, speaking the real protocols: for rehearsals, sizing and tests.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// What is logged: error, warn, info, debug, trace, or `part=level,…`.
    #[arg(long, global = true)]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Simulate the sites marked `rehearsal` and everything that is asked on loopback.
    Serve {
        /// The collector's configuration directory.
        #[arg(long)]
        config: PathBuf,
        /// Directory of the agent files that `haidang-collector agent add` wrote.
        #[arg(long)]
        agents: PathBuf,
        /// Directory for the socket and the truth log.
        #[arg(long, default_value = ".run")]
        run: PathBuf,
    },
    /// Break something: `cut COMMUNE[:primary|:backup]`, `pop POP`, `carrier CARRIER`, `hand-off CARRIER`,
    /// `power SITE|COMMUNE|AREA|FEEDER`, `off SITE|COMMUNE`, `brownout LINE|COMMUNE PERCENT`,
    /// `flap COMMUNE UP DOWN [TIMES]` (seconds), `service SERVICE`, `clock SITE SECONDS`, `background [PER_MONTH]`.
    Fault {
        /// What to break.
        #[arg(required = true, allow_negative_numbers = true)]
        order: Vec<String>,
        /// Directory of the running world.
        #[arg(long, default_value = ".run")]
        run: PathBuf,
    },
    /// Heal one fault, or everything.
    Heal {
        /// The fault as it was ordered, its numbers left out or not; all of them when absent.
        #[arg(allow_negative_numbers = true)]
        fault: Vec<String>,
        /// Directory of the running world.
        #[arg(long, default_value = ".run")]
        run: PathBuf,
    },
    /// Write the configuration of the rehearsal province into a directory.
    Configs {
        /// The directory; made when it does not exist.
        directory: PathBuf,
    },
    /// Say what is broken.
    List {
        /// Directory of the running world.
        #[arg(long, default_value = ".run")]
        run: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Serve { config, agents, run } => {
            log::init(arguments.log.as_deref())?;
            simulate(&serve::Places { config: &config, agents: &agents, run: &run })
        }
        Command::Fault { order, run } => give(&run, &order.join(" ")),
        Command::Heal { fault, run } => give(&run, &format!("heal {}", fault.join(" "))),
        Command::Configs { directory } => province::write(&directory)
            .with_context(|| format!("write the rehearsal province into {}", directory.display())),
        Command::List { run } => give(&run, "list"),
    }
}

fn simulate(places: &serve::Places<'_>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("start the runtime")?.block_on(async { serve::serve(places, stop::on_signals()?).await })
}

fn give(run: &Path, order: &str) -> anyhow::Result<()> {
    println!("{}", control::order(run, order)?);
    Ok(())
}
