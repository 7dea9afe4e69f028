use super::*;
use plan::Kind;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use tempfile::TempDir;

const HEAD: &str = "Mã xã;Xã/phường;Khu vực;Điểm;Liên hệ;Điện thoại;Nhà mạng;Mã kênh;Hợp đồng;Mb/s;Vai trò;Địa chỉ WAN;VLAN/VPN\n";
const ROWS: &str = "\
28249;phường Đạo Thạnh;Khu vực Mỹ Tho;Trung tâm Phục vụ hành chính công;Chị Hoa;0912345678;VNPT;DTP-1;HĐ 1;200;chính;10.82.1.2;VPN/120
;;;;;;viettel;DTP-2;HĐ 2;50;dự phòng;10.83.1.2;
28249;;;Đảng ủy;;;VNPT;DTP-3;HĐ 3;100;;10.82.1.6;
28261;Mỹ Tho;Khu vực Mỹ Tho;Trung tâm Phục vụ hành chính công;;;VNPT;DTP-4;HĐ 4;100;;10.82.2.2;
";

fn directory() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    init::init(folder.path(), Some("82")).unwrap();
    folder
}

fn seen(directory: &TempDir, rows: &str, remove: bool) -> Preview {
    preview(directory.path(), "danh-muc.csv", format!("{HEAD}{rows}").as_bytes(), remove).unwrap()
}

#[track_caller]
fn import(directory: &TempDir, rows: &str, remove: bool) -> Vec<PathBuf> {
    let seen = seen(directory, rows, remove);
    assert_eq!(seen.problems.errors, []);
    seen.write(directory.path()).unwrap_or_else(|error| panic!("{error}"))
}

