//! The language of probing, spoken by agent and collector.
//!
//! Everything here is pure: no clock, socket, file or thread. It knows checks, questions, outcomes, batches and
//! liveness packets; it never names a site, an incident or a person.

pub mod ask;
pub mod batch;
pub mod check;
pub mod credential;
pub mod digest;
pub mod enrol;
pub mod event;
pub mod listening;
pub mod key;
pub mod liveness;
pub mod metric;
pub mod moment;
pub mod outcome;
pub mod plan;
