//! The agent: it stands at a site, asks what its plan says, keeps what it saw through every outage, and
//! brings it to the collector.
pub mod dial;
pub mod place;
pub mod probe;
pub mod schedule;
pub mod timestamps;
