//! A first configuration: what one fills in, with a comment at each key, and a sheet to fill in beside it.

use super::official::{all, province, provinces};
use crate::config::{self, Fault};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Name of the sheet.
pub const SHEET: &str = "danh-muc.csv";

const COLLECTOR: &str = include_str!("init/collector.yml");
const NETWORK: &str = include_str!("init/network.yml");
const CENTRE: &str = include_str!("init/trung-tam.yml");
const PROVINCE: &str = include_str!("init/province.yml");
/// A spreadsheet knows by the mark at the start that the file is UTF-8.
const TITLES: &str = "\u{feff}Mã xã,Xã/phường,Khu vực,Mã điểm,Điểm,Địa chỉ,Giờ làm việc,Liên hệ,Điện thoại,Người giữ chìa khóa,\
Điện thoại giữ chìa khóa,Nhà mạng,Mã kênh,Hợp đồng,Mb/s,Vai trò,Loại đường,Địa chỉ WAN,VLAN/VPN,Diễn tập\r\n";

/// Why there is no first configuration.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is something already.
    #[error("{}: holds something already; name an empty directory, or one to be made", .0.display())]
    Taken(PathBuf),
    /// No such province.
    #[error("`{0}` is no code of a province; write one of {list}", list = codes())]
    Province(String),
    /// The disk refused.
    #[error("write {}: {source}", .path.display())]
    Disk {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was written does not load: a fault of this program.
    #[error("what was written does not load: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Faults(Vec<Fault>),
}

/// Writes a configuration into an empty or new directory; gives the files.
pub fn init(directory: &Path, code: Option<&str>) -> Result<Vec<PathBuf>, InitError> {
    let name = match code {
        Some(code) => province(code).ok_or_else(|| InitError::Province(code.to_owned()))?,
        None => "Tên tỉnh",
    };
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| InitError::Disk { path, source }
    };
    fs::create_dir_all(directory).map_err(failed(directory))?;
    if fs::read_dir(directory).map_err(failed(directory))?.next().is_some() {
        return Err(InitError::Taken(directory.to_path_buf()));
    }
    let first = format!("province: {{code: \"{}\", name: {name}}}", code.unwrap_or("00"));
    let texts = [
        ("province.yml", PROVINCE.replace("province: {}", &first)),
        ("collector.yml", COLLECTOR.to_owned()),
        ("network.yml", NETWORK.to_owned()),
        ("trung-tam.yml", CENTRE.to_owned()),
        (SHEET, sheet(code)),
    ];
    let mut written = Vec::new();
    for (name, text) in texts {
        let path = directory.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed(&path))?;
        file.write_all(text.as_bytes()).map_err(failed(&path))?;
        written.push(path);
    }
    config::load(directory).map_err(InitError::Faults)?;
    Ok(written)
}

/// The sheet: its headings, and an office with two lines, which is marked as rehearsal until it is written over.
fn sheet(code: Option<&str>) -> String {
    let mut communes = all().filter(|(of, ..)| code.is_none_or(|code| code == *of));
    let Some((_, commune, known)) = communes.next() else { return TITLES.to_owned() };
    let office = format!("Trung tâm Phục vụ hành chính công {}", known.full());
    let line = |fields: [&str; 8]| {
        let site = [
            commune,
            &known.full(),
            "",
            "",
            &office,
            "Số 1 đường 30/4",
            "\"T2-T6 07:00-11:30, 13:00-17:00\"",
            "Nguyễn Văn A",
        ];
        let people = ["0900 000 001", "Trần Thị B", "0900 000 002"];
        let fields: Vec<&str> = site.into_iter().chain(people).chain(fields).chain(["có"]).collect();
        fields.join(",") + "\r\n"
    };
    let primary =
        line(["VNPT", "VD-VNPT-0001", "HĐ 01/2026", "200", "chính", "cáp quang L2", "192.0.2.10", ""]);
    let backup = line(["Viettel", "VD-VTL-0001", "HĐ 02/2026", "50", "dự phòng", "4G APN", "192.0.2.11", ""]);
    [TITLES, &primary, &backup].concat()
}

fn codes() -> String {
    provinces().map(|(code, name)| format!("{code} ({name})")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::plan::{Kind, What};
    use crate::import::preview;

    #[test]
    fn what_is_made_loads_and_its_own_sheet_can_be_imported() {
        for code in [None, Some("82"), Some("01")] {
            let folder = tempfile::tempdir().unwrap();
            let directory = folder.path().join("hai-dang");
            assert_eq!(init(&directory, code).unwrap().len(), 5);
            let sheet = fs::read(directory.join(SHEET)).unwrap();
            let seen = preview(&directory, SHEET, &sheet, false).unwrap();
            assert_eq!(seen.problems, crate::import::Problems::default());
            assert_eq!(
                (seen.plan.count(Kind::Added, What::Site), seen.plan.count(Kind::Added, What::Commune)),
                (1, 1)
            );
            seen.write(&directory).unwrap();
            let loaded = config::load(&directory).unwrap();
            assert_eq!(loaded.summary(), "1 commune, 1 site, 2 lines, 2 carriers");
            assert!(loaded.topology.offices().all(|(_, site)| site.rehearsal));
        }
    }

    #[test]
    fn nothing_is_written_over_and_no_province_invented() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("notes.txt"), "").unwrap();
        assert!(matches!(init(folder.path(), None), Err(InitError::Taken(_))));
        let refused = init(&folder.path().join("new"), Some("83")).unwrap_err().to_string();
        assert!(
            refused.starts_with("`83` is no code of a province; write one of 01 (Hà Nội), "),
            "{refused}"
        );
        assert!(!folder.path().join("new").exists());
    }
}
