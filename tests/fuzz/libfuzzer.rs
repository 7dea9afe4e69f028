//! One program for all targets; `HAIDANG_FUZZ` names the one that is fed. `make fuzz` builds and runs it.
#![no_main]

use haidang_fuzz::Target;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("HAIDANG_FUZZ").unwrap_or_default();
    haidang_fuzz::target(&name).unwrap_or_else(|| panic!("HAIDANG_FUZZ names no target: `{name}`"))
});

fuzz_target!(|octets: &[u8]| TARGET(octets));
