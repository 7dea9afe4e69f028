//! A spool's identity on disk, and how small files are written.

use super::SpoolError;
use haidang_probe::key::hex;
use std::io::{self, Write as _};
use std::path::Path;

/// The spool's identity, made at random when there is none. It lives beside the journal: a wiped disk starts
/// a new spool, whose numbers cannot be taken for repeats.
pub(super) fn of(directory: &Path) -> Result<u64, SpoolError> {
    let path = directory.join("id");
    let fault = |source| SpoolError::Identity { path: path.clone(), source };
    std::fs::create_dir_all(directory).map_err(fault)?;
    match std::fs::read_to_string(&path) {
        Ok(text) => u64::from_str_radix(text.trim(), 16).map_err(|error| fault(io::Error::other(error))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut id = [0; 8];
            getrandom::fill(&mut id).map_err(|error| fault(io::Error::other(error)))?;
            write_whole(&path, hex(&id).as_bytes()).map_err(fault)?;
            Ok(u64::from_be_bytes(id))
        }
        Err(error) => Err(fault(error)),
    }
}

/// Writes a small file so that after a crash it is there whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut file = std::fs::File::create(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    std::fs::File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}
