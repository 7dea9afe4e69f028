//! `haidang-agent`: the command line.

mod arguments;

use anyhow::Context as _;
use arguments::Command;
use haidang_agent::{enrol, fault, plan, run};
use haidang_daemon::{log, stop};
use std::process::ExitCode;

/// Threads for look-ups and syncs.
const BLOCKING_THREADS: usize = 8;

/// Stack of those threads: the system's resolver needs some, the default of 2 MiB is never touched.
const STACK_BYTES: usize = 512 * 1024;

/// What a command line that cannot be followed ends with, as programs do.
const MISUSED: u8 = 2;

fn main() -> ExitCode {
    match arguments::read(std::env::args_os().skip(1)) {
        Ok(Command::Check { file }) => check(&file),
        Ok(Command::Enroll { url, code, data }) => told(enroll(&url, &code, &data)),
        Ok(Command::Run { settings, log }) => told(start(settings, log.as_deref())),
        Ok(Command::Tell(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            eprintln!("{wrong}");
            ExitCode::from(MISUSED)
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
    fault::end_by_panic(&settings.directory);
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
