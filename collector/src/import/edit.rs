//! Editing a YAML file by its lines, so that comments, order and keys of people's own stay as they are.
//!
//! ```text
//! sites:                         section: a key in the first column
//!   - id: "28249-tt"             item: a dash; it is known by `id:` (or `code:`)
//!     # a person's comment
//!     tags: [one-stop]           key: its lines, up to the next key of the item
//!     lines:
//!       - id: "28249-tt-1"       the same once more inside
//! ```
//!
//! It knows no more of YAML than that. A file in another style is refused as [`Form`]; and whoever edits reads the
//! result back and compares, so that what was misread is never put in place.

use super::render;
use haidang_daemon::yaml;
use serde_json::{Map, Value};
use std::ops::Range;
use std::path::Path;

/// The keys an entry is known by.
const KNOWN_BY: [&str; 2] = ["id", "code"];

/// The file is written in a style that cannot be edited by lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not written as import writes it, one key a line, so it cannot be edited; change it by hand"
)]
pub struct Form(pub String);

/// A file as lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    lines: Vec<String>,
}

/// An item of a list: its lines, and the column of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    lines: Range<usize>,
    keys_at: usize,
}

impl Document {
    /// A file's text.
    pub fn new(text: &str) -> Document {
        Document { lines: text.lines().map(str::to_owned).collect() }
    }

    /// The text, ending in a line break.
    pub fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// Adds a line at the end.
    pub fn note(&mut self, line: String) {
        self.lines.push(line);
    }

    /// Adds an entry to a section, which is made where it is missing: sites in block style, others on one line.
    pub fn add(&mut self, section: &str, entry: &Map<String, Value>) -> Result<(), Form> {
        let all = 0..self.lines.len();
        let Some(found) = self.key(&all, 0, section) else {
            self.lines.push(format!("{section}:"));
            let end = self.lines.len();
            self.insert(end, section, entry, 2);
            return Ok(());
        };
        let head = &self.lines[found.start];
        if head.trim_end() == format!("{section}: []") {
            self.lines[found.start] = format!("{section}:");
        } else if value_of(head, section).is_some_and(|value| !value.is_empty()) {
            return Err(Form(section.to_owned()));
        }
        let items = self.items(&(found.start + 1..found.end));
        let dash = items.first().map_or(2, |item| indent(&self.lines[item.lines.start]));
        self.insert(found.end, section, entry, dash);
        Ok(())
    }

    fn insert(&mut self, at: usize, section: &str, entry: &Map<String, Value>, dash: usize) {
        let is_block = matches!(section, "sites" | "lines");
        let text = if is_block { render::block(entry, dash) } else { render::item(entry, dash) };
        self.lines.splice(at..at, text);
    }

    /// Adds a line to a site.
    pub fn add_line(&mut self, site: &str, line: &Map<String, Value>) -> Result<(), Form> {
        let item = self.find("sites", site)?;
        let found = self.key(&item.lines, item.keys_at, "lines").ok_or_else(|| Form(site.to_owned()))?;
        let items = self.items(&(found.start + 1..found.end));
        let dash = items
            .first()
            .map(|item| indent(&self.lines[item.lines.start]))
            .ok_or_else(|| Form(site.to_owned()))?;
        self.insert(found.end, "lines", line, dash);
        Ok(())
    }

    /// Sets a key of an entry.
    pub fn set(&mut self, section: &str, id: &str, key: &str, value: &Value) -> Result<(), Form> {
        let item = self.find(section, id)?;
        self.set_in(&item, id, key, value)
    }

    /// Sets a key of a site's line.
    pub fn set_line(&mut self, site: &str, line: &str, key: &str, value: &Value) -> Result<(), Form> {
        let item = self.find_line(site, line)?;
        self.set_in(&item, line, key, value)
    }

