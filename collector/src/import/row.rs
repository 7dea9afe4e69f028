//! One row of a sheet, asked column by column: it keeps what is wrong at its cell and goes on.

use super::column::Column;
use super::header::Header;
use super::problem::{Place, Problem, Problems};
use super::sheet::{Cell, Row, Sheet};

/// A value and the cell that says it.
#[derive(Clone, Debug, PartialEq)]
pub struct Said<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// A cell that something may be said about once all rows are read.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot {
    /// Where it is.
    pub place: Place,
    /// The column's heading; empty when the sheet has no such column.
    pub title: String,
}

impl Spot {
    /// Something about it.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        let (place, title, message) = (self.place.clone(), self.title.clone(), message.into());
        Problem { place, title, message, found: None, restricted: false }
    }
}

/// A row with the columns of its sheet.
#[derive(Clone, Copy)]
pub struct Asked<'s> {
    /// The sheet.
    pub sheet: &'s Sheet,
    /// Its columns.
    pub header: &'s Header,
    /// The row.
    pub row: &'s Row,
}

impl<'s> Asked<'s> {
    /// The cell of a column, if it holds something.
    pub fn cell(&self, column: Column) -> Option<&'s Cell> {
        self.row.cells.get(&self.header.column(column)?)
    }

    /// Whether the sheet has the column, and this row leaves it empty.
    pub fn leaves_empty(&self, column: Column) -> bool {
        self.header.column(column).is_some() && self.cell(column).is_none()
    }

    /// Where a column of this row is; the row as a whole when the sheet has no such column.
    pub fn place(&self, column: Column) -> Place {
        Place { sheet: self.sheet.name.clone(), row: self.row.number, column: self.header.column(column) }
    }

    /// Something about a cell.
    pub fn problem(&self, column: Column, message: impl Into<String>) -> Problem {
        let shown = |cell: &Cell| match cell {
            Cell::Text(text) | Cell::Date(text) | Cell::Error(text) => text.clone(),
            Cell::Number(number) => number.to_string(),
        };
        let found = self.cell(column).map(shown);
        Problem { found, restricted: column.restricted(), ..self.spot(column).problem(message) }
    }

    /// A cell to be spoken of later.
    pub fn spot(&self, column: Column) -> Spot {
        Spot { place: self.place(column), title: self.header.title(column).to_owned() }
    }

    /// What `take` makes of a cell; none when it is empty or wrong, and wrong is kept.
    pub fn take<T>(
        &self,
        problems: &mut Problems,
        column: Column,
        take: impl Fn(&Cell) -> Result<T, String>,
    ) -> Option<Said<T>> {
        match take(self.cell(column)?) {
            Ok(value) => Some(Said { value, place: self.place(column) }),
            Err(wrong) => {
                problems.errors.push(self.problem(column, wrong));
                None
            }
        }
    }

    /// The same of a cell that must not be empty.
    pub fn need<T>(
        &self,
        problems: &mut Problems,
        column: Column,
        what: &str,
        take: impl Fn(&Cell) -> Result<T, String>,
    ) -> Option<Said<T>> {
        if self.leaves_empty(column) {
            problems.errors.push(self.problem(column, format!("is empty; write {what}")));
        }
        self.take(problems, column, take)
    }

    /// The cells that mean something, as they read: what makes two rows one.
    pub fn content(&self) -> Vec<String> {
        self.header.columns.keys().map(|column| format!("{:?}", self.cell(*column))).collect()
    }

    /// A row that holds one cell alone, and no line's: a title between rows, a sum, a signature.
    pub fn is_title(&self) -> bool {
        self.row.cells.len() == 1 && self.cell(Column::Circuit).or(self.cell(Column::Wan)).is_none()
    }
}
