//! What the collector says about configuration directories: good ones load, and each way to be wrong has its
//! message, kept beside it in `.expected`. `UPDATE=1 cargo test --test configs` rewrites those files.
//!
//! A file of `configs/bad` stands beside the files of `configs/good/base`; a folder of it stands alone.

#![allow(clippy::unwrap_used)]

use haidang_collector::config::{self, Config, Fault};
use haidang_collector::topology::{Needs, Observe, OffOutsideHours, Role, SiteKind};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configs")
}

fn copy(from: &Path, to: &Path) {
    for path in entries(from) {
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

/// The faults as a person sees them, without the directory.
fn words(directory: &Path, faults: &[Fault]) -> String {
    let prefix = format!("{}/", directory.display());
    let whole = directory.display().to_string();
    let line = |fault: &Fault| fault.to_string().replace(&prefix, "").replace(&whole, "DIR") + "\n";
    faults.iter().map(line).collect()
}

fn faults_of(case: &Path) -> String {
    let directory = tempfile::tempdir().unwrap();
    if case.is_dir() {
        copy(case, directory.path());
    } else {
        copy(&configs().join("good/base"), directory.path());
        fs::copy(case, directory.path().join(case.file_name().unwrap())).unwrap();
    }
    match config::load(directory.path()) {
        Ok(config) => format!("no fault: {}\n", config.summary()),
        Err(faults) => words(directory.path(), &faults),
    }
}

fn base() -> Config {
    config::load(&configs().join("good/base")).unwrap()
}

#[test]
fn each_way_to_be_wrong_has_its_message() {
    let mut wrong = Vec::new();
    let cases: Vec<_> = entries(&configs().join("bad"))
        .into_iter()
        .filter(|path| path.extension().is_none_or(|end| end != "expected"))
        .collect();
    assert!(cases.len() > 50, "only {} cases", cases.len());
    for case in cases {
        let (expected, found) = (case.with_extension("expected"), faults_of(&case));
        assert!(!found.starts_with("no fault"), "{}: {found}", case.display());
        if env::var_os("UPDATE").is_some() {
            fs::write(&expected, &found).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        if expected != found {
            wrong.push(format!("{}\nexpected\n{expected}found\n{found}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn good_directories_load() {
    for directory in entries(&configs().join("good")) {
        let loaded = config::load(&directory);
        assert!(loaded.is_ok(), "{}", words(&directory, &loaded.unwrap_err()));
    }
}

/// A directory that ships, which must load.
fn shipped(name: &str) -> Config {
    let directory = configs().join("../../configs").join(name);
    match config::load(&directory) {
        Ok(config) => config,
        Err(faults) => panic!("{}", words(&directory, &faults)),
    }
}

#[test]
fn the_production_example_loads() {
    let config = shipped("province");
    assert_eq!(config.summary(), "3 communes, 3 sites, 5 lines, 2 carriers");
    assert!(config.topology.sites.values().all(|site| !site.rehearsal));
    assert!(!config.collector.agents.plain);
}

#[test]
fn the_rehearsal_loads_and_is_marked_as_such() {
    let Config { topology, .. } = shipped("demo");
    assert_eq!(topology.communes.len(), 102);
    assert!(topology.offices().all(|(_, site)| site.rehearsal && site.gate_s == 10));
    assert!(!topology.sites["trung-tam"].rehearsal);
    let one: Vec<_> =
        topology.offices().filter(|(_, site)| site.commune.as_deref() == Some("28249")).collect();
    assert_eq!(one.len(), 1);
    assert!(one[0].1.observe.has_agent());
    assert_eq!(topology.lines_of(one[0].0).count(), 1);
    // The POP without a record is the world's knowledge alone.
    assert!(!topology.pops.contains_key("vnpt-tam-nong"));
    let unrecorded = topology.lines.values().filter(|line| line.pop.is_none()).count();
    assert!((15..=40).contains(&unrecorded), "{unrecorded}");
    let asked = topology.core_checks().len();
    assert_eq!(asked, topology.lines.len() + 3 * topology.carriers.len());
}

#[test]
fn a_province_reads_as_written() {
    let config = base();
    assert_eq!(config.summary(), "2 communes, 2 sites, 3 lines, 2 carriers");
    let topology = &config.topology;
    assert_eq!(topology.province.name, "Đồng Tháp");
    assert_eq!(topology.communes["28252"].successor.as_deref(), Some("28249"));
    let site = &topology.sites["28249-tt"];
    assert_eq!((site.kind, site.observe, site.gate_s), (SiteKind::Office, Observe::Gateway, 10));
    assert_eq!(site.needs, Needs::AnyOf(vec!["28249-1".into(), "28249-2".into()]));
    assert_eq!(topology.sites["28261-du"].gate_s, 60);
    let backup = &topology.lines["28249-2"];
    assert_eq!((backup.role, backup.metered, &backup.gateway), (Role::Backup, true, &None));
    assert_eq!(topology.core().map(String::as_str), Some("trung-tam"));
    let asked: Vec<_> = topology.core_checks().into_iter().map(|check| check.name).collect();
    let expected = [
        "line/28249-1",
        "line/28261-1",
        "hand-off/vnpt-1/ours",
        "hand-off/vnpt-1/carrier",
        "carrier/vnpt/core",
    ];
    assert_eq!(asked, expected);
    assert_eq!(topology.checks_of("trung-tam").len(), 5 + asked.len());
    assert_eq!(config.collector.journal.max_bytes, 8 << 30);
    assert!(config.collector.agents.plain);
}

#[test]
fn the_digest_follows_the_content_alone() {
    let copied = tempfile::tempdir().unwrap();
    copy(&configs().join("good/base"), copied.path());
    fs::create_dir(copied.path().join("world")).unwrap();
    fs::write(copied.path().join("world/hidden.yml"), "not read: true\n").unwrap();
    fs::write(copied.path().join(".#sites.yml"), "not read\n").unwrap();
    assert_eq!(config::load(copied.path()).unwrap(), base());
    let sites = copied.path().join("sites.yaml");
    let edited = fs::read_to_string(&sites).unwrap().replace("000002", "000003");
    fs::write(&sites, edited).unwrap();
    assert_ne!(config::load(copied.path()).unwrap().digest, base().digest);
}

#[test]
fn a_directory_that_is_none_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let said = |path: &Path| words(directory.path(), &config::load(path).unwrap_err());
    assert_eq!(said(directory.path()), "DIR:1:1: holds no file ending in .yml; write at least one\n");
    let missing = directory.path().join("nowhere");
    assert!(said(&missing).starts_with("nowhere:1:1: the directory cannot be read: "), "{}", said(&missing));
    let file = directory.path().join("sites.yml");
    fs::write(&file, "sites: []\n").unwrap();
    assert!(said(&file).starts_with("sites.yml:1:1: the directory cannot be read: "), "{}", said(&file));
    let dangling = directory.path().join("gone.yml");
    std::os::unix::fs::symlink(directory.path().join("nowhere.yml"), &dangling).unwrap();
    assert!(said(directory.path()).contains("gone.yml:1:1: cannot be read: "), "{}", said(directory.path()));
}

#[test]
fn a_province_that_lost_a_line_is_refused_in_order_or_read_whole() {
    let directory = tempfile::tempdir().unwrap();
    copy(&configs().join("good/base"), directory.path());
    let (mut refused, mut read) = (0, 0);
    for file in entries(directory.path()) {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for lost in 0..lines.len() {
            let kept = [&lines[..lost], &lines[lost + 1..]].concat().join("\n");
            fs::write(&file, kept).unwrap();
            match config::load(directory.path()) {
                Ok(_) => read += 1,
                Err(faults) => {
                    assert!(!faults.is_empty() && faults.is_sorted());
                    assert!(faults.iter().all(|fault| fault.file.starts_with(directory.path())));
                    refused += 1;
                }
            }
        }
        fs::write(&file, text).unwrap();
    }
    assert!(refused > 40 && read > 5, "{refused} refused, {read} read");
}

#[test]
fn a_field_record_says_hours_power_pins_and_what_was_before() {
    let record = config::load(&configs().join("good/field")).unwrap().topology;
    let site = &record.sites["28249-tt"];
    let hours = site.hours.as_ref().unwrap();
    assert_eq!(hours.days, [true, true, true, true, true, false, false]);
    assert_eq!(hours.spans, [(420, 690), (780, 1020)]);
    assert_eq!(site.off_outside_hours, OffOutsideHours::Yes);
    assert_eq!(record.sites["trung-tam"].hours, None, "the centre keeps no hours");
    let asked: Vec<String> = record.checks_of("28249-tt").into_iter().map(|check| check.name).collect();
    assert_eq!(asked, ["28249-gw/icmp", "28249-web/http", "28249-web/tcp", "resolver", "service/portal"]);
    let line = &record.lines["28249-2"];
    assert_eq!(line.pin.collector, Some("192.0.2.12".parse().unwrap()));
    assert_eq!(line.every_ms(), 60_000);
}
