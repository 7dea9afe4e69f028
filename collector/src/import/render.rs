//! Entries as YAML text: block style for sites and lines, so that each key has a line of its own; one-line tables for
//! the rest. Keys stand in one order, so that the same record is always the same text.

use serde_json::{Map, Value};

/// The keys in their order, and whether everybody who may see a preview sees what they say. Others follow by name, and
/// are not shown: addresses, VLANs and whatever a person wrote by hand are for the administrator's terminal alone.
const KEYS: [(&str, bool); 36] = [
    ("id", true),
    ("code", true),
    ("name", true),
    ("kind", true),
    ("commune", true),
    ("area", true),
    ("valid_from", true),
    ("observe", true),
    ("rehearsal", true),
    ("address", true),
    ("hours", true),
    ("contact", true),
    ("key_holder", true),
    ("needs", true),
    ("phone", false),
    ("any_of", false),
    ("all_of", false),
    ("days", false),
    ("spans", false),
    ("carrier", true),
    ("hand_off", true),
    ("pop", true),
    ("circuit", true),
    ("contract", true),
    ("mbps", true),
    ("role", true),
    ("medium", true),
    ("metered", true),
    ("vlan", false),
    ("probe", false),
    ("target", false),
    ("every", false),
    ("timeout", false),
    ("gateway", false),
    ("seen_from", false),
    ("lines", true),
];

/// Where a key stands among others.
pub fn place(key: &str) -> usize {
    KEYS.iter().position(|(known, _)| *known == key).unwrap_or(KEYS.len())
}

/// Whether everybody who may see a preview sees what a key says.
pub fn is_shown(key: &str) -> bool {
    KEYS.contains(&(key, true))
}

/// A table's keys in order.
pub fn ordered(table: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut keys: Vec<_> = table.iter().collect();
    keys.sort_by_key(|(key, _)| (place(key), *key));
    keys
}

/// A value on one line.
pub fn flow(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => scalar(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(table) => {
            let keys = ordered(table).into_iter().map(|(key, value)| format!("{key}: {}", flow(value)));
            format!("{{{}}}", keys.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Text that reads back as itself: plain where YAML can take it for nothing else, in quotes elsewhere.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '/' | '(' | ')');
    let is_plain = text.starts_with(char::is_alphabetic)
        && !text.ends_with(' ')
        && text.chars().all(plain)
        && !WORDS.contains(&text.to_lowercase().as_str());
    // JSON's quoted text is YAML's, and so are its escapes.
    if is_plain { text.to_owned() } else { Value::from(text).to_string() }
}

/// One key of a table in block style.
pub fn key(name: &str, value: &Value, indent: usize) -> Vec<String> {
    let space = " ".repeat(indent);
    match value {
        Value::Array(items) if name == "lines" => {
            let mut lines = vec![format!("{space}{name}:")];
            lines.extend(items.iter().filter_map(Value::as_object).flat_map(|item| block(item, indent + 2)));
            lines
        }
        _ => vec![format!("{space}{name}: {}", flow(value))],
    }
}

/// A table as an item of a list in block style, its dash at `indent`.
pub fn block(table: &Map<String, Value>, indent: usize) -> Vec<String> {
    let mut lines: Vec<String> =
        ordered(table).into_iter().flat_map(|(name, value)| key(name, value, indent + 2)).collect();
    if let Some(first) = lines.first_mut() {
        first.replace_range(indent..=indent, "-");
    }
    lines
}

/// A table as an item of a list on one line.
pub fn item(table: &Map<String, Value>, indent: usize) -> Vec<String> {
    vec![format!("{}- {}", " ".repeat(indent), flow(&Value::Object(table.clone())))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_daemon::yaml;
    use serde_json::json;
    use std::path::Path;

    #[test]
    fn every_text_reads_back_as_itself() {
        for text in [
            "Đạo Thạnh",
            "28249",
            "28249-tt",
            "no",
            "Null",
            "1e5",
            "a: b",
            "a #b",
            "# a",
            "- a",
            "\"quoted\"",
            "it's",
            "{a}",
            "[a]",
            "a, b",
            "07:00-11:30",
            "&a",
            "*a",
            "!a",
            "%a",
            "@a",
            "`a",
            "a\\b",
            "0x1F",
            "Trường THCS (cơ sở 2)",
            "é",
            "~",
            "-",
            "?",
            "a?",
            "Số 1/2, ấp 3",
        ] {
            let written = format!(
                "a: {}\nb: [{}]\nc: {{d: {}}}",
                flow(&json!(text)),
                flow(&json!(text)),
                flow(&json!(text))
            );
            let read: Value = yaml::parse(Path::new("a.yml"), &written).unwrap();
            assert_eq!(read, json!({ "a": text, "b": [text], "c": { "d": text } }), "{written}");
        }
    }

    #[test]
    fn an_entry_reads_back_as_itself() {
        let line = json!({ "id": "28249-tt-1", "mbps": 200, "gateway": { "probe": "icmp", "target": "10.82.1.2", "every": "500ms" } });
        let site = json!({ "id": "28249-tt", "name": "Đảng ủy", "needs": { "any_of": ["28249-tt-1"] }, "lines": [line] });
        let text = block(site.as_object().unwrap(), 2).join("\n");
        assert!(text.starts_with("  - id: \"28249-tt\"\n    name: Đảng ủy\n    needs: {any_of: [\"28249-tt-1\"]}\n    lines:\n      - id:"), "{text}");
        assert_eq!(yaml::parse::<Value>(Path::new("a.yml"), &text).unwrap(), json!([site]));
    }
}
