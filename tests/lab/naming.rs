//! From our incidents to what the lab scores: its names of things, its names of kinds, its clock. Pure.

use crate::targets::Targets;
use anyhow::Context;
use serde::Serialize;
use serde_json::Value;

/// An incident in the lab's words; times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// `node:c01`, `link:d1-c01`, …
    pub root: String,
    /// Kind.
    pub kind: String,
    /// Severity.
    pub severity: String,
    /// `open` or `closed`.
    pub state: String,
    /// Communes.
    pub affected: Vec<String>,
    /// When the gate passed.
    pub opened: f64,
    /// When it was over.
    pub closed: Option<f64>,
    /// How often people were told.
    pub notifications: u64,
}

/// The incident in the lab's words; none of one that never opened.
///
/// # Errors
/// When it lacks what every incident has.
pub fn told(targets: &Targets, incident: &Value) -> anyhow::Result<Option<Told>> {
    let Some(opened) = instant(&incident["opened"])? else { return Ok(None) };
    let sites = incident["affected"].as_array().context("incident without `affected`")?;
    let communes = sites.iter().filter_map(Value::as_str).filter(|site| targets.communes.contains_key(*site));
    let closed = instant(&incident["closed"])?;
    Ok(Some(Told {
        root: root(targets, incident),
        kind: kind(targets, incident),
        severity: text(&incident["severity"]),
        state: if closed.is_some() { "closed" } else { "open" }.into(),
        affected: communes.map(str::to_owned).collect(),
        opened,
        closed,
        notifications: incident["notifications"].as_u64().context("incident without `notifications`")?,
    }))
}

/// What the lab calls an incident's root.
pub fn root(targets: &Targets, incident: &Value) -> String {
    let (kind, id) = (text(&incident["root"]["kind"]), text(&incident["root"]["id"]));
    if incident["kind"] == "power-area" {
        return format!("feeder:{id}");
    }
    match kind.as_str() {
        "pop" | "carrier" | "site" => format!("node:{id}"),
        "core" | "collector" => "node:core".into(),
        "hand_off" | "line" => format!("link:{id}"),
        "service" if is_own_portal(targets, &id) => format!("device:{id}"),
        _ => format!("{kind}:{id}"),
    }
}

/// The lab has words of its own for some kinds.
fn kind(targets: &Targets, incident: &Value) -> String {
    let kind = text(&incident["kind"]);
    match kind.as_str() {
        "line-down" => "link-down".into(),
        "brown-out" => "degraded".into(),
        "certificate" => "cert-expiry".into(),
        "service-down" | "service-degraded" if is_own_portal(targets, &text(&incident["root"]["id"])) => {
            "portal-error".into()
        }
        _ => kind,
    }
}

/// Whether a device is a commune's own portal.
fn is_own_portal(targets: &Targets, id: &str) -> bool {
    let device = id.split_once('-').and_then(|(name, short)| targets.communes.get(name)?.devices.get(short));
    device.is_some_and(|device| device.kind == "portal")
}

/// Seconds since 1970 of an RFC 3339 instant, or nothing.
///
/// # Errors
/// When it is another text.
pub fn instant(value: &Value) -> anyhow::Result<Option<f64>> {
    let Some(text) = value.as_str() else { return Ok(None) };
    let at: jiff::Timestamp = text.parse().with_context(|| format!("instant `{text}`"))?;
    Ok(Some(at.as_millisecond() as f64 / 1000.0))
}

/// A text, empty where there is none.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn targets() -> Targets {
        Targets::read(include_str!("targets.json")).unwrap()
    }

    fn incident(root: &str, id: &str, kind: &str) -> Value {
        json!({"root": {"kind": root, "id": id}, "kind": kind, "severity": "critical", "affected": ["c02", "core"],
            "opened": "2026-01-01T00:00:10.500Z", "closed": null, "notifications": 1})
    }

    #[test]
    fn every_root_has_its_name_in_the_lab() {
        for (kind, id, incident_kind, expected) in [
            ("pop", "d2", "router-down", "node:d2"),
            ("carrier", "a", "carrier-down", "node:a"),
            ("hand_off", "core-a", "hand-off", "link:core-a"),
            ("site", "c02", "unreachable", "node:c02"),
            ("line", "d1-c02", "line-down", "link:d1-c02"),
            ("device", "c02-cam", "device-down", "device:c02-cam"),
            ("device", "c02-web", "service-down", "device:c02-web"),
            ("service", "portal", "service-down", "service:portal"),
            ("agent", "c02", "clock-skew", "agent:c02"),
            ("collector", "collector", "blind", "node:core"),
            ("core", "core", "blind", "node:core"),
            ("group", "473-E7.4", "power-area", "feeder:473-E7.4"),
        ] {
            assert_eq!(root(&targets(), &incident(kind, id, incident_kind)), expected);
        }
    }

    #[test]
    fn kinds_the_lab_calls_otherwise_are_translated() {
        for (root, id, ours, the_labs) in [
            ("line", "d1-c02", "line-down", "link-down"),
            ("line", "d1-c02", "brown-out", "degraded"),
            ("device", "c02-web", "certificate", "cert-expiry"),
            ("device", "c02-web", "service-down", "portal-error"),
            ("service", "portal", "service-down", "service-down"),
            ("site", "c02", "unreachable", "unreachable"),
        ] {
            assert_eq!(kind(&targets(), &incident(root, id, ours)), the_labs);
        }
    }

    #[test]
    fn only_what_opened_is_told_and_the_centre_is_no_commune() {
        let mut seen = incident("site", "c02", "unreachable");
        let told_of = told(&targets(), &seen).unwrap().unwrap();
        assert_eq!((told_of.affected, told_of.state.as_str()), (vec!["c02".to_owned()], "open"));
        assert_eq!((told_of.opened, told_of.closed), (1_767_225_610.5, None));
        seen["opened"] = Value::Null;
        assert_eq!(told(&targets(), &seen).unwrap(), None);
    }
}
