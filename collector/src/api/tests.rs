//! The console port in process: who gets in, what each path answers, what never leaves.

mod doors;
mod import;
mod reform;
pub(super) mod rig;
mod sites;
mod story;
mod truth;
