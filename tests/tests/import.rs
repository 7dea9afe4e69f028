//! Day one: a sheet of 300 lines as a province keeps it. With errors of every kind each is named by its cell in one
//! pass and nothing is written; corrected, it becomes a live province that only the core agent watches.
#![allow(clippy::unwrap_used)]

use haidang_collector::config;
use haidang_tests::stage::{CORE, Stage, program, run, wait};
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook, Worksheet};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Communes in the sheet, each with three lines: an office with two, another with one.
const COMMUNES: usize = 100;
const TITLES: [&str; 20] = [
    "STT",
    "Mã xã",
    "Xã/phường",
    "Khu vực",
    "Mã điểm",
    "Tên điểm",
    "Địa chỉ",
    "Quan sát",
    "Diễn tập",
    "Giờ làm việc",
    "Liên hệ",
    "Số điện thoại",
    "Nhà mạng",
    "Mã kênh",
    "Hợp đồng",
    "Băng thông (Mb/s)",
    "Vai trò",
    "Loại kênh",
    "Địa chỉ WAN",
    "VLAN/VPN",
];
/// The heading stands below two rows of title, as sheets have it; the first line follows.
const HEADING: u32 = 2;

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Blank,
    Text(String),
    Number(f64),
    Date,
    Failed,
}

fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

type Rows = Vec<Vec<Value>>;

/// Codes and full names of the province's communes, from the list the collector ships.
fn communes() -> Vec<(String, String)> {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../collector/src/import/communes.csv");
    let list = fs::read_to_string(list).unwrap();
    let of_province = list.lines().filter_map(|line| line.strip_prefix("82,"));
    let full = |line: &str| {
        let (code, rest) = line.split_once(',').unwrap();
        let (kind, name) = rest.split_once(',').unwrap();
        (code.to_owned(), format!("{} {name}", if kind == "p" { "Phường" } else { "Xã" }))
    };
    of_province.map(full).take(COMMUNES).collect()
}

/// 300 lines at loopback addresses, which answer, of one stage's network.
fn sheet(network: &str) -> Rows {
    let mut rows = Rows::new();
    for (commune, (code, name)) in communes().into_iter().enumerate() {
        for line in 0..3 {
            let carrier = if line == 1 { "Viettel" } else { "VNPT" };
            let mut row = vec![Value::Blank; TITLES.len()];
            let mut set = |title: &str, value| row[column(title)] = value;
            set("STT", Value::Number((rows.len() + 1) as f64));
            // The second line of an office stands under merged cells.
            if line != 1 {
                let office = ["Trung tâm Phục vụ hành chính công", "", "Đảng ủy"][line];
                set("Mã xã", Value::Number(code.parse().unwrap()));
                set("Xã/phường", text(name.clone()));
                set("Khu vực", text(if commune < 50 { "Khu vực Đông" } else { "Khu vực Tây" }));
                set("Tên điểm", text(office));
                set("Diễn tập", text("có"));
                set("Giờ làm việc", text("T2-T6 7h-11h30, 13h-17h"));
                set("Liên hệ", text("Nguyễn Văn An"));
                set("Số điện thoại", text(format!("0912 {commune:03} {line:03}")));
            }
            set("Nhà mạng", text(carrier));
            set("Mã kênh", text(format!("DTP-{}-{commune:03}{line}", carrier.to_uppercase())));
            set("Hợp đồng", text(format!("HĐ {}/2026", rows.len() + 1)));
            set("Băng thông (Mb/s)", Value::Number(100.0));
            set("Vai trò", text(if line == 1 { "Dự phòng" } else { "Chính" }));
            set("Loại kênh", text("Cáp quang L2"));
            set("Địa chỉ WAN", text(format!("{network}{}.{}", commune + 1, line + 1)));
            set("VLAN/VPN", Value::Number((100 + commune) as f64));
            rows.push(row);
        }
    }
    rows
}

fn column(title: &str) -> usize {
    TITLES.iter().position(|known| *known == title).unwrap()
}

/// The cell of a line, as in `F17`.
fn cell(row: usize, title: &str) -> String {
    format!("{}{}", char::from(b'A' + column(title) as u8), row as u32 + HEADING + 2)
}

fn write(rows: &Rows, path: &str) {
    let mut book = Workbook::new();
    let page = book.add_worksheet();
    page.set_name("Đường truyền").unwrap();
    page.write_string(0, 0, "DANH MỤC ĐƯỜNG TRUYỀN TỈNH ĐỒNG THÁP").unwrap();
    for (at, title) in TITLES.iter().enumerate() {
        page.write_string(HEADING, at as u16, *title).unwrap();
    }
    for (number, row) in rows.iter().enumerate() {
        for (at, value) in row.iter().enumerate() {
            write_cell(page, number as u32 + HEADING + 1, at as u16, value);
        }
    }
    book.save(path).unwrap();
}

