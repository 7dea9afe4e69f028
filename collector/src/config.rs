//! The configuration: a directory of YAML files becomes one [`Config`], whole or not at all.
//!
//! ```text
//! *.yml ─parse─▶ trees ─read─▶ draft ─link─▶ Config
//!          │              │             │
//!          └──────────────┴─────────────┴──▶ every fault of the directory, sorted: file:line:col: message
//! ```
//!
//! Every `*.yml` and `*.yaml` directly in the directory and in its folder `sites` (what `import` writes) is read, in
//! order of path; other folders are not. Any file may hold any of the top-level keys. Lists (`areas`, `communes`,
//! `carriers`, `hand_offs`, `pops`, `sites`, `feeders`, `services`, `checks`, `credentials`) add up over the files; `province`,
//! `collector` and `defaults` stand once.
//!
//! A value that is wrong leaves its default in the draft, so that reading goes on and one run finds all there
//! is; a draft with a fault never becomes a `Config`. Nothing here opens a socket or reads a clock.

mod administration;
mod asked;
mod credentials;
mod draft;
mod fields;
mod hours;
mod link;
mod needs;
mod network;
mod settings;
mod site;
mod tree;
mod value;

use crate::topology::Topology;
use draft::Draft;
use haidang_daemon::yaml;
pub use haidang_daemon::yaml::Fault;
use haidang_probe::{credential::Credentials, key};
pub use settings::{Agents, Certificates, Journal, Series, Settings};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The folder of the directory that is read too, one level deep: what `import` writes.
pub const SITES: &str = "sites";
/// Most files of a directory; more than that is a wrong directory, not a province.
pub const MAX_FILES: usize = 1024;

/// What the collector runs by.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The province.
    pub topology: Topology,
    /// The program's own settings.
    pub collector: Settings,
    /// As whom agents ask devices.
    pub credentials: Credentials,
    /// SHA-256 over names and contents of the files, hex: whether an edit changed anything.
    pub digest: String,
}

impl Config {
    /// One line for people: `102 communes, 160 sites, 221 lines, 2 carriers`. Communes that ended and the centre
    /// are not counted.
    pub fn summary(&self) -> String {
        let topology = &self.topology;
        let standing = topology.communes.values().filter(|commune| commune.valid_to.is_none());
        [
            (standing.count(), "commune"),
            (topology.offices().count(), "site"),
            (topology.lines.len(), "line"),
            (topology.carriers.len(), "carrier"),
        ]
        .map(|(count, one)| format!("{count} {one}{}", if count == 1 { "" } else { "s" }))
        .join(", ")
    }
}

/// Reads the directory.
///
/// # Errors
/// All faults of all files, sorted by file, line and column, each once.
pub fn load(directory: &Path) -> Result<Config, Vec<Fault>> {
    let files = files(directory).map_err(|fault| vec![fault])?;
    let mut draft = Draft::default();
    let mut digest = Sha256::new();
    for file in files {
        match yaml::text(&file) {
            Ok(text) => {
                let name = file.strip_prefix(directory).unwrap_or(&file);
                digest.update(name.as_os_str().as_encoded_bytes());
                digest.update([0]);
                digest.update((text.len() as u64).to_be_bytes());
                digest.update(&text);
                draft.read(&Arc::from(file), &text);
            }
            Err(fault) => draft.fault(fault),
        }
    }
    let (topology, collector, credentials) = link::link(draft, directory).map_err(sorted)?;
    Ok(Config { topology, collector, credentials, digest: key::hex(&digest.finalize()) })
}

fn sorted(faults: Vec<Fault>) -> Vec<Fault> {
    faults.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

/// The directory's YAML files and those of its folder [`SITES`], in order of path; at least one.
pub(crate) fn files(directory: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut files = files_in(directory)?;
    let sites = directory.join(SITES);
    if sites.is_dir() {
        files.append(&mut files_in(&sites)?);
    }
    if files.len() > MAX_FILES {
        return Err(Fault::whole(directory, format!("holds more than {MAX_FILES} files ending in .yml")));
    }
    if files.is_empty() {
        return Err(Fault::whole(directory, "holds no file ending in .yml; write at least one"));
    }
    files.sort();
    Ok(files)
}

fn files_in(directory: &Path) -> Result<Vec<PathBuf>, Fault> {
    let unreadable = |error| Fault::whole(directory, format!("the directory cannot be read: {error}"));
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        // An editor's lock or swap file (`.#sites.yml`) is not an edit.
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let yaml = path.extension().is_some_and(|end| end == "yml" || end == "yaml");
        if yaml && !hidden && !path.is_dir() {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            break;
        }
    }
    Ok(files)
}
