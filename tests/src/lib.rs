//! What whole-program tests and benches stand on: a province of real processes in a folder of its own.

pub mod beside;
pub mod console;
pub mod edits;
pub mod evidence;
mod fake_clock;
pub mod figures;
pub mod gap;
pub mod gateway;
pub mod heard;
pub mod hostile;
pub mod killed;
pub mod mutants;
pub mod network;
pub mod outage;
pub mod process;
pub mod proof;
pub mod proxy;
pub mod raw;
pub mod reloads;
pub mod stage;
pub mod switch;
pub mod switches;
pub mod targets;
pub mod zero_loss;
