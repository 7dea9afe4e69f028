//! Why a packet is dropped.

/// Why a datagram is not counted. Nothing changes by a dropped datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[error("liveness packet dropped: {}", self.name())]
pub enum Dropped {
    /// Too short for its mode, or TLVs that do not add up.
    Garbage,
    /// Longer than [`MAX_PACKET`](super::MAX_PACKET).
    Oversized,
    /// No session has this id.
    UnknownSession,
    /// An HMAC does not match, or the HMAC TLV is missing or misplaced.
    BadHmac,
    /// Authentic, but without a life TLV of a version known here.
    NoLife,
    /// Authentic, but an answer where a request was due, or the other way round.
    WrongRole,
    /// The sequence number was counted before.
    Replayed,
    /// The sequence number is too far behind to tell whether it was counted before.
    Late,
    /// An answer to nothing this sender has asked.
    Unasked,
    /// A start that was not admitted, with a cookie that is not fresh. It is answered with a challenge
    /// ([`Reflected::Challenged`](super::Reflected::Challenged)) and counts as nothing.
    StaleCookie,
    /// A measuring packet of a start that is not admitted, or beyond what one session may measure in a minute.
    Unmeasured,
}

impl Dropped {
    /// All reasons, for counters that start at zero.
    pub const ALL: [Dropped; 11] = [
        Dropped::Garbage,
        Dropped::Oversized,
        Dropped::UnknownSession,
        Dropped::BadHmac,
        Dropped::NoLife,
        Dropped::WrongRole,
        Dropped::Replayed,
        Dropped::Late,
        Dropped::Unasked,
        Dropped::StaleCookie,
        Dropped::Unmeasured,
    ];

    /// Stable short name, for counters.
    pub fn name(self) -> &'static str {
        match self {
            Dropped::Garbage => "garbage",
            Dropped::Oversized => "oversized",
            Dropped::UnknownSession => "unknown-session",
            Dropped::BadHmac => "bad-hmac",
            Dropped::NoLife => "no-life",
            Dropped::WrongRole => "wrong-role",
            Dropped::Replayed => "replayed",
            Dropped::Late => "late",
            Dropped::Unasked => "unasked",
            Dropped::StaleCookie => "stale-cookie",
            Dropped::Unmeasured => "unmeasured",
        }
    }
}
