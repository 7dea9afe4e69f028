//! `quiet [MINUTES]`: the rehearsal province with nothing broken but the loss that every line has; nothing may be
//! noticed.

use anyhow::bail;
use haidang_tests::evidence;
use haidang_tests::figures::said;
use haidang_tests::process::load;
use haidang_tests::stage::Stage;
use std::thread::sleep;
use std::time::Duration;

/// How long nothing happens when nobody says.
const MINUTES: u64 = 20;
/// The stage of this bench.
const STAGE: u8 = 31;

fn main() -> anyhow::Result<()> {
    let minutes = said(MINUTES)?;
    let before = load();
    let mut stage = Stage::new(STAGE)?;
    let console = stage.start()?;
    let octets = evidence::octets(&stage.collector_folder())?;
    sleep(Duration::from_secs(minutes * 60));
    let grown = evidence::octets(&stage.collector_folder())? - octets;
    let incidents = console.incidents()?;
    let (up, state) = (console.sites_in("up")?.len(), console.get("/api/v1/state")?);
    let (all, noticed) = (state["sites"].as_array().map_or(0, Vec::len), incidents.len());
    let after = load();
    println!(
        "{minutes} quiet minutes: {noticed} incidents, {up} of {all} sites up at the end, load average {before} before and {after} after"
    );
    let a_day = evidence::mib_a_day(grown, minutes as f64 * 60.0);
    println!("evidence grew by {grown} octets, checkpoints included: {a_day:.1} MiB a day");
    incidents.iter().for_each(|incident| println!("{incident}"));
    if noticed > 0 {
        bail!("{noticed} incidents without an outage");
    }
    Ok(())
}
