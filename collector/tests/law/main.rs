//! The law of detection, as rules, on virtual time: what must be found, how fast, and what must never be.
#![allow(clippy::unwrap_used)]

mod feeder;
mod flap;
mod gaps;
mod hours;
mod late;
mod maintenance;
mod offices;
mod province;
mod random;
mod record;
mod relapse;
mod rest;
mod restart;
mod services;

use haidang_collector::{
    entry::Entry,
    incident::{Cause, Incident, Kind, RootKind, Severity, State},
    watch::{Verdict, Watch},
};
use province::{Cut, Province};
use std::collections::BTreeSet;

/// Incidents that are no part of another.
fn incidents(province: &Province) -> Vec<Incident> {
    province.watch.incidents().values().filter(|incident| incident.adopted_by.is_none()).cloned().collect()
}

/// The one incident there must be.
fn only(province: &Province) -> Incident {
    let all = incidents(province);
    let roots: Vec<String> = all.iter().map(|i| format!("{:?} {} {:?}", i.root, i.id, i.state)).collect();
    assert_eq!(all.len(), 1, "{roots:#?}");
    all.into_iter().next().unwrap()
}

fn sites(incident: &Incident) -> BTreeSet<String> {
    incident.sites.keys().cloned().collect()
}

/// Runs until something is noticed; gives the seconds it took, and fails beyond `limit`.
fn seconds_to_notice(province: &mut Province, limit: f64) -> f64 {
    let (began, before) = (province.now, province.watch.incidents().len());
    while province.watch.incidents().len() == before {
        province.run(0.1);
        let passed = (province.now - began) as f64 / 1000.0;
        assert!(passed <= limit, "nothing noticed after {passed} s");
    }
    (province.now - began) as f64 / 1000.0
}

#[test]
fn quiet_minutes_with_half_a_per_cent_of_loss_have_no_incident() {
    let mut province = Province::new();
    province.run(1200.0);
    assert_eq!(incidents(&province), []);
    assert!(
        province
            .watch
            .topology()
            .sites
            .keys()
            .filter(|s| *s != "centre")
            .all(|s| { province.watch.site(s).verdict == Verdict::Up })
    );
}

#[test]
fn a_cut_of_a_single_homed_agent_site_opens_at_its_gate_and_closes_once() {
    let mut province = Province::new();
    province.cut(Cut::Line("c02-a".into()));
    assert!(seconds_to_notice(&mut province, 3.3) <= 3.3);
    province.run(5.0);
    assert_eq!(only(&province).state, State::Noticed);
    province.run(4.0);
    let incident = only(&province);
    assert_eq!(
        (incident.state, incident.root.kind, incident.kind),
        (State::Open, RootKind::Site, Kind::Unreachable)
    );
    assert_eq!(incident.severity, Severity::Critical);
    assert_eq!(sites(&incident), BTreeSet::from(["c02".to_owned()]));
    assert_eq!(province.watch.site("c02").verdict, Verdict::Down);
    assert!(incident.cause.candidates.len() >= 3, "silence alone names no cause");
    province.run(20.0).heal().run(40.0);
    let incident = only(&province);
    assert_eq!((incident.state, incident.notifications), (State::Closed, 2));
    assert_eq!(province.watch.site("c02").verdict, Verdict::Up);
}

#[test]
fn a_cut_of_an_agentless_site_is_noticed_within_six_seconds() {
    let mut province = Province::new();
    province.cut(Cut::Line("c01-a".into()));
    seconds_to_notice(&mut province, 6.0);
    province.run(12.0);
    let incident = only(&province);
    assert_eq!((incident.state, incident.root.id.as_str()), (State::Open, "c01"));
}

#[test]
fn eight_seconds_never_open_and_are_kept_for_history() {
    for line in ["c01-a", "c02-a"] {
        let mut province = Province::new();
        province.cut(Cut::Line(line.into())).run(8.0).heal().run(60.0);
        let incident = only(&province);
        assert_eq!(
            (incident.state, incident.opened, incident.notifications),
            (State::Closed, None, 0),
            "{line}"
        );
    }
}

