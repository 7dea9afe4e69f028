//! Log lines a person can read and `grep` can cut: one event a line, `key=value`, on stderr.
//!
//! ```text
//! 2026-01-01T00:00:00.123456Z INFO haidang_agent::uplink batch sent line="L-28249-1" seq=42
//! ```

use std::io::IsTerminal as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Environment variable read when no level is given on the command line.
pub const VARIABLE: &str = "HAIDANG_LOG";

/// What is logged when nobody says anything.
const DEFAULT: &str = "info";

/// A library that warns of every datagram it cannot read: more than errors is said only where somebody names it.
const QUIET: (&str, LevelFilter) = ("async_snmp", LevelFilter::ERROR);

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level or filter cannot be understood.
    #[error(
        "log filter `{filter}` from {origin}: {reason}; write a level (error, warn, info, debug, trace) or `part=level,…`"
    )]
    Filter {
        /// What was given.
        filter: String,
        /// Where it was given: `--log` or [`VARIABLE`].
        origin: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Logging was set up before.
    #[error("set up logging: {0}")]
    Twice(String),
}

/// Sets up logging for the whole process. `level` is what `--log` said; without it [`VARIABLE`] counts, then
/// `info`. Colour only when stderr is a terminal and `NO_COLOR` is unset or empty.
pub fn init(level: Option<&str>) -> Result<(), LogError> {
    let variable = std::env::var(VARIABLE).ok().filter(|value| !value.is_empty());
    let (text, origin) = match (level, &variable) {
        (Some(text), _) => (text, "--log"),
        (None, Some(text)) => (text.as_str(), VARIABLE),
        (None, None) => (DEFAULT, "--log"),
    };
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colour);
    tracing_subscriber::registry()
        .with(filter(text, origin)?)
        .with(lines)
        .try_init()
        .map_err(|error| LogError::Twice(error.to_string()))
}

/// Levels by part, and nothing more: filters by the content of spans would bring an engine of regular expressions along.
fn filter(text: &str, origin: &'static str) -> Result<Targets, LogError> {
    let levels = text.parse::<Targets>().map_err(|error| LogError::Filter {
        filter: text.into(),
        origin,
        reason: error.to_string(),
    })?;
    Ok(if text.contains(QUIET.0) { levels } else { levels.with_target(QUIET.0, QUIET.1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_level_or_a_level_per_part() {
        for good in ["info", "debug", "warn,haidang_agent::uplink=trace"] {
            assert!(filter(good, "--log").is_ok(), "{good}");
        }
    }

    #[test]
    fn a_wrong_level_says_where_it_was_given_and_what_is_right() {
        let error = filter("haidang_agent=loud", VARIABLE).unwrap_err().to_string();
        assert!(error.contains("`haidang_agent=loud` from HAIDANG_LOG"), "{error}");
        assert!(error.contains("debug"), "{error}");
    }
}
