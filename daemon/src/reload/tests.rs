//! Real files, real events: each way in which people and machines replace a configuration.

use super::*;
use std::fs;
use std::os::unix::fs::symlink;

/// Longer than any machine needs for an event, shorter than [`LOOK_EVERY`], so that only events can pass.
const PATIENCE: Duration = Duration::from_secs(20);

async fn hears(reload: &mut Reload) -> bool {
    tokio::time::timeout(PATIENCE, reload.changed()).await.is_ok()
}

#[tokio::test]
async fn a_write_in_place_is_heard() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("agent.yml");
    fs::write(&file, "a: 1").unwrap();
    let mut reload = Reload::start(&file).unwrap();
    fs::write(&file, "a: 2").unwrap();
    assert!(hears(&mut reload).await);
}

#[tokio::test]
async fn each_save_by_rename_is_heard() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("agent.yml");
    fs::write(&file, "a: 1").unwrap();
    let mut reload = Reload::start(&file).unwrap();
    for text in ["a: 2", "a: 3"] {
        fs::write(dir.path().join(".agent.yml.swp"), text).unwrap();
        fs::rename(dir.path().join(".agent.yml.swp"), &file).unwrap();
        assert!(hears(&mut reload).await, "{text}");
    }
}

#[tokio::test]
async fn each_swap_of_a_mounted_map_is_heard() {
    let dir = tempfile::tempdir().unwrap();
    let mount = |version: &str, text: &str| {
        fs::create_dir(dir.path().join(version)).unwrap();
        fs::write(dir.path().join(version).join("agent.yml"), text).unwrap();
        symlink(version, dir.path().join("..data_tmp")).unwrap();
        fs::rename(dir.path().join("..data_tmp"), dir.path().join("..data")).unwrap();
    };
    mount("..1", "a: 1");
    let file = dir.path().join("agent.yml");
    symlink("..data/agent.yml", &file).unwrap();
    let mut reload = Reload::start(&file).unwrap();
    for version in ["..2", "..3"] {
        mount(version, version);
        assert!(hears(&mut reload).await, "{version}");
    }
}

#[tokio::test]
async fn a_file_in_a_new_directory_is_heard_and_so_is_its_next_change() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("province");
    fs::create_dir(&root).unwrap();
    let mut reload = Reload::start(&root).unwrap();
    fs::create_dir(root.join("sites")).unwrap();
    fs::write(root.join("sites/28249.yml"), "a: 1").unwrap();
    assert!(hears(&mut reload).await);
    fs::write(root.join("sites/28249.yml"), "a: 2").unwrap();
    assert!(hears(&mut reload).await);
}

#[tokio::test]
async fn a_whole_directory_swapped_for_another_is_heard_and_so_is_its_next_change() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("province");
    for (at, text) in [(&root, "a: 1"), (&dir.path().join("next"), "a: 2")] {
        fs::create_dir(at).unwrap();
        fs::write(at.join("province.yml"), text).unwrap();
    }
    let mut reload = Reload::start(&root).unwrap();
    fs::rename(&root, dir.path().join("old")).unwrap();
    fs::rename(dir.path().join("next"), &root).unwrap();
    assert!(hears(&mut reload).await);
    fs::write(root.join("province.yml"), "a: 3").unwrap();
    assert!(hears(&mut reload).await);
}

#[tokio::test]
async fn the_target_of_a_symlink_is_heard() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let target = elsewhere.path().join("real.yml");
    fs::write(&target, "a: 1").unwrap();
    symlink(&target, dir.path().join("agent.yml")).unwrap();
    let mut reload = Reload::start(&dir.path().join("agent.yml")).unwrap();
    fs::write(&target, "a: 2").unwrap();
    assert!(hears(&mut reload).await);
}

#[tokio::test]
async fn sighup_is_heard_where_the_system_grants_no_watch() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("agent.yml");
    fs::write(&file, "a: 1").unwrap();
    let (_nudge, nudges) = mpsc::channel(1);
    let (changes, receiver) = watch::channel(0);
    let unwatched = Watched { path: file.clone(), watcher: None, directories: BTreeSet::new() };
    let hangup = signal(SignalKind::hangup()).unwrap();
    tokio::spawn(look(unwatched, Content::of(&file), nudges, hangup, changes));
    fs::write(&file, "a: 2").unwrap();
    let me = std::process::id().to_string();
    std::process::Command::new("sh").args(["-c", "kill -HUP $0", &me]).status().unwrap();
    assert!(hears(&mut Reload(receiver)).await);
}

#[test]
fn only_other_content_counts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.yml");
    fs::write(&file, "a: 1").unwrap();
    let mut content = Content::of(dir.path());
    fs::write(&file, "a: 1").unwrap();
    fs::write(dir.path().join("notes.txt"), "x").unwrap();
    fs::write(dir.path().join(".hidden.yml"), "x").unwrap();
    assert!(!content.differs());
    fs::rename(&file, dir.path().join("b.yml")).unwrap();
    assert!(content.differs(), "a file's name is part of its content");
    assert!(!content.differs());
    fs::remove_file(dir.path().join("b.yml")).unwrap();
    assert!(content.differs());
}

#[test]
fn reading_and_foreign_writing_do_not_nudge() {
    use notify::event::{CreateKind, DataChange};
    let event = |kind, path: &str| notify::Event::new(kind).add_path(path.into());
    let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    let name = Some(std::ffi::OsStr::new("agent.conf"));
    assert!(!matters(&event(EventKind::Access(AccessKind::Open(AccessMode::Read)), "/e/agent.conf"), name));
    assert!(!matters(&event(written, "/e/000001.log"), name));
    assert!(matters(&event(written, "/e/agent.conf"), name));
    assert!(matters(&event(written, "/e/sites.yaml"), name));
    assert!(matters(&event(EventKind::Create(CreateKind::Any), "/e/..data"), name));
}

#[test]
fn what_changes_while_it_is_read_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.yml");
    fs::write(&file, "a: 1").unwrap();
    let mut texts = vec!["a: 3", "a: 2"];
    let (read, digested) = steadily(dir.path(), || {
        let read = fs::read_to_string(&file).unwrap();
        if let Some(next) = texts.pop() {
            fs::write(&file, next).unwrap();
        }
        read
    });
    assert_eq!((read.as_str(), digested), ("a: 3", digest(dir.path())));
}