#[test]
fn a_primary_with_a_living_second_line_is_one_warning_and_no_page() {
    let mut province = Province::new();
    province.cut(Cut::Line("c06-a".into())).run(15.0);
    let incident = only(&province);
    assert_eq!((incident.kind, incident.severity), (Kind::RedundancyLost, Severity::Warning));
    assert_eq!((incident.root.kind, incident.root.id.as_str()), (RootKind::Line, "c06-a"));
    assert_eq!((incident.state, incident.notifications), (State::Open, 0));
    assert_eq!(province.watch.site("c06").verdict, Verdict::Degraded);
    province.heal().run(40.0);
    assert_eq!((only(&province).state, only(&province).notifications), (State::Closed, 0));
}

#[test]
fn both_lines_of_a_site_are_one_incident_at_the_site() {
    let mut province = Province::new();
    province.cut(Cut::Line("c06-a".into())).cut(Cut::Line("c06-b".into())).run(15.0);
    let incident = only(&province);
    assert_eq!((incident.root.kind, incident.root.id.as_str()), (RootKind::Site, "c06"));
    assert!(incident.cause.candidates.iter().all(|candidate| candidate.cause != Cause::Carrier));
}

#[test]
fn a_pop_is_one_open_incident_with_exactly_its_sites() {
    let mut province = Province::new();
    let sites_cut = province.sites_of(&province.at_pop("va-p1"));
    province.cut(Cut::Pop("va-p1".into()));
    seconds_to_notice(&mut province, 2.6);
    province.run(2.0);
    let incident = only(&province);
    assert_eq!(
        (incident.state, incident.root.kind, incident.root.id.as_str()),
        (State::Open, RootKind::Pop, "va-p1")
    );
    assert_eq!(sites(&incident), sites_cut);
    province.run(30.0).heal().run(40.0);
    assert_eq!((only(&province).state, only(&province).notifications), (State::Closed, 2));
}

#[test]
fn a_line_of_another_pop_cut_with_a_pop_is_trouble_of_its_own() {
    let mut province = Province::new();
    let sites_cut = province.sites_of(&province.at_pop("va-p1"));
    let apart = |line: &String| province.sites_of(&[line.clone()].into()).is_disjoint(&sites_cut);
    let other = province.at_pop("va-p2").into_iter().find(apart).unwrap();
    province.cut(Cut::Pop("va-p1".into())).cut(Cut::Line(other)).run(15.0);
    let found = incidents(&province);
    let of_pop = found.iter().find(|incident| incident.root.kind == RootKind::Pop).unwrap();
    assert_eq!((of_pop.root.id.as_str(), sites(of_pop)), ("va-p1", sites_cut));
    assert_eq!(found.len(), 2);
}

#[test]
fn a_pop_without_record_is_one_group() {
    let mut province = Province::with_record(|topology| {
        topology
            .lines
            .values_mut()
            .filter(|line| line.pop.as_deref() == Some("va-p1"))
            .for_each(|line| line.pop = None);
        topology.pops.remove("va-p1");
    });
    let sites_cut = province.sites_of(&province.at_pop("va-p1"));
    province.cut(Cut::Pop("va-p1".into())).run(5.0);
    let incident = only(&province);
    assert_eq!(
        (incident.state, incident.root.kind, incident.kind),
        (State::Open, RootKind::Group, Kind::Unreachable)
    );
    assert_eq!(sites(&incident), sites_cut);
    assert!(incident.cause.candidates.iter().all(|candidate| candidate.cause != Cause::Carrier));
    province.run(30.0).heal().run(40.0);
    assert_eq!(only(&province).state, State::Closed);
}

