//! The values a file holds: each reader says what to write instead.

use super::tree::{Node, Tree, shorten};
use haidang_probe::ask::interface;
use haidang_probe::check::Span;
use jiff::civil::Date;
use std::net::{IpAddr, SocketAddr};

/// Longest id, characters.
const MAX_ID: usize = 64;
/// Longest name or other text, characters.
const MAX_TEXT: usize = 200;

/// A line of text that says something.
pub(super) fn text(tree: &Tree) -> Result<String, String> {
    let text = match &tree.node {
        Node::Text(text) => text.trim(),
        // A number would lose the zeros it begins with.
        Node::Number(_) | Node::Truth(_) => {
            return Err(format!("expected text, found {}; write it in quotes", tree.looks()));
        }
        _ => return Err(format!("expected text, found {}", tree.looks())),
    };
    if text.is_empty() {
        return Err("is empty; write the text or leave the key out".into());
    }
    if text.chars().count() > MAX_TEXT {
        return Err(format!("is longer than {MAX_TEXT} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("holds a line break or control character; write one line of text".into());
    }
    Ok(text.to_owned())
}

/// An id of the record: it stands in addresses of the console, in check names and file names.
pub(super) fn id(tree: &Tree) -> Result<String, String> {
    let id = text(tree)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !id.chars().all(legal) || !id.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(format!(
            "`{}` is not an id; write letters a-z, digits, `-`, `_` and `.`, a letter or digit first",
            shorten(&id)
        ));
    }
    if id.len() > MAX_ID {
        return Err(format!("is longer than {MAX_ID} characters; write a shorter id"));
    }
    Ok(id)
}

/// Code of a province: two digits.
pub(super) fn province_code(tree: &Tree) -> Result<String, String> {
    digits(tree, 2, "82")
}

/// Code of a commune: five digits.
pub(super) fn commune_code(tree: &Tree) -> Result<String, String> {
    digits(tree, 5, "28249")
}

fn digits(tree: &Tree, length: usize, example: &str) -> Result<String, String> {
    let code = text(tree)?;
    if code.len() == length && code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(code);
    }
    Err(format!(
        "`{}` is not a code of the General Statistics Office; write {length} digits in quotes, as in \"{example}\"",
        shorten(&code)
    ))
}

/// A calendar day, kept as written.
pub(super) fn day(tree: &Tree) -> Result<String, String> {
    let day = text(tree)?;
    if day.len() == "2025-07-01".len() && day.parse::<Date>().is_ok() {
        return Ok(day);
    }
    Err(format!("`{}` is not a day of the calendar; write year-month-day, as in 2025-07-01", shorten(&day)))
}

/// `true` or `false`.
pub(super) fn truth(tree: &Tree) -> Result<bool, String> {
    match tree.node {
        Node::Truth(value) => Ok(value),
        _ => Err(format!("expected `true` or `false`, found {}", tree.looks())),
    }
}

/// A whole number from 1 to `u32::MAX`.
pub(super) fn count(tree: &Tree) -> Result<u32, String> {
    whole(tree, u64::from(u32::MAX)).map(|number| number as u32)
}

/// A whole number of bytes from 128 MiB: two segments of the journal.
pub(super) fn bytes(tree: &Tree) -> Result<u64, String> {
    const LEAST: u64 = 128 << 20;
    let number = whole(tree, 1 << 50)?;
    if number < LEAST { Err(format!("is too small; write {LEAST} (128 MiB) or more")) } else { Ok(number) }
}

fn whole(tree: &Tree, most: u64) -> Result<u64, String> {
    match tree.node {
        Node::Number(number) if number.fract() == 0.0 && number >= 1.0 && number <= most as f64 => {
            Ok(number as u64)
        }
        Node::Number(number) => Err(format!("expected a whole number from 1 to {most}, found {number}")),
        _ => Err(format!("expected a whole number, found {}", tree.looks())),
    }
}

/// A length of time, as in `500ms`.
pub(super) fn span(tree: &Tree) -> Result<Span, String> {
    match &tree.node {
        Node::Text(text) => text.parse(),
        Node::Number(number) => {
            Err(format!("`{number}` has no unit; write a number and ms, s, m, h or d, as in `10s`"))
        }
        _ => Err(format!("expected a length of time, as in `10s`, found {}", tree.looks())),
    }
}

/// How long a site must be cut off before its incident opens: whole seconds, 10 s to 1 h.
pub(super) fn gate(tree: &Tree) -> Result<u32, String> {
    let span = span(tree)?;
    let millis = span.0.as_millis() as u64;
    if millis.is_multiple_of(1000) && (10_000..=3_600_000).contains(&millis) {
        return Ok((millis / 1000) as u32);
    }
    Err(format!("`{span}` is out of range; write whole seconds from `10s` to `1h`"))
}

/// How long samples are kept: whole days, 1 to 400.
pub(super) fn days(tree: &Tree) -> Result<u32, String> {
    const DAY: u128 = 86_400_000;
    let span = span(tree)?;
    let millis = span.0.as_millis();
    if millis.is_multiple_of(DAY) && (DAY..=400 * DAY).contains(&millis) {
        return Ok((millis / DAY) as u32);
    }
    Err(format!("`{span}` is out of range; write whole days from `1d` to `400d`"))
}

/// An IP address.
pub(super) fn address(tree: &Tree) -> Result<IpAddr, String> {
    let text = text(tree)?;
    text.parse()
        .map_err(|_| format!("`{}` is not an address; write it in numbers, as in 10.82.1.1", shorten(&text)))
}

/// Name of an interface of an agent's machine.
pub(super) fn interface_name(tree: &Tree) -> Result<String, String> {
    let name = text(tree)?;
    if interface::is_name(&name) && name != "*" {
        return Ok(name);
    }
    Err(format!("`{}` is not the name of an interface; write one, as in eth0", shorten(&name)))
}

/// An address and port to listen on.
pub(super) fn socket(tree: &Tree) -> Result<SocketAddr, String> {
    let text = text(tree)?;
    text.parse().map_err(|_| {
        format!(
            "`{}` is not an address and port; write numbers, as in \"127.0.0.1:8080\" or \"[::1]:8080\"",
            shorten(&text)
        )
    })
}
