//! From the lab's inventory to the collector's configuration. Pure.
//!
//! ```text
//! cNN → site        dN → POP          core-a → hand-off     d1-c01 → line (all by the lab's own names)
//! a, b → carrier    feeder → feeder   portal, dns → service cNN-cam → device
//! ```
//!
//! Everything keeps its name in the lab, so an incident's root reads back without a table.

use crate::naming::text;
use crate::targets::{Commune, Device, HandOff, Line, Service, Targets};
use crate::witness::GATEWAY_CHECK;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// Site of the centre.
pub const CORE: &str = "core";
/// The lab's gate for one isolated site.
const GATE: &str = "10s";
/// Ports of the collector: console (in node core alone), agents, STAMP.
pub const CONSOLE: &str = "127.0.0.1:8080";
/// See [`CONSOLE`].
const AGENTS: u16 = 8443;
/// See [`CONSOLE`].
const STAMP: u16 = 8862;
/// Limit of the journal, octets: a scenario fills a fraction of it.
const JOURNAL: u64 = 256 << 20;

/// The configuration. JSON is YAML.
pub fn configuration(targets: &Targets) -> Value {
    let communes = targets
        .communes
        .iter()
        .map(|(name, commune)| json!({"code": code(commune), "name": name, "kind": "xã"}));
    let kind = |kind: &'static str| targets.nodes.iter().filter(move |(_, node)| node.kind == kind);
    let carriers = kind("carrier").map(|(id, node)| {
        json!({"id": id, "name": id.to_uppercase(), "core": {"probe": "icmp", "target": node.ip}})
    });
    let pops = kind("district").map(|(id, _)| json!({"id": id, "name": id, "carrier": "a"}));
    let feeders = targets.feeders.keys().map(|id| json!({"id": id, "name": id}));
    let sites = targets.communes.iter().map(|(name, commune)| site(targets, name, commune));
    json!({
        "province": {"code": "82", "name": targets.name},
        "defaults": {"gate": GATE},
        "collector": collector(targets),
        "communes": communes.collect::<Value>(),
        "carriers": carriers.collect::<Value>(),
        "hand_offs": targets.handoffs.iter().map(|port| hand_off(targets, port)).collect::<Value>(),
        "pops": pops.collect::<Value>(),
        "credentials": credentials(targets),
        "feeders": feeders.collect::<Value>(),
        "services": targets.services.iter().filter_map(service).collect::<Value>(),
        "sites": std::iter::once(centre(targets)).chain(sites).collect::<Value>(),
    })
}

/// Where agents enrol, and reach the collector where no line says another address.
pub fn reach(targets: &Targets) -> SocketAddr {
    SocketAddr::new(address(targets), AGENTS)
}

fn address(targets: &Targets) -> IpAddr {
    targets.collectors.strict.values().next().copied().unwrap_or(targets.collectors.follow)
}

/// The names of what the agent of a commune asks of its devices each ten seconds.
pub fn check_names(targets: &Targets, name: &str, commune: &Commune) -> Vec<String> {
    let devices = devices(targets, name, commune);
    let each_ten = devices.iter().filter(|device| device["checks"][0]["every"].is_null());
    each_ten
        .map(|device| format!("{}/{}", text(&device["id"]), text(&device["checks"][0]["probe"])))
        .collect()
}

fn collector(targets: &Targets) -> Value {
    let addresses: BTreeSet<IpAddr> =
        targets.collectors.strict.values().copied().chain([address(targets)]).collect();
    let stamp: Vec<SocketAddr> =
        addresses.into_iter().map(|address| SocketAddr::new(address, STAMP)).collect();
    json!({
        "console": {"listen": CONSOLE},
        "agents": {"listen": format!("0.0.0.0:{AGENTS}")},
        "stamp": {"listen": stamp},
        "journal": {"max_bytes": JOURNAL},
    })
}

/// The code of a commune: five digits, as the statistics office gives them.
fn code(commune: &Commune) -> String {
    format!("{:05}", commune.i)
}

