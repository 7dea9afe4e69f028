//! What came out, for people: one row an incident, its times beside the truth. Pure.

use crate::naming::{self, instant, text};
use crate::targets::Targets;
use serde_json::Value;

/// A row of text for each incident, also for those that never opened, with a head.
///
/// # Errors
/// When an incident has a time that is none.
pub fn rows(targets: &Targets, incidents: &[Value], truth: &[Value], t0: f64) -> anyhow::Result<Vec<String>> {
    let mut rows =
        vec!["incident | root | kind | severity | noticed | open | closed | affected | causes".into()];
    for incident in incidents {
        rows.push(row(targets, incident, truth, t0)?);
    }
    Ok(rows)
}

fn row(targets: &Targets, incident: &Value, truth: &[Value], t0: f64) -> anyhow::Result<String> {
    let of = |name: &str| instant(&incident[name]);
    let noticed = of("noticed")?;
    let struck = |at: Option<f64>, event: &str| at.and_then(|at| last_before(truth, event, at));
    let fault = struck(noticed, "fault");
    let closed = of("closed")?;
    let told = |at: Option<f64>, since: Option<f64>| match (at, since) {
        (Some(at), Some(since)) => format!("{:.1} s (+{:.1})", at - t0, at - since),
        (Some(at), None) => format!("{:.1} s", at - t0),
        (None, _) => "–".into(),
    };
    let affected: Vec<&str> =
        incident["affected"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    Ok([
        text(&incident["id"]),
        naming::root(targets, incident),
        text(&incident["kind"]),
        text(&incident["severity"]),
        told(noticed, fault),
        told(of("opened")?, fault),
        told(closed, struck(closed, "heal")),
        affected.join(" "),
        causes(incident),
    ]
    .join(" | "))
}

/// When the last event of a kind was before an instant.
fn last_before(truth: &[Value], event: &str, at: f64) -> Option<f64> {
    let times = truth.iter().filter(|line| line["event"] == event).filter_map(|line| line["ts"].as_f64());
    times.filter(|ts| *ts <= at).reduce(f64::max)
}

fn causes(incident: &Value) -> String {
    let cause = &incident["cause"];
    let candidates = cause["candidates"].as_array().into_iter().flatten();
    let told = candidates.map(|candidate| {
        format!(
            "{} {:.0} %",
            text(&candidate["cause"]),
            candidate["probability"].as_f64().unwrap_or(0.0) * 100.0
        )
    });
    let set = told.collect::<Vec<_>>().join(", ");
    if cause["final"] == true { format!("{set} (final)") } else { set }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_stand_beside_the_fault_and_the_heal_before_them() {
        let targets = Targets::read(include_str!("targets.json")).unwrap();
        let truth = [
            json!({"event": "fault", "ts": 1_767_225_660.0}),
            json!({"event": "heal", "ts": 1_767_225_700.0}),
            json!({"event": "fault", "ts": 1_767_225_800.0}),
        ];
        let incident = json!({"id": "SC-1", "root": {"kind": "site", "id": "c02"}, "kind": "unreachable",
            "severity": "critical", "affected": ["c02"], "noticed": "2026-01-01T00:01:02.000Z",
            "opened": "2026-01-01T00:01:10.000Z", "closed": "2026-01-01T00:02:12.500Z",
            "cause": {"final": false, "candidates": [{"cause": "line", "probability": 0.57}]}});
        let rows = rows(&targets, &[incident], &truth, 1_767_225_600.0).unwrap();
        assert_eq!(
            rows[1],
            "SC-1 | node:c02 | unreachable | critical | 62.0 s (+2.0) | 70.0 s (+10.0) | 132.5 s (+32.5) | c02 | line 57 %"
        );
    }
}
