//! The truth of a play against the evidence that the collector keeps of it: one row an event. Pure but for
//! [`read`].
//!
//! ```text
//! time | event | evidence (first seen, after it) · …        or MISSING
//! evidence N of M
//! ```

use crate::naming::text;
use crate::targets::Targets;
use crate::witness;
use anyhow::Context;
use haidang_collector::seen::{self, Seen, What};
use serde_json::Value;
use std::ops::ControlFlow;
use std::path::Path;

/// How long after an event evidence of it may begin, seconds.
const WITHIN: f64 = 150.0;
/// Records and the truth are timed by clocks that agree within this, seconds.
const EARLY: f64 = 0.5;

/// The truth against the evidence.
pub struct Table {
    /// A head, and a row an event.
    pub rows: Vec<String>,
    /// Events with evidence.
    pub found: usize,
    /// Events.
    pub of: usize,
}

/// What the agents of a play saw, in order of time.
///
/// # Errors
/// When the journal cannot be read.
pub fn read(collector: &Path) -> anyhow::Result<Vec<Seen>> {
    let mut all = Vec::new();
    let journal = collector.join("evidence");
    let each = |seen| {
        all.push(seen);
        ControlFlow::Continue(())
    };
    seen::read(&journal, 0, each).context("read what agents saw")?;
    all.sort_by_key(shown_at);
    Ok(all)
}

/// Holds the truth since `t0` against what was seen.
pub fn table(targets: &Targets, seen: &[Seen], truth: &[Value], t0: f64) -> Table {
    let mut table = Table { rows: vec!["truth | event | evidence".into()], found: 0, of: 0 };
    for event in truth {
        let Some(at) = event["ts"].as_f64().filter(|at| *at >= t0) else { continue };
        let Some(signs) = witness::signs(targets, event) else { continue };
        let until = ended(truth, event, at).min(at + WITHIN);
        let told: Vec<String> = signs
            .iter()
            .filter_map(|sign| {
                let within = |seen: &&Seen| (at - EARLY..=until).contains(&seconds(shown_at(seen)));
                let first = seen.iter().filter(within).find(|seen| (sign.shows)(seen))?;
                let lag = seconds(shown_at(first)) - at;
                Some(format!("{} ({}, +{:.1} s{})", sign.name, first.site, lag.max(0.0), losses(first)))
            })
            .collect();
        table.of += 1;
        table.found += usize::from(!told.is_empty());
        let told = if told.is_empty() { "MISSING".into() } else { told.join(" · ") };
        table.rows.push(format!("{:.1} s | {} | {told}", at - t0, name(event)));
    }
    table
}

