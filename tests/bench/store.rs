//! `store [RUNS]`: the series store in this process, through its `samples` journal, on 20,000 series: CPU time per
//! million samples, octets per sample once sealed, memory; and a start after kill -9 in the middle of it.
//!
//! The set is 5,000 targets of 250 sites × 4 metrics (round trip, loss, success, a counter) at 10 s, each agent
//! with a phase of its own and 1 % of times up to 20 ms late. A request brings one sample of each of 2,000
//! series; there is one a second, and a sync a second, as there is in the field. Making the samples is not
//! counted: its thread's CPU time is taken off the process's.

use anyhow::{Context, bail, ensure};
use haidang_collector::store::{BUCKET_MS, Limits, Question, Row, Store};
use haidang_daemon::clock::Clock;
use haidang_probe::{check::CheckId, metric::Metric};
use haidang_tests::figures::Figures;
use haidang_tests::process::{load, usage};
use rustix::time::{ClockId, clock_gettime};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SITES: usize = 250;
const TARGETS: usize = 5_000;
const METRICS: [Metric; 4] = [Metric::RttMax, Metric::LossRatio, Metric::ProbeSuccess, Metric::IfInOctets];
/// Requests that bring one sample of every series, and how many samples one brings.
const REQUESTS: usize = 10;
const OF_REQUEST: u64 = (TARGETS * METRICS.len() / REQUESTS) as u64;
/// Points of each series: an hour, and six hours for the octets of full hours alone.
const HOUR: usize = 360;
const SIX_HOURS: usize = 6 * HOUR;
/// A full hour, UTC ms.
const BEGAN: i64 = 1_795_305_600_000;
const TWO_HOURS: i64 = 7_200_000;
/// Rounds after which the writer is killed: 2 million samples and more.
const KILL_AFTER: u64 = 120;
const RUNS: u64 = 5;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["ingest", dir, points] => ingest(Path::new(dir), points.parse()?),
        ["write", dir] => write(Path::new(dir)),
        ["recover", dir, acked] => recover(Path::new(dir), acked.parse()?),
        [] => all(RUNS),
        [runs] => all(runs.parse().with_context(|| format!("`{runs}` is not a number"))?),
        _ => bail!("store [RUNS]"),
    }
}

fn all(runs: u64) -> anyhow::Result<()> {
    let before = load();
    let mut columns: Vec<(String, Figures)> = Vec::new();
    let mut add = |lines: Vec<String>| -> anyhow::Result<()> {
        for line in lines {
            let (name, value) = line.rsplit_once(": ").with_context(|| format!("`{line}`"))?;
            let place = columns.iter().position(|(known, _)| known == name).unwrap_or(columns.len());
            if place == columns.len() {
                columns.push((name.to_owned(), Figures::default()));
            }
            columns[place].1.push(value.parse()?);
        }
        Ok(())
    };
    for _ in 0..runs {
        add(told(&["ingest", &HOUR.to_string()])?)?;
        add(killed()?)?;
    }
    add(told(&["ingest", &SIX_HOURS.to_string()])?)?;
    println!("## The store, {} series\n", TARGETS * METRICS.len());
    println!("{runs} runs; least / median / most; load average {before} before and {} after.\n", load());
    println!("| what | |\n|---|--:|");
    columns.iter().for_each(|(name, figures)| println!("| {name} | {figures:.3} |"));
    Ok(())
}

/// What a process of this bench says in a folder of its own.
fn told(words: &[&str]) -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    said(&[words[0], &folder.path().to_string_lossy(), words[1]])
}

fn said(words: &[&str]) -> anyhow::Result<Vec<String>> {
    let output = Command::new(std::env::current_exe()?).args(words).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "`{}` ended with {}", words.join(" "), output.status);
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

/// A writer killed -9 in the middle of writing, and what a start finds.
fn killed() -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let dir = folder.path().to_string_lossy().into_owned();
    let mut writer =
        Writer(Command::new(std::env::current_exe()?).args(["write", &dir]).stdout(Stdio::piped()).spawn()?);
    let mut acked = 0;
    let lines = BufReader::new(writer.0.stdout.take().context("no output")?).lines();
    for line in lines {
        acked = line?.parse::<u64>()?;
        if acked >= KILL_AFTER * REQUESTS as u64 {
            break;
        }
    }
    drop(writer);
    said(&["recover", &dir, &acked.to_string()])
}

