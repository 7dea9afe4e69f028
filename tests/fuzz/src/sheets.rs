//! Sheets that people import.

use crate::collector::province;
use haidang_collector::import::preview;
use std::io::{Cursor, Write as _};
use std::sync::LazyLock;
use tempfile::TempDir;
use zip::write::{SimpleFileOptions, ZipWriter};

/// Between the strings and the sheet of a workbook.
const BETWEEN: &str = "\n--\n";

/// What a workbook holds beside its strings and its sheet.
const PARTS: [(&str, &str); 4] = [
    (
        "[Content_Types].xml",
        r#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/></Types>"#,
    ),
    (
        "_rels/.rels",
        r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#,
    ),
    (
        "xl/workbook.xml",
        r#"<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>"#,
    ),
    (
        "xl/_rels/workbook.xml.rels",
        r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#,
    ),
];

/// The configuration that is imported into.
static PROVINCE: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder for files");
    province(folder.path());
    folder
});

/// A file as somebody would hand it in: text in some code page, a workbook, anything.
pub fn sheet(octets: &[u8]) {
    match preview(PROVINCE.path(), "sheet", octets, true) {
        Ok(shown) => assert_eq!(shown.digest.len(), 64, "a digest is SHA-256 in hex"),
        Err(error) => assert!(!error.to_string().is_empty(), "refused without a word"),
    }
}

/// The XML inside a workbook, strings and sheet: mutated octets never are a good archive.
pub fn workbook(octets: &[u8]) {
    let text = crate::text(octets);
    let (strings, sheet_one) = text.split_once(BETWEEN).unwrap_or(("", &text));
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let own = [("xl/sharedStrings.xml", strings), ("xl/worksheets/sheet1.xml", sheet_one)];
    for (name, part) in PARTS.into_iter().chain(own) {
        archive.start_file(name, SimpleFileOptions::default()).expect("memory takes everything");
        archive.write_all(part.as_bytes()).expect("memory takes everything");
    }
    sheet(archive.finish().expect("memory takes everything").get_ref());
}