    /// Takes an entry out.
    pub fn remove(&mut self, section: &str, id: &str) -> Result<(), Form> {
        let item = self.find(section, id)?;
        self.lines.drain(item.lines);
        let found = self.key(&(0..self.lines.len()), 0, section).ok_or_else(|| Form(section.to_owned()))?;
        if self.items(&(found.start + 1..found.end)).is_empty() {
            self.lines[found.start] = format!("{section}: []");
        }
        Ok(())
    }

    /// Takes a line out of a site.
    pub fn remove_line(&mut self, site: &str, line: &str) -> Result<(), Form> {
        let item = self.find_line(site, line)?;
        self.lines.drain(item.lines);
        Ok(())
    }

    fn find(&self, section: &str, id: &str) -> Result<Item, Form> {
        let section = self.key(&(0..self.lines.len()), 0, section);
        let items = section.map(|found| self.items(&(found.start + 1..found.end))).unwrap_or_default();
        items.into_iter().find(|item| self.is(item, id)).ok_or_else(|| Form(id.to_owned()))
    }

    fn find_line(&self, site: &str, line: &str) -> Result<Item, Form> {
        let item = self.find("sites", site)?;
        let lines = self.key(&item.lines, item.keys_at, "lines");
        let items = lines.map(|found| self.items(&(found.start + 1..found.end))).unwrap_or_default();
        items.into_iter().find(|item| self.is(item, line)).ok_or_else(|| Form(line.to_owned()))
    }

    fn is(&self, item: &Item, id: &str) -> bool {
        if let Some(table) = self.one_line(item) {
            return KNOWN_BY.iter().any(|key| table.get(*key).and_then(Value::as_str) == Some(id));
        }
        KNOWN_BY.iter().any(|key| {
            let found =
                self.key(&item.lines, item.keys_at, key).map(|found| undashed(&self.lines[found.start]));
            found.is_some_and(|line| value_of(&line, key).map(unquoted) == Some(id))
        })
    }

    /// An item written as a table on one line: `- {code: "28249", name: Đạo Thạnh}`.
    fn one_line(&self, item: &Item) -> Option<Map<String, Value>> {
        let line = &self.lines[item.lines.start];
        if item.lines.len() > 1 || !line.trim_start().starts_with("- {") {
            return None;
        }
        yaml::parse::<Vec<Map<String, Value>>>(Path::new(""), line).ok()?.pop()
    }

    fn set_in(&mut self, item: &Item, id: &str, key: &str, value: &Value) -> Result<(), Form> {
        if let Some(mut table) = self.one_line(item) {
            let old = &self.lines[item.lines.start];
            let mut text = render::item(&table_with(&mut table, key, value), indent(old)).concat();
            if let Some(comment) = comment(old) {
                text = format!("{text}   {comment}");
            }
            self.lines[item.lines.start] = text;
            return Ok(());
        }
        let mut text = render::key(key, value, item.keys_at);
        if let Some(found) = self.key(&item.lines, item.keys_at, key) {
            let old = &self.lines[found.start];
            if found.start == item.lines.start {
                let dash = indent(old);
                text[0].replace_range(dash..=dash, "-");
            }
            if let (Some(comment), [only]) = (comment(old), &mut text[..]) {
                only.push_str("   ");
                only.push_str(comment);
            }
            self.lines.splice(found, text);
            return Ok(());
        }
        // Behind the last key that stands before it in the order of keys.
        let own = self.keys(item);
        let before = own.iter().filter(|(name, _)| render::place(name) <= render::place(key));
        let at = before.map(|(_, lines)| lines.end).max().ok_or_else(|| Form(id.to_owned()))?;
        self.lines.splice(at..at, text);
        Ok(())
    }

