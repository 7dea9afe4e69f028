//! A file of rows as cells: XLSX by `calamine`, CSV by `csv`. What it is called does not matter, what is in it does.
//!
//! ```text
//! bytes ─┬─ PK…            ─▶ inflated once and counted (a bomb is refused) ─▶ calamine, cell by cell ─┐
//!        ├─ D0 CF 11 E0    ─▶ an old .xls or a password: refused                                        ├─▶ sheets
//!        └─ UTF-8 text     ─▶ delimiter `,` `;` or tab, whichever divides most ─▶ csv ──────────────────┘
//! ```
//!
//! Limits, each beyond which the file is refused, not cut: [`FILE_MAX`], [`INFLATED_MAX`], [`TEXT_MAX`],
//! [`ROWS_MAX`], [`COLUMNS_MAX`], [`SHEETS_MAX`]. Cells are kept sparsely: a cell at the sheet's far corner costs one.

use super::text::clean;
use calamine::{DataRef, Reader, SheetVisible, Xlsx};
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::Arc;

/// Largest file, bytes.
pub const FILE_MAX: usize = 16 << 20;
/// Most bytes an XLSX may inflate to.
pub const INFLATED_MAX: u64 = 64 << 20;
/// Most bytes of text in all cells: an XLSX may name one long text a million times.
pub const TEXT_MAX: usize = 32 << 20;
/// Last row read.
pub const ROWS_MAX: u32 = 20_000;
/// Most columns.
pub const COLUMNS_MAX: u32 = 256;
/// Most sheets of one file.
pub const SHEETS_MAX: usize = 32;

/// What stands in a cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Text, cleaned, never empty.
    Text(String),
    /// A number.
    Number(f64),
    /// A date or time of day, as it reads.
    Date(String),
    /// A formula that failed, as in `#N/A`.
    Error(String),
}

/// A row that holds something.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// As the spreadsheet numbers it, from 1.
    pub number: u32,
    /// Cells by column, from 0.
    pub cells: BTreeMap<u32, Cell>,
}

/// A sheet.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// Its name; empty for CSV.
    pub name: Arc<str>,
    /// Its rows, without empty ones.
    pub rows: Vec<Row>,
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// Beyond a limit.
    #[error("holds more than {0}; import it in parts")]
    Limit(String),
    /// The old binary format, or a password.
    #[error("is an old .xls file or has a password; save it as .xlsx without a password, or as CSV UTF-8")]
    Old,
    /// UTF-16.
    #[error("is UTF-16 text; save it as `CSV UTF-8`, or as .xlsx")]
    Utf16,
    /// No text of ours.
    #[error("is neither .xlsx nor UTF-8 text (line {line}); save it as `CSV UTF-8`, or as .xlsx")]
    NotUtf8 {
        /// The first line that is not.
        line: usize,
    },
    /// The file is damaged.
    #[error("cannot be read as {form}: {why}")]
    Damaged {
        /// Which form.
        form: &'static str,
        /// What the reader said.
        why: String,
    },
    /// Nothing in it.
    #[error("is empty")]
    Empty,
}

/// Reads the sheets that can be seen.
pub fn read(bytes: &[u8]) -> Result<Vec<Sheet>, SheetError> {
    if bytes.len() > FILE_MAX {
        return Err(SheetError::Limit(format!("{} MiB", FILE_MAX >> 20)));
    }
    let sheets = match bytes {
        [] => return Err(SheetError::Empty),
        [b'P', b'K', ..] => workbook(bytes)?,
        [0xd0, 0xcf, 0x11, 0xe0, ..] => return Err(SheetError::Old),
        _ => vec![text(bytes)?],
    };
    if sheets.iter().all(|sheet| sheet.rows.is_empty()) { Err(SheetError::Empty) } else { Ok(sheets) }
}

/// How much may still be taken.
struct Room(usize);

impl Room {
    fn take(&mut self, text: &str) -> Result<String, SheetError> {
        let cleaned = clean(text);
        self.0 = self
            .0
            .checked_sub(cleaned.len())
            .ok_or_else(|| SheetError::Limit(format!("{} MiB of text", TEXT_MAX >> 20)))?;
        Ok(cleaned)
    }
}

fn put(rows: &mut BTreeMap<u32, Row>, row: u32, column: u32, cell: Cell) -> Result<(), SheetError> {
    if row >= ROWS_MAX {
        return Err(SheetError::Limit(format!("{ROWS_MAX} rows")));
    }
    if column >= COLUMNS_MAX {
        return Err(SheetError::Limit(format!("{COLUMNS_MAX} columns")));
    }
    let number = row + 1;
    rows.entry(row).or_insert_with(|| Row { number, cells: BTreeMap::new() }).cells.insert(column, cell);
    Ok(())
}

fn damaged(form: &'static str) -> impl Fn(&dyn std::fmt::Display) -> SheetError {
    move |why| SheetError::Damaged { form, why: why.to_string() }
}

