//! A spool's identity on disk, and how small files are written.

use super::SpoolError;
use haidang_probe::key::hex;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The spool's identity, made at random when there is none. It lives beside the journal: a wiped disk starts
/// a new spool, whose numbers cannot be taken for repeats.
///
/// A spool is one agent's. When the plan names another, the old one is moved aside whole: the collector would
/// take none of its batches with this agent's token, and they would stand in the way of the new ones.
pub(super) fn of(directory: &Path, agent: &str) -> Result<u64, SpoolError> {
    let path = directory.join("id");
    let fault = |source| SpoolError::Identity { path: path.clone(), source };
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let (id, owner) = text.trim().split_once(' ').unwrap_or((text.trim(), agent));
            let id = u64::from_str_radix(id, 16).map_err(|error| fault(io::Error::other(error)))?;
            if owner == agent {
                return Ok(id);
            }
            let aside = directory.with_extension(format!("{id:016x}"));
            std::fs::rename(directory, &aside).map_err(fault)?;
            let aside = aside.display();
            tracing::warn!(owner, agent, %aside, "the spool is another agent's: moved aside, a new one begun");
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(fault(error)),
    }
    make(&path, agent).map_err(fault)
}

fn make(path: &Path, agent: &str) -> io::Result<u64> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut id = [0; 8];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    write_whole(path, format!("{} {agent}\n", hex(&id)).as_bytes())?;
    Ok(u64::from_be_bytes(id))
}

/// Writes a small file, for its owner alone, so that after a crash it is there whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    std::fs::File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}
