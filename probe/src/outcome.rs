//! One run of a check, and why it failed if it did. A failed probe is a measurement, not an error.

use crate::{check::CheckId, metric::Metric, moment::Moment};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One run of one check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which check ran.
    pub check: CheckId,
    /// When its first packet was sent.
    pub sent: Moment,
    /// How long the answer took, or why there was none.
    pub result: Result<Duration, Failure>,
    /// What else it measured (counters, status codes); `probe_success` and duration are not repeated here.
    pub samples: Vec<Sample>,
}

/// One value of one metric, with the part of the target it speaks of (an interface, a certificate).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// What was measured.
    pub metric: Metric,
    /// Which part of the target: an interface name, or empty for the whole.
    pub part: String,
    /// The value in the metric's base unit.
    pub value: f64,
}

macro_rules! failures {
    ($($id:literal $variant:ident $name:literal $tells:literal $help:literal;)*) => {
        /// Why a check got no good answer. The number is its identity on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum Failure { $(#[doc = $help] $variant = $id,)* }

        impl Failure {
            /// All failures, by number.
            pub const ALL: &'static [Failure] = &[$(Failure::$variant),*];

            /// The failure with this wire number.
            pub fn from_id(id: u8) -> Option<Failure> {
                match id { $($id => Some(Failure::$variant),)* _ => None }
            }
            /// The failure with this wire number, or the nearest thing this version can say: numbers from
            /// 32 on are failures on the agent's own side, those below speak of the target.
            pub fn from_newer(id: u64) -> Failure {
                let known = u8::try_from(id).ok().and_then(Failure::from_id);
                known.unwrap_or(if id < 32 { Failure::Other } else { Failure::Local })
            }
            /// Name in labels and API.
            pub fn name(self) -> &'static str { match self { $(Failure::$variant => $name,)* } }
            /// Whether it says something about the target. A failure on our own side (no permission, no
            /// such probe) leaves the target unknown.
            pub fn tells_of_target(self) -> bool { match self { $(Failure::$variant => $tells,)* } }
        }
    };
}

failures! {
    1 Timeout "timeout" true "no answer within the time-out";
    2 Refused "refused" true "the target refused the connection";
    3 Unreachable "unreachable" true "the network says there is no way there";
    4 Resolve "resolve" true "the name did not resolve";
    5 Tls "tls" true "the TLS handshake failed";
    6 Status "status" true "an answer came with a status that was not expected";
    7 Protocol "protocol" true "an answer came that does not follow the protocol";
    8 Body "body" true "the answer's body did not match";
    9 Reset "reset" true "the target closed the connection early";
    12 Loop "loop" true "redirects or aliases lead in a circle, or further than they are followed";
    13 Encoding "encoding" true "the body came compressed though it was asked for plain, and could not be matched";
    16 SnmpAuth "snmp-auth" true "the device refuses the credential: user, password or level of security";
    17 SnmpError "snmp-error" true "the device answered with an SNMP error status";
    18 SnmpOrder "snmp-order" true "the device's OIDs do not increase, so reading them would never end";
    19 SnmpLimit "snmp-limit" true "the device has more to tell than is read of one device";
    20 Prohibited "prohibited" true "a router on the way says that it is forbidden to go there";
    21 Circle "circle" true "packets go in a circle: the same router answers twice on the way";
    31 Other "other" true "it failed in a way this version has no name for";
    32 NotPermitted "not-permitted" false "this machine does not permit the probe (socket rights)";
    33 Unsupported "unsupported" false "this agent does not know the probe";
    34 Local "local" false "the probe failed on this machine before anything was sent";
    35 TlsUnspoken "tls-unspoken" false "the target speaks only TLS that this agent does not: older than 1.2, or its ciphers";
    36 Credential "credential" false "the agent was not given the credential that the check names";
    37 Resting "resting" false "the agent ended by a fault of its own at this check, and leaves it alone for an hour";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_tell_whose_side_failed() {
        for &failure in Failure::ALL {
            assert_eq!(failure.tells_of_target(), (failure as u8) < 32, "{}", failure.name());
            assert_eq!(Failure::from_newer(failure as u64), failure);
        }
        assert_eq!(Failure::from_newer(30), Failure::Other);
        assert_eq!(Failure::from_newer(u64::MAX), Failure::Local);
    }
}
