//! Programs of ours killed with -9 at the nth step of a kind that they take on the disk: `strace` counts, and kills
//! before the step is taken. Every point a crash can come at is tried by counting up, kind by kind, until the program
//! ends by itself.

use crate::proof::unproved;
use crate::stage::program;
use anyhow::Context as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

/// Kinds of calls that change what stands on a disk; each is counted by itself.
pub const KINDS: [&str; 13] = [
    "?mkdir",
    "?mkdirat",
    "?copy_file_range",
    "?chmod",
    "?fchmod",
    "?fchmodat",
    "?linkat",
    "?unlink",
    "?unlinkat",
    "?write",
    "?fsync",
    "?rename",
    "?renameat2",
];
/// Signal that kills.
const KILL: i32 = 9;

/// Whether programs can be killed so here; says why not.
pub fn possible() -> bool {
    let found = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    let possible = found.is_ok_and(|status| status.success());
    if !possible {
        unproved("kill", "there is no strace here that may trace");
    }
    possible
}

/// Starts a program that is killed before its nth step of a kind; with paths, of its steps on these.
///
/// # Errors
/// When it cannot be started.
pub fn start(
    kind: &str,
    nth: usize,
    paths: &[&str],
    name: &str,
    arguments: &[&str],
) -> anyhow::Result<Child> {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={kind}")]);
    command.args(["-e", &format!("inject={kind}:signal=KILL:when={nth}")]);
    command.args(paths.iter().flat_map(|path| ["-P", path]));
    command.arg(program(name)?).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().with_context(|| format!("start strace of {name}"))
}

/// Runs a program each of whose steps of a kind the system refuses, with an error by its name.
///
/// # Errors
/// When it cannot be started.
pub fn refused(kind: &str, error: &str, name: &str, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={kind}")]);
    command.args(["-e", &format!("inject={kind}:error={error}")]);
    command.arg(program(name)?).args(arguments).stdin(Stdio::null());
    command.output().with_context(|| format!("start strace of {name}"))
}

/// Whether a program was killed; strace dies as what it traces does.
pub fn was_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    status.signal() == Some(KILL)
}

/// Copies a folder with all in it.
///
/// # Errors
/// When something does not read, or cannot be written.
pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
