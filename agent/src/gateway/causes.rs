//! The ten causes of a gap, and what this agent journals of each: no two leave the same.

use super::{KILLED, Links, started, stopped};
use crate::gather::{Flush, Gather};
use crate::liveness::digester::Digester;
use haidang_probe::check::CheckId;
use haidang_probe::event::{Event, EventKind, Field};
use haidang_probe::liveness::{Heard, Reply};
use haidang_probe::metric::Metric;
use haidang_probe::moment::{BootId, ClockMap, Moment};
use haidang_probe::outcome::{Failure, Outcome, Sample};
use haidang_probe::plan::PlanDigest;
use std::collections::BTreeSet;
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

/// What is true of a site while it is not heard as it should be.
#[derive(Clone, Copy)]
struct Truth {
    /// The machine of the agent went down, and what its watchdog says of that.
    boots: bool,
    watchdog: bool,
    /// The agent alone was killed.
    killed: bool,
    /// Whether lines A and B carry, up and down.
    carries: [(bool, bool); 2],
    /// The port to the carrier has light; the carrier's first hop answers; devices on the LAN; a national service.
    light: bool,
    first_hop: bool,
    lan: bool,
    service: bool,
    clock_jumps: bool,
}

const WELL: Truth = Truth {
    boots: false,
    watchdog: false,
    killed: false,
    carries: [(true, true); 2],
    light: true,
    first_hop: true,
    lan: true,
    service: true,
    clock_jumps: false,
};

fn at(boot: u8, second: u64) -> Moment {
    Moment { boot: BootId([boot; 16]), mono_ns: second * SECOND }
}

/// What the agent's own parts make of it, in words.
fn journalled(truth: Truth) -> BTreeSet<String> {
    let mut told: BTreeSet<String> = starts(truth).iter().map(named).collect();
    // A machine that is down, or an agent that is, sees nothing.
    if truth.boots || truth.killed {
        return told;
    }
    for (line, carries) in ["a", "b"].into_iter().zip(truth.carries) {
        told.insert(format!("line {line}: {}", liveness(carries)));
    }
    let mut gather = Gather::new(Flush { every: Duration::from_secs(1), prompt: false });
    let mut links = Links::default();
    for (light, second) in [(true, 1), (truth.light, 2)] {
        let port =
            Sample { metric: Metric::IfOperStatus, part: "wan".into(), value: if light { 1.0 } else { 2.0 } };
        let outcome = Outcome {
            check: CheckId(9),
            sent: at(1, second),
            result: Ok(Duration::ZERO),
            samples: vec![port],
        };
        told.extend(links.see(&outcome).iter().map(named));
    }
    for (check, well) in [(1, truth.first_hop), (2, truth.lan), (3, truth.service)] {
        let result = if well { Ok(Duration::ZERO) } else { Err(Failure::Timeout) };
        gather.outcome(Outcome { check: CheckId(check), sent: at(1, 3), result, samples: Vec::new() }, 0);
    }
    let map = |offset_ns| ClockMap { boot: BootId([1; 16]), offset_ns, bound_ns: 0 };
    let digest = PlanDigest::default();
    let before = gather.take(at(1, 4), map(0), digest).unwrap();
    let names = ["", "first hop", "LAN", "service"];
    let failed = before.outcomes.iter().filter(|outcome| outcome.result.is_err());
    told.extend(failed.map(|outcome| format!("{} fails", names[outcome.check.0 as usize])));
    let jump = if truth.clock_jumps { 3_600 * SECOND as i64 } else { 0 };
    let after = gather.take(at(1, 5), map(jump), digest);
    told.extend(after.iter().flat_map(|batch| &batch.events).map(named));
    told
}

