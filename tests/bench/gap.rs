//! `gap [SECONDS]`: a real agent behind a line that is held so long (10 minutes), killed -9 in the middle.

use anyhow::bail;
use haidang_tests::figures::said;
use haidang_tests::gap;
use haidang_tests::process::load;

/// How long the line is held when nobody says.
const SECONDS: u64 = 600;
/// The stage of this bench.
const STAGE: u8 = 30;

fn main() -> anyhow::Result<()> {
    let seconds = said(SECONDS)?;
    let before = load();
    let counts = gap::rehearse(STAGE, seconds)?;
    println!("A gap of {seconds} s, load average {before} before and {} after:\n\n{counts}", load());
    if !counts.whole() {
        bail!("not every sample of the gap arrived once");
    }
    Ok(())
}
