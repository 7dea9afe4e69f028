//! `hostile [WINDOWS]`: how late an agent's runs start, and what they cost, with fifty good checks at 1 s, and with the same
//! beside all that means harm. Windows of either kind take turns, each on a stage of its own.

use anyhow::{Context, bail};
use haidang_daemon::clock::Clock;
use haidang_tests::beside;
use haidang_tests::figures::{Figures, said};
use haidang_tests::hostile::lateness::Lateness;
use haidang_tests::hostile::{FRIENDS, Foes, Friends, Site};
use haidang_tests::process::{self, load};
use haidang_tests::stage::free;
use std::ops::Range;
use std::thread::sleep;
use std::time::Duration;

/// Windows of each kind, and how long each is.
const WINDOWS: u64 = 5;
const WINDOW: Duration = Duration::from_secs(60);
/// Time for connections and estimates to settle.
const WARM_UP: Duration = Duration::from_secs(10);
/// Behind a hundred datagrams of each flood: 20,000 a second.
const PAUSE: Duration = Duration::from_millis(5);
const STAGES: Range<u8> = 32..36;

/// What windows of a kind showed.
#[derive(Default)]
struct Seen {
    lateness: Lateness,
    cpu_ms_s: Figures,
    rss_mib: Figures,
}

fn main() -> anyhow::Result<()> {
    let windows = said(WINDOWS)?;
    if !rustix::process::geteuid().is_root() {
        println!("not measured: ICMP to many places needs root");
        return Ok(());
    }
    let (clock, foes) = (Clock::machine()?, Foes::start()?);
    println!("## {FRIENDS} good checks, beside {} hostile ones and two floods, all at 1 s\n", foes.all.len());
    println!("{windows} windows of {} s of each kind; load average {} before.\n", WINDOW.as_secs(), load());
    println!(
        "| | runs started | late by, ms: half / 99 of 100 / all | CPU, ms/s | RSS, MiB |\n|---|--:|--:|--:|--:|"
    );
    let (mut alone, mut beside) = (Seen::default(), Seen::default());
    for window in 1..=windows {
        measure(&clock, None, &mut alone).with_context(|| format!("window {window}"))?;
        measure(&clock, Some(&foes), &mut beside).with_context(|| format!("window {window}, hostile"))?;
    }
    for (kind, Seen { lateness, cpu_ms_s, rss_mib }) in
        [("good alone", alone), ("beside hostile ones", beside)]
    {
        println!("| all windows, {kind} | {} | {lateness} | {cpu_ms_s:.1} | {rss_mib:.1} |", lateness.runs());
    }
    println!("\nload average {} after", load());
    Ok(())
}

/// One window, on a stage of its own.
fn measure(clock: &Clock, foes: Option<&Foes>, seen: &mut Seen) -> anyhow::Result<()> {
    let friends = Friends::start(clock)?;
    let mut site = Site::new(free(STAGES)?, &friends, foes)?;
    let agent = site.start(&friends)?;
    let _floods = foes.map(|_| site.floods(PAUSE)).transpose()?;
    sleep(WARM_UP);
    let before = Lateness::read(&site.page()?)?;
    let costs = process::costs(&[("haidang-agent", agent)], 1, WINDOW, clock)?;
    let page = site.page()?;
    let late = Lateness::read(&page)?.since(&before);
    let [cost] = &costs[..] else { bail!("one process costs once") };
    let rss_mib = cost.rss_mib.median().context("no memory was read")?;
    let kind = if foes.is_some() { "beside hostile ones" } else { "good alone" };
    println!("| {kind} | {} | {late} | {:.1} | {rss_mib:.1} |", late.runs(), cost.whole_ms_s);
    let good = beside::succeeded(&page);
    if good < FRIENDS {
        bail!("{good} of {FRIENDS} good checks succeed");
    }
    seen.lateness.add(&late);
    seen.cpu_ms_s.push(cost.whole_ms_s);
    seen.rss_mib.push(rss_mib);
    Ok(())
}
