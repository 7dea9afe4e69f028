//! Why the machine booted, only where the system tells for certain.
//!
//! ```text
//! /sys/class/watchdog/watchdog*/bootstatus   bits of the watchdog's hardware (linux/watchdog.h)
//! /sys/fs/pstore/dmesg-*                     records of a crash that survive it (kernel pstore)
//! /var/lib/systemd/pstore/*                  the same, put away by systemd
//! ```
//!
//! Crash records stay until somebody removes them, so those that were seen before are kept in `DATA/crashes` and only
//! new ones tell. Nothing here means nothing known: a power cut leaves no trace.

use crate::spool::write_whole;
use std::collections::BTreeSet;
use std::path::Path;

/// Crash records remembered.
const RECORDS: usize = 256;

/// Bits of `bootstatus` that name a cause (`WDIOF_*`, `linux/watchdog.h`).
const STATUS: [(u32, &str); 5] = [
    (0x0001, "overheat"),
    (0x0002, "fan-fault"),
    (0x0010, "under-voltage"),
    (0x0020, "watchdog"),
    (0x0040, "over-voltage"),
];

/// What the system tells of why it booted, below `root`. To be asked at each start, so that the crash records are
/// known; what it tells is of this boot only when the machine booted since the last start.
pub fn reasons(root: &Path, directory: &Path) -> Vec<&'static str> {
    let mut reasons = Vec::new();
    if new_crash(root, directory) {
        reasons.push("kernel-panic");
    }
    let status = watchdogs(root);
    reasons.extend(STATUS.iter().filter(|(bit, _)| status & bit != 0).map(|(_, reason)| *reason));
    reasons
}

/// The bits that any watchdog says.
fn watchdogs(root: &Path) -> u32 {
    let found = std::fs::read_dir(root.join("sys/class/watchdog")).into_iter().flatten().flatten();
    let said = found.filter_map(|watchdog| {
        let text = std::fs::read_to_string(watchdog.path().join("bootstatus")).ok()?;
        text.trim().parse::<u32>().ok()
    });
    said.fold(0, |all, status| all | status)
}

fn new_crash(root: &Path, directory: &Path) -> bool {
    let mut records = BTreeSet::new();
    for (folder, begins) in [("sys/fs/pstore", "dmesg-"), ("var/lib/systemd/pstore", "")] {
        let found = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
        let named = found.filter_map(|record| record.file_name().into_string().ok());
        records.extend(named.filter(|name| name.starts_with(begins)).take(RECORDS));
    }
    let path = directory.join("crashes");
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let known: BTreeSet<&str> = before.lines().collect();
    let new = records.iter().any(|record| !known.contains(record.as_str()));
    let text: String = records.iter().flat_map(|record| [record.as_str(), "\n"]).collect();
    if text != before
        && let Err(error) = write_whole(&path, text.as_bytes())
    {
        tracing::warn!(%error, path = %path.display(), "crash records not kept; the next start may tell them again");
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn a_crash_is_told_once_however_long_its_record_stays() {
        let (root, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let tell = || reasons(root.path(), data.path());
        assert!(tell().is_empty());
        put(root.path(), "sys/fs/pstore/console-ramoops-0", "the log of every boot");
        assert!(tell().is_empty());
        put(root.path(), "sys/fs/pstore/dmesg-ramoops-0", "Kernel panic");
        assert_eq!(tell(), ["kernel-panic"]);
        assert!(tell().is_empty());
        std::fs::remove_file(root.path().join("sys/fs/pstore/dmesg-ramoops-0")).unwrap();
        assert!(tell().is_empty());
        put(root.path(), "sys/fs/pstore/dmesg-ramoops-0", "another");
        assert_eq!(tell(), ["kernel-panic"], "a removed record leaves its name free");
    }

    #[test]
    fn a_watchdog_names_what_its_hardware_saw() {
        let (root, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        put(root.path(), "sys/class/watchdog/watchdog0/bootstatus", "0\n");
        assert!(reasons(root.path(), data.path()).is_empty());
        put(root.path(), "sys/class/watchdog/watchdog1/bootstatus", "48\n");
        assert_eq!(reasons(root.path(), data.path()), ["under-voltage", "watchdog"]);
    }
}