/// What stands in `sites`, with inode and time of change.
fn files(directory: &TempDir) -> BTreeMap<PathBuf, (String, u64, i64)> {
    let listed = fs::read_dir(directory.path().join("sites")).unwrap().map(|entry| entry.unwrap().path());
    let look = |path: PathBuf| {
        let about = fs::metadata(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        (path, (text, about.ino(), about.mtime_nsec()))
    };
    listed.map(look).collect()
}

fn told(preview: &Preview) -> Vec<String> {
    let change = |change: &plan::Change| {
        let keys: Vec<&str> = change.fields.iter().map(|field| field.key.as_str()).collect();
        format!("{} {} {} [{}]", change.kind.name(), change.what.name(), change.id, keys.join(" "))
    };
    preview.plan.changes.iter().filter(|change| change.kind != Kind::Added).map(change).collect()
}

fn edit(directory: &TempDir, file: &str, old: &str, new: &str) {
    let path = directory.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{old} in {text}");
    fs::write(&path, text.replacen(old, new, 1)).unwrap();
}

#[test]
fn a_sheet_becomes_the_record_it_describes() {
    let directory = directory();
    let written = import(&directory, ROWS, false);
    assert_eq!(written, ["sites/28249.yml", "sites/28261.yml", "sites/areas.yml"].map(PathBuf::from));
    let text = fs::read_to_string(directory.path().join("sites/28249.yml")).unwrap();
    let expected = r#"# Written by `haidang-collector import`. Edit it freely: comments, and keys a sheet has no column for, stay.
communes:
  - {code: "28249", name: Đạo Thạnh, kind: phường, area: khu-vuc-my-tho, valid_from: "2025-07-01"}
sites:
  - id: "28249-tt"
    name: Trung tâm Phục vụ hành chính công
    commune: "28249"
    observe: ping-only
    contact: {name: Chị Hoa, phone: "0912345678"}
    needs: {any_of: ["28249-tt-1", "28249-tt-2"]}
    lines:
      - id: "28249-tt-1"
        carrier: vnpt
        hand_off: vnpt-1
        circuit: DTP-1
        contract: HĐ 1
        mbps: 200
        vlan: VPN/120
        gateway: {probe: icmp, target: "10.82.1.2", every: "500ms", timeout: "700ms"}
      - id: "28249-tt-2"
        carrier: viettel
        hand_off: viettel-1
        circuit: DTP-2
        contract: HĐ 2
        mbps: 50
        role: backup
        gateway: {probe: icmp, target: "10.83.1.2", every: "500ms", timeout: "700ms"}
  - id: "28249-du"
    name: Đảng ủy
    commune: "28249"
    observe: ping-only
    needs: {any_of: ["28249-du-1"]}
    lines:
      - id: "28249-du-1"
        carrier: vnpt
        hand_off: vnpt-1
        circuit: DTP-3
        contract: HĐ 3
        mbps: 100
        gateway: {probe: icmp, target: "10.82.1.6", every: "500ms", timeout: "700ms"}
"#;
    assert_eq!(text, expected);
    assert_eq!(config::load(directory.path()).unwrap().summary(), "2 communes, 3 sites, 4 lines, 2 carriers");
}

#[test]
fn a_second_import_writes_nothing() {
    let directory = directory();
    import(&directory, ROWS, false);
    let before = files(&directory);
    let again = seen(&directory, ROWS, false);
    assert_eq!((again.plan.changes.len(), again.plan.unchanged), (0, (3, 4)));
    assert!(again.write(directory.path()).unwrap().is_empty());
    assert_eq!(files(&directory), before);
}

#[test]
fn a_change_touches_its_own_file_and_keeps_what_people_wrote() {
    let directory = directory();
    import(&directory, ROWS, false);
    edit(&directory, "sites/28249.yml", "    contact:", "    # by hand\n    tags: [one-stop]\n    contact:");
    edit(
        &directory,
        "sites/28249.yml",
        "        mbps: 200\n",
        "        mbps: 200   # by contract\n        seen_from: []\n",
    );
    edit(&directory, "sites/28249.yml", "every: \"500ms\"", "every: 1s");
    fs::write(directory.path().join("sites/hand.yml"), "pops: []\n").unwrap();
    let before = files(&directory);
    let rows = ROWS.replace(";200;", ";300;").replace("Chị Hoa", "Anh Nam").replace("10.82.1.2", "10.82.1.3");
    let changed = seen(&directory, &rows, false);
    assert_eq!(told(&changed), ["changed line 28249-tt-1 [mbps gateway]", "changed site 28249-tt [contact]"]);
    assert_eq!(changed.write(directory.path()).unwrap(), [PathBuf::from("sites/28249.yml")]);
    let after = files(&directory);
    let path = directory.path().join("sites/28249.yml");
    let expected = before[&path].0.replace("mbps: 200   #", "mbps: 300   #").replace("Chị Hoa", "Anh Nam");
    let expected = expected.replace(
        "{probe: icmp, target: \"10.82.1.2\", every: 1s, timeout: \"700ms\"}",
        "{probe: icmp, target: \"10.82.1.3\", every: \"1s\", timeout: \"700ms\"}",
    );
    assert_eq!(after[&path].0, expected);
    let others =
        |files: BTreeMap<PathBuf, _>| files.into_iter().filter(|(file, _)| *file != path).collect::<Vec<_>>();
    assert_eq!(others(after), others(before));
}

#[test]
fn what_leaves_the_sheet_is_told_and_stays_until_removing_is_asked_for() {
    let directory = directory();
    import(&directory, ROWS, false);
    let stays = |row: &&str| !row.contains("DTP-2") && !row.contains("DTP-3");
    let fewer = ROWS.split_inclusive('\n').filter(stays).collect::<String>();
    let before = files(&directory);
    let gone = seen(&directory, &fewer, false);
    assert_eq!(told(&gone), ["gone line 28249-tt-2 []", "gone site 28249-du []"]);
    assert!(gone.write(directory.path()).unwrap().is_empty());
    assert_eq!(files(&directory), before);
    let removed = seen(&directory, &fewer, true);
    assert_eq!(
        told(&removed),
        ["removed line 28249-tt-2 []", "changed site 28249-tt [needs]", "removed site 28249-du []"]
    );
    removed.write(directory.path()).unwrap();
    assert_eq!(config::load(directory.path()).unwrap().summary(), "2 communes, 2 sites, 2 lines, 2 carriers");
    import(&directory, ROWS, false);
    let ids: Vec<_> = config::load(directory.path()).unwrap().topology.lines.into_keys().collect();
    assert_eq!(ids, ["28249-du-1", "28249-tt-1", "28249-tt-2", "28261-tt-1"]);
}

#[test]
fn a_renamed_site_and_a_new_circuit_are_still_the_same() {
    let directory = directory();
    import(&directory, ROWS, false);
    let renamed = seen(&directory, &ROWS.replace("Đảng ủy", "Văn phòng Đảng ủy"), false);
    assert_eq!(told(&renamed), ["changed site 28249-du [name]"]);
    let swapped = seen(&directory, &ROWS.replace("DTP-3", "DTP-33"), false);
    assert_eq!(told(&swapped), ["changed line 28249-du-1 [circuit]"]);
}

#[test]
fn a_line_that_moves_keeps_its_id() {
    let directory = directory();
    import(&directory, ROWS, false);
    let rows = ROWS.replace(
        ";;;;;;viettel;DTP-2;HĐ 2;50;dự phòng;10.83.1.2;\n28249;;;Đảng ủy;;;VNPT;DTP-3;HĐ 3;100;;10.82.1.6;\n",
        "28249;;;Đảng ủy;;;VNPT;DTP-3;HĐ 3;100;;10.82.1.6;\n;;;;;;viettel;DTP-2;HĐ 2;50;dự phòng;10.83.1.2;\n",
    );
    import(&directory, &rows, false);
    let topology = config::load(directory.path()).unwrap().topology;
    assert_eq!(topology.lines["28249-tt-2"].site, "28249-du");
    assert!(!seen(&directory, &rows, false).plan.writes());
}

#[test]
fn what_would_not_load_changes_nothing_and_is_shown() {
    let directory = directory();
    import(&directory, ROWS, false);
    edit(
        &directory,
        "sites/28261.yml",
        "    observe: ping-only",
        "    observe: ping-only\n    feeder: nowhere",
    );
    let before = files(&directory);
    let refused =
        seen(&directory, &ROWS.replace(";200;", ";300;"), false).write(directory.path()).unwrap_err();
    let at = format!(
        "{}:9:13: `feeder`: unknown feeder `nowhere`",
        directory.path().join("sites/28261.yml").display()
    );
    assert_eq!(refused.to_string(), at);
    assert_eq!(files(&directory), before);
    assert!(!directory.path().join(".import").exists());
}

#[test]
fn an_edit_after_the_preview_is_never_written_over() {
    let directory = directory();
    import(&directory, ROWS, false);
    let agreed = seen(&directory, &ROWS.replace(";200;", ";300;"), false);
    edit(&directory, "sites/28261.yml", "mbps: 100", "mbps: 101");
    assert!(matches!(agreed.write(directory.path()), Err(ImportError::Changed)));
}

#[test]
fn files_of_others_are_never_written() {
    let directory = directory();
    import(&directory, ROWS, false);
    fs::rename(directory.path().join("sites/28261.yml"), directory.path().join("own.yml")).unwrap();
    assert!(!seen(&directory, ROWS, false).plan.writes());
    let refused = seen(&directory, &ROWS.replace("HĐ 4;100", "HĐ 4;101"), false);
    let said: Vec<String> = refused.problems.errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "5: line `28261-tt-1` of site `28261-tt` differs in `mbps`, and stands in own.yml, which import does not write; \
          change it there, or move the site into `sites/`"
        ]
    );
    assert!(matches!(refused.write(directory.path()), Err(ImportError::Errors)));
}
