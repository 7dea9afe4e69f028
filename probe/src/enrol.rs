//! How a device becomes the agent of a site, and stays it: what both sides say, and by which names.
//!
//! ```text
//!   person ── code ──▶ device                                       collector
//!                        │ TLS to COLLECTOR, chain: its certificate, its authority's
//!                        │ does the code vouch for that authority? no: nothing is said
//!                        ├── POST enroll {code, request} ────────────▶│ code good? its site
//!                        │◀─ {agent, certificate, stamp_port, orders} ┤
//!                        ├── POST renew {request} ───────────────────▶│ whose key? its site
//!                        │◀─ {certificate} ───────────────────────────┤
//! ```
//!
//! A request is a PKCS#10 one: it is signed with the device's key, which never leaves it. What else it says is
//! not read. The collector shows one certificate of its own authority whatever address it is reached at, so
//! agents ask for it by one name.

mod code;

pub use code::{AUTHORITY_TAG, Code, NotACode};

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Path a device enrols at, below the collector's URL.
pub const ENROLL: &str = "agent/v1/enroll";
/// Path an agent renews its certificate at, below the collector's URL.
pub const RENEW: &str = "agent/v1/renew";
/// The name the collector's certificate is for; `.internal` is nobody's on the public net (ICANN, 2024).
pub const COLLECTOR: &str = "collector.haidang.internal";
/// Octets of the longest request body.
pub const MAX_REQUEST_BYTES: usize = 8 * 1024;
/// Octets of the longest answer beside its orders.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How long a code is good for.
pub const CODE_LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long before its issue a certificate begins, so that a collector's clock set back shuts nobody out.
pub const BACKDATED: Duration = Duration::from_secs(24 * 3600);

/// What a device asks with its code.
#[derive(Clone, Serialize, Deserialize)]
pub struct Enroll {
    /// Hex of [`Code::secret`].
    pub code: String,
    /// PEM of the request.
    pub request: String,
}

/// What it is answered.
#[derive(Clone, Serialize, Deserialize)]
pub struct Enrolled {
    /// The site it is the agent of.
    pub agent: String,
    /// Its certificate, PEM.
    pub certificate: String,
    /// The collector's STAMP port, at the address it enrolled at.
    pub stamp_port: u16,
    /// Its orders, as [`Delivery::text`](crate::plan::Delivery::text) writes them.
    pub orders: String,
}

/// What an agent asks before its certificate ends, or after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renew {
    /// PEM of the request, signed with the key it enrolled with.
    pub request: String,
}

/// What it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// Its certificate, PEM.
    pub certificate: String,
}

/// The identity in an agent's certificate (URI, in the manner of SPIFFE): of province and site.
pub fn identity(province: &str, site: &str) -> String {
    format!("spiffe://{province}/site/{site}/agent")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_names_province_and_site() {
        assert_eq!(identity("82", "28249-tt"), "spiffe://82/site/28249-tt/agent");
    }
}
