//! The committed protobuf code is what `probe/proto/haidang.proto` generates.
//!
//! After an edit of the `.proto`: `UPDATE=1 cargo test -p haidang-tests --test proto_is_current`.

use std::{fs, path::Path};

const HEADER: &str = "//! Wire form of batches, generated from `probe/proto/haidang.proto`; do not edit.\n//!\n\
    //! Regenerate: `UPDATE=1 cargo test -p haidang-tests --test proto_is_current`.\n\n";

fn generate(proto: &Path) -> anyhow::Result<String> {
    let folder = proto.parent().unwrap_or(Path::new("."));
    let out = tempfile::tempdir()?;
    prost_build::Config::new()
        .bytes(["."])
        .out_dir(out.path())
        .compile_fds(protox::compile([proto], [folder])?)?;
    let code = fs::read_to_string(out.path().join("haidang.v1.rs"))?;
    Ok(format!("{HEADER}{code}"))
}

#[test]
fn committed_code_is_what_the_proto_generates() -> anyhow::Result<()> {
    let probe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../probe");
    let generated = generate(&probe.join("proto/haidang.proto"))?;
    let committed = probe.join("src/batch/wire.rs");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&committed, &generated)?;
    }
    assert!(
        fs::read_to_string(&committed)? == generated,
        "{} is not what the .proto generates; see the top of this test",
        committed.display()
    );
    Ok(())
}