/// Killed when it is let go.
struct Writer(Child);

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ingest(dir: &Path, points: usize) -> anyhow::Result<()> {
    let store = Store::open(dir, Limits::default(), BEGAN)?;
    let mut province = Province::new();
    let (mut making, began) = (0.0, cpu(ClockId::ProcessCPUTime));
    for round in 0..points {
        for request in 0..REQUESTS {
            let before = cpu(ClockId::ThreadCPUTime);
            let values = province.request(round, request);
            making += cpu(ClockId::ThreadCPUTime) - before;
            take(&store, &province, round, request, &values);
            store.flush()?;
        }
        if round % 6 == 0 {
            store.seal(now(round))?;
        }
    }
    let samples = (points * TARGETS * METRICS.len()) as f64;
    let million = samples / 1e6;
    let live = usage(std::process::id())?;
    let used = cpu(ClockId::ProcessCPUTime) - began - making;
    store.seal(now(points) + TWO_HOURS)?;
    let sealed = cpu(ClockId::ProcessCPUTime) - began - making;
    let counts = store.counts();
    ensure!((counts.samples, counts.repeats, counts.head) == (samples as u64, 0, 0), "{counts:?}");
    let table = octets(&dir.join("series"))? - counts.sealed;
    if points == HOUR {
        println!("CPU s per million samples, the last hour open: {}", used / million);
        println!("CPU s per million samples, all sealed: {}", sealed / million);
        println!("RSS at the end of the hour, MiB: {}", live.rss_mib);
        println!("most RSS, MiB: {}", peak_mib()?);
    }
    println!("octets a sample, {points} points, sealed chunks: {}", counts.sealed as f64 / samples);
    println!(
        "octets a series, the table of series and all else beside the chunks: {}",
        table as f64 / 20_000.0
    );
    Ok(())
}

/// Writes for ever; says after each sync how many requests are durable.
fn write(dir: &Path) -> anyhow::Result<()> {
    let store = Store::open(dir, Limits::default(), BEGAN)?;
    let mut province = Province::new();
    for round in 0.. {
        for request in 0..REQUESTS {
            let values = province.request(round, request);
            take(&store, &province, round, request, &values);
            store.flush()?;
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", round * REQUESTS + request + 1)?;
            out.flush()?;
        }
        if round % 6 == 0 {
            store.seal(now(round))?;
        }
    }
    Ok(())
}

fn recover(dir: &Path, acked: u64) -> anyhow::Result<()> {
    let clock = Clock::machine()?;
    let (steady, began) = (clock.steady_ns(), cpu(ClockId::ProcessCPUTime));
    let store = Store::open(dir, Limits::default(), now(0))?;
    let (ready, used) = (clock.steady_ns() - steady, cpu(ClockId::ProcessCPUTime) - began);
    let held = store.resume().context("nothing is left")?;
    let (found, sum) = found(&store)?;
    let mut province = Province::new();
    let mut expected = 0.0;
    for number in 0..held as usize {
        let values = province.request(number / REQUESTS, number % REQUESTS);
        expected += values.iter().map(|(_, values)| values.iter().sum::<f64>()).sum::<f64>();
    }
    ensure!(held >= acked, "{acked} requests were durable and {held} are left");
    ensure!((sum - expected).abs() <= expected * 1e-9, "the samples add to {sum}, not to {expected}");
    println!("samples acknowledged before kill -9: {}", acked * OF_REQUEST);
    println!("samples a start finds: {found}");
    println!("of them twice, or too few: {}", found.abs_diff(held * OF_REQUEST));
    println!("CPU s until ready: {used}");
    println!("s until ready, by the clock on the wall: {}", ready as f64 / 1e9);
    Ok(())
}

