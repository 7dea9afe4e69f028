//! What is wrong or doubtful in a sheet, at its cell: `Sheet1!F17: …`.
//!
//! A message never repeats a value of class `restricted` (a WAN address, a VLAN): that value stands apart in
//! [`Problem::found`], and only the administrator's terminal shows it.

use std::fmt;
use std::sync::Arc;

/// Most problems told of one sheet; the rest is counted.
pub const MAX_TOLD: usize = 1_000;

/// A cell, or a row as a whole. Sorts as one reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Name of the sheet; empty for CSV, which has none.
    pub sheet: Arc<str>,
    /// Row as the spreadsheet numbers it, from 1.
    pub row: u32,
    /// Column from 0; none for the row as a whole.
    pub column: Option<u32>,
}

impl Place {
    /// The column as the spreadsheet names it, as in `F`; empty for a row as a whole.
    pub fn letters(&self) -> String {
        let Some(column) = self.column else { return String::new() };
        let mut letters = Vec::new();
        let mut left = column + 1;
        while left > 0 {
            letters.push(b'A' + ((left - 1) % 26) as u8);
            left = (left - 1) / 26;
        }
        letters.iter().rev().map(|&letter| char::from(letter)).collect()
    }

    /// The cell as in `F17`; of a whole row as in `17`.
    pub fn cell(&self) -> String {
        format!("{}{}", self.letters(), self.row)
    }

    /// The same row's cell in another column.
    pub fn at(&self, column: Option<u32>) -> Place {
        Place { column, ..self.clone() }
    }
}

/// As in `Sheet1!F17`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.sheet.is_empty() {
            write!(f, "{}!", self.sheet)?;
        }
        f.write_str(&self.cell())
    }
}

/// Something wrong or doubtful.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// The column's heading as it stands in the sheet; empty for a row as a whole.
    pub title: String,
    /// What is wrong and, where known, what would be right.
    pub message: String,
    /// What the cell says.
    pub found: Option<String>,
    /// Whether that may be seen on the administrator's terminal alone.
    pub restricted: bool,
}

/// For the terminal of an administrator: with the restricted value.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.title.is_empty() {
            write!(f, "`{}`: ", self.title)?;
        }
        f.write_str(&self.message)?;
        match &self.found {
            Some(found) if self.restricted => write!(f, " (found `{found}`)"),
            _ => Ok(()),
        }
    }
}

impl Problem {
    /// Something about a row as a whole.
    pub fn of_row(place: Place, message: impl Into<String>) -> Problem {
        let place = Place { column: None, ..place };
        Problem { place, title: String::new(), message: message.into(), found: None, restricted: false }
    }
}

/// Errors and warnings, while they are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// What keeps the sheet out.
    pub errors: Vec<Problem>,
    /// What somebody should look at.
    pub warnings: Vec<Problem>,
}

impl Problems {
    /// Both lists in reading order, each said once.
    pub fn sort(&mut self) {
        for list in [&mut self.errors, &mut self.warnings] {
            list.sort();
            list.dedup();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_as_a_spreadsheet_names_them() {
        for (column, letters) in
            [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (701, "ZZ"), (702, "AAA")]
        {
            let place = Place { sheet: "Sheet1".into(), row: 17, column: Some(column) };
            assert_eq!(place.letters(), letters);
            assert_eq!(place.to_string(), format!("Sheet1!{letters}17"));
        }
    }

    #[test]
    fn a_restricted_value_stands_apart() {
        let place = Place { sheet: "".into(), row: 4, column: Some(1) };
        let (title, message) = ("WAN".to_owned(), "is no address".to_owned());
        let problem = Problem { place, title, message, found: Some("10.0.0.300".into()), restricted: true };
        assert_eq!(problem.to_string(), "B4: `WAN`: is no address (found `10.0.0.300`)");
        assert!(!problem.message.contains("300"));
    }
}
