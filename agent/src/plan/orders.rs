//! Orders that came from the collector, judged leniently.
//!
//! ```text
//! not JSON of the known shape · no uplink · two of one session · too many ─▶ refused whole, by name
//! source and pin of an uplink of two address families ────────────────────▶ refused whole, by name
//! a check of an unknown probe, key or target ─────────────────────────────▶ that check: Unsupported
//! a credential of an unknown method or version ───────────────────────────▶ its checks: Credential
//! secrets that are none, to the enrolled ─────────────────────────────────▶ refused whole, by name
//! an unknown key elsewhere ───────────────────────────────────────────────▶ passed over
//! ```
//!
//! Whoever refuses goes on with what it runs, and says so.

use super::judge::{EVERY_BETWEEN, FLUSH, SECRET, family_differs};
use super::{Asked, Loaded};
use haidang_probe::check::{Check, CheckId, Span};
use haidang_probe::credential::{Credential, Credentials, MAX_CREDENTIALS};
use haidang_probe::key::unhex;
use haidang_probe::liveness::down_session;
use haidang_probe::plan::{
    Delivery, MAX_CHECKS, MAX_KNOWN, MAX_ORDERS_BYTES, MAX_UPLINKS, Orders, Plan, PlanDigest, Sealed, Uplink,
    Way,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a check that is not understood must still say.
#[derive(Deserialize)]
struct Outline {
    id: Option<CheckId>,
    name: String,
    #[serde(default)]
    target: String,
    every: Option<Span>,
}

/// Interval of an unsupported check that says none.
const EVERY: Duration = Duration::from_secs(60);

/// Why orders are refused. Its name is stable: the collector shows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Longer than any orders.
    #[error("orders of more than {MAX_ORDERS_BYTES} octets")]
    Long,
    /// Not orders.
    #[error("not orders: {0}")]
    Garbled(String),
    /// None, or more than an agent has.
    #[error("orders of {0} uplinks; an agent has 1 to {MAX_UPLINKS}")]
    Uplinks(usize),
    /// Two uplinks would share a STAMP session.
    #[error("orders in which two uplinks share session {0}")]
    Sessions(u16),
    /// Nothing can leave from such a source to such an address.
    #[error("orders in which source, pin and stamp of session {0} are not of one address family")]
    Families(u16),
    /// More than an agent asks.
    #[error("orders of {0} checks; an agent has at most {MAX_CHECKS}")]
    Checks(usize),
    /// A check without a name, or two of one id.
    #[error("orders whose check {0} has no name, or the id of another")]
    Check(usize),
}

impl Refusal {
    /// Its name in events.
    pub fn name(&self) -> &'static str {
        match self {
            Refusal::Long => "too-long",
            Refusal::Garbled(_) => "garbled",
            Refusal::Uplinks(_) => "uplinks",
            Refusal::Sessions(_) => "sessions",
            Refusal::Families(_) => "families",
            Refusal::Checks(_) => "too-many-checks",
            Refusal::Check(_) => "check",
        }
    }
}

impl Loaded {
    /// What runs when the collector's orders are followed; `self` is the agent's own file.
    pub fn with(&self, text: &[u8]) -> Result<Loaded, Refusal> {
        if text.len() > MAX_ORDERS_BYTES {
            return Err(Refusal::Long);
        }
        let text = Delivery::read(text);
        let orders: Orders<Value, Value> =
            serde_json::from_slice(text.orders).map_err(|error| Refusal::Garbled(error.to_string()))?;
        let secrets = match (&self.plan.secret, text.sealed) {
            (None, Some(sealed)) => secrets(sealed).ok_or_else(|| Refusal::Garbled("sealed".into()))?,
            _ => self.secrets.clone(),
        };
        let uplinks = uplinks(orders.uplinks, &self.plan.uplinks)?;
        let checks = checks(orders.checks)?;
        let credentials = credentials(orders.credentials);
        let plan = Plan {
            uplinks,
            flush: Span(orders.flush.0.clamp(FLUSH.0, FLUSH.1)),
            prompt: orders.prompt,
            checks: Vec::new(),
            listeners: orders.listen,
            credentials: Vec::new(),
            known: orders.known.into_iter().take(MAX_KNOWN).collect(),
            ..self.plan.clone()
        };
        Ok(Loaded { plan, secrets, checks, credentials, digest: PlanDigest::of(text.orders) })
    }
}

