//! One outage rehearsed from order to closing, and what the collector made of it against the world's truth log.
//!
//! ```text
//!   order ──────▶ noticed ──────▶ open ── stands ──▶ heal ──────────▶ closed
//!     └─ truth.at ─┴─ incident.noticed, .opened        └─ truth.at ────┴─ incident.closed
//! ```
//!
//! Figures are differences between times that the programs themselves noted; polling adds nothing to them.

use crate::console::Console;
use crate::stage::{Stage, wait};
use anyhow::Context;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

/// How long an open incident is left alone: whatever else would open has the time to.
const STANDS: Duration = Duration::from_secs(8);
/// How long a short outage lasts.
pub const SHORT: Duration = Duration::from_secs(8);
/// Seconds anything may take before it counts as never.
const PATIENCE: u32 = 90;

/// What is broken and what should be made of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The order.
    pub order: String,
    /// What kind of outage it is, for people.
    pub what: &'static str,
    /// Kind of the root.
    pub root: &'static str,
    /// The root itself; a group has no id before it is found.
    pub id: Option<String>,
    /// The incident's severity.
    pub severity: &'static str,
    /// Its records when it is over: an opening and a closing that page, or none.
    pub notifications: usize,
    /// Mended after [`SHORT`]: it must never open.
    pub short: bool,
}

/// What was made of it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Seconds from the fault to the first notice.
    pub noticed: Option<f64>,
    /// Seconds from the fault to the opening.
    pub opened: Option<f64>,
    /// Seconds from the heal to the last closing.
    pub closed: Option<f64>,
    /// Incidents that opened, adopted ones included.
    pub incidents: usize,
    /// Incidents noticed that never opened.
    pub passing: usize,
    /// Opening and closing records.
    pub notifications: usize,
    /// Sites affected.
    pub sites: usize,
    /// What is not as it should be.
    pub wrong: Vec<String>,
}

/// Carries a case out, from a quiet province to a quiet one.
///
/// # Errors
/// When a program fails, or the incident never ends.
pub fn rehearse(stage: &Stage, console: &Console, case: &Case) -> anyhow::Result<Seen> {
    let up = console.sites_in("up")?.len();
    let known: BTreeSet<String> = console.incidents()?.iter().map(id).collect();
    let new = || -> anyhow::Result<Vec<Value>> {
        Ok(console.incidents()?.into_iter().filter(|incident| !known.contains(&id(incident))).collect())
    };
    stage.fault(&case.order)?;
    let struck = truth(stage)?;
    let mut standing = Vec::new();
    if case.short {
        sleep(SHORT);
    } else {
        // An incident that never opens is a result too, and is told in the end.
        let opened = wait("the incident to open", PATIENCE, || {
            Ok(new()?.iter().any(|incident| !incident["opened"].is_null()).then_some(()))
        });
        if opened.is_ok() {
            sleep(STANDS);
        }
        standing = new()?;
    }
    stage.heal()?;
    let healed = truth(stage)?;
    wait("every incident to close", PATIENCE, || {
        Ok(new()?.iter().all(|incident| incident["state"] == "closed").then_some(()))
    })?;
    wait("every site to be up again", PATIENCE, || Ok((console.sites_in("up")?.len() >= up).then_some(())))?;
    judge(case, &struck, &healed, &standing, &new()?)
}

fn judge(
    case: &Case,
    struck: &Value,
    healed: &Value,
    standing: &[Value],
    over: &[Value],
) -> anyhow::Result<Seen> {
    let opened: Vec<&Value> = over.iter().filter(|incident| !incident["opened"].is_null()).collect();
    let noticed = seconds(over, "noticed", struck)?;
    let mut seen = Seen {
        noticed: noticed.into_iter().min_by(f64::total_cmp),
        closed: seconds(over, "closed", healed)?.into_iter().max_by(f64::total_cmp),
        incidents: opened.len(),
        passing: over.len() - opened.len(),
        notifications: over.iter().filter_map(|incident| incident["notifications"].as_u64()).sum::<u64>()
            as usize,
        ..Seen::default()
    };
    if seen.notifications != case.notifications {
        seen.wrong.push(format!("{} notifications", seen.notifications));
    }
    if case.short {
        if !opened.is_empty() {
            seen.wrong.push(format!("{} opened: {}", opened.len(), roots(&opened)));
        }
        return Ok(seen);
    }
    let [incident] = opened[..] else {
        seen.wrong.push(format!("{} opened: {}", opened.len(), roots(&opened)));
        return Ok(seen);
    };
    seen.opened = seconds(std::slice::from_ref(incident), "opened", struck)?.pop();
    let stood = standing.iter().find(|other| other["id"] == incident["id"]).unwrap_or(incident);
    seen.sites = stood["affected"].as_array().map_or(0, Vec::len);
    seen.wrong.extend(differences(case, struck, stood));
    Ok(seen)
}

