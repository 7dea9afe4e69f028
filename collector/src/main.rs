//! `haidang-collector`: the collector's commands.

mod cli;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Detects outages across a province's network and names their one root.
#[derive(Parser)]
#[command(name = "haidang-collector", version, after_help = "Messages go to stderr, results to stdout.")]
struct Command {
    /// What is logged: error, warn, info, debug, trace, or `part=level,…`.
    #[arg(long, global = true, value_name = "LEVEL")]
    log: Option<String>,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Run the collector until SIGINT or SIGTERM.
    Serve(Serve),
    /// Check a configuration directory: all its faults as file:line:col, exit 1 if there is one.
    Check {
        /// The configuration directory.
        dir: PathBuf,
    },
    /// Make a first configuration in an empty directory, with a sheet to fill in.
    Init {
        /// The directory, made when missing.
        #[arg(long, value_name = "DIR")]
        config: PathBuf,
        /// Code of the province (General Statistics Office), as in 82.
        #[arg(long, value_name = "CODE")]
        province: Option<String>,
    },
    /// Bring a sheet of sites and lines (.xlsx or .csv) into the configuration: shows what would change, then writes it.
    Import(Import),
    /// Fold a journal again and compare every checkpoint; exit 1 at the first that differs.
    Replay(Replay),
    /// Print what agents saw, one JSON line each, in the order it came.
    Evidence(Evidence),
    /// Add or revoke the agents of sites.
    #[command(subcommand)]
    Agent(Agent),
    /// Add people, or give them a new password.
    #[command(subcommand)]
    User(User),
}

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    place: Place,
    /// Write a first sign-in (address, user, password, token; 0600) to this file, unless it holds one that works.
    #[arg(long, value_name = "FILE")]
    first_sign_in: Option<PathBuf>,
}

/// Where a collector's files are.
#[derive(Args)]
struct Place {
    /// The configuration directory.
    #[arg(long, value_name = "DIR")]
    config: PathBuf,
    /// The collector's own directory: journal, agents' secrets, people. Made when missing.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

#[derive(Args)]
struct Import {
    /// The sheet.
    file: PathBuf,
    /// The configuration directory; its folder `sites` is written.
    #[arg(long, value_name = "DIR")]
    config: PathBuf,
    /// Only show what would change.
    #[arg(long)]
    dry_run: bool,
    /// Take out what the sheet no longer names; without it that stays and is told.
    #[arg(long)]
    remove: bool,
    /// Write without asking.
    #[arg(long)]
    yes: bool,
}

#[derive(Args)]
struct Replay {
    /// The journal's directory (`evidence` in the collector's), or a copy. It is only read.
    journal: PathBuf,
    /// Begin with the first checkpoint at or after this position instead of the journal's start.
    #[arg(long, value_name = "POSITION")]
    from: Option<u64>,
    /// Print each verdict as well, one JSON line each, as it was given.
    #[arg(long)]
    verdicts: bool,
}

#[derive(Args)]
struct Evidence {
    /// The journal's directory (`evidence` in the collector's), or a copy. It is only read.
    journal: PathBuf,
    /// Only what the agents of these sites saw.
    #[arg(long, value_name = "SITE")]
    site: Vec<String>,
    /// Begin with the record at this position.
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    from: u64,
}

#[derive(Subcommand)]
enum Agent {
    /// Print a one-time code for the device of each site; `haidang-agent enroll` makes it the site's agent.
    ///
    /// With --out it writes files with a secret instead, which agents on the collector's own machine run by.
    Add(Add),
    /// End the quarantine of agents that came back after long silence.
    Approve(Named),
    /// End agents' certificates, secrets and codes; a running collector turns them away within seconds.
    Revoke(Named),
}

#[derive(Args)]
struct Named {
    /// The sites.
    #[arg(required = true)]
    sites: Vec<String>,
    /// The collector's own directory.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

#[derive(Args)]
struct Add {
    /// The sites.
    #[arg(required_unless_present = "rehearsal")]
    sites: Vec<String>,
    /// All sites marked as rehearsal that have an agent.
    #[arg(long, conflicts_with = "sites")]
    rehearsal: bool,
    #[command(flatten)]
    place: Place,
    /// Write a file with a secret for each agent to DIR/SITE.yml (0600), and print no code: for agents on this machine,
    /// where alone its bearer token counts.
    #[arg(long, value_name = "DIR", conflicts_with = "reach")]
    out: Option<PathBuf>,
    /// Draw new secrets. Enrolled agents learn of theirs by their plan, and get no code; a new file has to be brought.
    #[arg(long)]
    renew: bool,
    /// The collector's address as agents see it, for the command that is printed.
    #[arg(long, value_name = "IP")]
    reach: Option<std::net::IpAddr>,
}

#[derive(Subcommand)]
enum User {
    /// Add a person and print the password made for them.
    Add {
        /// The name.
        name: String,
        /// What they may do: viewer, operator or admin.
        #[arg(long, default_value = "operator")]
        role: String,
        /// The collector's own directory. Made when missing.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Give a person a new password, print it, and end their sessions.
    Reset {
        /// The name.
        name: String,
        /// The collector's own directory.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
}

fn main() -> ExitCode {
    let command = Command::parse();
    match cli::run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
