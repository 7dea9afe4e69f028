//! The plan of each agent, as far as the record decides it: one [`Orders`] a site.
//!
//! ```text
//! record ─▶ orders of each agent ─▶ text and digest ─┬─▶ acknowledgements name the digest, ingest hands out the text
//!                                                    └─▶ the fold compares it with what agents say they run
//! ```
//!
//! Pure: the same record and credentials give the same texts. Credentials are no part of the record, which is journalled:
//! it holds the digests of the orders that tell some ([`seal`]), so that the fold knows what is meant without them.
//!
//! The record must hold the session ids
//! ([`Registry::assign`](crate::registry::Registry::assign)): a site without one has no agent to order about.

use crate::topology::{Id, Line, Role, Site, SiteKind, Topology};
use haidang_probe::check::{Check, Span};
use haidang_probe::credential::{Credential, Credentials};
use haidang_probe::listening::Listening;
use haidang_probe::plan::{
    EVERY, MAX_CHECKS, MAX_KNOWN, MAX_ORDERS_BYTES, MAX_UPLINKS, Orders, PlanDigest, Way,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// Name of the uplink of an agent that stands on no known line.
pub const ANY: &str = "any";
/// Longest a finished outcome waits before it is sent.
const FLUSH: Duration = Duration::from_secs(1);

/// What is handed out to each agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plans(BTreeMap<Id, Prepared>);

/// Orders ready to travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Their digest.
    pub digest: PlanDigest,
    /// Their text.
    pub text: String,
}

impl Plans {
    /// Of every agent of the record. Orders longer than any agent takes are not prepared, and logged.
    pub fn of(topology: &Topology, credentials: &Credentials) -> Plans {
        let prepared = topology.sites.keys().filter_map(|site| {
            let orders = orders(topology, credentials, site)?;
            let text = orders.text();
            let (checks, uplinks, octets) = (orders.checks.len(), orders.uplinks.len(), text.len());
            if checks > MAX_CHECKS || uplinks > MAX_UPLINKS || octets > MAX_ORDERS_BYTES {
                tracing::warn!(
                    site,
                    checks,
                    uplinks,
                    octets,
                    "no agent takes a plan of this size: not delivered"
                );
                return None;
            }
            Some((site.clone(), Prepared { digest: PlanDigest::of(text.as_bytes()), text }))
        });
        Plans(prepared.collect())
    }

    /// The agent's, if there are some.
    pub fn get(&self, site: &str) -> Option<&Prepared> {
        self.0.get(site)
    }

    /// Digest of the agent's, or of none.
    pub fn digest(&self, site: &str) -> PlanDigest {
        self.get(site).map(|prepared| prepared.digest).unwrap_or_default()
    }
}

/// What the agent at `site` is told; none where no agent may speak.
pub fn orders(topology: &Topology, credentials: &Credentials, site: &str) -> Option<Orders> {
    let record = topology.sites.get(site).filter(|record| record.observe.has_agent())?;
    let uplinks = ways(topology, record);
    let prompt = record.kind == SiteKind::Core;
    if uplinks.is_empty() {
        return None;
    }
    let checks = topology.checks_of(site);
    let listen = record.listen.clone();
    let credentials = named(&checks, &listen, credentials);
    let known = lines(topology, record).flat_map(|(id, line)| known(topology, id, line));
    let (flush, known) = (Span(FLUSH), known.take(MAX_KNOWN).collect());
    Some(Orders { flush, prompt, uplinks, checks, listen, credentials, known, sealed: record.sealed })
}

/// Writes into the record which orders tell credentials: their digests, for the fold.
pub fn seal(topology: &mut Topology, credentials: &Credentials) {
    topology.sealed.clear();
    let sites: Vec<Id> = topology.sites.keys().cloned().collect();
    for site in sites {
        let told = orders(topology, credentials, &site).filter(|orders| !orders.credentials.is_empty());
        topology.sealed.extend(told.map(|orders| (site, orders.digest())));
    }
}

/// The credentials that checks and listeners name, in order of name.
fn named(checks: &[Check], listen: &Listening, credentials: &Credentials) -> Vec<Credential> {
    let heard = listen.credentials.iter().map(String::as_str);
    let names: BTreeSet<&str> = checks.iter().filter_map(Check::credential).chain(heard).collect();
    names.into_iter().filter_map(|name| credentials.get(name)).cloned().collect()
}

