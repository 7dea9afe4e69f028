//! The machine the agent speaks for: when it booted, when the agent started and stopped, when a link changed.
//!
//! The boot id of the last run is kept in `DATA/boot`: another one at the next start means that the machine
//! booted in between, which tells a power cut or reboot from a cut line once the backlog arrives. Where the system
//! tells for certain why it booted ([`boot`]), an event says it. `DATA/running` stands while it runs: an agent that finds it
//! at its start was killed, or its machine was. Together they tell a power cut from a crash of the agent alone.

use crate::machine::boot;
use crate::spool::write_whole;
use haidang_probe::event::{Event, EventKind, Field};
use haidang_probe::key::{hex, unhex};
use haidang_probe::metric::Metric;
use haidang_probe::moment::Moment;
use haidang_probe::outcome::Outcome;
use std::collections::BTreeMap;
use std::path::Path;

/// The reason of a start after which nothing said that the agent was to stop.
pub const KILLED: &str = "killed";

/// `ifOperStatus` of an interface that works (IF-MIB).
const UP: f64 = 1.0;

/// The events of a start: the agent's, and the machine's boot if there was one since the last run, with why where
/// the system below `root` tells. A first run knows of none. An agent that was not told to stop says so.
pub fn started(directory: &Path, root: &Path, now: Moment) -> Vec<Event> {
    let reasons = boot::reasons(root, directory);
    let path = directory.join("boot");
    let before = std::fs::read_to_string(&path).ok().and_then(|text| unhex(text.trim()));
    let running = directory.join("running");
    let why = if running.exists() { KILLED } else { "" };
    if let Err(error) = std::fs::write(&running, "") {
        tracing::warn!(%error, path = %running.display(), "the next start cannot tell whether this run was killed");
    }
    let mut events = vec![Event::new(now, EventKind::AgentStarted, "").with(Field::Reason, why)];
    if before.as_deref() == Some(&now.boot.0[..]) {
        return events;
    }
    if before.is_some() {
        let booted = Moment { boot: now.boot, mono_ns: 0 };
        let why = |reason| Event::new(booted, EventKind::BootReason, "").with(Field::Reason, reason);
        let told = reasons.into_iter().map(why);
        events.splice(0..0, [Event::new(booted, EventKind::MachineBooted, "")].into_iter().chain(told));
    }
    if let Err(error) = write_whole(&path, hex(&now.boot.0).as_bytes()) {
        tracing::warn!(%error, path = %path.display(), "boot id not kept; the next start cannot tell a boot");
    }
    events
}

/// The event of an orderly stop of the agent whose directory this is.
pub fn stopped(directory: &Path, now: Moment) -> Event {
    // Where that fails the next start takes this one for killed, which is the safer error.
    let _ = std::fs::remove_file(directory.join("running"));
    Event::new(now, EventKind::AgentStopped, "")
}

/// Whether each interface worked when it was last seen.
#[derive(Debug, Default)]
pub struct Links(BTreeMap<String, bool>);

impl Links {
    /// The changes that `outcome` shows against earlier ones. A first sight is no change.
    pub fn see(&mut self, outcome: &Outcome) -> Vec<Event> {
        let states = outcome.samples.iter().filter(|sample| sample.metric == Metric::IfOperStatus);
        let changes = states.filter_map(|sample| {
            let up = (sample.value - UP).abs() < 0.5;
            let before = match self.0.get_mut(&sample.part) {
                Some(known) => std::mem::replace(known, up),
                None => self.0.insert(sample.part.clone(), up).unwrap_or(up),
            };
            let kind = if up { EventKind::LinkUp } else { EventKind::LinkDown };
            (before != up).then(|| Event::new(outcome.sent, kind, &*sample.part))
        });
        changes.collect()
    }
}

#[cfg(test)]
mod causes;

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_probe::check::CheckId;
    use haidang_probe::moment::BootId;
    use haidang_probe::outcome::Sample;
    use std::time::Duration;

    fn kinds(events: &[Event]) -> Vec<EventKind> {
        events.iter().map(|event| event.kind).collect()
    }

    #[test]
    fn tells_a_boot_from_a_restart() {
        let (directory, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |boot| Moment { boot: BootId([boot; 16]), mono_ns: 9 };
        assert_eq!(
            kinds(&started(directory.path(), root.path(), at(1))),
            [EventKind::AgentStarted],
            "first run"
        );
        assert_eq!(
            kinds(&started(directory.path(), root.path(), at(1))),
            [EventKind::AgentStarted],
            "restart"
        );
        let booted = started(directory.path(), root.path(), at(2));
        assert_eq!(kinds(&booted), [EventKind::MachineBooted, EventKind::AgentStarted]);
        assert_eq!(
            booted[0].at,
            Moment { boot: BootId([2; 16]), mono_ns: 0 },
            "at the boot, not at the start"
        );
        assert_eq!(kinds(&started(directory.path(), root.path(), at(2))), [EventKind::AgentStarted]);
    }

    #[test]
    fn a_start_after_a_kill_says_so_and_one_after_a_stop_does_not() {
        let (directory, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = Moment { boot: BootId([1; 16]), mono_ns: 9 };
        let start = || started(directory.path(), root.path(), at)[0].says(Field::Reason).map(str::to_owned);
        assert_eq!((start(), start().as_deref()), (None, Some(KILLED)));
        assert_eq!(stopped(directory.path(), at).kind, EventKind::AgentStopped);
        assert_eq!(start(), None);
    }

    #[test]
    fn a_boot_says_why_and_a_restart_does_not() {
        let (directory, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let status = root.path().join("sys/class/watchdog/watchdog0");
        std::fs::create_dir_all(&status).unwrap();
        std::fs::write(status.join("bootstatus"), "32\n").unwrap();
        let at = |boot| Moment { boot: BootId([boot; 16]), mono_ns: 9 };
        assert_eq!(
            kinds(&started(directory.path(), root.path(), at(1))),
            [EventKind::AgentStarted],
            "first run"
        );
        let booted = started(directory.path(), root.path(), at(2));
        let expected = [EventKind::MachineBooted, EventKind::BootReason, EventKind::AgentStarted];
        assert_eq!(kinds(&booted), expected);
        assert_eq!(booted[1].says(Field::Reason), Some("watchdog"));
        assert_eq!(kinds(&started(directory.path(), root.path(), at(2))), [EventKind::AgentStarted]);
    }

    #[test]
    fn a_link_speaks_when_it_changes() {
        let mut links = Links::default();
        let mut see = |value: f64| {
            let sample = Sample { metric: Metric::IfOperStatus, part: "eth0".into(), value };
            let (check, sent, result) = (CheckId(1), Moment::default(), Ok(Duration::ZERO));
            kinds(&links.see(&Outcome { check, sent, result, samples: vec![sample] }))
        };
        assert_eq!(see(1.0), []);
        assert_eq!(see(1.0), []);
        assert_eq!(see(2.0), [EventKind::LinkDown]);
        assert_eq!(see(2.0), []);
        assert_eq!(see(1.0), [EventKind::LinkUp]);
    }
}