/// What an enrolled agent's STAMP keys derive from. A fault in it is not told in words: they would repeat it.
fn secrets(sealed: &[u8]) -> Option<Vec<Vec<u8>>> {
    let Sealed { secrets } = serde_json::from_slice(sealed).ok()?;
    let octets = |secret: &String| unhex(secret).filter(|octets| octets.len() == SECRET);
    secrets.iter().take(2).map(octets).collect()
}

/// Each way, reached as the file's uplink of the same line is, or as its first.
fn uplinks(ways: Vec<Way>, own: &[Uplink]) -> Result<Vec<Uplink>, Refusal> {
    let count = ways.len();
    let first = own.first().filter(|_| (1..=MAX_UPLINKS).contains(&count)).ok_or(Refusal::Uplinks(count))?;
    let mut sessions = BTreeSet::new();
    let mut all = Vec::with_capacity(count);
    for mut way in ways {
        let ours = (1..u16::MAX).contains(&way.ssid);
        if !ours || ![way.ssid, down_session(way.ssid)].into_iter().all(|session| sessions.insert(session)) {
            return Err(Refusal::Sessions(way.ssid));
        }
        way.every = Span(way.every.0.clamp(*EVERY_BETWEEN.start(), *EVERY_BETWEEN.end()));
        let reached = own.iter().find(|own| own.line == way.line).unwrap_or(first);
        let uplink = way.reached_as(reached);
        if family_differs(&uplink) {
            return Err(Refusal::Families(uplink.ssid));
        }
        all.push(uplink);
    }
    Ok(all)
}

fn checks(values: Vec<Value>) -> Result<BTreeMap<CheckId, Asked>, Refusal> {
    if values.len() > MAX_CHECKS {
        return Err(Refusal::Checks(values.len()));
    }
    let mut all = BTreeMap::new();
    for (place, value) in values.into_iter().enumerate() {
        let (id, asked) = check(value).ok_or(Refusal::Check(place))?;
        if all.insert(id, asked).is_some() {
            return Err(Refusal::Check(place));
        }
    }
    Ok(all)
}

/// Those this version understands.
fn credentials(values: Vec<Value>) -> Credentials {
    let understood = |value: Value| serde_json::from_value::<Credential>(value).ok();
    let named = values.into_iter().take(MAX_CREDENTIALS).filter_map(understood);
    named.filter(|one| one.wrong().is_none()).map(|one| (one.id.clone(), one)).collect()
}

