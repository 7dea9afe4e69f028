//! `haidang-lab`: plays a scenario of the lab, on real packets, against the real programs.
//!
//! ```text
//! haidang-lab play SCENARIO OUT     plays it and says its score; 0 also when the score is bad
//! haidang-lab down                  takes the lab down
//! haidang-lab HOOK                  collector-kill, collector-start, reconfigure: called by the lab
//! ```
//!
//! `LAB` names the lab's script, `BIN` the folder of our programs. Without a lab, or without root, it says so.

mod announce;
mod backfill;
mod centre;
mod evidence;
mod lab;
mod naming;
mod play;
mod record;
mod scene;
mod table;
mod targets;
mod witness;

use anyhow::{Context, bail};
use centre::Centre;
use lab::Lab;
use std::path::{Path, PathBuf};

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some(lab) = Lab::find() else {
        println!("there is no lab at `{}`: nothing played", std::env::var("LAB").unwrap_or_default());
        return Ok(());
    };
    if !rustix::process::geteuid().is_root() {
        println!("the lab needs root: nothing played");
        return Ok(());
    }
    match words.as_slice() {
        ["play", scenario, out] => play::play(&lab, scenario, Path::new(out)),
        ["down"] => lab.down(),
        ["collector-kill"] => called(&lab)?.kill_collector(),
        ["collector-start"] => called(&lab)?.start_collector(),
        ["reconfigure"] => called(&lab)?.configure(&lab.targets()?),
        _ => bail!("say `play SCENARIO OUT` or `down`"),
    }
}

/// The programs of the play that called a hook.
fn called(lab: &Lab) -> anyhow::Result<Centre> {
    let folder = std::env::var_os("LAB_STAGE").map(PathBuf::from).context("hooks are called by a play")?;
    Ok(Centre::new(lab, &folder))
}
