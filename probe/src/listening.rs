//! What an agent listens to: the words of a site's `listen`, and what travels of them.
//!
//! ```text
//! listen: {syslog: "0.0.0.0:514", traps: "0.0.0.0:162", credentials: [lan], neighbours: true, dhcp: true}
//! ```
//!
//! Nothing is listened to that is not said, and no further than it is said: the address decides who can reach it.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What an agent listens to; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Listening {
    /// Where syslog is taken, UDP and TCP (RFC 3164, RFC 5424, RFC 6587).
    pub syslog: Option<SocketAddr>,
    /// Where SNMP traps and informs are taken, UDP (RFC 1157, RFC 3416).
    pub traps: Option<SocketAddr>,
    /// Names of the credentials traps are taken under, and no others; where none is named, any community of versions 1
    /// and 2c.
    pub credentials: Vec<String>,
    /// Whether hardware addresses on the LAN are watched.
    pub neighbours: bool,
    /// Whether DHCP servers that are not the gateway are told.
    pub dhcp: bool,
}

impl Listening {
    /// Whether there is nothing to listen to.
    pub fn is_nothing(&self) -> bool {
        *self == Listening::default()
    }
}
