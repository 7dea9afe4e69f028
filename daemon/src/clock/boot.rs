//! Which boot the clock counts from: the machine's own, or the one a boot file describes.
//!
//! A boot file is looked at again at most once a second, and only when time is asked for. A file that cannot
//! be read or makes no sense leaves the last good boot in force, and says so once per change in the log.

use haidang_probe::moment::BootId;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

const MACHINE_BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// Least time between two looks at the boot file, nanoseconds.
const LOOK_EVERY_NS: u64 = 1_000_000_000;
/// How far a boot may seem to lie ahead: the file may be written while we are between reading the clock and it.
const AHEAD_NS: u64 = 1_000_000_000;
/// A boot file is three short members; more than this is some other file.
const MAX_BOOT_FILE: u64 = 4096;

/// Why a boot could not be established.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The file cannot be read.
    #[error("read boot id from {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file was read and does not say what it should.
    #[error("boot file {path}: {reason}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A boot: its id and what `CLOCK_MONOTONIC` showed when it began (zero for the machine's own).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Present {
    pub(super) id: BootId,
    pub(super) monotonic_ns: u64,
}

/// The present boot, and where to look for the next one.
#[derive(Debug)]
pub(super) struct Boot {
    file: Option<PathBuf>,
    looked_ns: AtomicU64,
    present: Mutex<(Present, Option<Mark>)>,
}

/// What tells one version of a file from the next without reading it.
type Mark = (Option<SystemTime>, u64, u64);

impl Boot {
    pub(super) fn machine() -> Result<Boot, BootError> {
        let path = Path::new(MACHINE_BOOT_ID);
        let text = read(path)?;
        let id = parse_uuid(text.trim())
            .ok_or_else(|| BootError::Content { path: path.into(), reason: "is not a uuid".into() })?;
        let present = Present { id, monotonic_ns: 0 };
        Ok(Boot { file: None, looked_ns: AtomicU64::new(0), present: Mutex::new((present, None)) })
    }

    pub(super) fn from_file(path: &Path, monotonic_now: u64) -> Result<Boot, BootError> {
        let mark = mark(path);
        let present = parse(path, monotonic_now)?;
        Ok(Boot {
            file: Some(path.into()),
            looked_ns: AtomicU64::new(monotonic_now),
            present: Mutex::new((present, mark)),
        })
    }

    pub(super) fn is_machine(&self) -> bool {
        self.file.is_none()
    }

    /// The present boot at `monotonic_now` (`CLOCK_MONOTONIC`), after a look at the file when one is due.
    pub(super) fn now(&self, monotonic_now: u64) -> Present {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = &self.file
            && monotonic_now.saturating_sub(self.looked_ns.load(Ordering::Relaxed)) >= LOOK_EVERY_NS
        {
            self.looked_ns.store(monotonic_now, Ordering::Relaxed);
            look(path, monotonic_now, &mut present);
        }
        present.0
    }
}

fn look(path: &Path, monotonic_now: u64, present: &mut (Present, Option<Mark>)) {
    let mark = mark(path);
    if mark == present.1 {
        return;
    }
    present.1 = mark;
    match parse(path, monotonic_now) {
        Ok(next) if next != present.0 => {
            tracing::info!(path = %path.display(), "boot file changed: a new boot begins");
            present.0 = next;
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "boot file changed and is not usable; the last boot stays"),
    }
}

fn mark(path: &Path) -> Option<Mark> {
    use std::os::unix::fs::MetadataExt as _;
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.modified().ok(), meta.len(), meta.ino()))
}

fn read(path: &Path) -> Result<String, BootError> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_BOOT_FILE).read_to_string(&mut text))
        .map_err(|source| BootError::Read { path: path.into(), source })?;
    Ok(text)
}

#[derive(Deserialize)]
struct BootFile {
    boot_id: String,
    /// For people and for the laboratory's own checks; the collector learns UTC from the clock map.
    #[allow(dead_code)]
    booted_at: f64,
    monotonic_ns: u64,
}

fn parse(path: &Path, monotonic_now: u64) -> Result<Present, BootError> {
    let fault = |reason: String| BootError::Content { path: path.into(), reason };
    let file: BootFile = serde_json::from_str(&read(path)?).map_err(|error| fault(error.to_string()))?;
    let id = parse_uuid(file.boot_id.trim()).ok_or_else(|| fault("boot_id is not a uuid".into()))?;
    if file.monotonic_ns > monotonic_now.saturating_add(AHEAD_NS) {
        return Err(fault(
            "monotonic_ns lies ahead of this machine's clock: it was written before a reboot".into(),
        ));
    }
    Ok(Present { id, monotonic_ns: file.monotonic_ns })
}

/// `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` (RFC 9562), any case, to its 16 bytes.
fn parse_uuid(text: &str) -> Option<BootId> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 || [8, 13, 18, 23].iter().any(|&dash| bytes[dash] != b'-') {
        return None;
    }
    let digits: Vec<u8> = bytes
        .iter()
        .filter(|&&b| b != b'-')
        .filter_map(|&b| (b as char).to_digit(16))
        .map(|d| d as u8)
        .collect();
    if digits.len() != 32 {
        return None;
    }
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    Some(BootId(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "00112233-4455-6677-8899-aabbccddeeff";
    const SECOND: &str = "ffeeddcc-bbaa-9988-7766-554433221100";
    const SECOND_NS: u64 = LOOK_EVERY_NS;

    fn write(path: &Path, id: &str, monotonic_ns: u64) {
        let text = format!(r#"{{"boot_id":"{id}","booted_at":1767225600,"monotonic_ns":{monotonic_ns}}}"#);
        // A rename, so that the inode tells two writes within one clock tick apart.
        let beside = path.with_extension("tmp");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, path).unwrap();
    }

    #[test]
    fn a_changed_boot_file_is_a_new_boot() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("boot.json");
        write(&path, FIRST, 5);
        let boot = Boot::from_file(&path, 100).unwrap();
        assert_eq!(boot.now(100), Present { id: parse_uuid(FIRST).unwrap(), monotonic_ns: 5 });
        write(&path, SECOND, 90);
        assert_eq!(boot.now(101).monotonic_ns, 5, "not looked at again within a second");
        assert_eq!(boot.now(100 + SECOND_NS), Present { id: parse_uuid(SECOND).unwrap(), monotonic_ns: 90 });
    }

    #[test]
    fn a_garbled_boot_file_leaves_the_last_boot() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("boot.json");
        write(&path, FIRST, 5);
        let boot = Boot::from_file(&path, 100).unwrap();
        std::fs::write(&path, "{").unwrap();
        assert_eq!(boot.now(100 + SECOND_NS).monotonic_ns, 5);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(boot.now(100 + 2 * SECOND_NS).monotonic_ns, 5);
    }

    #[test]
    fn refuses_a_boot_that_lies_ahead() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("boot.json");
        write(&path, FIRST, 101 + AHEAD_NS);
        let error = Boot::from_file(&path, 100).unwrap_err().to_string();
        assert!(error.contains("lies ahead"), "{error}");
    }

    #[test]
    fn uuid_is_read_strictly() {
        assert_eq!(parse_uuid(FIRST).unwrap().0[..3], [0x00, 0x11, 0x22]);
        assert_eq!(parse_uuid(&FIRST.to_uppercase()), parse_uuid(FIRST));
        for bad in
            ["", "00112233445566778899aabbccddeeff", &FIRST[1..], "0011223g-4455-6677-8899-aabbccddeeff"]
        {
            assert_eq!(parse_uuid(bad), None, "{bad}");
        }
    }
}
