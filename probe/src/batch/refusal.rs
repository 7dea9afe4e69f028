//! Why an envelope is not taken.

/// Why an envelope, or an acknowledgement, is refused. Nothing of a refused envelope is kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The octets end before what they announce.
    #[error("envelope is truncated")]
    Truncated,
    /// The octets are not what the format says; the text names the first thing wrong.
    #[error("envelope is garbled: {0}")]
    Garbled(&'static str),
    /// More than a limit allows; the text names the limit.
    #[error("envelope is oversized: more than {1} {0}")]
    Oversized(&'static str, usize),
    /// The payload decompresses to more than it may.
    #[error("payload decompresses to more than {0} octets")]
    ZipBomb(usize),
    /// A version of the format this program does not know.
    #[error("envelope has version {0}, which is not known here")]
    UnknownVersion(u32),
}

impl Refusal {
    /// Names of all reasons, for counters that start at zero.
    pub const NAMES: [&'static str; 5] = ["truncated", "garbled", "oversized", "zip-bomb", "unknown-version"];

    /// Stable short name, for counters and answers.
    pub fn name(&self) -> &'static str {
        match self {
            Refusal::Truncated => Self::NAMES[0],
            Refusal::Garbled(_) => Self::NAMES[1],
            Refusal::Oversized(..) => Self::NAMES[2],
            Refusal::ZipBomb(_) => Self::NAMES[3],
            Refusal::UnknownVersion(_) => Self::NAMES[4],
        }
    }
}

/// `Ok` when `count` of `what` is within `limit`.
pub(super) fn within(count: usize, what: &'static str, limit: usize) -> Result<(), Refusal> {
    if count > limit { Err(Refusal::Oversized(what, limit)) } else { Ok(()) }
}
