//! What truly happened, for whoever compares it with what was detected: one JSON object a line.
//!
//! ```json
//! {"at":"2026-01-01T00:00:00.000Z","fault":"cut 28249","lines":["28249-1"],"sites":["28249-tt"]}
//! ```
//!
//! `fault` is the order in its one spelling, or `start` when the world began with nothing broken; `lines` and
//! `sites` are those that changed by it. What time does to a fault is noted too: `flap 28249 60 30: up`, `: down`,
//! `power my-tho: goes on` for the next site, `heal …` when it is over by itself. An interruption of the background
//! is `background cut SITE` or `background power SITE`. A gateway that changes over by itself is `failover SITE` or
//! `failback SITE`, and `lines` names the one it rides on from then on.

use crate::standing::Change;
use anyhow::Context as _;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Size at which the log begins anew at a start; the one before is kept beside it as `.old`.
const MAX_BYTES: u64 = 16 << 20;

/// The open log.
pub struct Truth(File);

#[derive(Serialize)]
struct Line<'a> {
    at: String,
    fault: &'a str,
    lines: &'a BTreeSet<String>,
    sites: &'a BTreeSet<String>,
}

impl Truth {
    /// Opens the log and notes the start.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn open(path: &Path, utc_ms: i64) -> anyhow::Result<Truth> {
        let large = path.metadata().is_ok_and(|file| file.len() > MAX_BYTES);
        if large {
            std::fs::rename(path, path.with_extension("jsonl.old"))
                .with_context(|| format!("rename {}", path.display()))?;
        }
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
        let mut truth = Truth(file.with_context(|| format!("open {}", path.display()))?);
        truth.note(
            &Change { order: "start".into(), lines: BTreeSet::new(), sites: BTreeSet::new() },
            utc_ms,
        )?;
        Ok(truth)
    }

    /// Notes a change.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn note(&mut self, change: &Change, utc_ms: i64) -> anyhow::Result<()> {
        let at = jiff::Timestamp::from_millisecond(utc_ms).context("time of a change")?;
        let at = format!("{at:.3}");
        let line = Line { at, fault: &change.order, lines: &change.lines, sites: &change.sites };
        let mut text = serde_json::to_string(&line).context("a line of the truth log")?;
        text.push('\n');
        self.0.write_all(text.as_bytes()).context("write the truth log")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_when_and_whom() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("truth.jsonl");
        let change = Change {
            order: "cut 28249".into(),
            lines: ["28249-1".into()].into(),
            sites: ["28249-tt".into()].into(),
        };
        Truth::open(&path, 0).unwrap().note(&change, 1_767_225_600_005).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let last = text.lines().last().unwrap();
        assert_eq!(
            last,
            r#"{"at":"2026-01-01T00:00:00.005Z","fault":"cut 28249","lines":["28249-1"],"sites":["28249-tt"]}"#
        );
    }

    #[test]
    fn a_second_run_goes_on_in_the_same_log_until_it_is_large() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("truth.jsonl");
        for _ in 0..2 {
            Truth::open(&path, 0).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
        File::options().write(true).open(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
        Truth::open(&path, 0).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
        assert!(directory.path().join("truth.jsonl.old").exists());
    }
}
