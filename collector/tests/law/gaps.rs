//! What an agent saw while it could not be heard names the cause, and nothing less does.

use super::{
    only,
    province::{Cut, Province, START},
};
use haidang_collector::incident::{Cause, Incident, Kind, RootKind, State};
use haidang_collector::topology::{Device, DeviceKind, Observe, Power, Supply, Topology};
use haidang_probe::check::{Check, ProbeKind, Span, With};
use std::time::Duration;

const GATEWAY: &str = "c02-gw/icmp";
const SWITCH: &str = "c02-sw/icmp";

/// c02's agent stands on a box behind the gateway, on a battery of its own, and asks the gateway and a switch.
fn boxed(topology: &mut Topology) {
    let site = topology.sites.get_mut("c02").unwrap();
    site.observe = Observe::BoxBehind;
    site.power = Power { gateway: Some(Supply::Mains), agent: Some(Supply::Ups) };
    for (id, kind) in [("c02-gw", DeviceKind::Gateway), ("c02-sw", DeviceKind::Switch)] {
        let check = Check {
            id: None,
            name: format!("{id}/icmp"),
            probe: ProbeKind::Icmp,
            target: "192.168.1.1".into(),
            every: Span(Duration::from_secs(10)),
            timeout: Span(Duration::from_secs(2)),
            with: With::default(),
        };
        site.devices.insert(id.into(), Device { name: id.into(), kind, checks: vec![check] });
    }
}

/// Cuts c02 for four minutes; its agent is heard before and after, under these boots, and then tells what it saw
/// of its gateway and switch in the gap.
fn outage(change: fn(&mut Topology), boots: [u8; 2], gateway: bool, switch: bool) -> (Province, Incident) {
    let mut province = Province::with_record(change);
    let now = province.now;
    province.agent_tells("c02", boots[0], false, &[(now, GATEWAY, true), (now, SWITCH, true)]);
    province.cut(Cut::Line("c02-a".into()));
    let began = province.now;
    province.run(240.0);
    assert!(!only(&province).cause.settled);
    assert_eq!(only(&province).root.kind, RootKind::Site);
    province.heal().run(8.0);
    let now = province.now;
    province.agent_tells("c02", boots[1], false, &[(now, GATEWAY, true), (now, SWITCH, true)]);
    let seen = (0..24).map(|n| began + n * 10_000);
    let runs: Vec<_> = seen.flat_map(|at| [(at, GATEWAY, gateway), (at, SWITCH, switch)]).collect();
    if boots[0] == boots[1] {
        province.agent_tells("c02", boots[1], true, &runs);
    }
    province.run(60.0);
    let incident = only(&province);
    assert_eq!((incident.state, incident.notifications), (State::Closed, 2));
    (province, incident)
}

fn causes(incident: &Incident) -> Vec<Cause> {
    incident.cause.candidates.iter().map(|candidate| candidate.cause).collect()
}

#[test]
fn a_gateway_that_never_restarted_lost_its_line() {
    let (_, incident) = outage(|_| {}, [1, 1], true, true);
    assert_eq!((incident.root.kind, incident.root.id.as_str()), (RootKind::Line, "c02-a"));
    assert_eq!((incident.kind, incident.cause.settled), (Kind::LineDown, true));
    assert_eq!(causes(&incident), [Cause::Line]);
    assert!(incident.timeline.iter().any(|moment| moment.what == "cause"));
}

#[test]
fn a_gateway_that_booted_in_the_gap_had_no_power_and_no_line_is_blamed() {
    let (_, incident) = outage(|_| {}, [1, 2], true, true);
    assert_eq!((incident.root.kind, incident.kind), (RootKind::Site, Kind::Power));
    assert_eq!(causes(&incident), [Cause::Power, Cause::Equipment]);
}

#[test]
fn a_box_that_lived_beside_a_dead_gateway_blames_no_line() {
    let (_, incident) = outage(boxed, [1, 1], false, true);
    assert_eq!((incident.root.kind, incident.kind), (RootKind::Site, Kind::GatewayPower));
    assert_eq!(causes(&incident), [Cause::Power, Cause::Equipment]);
}

#[test]
fn without_a_word_on_power_a_dead_gateway_is_a_dead_gateway() {
    let unsaid = |topology: &mut Topology| {
        boxed(topology);
        topology.sites.get_mut("c02").unwrap().power = Power::default();
    };
    let (_, incident) = outage(unsaid, [1, 1], false, true);
    assert_eq!((incident.root.kind, incident.kind), (RootKind::Site, Kind::GatewayDown));
}

#[test]
fn a_gateway_that_answered_its_box_all_along_lost_its_line() {
    let (_, incident) = outage(boxed, [1, 1], true, true);
    assert_eq!((incident.root.kind, incident.kind), (RootKind::Line, Kind::LineDown));
}

#[test]
fn a_box_whose_boot_id_stayed_says_nothing_of_the_gateway_it_did_not_ask() {
    let unasked = |topology: &mut Topology| {
        boxed(topology);
        topology.sites.get_mut("c02").unwrap().devices.clear();
    };
    let (_, incident) = outage(unasked, [1, 1], true, true);
    assert_eq!((incident.root.kind, incident.kind), (RootKind::Site, Kind::Unreachable));
    assert!(!incident.cause.settled && incident.cause.candidates.len() >= 3);
}

#[test]
fn a_backlog_that_comes_long_after_still_names_the_cause_and_pages_nobody() {
    let mut province = Province::with_record(boxed);
    let now = province.now;
    province.agent_tells("c02", 1, false, &[(now, GATEWAY, true)]);
    province.cut(Cut::Line("c02-a".into()));
    let began = province.now;
    province.run(60.0).heal().run(8.0);
    let now = province.now;
    province.agent_tells("c02", 1, false, &[(now, GATEWAY, true)]);
    province.run(300.0);
    assert_eq!((only(&province).kind, only(&province).state), (Kind::Unreachable, State::Closed));
    let runs: Vec<_> = (0..6).map(|n| (began + n * 10_000, GATEWAY, true)).collect();
    province.agent_tells("c02", 1, true, &runs);
    province.run(2.0);
    assert_eq!((only(&province).kind, only(&province).notifications), (Kind::LineDown, 2));
}

#[test]
fn a_clock_an_hour_wrong_is_a_warning_at_the_agent_and_its_evidence_still_fits() {
    for hour in [-3_600_000, 3_600_000, -(START / 2)] {
        let mut province = Province::new();
        for _ in 0..60 {
            let at = province.now + hour;
            province.agent_tells("c02", 1, false, &[(at, GATEWAY, true)]);
            province.run(1.0);
        }
        let incident = only(&province);
        assert_eq!((incident.root.kind, incident.kind), (RootKind::Agent, Kind::ClockSkew));
        assert!(incident.opened.unwrap() <= START + 90_000 + 90_000);
        assert_eq!((incident.state, incident.notifications), (State::Open, 0));
        for _ in 0..70 {
            let at = province.now;
            province.agent_tells("c02", 1, false, &[(at, GATEWAY, true)]);
            province.run(1.0);
        }
        assert_eq!(only(&province).state, State::Closed, "{hour}");
    }
}