fn write_cell(page: &mut Worksheet, row: u32, column: u16, value: &Value) {
    match value {
        Value::Blank => return,
        Value::Text(text) => page.write_string(row, column, text),
        Value::Number(number) => page.write_number(row, column, *number),
        Value::Date => {
            let day = ExcelDateTime::from_ymd(2026, 12, 5).unwrap();
            page.write_datetime_with_format(row, column, &day, &Format::new().set_num_format("yyyy-mm-dd"))
        }
        Value::Failed => page.write_formula(row, column, Formula::new("=NA()").set_result("#N/A")),
    }
    .unwrap();
}

/// A commune's lines by its number: the office's first and second, the other office's.
fn primary(commune: usize) -> usize {
    commune * 3
}

fn backup(commune: usize) -> usize {
    commune * 3 + 1
}

fn other(commune: usize) -> usize {
    commune * 3 + 2
}

/// Errors of different kinds, each in a commune of its own: row, column, what is put there, what is said of it.
fn planted() -> Vec<(usize, &'static str, Value, &'static str)> {
    let latin = "DTP-VNPT-0240".replace('T', "\u{422}");
    vec![
        (primary(0), "Mã xã", Value::Number(28248.0), "unknown commune `28248`; did you mean"),
        (primary(1), "Mã xã", Value::Number(4.0), "`00004` is a commune of Hà Nội (province 01)"),
        (primary(2), "Xã/phường", text("Xã Không Có Thật"), "not `Xã Không Có Thật`"),
        (primary(3), "Mã kênh", Value::Blank, "is empty; write the carrier's circuit id"),
        (primary(4), "Mã kênh", text("DTP-VNPT-0052"), ""),
        (other(5), "Mã kênh", text("DTP-VNPT-0052"), "circuit `DTP-VNPT-0052` stands in row"),
        (primary(6), "Địa chỉ WAN", text("127.0.300.1"), "is no IPv4 address: a part is above 255"),
        (other(7), "Địa chỉ WAN", text("224.0.0.5"), "is a multicast address"),
        (other(8), "Diễn tập", text("không"), ""),
        (other(8), "Địa chỉ WAN", text("127.0.0.9"), "is a loopback address"),
        (other(9), "Địa chỉ WAN", text("10.9.1.255"), "is a broadcast address"),
        (primary(10), "Băng thông (Mb/s)", text("hai trăm"), "`hai trăm` is no rate"),
        (primary(11), "Băng thông (Mb/s)", Value::Number(0.0), "is 0 Mb/s"),
        (primary(12), "Nhà mạng", text("VNTP"), "unknown carrier `VNTP`; did you mean `VNPT`?"),
        (primary(13), "Vai trò", text("chín"), "unknown role `chín`; did you mean `primary`?"),
        (backup(14), "Vai trò", text("Chính"), "the site has a primary line already"),
        (other(15), "Vai trò", text("Dự phòng"), "a backup of no primary line"),
        (primary(16), "Giờ làm việc", text("hành chính"), "is no time of day"),
        (
            primary(17),
            "Giờ làm việc",
            text("22:00-06:00"),
            "crosses midnight; write 22:00-24:00, 00:00-06:00",
        ),
        (primary(18), "Số điện thoại", text("091234"), "`091234` is no telephone number"),
        (primary(19), "VLAN/VPN", text("VPN-CQNN/5000"), "is out of range; a VLAN is 1 to 4094"),
        (primary(20), "Quan sát", text("vệ tinh"), "unknown way to observe `vệ tinh`"),
        (other(21), "Tên điểm", Value::Blank, "is empty; write the site's name"),
        (other(22), "Mã điểm", text("dang-uy"), ""),
        (other(23), "Mã điểm", text("dang-uy"), "site `dang-uy` lies in commune"),
        (primary(24), "Mã kênh", text(latin), "did you mean `DTP-VNPT-0240`?"),
        (primary(25), "Mã kênh", text("DTP VNPT 0250"), "holds a space"),
        (primary(26), "Mã kênh", Value::Date, "is a date (`2026-12-05`), not text"),
        (primary(27), "Mã kênh", Value::Number(1e5), "is the number 1E5"),
        (primary(28), "Hợp đồng", Value::Failed, "holds `#N/A`"),
        (primary(29), "Tên điểm", text("x".repeat(250)), "is 250 characters long"),
        (primary(30), "Loại kênh", text("cáp đồng"), "unknown kind of line `cáp đồng`"),
        (other(31), "Địa chỉ WAN", Value::Blank, "is empty: no agent stands at the site"),
        (other(32), "Mã điểm", text("điểm 32"), "`điểm 32` is no id"),
        (primary(33), "Nhà mạng", Value::Blank, "is empty; write the carrier"),
    ]
}

