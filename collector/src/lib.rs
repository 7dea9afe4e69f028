//! Hải Đăng collector: detects outages across a province's network and names their one root.
//!
//! Modules stand in order: a file uses only modules named before its own. What decides is pure and stands
//! in the fold ([`watch`]); sockets and disks are thin.

pub mod topology;
pub mod lineage;
pub mod plans;
pub mod entry;
pub mod detect;
pub mod incident;
pub mod judge;
pub mod config;
pub mod import;
pub mod watch;
pub mod history;
pub mod fold;
pub mod replay;
pub mod seen;
pub mod store;
pub mod registry;
pub mod authority;
pub mod agent_file;
pub mod liveness;
pub mod ingest;
pub mod access;
pub mod enrol;
pub mod api;
pub mod serve;