/// When a record was complete, UTC ms: what spans some seconds shows at their end.
fn shown_at(seen: &Seen) -> i64 {
    match &seen.what {
        What::Line { lasted_ms, .. } => seen.at + *lasted_ms as i64,
        _ => seen.at,
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// The directions of a loss, where the record tells them.
fn losses(seen: &Seen) -> String {
    let share = |loss: Option<f64>| loss.map_or("?".into(), |loss| format!("{:.0} %", loss * 100.0));
    match &seen.what {
        What::Line { loss_up, loss_down, .. } => {
            format!(", up {} down {}", share(*loss_up), share(*loss_down))
        }
        What::Run { failed: Some(failed), .. } => format!(", {failed}"),
        _ => String::new(),
    }
}

/// When a fault was healed, as far as it was: what comes later shows the heal. A digest that begins before that
/// may end after it.
fn ended(truth: &[Value], event: &Value, at: f64) -> f64 {
    if event["event"] != "fault" {
        return f64::INFINITY;
    }
    let healed = truth.iter().filter(|other| other["event"] == "heal");
    let healed = healed.filter(|heal| text(&heal["key"]).starts_with(&text(&event["kind"])));
    healed.filter_map(|heal| heal["ts"].as_f64()).find(|healed| *healed > at).unwrap_or(f64::INFINITY)
}

fn name(event: &Value) -> String {
    let words = event["args"].as_array().into_iter().flatten().map(text);
    let rest = ["kind", "key", "node", "commune", "path"].iter().map(|key| text(&event[*key])).chain(words);
    let rest: Vec<String> = rest.filter(|word| !word.is_empty()).collect();
    format!("{} {}", text(&event["event"]), rest.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn targets() -> Targets {
        Targets::read(include_str!("targets.json")).unwrap()
    }

    fn seen(site: &str, second: f64, what: What) -> Seen {
        Seen { at: (second * 1e3) as i64, received: 0, site: site.into(), what }
    }

    fn line(uplink: &str, loss_up: Option<f64>, loss_down: f64) -> What {
        What::Line {
            uplink: uplink.into(),
            lasted_ms: 10_000,
            loss_up,
            loss_down: Some(loss_down),
            packets: [10, 10 - (loss_up.unwrap_or(1.0) * 10.0) as u32, 10, 10],
            rtt_us: haidang_probe::digest::Spread::default(),
            unanswered: 0,
            unheard: 0,
        }
    }

    fn run(check: &str, failed: Option<&'static str>, samples: &[(&'static str, &str, f64)]) -> What {
        let samples = samples.iter().map(|(metric, part, value)| (*metric, (*part).to_owned(), *value));
        What::Run { check: check.into(), failed, took_us: None, samples: samples.collect() }
    }

    fn event(kind: &'static str, part: &str) -> What {
        What::Event { kind, part: part.into(), fields: Vec::new() }
    }

    /// The row of one truth at 60 s after 1000.
    fn row(truth: Value, seen: &[Seen]) -> String {
        let table = table(&targets(), seen, &[truth], 1_000.0);
        assert_eq!((table.rows.len(), table.of), (2, 1));
        assert_eq!(table.found == 0, table.rows[1].ends_with("MISSING"));
        table.rows[1].clone()
    }

    fn fault(kind: &str, args: &[&str]) -> Value {
        json!({"ts": 1_060.0, "event": "fault", "kind": kind, "args": args})
    }

    #[test]
    fn a_cut_in_one_direction_needs_the_other_one_heard() {
        let cut = || fault("cut", &["c06", "up"]);
        let upwards = seen("c06", 1_062.0, line("d2-c06/4", Some(1.0), 0.0));
        assert_eq!(
            row(cut(), &[upwards]),
            "60.0 s | fault cut c06 up | lost upwards, heard downwards (c06, +12.0 s, up 100 % down 0 %)"
        );
        for wrong in
            [line("d2-c06/4", None, 1.0), line("d2-c06/4", Some(0.3), 0.0), line("b-c06/6", Some(1.0), 0.0)]
        {
            assert!(row(cut(), &[seen("c06", 1_062.0, wrong)]).ends_with("MISSING"));
        }
        assert!(row(cut(), &[seen("c06", 1_040.0, line("d2-c06/4", Some(1.0), 0.0))]).ends_with("MISSING"));
    }

    #[test]
    fn a_brown_out_shows_by_its_share() {
        let brown = || fault("brownout", &["c02", "30"]);
        let of = |loss| vec![seen("c02", 1_065.0, line("d1-c02/4", Some(loss), 0.0))];
        assert!(row(brown(), &of(0.4)).contains("packets lost (c02, +15.0 s"));
        assert!(row(brown(), &of(0.0)).ends_with("MISSING"));
    }

    #[test]
    fn what_fails_on_a_lan_is_told_with_its_reason() {
        let portal = [seen("c02", 1_064.0, run("c02-web/http", Some("status"), &[]))];
        assert!(
            row(fault("portal", &["c02", "http500"]), &portal).contains("portal fails (c02, +4.0 s, status)")
        );
        let ends = |at| run("c02-web/https", None, &[("probe_ssl_earliest_cert_expiry", "", at)]);
        let soon = fault("portal", &["c02", "cert-soon"]);
        assert!(
            row(soon.clone(), &[seen("c02", 1_061.0, ends(400_000.0))]).contains("certificate ends soon")
        );
        assert!(row(soon, &[seen("c02", 1_061.0, ends(9e7))]).ends_with("MISSING"));
        let camera = [seen("c02", 1_070.0, run("c02-cam/tcp", Some("timeout"), &[]))];
        assert!(row(fault("device", &["c02-cam"]), &camera).contains("device fails"));
        assert!(row(fault("device", &["c02-ups"]), &camera).ends_with("MISSING"));
    }

    #[test]
    fn a_gateway_without_power_is_gone_from_the_lan_and_begins_anew() {
        let gone = [seen("c06", 1_061.0, run("c06-gw/icmp", Some("timeout"), &[]))];
        assert!(row(fault("power", &["c06", "gateway"]), &gone).contains("gateway gone from the LAN"));
        let boot = json!({"ts": 1_300.0, "event": "boot", "node": "c06"});
        let up =
            |value| [seen("c06", 1_330.0, run("gateway-snmp", None, &[("sysUpTime_seconds", "", value)]))];
        assert!(row(boot.clone(), &up(28.0)).contains("sysUpTime began anew (c06, +30.0 s)"));
        assert!(row(boot, &up(900.0)).ends_with("MISSING"));
        let boxed = json!({"ts": 1_300.0, "event": "boot", "node": "c06-box"});
        assert!(row(boxed, &[seen("c06", 1_300.0, event("machine-booted", ""))]).contains("machine-booted"));
    }

    #[test]
    fn a_failover_shows_by_the_route_or_by_the_lines() {
        let failover = |path| json!({"ts": 1_066.0, "event": "failover", "commune": "c02", "path": path});
        let route = [seen("c02", 1_070.0, run("machine", None, &[("default_route", "labb", 1.0)]))];
        assert!(row(failover("backup"), &route).contains("default route (c02, +4.0 s)"));
        assert!(row(failover("primary"), &route).ends_with("MISSING"));
        let of_another = [seen("c01", 1_070.0, run("machine", None, &[("default_route", "labb", 1.0)]))];
        assert!(row(failover("backup"), &of_another).ends_with("MISSING"));
        let silent = [seen("c02", 1_067.0, event("liveness-silent", "d1-c02/4"))];
        assert!(row(failover("backup"), &silent).contains("liveness-silent (c02, +1.0 s)"));
        let heard = [seen("c02", 1_067.0, event("liveness-heard", "d1-c02/4"))];
        assert!(row(failover("primary"), &heard).contains("liveness-heard"));
    }

    #[test]
    fn the_centre_speaks_for_a_site_without_an_agent() {
        let cut = || fault("cut", &["c03"]);
        let silent = [seen("core", 1_061.0, run("line/d1-c03", Some("timeout"), &[]))];
        assert!(row(cut(), &silent).contains("gateway silent to the centre (core, +1.0 s, timeout)"));
    }

    #[test]
    fn what_shows_after_the_heal_is_no_evidence_of_the_fault() {
        let truth =
            [fault("device", &["c02-cam"]), json!({"ts": 1_070.0, "event": "heal", "key": "device c02-cam"})];
        let late = [seen("c02", 1_080.0, run("c02-cam/tcp", Some("timeout"), &[]))];
        let table = table(&targets(), &late, &truth, 1_000.0);
        assert_eq!((table.found, table.of), (0, 2));
    }

    #[test]
    fn what_is_no_event_of_the_network_is_left_out() {
        let truth = [
            json!({"ts": 1_000.0, "event": "scenario", "id": "S05"}),
            json!({"ts": 900.0, "event": "boot", "node": "c02"}),
        ];
        assert_eq!(table(&targets(), &[], &truth, 1_000.0).of, 0);
    }
}
