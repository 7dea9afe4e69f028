//! The agent: it stands at a site, asks what its plan says, keeps what it saw through every outage, and
//! brings it to the collector.
pub mod dial;
pub mod expose;
pub mod gateway;
pub mod gather;
pub mod liveness;
pub mod place;
pub mod plan;
pub mod probe;
pub mod schedule;
pub mod spool;
pub mod timestamps;
pub mod uplink;
