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
    /// What else is known of it: declared fields alone, never what was sent as a whole. At most [`MAX_FIELDS`].
    pub fields: Vec<(Field, String)>,
}

/// Fields of one event.
pub const MAX_FIELDS: usize = 8;
/// Octets of a field's value.
pub const MAX_VALUE_BYTES: usize = 128;

impl Event {
    /// An event that says nothing else.
    pub fn new(at: Moment, kind: EventKind, part: impl Into<String>) -> Event {
        Event { at, kind, part: part.into(), fields: Vec::new() }
    }

    /// The event with one more field. A value beyond [`MAX_VALUE_BYTES`] is cut at the end of a character, and an
    /// empty one, or a field beyond [`MAX_FIELDS`], is left out.
    pub fn with(mut self, field: Field, value: impl Into<String>) -> Event {
        let mut value: String = value.into();
        let fits = (0..=value.len().min(MAX_VALUE_BYTES)).rev().find(|at| value.is_char_boundary(*at));
        value.truncate(fits.unwrap_or_default());
        if !value.is_empty() && self.fields.len() < MAX_FIELDS {
            self.fields.push((field, value));
        }
        self
    }

    /// What it says of a field.
    pub fn says(&self, field: Field) -> Option<&str> {
        self.fields.iter().find(|(said, _)| *said == field).map(|(_, value)| value.as_str())
    }
}

macro_rules! fields {
    ($($id:literal $variant:ident $name:literal $class:ident $help:literal;)*) => {
        /// What a value of an [`Event`] is. The number is its identity on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u16)]
        pub enum Field { $(#[doc = $help] $variant = $id,)* }

        impl Field {
            /// All fields, by number.
            pub const ALL: &'static [Field] = &[$(Field::$variant),*];

            /// The field with this wire number.
            pub fn from_id(id: u16) -> Option<Field> {
                match id { $($id => Some(Field::$variant),)* _ => None }
            }
            /// Name in API and logs.
            pub fn name(self) -> &'static str { match self { $(Field::$variant => $name,)* } }
            /// Who may see it.
            pub fn class(self) -> Class { match self { $(Field::$variant => Class::$class,)* } }
        }
    };
}

/// Who may see a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Whoever sees the event.
    Open,
    /// Tells what stands where on a LAN: it leaves in no message, partner's view or log.
    Restricted,
}

fields! {
    1 Source "source" Restricted "address it came from";
    2 Mac "mac" Restricted "hardware address of a device, `aa:bb:cc:dd:ee:ff`";
    3 MacBefore "mac_before" Restricted "hardware address that was known before";
    4 Address "address" Restricted "address it is about, where it is not the source";
    5 Port "port" Open "name of the device's own interface (ifName, ifDescr)";
    6 PortIndex "port_index" Open "number of the device's own interface (ifIndex)";
    7 Oid "oid" Open "snmpTrapOID, dotted numbers";
    8 Facility "facility" Open "facility of a syslog message (RFC 5424 table 1)";
    9 Severity "severity" Open "severity of a syslog message (RFC 5424 table 2)";
    10 App "app" Open "program a syslog message says it is from";
    11 Count "count" Open "how many";
    12 Reason "reason" Open "why, by a stable name";
    13 Version "version" Open "version of the protocol spoken";
    14 Samples "samples" Open "how many measured values";
    30 Hop "hop" Open "number of a hop of a path, counted from the agent; 0 is the agent's own machine";
    31 Route "route" Restricted "addresses of the hops of a path, `*` for one that does not answer; `+N` where N more do not fit";
    32 Fingerprint "fingerprint" Restricted "of a path: first 8 octets of SHA-256 of its hops that answered, hex";
    33 FingerprintBefore "fingerprint_before" Restricted "of the path that was taken before";
    34 DefaultRoute "default_route" Open "`yes` where an uplink leaves as the machine's default route does, else `no`";
    35 Known "known" Open "hops of a path that stand in the record, as `NUMBER=KIND/ID`; `+N` where N more do not fit";
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
    10 SpoolReduced "spool-reduced" "records too old to be kept one by one were reduced to digests; `count` batches, and with them `samples` values beside their runs";
    16 PlanTaken "plan-taken" "the agent runs a plan the collector delivered";
    17 PlanRefused "plan-refused" "the agent refused a plan the collector delivered, and runs the one before";
    18 UplinkUnbound "uplink-unbound" "an uplink could not be bound to its interface or source, and is not used";
    20 BootReason "boot-reason" "why the machine booted, where the system tells for certain: `reason` says";
    26 PathShrank "path-shrank" "packets of full size do not get through an uplink: `count` octets do; `reason` is `told` by routers, or `black-hole`";
    27 PathWhole "path-whole" "packets of full size get through an uplink again";
    30 PathChanged "path-changed" "the way to a target or, by an uplink, to the collector is another than before; `hop` is the first that differs";
    31 PathBroken "path-broken" "the way to a silent target or collector ends early; `hop` is the last that answers, `reason` how it ends";
    32 PathReached "path-reached" "the way to a target or collector that is or was silent is whole, over `hop` hops";
    36 PortalChanged "portal-changed" "a portal's text or title is no longer the known one, or is again; `reason` says which; the part is the check";
    37 PortalSuspect "portal-suspect" "a portal's page shows signs of defacement: `count` gambling phrases; the part is the check";
    38 PortalClear "portal-clear" "a portal's page shows no signs of defacement any more; the part is the check";
    40 AuthFailure "auth-failure" "a device turned away a sign-in or a wrong community";
    41 ConfigChanged "config-changed" "the configuration of a device was changed";
    42 PortDown "port-down" "a device says that one of its interfaces went down";
    43 PortUp "port-up" "a device says that one of its interfaces came up";
    44 DeviceRestarted "device-restarted" "a device says that it started";
    45 SyslogHeard "syslog-heard" "a syslog message of no class we know";
    46 TrapHeard "trap-heard" "an SNMP notification of no class we know";
    50 NeighbourNew "neighbour-new" "a hardware address appeared on the LAN that was not known";
    51 NeighbourMoved "neighbour-moved" "an address, or a hardware address, moved";
    52 GatewayMoved "gateway-moved" "the default gateway answers with another hardware address";
    53 DhcpStranger "dhcp-stranger" "a DHCP server spoke that is not the gateway";
    60 HeardDropped "heard-dropped" "messages of a source were dropped; `reason` and `count` say why and how many";
    61 ListenerFailed "listener-failed" "a listener could not start; the part is its name";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event::new(Moment::default(), EventKind::SyslogHeard, "")
    }

    #[test]
    fn a_value_is_cut_between_characters() {
        let cut = event().with(Field::App, "ố".repeat(100));
        assert_eq!(cut.says(Field::App).map(str::len), Some(MAX_VALUE_BYTES - MAX_VALUE_BYTES % 3));
    }

    #[test]
    fn an_event_says_a_few_things_and_nothing_empty() {
        let many =
            (0..20).fold(event().with(Field::App, ""), |event, n| event.with(Field::Count, n.to_string()));
        assert_eq!((many.fields.len(), many.says(Field::App)), (MAX_FIELDS, None));
    }

    #[test]
    fn numbers_and_names_stand_once() {
        for (place, field) in Field::ALL.iter().enumerate() {
            assert_eq!(Field::from_id(*field as u16), Some(*field));
            assert!(Field::ALL[..place].iter().all(|before| before.name() != field.name()), "{field:?}");
        }
    }
}
