//! `haidang-world`: the rehearsal province as a program.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use haidang_world::province;
use std::path::PathBuf;

/// The rehearsal province of Hải Đăng.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write the configuration of the rehearsal province into a directory.
    Configs {
        /// The directory; made when it does not exist.
        directory: PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Configs { directory } => province::write(&directory)
            .with_context(|| format!("write the rehearsal province into {}", directory.display())),
    }
}