fn check(value: Value) -> Option<(CheckId, Asked)> {
    let outline = Outline::deserialize(&value).ok()?;
    let understood = serde_json::from_value::<Check>(value).ok();
    if let Some((id, asked)) = understood.and_then(|check| Some((check.id(), Asked::of(&check).ok()?))) {
        return Some((id, asked));
    }
    let id = outline.id.unwrap_or_else(|| CheckId::of_name(&outline.name));
    tracing::warn!(check = outline.name, "this version does not know how to run it: it answers Unsupported");
    let every = outline.every.map_or(EVERY, |every| every.0);
    let (name, target) = (outline.name, outline.target);
    Some((id, Asked { name, target, every, timeout: every, question: None }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::good;

    fn with(text: &str) -> Result<Loaded, Refusal> {
        good().with(text.as_bytes())
    }

    const WAYS: &str = r#""uplinks":[{"line":"any","ssid":2}]"#;

    #[test]
    fn what_could_have_travelled_is_taken_as_it_stands() {
        let own = good();
        let text = own.plan.orders().text();
        let taken = with(&text).unwrap();
        assert_eq!((taken.digest, &taken.checks), (own.digest, &own.checks));
        assert_eq!((&taken.plan.uplinks, taken.flush()), (&own.plan.uplinks, own.flush()));
    }

    #[test]
    fn an_unknown_probe_key_or_target_costs_that_check_alone() {
        let text = format!(
            r#"{{{WAYS},"tomorrow":1,"checks":[{{"name":"a","probe":"uptime"}},
            {{"name":"b","probe":"quantum","target":"x","every":"30s"}},
            {{"name":"c","probe":"uptime","key_of_tomorrow":true}},
            {{"name":"d","probe":"tcp","target":"no port"}}]}}"#
        );
        // Orders are one line; what is sealed stands on the next.
        let text = text.replace('\n', " ");
        let taken = with(&text).unwrap();
        let asked = |name: &str| taken.checks[&CheckId::of_name(name)].question.is_some();
        assert_eq!(["a", "b", "c", "d"].map(asked), [true, false, false, false]);
        assert_eq!(taken.checks[&CheckId::of_name("b")].every, Duration::from_secs(30));
    }

    #[test]
    fn a_line_the_file_does_not_know_is_reached_as_its_first() {
        let taken = with(r#"{"uplinks":[{"line":"b","ssid":4,"pin":"127.0.0.9","every":"1h"}]}"#).unwrap();
        let uplink = &taken.plan.uplinks[0];
        assert_eq!(uplink.stamp_address(), "127.0.0.9:8862".parse().unwrap());
        assert_eq!(uplink.collector, good().plan.uplinks[0].collector);
        assert_eq!(uplink.every.0, Duration::from_secs(60), "held to what a session lives on");
    }

    #[test]
    fn what_stands_on_the_way_is_taken_up_to_the_limit() {
        let known: Vec<String> = (0..99).map(|last| format!(r#""10.0.0.{last}":"pop/{last}""#)).collect();
        let taken = with(&format!(r#"{{{WAYS},"known":{{{}}}}}"#, known.join(","))).unwrap();
        assert_eq!(taken.plan.known.len(), MAX_KNOWN);
        assert_eq!(taken.plan.known[&"10.0.0.1".parse::<std::net::IpAddr>().unwrap()], "pop/1");
    }

    #[test]
    fn batches_leave_often_enough_whatever_is_ordered() {
        for (ordered, runs) in [("0s", "100ms"), ("10s", "10s"), ("24h", "5m")] {
            let taken = with(&format!(r#"{{"flush":"{ordered}",{WAYS}}}"#)).unwrap();
            assert_eq!(taken.plan.flush.to_string(), runs, "{ordered}");
        }
    }

    #[test]
    fn what_cannot_run_is_refused_by_name() {
        let many = format!(r#"{{"name":"{}"}},"#, "x").repeat(MAX_CHECKS);
        for (text, name) in [
            ("<html>", "garbled"),
            (r#"{"uplinks":[]}"#, "uplinks"),
            (r#"{"uplinks":[{"line":"a","ssid":2},{"line":"b","ssid":3}]}"#, "sessions"),
            (r#"{"uplinks":[{"line":"a","ssid":0}]}"#, "sessions"),
            (r#"{"uplinks":[{"line":"a","ssid":2,"source":"10.0.0.1","pin":"2001:db8::1"}]}"#, "families"),
            (&format!(r#"{{{WAYS},"checks":[{{"probe":"tcp"}}]}}"#), "check"),
            (&format!(r#"{{{WAYS},"checks":[{{"name":"a"}},{{"name":"a"}}]}}"#), "check"),
            (&format!(r#"{{{WAYS},"checks":[{many}{{"name":"y"}}]}}"#), "too-many-checks"),
            (&" ".repeat(MAX_ORDERS_BYTES + 1), "too-long"),
        ] {
            assert_eq!(with(text).err().map(|refusal| refusal.name()), Some(name));
        }
    }
}
