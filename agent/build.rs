//! Where the agent is built for gateways (`[profile.small]`, known by its `opt-level`; a panic aborts there) and the linker
//! can:
//!
//! - identical functions are folded into one: Rust makes many, one a type, and none of ours is told from another by its
//!   address;
//! - addresses that the loader corrects are packed as RELR, 6 kB in place of 230. Loading it takes glibc 2.36 (Debian 12)
//!   or later, which the Debian package depends on; an older loader says so and starts nothing;
//! - the tables of unwinding are left out, also those of the standard library, which brings them compiled: nothing
//!   unwinds (ADR 10). A backtrace of such a panic is empty; its message and place are told.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=no-unwind.ld");
    let said = |name| std::env::var(name).unwrap_or_default();
    // Where rustc brings its own linker, LLVM's; GNU's knows no such options.
    if ["s", "z"].contains(&said("OPT_LEVEL").as_str()) && said("TARGET") == "x86_64-unknown-linux-gnu" {
        let script = format!("{}/no-unwind.ld", said("CARGO_MANIFEST_DIR"));
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all,-z,pack-relative-relocs");
        println!("cargo:rustc-link-arg-bins=-Wl,--no-eh-frame-hdr,-T,{script}");
    }
}