/// Where nobody else does, the centre asks the gateways by SNMP. A check of a site names no device, so that it is
/// evidence and no verdict.
fn centre(targets: &Targets) -> Value {
    let agentless = targets.communes.iter().filter(|(_, commune)| commune.agent_node.is_none());
    let checks = agentless.filter_map(|(name, commune)| {
        let ip = commune.lines.first()?.gw_ip;
        snmp(targets, name, &format!("{name}/{GATEWAY_CHECK}"), ip)
    });
    json!({"id": CORE, "name": "Trung tâm", "kind": "core", "checks": checks.collect::<Value>()})
}

/// As whom machines are asked: a credential for each community.
fn credentials(targets: &Targets) -> Value {
    let communities: BTreeSet<&String> =
        targets.nodes.values().filter_map(|node| Some(&node.snmp.as_ref()?.community)).collect();
    communities
        .iter()
        .map(|community| json!({"id": community, "version": "2c", "community": community}))
        .collect()
}

/// A question by SNMP to a machine of the lab that answers it.
fn snmp(targets: &Targets, node: &str, name: &str, ip: IpAddr) -> Option<Value> {
    let credential = &targets.nodes.get(node)?.snmp.as_ref()?.community;
    Some(json!({"name": name, "probe": "snmp", "target": ip, "with": {"credential": credential}}))
}

/// Our port is asked by its state (its address answers also without light), the carrier's by its address.
fn hand_off(targets: &Targets, port: &HandOff) -> Value {
    let mut told = json!({
        "id": port.link,
        "name": port.link,
        "carrier": port.carrier,
        "our_port": {"probe": "interface", "target": port.core_if},
        "carrier_port": {"probe": "icmp", "target": port.carrier_ip},
    });
    if let Some(strict) = targets.collectors.strict.get(&port.carrier) {
        told["collector"] = json!(strict);
    }
    told
}

/// What all communes share: each agent asks it, and so does the centre.
fn service(service: &Service) -> Option<Value> {
    let check = match service.kind.as_str() {
        "http" => json!({"probe": "http", "target": format!("http://{}/", service.ip), "timeout": "5s"}),
        // It must know one of its own names.
        "dns" => json!({"probe": "dns", "target": format!("{}/{}", service.ip, service.name)}),
        _ => return None,
    };
    let (id, name, owner) = (&service.id, &service.name, &service.owner);
    Some(json!({"id": id, "name": name, "owner": owner, "check": check, "asked_by": ["core", "all"]}))
}

fn site(targets: &Targets, name: &str, commune: &Commune) -> Value {
    let lines: Vec<&str> = commune.lines.iter().map(|line| line.link.as_str()).collect();
    let mut site = json!({
        "id": name,
        "name": name,
        "commune": code(commune),
        "observe": commune.observe,
        "needs": {"any_of": lines},
        "lines": commune.lines.iter().map(|each| line(targets, commune, each)).collect::<Value>(),
        "hours": {"days": commune.hours.days, "spans": commune.hours.spans},
        "off_outside_hours": commune.off_outside_hours,
        "power": power(targets, name),
    });
    if let Some(feeder) = &commune.feeder {
        site["feeder"] = json!(feeder);
    }
    if commune.agent_node.is_some() {
        site["devices"] = devices(targets, name, commune).into();
        site["checks"] = gateway(targets, name, commune).into();
    }
    site
}

/// What feeds the gateway, and the agent's box where there is one.
fn power(targets: &Targets, name: &str) -> Value {
    let lives_on = |part: &str| {
        let id = format!("power:{name}.{part}");
        targets.power_domains.iter().any(|domain| domain.id == id && domain.ups)
    };
    let supply = |part| if lives_on(part) { "ups" } else { "mains" };
    json!({"gateway": supply("gateway"), "agent": supply("box")})
}

