//! Every seed, and all that ever broke a target, goes through it once.
#![allow(clippy::unwrap_used)]

use haidang_fuzz::TARGETS;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn corpus() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus"))
}

#[test]
fn every_target_has_seeds_and_takes_them() {
    for (name, target) in TARGETS {
        let folder = corpus().join(name);
        let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{} holds no seed", folder.display());
        for file in files {
            let octets = fs::read(&file).unwrap();
            let took = std::panic::catch_unwind(|| target(&octets));
            assert!(took.is_ok(), "{} breaks `{name}`", file.display());
        }
    }
}

#[test]
fn every_target_takes_nothing_and_seeds_cut_anywhere() {
    for (name, target) in TARGETS {
        target(&[]);
        for entry in fs::read_dir(corpus().join(name)).unwrap() {
            let octets = fs::read(entry.unwrap().path()).unwrap();
            let step = octets.len() / 16 + 1;
            (0..octets.len()).step_by(step).for_each(|at| target(&octets[..at]));
        }
    }
}

#[test]
fn no_seeds_are_left_of_a_target_that_is_gone() {
    let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let folders = fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().file_name());
    let found: BTreeSet<String> = folders.map(|name| name.to_string_lossy().into_owned()).collect();
    assert_eq!(found, known);
}
