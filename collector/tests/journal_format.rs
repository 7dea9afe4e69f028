//! The journal outlives the program that wrote it: the octets of every kind of entry are held to what is
//! committed. When this fails, old journals do not read any more: raise `VERSION` in `entry.rs` and read both.
#![allow(clippy::unwrap_used)]

use haidang_collector::entry::{
    Act, ActKind, Checkpoint, DownHeard, DownSent, Entry, Item, ItemKind, Maintenance, Received, Tick,
    UpHeard,
};
use haidang_collector::topology::{
    Area, Ask, AskedBy, Carrier, Commune, Contact, Device, DeviceKind, Feeder, Former, HandOff, Hours, Line,
    Medium, Needs, Observe, OffOutsideHours, Pin, Pop, Power, Province, Role, Service, Shared, Site,
    SiteKind, Supply, Topology,
};
use haidang_probe::check::{Check, CheckId, ProbeKind, Span, With};
use haidang_probe::key;
use haidang_probe::listening::Listening;
use haidang_probe::plan::PlanDigest;
use std::collections::BTreeMap;
use std::time::Duration;

const AT: i64 = 1_795_305_600_000;
const COMMITTED: &str = include_str!("journal_format.txt");

fn one<T>(id: &str, thing: T) -> BTreeMap<String, T> {
    BTreeMap::from([(id.to_owned(), thing)])
}

fn check() -> Check {
    Check {
        id: Some(CheckId(7)),
        name: "line/l".into(),
        probe: ProbeKind::Stamp,
        target: "127.0.0.1:8620".into(),
        every: Span(Duration::from_millis(500)),
        timeout: Span(Duration::from_millis(700)),
        with: With::default(),
    }
}

fn record() -> Topology {
    let ask = || Some(Ask(check()));
    Topology {
        province: Province { code: "82".into(), name: "Đồng Tháp".into() },
        areas: one("a", Area { name: "A".into(), place: 3 }),
        communes: one(
            "28249",
            Commune {
                name: "Đạo Thạnh".into(),
                kind: "phường".into(),
                area: Some("a".into()),
                valid_from: Some("2025-07-01".into()),
                valid_to: None,
                successor: None,
            },
        ),
        carriers: one("c", Carrier { name: "C".into(), hotline: Some("1".into()), core: ask() }),
        hand_offs: one(
            "h",
            HandOff {
                name: "H".into(),
                carrier: "c".into(),
                our_port: ask(),
                carrier_port: None,
                collector: None,
            },
        ),
        pops: one("p", Pop { name: "P".into(), carrier: "c".into(), address: "127.0.0.3".parse().ok() }),
        sites: one("s", site()),
        lines: one("l", line()),
        feeders: one("f", Feeder { name: "F".into() }),
        services: one(
            "v",
            Service {
                name: "V".into(),
                owner: "O".into(),
                outside: true,
                check: check(),
                asked_by: asked_by(),
            },
        ),
        shared: vec![Shared { check: check(), asked_by: asked_by() }],
        sealed: one("s", PlanDigest([3; 8])),
    }
}

fn asked_by() -> AskedBy {
    AskedBy { core: true, all: false, tags: ["t".into()].into() }
}

fn site() -> Site {
    Site {
        name: "S".into(),
        kind: SiteKind::Office,
        commune: Some("28249".into()),
        observe: Observe::BoxBehind,
        rehearsal: true,
        needs: Needs::AnyOf(vec!["l".into()]),
        contact: Some(Contact { name: "N".into(), phone: "2".into() }),
        key_holder: Some(Contact { name: "K".into(), phone: "3".into() }),
        address: Some("A".into()),
        tags: ["t".into()].into(),
        hours: Some(Hours { days: [true, true, true, true, true, false, false], spans: vec![(420, 690)] }),
        off_outside_hours: OffOutsideHours::Learn,
        feeder: Some("f".into()),
        power: Power { gateway: Some(Supply::Mains), agent: Some(Supply::Ups) },
        formerly: vec![Former { until: "2025-07-01".into(), id: Some("o".into()), commune: None }],
        gate_s: 10,
        checks: vec![check()],
        devices: one("d", Device { name: "D".into(), kind: DeviceKind::Portal, checks: vec![check()] }),
        listen: Listening { syslog: "0.0.0.0:514".parse().ok(), dhcp: true, ..Listening::default() },
        ssid: Some(4),
        sealed: None,
    }
}

fn line() -> Line {
    Line {
        site: "s".into(),
        carrier: "c".into(),
        hand_off: "h".into(),
        pop: Some("p".into()),
        first_hop: "127.0.0.4".parse().ok(),
        circuit: "DTP-1".into(),
        mbps: Some(200),
        role: Role::Backup,
        contract: Some("HĐ".into()),
        medium: Some(Medium::Cellular),
        vlan: Some("120".into()),
        metered: true,
        budget_mb: Some(500),
        pin: Pin { collector: Some("127.0.0.1".parse().unwrap()), source: None, interface: Some("w".into()) },
        gateway: Some(Ask(check())),
        seen_from: vec!["127.0.0.2".parse().unwrap()],
        ssid: Some(2),
    }
}

fn entries() -> Vec<(&'static str, Entry)> {
    let act = |kind| Act { at: AT, person: "p".into(), incident: "SC-20261122-01".into(), kind };
    let tick = Tick {
        at: AT,
        up: vec![UpHeard { ssid: 2, seq: 200, before_ms: 40 }],
        sent: vec![DownSent { ssid: 2, seq: 3, before_ms: 90 }],
        down: vec![DownHeard { ssid: 300, seq: 3, before_ms: 10, rtt_tenths: 412, peer: 255 }],
    };
    let checkpoint = Checkpoint { at: AT, fold: 1, verdicts: 2, digest: [5; 32], state: vec![1, 2, 3] };
    let maintenance = Maintenance {
        at: AT,
        id: "BT-1".into(),
        person: "p".into(),
        items: vec![Item { kind: ItemKind::Site, id: "s".into() }],
        from: AT,
        to: AT + 1,
        reason: "r".into(),
    };
    vec![
        ("start", Entry::Start { at: AT }),
        ("config", Entry::Config { at: AT, topology: Box::new(record()) }),
        ("tick", Entry::Tick(tick)),
        ("batch", Entry::Batch(Received { at: AT, agent: "s".into(), envelope: vec![9, 8, 7] })),
        ("ack", Entry::Act(act(ActKind::Ack))),
        ("note", Entry::Act(act(ActKind::Note("n".into())))),
        ("close", Entry::Act(act(ActKind::Close("r".into())))),
        ("checkpoint", Entry::Checkpoint(checkpoint)),
        ("proof", Entry::Proof { at: AT, ssid: 2, proved: true, rides_on: Some(4) }),
        ("maintenance", Entry::Maintenance(maintenance)),
    ]
}

#[test]
fn every_entry_keeps_its_octets() {
    let lines = entries().into_iter().map(|(name, entry)| format!("{name} {}\n", key::hex(&entry.encode())));
    let now: String = lines.collect();
    if std::env::var_os("UPDATE").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/journal_format.txt");
        std::fs::write(file, &now).unwrap();
        return;
    }
    assert_eq!(now, COMMITTED, "the journal's format changed");
}

#[test]
fn what_is_committed_reads_back() {
    for (line, (name, entry)) in COMMITTED.lines().zip(entries()) {
        let (committed, octets) = line.split_once(' ').unwrap();
        assert_eq!(committed, name);
        assert_eq!(Entry::decode(&key::unhex(octets).unwrap()), Ok(entry), "{name}");
    }
}
