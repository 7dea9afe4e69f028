//! What each command does with the library.

mod agent;
mod import;

use crate::{Agent, Command, Evidence, Place, Replay, Serve, User, What};
use anyhow::{Context, bail};
use haidang_collector::access::{Access, Role};
use haidang_collector::config;
use haidang_collector::replay::replay;
use haidang_collector::seen;
use haidang_collector::serve;
use haidang_daemon::clock::Clock;
use haidang_daemon::room::make_private;
use haidang_daemon::{log, stop};
use std::fs::DirBuilder;
use std::io::{BufWriter, Write, stdout};
use std::ops::ControlFlow;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Runs a command; its error is for people.
pub fn run(command: Command) -> anyhow::Result<()> {
    log::init(command.log.as_deref())?;
    make_private();
    match command.what {
        What::Serve(Serve { place, first_sign_in }) => serve(place, first_sign_in),
        What::Check { dir } => check(&dir),
        What::Init { config, province } => import::init(&config, province.as_deref()),
        What::Import(wish) => import::import(&wish),
        What::Replay(wish) => again(&wish),
        What::Evidence(wish) => evidence(&wish),
        What::Agent(Agent::Add(add)) => agent::add(&add),
        What::Agent(Agent::Approve(named)) => agent::approve(&named),
        What::Agent(Agent::Revoke(named)) => agent::revoke(&named),
        What::User(user) => people(user),
    }
}

fn serve(place: Place, first_sign_in: Option<std::path::PathBuf>) -> anyhow::Result<()> {
    let clock = Clock::machine()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = stop::on_signals().context("take over the signals")?;
        let place = serve::Place { config: place.config, data: place.data, first_sign_in };
        Ok(serve::run(&place, clock, stop).await?)
    })
}

fn check(dir: &Path) -> anyhow::Result<()> {
    match config::load(dir) {
        Ok(config) => {
            writeln!(stdout(), "{}: {}", dir.display(), config.summary())?;
            Ok(())
        }
        Err(faults) => {
            for fault in &faults {
                writeln!(stdout(), "{fault}")?;
            }
            bail!("{}: {} wrong", dir.display(), faults.len())
        }
    }
}

fn again(wish: &Replay) -> anyhow::Result<()> {
    let mut out = BufWriter::new(stdout().lock());
    let replayed = replay(&wish.journal, wish.from, wish.verdicts, &mut out);
    // What came before a difference is part of the answer.
    out.flush()?;
    writeln!(out, "{}", serde_json::to_string(&replayed?)?)?;
    Ok(out.flush()?)
}

fn evidence(wish: &Evidence) -> anyhow::Result<()> {
    let mut out = BufWriter::new(stdout().lock());
    let mut written = Ok(());
    seen::read(&wish.journal, wish.from, |seen| {
        if wish.site.is_empty() || wish.site.contains(&seen.site) {
            written =
                serde_json::to_string(&seen).map_err(Into::into).and_then(|line| writeln!(out, "{line}"));
        }
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    match written.and_then(|()| out.flush()) {
        // Whoever read it has enough: `| head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

fn people(user: User) -> anyhow::Result<()> {
    let now = Clock::machine()?.utc_ms();
    let (name, password) = match user {
        User::Add { name, role, data } => {
            let Some(role) = Role::named(&role) else {
                bail!("there is no role `{role}`; say viewer, operator or admin")
            };
            make(&data)?;
            let password = Access::open(&data)?.add(&name, role, now)?;
            (name, password)
        }
        User::Reset { name, data } => {
            let password = Access::open(&data)?.reset(&name)?;
            (name, password)
        }
    };
    writeln!(stdout(), "{name} {password}")?;
    Ok(())
}

/// Makes a directory, where it is missing, that only its owner reads.
fn make(directory: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.with_context(|| format!("create {}", directory.display()))
}