/// The site's lines with a session, primary first.
fn ways(topology: &Topology, record: &Site) -> Vec<Way> {
    if let Some(ssid) = record.ssid {
        return vec![way(ANY.into(), ssid, Span(EVERY))];
    }
    let mut lines: Vec<_> = lines(topology, record).collect();
    lines.sort_by_key(|(_, line)| line.role == Role::Backup);
    lines.into_iter().filter_map(|(id, line)| of_line(topology, record, id, line)).collect()
}

fn lines<'t>(topology: &'t Topology, record: &'t Site) -> impl Iterator<Item = (&'t Id, &'t Line)> {
    record.needs.lines().iter().filter_map(|id| Some((id, topology.lines.get(id)?)))
}

/// A rehearsal's lines are told apart by the address packets leave from; a real gateway's routes, or a pin, decide.
fn of_line(topology: &Topology, record: &Site, id: &Id, line: &Line) -> Option<Way> {
    let every = Span(Duration::from_millis(line.every_ms().unsigned_abs()));
    let by_carrier = topology.hand_offs.get(&line.hand_off).and_then(|port| port.collector);
    let rehearsed = line.seen_from.first().copied().filter(|_| record.rehearsal);
    Some(Way {
        pin: line.pin.collector.or(by_carrier),
        source: line.pin.source.or(rehearsed),
        interface: line.pin.interface.clone(),
        metered: line.metered,
        budget_mb: line.budget_mb,
        ..way(id.clone(), line.ssid?, every)
    })
}

/// What stands on the line's way to the centre where the record says an address, by the name that the question about it
/// has.
fn known(topology: &Topology, id: &Id, line: &Line) -> Vec<(IpAddr, String)> {
    let (port, carrier) = (topology.hand_offs.get(&line.hand_off), topology.carriers.get(&line.carrier));
    let asks = [
        line.gateway.as_ref(),
        carrier.and_then(|carrier| carrier.core.as_ref()),
        port.and_then(|port| port.carrier_port.as_ref()),
        port.and_then(|port| port.our_port.as_ref()),
    ];
    let asked = asks.into_iter().flatten().filter_map(|ask| Some((ask.address()?, ask.0.name.clone())));
    let first_hop = line.first_hop.map(|address| (address, format!("line/{id}/first-hop")));
    let pop = line.pop.as_ref().and_then(|id| Some((topology.pops.get(id)?.address?, format!("pop/{id}"))));
    first_hop.into_iter().chain(pop).chain(asked).collect()
}

