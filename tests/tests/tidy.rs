//! House rules a machine can hold: sizes, openings, banned words and what must never be committed.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

/// Longest file of Rust, TypeScript or Svelte, lines.
const FILE_LINES: usize = 400;
/// Longest function of Rust, lines.
const FUNCTION_LINES: usize = 60;
/// Files a machine wrote.
const GENERATED: [&str; 1] = ["probe/src/batch/wire.rs"];
/// Module names that say nothing.
const EMPTY_NAMES: [&str; 7] = ["util", "utils", "helper", "helpers", "common", "misc", "manager"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every file of the tree that is ours, with its text.
fn files(extensions: &[&str]) -> Vec<(String, String)> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                let skipped = ["target", "node_modules", "dist"].contains(&name.as_str());
                if !skipped && (!name.starts_with('.') || name == ".ci") {
                    folders.push(path);
                }
            } else if extensions.iter().any(|wanted| path.extension().is_some_and(|has| has == *wanted)) {
                let relative = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                if let Ok(text) = std::fs::read_to_string(&path) {
                    found.push((relative, text));
                }
            }
        }
    }
    found.retain(|(name, _)| !GENERATED.contains(&name.as_str()));
    found.sort();
    found
}

#[track_caller]
fn none(what: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{what}:\n{}", faults.join("\n"));
}

#[test]
fn files_stay_short() {
    let long =
        files(&["rs", "ts", "svelte"]).into_iter().filter(|(_, text)| text.lines().count() > FILE_LINES);
    none(
        "longer than the house's limit",
        &long.map(|(name, text)| format!("{name}: {}", text.lines().count())).collect::<Vec<_>>(),
    );
}

#[test]
fn functions_stay_short() {
    let mut long = Vec::new();
    for (name, text) in files(&["rs"]) {
        let lines: Vec<&str> = text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let body = line.trim_start();
            let indent = line.len() - body.len();
            let begins = ["fn ", "pub fn ", "async fn ", "pub async fn ", "pub(super) fn ", "pub(crate) fn "];
            if !begins.iter().any(|begin| body.starts_with(begin)) || body.ends_with([';', '}']) {
                continue;
            }
            let close = format!("{}}}", " ".repeat(indent));
            let end = lines[start..].iter().position(|line| *line == close);
            if let Some(length) = end.filter(|length| *length > FUNCTION_LINES) {
                long.push(format!("{name}:{}: {length} lines", start + 1));
            }
        }
    }
    none("functions longer than the house's limit", &long);
}

#[test]
fn modules_open_with_what_they_are() {
    let bare = files(&["rs"])
        .into_iter()
        .filter(|(name, text)| !name.ends_with("/tests.rs") && !text.starts_with("//!"));
    none("modules without an opening", &bare.map(|(name, _)| name).collect::<Vec<_>>());
}

#[test]
fn names_say_something() {
    let empty = files(&["rs", "ts", "svelte"]).into_iter().filter(|(name, _)| {
        let stem = Path::new(name).file_stem().unwrap().to_string_lossy().to_lowercase();
        EMPTY_NAMES.contains(&stem.as_str()) || name.ends_with("/mod.rs")
    });
    none("names that say nothing", &empty.map(|(name, _)| name).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_unfinished_or_skipped() {
    let marks: Vec<String> = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["todo", "!("],
        ["unimpl", "emented!("],
        ["#[ig", "nore"],
        ["dbg", "!("],
    ]
    .iter()
    .map(|parts| parts.concat())
    .collect();
    let mut left = Vec::new();
    for (name, text) in files(&["rs", "ts", "svelte", "mjs", "sh"]) {
        for (number, line) in text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                left.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none("unfinished marks", &left);
}

#[test]
fn clocks_are_read_in_one_place() {
    let calls = [["Instant", "::now("].concat(), ["SystemTime", "::now("].concat()];
    let read = files(&["rs"]).into_iter().filter(|(name, text)| {
        name != "daemon/src/clock.rs"
            && !name.starts_with("tests/")
            && calls.iter().any(|call| text.contains(call))
    });
    none("clocks read outside daemon/src/clock.rs", &read.map(|(name, _)| name).collect::<Vec<_>>());
}

#[test]
fn lock_files_name_no_addresses() {
    let lock = root().join("dashboards/web/package-lock.json");
    let text = std::fs::read_to_string(lock).unwrap();
    assert!(!text.contains("\"resolved\": \"http"), "package-lock.json records download addresses");
}

#[test]
fn pure_crates_and_modules_touch_no_socket_file_or_thread() {
    let pure = |name: &str| {
        name.starts_with("probe/src/")
            || name.starts_with("collector/src/detect")
            || name.starts_with("collector/src/incident")
            || name.starts_with("collector/src/watch")
            || ["collector/src/topology.rs", "collector/src/entry.rs", "agent/src/schedule.rs"]
                .contains(&name)
    };
    let touches =
        ["std::net::UdpSocket", "std::net::TcpStream", "std::fs", "std::thread", "tokio::", "std::env"];
    let mut faults = Vec::new();
    for (name, text) in files(&["rs"]).into_iter().filter(|(name, _)| pure(name)) {
        let code = text.split("#[cfg(test)]").next().unwrap();
        faults.extend(touches.iter().filter(|t| code.contains(**t)).map(|touch| format!("{name}: {touch}")));
    }
    none("pure modules that touch the world", &faults);
}
