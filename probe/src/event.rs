//! What came unasked: an agent's own starts and stops, links, and what listeners hear.

use crate::moment::Moment;
use serde::{Deserialize, Serialize};

/// Something an agent noticed without asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When the agent saw it.
    pub at: Moment,
    /// What happened.
    pub kind: EventKind,
    /// Which part of the machine or LAN: an interface, an uplink, or empty.
    pub part: String,
}

macro_rules! event_kinds {
    ($($id:literal $variant:ident $name:literal $help:literal;)*) => {
        /// Kind of an [`Event`]. The number is its identity on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u16)]
        pub enum EventKind { $(#[doc = $help] $variant = $id,)* }

        impl EventKind {
            /// All kinds, by number.
            pub const ALL: &'static [EventKind] = &[$(EventKind::$variant),*];

            /// The kind with this wire number.
            pub fn from_id(id: u16) -> Option<EventKind> {
                match id { $($id => Some(EventKind::$variant),)* _ => None }
            }
            /// Name in API and logs.
            pub fn name(self) -> &'static str { match self { $(EventKind::$variant => $name,)* } }
        }
    };
}

event_kinds! {
    1 AgentStarted "agent-started" "the agent process started";
    2 AgentStopped "agent-stopped" "the agent process was told to stop";
    3 MachineBooted "machine-booted" "the machine booted since the agent last ran";
    4 LinkUp "link-up" "an interface came up";
    5 LinkDown "link-down" "an interface went down";
    6 SpoolDropped "spool-dropped" "the spool was full and dropped its oldest records";
    7 LivenessHeard "liveness-heard" "the collector's liveness packets arrive again on an uplink";
    8 LivenessSilent "liveness-silent" "the collector's liveness packets stopped on an uplink";
    9 ClockStepped "clock-stepped" "the wall clock was stepped against the monotonic clock";
    16 PlanTaken "plan-taken" "the agent runs a plan the collector delivered";
    17 PlanRefused "plan-refused" "the agent refused a plan the collector delivered, and runs the one before";
    18 UplinkUnbound "uplink-unbound" "an uplink could not be bound to its interface or source, and is not used";
}
