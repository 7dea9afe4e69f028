//! Configuration text to structs, with every error at its place.
//!
//! ```text
//! sites/28249.yml:7:5: unknown key `circut`; did you mean `circuit`?
//! └─ file ──────┘ │ └ column (characters, from 1)
//!                 └ line (from 1)
//! ```
//!
//! [`read`] and [`parse`] stop at the first fault of a file, since what follows a wrong shape is guesswork;
//! checks of meaning go on and report each fault at its place with [`Spanned`] and [`Fault::at`], so one run
//! shows all there is. [`Faults`] collects and sorts them. Structs opt in to strictness with
//! `#[serde(deny_unknown_fields)]`. `Spanned` knows no position inside `flatten`, `untagged` and `tag = "…"`
//! (serde buffers those); wrap the whole enum instead.
//!
//! ```
//! use haidang_daemon::yaml::{self, Fault, Faults, Spanned};
//! # use std::path::Path;
//! #[derive(Debug, serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Site { commune: Spanned<String> }
//!
//! let file = Path::new("sites/a.yml");
//! let mut faults = Faults::default();
//! let site: Option<Site> = faults.keep(yaml::parse(file, "commune: 28248"));
//! if let Some(site) = &site && site.commune.value != "28249" {
//!     let message = yaml::unknown("commune", &site.commune.value, ["28249"]);
//!     faults.push(Fault::at(file, site.commune.referenced, message));
//! }
//! let told = faults.or(site).unwrap_err().to_string();
//! assert_eq!(told, "sites/a.yml:1:10: unknown commune `28248`; did you mean `28249`?");
//! ```
//!
//! Limits: [`MAX_FILE_BYTES`], one document a file, 32 levels deep, 20 000 values repeated by aliases.
//! Beyond them a file is refused, not cut. Booleans are `true` and `false` only: `no` is a word.
//! Messages never repeat a value whose key, or a key above it, sounds like a secret.

mod asked;
mod files;
mod node;
mod scalar;
mod spanned;
mod spot;
mod words;
mod wrong;

pub use files::files;
pub(crate) use files::{directories, is_yaml};
use serde::de::DeserializeOwned;
pub use spanned::{Location, Spanned};
use std::fmt;
use std::path::{Path, PathBuf};
pub use words::{suggest, unknown};

/// Largest configuration file read, bytes.
pub const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// Deepest nesting of mappings and sequences.
const MAX_DEPTH: usize = 32;
/// Places that [`places`] names; the rest is counted.
const MAX_PLACES: usize = 5;
/// Most values that aliases may repeat in one file: the end of an alias bomb.
const MAX_ALIASED_EVENTS: usize = 20_000;

/// Something wrong in a file, at its place. Sorts by file, line and column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{}:{line}:{column}: {message}", .file.display())]
pub struct Fault {
    /// The file, as the reader was given it.
    pub file: PathBuf,
    /// Line from 1; 1 when the fault is the file's as a whole.
    pub line: u64,
    /// Column in characters from 1; 1 when the fault is the file's as a whole.
    pub column: u64,
    /// What is wrong and, where known, what would be right.
    pub message: String,
}

impl Fault {
    /// A fault of the file as a whole.
    pub fn whole(file: &Path, message: impl Into<String>) -> Fault {
        Fault { file: file.into(), line: 1, column: 1, message: message.into() }
    }

    /// A fault at `place`; of the whole file when the place is not known.
    pub fn at(file: &Path, place: Location, message: impl Into<String>) -> Fault {
        let (line, column) = (place.line().max(1), place.column().max(1));
        Fault { file: file.into(), line, column, message: message.into() }
    }

    /// `file:line:col` alone: what a log or a console may say, since messages repeat values of the file.
    pub fn place(&self) -> String {
        format!("{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// Where something is wrong, [`MAX_PLACES`] places at most: for logs, which must not repeat what the files say.
pub fn places(faults: &[Fault]) -> String {
    let shown: Vec<String> = faults.iter().take(MAX_PLACES).map(Fault::place).collect();
    let more = faults.len().saturating_sub(MAX_PLACES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("wrong at {}{more}", shown.join(", "))
}

/// All that is wrong with a configuration, in the order a person would read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Adds one.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Keeps the value, or the fault in its place.
    pub fn keep<T>(&mut self, result: Result<T, Fault>) -> Option<T> {
        result.map_err(|fault| self.push(fault)).ok()
    }

    /// Whether nothing is wrong so far.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value when nothing is wrong, else all that is, sorted and each said once.
    pub fn or<T>(mut self, value: T) -> Result<T, Faults> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort();
        self.0.dedup();
        Err(self)
    }

    /// The faults; in reading order once [`Faults::or`] gave them back.
    pub fn all(&self) -> &[Fault] {
        &self.0
    }
}

impl Extend<Fault> for Faults {
    fn extend<I: IntoIterator<Item = Fault>>(&mut self, faults: I) {
        self.0.extend(faults);
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Faults {
        Faults(vec![fault])
    }
}

/// One fault a line.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, fault) in self.0.iter().enumerate() {
            let line = if nth == 0 { "" } else { "\n" };
            write!(f, "{line}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// Reads and parses one file.
///
/// # Errors
/// A file that cannot be read, exceeds a limit, is not YAML, or is not a `T`: one fault, the first.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Fault> {
    parse(path, &text(path)?)
}

/// The text of one configuration file, at most [`MAX_FILE_BYTES`].
pub fn text(path: &Path) -> Result<String, Fault> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| Fault::whole(path, format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Fault::whole(path, format!("is larger than {} MiB", MAX_FILE_BYTES >> 20)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.split(|&byte| byte == b'\n').count() as u64;
        Fault { file: path.into(), line, column: 1, message: "is not UTF-8 text".into() }
    })
}

/// Parses `text`; `file` is only a name for the fault.
pub fn parse<T: DeserializeOwned>(file: &Path, text: &str) -> Result<T, Fault> {
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(Fault::whole(file, format!("is larger than {} MiB", MAX_FILE_BYTES >> 20)));
    }
    let read = node::read(text).and_then(|root| T::deserialize(&root).map_err(|wrong| root.blamed(wrong)));
    read.map_err(|wrong| {
        let (place, message) = words::explain(&wrong, text);
        Fault::at(file, place, message)
    })
}

#[cfg(test)]
mod tests;
