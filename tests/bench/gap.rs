//! `gap [SECONDS]`: a real agent behind a line that is held so long (10 minutes), killed -9 three times meanwhile; then
//! Prometheus as an agent under the same script, where Debian's `prometheus` is installed.

use anyhow::bail;
use haidang_tests::figures::said;
use haidang_tests::gap::{self, peer};
use haidang_tests::process::load;

/// How long the line is held when nobody says.
const SECONDS: u64 = 600;
/// Kills -9 of the agent while the line is held.
const KILLS: u32 = 3;
/// The stage of this bench.
const STAGE: u8 = 30;

fn main() -> anyhow::Result<()> {
    let seconds = said(SECONDS)?;
    let before = load();
    let counts = gap::rehearse(STAGE, seconds, KILLS)?;
    println!(
        "A gap of {seconds} s with {KILLS} kills -9, load average {before} before and {} after:\n",
        load()
    );
    println!("{counts}\nhaidang-agent: lost {}, doubled {}", counts.missing + counts.holes, counts.twice);
    let unnumbered = counts.asked_before.saturating_sub(counts.numbered_before);
    println!("({unnumbered} runs more were in no batch yet when a kill -9 came, and died with it)");
    if peer::possible() {
        println!("{}", peer::rehearse(seconds, KILLS)?);
    } else {
        println!("prometheus is not installed, or of a version that is no agent: no peer");
    }
    if !counts.whole() {
        bail!("not every sample of the gap arrived once");
    }
    Ok(())
}
