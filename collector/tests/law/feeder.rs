//! Sites of one power line that go dark together are one incident, and no carrier's.

use super::{
    incidents, only,
    province::{Cut, Province},
    sites,
};
use haidang_collector::incident::{Cause, Kind, RootKind, State};
use haidang_collector::topology::{Feeder, Topology};
use std::collections::BTreeSet;

const FED: [&str; 4] = ["c00", "c02", "c03", "c04"];

fn fed(topology: &mut Topology) {
    topology.feeders.insert("f1".into(), Feeder { name: "Lộ 473".into() });
    FED.iter().for_each(|site| topology.sites.get_mut(*site).unwrap().feeder = Some("f1".into()));
}

fn darken(province: &mut Province, site: &str) {
    let lines: Vec<String> = province.watch.topology().lines_of(site).map(|(line, _)| line.clone()).collect();
    lines.into_iter().for_each(|line| _ = province.cut(Cut::Line(line)));
}

#[test]
fn sites_that_go_dark_one_after_the_other_become_one_incident_at_their_feeder() {
    for pause in [0.0, 5.0] {
        let mut province = Province::with_record(fed);
        for site in FED {
            darken(&mut province, site);
            province.run(pause);
        }
        province.run(30.0);
        let incident = only(&province);
        assert_eq!((incident.root.kind, incident.root.id.as_str()), (RootKind::Group, "f1"), "{pause}");
        assert_eq!((incident.kind, incident.state), (Kind::PowerArea, State::Open));
        assert_eq!(sites(&incident), FED.iter().map(ToString::to_string).collect::<BTreeSet<_>>());
        assert_eq!(incident.cause.candidates[0].cause, Cause::Power);
        assert!(incident.cause.candidates.iter().all(|candidate| candidate.cause != Cause::Carrier));
        province.heal().run(60.0);
        assert_eq!(only(&province).state, State::Closed);
        let all = province.watch.incidents().values();
        assert_eq!(
            all.map(|incident| incident.notifications % 2).sum::<u32>(),
            0,
            "each opening has its closing"
        );
    }
}

#[test]
fn sites_of_one_carrier_alone_blame_no_feeder() {
    let mut province = Province::with_record(fed);
    ["c02", "c04"].iter().for_each(|site| darken(&mut province, site));
    province.run(20.0);
    let roots: BTreeSet<RootKind> = incidents(&province).iter().map(|incident| incident.root.kind).collect();
    assert_eq!(roots, BTreeSet::from([RootKind::Site]));
}

#[test]
fn two_uplinks_on_one_line_are_a_finding_and_say_nothing_of_the_second_line() {
    let mut province = Province::new();
    province.rides("c06-b", "c06-a").run(2.0);
    let findings = province.watch.findings();
    assert!(findings.iter().any(|f| f.kind == "one-path" && f.subject == "c06"), "{findings:?}");
    assert!(findings.iter().any(|f| f.kind == "unproved-uplink" && f.subject == "c06-b"));
}
