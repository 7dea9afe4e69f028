use super::*;

fn rows(bytes: &[u8]) -> Vec<(u32, Vec<String>)> {
    let sheet = text(bytes).unwrap();
    let shown = |cell: &Cell| match cell {
        Cell::Text(text) => text.clone(),
        other => format!("{other:?}"),
    };
    sheet.rows.iter().map(|row| (row.number, row.cells.values().map(shown).collect())).collect()
}

#[test]
fn each_delimiter_is_found_and_rows_keep_their_numbers() {
    for delimiter in [',', ';', '\t'] {
        let text = format!(
            "\u{feff}Xã{delimiter}Điểm\r\n\r\n\"a\nb\"{delimiter}c\r\n{delimiter}\r\nd{delimiter}e\r\n"
        );
        assert_eq!(
            rows(text.as_bytes()),
            [
                (1, vec!["Xã".into(), "Điểm".into()]),
                (3, vec!["a b".into(), "c".into()]),
                (5, vec!["d".into(), "e".into()])
            ],
            "{delimiter:?}"
        );
    }
}

#[test]
fn commas_in_quotes_divide_nothing() {
    assert_eq!(delimiter("a;\"x, y, z\";b"), b';');
}

#[test]
fn what_is_no_sheet_is_refused_with_what_to_do() {
    for (bytes, said) in [
        (&b""[..], "is empty"),
        (b"\xff\xfeX\0", "is UTF-16 text; save it as `CSV UTF-8`, or as .xlsx"),
        (b"X\0\xe3\0", "is UTF-16 text; save it as `CSV UTF-8`, or as .xlsx"),
        (b"a,b\n\xe3\xff", "is neither .xlsx nor UTF-8 text (line 2); save it as `CSV UTF-8`, or as .xlsx"),
        (
            b"\xd0\xcf\x11\xe0....",
            "is an old .xls file or has a password; save it as .xlsx without a password, or as CSV UTF-8",
        ),
        (b"\n\n", "is empty"),
    ] {
        assert_eq!(read(bytes).unwrap_err().to_string(), said);
    }
    assert!(read(b"PK\x03\x04 no more").unwrap_err().to_string().starts_with("cannot be read as .xlsx: "));
}

#[test]
fn limits_refuse_and_never_cut() {
    let long = "a\n".repeat(ROWS_MAX as usize + 1);
    assert_eq!(
        read(long.as_bytes()).unwrap_err().to_string(),
        "holds more than 20000 rows; import it in parts"
    );
    let wide = ",".repeat(COLUMNS_MAX as usize) + "x";
    assert_eq!(
        read(wide.as_bytes()).unwrap_err().to_string(),
        "holds more than 256 columns; import it in parts"
    );
    assert!(read(&vec![b'a'; FILE_MAX + 1]).unwrap_err().to_string().contains("16 MiB"));
}

#[test]
fn a_file_that_inflates_without_end_is_refused() {
    use std::io::Write;
    let mut bomb = zip::ZipWriter::new(Cursor::new(Vec::new()));
    bomb.start_file("xl/sharedStrings.xml", zip::write::SimpleFileOptions::default()).unwrap();
    let block = vec![b' '; 1 << 20];
    for _ in 0..=INFLATED_MAX >> 20 {
        bomb.write_all(&block).unwrap();
    }
    let bytes = bomb.finish().unwrap().into_inner();
    assert!(bytes.len() < 1 << 20);
    assert_eq!(
        read(&bytes).unwrap_err().to_string(),
        "holds more than 64 MiB once unpacked; import it in parts"
    );
}
