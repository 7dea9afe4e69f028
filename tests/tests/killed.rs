//! Kill -9 at every step that a program takes on the disk: what it replaces is wholly old or wholly new afterwards,
//! and the next run ends well.
#![allow(clippy::unwrap_used)]

use haidang_collector::config;
use haidang_daemon::clock::Clock;
use haidang_tests::gateway;
use haidang_tests::killed::{KINDS, copy, possible, refused, start, was_killed};
use haidang_tests::stage::{run, wait};
use haidang_tests::targets::Targets;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const HEAD: &str = "Mã xã;Xã/phường;Khu vực;Điểm;Nhà mạng;Mã kênh;Hợp đồng;Mb/s;Vai trò;Địa chỉ WAN\n";
const BEFORE: &str = "\
28249;phường Đạo Thạnh;Khu vực Mỹ Tho;Trung tâm Phục vụ hành chính công;VNPT;DTP-1;HĐ 1;200;chính;10.82.1.2
28261;Mỹ Tho;Khu vực Mỹ Tho;Trung tâm Phục vụ hành chính công;VNPT;DTP-4;HĐ 4;100;;10.82.2.2
";
/// More steps of a kind than any of the programs takes.
const STEPS_MAX: usize = 100;
/// A person's own folder among the files of `sites`.
const NOTE: &str = "sites/ghi-chu/so-tay.txt";

/// The texts a configuration is made of, by path.
fn texts(directory: &Path) -> BTreeMap<String, String> {
    let folders = [directory.to_path_buf(), directory.join("sites")];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap().map(Result::unwrap));
    let files = entries.map(|entry| entry.path()).filter(|path| path.is_file());
    files
        .map(|path| {
            (path.strip_prefix(directory).unwrap().display().to_string(), fs::read_to_string(&path).unwrap())
        })
        .collect()
}

#[test]
fn an_import_killed_at_any_step_leaves_the_old_or_the_new_and_the_next_one_tidies_up() {
    if !possible() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let after = BEFORE.replace(";200;", ";300;").replace("DTP-4;HĐ 4;100", "DTP-4;HĐ 4;50");
    fs::write(at("before.csv"), format!("{HEAD}{BEFORE}")).unwrap();
    fs::write(at("after.csv"), format!("{HEAD}{after}")).unwrap();
    let import = |sheet: &str, to: &str| {
        run("haidang-collector", &["import", &at(sheet), "--config", to, "--yes"]).unwrap()
    };
    run("haidang-collector", &["init", "--config", &at("old"), "--province", "82"]).unwrap();
    import("before.csv", &at("old"));
    fs::create_dir(at("old/sites/ghi-chu")).unwrap();
    fs::write(at(&format!("old/{NOTE}")), "của tôi").unwrap();
    copy(Path::new(&at("old")), Path::new(&at("new"))).unwrap();
    import("after.csv", &at("new"));
    let (old, new) = (texts(Path::new(&at("old"))), texts(Path::new(&at("new"))));
    assert_ne!(old, new);

    let trial = Trial { old, new, next: &|to| import("after.csv", to) };
    let mut found = BTreeMap::new();
    for kind in KINDS {
        for nth in 1.. {
            assert!(nth < STEPS_MAX, "the import does not end");
            let tried = at(&format!("tried-{kind}-{nth}"));
            copy(Path::new(&at("old")), Path::new(&tried)).unwrap();
            let arguments = ["import", &at("after.csv"), "--config", &tried, "--yes"];
            let ended = start(kind, nth, &[], "haidang-collector", &arguments).unwrap().wait().unwrap();
            let Some(left) = trial.judge(&tried, was_killed(ended), &format!("{kind} {nth}")) else { break };
            *found.entry(left).or_insert(0) += 1;
        }
    }
    println!("killed, by whether the new stood and whether something was left behind: {found:?}");
    assert!(found.len() == 4 && found.values().sum::<i32>() > 20, "{found:?}");
}

#[test]
fn a_file_system_that_cannot_exchange_folders_is_left_as_it_is_and_the_import_says_what_to_do() {
    if !possible() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    fs::write(at("before.csv"), format!("{HEAD}{BEFORE}")).unwrap();
    fs::write(at("after.csv"), format!("{HEAD}{BEFORE}").replace(";200;", ";300;")).unwrap();
    let config = at("configuration");
    let import =
        |sheet: &str| ["import".into(), at(sheet), "--config".into(), config.clone(), "--yes".into()];
    run("haidang-collector", &["init", "--config", &config, "--province", "82"]).unwrap();
    run("haidang-collector", &import("before.csv").each_ref().map(String::as_str)).unwrap();
    let before = texts(Path::new(&config));

    let arguments = import("after.csv");
    let said = refused("renameat2", "EINVAL", "haidang-collector", &arguments.each_ref().map(String::as_str));
    let said = said.unwrap();
    assert!(!said.status.success());
    let told = String::from_utf8(said.stderr).unwrap();
    let expected =
        format!("replace in one step {config}/sites: this file system cannot exchange two folders");
    assert!(told.contains(&expected) && told.contains("copy of the directory on a local disk"), "{told}");
    assert!(texts(Path::new(&config)) == before && !Path::new(&config).join(".import").exists());
}