    /// The lines of a key, in `within`, at a column.
    fn key(&self, within: &Range<usize>, column: usize, key: &str) -> Option<Range<usize>> {
        let start = within.clone().find(|&at| {
            let line = undashed(&self.lines[at]);
            let at_start = at == within.start && column > 0;
            (indent(&self.lines[at]) == column || at_start)
                && indent(&line) == column
                && value_of(&line, key).is_some()
        })?;
        let next = (start + 1..within.end).find(|&at| {
            is_text(&self.lines[at])
                && indent(&self.lines[at]) <= column
                && !continues(&self.lines[at], column)
        });
        Some(start..self.without_tail(start, next.unwrap_or(within.end)))
    }

    /// All keys of an item.
    fn keys(&self, item: &Item) -> Vec<(String, Range<usize>)> {
        let name = |at: usize| {
            let line = undashed(&self.lines[at]);
            let own = indent(&line) == item.keys_at
                && (at == item.lines.start || indent(&self.lines[at]) == item.keys_at);
            own.then(|| line.trim_start().split_once(':').map(|(name, _)| name.to_owned())).flatten()
        };
        let names = item.lines.clone().filter_map(name).filter(|name| !name.starts_with('#'));
        names
            .filter_map(|name| self.key(&item.lines, item.keys_at, &name).map(|found| (name, found)))
            .collect()
    }

    /// The items of a list.
    fn items(&self, within: &Range<usize>) -> Vec<Item> {
        let is_item = |at: &usize| self.lines[*at].trim_start().starts_with("- ");
        let Some(dash) = within.clone().find(is_item).map(|at| indent(&self.lines[at])) else {
            return Vec::new();
        };
        let starts: Vec<usize> =
            within.clone().filter(|at| is_item(at) && indent(&self.lines[*at]) == dash).collect();
        let ends = starts.iter().skip(1).copied().chain([within.end]);
        let item = |(&start, end): (&usize, usize)| {
            let keys_at = indent(&undashed(&self.lines[start]));
            Item { lines: start..self.without_tail(start, end), keys_at }
        };
        starts.iter().zip(ends).map(item).collect()
    }

    /// An end without the comments and empty lines before it: they belong to what follows.
    fn without_tail(&self, start: usize, mut end: usize) -> usize {
        let deep = indent(&self.lines[start]);
        while end > start + 1 {
            let line = &self.lines[end - 1];
            if is_text(line) || (!line.trim().is_empty() && indent(line) > deep) {
                break;
            }
            end -= 1;
        }
        end
    }
}

fn table_with(table: &mut Map<String, Value>, key: &str, value: &Value) -> Map<String, Value> {
    table.insert(key.to_owned(), value.clone());
    std::mem::take(table)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Neither empty nor a comment alone.
fn is_text(line: &str) -> bool {
    let text = line.trim();
    !text.is_empty() && !text.starts_with('#')
}

/// A list's dash may stand in the column of the key it belongs to.
fn continues(line: &str, column: usize) -> bool {
    indent(line) == column && line.trim_start().starts_with("- ")
}

/// The line with its dash as a space.
fn undashed(line: &str) -> String {
    let at = indent(line);
    if line[at..].starts_with("- ") {
        format!("{} {}", &line[..at], &line[at + 1..])
    } else {
        line.to_owned()
    }
}

/// What stands behind `key:`, without a comment.
fn value_of<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    let rest = line.trim_start().strip_prefix(key)?.strip_prefix(':')?;
    if !rest.is_empty() && !rest.starts_with(' ') {
        return None;
    }
    let end = comment(line).map_or(line.len(), |comment| line.len() - comment.len());
    let start = line.len() - rest.len();
    Some(line.get(start..end).unwrap_or_default().trim())
}

fn unquoted(text: &str) -> &str {
    let inner = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

/// The comment at a line's end.
fn comment(line: &str) -> Option<&str> {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open && before != '\\' => quote = None,
            (None, '"' | '\'') if !before.is_alphanumeric() => quote = Some(c),
            (None, '#') if before == ' ' => return Some(&line[at..]),
            _ => {}
        }
        before = c;
    }
    None
}

#[cfg(test)]
mod tests;