/// How many samples answer, and what they add to.
fn found(store: &Store) -> anyhow::Result<(u64, f64)> {
    let (mut count, mut sum) = (0, 0.0);
    for site in 0..SITES {
        for metric in METRICS {
            let site = site_of(site);
            let checks = vec![(site.as_str(), None)];
            let (from, to, step) = (BEGAN - TWO_HOURS, BEGAN + 12 * TWO_HOURS, 360 * BUCKET_MS);
            for point in store.query(&Question { checks, metric, part: None, from, to, step })? {
                count += point.count;
                sum += point.avg * point.count as f64;
            }
        }
    }
    Ok((count, sum))
}

fn take(store: &Store, province: &Province, round: usize, request: usize, values: &[(i64, [f64; 4])]) {
    let first = request * values.len();
    let parts: Vec<[(Metric, &str, f64); 4]> = values
        .iter()
        .map(|(_, values)| std::array::from_fn(|number| (METRICS[number], "", values[number])))
        .collect();
    let row = |number: usize| {
        let target = first + number;
        let check = CheckId((target as u32).wrapping_mul(2_654_435_761));
        Row { site: &province.sites[target % SITES], check, at: values[number].0, values: &parts[number] }
    };
    let rows: Vec<Row<'_>> = (0..parts.len()).map(row).collect();
    store.take(Some((round * REQUESTS + request) as u64), &rows, now(round));
}

fn site_of(number: usize) -> String {
    format!("{}-tt", 28_000 + number)
}

fn now(round: usize) -> i64 {
    BEGAN + (round as i64 + 1) * 10_000
}

/// What the targets answer; the same at each run.
struct Province {
    random: u64,
    targets: Vec<Target>,
    phases: Vec<i64>,
    sites: Vec<String>,
}

#[derive(Clone, Default)]
struct Target {
    rtt_us: u64,
    counter: u64,
    /// Rounds until an outage ends.
    down: u64,
}

impl Province {
    fn new() -> Province {
        let sites = (0..SITES).map(site_of).collect();
        let mut province = Province { random: 1, targets: Vec::new(), phases: Vec::new(), sites };
        for _ in 0..TARGETS {
            let (rtt_us, counter) = (3_000 + province.below(30_000), province.below(1 << 40));
            province.targets.push(Target { rtt_us, counter, down: 0 });
        }
        for _ in 0..SITES {
            let phase = province.below(10_000) as i64;
            province.phases.push(phase);
        }
        province
    }

    /// Time, round trip, loss, success and counter of each target of a request.
    fn request(&mut self, round: usize, request: usize) -> Vec<(i64, [f64; 4])> {
        let each = TARGETS / REQUESTS;
        (request * each..(request + 1) * each).map(|target| self.target(round, target)).collect()
    }

    fn target(&mut self, round: usize, number: usize) -> (i64, [f64; 4]) {
        let late = if self.below(100) == 0 { self.below(20) as i64 + 1 } else { 0 };
        let at = BEGAN + round as i64 * 10_000 + self.phases[number % SITES] + late;
        let noise = self.below(2_000) + self.below(2_000);
        let spike = if self.below(200) == 0 { self.below(200_000) } else { 0 };
        let fails = if self.below(5_000) == 0 { 3 + self.below(30) } else { 0 };
        let loss = if self.below(100) == 0 { (1 + self.below(3)) as f64 / 4.0 } else { 0.0 };
        let step = self.below(1 << 21);
        let target = &mut self.targets[number];
        target.counter += step;
        target.down = target.down.saturating_sub(1).max(fails);
        let rtt = (target.rtt_us + noise + spike) as f64 / 1e6;
        let up = target.down == 0;
        (at, [rtt, if up { loss } else { 1.0 }, f64::from(u8::from(up)), target.counter as f64])
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % limit
    }
}

/// CPU seconds of this process or thread.
fn cpu(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn peak_mib() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

/// Octets that all files below take on the disk: holes in them take none.
fn octets(dir: &Path) -> anyhow::Result<u64> {
    let mut all = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let kept = entry.metadata()?;
        all += if kept.is_dir() { octets(&entry.path())? } else { kept.blocks() * 512 };
    }
    Ok(all)
}
