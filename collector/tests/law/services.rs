//! What agents' checks find: one failing service is one incident, a dead device is no dead LAN, and what a cut
//! line hides is nobody's failure.

use super::{
    incidents,
    offices::{DAY, Offices, PORTAL, check},
    only,
    province::Cut,
};
use haidang_collector::entry::Entry;
use haidang_collector::incident::{Incident, Kind, RootKind, Severity, State};
use haidang_collector::topology::{Device, DeviceKind};
use haidang_collector::watch::{Verdict, Watch};
use haidang_probe::{check::ProbeKind, outcome::Failure};

fn is(incident: &Incident, root: RootKind, id: &str, kind: Kind, severity: Severity) {
    let told = (incident.root.kind, incident.root.id.as_str(), incident.kind, incident.severity);
    assert_eq!(told, (root, id, kind, severity));
}

#[test]
fn forty_agents_that_see_the_portal_fail_are_one_incident_and_one_page() {
    let mut offices = Offices::new();
    assert_eq!(incidents(&offices.province), []);
    let failed = offices.province.now;
    offices.fail("*", PORTAL, Failure::Timeout).run(45);
    let incident = only(&offices.province);
    is(&incident, RootKind::Service, "portal", Kind::ServiceDown, Severity::Critical);
    assert_eq!((incident.state, incident.notifications), (State::Open, 1));
    assert!(incident.opened.unwrap() - failed <= 40_000, "{}", incident.opened.unwrap() - failed);
    assert!((failed - 5_000..failed + 12_000).contains(&incident.began));
    assert_eq!(incident.sites.len(), 40, "the centre asks, and is no office");
    offices.run(120);
    assert_eq!(only(&offices.province).notifications, 1);
    assert!(offices.province.watch.findings().iter().all(|finding| !finding.subject.contains(PORTAL)));
    let shown = offices.province.watch.services();
    let portal = shown.iter().find(|shown| shown.id == "portal").unwrap();
    assert_eq!((portal.verdict, portal.sites.len(), portal.outside), (Verdict::Down, 41, true));
    let healed = offices.mend().province.now;
    offices.run(75);
    let incident = only(&offices.province);
    assert_eq!((incident.state, incident.notifications, incident.sites.len()), (State::Closed, 2, 40));
    assert!(incident.closed.unwrap() - healed <= 60_000);
}

#[test]
fn names_that_are_not_found_are_the_resolvers_failure_alone() {
    let mut offices = Offices::with(|topology| {
        let mut resolver = topology.services["portal"].clone();
        resolver.check = check("service/resolver", ProbeKind::Dns);
        topology.services.insert("resolver".into(), resolver);
    });
    offices.fail("*", PORTAL, Failure::Resolve).fail("*", "service/resolver", Failure::Status).run(90);
    is(&only(&offices.province), RootKind::Service, "resolver", Kind::ServiceDown, Severity::Critical);
    assert_eq!(offices.unwell(), [""; 0]);
}

#[test]
fn a_carrier_cut_at_the_same_time_adds_nothing_to_it_and_takes_nothing_from_it() {
    let mut offices = Offices::new();
    offices.fail("*", PORTAL, Failure::Timeout);
    offices.province.cut(Cut::Carrier("va".into()));
    offices.run(90);
    let roots: Vec<RootKind> =
        incidents(&offices.province).iter().map(|incident| incident.root.kind).collect();
    assert_eq!(roots.iter().filter(|root| **root == RootKind::Carrier).count(), 1);
    assert_eq!(roots.iter().filter(|root| **root == RootKind::Service).count(), roots.len() - 1);
    assert!(roots.len() <= 2, "{roots:?}");
    offices.province.heal();
    offices.run(90);
    assert_eq!(offices.about(RootKind::Service).len(), 1, "it is down all the same");
    assert_eq!(offices.about(RootKind::Service)[0].notifications, 1);
}

#[test]
fn a_cut_carrier_is_no_failure_of_a_service_behind_it() {
    let mut offices = Offices::new();
    offices.province.cut(Cut::Carrier("va".into()));
    // Who is still heard, over the second carrier, cannot reach what lies behind the first.
    offices.fail("centre", PORTAL, Failure::Timeout);
    for site in (0..40).step_by(3) {
        offices.fail(&format!("c{site:02}"), PORTAL, Failure::Timeout);
    }
    offices.run(120);
    assert_eq!(offices.about(RootKind::Service), []);
    assert_eq!(only(&offices.province).root.kind, RootKind::Carrier);
}

