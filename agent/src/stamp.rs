//! Unauthenticated STAMP (RFC 8762) against any reflector: trains of packets there and back.
//!
//! ```text
//! run a ─┐                                  ┌─▶ run of (a, 7)
//! run b ─┼─▶ door ─▶ reflectors ─▶ door ────┼─▶ run of (b, 3)
//! run c ─┘        stamped by the kernel     └─▶ nobody waits any more: counted for its session, no more
//! ```
//!
//! [`door`] has the sockets, [`train`] says what a run's packets tell together, [`voice`] how a call would sound.

pub mod door;
pub mod train;
pub mod voice;
