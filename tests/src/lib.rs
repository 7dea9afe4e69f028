//! What whole-program tests and benches stand on: a province of real processes in a folder of its own.

pub mod console;
pub mod stage;
