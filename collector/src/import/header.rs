//! Which column is which: headings in Vietnamese or English, with or without diacritics, wherever they stand.
//!
//! Above the headings there may be title rows; the row of the first [`LOOKED_AT`] that names the most columns is the
//! heading. A column nobody knows is told with the nearest one and left out.

use super::column::{Column, known, unknown};
use super::problem::{Place, Problem, Problems};
use super::row::Spot;
use super::sheet::{Cell, Row, Sheet};
use super::text::fold;
use std::collections::BTreeMap;

/// Rows in which the heading is looked for.
const LOOKED_AT: usize = 40;
/// Columns a row must name to be a heading: a sheet of notes may use one or two of the words.
const NAMED: usize = 3;

/// Headings of columns that sheets have and a record does not need.
const LEFT_OUT: [&str; 9] =
    ["stt", "tt", "so tt", "so thu tu", "no", "ghi chu", "chu thich", "note", "notes"];

/// The columns of one sheet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The row they are named in.
    pub row: u32,
    /// Where each known column is, and its heading as it stands.
    pub columns: BTreeMap<Column, (u32, String)>,
}

impl Header {
    /// Where `column` is.
    pub fn column(&self, column: Column) -> Option<u32> {
        self.columns.get(&column).map(|(place, _)| *place)
    }

    /// Its heading as it stands; empty where there is none.
    pub fn title(&self, column: Column) -> &str {
        self.columns.get(&column).map_or("", |(_, title)| title)
    }
}

/// The columns of `sheet`; none when no row is a heading.
pub fn find(sheet: &Sheet, problems: &mut Problems) -> Option<Header> {
    let looked_at = sheet.rows.iter().take(LOOKED_AT);
    let named = |row: &&Row| row.cells.values().filter(|cell| known(cell).is_some()).count();
    // The first of equals: a heading repeated further down is a row like any other.
    let row = looked_at.rev().max_by_key(named).filter(|row| named(row) >= NAMED)?;
    let mut header = Header { row: row.number, columns: BTreeMap::new() };
    let place = |column| Place { sheet: sheet.name.clone(), row: row.number, column };
    for (&at, cell) in &row.cells {
        let Cell::Text(title) = cell else { continue };
        let problem = |message| Problem {
            place: place(Some(at)),
            title: title.clone(),
            message,
            found: Some(title.clone()),
            restricted: false,
        };
        match known(cell).map(|column| of_neighbour(column, &header, at)) {
            Some(column) if header.columns.contains_key(&column) => {
                let first = place(header.column(column)).cell();
                problems.errors.push(problem(format!("the column stands twice; it stands first at {first}")));
            }
            Some(column) => _ = header.columns.insert(column, (at, title.clone())),
            None if LEFT_OUT.contains(&fold(title).as_str()) => {}
            None => problems.warnings.push(problem(unknown(title))),
        }
    }
    missing(&header, &place(None), problems);
    Some(header)
}

/// Sheets without a heading are left out, which is told; without any in the whole file there is nothing to import.
pub fn tell_left_out(sheets: &[Sheet], headers: &[Option<Header>], problems: &mut Problems) {
    let message = format!(
        "no row names the columns; write a heading, at least `{}`, `{}`, `{}` and `{}`",
        Column::CommuneCode.title(),
        Column::Site.title(),
        Column::Circuit.title(),
        Column::Carrier.title()
    );
    let none_has = headers.iter().all(Option::is_none);
    let without =
        sheets.iter().zip(headers).filter(|(sheet, header)| header.is_none() && !sheet.rows.is_empty());
    for (sheet, _) in without {
        let place = Place { sheet: sheet.name.clone(), row: 1, column: None };
        let (list, message) = if none_has {
            (&mut problems.errors, message.clone())
        } else {
            (&mut problems.warnings, "no row names the columns; the sheet is left out".into())
        };
        list.push(Problem::of_row(place, message));
    }
}

/// A second `Điện thoại` straight behind the key holder is the key holder's.
fn of_neighbour(column: Column, header: &Header, at: u32) -> Column {
    let behind = at.checked_sub(1).is_some_and(|before| header.column(Column::KeyHolder) == Some(before));
    if column == Column::Phone && behind { Column::KeyPhone } else { column }
}