/// What an import changes, and how it is done again.
struct Trial<'a> {
    old: BTreeMap<String, String>,
    new: BTreeMap<String, String>,
    next: &'a dyn Fn(&str) -> String,
}

impl Trial<'_> {
    /// Whether the new stood after a kill, and whether something was left beside it; none where it was not killed.
    fn judge(&self, directory: &str, killed: bool, at: &str) -> Option<(bool, bool)> {
        let path = Path::new(directory);
        let stands = texts(path);
        assert!(stands == self.new || killed && stands == self.old, "killed at {at}: {stands:#?}");
        assert!(config::load(path).is_ok(), "killed at {at}");
        let left = path.join(".import").exists();
        (self.next)(directory);
        assert!(texts(path) == self.new, "imported again after {at}");
        assert_eq!(fs::read_to_string(path.join(NOTE)).unwrap(), "của tôi", "after {at}");
        let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
        let litter: Vec<_> = names.filter(|name| name.as_encoded_bytes().starts_with(b".")).collect();
        assert!(litter.is_empty(), "after {at}: {litter:?}");
        killed.then_some((stands == self.new, left))
    }
}

#[test]
fn an_agent_killed_while_it_keeps_a_plan_runs_the_old_or_the_new_one_without_its_collector() {
    if !possible() {
        return;
    }
    let targets = Targets::start(4, &Clock::machine().unwrap()).unwrap();
    let mut stage = gateway::stage(42, &targets, "1s").unwrap();
    // What is asked is the collector's alone to say.
    stage.change_plan(|plan| plan.checks.clear()).unwrap();
    let (data, kept) = (stage.agent_folder(), format!("{}/plan.yml", stage.agent_folder()));
    let console = stage.start_collector().unwrap();
    stage.start_agent().unwrap();
    let asks = |every: &str| format!("\"every\":\"{every}\"");
    let says = |every: &str| fs::read_to_string(&kept).is_ok_and(|text| text.contains(&asks(every)));
    wait("the first plan to be kept", 60, || Ok(says("1s").then_some(()))).unwrap();
    stage.kill_agent().unwrap();
    let old = fs::read_to_string(&kept).unwrap();
    let record = format!("{}/province.yml", stage.configuration());
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replace("every: 1s", "every: 2s")).unwrap();
    stage.start_agent().unwrap();
    wait("the second plan to be kept", 60, || Ok(says("2s").then_some(()))).unwrap();
    stage.kill_agent().unwrap();
    let new = fs::read_to_string(&kept).unwrap();
    assert!(old != new && old.lines().next() == new.lines().next(), "kept for the same file");

    let (file, draft) = (stage.plan_file(), format!("{data}/plan.new"));
    // Written, synced, renamed, and its name synced.
    for (kind, nth, replaced) in
        [("?write", 1, false), ("?fsync", 1, false), ("?rename", 1, false), ("?fsync", 2, true)]
    {
        fs::write(&kept, &old).unwrap();
        let arguments = ["run", "--config", &file, "--data", &data];
        let mut agent = start(kind, nth, &[&draft, &kept, &data], "haidang-agent", &arguments).unwrap();
        let ended = wait("the agent to be killed", 60, || Ok(agent.try_wait()?)).unwrap();
        assert!(was_killed(ended), "{ended}");
        let stands = fs::read_to_string(&kept).unwrap();
        assert!(&stands == if replaced { &new } else { &old }, "killed at {kind} {nth}: {stands}");
    }

    stage.kill_collector().unwrap();
    drop(console);
    fs::write(&kept, &old).unwrap();
    fs::write(&draft, &new[..new.len() / 2]).unwrap();
    let before = targets.asked();
    stage.start_agent().unwrap();
    wait("every target to be asked thrice by the plan kept", 60, || {
        let asked = targets.asked();
        let each = asked.iter().zip(&before).all(|(now, before)| now.len() >= before.len() + 3);
        Ok(each.then_some(()))
    })
    .unwrap();
    assert_eq!(fs::read_to_string(&kept).unwrap(), old);
}