fn way(line: String, ssid: u16, every: Span) -> Way {
    Way { line, ssid, pin: None, source: None, interface: None, every, metered: false, budget_mb: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Ask, HandOff, Needs, Observe, Pin, Pop};
    use haidang_probe::check::{Check, ProbeKind, With};

    fn record() -> Topology {
        let mut topology = Topology::default();
        let check = Check {
            id: None,
            name: "up".into(),
            probe: ProbeKind::Uptime,
            target: String::new(),
            every: Span(FLUSH),
            timeout: Span(FLUSH),
            with: With::default(),
        };
        let site = Site {
            observe: Observe::Gateway,
            needs: Needs::AnyOf(vec!["4g".into(), "fibre".into()]),
            checks: vec![check],
            ..Site::default()
        };
        topology.sites.insert("a".into(), site);
        let line =
            |ssid| Line { site: "a".into(), hand_off: "h".into(), ssid: Some(ssid), ..Line::default() };
        let backup = Line { role: Role::Backup, metered: true, budget_mb: Some(500), ..line(4) };
        let fixed = Pin { interface: Some("wan0".into()), ..Pin::default() };
        topology.lines.insert("4g".into(), backup);
        topology.lines.insert("fibre".into(), Line { pin: fixed, ..line(2) });
        let collector = Some("10.255.0.1".parse().unwrap());
        topology.hand_offs.insert("h".into(), HandOff { collector, ..HandOff::default() });
        topology
    }

    #[test]
    fn an_uplink_says_how_it_is_pinned_and_what_it_may_cost() {
        let orders = orders(&record(), &Credentials::new(), "a").unwrap();
        let lines: Vec<_> = orders.uplinks.iter().map(|way| way.line.as_str()).collect();
        assert_eq!(lines, ["fibre", "4g"], "primary first");
        let [fibre, cellular] = [&orders.uplinks[0], &orders.uplinks[1]];
        assert_eq!((fibre.pin, fibre.interface.as_deref()), ("10.255.0.1".parse().ok(), Some("wan0")));
        assert_eq!((cellular.metered, cellular.budget_mb, cellular.every.0.as_secs()), (true, Some(500), 60));
    }

    #[test]
    fn an_agent_is_told_what_stands_on_its_lines_ways() {
        let mut topology = record();
        let address = |text: &str| text.parse::<IpAddr>().ok();
        let ask = |name: &str, target: &str| {
            let check = &topology.sites["a"].checks[0];
            let (name, target) = (name.into(), target.into());
            Some(Ask(Check { name, target, probe: ProbeKind::Stamp, ..check.clone() }))
        };
        let (ours, theirs) =
            (ask("hand-off/h/ours", "192.0.2.1:862"), ask("hand-off/h/carrier", "name.example:862"));
        topology
            .hand_offs
            .insert("h".into(), HandOff { our_port: ours, carrier_port: theirs, ..HandOff::default() });
        let pop = Pop { name: "P".into(), carrier: "c".into(), address: address("192.0.2.9") };
        topology.pops.insert("p".into(), pop);
        let fibre = topology.lines.get_mut("fibre").unwrap();
        (fibre.pop, fibre.first_hop) = (Some("p".into()), address("198.51.100.1"));
        let orders = orders(&topology, &Credentials::new(), "a").unwrap();
        let known: Vec<String> = orders.known.iter().map(|(at, name)| format!("{at} {name}")).collect();
        // What is asked by name has no address.
        assert_eq!(
            known,
            ["192.0.2.1 hand-off/h/ours", "192.0.2.9 pop/p", "198.51.100.1 line/fibre/first-hop"]
        );
        let (before, mut other) = (orders, topology);
        other.hand_offs.clear();
        let after = super::orders(&other, &Credentials::new(), "a").unwrap();
        assert_eq!(
            (after.known.len(), &after.uplinks[1]),
            (2, &before.uplinks[1]),
            "the uplinks stay as they are"
        );
    }

    #[test]
    fn another_digest_is_another_plan_and_only_that_agents() {
        let mut topology = record();
        let other = Site { needs: Needs::AnyOf(Vec::new()), ssid: Some(6), ..topology.sites["a"].clone() };
        topology.sites.insert("b".into(), other);
        let before = Plans::of(&topology, &Credentials::new());
        if let Some(site) = topology.sites.get_mut("b") {
            site.checks.clear();
        }
        let after = Plans::of(&topology, &Credentials::new());
        assert_eq!(before.get("a"), after.get("a"));
        assert_ne!(before.digest("b"), after.digest("b"));
    }

    #[test]
    fn who_may_not_speak_is_told_nothing() {
        let mut topology = record();
        for line in topology.lines.values_mut() {
            line.ssid = None;
        }
        assert_eq!(Plans::of(&topology, &Credentials::new()), Plans::default());
        assert_eq!(Plans::default().digest("a"), PlanDigest::default());
    }

    #[test]
    fn what_no_agent_takes_is_not_delivered() {
        let mut topology = record();
        let site = topology.sites.get_mut("a").unwrap();
        site.checks = vec![site.checks[0].clone(); MAX_CHECKS + 1];
        assert!(Plans::of(&topology, &Credentials::new()).get("a").is_none());
    }

    fn credential(id: &str, community: &str) -> Credential {
        let text = format!(r#"{{"id":"{id}","version":"2c","community":"{community}"}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn an_agent_is_told_the_credentials_its_checks_name_and_the_record_their_digest_alone() {
        let mut topology = record();
        let asks = With::from_iter([("credential", "lan")]);
        let site = topology.sites.get_mut("a").unwrap();
        site.checks[0] = Check { probe: ProbeKind::Snmp, with: asks, ..site.checks[0].clone() };
        let all = |community| {
            let both = [credential("lan", community), credential("other", "5ec4e7-b")];
            Credentials::from_iter(both.map(|one| (one.id.clone(), one)))
        };
        let told = orders(&topology, &all("5ec4e7-a"), "a").unwrap();
        assert_eq!(told.credentials, [credential("lan", "5ec4e7-a")]);
        seal(&mut topology, &all("5ec4e7-a"));
        let first = topology.clone();
        assert_eq!(first.sealed["a"], told.digest());
        assert!(!format!("{:?}", postcard::to_allocvec(&first).unwrap()).contains("5ec4e7"));
        seal(&mut topology, &all("5ec4e7-c"));
        assert_ne!(topology.sealed, first.sealed, "another secret is another plan");
    }
}
