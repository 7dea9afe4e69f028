//! The rehearsal province and what makes it live: the same evidence as a real one, on one machine.

pub mod province;