#[test]
fn a_wrong_record_does_not_hide_the_pop() {
    let mut province = Province::with_record(|topology| {
        topology.lines.get_mut("c02-a").unwrap().pop = Some("va-p1".into());
    });
    let sites_cut = province.sites_of(&province.at_pop("va-p1"));
    province.cut(Cut::Pop("va-p1".into())).run(6.0);
    let incident = only(&province);
    assert_eq!((incident.root.kind, incident.root.id.as_str()), (RootKind::Pop, "va-p1"));
    assert_eq!(sites(&incident), sites_cut);
    assert!(province.watch.findings().iter().any(|f| f.kind == "record-doubtful" && f.subject == "va-p1"));
    province.run(30.0).heal().run(40.0);
    assert_eq!(only(&province).state, State::Closed);
}

#[test]
fn a_carrier_is_blamed_only_while_our_port_answers() {
    for (cut, root, kind) in [
        (Cut::Carrier("va".into()), RootKind::Carrier, Kind::CarrierDown),
        (Cut::HandOff("va".into()), RootKind::HandOff, Kind::HandOff),
    ] {
        let mut province = Province::new();
        let sites_cut = province.sites_of(&province.of_carrier("va"));
        province.cut(cut).run(5.0);
        let incident = only(&province);
        assert_eq!((incident.state, incident.root.kind, incident.kind), (State::Open, root, kind));
        assert_eq!(sites(&incident), sites_cut);
        assert_eq!(incident.severity, Severity::Critical);
        province.run(30.0).heal().run(40.0);
        let incident = only(&province);
        assert_eq!((incident.state, incident.notifications, incident.root.kind), (State::Closed, 2, root));
    }
}

#[test]
fn two_carriers_at_once_are_two_incidents_while_our_ports_answer() {
    let mut province = Province::new();
    province.cut(Cut::Carrier("va".into())).cut(Cut::Carrier("vb".into())).run(8.0);
    let roots: BTreeSet<RootKind> = incidents(&province).iter().map(|incident| incident.root.kind).collect();
    assert_eq!((incidents(&province).len(), roots), (2, BTreeSet::from([RootKind::Carrier])));
}

#[test]
fn when_everything_is_silent_we_are_blind_and_nothing_is_down() {
    let mut province = Province::new();
    province.cut(Cut::HandOff("va".into())).cut(Cut::HandOff("vb".into())).run(10.0);
    let incident = only(&province);
    assert_eq!((incident.root.kind, incident.kind), (RootKind::Collector, Kind::Blind));
    assert_eq!(province.watch.site("c01").verdict, Verdict::Unknown);
}

#[test]
fn a_dead_agent_is_not_a_dead_site() {
    let mut province = Province::new();
    province.cut(Cut::Agent("c02".into())).run(25.0);
    let incident = only(&province);
    assert_eq!((incident.root.kind, incident.kind), (RootKind::Agent, Kind::AgentDead));
    assert_eq!((incident.severity, incident.notifications), (Severity::Warning, 0));
    assert_eq!(province.watch.site("c02").verdict, Verdict::Up);
    province.heal().run(40.0);
    assert_eq!(only(&province).state, State::Closed);
}

#[test]
fn silence_in_one_direction_is_silence() {
    let mut province = Province::new();
    province.cut(Cut::Downward("c02-a".into())).run(15.0);
    let incident = only(&province);
    assert_eq!((incident.state, incident.root.id.as_str()), (State::Open, "c02"));
}

#[test]
fn a_gap_in_our_own_ticks_is_not_silence_of_anybody() {
    let mut province = Province::new();
    province.sleep(30).run(60.0);
    assert_eq!(incidents(&province), []);
}

#[test]
fn a_restart_during_an_incident_keeps_its_id_and_opens_nothing_twice() {
    let mut province = Province::new();
    province.cut(Cut::Line("c02-a".into())).run(20.0);
    let before = only(&province);
    province.sleep(20).start();
    province.run(90.0);
    let after = only(&province);
    assert_eq!((after.id, after.opened, after.notifications), (before.id, before.opened, 1));
    province.heal().run(40.0);
    assert_eq!((only(&province).state, only(&province).notifications), (State::Closed, 2));
}

