//! What a process costs, from `/proc`.

use crate::figures::Figures;
use anyhow::Context;
use haidang_daemon::clock::Clock;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

/// Clock ticks of `/proc/PID/stat` in a second (`USER_HZ`, the same on every Linux we run on).
const TICKS: f64 = 100.0;

/// What a process used up to an instant, and what it holds then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// CPU time of all threads, user and system, ms; its grain is 10 ms.
    pub cpu_ms: f64,
    /// Resident memory, MiB.
    pub rss_mib: f64,
    /// The part of it that is the process's own and no file's, MiB.
    pub anonymous_mib: f64,
}

/// Reads `/proc/PID`.
///
/// # Errors
/// When there is no such process.
pub fn usage(pid: u32) -> anyhow::Result<Usage> {
    let read = |name: &str| {
        let path = format!("/proc/{pid}/{name}");
        fs::read_to_string(&path).with_context(|| format!("read {path}"))
    };
    parse(&read("stat")?, &read("status")?).with_context(|| format!("/proc/{pid} is in no known form"))
}

/// A process and what it is called.
pub type Named = (&'static str, u32);

/// What a process cost over several windows.
#[derive(Clone, Debug)]
pub struct Cost {
    /// What it is called.
    pub name: &'static str,
    /// CPU time in each window, ms a second.
    pub cpu_ms_s: Figures,
    /// CPU time over all windows, ms a second: the grain of the clock does not show in it.
    pub whole_ms_s: f64,
    /// Resident memory at the end of each window, MiB.
    pub rss_mib: Figures,
    /// Anonymous memory at the end of each window, MiB.
    pub anonymous_mib: Figures,
}

/// Looks on for so many windows.
///
/// # Errors
/// When a process ends.
pub fn costs(named: &[Named], windows: usize, length: Duration, clock: &Clock) -> anyhow::Result<Vec<Cost>> {
    let read = || named.iter().map(|(_, pid)| usage(*pid)).collect::<anyhow::Result<Vec<_>>>();
    let mut seen = vec![(clock.steady_ns(), read()?)];
    for _ in 0..windows {
        sleep(length);
        seen.push((clock.steady_ns(), read()?));
    }
    let of = |place: usize, name: &'static str| {
        let rate = |from: &(u64, Vec<Usage>), to: &(u64, Vec<Usage>)| {
            (to.1[place].cpu_ms - from.1[place].cpu_ms) * 1e9 / (to.0 - from.0) as f64
        };
        let ends = |field: fn(&Usage) -> f64| seen[1..].iter().map(|(_, all)| field(&all[place])).collect();
        Cost {
            name,
            cpu_ms_s: seen.windows(2).map(|pair| rate(&pair[0], &pair[1])).collect(),
            whole_ms_s: rate(&seen[0], &seen[windows]),
            rss_mib: ends(|usage| usage.rss_mib),
            anonymous_mib: ends(|usage| usage.anonymous_mib),
        }
    };
    Ok(named.iter().enumerate().map(|(place, (name, _))| of(place, name)).collect())
}

fn parse(stat: &str, status: &str) -> Option<Usage> {
    // The name may hold anything, also a parenthesis; fields are counted behind the last one (proc(5)).
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    let mib = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<f64>().ok()? / 1024.0)
    };
    Some(Usage { cpu_ms: ticks * 1000.0 / TICKS, rss_mib: mib("VmRSS")?, anonymous_mib: mib("RssAnon")? })
}

/// The machine's load average over one minute.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_shifts_nothing() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 500 0 0 0 120 30 0 0 20 0 1 0 5 6 7";
        let status = "Name:\ta\nVmRSS:\t    2048 kB\nRssAnon:\t    1024 kB\n";
        let expected = Usage { cpu_ms: 1500.0, rss_mib: 2.0, anonymous_mib: 1.0 };
        assert_eq!(parse(stat, status), Some(expected));
        assert_eq!(parse("", status), None);
    }

    #[test]
    fn this_process_is_there() {
        assert!(usage(std::process::id()).unwrap().rss_mib > 0.0);
    }
}
