//! The rehearsal province: simulated sites that speak the real protocols, and obey faults.
//!
//! ```text
//!               ┌─ reflectors ◀─ STAMP ── core agent (a real one)
//!   switches ◀──┤
//!   ▲           └─ agents ── STAMP both ways, batches ──▶ collector
//!   │
//!   standing ◀── fault, heal ── world.sock
//! ```
//!
//! Nothing here decides what is up or down: the world only falls silent, as a province does, and the collector has
//! to find out. It uses no ICMP, which the kernel answers on loopback whatever is cut. What silences what
//! ([`fault`], [`standing`], [`failover`]), what is lost ([`weather`]) and what is seen ([`routine`], [`spool`]) are pure; sockets
//! are in [`reflector`], [`uplink`], [`agent`] and [`control`].

pub mod agent;
pub mod background;
pub mod control;
pub mod failover;
pub mod fault;
pub mod later;
pub mod map;
pub mod province;
pub mod reflector;
pub mod routine;
pub mod serve;
pub mod spool;
pub mod standing;
pub mod switches;
pub mod time;
pub mod truth;
pub mod uplink;
pub mod weather;