fn line(targets: &Targets, commune: &Commune, line: &Line) -> Value {
    let has_agent = commune.agent_node.is_some();
    let mut told = json!({
        "id": line.link,
        "carrier": line.carrier,
        "hand_off": targets.handoffs.iter().find(|port| port.carrier == line.carrier).map(|port| &port.link),
        "circuit": line.circuit,
        "mbps": line.contract_mbit as u32,
        "role": line.role,
        "medium": medium(&line.medium),
        "metered": line.metered,
    });
    if let Some(budget) = line.budget_mb {
        told["budget_mb"] = json!(budget as u32);
    }
    // Where no router of the carrier shows, the lab names the carrier itself or nothing.
    let district = |pop: &&String| targets.nodes.get(*pop).is_some_and(|node| node.kind == "district");
    if let Some(pop) = line.pop.as_ref().filter(district) {
        told["pop"] = json!(pop);
    }
    if has_agent {
        told["seen_from"] = json!([line.gw_ip]);
    }
    if has_agent && line.pinned_by == "source-address" {
        told["source"] = json!(line.gw_ip);
        told["interface"] = json!(line.gw_if);
    }
    // Paid for, or filtered: there the agent alone speaks for the line.
    if !(has_agent && (line.metered || commune.icmp == "filtered")) {
        told["gateway"] = json!({"probe": "icmp", "target": line.gw_ip});
    }
    told
}

fn medium(words: &str) -> &'static str {
    match words {
        "fibre L2" => "fibre-l2",
        "fibre L3" => "fibre-l3",
        "4G private APN" => "4g-apn",
        _ => "other",
    }
}

/// The devices of a commune with an agent; a box also asks the gateway it stands behind.
fn devices(targets: &Targets, name: &str, commune: &Commune) -> Vec<Value> {
    let device = |short: &str, kind: &str, check: Value| {
        let id = format!("{name}-{short}");
        json!({"id": id, "name": id, "kind": kind, "checks": [check]})
    };
    let mut all = Vec::new();
    if commune.observe == "box-behind" {
        all.push(device(
            "gw",
            "gateway",
            json!({"probe": "icmp", "target": commune.lan_gw, "every": "2s", "timeout": "1s"}),
        ));
    }
    for (short, found) in &commune.devices {
        let (kind, check) = match (found.kind.as_str(), short.as_str()) {
            ("rtsp", _) => ("camera", json!({"probe": "tcp", "target": format!("{}:554", found.ip)})),
            ("portal", _) => ("portal", json!({"probe": "http", "target": format!("http://{}/", found.ip)})),
            (_, "ups") => ("ups", json!({"probe": "icmp", "target": found.ip})),
            _ => ("switch", json!({"probe": "icmp", "target": found.ip})),
        };
        let mut told = device(short, kind, check);
        if let Some(more) = more(targets, name, short, found)
            && let Some(checks) = told["checks"].as_array_mut()
        {
            checks.push(more);
        }
        all.push(told);
    }
    all
}

/// What a device is asked besides whether it answers: a portal its certificate, a UPS its battery.
fn more(targets: &Targets, name: &str, short: &str, device: &Device) -> Option<Value> {
    match (device.kind.as_str(), short) {
        ("portal", _) => Some(json!({"name": "https", "probe": "http", "timeout": "5s",
            "target": format!("https://{}/", device.ip), "with": {"any_issuer": true}})),
        (_, "ups") => snmp(targets, &format!("{name}-{short}"), "snmp", device.ip),
        _ => None,
    }
}

