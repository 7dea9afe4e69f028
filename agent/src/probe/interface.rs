//! Counters and state of this machine's interfaces (IF-MIB, RFC 2863), read from the kernel.
//!
//! `/proc/net/dev` gives all counters in one read; `/sys/class/net/NAME/operstate` gives the state. The
//! loopback interface counts only when it is asked for by name.

use super::{Answer, Budget, Tools};
use haidang_probe::ask::interface::Question;
use haidang_probe::metric::Metric;
use haidang_probe::outcome::{Failure, Sample};
use std::path::PathBuf;

/// `ifOperStatus` up and down (IF-MIB).
const UP: f64 = 1.0;
const DOWN: f64 = 2.0;

/// Columns of `/proc/net/dev` after the name (`net/core/net-procfs.c`): bytes packets errs drop … for
/// received, and from column 8 the same for sent.
const COLUMNS: [(usize, Metric); 6] = [
    (0, Metric::IfInOctets),
    (8, Metric::IfOutOctets),
    (2, Metric::IfInErrors),
    (10, Metric::IfOutErrors),
    (3, Metric::IfInDiscards),
    (11, Metric::IfOutDiscards),
];

/// Reads files of the kernel.
pub struct Probe {
    counters: PathBuf,
    states: PathBuf,
}

impl Probe {
    /// A probe of this machine.
    pub fn new(_: &Tools) -> Probe {
        Probe { counters: "/proc/net/dev".into(), states: "/sys/class/net".into() }
    }

    /// [`Failure::Local`] when the kernel tells nothing, or nothing of the interface asked for. One that is
    /// down was still read: that is a sample, not a failure.
    #[allow(clippy::unused_async, reason = "all probes have one shape")]
    pub async fn ask(&self, question: &Question, budget: Budget) -> Answer {
        let samples: Vec<Sample> = std::fs::read_to_string(&self.counters)
            .map(|text| text.lines().skip(2).flat_map(|line| self.samples(question, line)).collect())
            .unwrap_or_default();
        let result = if samples.is_empty() { Err(Failure::Local) } else { Ok(budget.spent()) };
        Answer { result, samples }
    }

    fn samples(&self, question: &Question, line: &str) -> Vec<Sample> {
        let Some((name, counters)) = line.trim().split_once(':') else { return Vec::new() };
        let asked = match question {
            Question::All => name != "lo",
            Question::One(one) => name == one,
        };
        if !asked {
            return Vec::new();
        }
        let counters: Vec<u64> =
            counters.split_ascii_whitespace().map_while(|count| count.parse().ok()).collect();
        let sample = |metric, value| Sample { metric, part: name.into(), value };
        let counted = COLUMNS
            .iter()
            .filter_map(|&(column, metric)| counters.get(column).map(|&count| sample(metric, count as f64)));
        counted.chain(self.state(name).map(|state| sample(Metric::IfOperStatus, state))).collect()
    }

    /// Tunnels and loopback have no carrier to speak of and say `unknown`: they work while they exist.
    fn state(&self, name: &str) -> Option<f64> {
        let state = std::fs::read_to_string(self.states.join(name).join("operstate")).ok()?;
        Some(if matches!(state.trim(), "up" | "unknown") { UP } else { DOWN })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_daemon::clock::Clock;
    use std::time::Duration;

    const DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
  eth0: 18446744073709551615   15509    3    4    0     0          0         0  1091330    9917    5    6    0     0       0          0
";

    fn machine() -> (tempfile::TempDir, Probe) {
        let directory = tempfile::tempdir().unwrap();
        let probe = Probe { counters: directory.path().join("dev"), states: directory.path().into() };
        std::fs::write(&probe.counters, DEV).unwrap();
        for (name, state) in [("eth0", "down\n"), ("lo", "unknown\n")] {
            std::fs::create_dir(directory.path().join(name)).unwrap();
            std::fs::write(directory.path().join(name).join("operstate"), state).unwrap();
        }
        (directory, probe)
    }

    async fn ask(probe: &Probe, target: &str) -> Answer {
        probe.ask(&target.parse().unwrap(), Budget::start(&Clock::manual(), Duration::from_secs(1))).await
    }

    fn value(answer: &Answer, metric: Metric) -> u64 {
        answer.samples.iter().find(|sample| sample.metric == metric).unwrap().value as u64
    }

    #[tokio::test]
    async fn all_means_all_but_loopback() {
        let (_directory, probe) = machine();
        let answer = ask(&probe, "*").await;
        assert!(answer.result.is_ok());
        assert_eq!(answer.samples.len(), 7);
        assert!(answer.samples.iter().all(|sample| sample.part == "eth0"));
        let errors_and_discards =
            [Metric::IfInErrors, Metric::IfInDiscards, Metric::IfOutErrors, Metric::IfOutDiscards];
        assert_eq!(errors_and_discards.map(|metric| value(&answer, metric)), [3, 4, 5, 6]);
        assert_eq!(value(&answer, Metric::IfOutOctets), 1_091_330);
        assert_eq!(
            value(&answer, Metric::IfOperStatus),
            DOWN as u64,
            "an interface that is down was still read"
        );
    }

    #[tokio::test]
    async fn loopback_counts_when_asked_for() {
        let (_directory, probe) = machine();
        let answer = ask(&probe, "lo").await;
        assert_eq!(value(&answer, Metric::IfInOctets), 3193);
        assert_eq!(value(&answer, Metric::IfOperStatus), UP as u64);
    }

    #[tokio::test]
    async fn an_interface_this_machine_lacks_is_our_failure() {
        let (_directory, probe) = machine();
        assert_eq!(ask(&probe, "eth7").await, Answer { result: Err(Failure::Local), samples: Vec::new() });
    }
}
