//! Orders that lead to the collector by other ways are on trial until one of these ways has carried a batch: a wrong
//! address in the record would else strand its agent for good, since nothing could tell it otherwise any more.
//!
//! ```text
//! orders ── the same uplinks ─────────────────────────────▶ kept on disk
//!        └─ others ─▶ on trial ── a batch acknowledged ───▶ kept on disk
//!                        └─ none within TRIAL ─▶ what ran before runs again, PlanRefused `uplinks-silent`
//! ```
//!
//! Pure. Meanwhile the disk holds what ran before, so a restart is a way back too.

use crate::plan::Loaded;
use bytes::Bytes;
use std::time::Duration;

/// Shortest trial, and how often batches must have been due in one: an uplink that answers at all does so in seconds.
const TRIAL: Duration = Duration::from_secs(180);
const FLUSHES: u32 = 2;

/// Orders that run and are not kept yet.
pub(super) struct Trial {
    /// As they came.
    pub orders: Bytes,
    /// What ran before.
    pub before: Loaded,
    /// Acknowledgements over the uplinks in use when it began: those that stayed may have some.
    acknowledged: u64,
    until_ns: u64,
}

/// What ends a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// A batch got through: the orders are good.
    Carried,
    /// None did: back to what ran before.
    Silent,
}

impl Trial {
    /// Begins now. `flush` is the orders', `acknowledged` what their uplinks have carried so far.
    pub fn begin(orders: Bytes, before: Loaded, flush: Duration, acknowledged: u64, now_ns: u64) -> Trial {
        let span = TRIAL.max(flush.saturating_mul(FLUSHES));
        Trial { orders, before, acknowledged, until_ns: now_ns + span.as_nanos() as u64 }
    }

    /// Whether it ends, given what the uplinks in use have carried by now.
    pub fn end(&self, acknowledged: u64, now_ns: u64) -> Option<End> {
        if acknowledged > self.acknowledged {
            return Some(End::Carried);
        }
        (now_ns >= self.until_ns).then_some(End::Silent)
    }

    /// When it ends without an acknowledgement.
    pub fn until_ns(&self) -> u64 {
        self.until_ns
    }
}
