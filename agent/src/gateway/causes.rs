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

/// What is wrong at a site, or beyond it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    /// The machine of the agent went down, and what its watchdog says of that.
    Boots,
    Watchdog,
    /// The agent alone was killed.
    Killed,
    /// Lines A and B carry nothing, or nothing upwards.
    LineA,
    LineB,
    UpwardsA,
    /// The port to the carrier, its first hop, devices on the LAN, a national service.
    Light,
    FirstHop,
    Lan,
    Service,
    Clock,
}

fn at(boot: u8, second: u64) -> Moment {
    Moment { boot: BootId([boot; 16]), mono_ns: second * SECOND }
}

/// What the agent's own parts make of it, in words.
fn journalled(wrong: &[Wrong]) -> BTreeSet<String> {
    let is = |what| wrong.contains(&what);
    let mut told: BTreeSet<String> = starts(wrong).iter().map(named).collect();
    // A machine that is down, or an agent that is, sees nothing.
    if is(Wrong::Boots) || is(Wrong::Killed) {
        return told;
    }
    let (a, b) = (!is(Wrong::LineA), !is(Wrong::LineB));
    for (line, up, down) in [("a", a && !is(Wrong::UpwardsA), a), ("b", b, b)] {
        told.insert(format!("line {line}: {}", liveness(up, down)));
    }
    let mut gather = Gather::new(Flush { every: Duration::from_secs(1), prompt: false });
    let mut links = Links::default();
    for (light, second) in [(true, 1), (!is(Wrong::Light), 2)] {
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
    for (check, fails) in [(1, is(Wrong::FirstHop)), (2, is(Wrong::Lan)), (3, is(Wrong::Service))] {
        let result = if fails { Err(Failure::Timeout) } else { Ok(Duration::ZERO) };
        gather.outcome(Outcome { check: CheckId(check), sent: at(1, 3), result, samples: Vec::new() }, 0);
    }
    let map = |offset_ns| ClockMap { boot: BootId([1; 16]), offset_ns, bound_ns: 0 };
    let digest = PlanDigest::default();
    let before = gather.take(at(1, 4), map(0), digest).unwrap();
    let names = ["", "first hop", "LAN", "service"];
    let failed = before.outcomes.iter().filter(|outcome| outcome.result.is_err());
    told.extend(failed.map(|outcome| format!("{} fails", names[outcome.check.0 as usize])));
    let jump = if is(Wrong::Clock) { 3_600 * SECOND as i64 } else { 0 };
    let after = gather.take(at(1, 5), map(jump), digest);
    told.extend(after.iter().flat_map(|batch| &batch.events).map(named));
    told
}

/// The events of the start after it, if there was one.
fn starts(wrong: &[Wrong]) -> Vec<Event> {
    let (directory, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    started(directory.path(), root.path(), at(1, 0));
    if wrong.contains(&Wrong::Watchdog) {
        let status = root.path().join("sys/class/watchdog/watchdog0");
        std::fs::create_dir_all(&status).unwrap();
        std::fs::write(status.join("bootstatus"), "32\n").unwrap();
    }
    match (wrong.contains(&Wrong::Boots), wrong.contains(&Wrong::Killed)) {
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
fn liveness(up: bool, down: bool) -> &'static str {
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
            digester.answered(&Reply { seq: second, rtt_ns: 9, ttl: 61, ..Reply::default() });
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
    let causes: [(&str, &[Wrong], &str); 10] = [
        ("power cut at the site", &[Wrong::Boots], "machine-booted"),
        ("gateway hung", &[Wrong::Boots, Wrong::Watchdog], "boot-reason (watchdog)"),
        ("carrier A cut, B alive", &[Wrong::LineA, Wrong::Light, Wrong::FirstHop], "line b: both ways"),
        (
            "both carriers cut",
            &[Wrong::LineA, Wrong::LineB, Wrong::Light, Wrong::FirstHop, Wrong::Service],
            "link-down",
        ),
        ("one-way loss", &[Wrong::UpwardsA], "line a: lost upwards"),
        ("LAN fault", &[Wrong::Lan], "LAN fails"),
        ("province core", &[Wrong::LineA, Wrong::LineB], "line a: nothing heard"),
        ("national service", &[Wrong::Service], "service fails"),
        ("agent crashed", &[Wrong::Killed], "agent-started (killed)"),
        ("clock jumped", &[Wrong::Clock], "clock-stepped"),
    ];
    let mut all: Vec<(&str, BTreeSet<String>)> = vec![("nothing", journalled(&[]))];
    for (cause, wrong, sign) in causes {
        let told = journalled(wrong);
        assert!(told.contains(sign), "{cause}: {told:?}");
        for (other, before) in &all {
            assert_ne!(&told, before, "{cause} looks like {other}");
        }
        all.push((cause, told));
    }
}

#[test]
fn a_power_cut_and_a_crash_differ_by_the_boot_and_a_stop_is_neither() {
    assert!(!journalled(&[Wrong::Killed]).contains("machine-booted"));
    assert!(journalled(&[Wrong::Boots]).contains(&format!("agent-started ({KILLED})")));
    let directory = tempfile::tempdir().unwrap();
    started(directory.path(), directory.path(), at(1, 0));
    stopped(directory.path(), at(1, 1));
    let again = started(directory.path(), directory.path(), at(1, 2));
    assert_eq!(
        (again.len(), again[0].kind, again[0].says(Field::Reason)),
        (1, EventKind::AgentStarted, None)
    );
}