/// What an XLSX inflates to, counted: what its directory says of its sizes may be a lie.
fn inflate(bytes: &[u8]) -> Result<(), SheetError> {
    let wrong = damaged(".xlsx");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| wrong(&error))?;
    let mut left = INFLATED_MAX;
    for place in 0..archive.len() {
        let part = archive.by_index(place).map_err(|error| wrong(&error))?;
        let inflated =
            std::io::copy(&mut part.take(left + 1), &mut std::io::sink()).map_err(|error| wrong(&error))?;
        left = left
            .checked_sub(inflated)
            .ok_or_else(|| SheetError::Limit(format!("{} MiB once unpacked", INFLATED_MAX >> 20)))?;
    }
    Ok(())
}

fn workbook(bytes: &[u8]) -> Result<Vec<Sheet>, SheetError> {
    let wrong = damaged(".xlsx");
    inflate(bytes)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|error| wrong(&error))?;
    let seen = book.sheets_metadata().iter().filter(|sheet| sheet.visible == SheetVisible::Visible);
    let names: Vec<String> = seen.map(|sheet| sheet.name.clone()).collect();
    if names.len() > SHEETS_MAX {
        return Err(SheetError::Limit(format!("{SHEETS_MAX} sheets")));
    }
    let mut room = Room(TEXT_MAX);
    let mut sheets = Vec::new();
    for name in names {
        let mut cells = book.worksheet_cells_reader(&name).map_err(|error| wrong(&error))?;
        let mut rows = BTreeMap::new();
        while let Some(cell) = cells.next_cell().map_err(|error| wrong(&error))? {
            let (row, column) = cell.get_position();
            if let Some(value) = value(cell.get_value(), &mut room)? {
                put(&mut rows, row, column, value)?;
            }
        }
        sheets.push(Sheet { name: name.into(), rows: rows.into_values().collect() });
    }
    Ok(sheets)
}

fn value(cell: &DataRef<'_>, room: &mut Room) -> Result<Option<Cell>, SheetError> {
    Ok(Some(match cell {
        DataRef::Empty => return Ok(None),
        DataRef::Int(number) => Cell::Number(*number as f64),
        DataRef::Float(number) => Cell::Number(*number),
        DataRef::String(text) => return Ok(written(room.take(text)?)),
        DataRef::SharedString(text) => return Ok(written(room.take(text)?)),
        DataRef::Bool(truth) => Cell::Text(truth.to_string()),
        DataRef::DateTime(time) => {
            let (year, month, day, hour, minute, ..) = time.to_ymd_hms_milli();
            Cell::Date(if time.as_f64() < 1.0 {
                format!("{hour:02}:{minute:02}")
            } else {
                format!("{year}-{month:02}-{day:02}")
            })
        }
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Cell::Date(room.take(text)?),
        DataRef::Error(error) => Cell::Error(error.to_string()),
    }))
}

/// A text cell; a failed formula in it, as CSV keeps one, is an error.
fn written(text: String) -> Option<Cell> {
    const FAILED: [&str; 8] = ["#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!"];
    match text.as_str() {
        "" => None,
        failed if FAILED.contains(&failed) => Some(Cell::Error(text)),
        _ => Some(Cell::Text(text)),
    }
}

fn text(bytes: &[u8]) -> Result<Sheet, SheetError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.contains(&0) {
        return Err(SheetError::Utf16);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| SheetError::NotUtf8 {
        line: bytes[..error.valid_up_to()].split(|&byte| byte == b'\n').count(),
    })?;
    // One kind of line break, also behind the last line: rows are told from the lines read so far.
    let text = text.replace("\r\n", "\n") + "\n";
    let mut reader = csv::ReaderBuilder::new();
    reader.has_headers(false).flexible(true).delimiter(delimiter(&text));
    let mut reader = reader.from_reader(text.as_bytes());
    let mut room = Room(TEXT_MAX);
    let (mut rows, mut record, mut folded) = (BTreeMap::new(), csv::StringRecord::new(), 0);
    while reader.read_record(&mut record).map_err(|error| damaged("CSV")(&error))? {
        // A quoted text may hold several lines: a spreadsheet counts them as one row.
        let within: usize = record.iter().map(|field| field.matches('\n').count()).sum();
        folded += within as u64;
        let row = (reader.position().line() - folded).saturating_sub(2) as u32;
        for (column, field) in record.iter().enumerate() {
            if let Some(cell) = written(room.take(field)?) {
                put(&mut rows, row, column as u32, cell)?;
            }
        }
    }
    Ok(Sheet { name: "".into(), rows: rows.into_values().collect() })
}

/// Whichever of `,` `;` and tab divides the first lines most; quoted text does not count.
fn delimiter(text: &str) -> u8 {
    const LOOKED_AT: usize = 50;
    let count = |delimiter: u8| {
        let mut quoted = false;
        let lines = text.lines().take(LOOKED_AT).flat_map(str::bytes);
        lines
            .filter(|&byte| {
                quoted ^= byte == b'"';
                !quoted && byte == delimiter
            })
            .count()
    };
    // The later of equals: a comma also stands in plain text, the others hardly ever.
    [b',', b'\t', b';'].into_iter().max_by_key(|&delimiter| count(delimiter)).unwrap_or(b',')
}

#[cfg(test)]
mod tests;