/// The sheet with every error planted, and what is to be said: cell and words.
fn spoilt() -> (Rows, BTreeSet<String>, Vec<(String, &'static str)>) {
    let mut rows = sheet("127.99.");
    let mut said = Vec::new();
    for (row, title, value, words) in planted() {
        rows[row][column(title)] = value;
        if !words.is_empty() {
            said.push((cell(row, title), words));
        }
    }
    // One address twice, and a row that was pasted twice over the last.
    rows[other(34)][column("Địa chỉ WAN")] = rows[primary(34)][column("Địa chỉ WAN")].clone();
    said.push((cell(other(34), "Địa chỉ WAN"), "is the address of row"));
    let last = rows.len() - 1;
    let pasted = rows[other(35)].clone();
    rows[last] = pasted;
    said.push(((last as u32 + HEADING + 2).to_string(), "the row repeats row"));
    let cells = said.iter().map(|(cell, _)| cell.clone()).collect();
    (rows, cells, said)
}

/// The files of `sites` with inode and time of change.
fn written(directory: &str) -> Vec<(String, u64, i64, i64)> {
    let listed = fs::read_dir(format!("{directory}/sites")).unwrap().map(|entry| entry.unwrap().path());
    let look = |path: std::path::PathBuf| {
        let about = fs::metadata(&path).unwrap();
        (path.to_string_lossy().into_owned(), about.ino(), about.mtime(), about.mtime_nsec())
    };
    let mut files: Vec<_> = listed.map(look).collect();
    files.sort();
    files
}

#[test]
fn what_the_collector_makes_is_its_owners_alone_whatever_command_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("config");
    run("haidang-collector", &["init", "--config", &directory.to_string_lossy(), "--province", "82"])
        .unwrap();
    for entry in fs::read_dir(&directory).unwrap().chain(fs::read_dir(folder.path()).unwrap()) {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().mode() & 0o077, 0, "{}", entry.path().display());
    }
}

#[test]
fn every_error_of_a_sheet_is_named_by_its_cell_in_one_pass() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    run("haidang-collector", &["init", "--config", &at("config"), "--province", "82"]).unwrap();
    let (rows, cells, said) = spoilt();
    assert!(rows.len() == 300 && said.len() >= 25 && cells.len() == said.len(), "{}", said.len());
    write(&rows, &at("danh-muc.xlsx"));
    let mut import = Command::new(program("haidang-collector").unwrap());
    let told =
        import.args(["import", &at("danh-muc.xlsx"), "--config", &at("config"), "--yes"]).output().unwrap();
    assert_eq!(told.status.code(), Some(1));
    let told = String::from_utf8(told.stdout).unwrap();
    let begin = "danh-muc.xlsx: Đường truyền!";
    let found: BTreeSet<String> = told
        .lines()
        .map(|line| {
            line.strip_prefix(begin)
                .unwrap_or_else(|| panic!("{line}"))
                .split_once(": ")
                .unwrap()
                .0
                .to_owned()
        })
        .collect();
    assert_eq!(found, cells, "{told}");
    for (cell, words) in said {
        let line = told.lines().find(|line| line.starts_with(&format!("{begin}{cell}: "))).unwrap();
        assert!(line.contains(words), "{words:?} in {line}");
    }
    assert!(!Path::new(&at("config/sites")).exists());
}

#[test]
fn the_corrected_sheet_is_a_live_province_and_importing_it_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("config").to_string_lossy().into_owned();
    run("haidang-collector", &["init", "--config", &first, "--province", "82"]).unwrap();
    let parts = ["province", "collector", "network", "trung-tam"];
    let parts = parts.map(|name| fs::read_to_string(format!("{first}/{name}.yml")).unwrap());
    let mut stage = Stage::with(23, CORE, &parts.concat()).unwrap();
    let console = stage.start_collector().unwrap();
    stage.start_agent().unwrap();
    wait("the core agent to be heard", 60, || Ok((console.sites_in("up")? == [CORE]).then_some(()))).unwrap();

    let (sheet_path, directory) = (stage.path("danh-muc.xlsx"), stage.configuration());
    write(&sheet(&stage.own("127.82.")), &sheet_path);
    let import =
        || run("haidang-collector", &["import", &sheet_path, "--config", &directory, "--yes"]).unwrap();
    let clock = haidang_daemon::clock::Clock::machine().unwrap();
    let start = clock.steady_ns();
    let told = import();
    assert!(told.contains("danh-muc.xlsx: sites: 200 added; lines: 300 added\n"), "{told}");
    let live = || Ok((console.sites_in("up")?.len() == 201).then_some(()));
    wait("all 200 sites to be up", 180, live).unwrap();
    let took = Duration::from_nanos(clock.steady_ns() - start);
    println!("300 lines imported, all 200 sites live after {:.1} s", took.as_secs_f64());
    let loaded = config::load(Path::new(&directory)).unwrap();
    assert_eq!(loaded.summary(), "100 communes, 200 sites, 300 lines, 2 carriers");

    let before = written(&directory);
    assert_eq!(before.len(), COMMUNES + 1);
    let again = import();
    assert_eq!(again, "danh-muc.xlsx: sites: 200 unchanged; lines: 300 unchanged\n");
    assert_eq!(written(&directory), before);
    assert_eq!(config::load(Path::new(&directory)).unwrap().digest, loaded.digest);
    assert_eq!(console.incidents().unwrap(), Vec::<serde_json::Value>::new());
}
