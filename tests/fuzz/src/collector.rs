//! What people write for the collector, and for the rehearsal.

use crate::text;
use haidang_collector::config as record;
use haidang_collector::registry::{self, Registry};
use haidang_world::fault::Fault;
use haidang_world::map::Map;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;

const PROVINCE: &str = include_str!("../corpus/config/province.yml");

thread_local! {
    /// A folder for files; whoever runs it says by TMPDIR where. Of each thread, since tests feed targets side by side.
    static FOLDER: TempDir = tempfile::tempdir().expect("a folder for files");
}

fn folder() -> PathBuf {
    FOLDER.with(|folder| folder.path().to_owned())
}

static MAP: LazyLock<Map> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder for files");
    let config = province(folder.path());
    Map::new(config.topology).expect("the seed is a rehearsal")
});

/// The configuration of the seed, written into `folder`.
pub fn province(folder: &Path) -> record::Config {
    std::fs::write(folder.join("province.yml"), PROVINCE).expect("the folder can be written");
    record::load(folder).expect("the seed is a good configuration")
}

/// A configuration of one file. Every fault has its place in it.
pub fn config(octets: &[u8]) {
    std::fs::write(folder().join("province.yml"), octets).expect("the folder can be written");
    let Err(faults) = record::load(&folder()) else { return };
    let lines = octets.split(|octet| *octet == b'\n').count() as u64;
    for fault in &faults {
        assert!(!fault.message.is_empty() && fault.line >= 1 && fault.column >= 1, "{fault:?}");
        assert!(fault.line <= lines + 1, "{fault:?} of a file of {lines} lines");
    }
    assert!(!faults.is_empty(), "refused without a word");
}

/// The file of agents' secrets.
pub fn registry(octets: &[u8]) {
    let folder = folder().join("data");
    std::fs::create_dir_all(&folder).expect("the folder can be written");
    std::fs::write(folder.join(registry::FILE), octets).expect("the folder can be written");
    if let Err(error) = Registry::read(&folder) {
        assert!(!error.to_string().is_empty(), "refused without a word");
    }
}

/// A fault as it is ordered of the rehearsal.
pub fn fault(octets: &[u8]) {
    if let Err(refusal) = Fault::parse(&text(octets), &MAP) {
        assert!(!refusal.is_empty(), "refused without a word");
    }
}