/// What of an incident, as it stood before the heal, is not as it should be.
fn differences(case: &Case, struck: &Value, stood: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let root = &stood["root"];
    if root["kind"] != case.root || case.id.as_deref().is_some_and(|id| root["id"] != id) {
        wrong.push(format!("root {} {}", root["kind"], root["id"]));
    }
    if case.root == "group" && stood["kind"] != "unreachable" {
        wrong.push(format!("kind {}", stood["kind"]));
    }
    if stood["severity"] != case.severity {
        wrong.push(format!("severity {}", stood["severity"]));
    }
    let (truly, told) = (names(&struck["sites"]), names(&stood["affected"]));
    if truly != told {
        let (missed, invented) = (truly.difference(&told).count(), told.difference(&truly).count());
        wrong.push(format!("affected: {missed} missed, {invented} invented"));
    }
    wrong
}

/// Seconds from a line of the truth log to an instant of each incident.
fn seconds(incidents: &[Value], instant: &str, truth: &Value) -> anyhow::Result<Vec<f64>> {
    let begin = self::instant(&truth["at"])?;
    incidents.iter().map(|incident| Ok(self::instant(&incident[instant])? - begin)).collect()
}

/// What the incidents are about, and how many sites each affects.
fn roots(incidents: &[&Value]) -> String {
    let told = incidents.iter().map(|incident| {
        let (root, sites) = (&incident["root"], incident["affected"].as_array().map_or(0, Vec::len));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        format!("{} {} ({sites})", text(&root["kind"]), text(&root["id"]))
    });
    told.collect::<Vec<_>>().join(", ")
}

fn id(incident: &Value) -> String {
    incident["id"].as_str().unwrap_or_default().to_owned()
}

fn names(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Seconds since 1970 of an RFC 3339 instant.
fn instant(text: &Value) -> anyhow::Result<f64> {
    let at: jiff::Timestamp =
        text.as_str().context("no instant")?.parse().with_context(|| format!("instant {text}"))?;
    Ok(at.as_millisecond() as f64 / 1000.0)
}

/// The last line of the world's truth log.
fn truth(stage: &Stage) -> anyhow::Result<Value> {
    let text = fs::read_to_string(stage.path("run/truth.jsonl")).context("read the truth log")?;
    Ok(serde_json::from_str(text.lines().last().context("the truth log is empty")?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn case() -> Case {
        Case {
            order: "cut 1".into(),
            what: "one site",
            root: "site",
            id: Some("a".into()),
            severity: "critical",
            notifications: 2,
            short: false,
        }
    }

    fn judged(case: &Case, incidents: &[Value]) -> Seen {
        let struck = json!({"at": "2026-01-01T00:00:00.000Z", "sites": ["a"]});
        let healed = json!({"at": "2026-01-01T00:01:00.000Z", "sites": ["a"]});
        judge(case, &struck, &healed, incidents, incidents).unwrap()
    }

    fn incident(id: &str) -> Value {
        json!({"id": id, "root": {"kind": "site", "id": "a"}, "kind": "line-down", "severity": "critical",
            "affected": ["a"], "notifications": 2, "noticed": "2026-01-01T00:00:02.500Z",
            "opened": "2026-01-01T00:00:10.000Z", "closed": "2026-01-01T00:01:31.000Z"})
    }

    #[test]
    fn the_right_incident_gives_its_times() {
        let seen = judged(&case(), &[incident("1")]);
        assert_eq!((seen.noticed, seen.opened, seen.closed), (Some(2.5), Some(10.0), Some(31.0)));
        assert_eq!((seen.incidents, seen.sites, seen.wrong), (1, 1, vec![]));
    }

    #[test]
    fn a_wrong_root_a_stranger_and_a_second_incident_are_told() {
        let mut other = incident("1");
        other["root"]["id"] = "b".into();
        other["affected"] = json!(["a", "b"]);
        let wrong = judged(&case(), &[other]).wrong;
        assert_eq!(wrong, [r#"root "site" "b""#, "affected: 0 missed, 1 invented"]);
        let wrong = judged(&case(), &[incident("1"), incident("2")]).wrong;
        assert_eq!(wrong, ["4 notifications", "2 opened: site a (1), site a (1)"]);
        assert_eq!(judged(&case(), &[]).wrong, ["0 notifications", "0 opened: "]);
    }

    #[test]
    fn a_short_outage_must_not_open() {
        let short = Case { short: true, notifications: 0, ..case() };
        let mut passing = incident("1");
        passing["opened"] = Value::Null;
        passing["notifications"] = 0.into();
        assert!(judged(&short, &[passing]).wrong.is_empty());
        assert_eq!(judged(&short, &[incident("1")]).wrong, ["2 notifications", "1 opened: site a (1)"]);
    }
}
