//! Where the agent is built for size (`[profile.small]`) and the linker can:
//!
//! - identical functions are folded into one: Rust makes many, one a type, and none of ours is told from another by its
//!   address;
//! - addresses that the loader corrects are packed as RELR, 6 kB in place of 230. Loading it takes glibc 2.36 (Debian 12)
//!   or later, which the Debian package depends on; an older loader says so and starts nothing.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let said = |name| std::env::var(name).unwrap_or_default();
    // Where rustc brings its own linker, LLVM's; GNU's knows no such option.
    if said("OPT_LEVEL") == "z" && said("TARGET") == "x86_64-unknown-linux-gnu" {
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all,-z,pack-relative-relocs");
    }
}
