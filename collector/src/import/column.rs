//! The columns a sheet may have, and every heading each is known by.

use super::sheet::Cell;
use super::text::fold;
use haidang_daemon::yaml::suggest;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// Code of the commune.
    CommuneCode,
    /// Name of the commune.
    Commune,
    /// The operator's area.
    Area,
    /// Id of the site.
    SiteId,
    /// Name of the site.
    Site,
    /// Where the site is, in words.
    Address,
    /// How the site is observed.
    Observe,
    /// Whether the site is simulated.
    Rehearsal,
    /// When the office works.
    Hours,
    /// Whom to call.
    Contact,
    /// Their telephone.
    Phone,
    /// Who holds the key.
    KeyHolder,
    /// Their telephone.
    KeyPhone,
    /// The carrier's circuit id.
    Circuit,
    /// The carrier.
    Carrier,
    /// Where the line comes in at the centre.
    HandOff,
    /// The carrier's aggregation point.
    Pop,
    /// Number of the contract.
    Contract,
    /// Contracted rate.
    Mbps,
    /// The site's address on the line.
    Wan,
    /// VLAN or VPN.
    Vlan,
    /// Primary or backup.
    Role,
    /// What the line is made of.
    Medium,
}

impl Column {
    /// The heading to write where one is missing.
    pub fn title(self) -> &'static str {
        NAMES.iter().find(|(column, ..)| *column == self).map_or("", |(_, title, _)| title)
    }

    /// Whether its values are of class `restricted`: not to be repeated outside the administrator's terminal.
    pub fn restricted(self) -> bool {
        matches!(self, Column::Wan | Column::Vlan)
    }
}

/// Each column, its heading, and other headings it is known by, folded.
const NAMES: [(Column, &str, &[&str]); 23] = [
    (
        Column::CommuneCode,
        "Mã xã",
        &["ma phuong", "ma xa phuong", "ma phuong xa", "ma don vi hanh chinh", "ma dvhc", "commune code"],
    ),
    (
        Column::Commune,
        "Xã/phường",
        &[
            "xa",
            "phuong",
            "ten xa",
            "ten xa phuong",
            "ten phuong xa",
            "phuong xa",
            "xa phuong dac khu",
            "don vi hanh chinh",
            "commune",
            "commune name",
        ],
    ),
    (Column::Area, "Khu vực", &["cum", "vung", "area"]),
    (Column::SiteId, "Mã điểm", &["ma diem ket noi", "ma tru so", "site id"]),
    (
        Column::Site,
        "Điểm",
        &[
            "ten diem",
            "diem ket noi",
            "ten diem ket noi",
            "don vi",
            "ten don vi",
            "tru so",
            "site",
            "site name",
        ],
    ),
    (
        Column::Address,
        "Địa chỉ",
        &["dia chi diem", "dia chi lap dat", "noi lap dat", "address", "street address"],
    ),
    (Column::Observe, "Quan sát", &["cach quan sat", "observe", "observed by"]),
    (Column::Rehearsal, "Diễn tập", &["rehearsal"]),
    (Column::Hours, "Giờ làm việc", &["gio", "gio hanh chinh", "gio phuc vu", "hours", "working hours"]),
    (
        Column::Contact,
        "Liên hệ",
        &["nguoi lien he", "ho ten lien he", "dau moi", "dau moi lien he", "contact", "contact name"],
    ),
    (
        Column::Phone,
        "Điện thoại",
        &["so dien thoai", "sdt", "dien thoai lien he", "phone", "contact phone", "telephone"],
    ),
    (Column::KeyHolder, "Người giữ chìa khóa", &["giu chia khoa", "chia khoa", "key holder"]),
    (
        Column::KeyPhone,
        "Điện thoại giữ chìa khóa",
        &["dien thoai nguoi giu chia khoa", "sdt giu chia khoa", "key holder phone"],
    ),
    (
        Column::Circuit,
        "Mã kênh",
        &["ma kenh truyen", "so kenh", "ma duong truyen", "ma kenh nha mang", "circuit", "circuit id"],
    ),
    (Column::Carrier, "Nhà mạng", &["nha cung cap", "doanh nghiep vien thong", "carrier", "provider", "isp"]),
    (Column::HandOff, "Cổng đấu nối", &["cong", "hand off", "handoff"]),
    (Column::Pop, "Trạm", &["tram gom", "tram vien thong", "pop"]),
    (Column::Contract, "Hợp đồng", &["so hop dong", "contract", "contract number"]),
    (
        Column::Mbps,
        "Mb/s",
        &[
            "mbps",
            "bang thong",
            "bang thong mb s",
            "bang thong mbps",
            "toc do",
            "toc do mb s",
            "toc do mbps",
            "bandwidth",
            "speed",
        ],
    ),
    (Column::Wan, "Địa chỉ WAN", &["wan", "ip wan", "wan ip", "dia chi ip wan", "dia chi ip", "wan address"]),
    (Column::Vlan, "VLAN/VPN", &["vlan", "vpn", "vpn vlan"]),
    (Column::Role, "Vai trò", &["chinh du phong", "role"]),
    (
        Column::Medium,
        "Loại đường",
        &["loai", "loai kenh", "loai kenh truyen", "loai duong truyen", "medium", "kind"],
    ),
];

/// The column that a heading names.
pub fn known(cell: &Cell) -> Option<Column> {
    let Cell::Text(title) = cell else { return None };
    let whole = fold(title);
    let outside = fold(title.split('(').next().unwrap_or_default());
    let is = |(_, title, others): &&(Column, &str, &[&str])| {
        let names = |word: &str| fold(title) == word || others.contains(&word);
        names(&whole) || names(&outside)
    };
    NAMES.iter().find(is).map(|(column, ..)| *column)
}

/// What to say of a heading that names none.
pub fn unknown(title: &str) -> String {
    let folded = fold(title);
    let spellings: Vec<(String, &str)> = NAMES
        .iter()
        .flat_map(|(_, title, others)| {
            std::iter::once((fold(title), *title))
                .chain(others.iter().map(|other| ((*other).to_owned(), *title)))
        })
        .collect();
    let near = suggest(&folded, spellings.iter().map(|(spelling, _)| spelling.as_str()));
    let meant = spellings.iter().find(|(spelling, _)| Some(spelling.as_str()) == near);
    match meant {
        Some((_, title)) => format!("no such column; did you mean `{title}`? It is left out"),
        None => "no such column; it is left out".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_spelling_names_one_column() {
        let mut seen = BTreeSet::new();
        for (column, title, others) in &NAMES {
            for spelling in std::iter::once(fold(title)).chain(others.iter().map(|other| fold(other))) {
                assert!(seen.insert(spelling.clone()), "{spelling} of {column:?}");
                assert_eq!(known(&Cell::Text(spelling)), Some(*column));
            }
        }
    }
}
