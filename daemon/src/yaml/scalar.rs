//! What a plain word of YAML 1.2 is: nothing, a truth value, a number, or just text. Pure.

use std::num::IntErrorKind;

/// A plain scalar that says that nothing is there.
pub(super) fn is_nothing(text: &str) -> bool {
    ["", "~", "null", "Null", "NULL"].contains(&text)
}

/// `true` and `false` only: `no` is a word.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A whole number: decimal, `0x`, `0o` or `0b`; single `_` may stand between digits. A decimal number does not begin
/// with 0, so that a code stays a code.
pub(super) fn whole(text: &str) -> Option<i128> {
    let text = text.trim_ascii();
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let radix = match digits.get(..2) {
        Some("0x" | "0X") => 16,
        Some("0o" | "0O") => 8,
        Some("0b" | "0B") => 2,
        _ => 10,
    };
    let digits = if radix == 10 { digits } else { &digits[2..] };
    let padded = radix == 10 && digits.len() > 1 && digits.starts_with('0');
    let spaced = digits.starts_with('_') || digits.ends_with('_') || digits.contains("__");
    if padded || spaced || digits.starts_with(['+', '-']) {
        return None;
    }
    match i128::from_str_radix(&digits.replace('_', ""), radix) {
        Ok(number) => Some(sign * number),
        // Larger than any type: no number of ours, nor the text of one.
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => Some(sign * i128::MAX),
        Err(_) => None,
    }
}

/// Any number; `None` for one that is too large for a double, too.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim_ascii();
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned {
        ".inf" | ".Inf" | ".INF" => Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        _ => text.parse().ok().filter(|value: &f64| value.is_finite()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_of_yaml_are_read_and_codes_are_not() {
        for (text, number) in [
            ("0", Some(0)),
            ("-12", Some(-12)),
            ("+7", Some(7)),
            ("1_000", Some(1000)),
            ("0x1F", Some(31)),
            ("0o17", Some(15)),
            ("-0b101", Some(-5)),
            ("00123", None),
            ("1__0", None),
            ("_1", None),
            ("--1", None),
            ("0x-1", None),
            ("0x", None),
            ("", None),
            ("1.5", None),
            ("fast", None),
        ] {
            assert_eq!(whole(text), number, "{text}");
        }
    }

    #[test]
    fn numbers_are_those_of_yaml_and_not_all_that_rust_reads() {
        assert_eq!(number("-1.5e3"), Some(-1500.0));
        assert_eq!(number("-.inf"), Some(f64::NEG_INFINITY));
        assert!(number(".nan").is_some_and(f64::is_nan));
        for word in ["inf", "nan", "infinity", "1e999", "1,5", ""] {
            assert_eq!(number(word), None, "{word}");
        }
    }
}
