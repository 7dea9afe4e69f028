//! A scenario file: as much of it as its player needs. The lab itself plays and scores the rest.

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

/// A scenario.
#[derive(Clone, Debug, Deserialize)]
pub struct Scene {
    /// Its name.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// The topology it is played on.
    pub topology: String,
    /// Service hours that it sets, if any.
    #[serde(default)]
    pub hours: Option<Value>,
    /// What must come out.
    pub expect: Expect,
}

/// What must come out.
#[derive(Clone, Debug, Deserialize)]
pub struct Expect {
    /// What must be known of a gap afterwards.
    pub data: Option<Gap>,
}

/// A commune's samples of a gap, which must arrive after it.
#[derive(Clone, Debug, Deserialize)]
pub struct Gap {
    /// Whose.
    pub commune: String,
    /// From and to, seconds from the start.
    pub gap: [f64; 2],
    /// Share that must arrive.
    pub backfilled_fraction_min: f64,
    /// Within so many seconds of the gap's end.
    pub within_s: f64,
}

impl Scene {
    /// Reads a scenario.
    ///
    /// # Errors
    /// When the file is none.
    pub fn read(file: &Path) -> anyhow::Result<Scene> {
        let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("read {}", file.display()))
    }
}