#[test]
fn one_site_that_sees_it_fail_is_a_finding_there() {
    let mut offices = Offices::new();
    offices.fail("c07", PORTAL, Failure::Resolve).run(120);
    assert_eq!(incidents(&offices.province), []);
    assert!(offices.found("check-failing", "c07/service/portal"));
    offices.mend().run(15);
    assert_eq!(offices.unwell(), [""; 0]);
}

#[test]
fn a_few_of_many_do_not_make_it_the_services_failure() {
    let mut offices = Offices::new();
    for site in ["c01", "c02", "c03"] {
        offices.fail(site, PORTAL, Failure::Timeout);
    }
    offices.run(120);
    assert_eq!(incidents(&offices.province), []);
    offices.fail("centre", PORTAL, Failure::Timeout).run(45);
    is(&only(&offices.province), RootKind::Service, "portal", Kind::ServiceDown, Severity::Critical);
}

#[test]
fn a_service_that_one_site_asks_is_down_when_its_agent_is_sound() {
    let mut offices = Offices::new();
    offices.fail("c04", "service/axis", Failure::Status).run(45);
    is(&only(&offices.province), RootKind::Service, "axis", Kind::ServiceDown, Severity::Critical);
}

#[test]
fn a_dead_device_is_a_warning_and_a_portal_that_fails_is_critical() {
    let mut offices = Offices::new();
    let failed = offices.province.now;
    offices.fail("c03", "c03-web/http", Failure::Status);
    offices.fail("c05", "c05-cam/tcp", Failure::Timeout).run(60);
    let all = offices.about(RootKind::Device);
    let of = |id: &str| all.iter().find(|incident| incident.root.id == id).unwrap();
    assert_eq!((all.len(), incidents(&offices.province).len()), (2, 2));
    is(of("c03-web"), RootKind::Device, "c03-web", Kind::ServiceDown, Severity::Critical);
    is(of("c05-cam"), RootKind::Device, "c05-cam", Kind::DeviceDown, Severity::Warning);
    for (incident, told, site) in [(of("c03-web"), 1, "c03"), (of("c05-cam"), 0, "c05")] {
        assert_eq!((incident.state, incident.notifications), (State::Open, told));
        assert!(incident.opened.unwrap() - failed <= 45_000);
        assert_eq!(incident.sites.keys().collect::<Vec<_>>(), [site]);
    }
    assert_eq!((offices.device("c05-cam"), offices.device("c05-sw")), (Verdict::Down, Verdict::Up));
    let healed = offices.mend().province.now;
    offices.run(75);
    for incident in offices.about(RootKind::Device) {
        assert!(incident.closed.unwrap() - healed <= 60_000);
    }
    assert_eq!(offices.device("c05-cam"), Verdict::Up);
}

#[test]
fn a_whole_lan_is_one_trouble_at_its_switch_also_while_it_comes_back() {
    let mut offices = Offices::new();
    for check in ["c05-sw/icmp", "c05-cam/tcp", "c05-web/http"] {
        offices.fail("c05", check, Failure::Timeout);
    }
    offices.run(120);
    let incident = only(&offices.province);
    is(&incident, RootKind::Device, "c05-sw", Kind::DeviceDown, Severity::Critical);
    assert_eq!(offices.unwell(), [""; 0]);
    offices.mend().run(90);
    assert_eq!((only(&offices.province).state, only(&offices.province).notifications), (State::Closed, 2));
}

#[test]
fn a_lan_without_a_switch_in_the_record_is_a_trouble_of_the_site() {
    let mut offices = Offices::with(|topology| {
        topology.sites.get_mut("c05").unwrap().devices.remove("c05-sw");
    });
    offices
        .fail("c05", "c05-cam/tcp", Failure::Timeout)
        .fail("c05", "c05-web/http", Failure::Timeout)
        .run(60);
    is(&only(&offices.province), RootKind::Site, "c05", Kind::DeviceDown, Severity::Critical);
}

