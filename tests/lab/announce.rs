//! Announced work: what the lab writes down is told to the collector, and taken back when it is gone.

use crate::naming::text;
use crate::record::CORE;
use crate::targets::Targets;
use anyhow::Context;
use haidang_tests::console::Console;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where work is announced.
const PATH: &str = "/api/v1/maintenance";
/// How long announced work may take at most, seconds: the lab names no end.
const LONGEST: i64 = 86_400;

/// What was announced, by the lab's name of it, with our id.
#[derive(Clone, Debug, Default)]
pub struct Announced(BTreeMap<String, String>);

impl Announced {
    /// Brings the collector's windows in line with the lab's list.
    ///
    /// # Errors
    /// When the collector does not take one.
    pub fn follow(&mut self, console: &Console, targets: &Targets, listed: &[Value]) -> anyhow::Result<()> {
        let new = |entry: &&Value| !self.0.contains_key(&text(&entry["object"]));
        for entry in listed.iter().filter(new).collect::<Vec<_>>() {
            let id = begin(console, &window(targets, entry)?)?;
            self.0.insert(text(&entry["object"]), id);
        }
        let gone = |object: &&String| !listed.iter().any(|entry| entry["object"] == **object);
        for object in self.0.keys().filter(gone).cloned().collect::<Vec<_>>() {
            if let Some(id) = self.0.remove(&object) {
                end(console, &id)?;
            }
        }
        Ok(())
    }
}

/// Announces; gives the window's id.
fn begin(console: &Console, window: &Value) -> anyhow::Result<String> {
    let (status, body) = console.request("POST", PATH, &window.to_string())?;
    let id = serde_json::from_str::<Value>(&body).ok().map(|answer| text(&answer["id"]));
    id.filter(|_| status == 201).with_context(|| format!("POST {PATH} {window}: {status} {body}"))
}

fn end(console: &Console, id: &str) -> anyhow::Result<()> {
    let (status, body) = console.request("DELETE", &format!("{PATH}/{id}"), "")?;
    anyhow::ensure!((200..300).contains(&status), "DELETE {PATH}/{id}: {status} {body}");
    Ok(())
}

fn window(targets: &Targets, entry: &Value) -> anyhow::Result<Value> {
    let object = text(&entry["object"]);
    let from = entry["from"].as_f64().context("work without `from`")?;
    let from = jiff::Timestamp::from_millisecond((from * 1000.0) as i64)?;
    let to = from.checked_add(jiff::SignedDuration::from_secs(LONGEST))?;
    Ok(json!({"items": [{"kind": kind(targets, &object), "id": object}],
        "from": format!("{from:.3}"), "to": format!("{to:.3}"), "reason": "announced by the lab"}))
}

/// What the lab's object is in our record.
fn kind(targets: &Targets, object: &str) -> &'static str {
    match targets.nodes.get(object).map(|node| node.kind.as_str()) {
        _ if object == CORE || targets.communes.contains_key(object) => "site",
        Some("carrier") => "carrier",
        Some("district") => "pop",
        Some("device") => "device",
        _ if targets.handoffs.iter().any(|port| port.link == object) => "hand_off",
        _ => "line",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_announced_on_what_it_is_done_on() {
        let targets = Targets::read(include_str!("targets.json")).unwrap();
        for (object, expected) in
            [("c06", "site"), ("d2", "pop"), ("a", "carrier"), ("core-a", "hand_off"), ("d1-c02", "line")]
        {
            assert_eq!(kind(&targets, object), expected);
        }
        let told = window(&targets, &json!({"object": "c06", "from": 1_767_225_600.25})).unwrap();
        assert_eq!(told["from"], "2026-01-01T00:00:00.250Z");
        assert_eq!(told["items"], json!([{"kind": "site", "id": "c06"}]));
    }
}