/// What tells of the gateway itself: its ports and since when it is up; where the agent stands on it, its routes too.
fn gateway(targets: &Targets, name: &str, commune: &Commune) -> Vec<Value> {
    let mut checks: Vec<Value> = snmp(targets, name, GATEWAY_CHECK, commune.lan_gw).into_iter().collect();
    if commune.observe == "gateway" {
        checks.push(json!({"name": "machine", "probe": "machine"}));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_collector::config::{self, Config};
    use haidang_collector::topology::{Observe, Role, Supply};

    fn targets() -> Targets {
        Targets::read(include_str!("targets.json")).unwrap()
    }

    fn loaded() -> Config {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("province.yml"), configuration(&targets()).to_string()).unwrap();
        config::load(folder.path()).unwrap()
    }

    #[test]
    fn the_collector_takes_it() {
        let record = loaded().topology;
        assert_eq!((record.communes.len(), record.lines.len(), record.pops.len()), (6, 10, 3));
        assert_eq!(record.core().map(String::as_str), Some(CORE));
        assert!(record.sites.values().all(|site| site.gate_s == 10 || site.commune.is_none()));
    }

    #[test]
    fn each_kind_of_commune_is_observed_as_it_is() {
        let sites = loaded().topology.sites;
        for (name, observe, devices) in
            [("c01", Observe::Gateway, 1), ("c02", Observe::BoxBehind, 5), ("c03", Observe::PingOnly, 0)]
        {
            assert_eq!((sites[name].observe, sites[name].devices.len()), (observe, devices), "{name}");
        }
        assert_eq!(sites["c03"].feeder.as_deref(), Some("473-E7.4"));
        assert_eq!(
            (sites["c02"].power.gateway, sites["c02"].power.agent),
            (Some(Supply::Mains), Some(Supply::Ups))
        );
    }

    #[test]
    fn the_names_counted_are_those_the_collector_gives() {
        let (targets, record) = (targets(), loaded().topology);
        let asked: BTreeSet<String> = record.checks_of("c02").into_iter().map(|check| check.name).collect();
        let counted = check_names(&targets, "c02", &targets.communes["c02"]);
        assert!(
            counted.len() == 4 && counted.iter().all(|name| asked.contains(name)),
            "{counted:?} {asked:?}"
        );
    }

    #[test]
    fn what_all_communes_share_is_asked_by_all() {
        let record = loaded().topology;
        assert!(record.services.keys().eq(["dns", "portal"]));
        let asked = record.checks_of("c02");
        let target = |name| asked.iter().find(|check| check.name == name).map(|check| check.target.as_str());
        assert_eq!(target("service/dns"), Some("10.255.0.53/dns.tinh.lab"));
        assert_eq!(target("service/portal"), Some("http://10.255.0.80/"));
    }

    #[test]
    fn gateways_portals_and_batteries_are_asked_what_only_they_know() {
        let record = loaded().topology;
        let asked = |site: &str| -> BTreeSet<String> {
            record.checks_of(site).into_iter().map(|check| check.name).collect()
        };
        let of_box = asked("c02");
        for name in [GATEWAY_CHECK, "c02-web/http", "c02-web/https", "c02-ups/icmp", "c02-ups/snmp"] {
            assert!(of_box.contains(name), "{name} in {of_box:?}");
        }
        assert!(asked("c01").contains("machine") && !of_box.contains("machine"));
        assert!(asked(CORE).contains("c03/gateway-snmp") && asked("c03").is_empty());
    }

    #[test]
    fn each_line_goes_to_the_address_its_gateway_pins() {
        let config = loaded();
        let strict =
            |port: &str| config.topology.hand_offs[port].collector.map(|address| address.to_string());
        assert_eq!(strict("core-b").as_deref(), Some("10.255.1.1"));
        assert_eq!(config.collector.stamp.len(), 2);
    }

    #[test]
    fn a_line_without_a_router_of_its_carrier_has_no_pop() {
        let lines = loaded().topology.lines;
        assert_eq!(lines["d1-c02"].pop.as_deref(), Some("d1"));
        assert_eq!((&lines["b-c02"].pop, lines["b-c02"].role), (&None, Role::Backup));
        assert_eq!(lines["b-c08"].pop, None);
    }

    #[test]
    fn what_the_centre_asks_fits_the_line() {
        let lines = loaded().topology.lines;
        let target = |line: &str| lines[line].gateway.as_ref().map(|ask| ask.0.target.clone());
        assert_eq!(target("d1-c02").as_deref(), Some("10.101.2.2"));
        assert_eq!(target("d2-c06"), None, "icmp is filtered there");
        assert_eq!(target("b-c08"), None, "metered");
        assert_eq!(lines["b-c02"].seen_from, ["10.102.2.2".parse::<std::net::IpAddr>().unwrap()]);
        assert!(lines["d1-c03"].seen_from.is_empty(), "nobody to see");
    }
}
