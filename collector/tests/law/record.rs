//! The record of the small province: forty sites on two carriers and four POPs each.

use haidang_collector::topology::{
    Area, Ask, Carrier, Commune, HandOff, Line, Needs, Observe, Pop, Province as Record, Role, Site,
    SiteKind, Topology,
};
use haidang_probe::check::{Check, ProbeKind, Span, With};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the core agent waits for an answer, ms.
pub const ASK_TIMEOUT: i64 = 700;
const SITES: usize = 40;
const POPS: usize = 4;

fn ask(name: String) -> Ask {
    let span = |ms| Span(Duration::from_millis(ms));
    Ask(Check {
        id: None,
        name,
        probe: ProbeKind::Stamp,
        target: "127.0.0.1:8620".into(),
        every: span(500),
        timeout: span(ASK_TIMEOUT as u64),
        with: With::default(),
    })
}

fn site(kind: SiteKind, commune: Option<String>, observe: Observe, lines: Vec<String>) -> Site {
    Site {
        name: commune.clone().unwrap_or_else(|| "centre".into()),
        kind,
        commune,
        observe,
        rehearsal: false,
        needs: Needs::AnyOf(lines),
        contact: None,
        gate_s: 10,
        checks: Vec::new(),
        ssid: None,
        ..Site::default()
    }
}

/// Forty communes with one site each: `c00`…; lines `c00-a` and, at every third, `c00-b`.
pub fn topology() -> Topology {
    let mut t = Topology {
        province: Record { code: "82".into(), name: "Đồng Tháp".into() },
        areas: BTreeMap::from([("area".into(), Area { name: "Khu vực".into(), place: 0 })]),
        ..Topology::default()
    };
    for carrier in ["va", "vb"] {
        let core = Some(ask(format!("carrier/{carrier}/core")));
        t.carriers.insert(carrier.into(), Carrier { name: carrier.to_uppercase(), hotline: None, core });
        let our_port = Some(ask(format!("hand-off/{carrier}-1/ours")));
        let port = HandOff {
            name: carrier.to_uppercase(),
            carrier: carrier.into(),
            our_port,
            carrier_port: None,
            ..HandOff::default()
        };
        t.hand_offs.insert(format!("{carrier}-1"), port);
        for pop in 0..POPS {
            t.pops.insert(
                format!("{carrier}-p{pop}"),
                Pop { name: format!("POP {pop}"), carrier: carrier.into(), address: None },
            );
        }
    }
    t.sites.insert("centre".into(), site(SiteKind::Core, None, Observe::Gateway, Vec::new()));
    for number in 0..SITES {
        add_commune(&mut t, number);
    }
    t
}

fn add_commune(t: &mut Topology, number: usize) {
    let id = format!("c{number:02}");
    let commune = Commune {
        name: id.clone(),
        kind: "xã".into(),
        area: Some("area".into()),
        valid_from: None,
        valid_to: None,
        successor: None,
    };
    t.communes.insert(id.clone(), commune);
    let agent = number.is_multiple_of(2);
    let observe = if agent { Observe::Gateway } else { Observe::Reflector };
    let carriers: &[(&str, &str)] =
        if number.is_multiple_of(3) { &[("a", "va"), ("b", "vb")] } else { &[("a", "va")] };
    let mut lines = Vec::new();
    for (role, (suffix, carrier)) in carriers.iter().enumerate() {
        let line = format!("{id}-{suffix}");
        let record = Line {
            site: id.clone(),
            carrier: (*carrier).into(),
            hand_off: format!("{carrier}-1"),
            pop: Some(format!("{carrier}-p{}", number % POPS)),
            circuit: line.to_uppercase(),
            mbps: Some(200),
            role: if role == 0 { Role::Primary } else { Role::Backup },
            metered: false,
            gateway: Some(ask(format!("line/{line}"))),
            seen_from: Vec::new(),
            ssid: agent.then_some((t.lines.len() as u16 + 1) * 2),
            ..Line::default()
        };
        t.lines.insert(line.clone(), record);
        lines.push(line);
    }
    t.sites.insert(id.clone(), site(SiteKind::Office, Some(id), observe, lines));
}