/// What no line can do without.
fn missing(header: &Header, row: &Place, problems: &mut Problems) {
    let lacks = |column| !header.columns.contains_key(&column);
    let mut needed = vec![Column::Site, Column::Circuit, Column::Carrier];
    if lacks(Column::CommuneCode) && lacks(Column::Commune) {
        needed.insert(0, Column::CommuneCode);
    }
    for column in needed.into_iter().filter(|column| lacks(*column)) {
        let message = format!("the heading names no column `{}`; add it", column.title());
        problems.errors.push(Problem::of_row(row.clone(), message));
    }
    for (one, other) in [(Column::Contact, Column::Phone), (Column::KeyHolder, Column::KeyPhone)] {
        let (has, lacks) = if lacks(one) { (other, one) } else { (one, other) };
        if header.columns.contains_key(&has) && !header.columns.contains_key(&lacks) {
            let message = format!("without a column `{}` nobody is recorded from this one", lacks.title());
            let spot = Spot { place: row.at(header.column(has)), title: header.title(has).to_owned() };
            problems.warnings.push(spot.problem(message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(rows: &[&[&str]]) -> Sheet {
        let row = |(number, texts): (usize, &&[&str])| Row {
            number: number as u32 + 1,
            cells: texts
                .iter()
                .enumerate()
                .filter(|(_, text)| !text.is_empty())
                .map(|(column, text)| (column as u32, Cell::Text((*text).into())))
                .collect(),
        };
        Sheet { name: "Sheet1".into(), rows: rows.iter().enumerate().map(row).collect() }
    }

    #[test]
    fn the_heading_may_stand_below_titles_in_either_language() {
        for titles in [
            [
                "STT",
                "Mã xã",
                "XÃ / PHƯỜNG",
                "Tên điểm",
                "Mã kênh",
                "Nhà mạng",
                "Băng thông (Mbps)",
                "Địa chỉ WAN",
            ],
            ["No", "commune code", "Commune", "site", "Circuit ID", "carrier", "bandwidth", "WAN IP"],
            ["stt", "ma xa", "xa phuong", "diem", "ma kenh", "nha mang", "toc do", "ip wan"],
        ] {
            let mut problems = Problems::default();
            let sheet = sheet(&[&["DANH MỤC ĐƯỜNG TRUYỀN"], &[], &titles]);
            let header = find(&sheet, &mut problems).unwrap();
            assert_eq!(problems, Problems::default());
            assert_eq!(header.row, 3);
            let found: Vec<_> = header.columns.values().map(|(column, _)| *column).collect();
            assert_eq!(found, [1, 2, 3, 4, 5, 6, 7]);
        }
    }

    #[test]
    fn an_unknown_column_is_told_with_the_nearest_and_a_missing_one_named() {
        let mut problems = Problems::default();
        let sheet = sheet(&[&["Mã xã", "Điểm", "Mã kênhh", "Nhà mạng", "Màu sơn", "Mã xã"]]);
        find(&sheet, &mut problems).unwrap();
        problems.sort();
        let said = |list: &[Problem]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            said(&problems.warnings),
            [
                "Sheet1!C1: `Mã kênhh`: no such column; did you mean `Mã kênh`? It is left out",
                "Sheet1!E1: `Màu sơn`: no such column; it is left out"
            ]
        );
        assert_eq!(
            said(&problems.errors),
            [
                "Sheet1!1: the heading names no column `Mã kênh`; add it",
                "Sheet1!F1: `Mã xã`: the column stands twice; it stands first at A1"
            ]
        );
    }

    #[test]
    fn the_second_telephone_is_the_key_holders() {
        let mut problems = Problems::default();
        let titles = [
            "Mã xã",
            "Điểm",
            "Liên hệ",
            "Điện thoại",
            "Người giữ chìa khóa",
            "Điện thoại",
            "Mã kênh",
            "Nhà mạng",
        ];
        let header = find(&sheet(&[&titles]), &mut problems).unwrap();
        assert_eq!(header.column(Column::Phone), Some(3));
        assert_eq!(header.column(Column::KeyPhone), Some(5));
    }
}