/// The events of the start after it, if there was one.
fn starts(truth: Truth) -> Vec<Event> {
    let (directory, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    started(directory.path(), root.path(), at(1, 0));
    if truth.watchdog {
        let status = root.path().join("sys/class/watchdog/watchdog0");
        std::fs::create_dir_all(&status).unwrap();
        std::fs::write(status.join("bootstatus"), "32\n").unwrap();
    }
    match (truth.boots, truth.killed) {
        (true, _) => started(directory.path(), root.path(), at(2, 30)),
        (false, true) => started(directory.path(), root.path(), at(1, 60)),
        _ => Vec::new(),
    }
}

fn named(event: &Event) -> String {
    let why = event.says(Field::Reason).map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("{}{why}", event.kind.name())
}

/// What the digest of ten seconds says of a line.
fn liveness((up, down): (bool, bool)) -> &'static str {
    let mut digester = Digester::new("a/1".into(), Duration::from_secs(1), false, 0, at(1, 0));
    let mut told = None;
    for second in 0..13_u32 {
        let now_ns = u64::from(second) * SECOND;
        told = told.or(digester.turn(now_ns, at(1, second.into())));
        digester.asked(second);
        if down {
            let ssid = 2;
            let heard = Heard { ssid, seq: second, start: 7, new_start: false, count: 0, previous: false };
            digester.heard(&heard, now_ns);
        }
        if up && down {
            digester.answered(&Reply { seq: second, rtt_ns: 9, peer_count: None, ttl: 61 });
        }
    }
    let digest = told.unwrap();
    match (digest.loss_up(), digest.loss_down()) {
        (Some(up), Some(down)) if up + down < 0.1 => "both ways",
        (Some(up), _) if up > 0.9 => "lost upwards",
        (None, Some(down)) if down > 0.9 => "nothing heard",
        _ => "else",
    }
}

#[test]
fn each_cause_leaves_evidence_that_no_other_leaves() {
    let cut = (false, false);
    let causes = [
        ("power cut at the site", Truth { boots: true, ..WELL }, "machine-booted"),
        ("gateway hung", Truth { boots: true, watchdog: true, ..WELL }, "boot-reason (watchdog)"),
        (
            "carrier A cut, B alive",
            Truth { carries: [cut, (true, true)], light: false, first_hop: false, ..WELL },
            "line b: both ways",
        ),
        (
            "both carriers cut",
            Truth { carries: [cut; 2], light: false, first_hop: false, service: false, ..WELL },
            "link-down",
        ),
        ("one-way loss", Truth { carries: [(false, true), (true, true)], ..WELL }, "line a: lost upwards"),
        ("LAN fault", Truth { lan: false, ..WELL }, "LAN fails"),
        ("province core", Truth { carries: [cut; 2], ..WELL }, "line a: nothing heard"),
        ("national service", Truth { service: false, ..WELL }, "service fails"),
        ("agent crashed", Truth { killed: true, ..WELL }, "agent-started (killed)"),
        ("clock jumped", Truth { clock_jumps: true, ..WELL }, "clock-stepped"),
    ];
    let mut all: Vec<(&str, BTreeSet<String>)> = vec![("nothing", journalled(WELL))];
    for (cause, truth, sign) in causes {
        let told = journalled(truth);
        assert!(told.contains(sign), "{cause}: {told:?}");
        for (other, before) in &all {
            assert_ne!(&told, before, "{cause} looks like {other}");
        }
        all.push((cause, told));
    }
}

#[test]
fn a_power_cut_and_a_crash_differ_by_the_boot_and_a_stop_is_neither() {
    assert!(!journalled(Truth { killed: true, ..WELL }).contains("machine-booted"));
    assert!(journalled(Truth { boots: true, ..WELL }).contains(&format!("agent-started ({KILLED})")));
    let directory = tempfile::tempdir().unwrap();
    started(directory.path(), directory.path(), at(1, 0));
    stopped(directory.path(), at(1, 1));
    let again = started(directory.path(), directory.path(), at(1, 2));
    assert_eq!(
        (again.len(), again[0].kind, again[0].says(Field::Reason)),
        (1, EventKind::AgentStarted, None)
    );
}
