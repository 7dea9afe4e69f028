//! A fault: one root, found by the detector, with the lines it silences, until all of them live again.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Number of a fault; never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FaultId(pub u64);

/// What the fault is at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum At {
    /// Something in the record.
    Node(super::graph::Node),
    /// Lines of a carrier that fell silent together, and nothing in the record explains it.
    Group {
        /// The carrier's id.
        carrier: String,
        /// Id of the first line, which names the group.
        first: String,
    },
    /// A power line, by its id: its sites went dark together.
    Feeder(String),
}

/// What the evidence says of who is behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Witness {
    /// A witness settles it: our port silent or answering, a living second line, the gateway answering.
    Conclusive,
    /// Nothing tells the possible causes apart.
    Open,
}

/// A live fault. Times are UTC ms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Its root.
    pub at: At,
    /// First missed send.
    pub began: i64,
    /// First missed send since its members last lived: `began`, until it falls silent again.
    pub fell: i64,
    /// When it was judged; when it fell again, judged anew.
    pub judged: i64,
    /// Lines it silences, by index.
    pub lines: BTreeSet<usize>,
    /// It is at something that sites share: a member may still be found out to belong to it.
    pub shared: bool,
    /// It is the agent that is silent; its lines live.
    pub is_agent: bool,
    /// How sure the root is.
    pub witness: Witness,
    /// Most of the recorded members fell, not all: the record is doubtful.
    pub doubtful: bool,
    /// The root answered again: send time of the first reply through it.
    pub cleared: Option<i64>,
    /// All members live since.
    pub returned: Option<i64>,
    /// Longest silence of it that is over, ms.
    pub longest: i64,
    /// It flaps: time between its last two falls, ms.
    pub flaps: Option<i64>,
}

impl Fault {
    /// Its longest silence, the one that lasts counted up to `now`, ms.
    pub fn longest_by(&self, now: i64) -> i64 {
        self.longest.max(if self.cleared.is_none() { now - self.fell } else { 0 })
    }
}

/// What changed in one tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new fault.
    Found(FaultId),
    /// A fault turned out to be part of another, wider one, which takes its place.
    Adopted {
        /// The fault that is no longer.
        child: FaultId,
        /// The one that explains it.
        by: FaultId,
    },
    /// Its lines, or its standing, changed.
    Revised(FaultId),
    /// It was not over yet and fell silent again, after answering.
    Relapsed(FaultId),
    /// All its lines lived long enough.
    Over(FaultId),
}