#[test]
fn a_cut_while_we_were_away_is_found_after_the_grace() {
    let mut province = Province::new();
    province.cut(Cut::Line("c02-a".into())).cut(Cut::Line("c01-a".into())).sleep(20).start();
    province.run(80.0);
    let roots: BTreeSet<String> = incidents(&province).into_iter().map(|incident| incident.root.id).collect();
    assert_eq!(roots, BTreeSet::from(["c01".to_owned(), "c02".to_owned()]));
}

#[test]
fn a_member_that_stays_silent_after_the_heal_gets_its_own_incident() {
    let mut province = Province::new();
    province.cut(Cut::Carrier("va".into())).run(20.0).heal();
    province.cut(Cut::Line("c02-a".into())).run(60.0);
    let all = incidents(&province);
    let open: Vec<&Incident> = all.iter().filter(|incident| incident.state != State::Closed).collect();
    assert_eq!(open.len(), 1, "{open:#?}");
    assert_eq!((open[0].root.kind, open[0].root.id.as_str()), (RootKind::Site, "c02"));
    assert!(all.iter().any(|i| i.root.kind == RootKind::Carrier && i.state == State::Closed));
}

#[test]
fn lines_that_return_one_pop_after_the_other_are_no_new_incidents() {
    for cut in [Cut::Carrier("va".into()), Cut::HandOff("va".into())] {
        let mut province = Province::new();
        let pops = ["va-p0", "va-p1", "va-p2", "va-p3"].map(|pop| Cut::Pop(pop.into()));
        province.cut(cut).run(20.0);
        for pop in &pops {
            province.cut(pop.clone());
        }
        province.mend(&Cut::Carrier("va".into())).mend(&Cut::HandOff("va".into())).run(1.5);
        for pop in &pops {
            province.mend(pop).run(1.5);
        }
        province.run(45.0);
        assert_eq!((only(&province).state, only(&province).notifications), (State::Closed, 2));
    }
}

#[test]
fn what_never_answered_is_unknown_and_a_finding_but_no_incident() {
    let mut province = Province::with_record(|topology| {
        let mut line = topology.lines["c01-a"].clone();
        line.gateway.as_mut().unwrap().0.name = "line/ghost".into();
        line.site = "ghost".into();
        let mut site = topology.sites["c01"].clone();
        site.needs = haidang_collector::topology::Needs::AnyOf(vec!["ghost".into()]);
        topology.sites.insert("ghost".into(), site);
        topology.lines.insert("ghost".into(), line);
    });
    province.run(30.0);
    assert_eq!(incidents(&province), []);
    let ghost = province.watch.site("ghost");
    assert_eq!((ghost.verdict, ghost.established), (Verdict::Unknown, false));
    assert!(
        province.watch.findings().iter().any(|f| f.kind == "never-answered" && f.subject == "line/ghost")
    );
}

#[test]
fn a_checkpoint_and_the_tail_give_the_same_transcript_as_the_whole_journal() {
    let mut province = Province::new();
    province.cut(Cut::Pop("va-p1".into())).run(3.0);
    let (at, checkpoint) = (province.entries.len(), province.watch.checkpoint());
    province.run(10.0).heal().run(50.0);
    let Entry::Checkpoint(checkpoint) = checkpoint else { unreachable!() };
    let mut from_checkpoint = Watch::restore(&checkpoint).unwrap();
    let mut whole = Watch::new();
    for (position, entry) in province.entries.iter().enumerate() {
        let entry = Entry::decode(&entry.encode()).unwrap();
        whole.apply(position as u64, &entry);
        if position >= at {
            from_checkpoint.apply(position as u64, &entry);
        }
    }
    assert_eq!(whole.transcript(), province.watch.transcript());
    assert_eq!(from_checkpoint.transcript(), province.watch.transcript());
    assert_eq!(from_checkpoint.incidents(), province.watch.incidents());
    assert!(province.transcript.len() > 5);
}
