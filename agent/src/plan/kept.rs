//! The last good orders, on disk: what a restart runs, also when the collector cannot be reached.
//!
//! ```text
//! DATA/plan.yml   # base 1f2e3d4c5b6a7988      of the agent's own file when they were taken: Loaded::base
//!   0600          {"flush":"1s","uplinks":…    the orders as they came (JSON is YAML)
//! ```
//!
//! The file is replaced whole and synced. When the agent's own file says otherwise than it did, the orders no
//! longer count: a person at the site has the last word until the collector is heard again.

use super::Loaded;
use crate::spool::write_whole;
use haidang_probe::plan::{MAX_ORDERS_BYTES, PlanDigest};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// What the first line begins with.
const BASE: &str = "# base ";

/// Where orders are kept in the agent's directory.
pub fn path(directory: &Path) -> PathBuf {
    directory.join("plan.yml")
}

/// What runs at a start: the own file, with the orders kept for it if they are good.
pub fn restore(directory: &Path, own: &Loaded) -> Loaded {
    let path = path(directory);
    let kept = match read(&path, own.base()) {
        Ok(Some(orders)) => orders,
        Ok(None) => return own.clone(),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "orders kept earlier cannot be read");
            return own.clone();
        }
    };
    own.with(&kept).unwrap_or_else(|refusal| {
        tracing::warn!(%refusal, path = %path.display(), "orders kept earlier are not good any more");
        own.clone()
    })
}

/// Keeps `orders`, taken over the own file whose base is given.
///
/// # Errors
/// When the disk refuses; what was kept before stands.
pub fn keep(directory: &Path, base: PlanDigest, orders: &[u8]) -> io::Result<()> {
    let mut text = format!("{BASE}{}\n", base.hex()).into_bytes();
    text.extend_from_slice(orders);
    write_whole(&path(directory), &text)
}

/// Orders kept for this base, if there are some.
fn read(path: &Path, base: PlanDigest) -> io::Result<Option<Vec<u8>>> {
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut text = Vec::new();
    file.take((MAX_ORDERS_BYTES + 64) as u64).read_to_end(&mut text)?;
    let head = format!("{BASE}{}\n", base.hex());
    Ok(text.strip_prefix(head.as_bytes()).map(<[u8]>::to_vec))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::good;
    use std::os::unix::fs::PermissionsExt as _;

    const ORDERS: &str = r#"{"uplinks":[{"line":"any","ssid":2}],"checks":[{"name":"up","probe":"uptime"}]}"#;

    #[test]
    fn a_restart_runs_what_was_kept_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let own = good();
        assert_eq!(restore(dir.path(), &own).digest, own.digest, "nothing kept yet");
        keep(dir.path(), own.base(), ORDERS.as_bytes()).unwrap();
        assert_eq!(restore(dir.path(), &own).digest, PlanDigest::of(ORDERS.as_bytes()));
        let mode = std::fs::metadata(path(dir.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_changed_own_file_has_the_last_word() {
        let dir = tempfile::tempdir().unwrap();
        let mut own = good();
        keep(dir.path(), own.base(), ORDERS.as_bytes()).unwrap();
        own.plan.spool_bytes += 1;
        assert_ne!(restore(dir.path(), &own).digest, own.digest, "orders say nothing of that");
        own.plan.uplinks[0].collector = "https://moved.example".into();
        assert_eq!(restore(dir.path(), &own).digest, own.digest);
    }

    #[test]
    fn a_damaged_file_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let own = good();
        for orders in ["", "{\"uplinks\":", "\0\0\0"] {
            keep(dir.path(), own.base(), orders.as_bytes()).unwrap();
            assert_eq!(restore(dir.path(), &own).digest, own.digest, "{orders:?}");
        }
    }
}