#[test]
fn what_never_answered_and_what_people_switch_off_are_no_incidents() {
    let mut offices = Offices::with(|topology| {
        let site = topology.sites.get_mut("c05").unwrap();
        site.devices.get_mut("c05-cam").unwrap().kind = DeviceKind::Computer;
        let checks = vec![check("c05-ups/icmp", ProbeKind::Icmp)];
        let ups = Device { name: "UPS".into(), kind: DeviceKind::Ups, checks };
        site.devices.insert("c05-ups".into(), ups);
    });
    offices.fail("c05", "c05-cam/tcp", Failure::Timeout).run(120);
    assert_eq!(incidents(&offices.province), []);
    assert_eq!(offices.unwell(), [""; 0]);
    let mut ghost = Offices::new();
    ghost.asked.get_mut("c05").unwrap().push("c05-cam/icmp".into());
    ghost.province.configure(|topology| {
        let camera = topology.sites.get_mut("c05").unwrap().devices.get_mut("c05-cam").unwrap();
        camera.checks.push(check("c05-cam/icmp", ProbeKind::Icmp));
    });
    ghost.fail("c05", "c05-cam/icmp", Failure::Timeout).run(90);
    assert_eq!(incidents(&ghost.province), []);
    assert!(ghost.found("never-answered", "c05/c05-cam/icmp"));
}

#[test]
fn a_certificate_that_ends_soon_is_a_warning_until_it_is_renewed() {
    let mut offices = Offices::new();
    let now = offices.province.now;
    offices.ends.insert("c07-web/http".into(), now + 60 * DAY);
    offices.run(30);
    assert_eq!(incidents(&offices.province), []);
    offices.ends.insert("c07-web/http".into(), now + 5 * DAY);
    offices.run(15);
    is(&only(&offices.province), RootKind::Device, "c07-web", Kind::Certificate, Severity::Warning);
    assert_eq!((only(&offices.province).state, only(&offices.province).notifications), (State::Open, 0));
    offices.ends.insert("c07-web/http".into(), now + 90 * DAY);
    offices.run(60);
    assert_eq!(only(&offices.province).state, State::Closed);
}

#[test]
fn a_certificate_that_ended_is_one_incident_however_many_turn_away() {
    let mut offices = Offices::new();
    offices.ends.insert(PORTAL.into(), offices.province.now - DAY);
    offices.fail("*", PORTAL, Failure::Tls).run(90);
    let incident = only(&offices.province);
    is(&incident, RootKind::Service, "portal", Kind::Certificate, Severity::Critical);
    assert_eq!(incident.notifications, 1);
}

#[test]
fn a_late_backlog_opens_nothing_and_corrects_the_start() {
    let mut offices = Offices::new();
    offices.province.cut(Cut::Line("c02-a".into()));
    offices.run(30);
    offices.fail("c02", "c02-cam/tcp", Failure::Timeout).run(120).mend();
    offices.province.heal();
    offices.run(60);
    assert_eq!(offices.about(RootKind::Device), [], "it was dead in the gap, and is well");
    offices.province.cut(Cut::Line("c02-a".into()));
    offices.run(30);
    let failed = offices.province.now;
    offices.fail("c02", "c02-cam/tcp", Failure::Timeout).run(120);
    assert_eq!(offices.about(RootKind::Device), [], "nobody has told of it yet");
    offices.province.heal();
    let healed = offices.province.now;
    offices.run(60);
    let all = offices.about(RootKind::Device);
    assert_eq!((all.len(), all[0].root.id.as_str()), (1, "c02-cam"));
    assert!(all[0].opened.unwrap() >= healed + 20_000, "outcomes that came late are not enough");
    assert!((failed - 3_000..failed + 12_000).contains(&all[0].began));
}

#[test]
fn any_order_of_batches_gives_the_same_incidents() {
    let told = |backwards: bool| {
        let mut offices = Offices::new();
        offices.backwards = backwards;
        offices.fail("*", PORTAL, Failure::Timeout);
        offices.fail("c05", "c05-cam/tcp", Failure::Timeout).run(60);
        offices.mend().run(60);
        let facts = |i: Incident| (i.root, i.kind, i.severity, i.began, i.opened, i.closed, i.sites);
        incidents(&offices.province).into_iter().map(facts).collect::<Vec<_>>()
    };
    assert_eq!(told(false), told(true));
}

#[test]
fn a_checkpoint_keeps_what_is_wrong() {
    let mut offices = Offices::new();
    offices.fail("*", PORTAL, Failure::Timeout);
    offices.fail("c05", "c05-cam/tcp", Failure::Timeout).run(60);
    let Entry::Checkpoint(checkpoint) = offices.province.watch.checkpoint() else { unreachable!() };
    let (at, mut restored) = (offices.province.entries.len(), Watch::restore(&checkpoint).unwrap());
    offices.run(30).mend().run(90);
    for (position, entry) in offices.province.entries.iter().enumerate().skip(at) {
        restored.apply(position as u64, entry);
    }
    assert_eq!(restored.transcript(), offices.province.watch.transcript());
    assert_eq!(restored.devices("c05"), offices.province.watch.devices("c05"));
}
