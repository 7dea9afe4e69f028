//! What falls silent again: before its incident is over, after a person closed it, and half of it.

use super::{
    incidents, only,
    province::{Cut, Province},
    seconds_to_notice,
};
use haidang_collector::{
    entry::ActKind,
    incident::{Impact, Incident, Kind, RootKind, Severity, State},
    watch::Verdict,
};

fn live(province: &Province) -> Vec<Incident> {
    incidents(province).into_iter().filter(|incident| incident.state != State::Closed).collect()
}

#[test]
fn a_short_cut_does_not_keep_the_long_one_after_it_from_opening() {
    for line in ["c01-a", "c02-a"] {
        let mut province = Province::new();
        province.cut(Cut::Line(line.into())).run(6.0).heal().run(8.0);
        province.cut(Cut::Line(line.into())).run(6.0);
        assert_eq!(only(&province).state, State::Noticed, "the gate counts from the second silence");
        province.run(12.0);
        assert_eq!(only(&province).state, State::Open, "{line}");
        province.heal().run(45.0);
        assert_eq!((only(&province).state, only(&province).notifications), (State::Closed, 2));
    }
}

#[test]
fn a_pop_cut_again_while_it_recovers_is_the_same_incident() {
    let mut province = Province::new();
    let pop = || Cut::Pop("va-p1".into());
    province.cut(pop()).run(20.0).heal().run(15.0).cut(pop()).run(40.0);
    let incident = only(&province);
    assert_eq!((incident.state, incident.root.kind), (State::Open, RootKind::Pop));
    assert_eq!(province.watch.site("c01").verdict, Verdict::Affected);
    province.heal().run(45.0);
    assert_eq!((only(&province).state, only(&province).notifications), (State::Closed, 2));
}

#[test]
fn a_flapping_line_is_one_incident_until_it_is_quiet() {
    let mut province = Province::new();
    for _ in 0..6 {
        province.cut(Cut::Line("c02-a".into())).run(20.0).heal().run(10.0);
    }
    assert_eq!(only(&province).state, State::Open);
    province.run(175.0);
    assert_eq!((only(&province).state, only(&province).notifications), (State::Closed, 2));
}

#[test]
fn a_flapping_carrier_is_one_incident_until_it_is_quiet() {
    let mut province = Province::new();
    for _ in 0..4 {
        province.cut(Cut::Carrier("va".into())).run(20.0).heal().run(10.0);
    }
    let incident = only(&province);
    assert_eq!((incident.state, incident.root.kind), (State::Open, RootKind::Carrier));
    province.run(40.0);
    assert_eq!((only(&province).state, only(&province).notifications), (State::Closed, 2));
}

#[test]
fn a_site_of_which_one_line_came_back_is_degraded_and_no_longer_critical() {
    let mut province = Province::new();
    province.cut(Cut::Line("c06-a".into())).cut(Cut::Line("c06-b".into())).run(20.0);
    assert_eq!(only(&province).severity, Severity::Critical);
    province.mend(&Cut::Line("c06-a".into())).run(60.0);
    assert_eq!(province.watch.site("c06").verdict, Verdict::Degraded);
    let left = live(&province);
    assert_eq!(left.len(), 1, "{left:#?}");
    assert_eq!((left[0].kind, left[0].severity), (Kind::RedundancyLost, Severity::Warning));
    assert_eq!(left[0].root.id, "c06-b");
    province.heal().run(45.0);
    assert!(live(&province).is_empty());
    let told: Vec<u32> = incidents(&province).iter().map(|incident| incident.notifications).collect();
    assert_eq!(told, [2, 0]);
}

#[test]
fn what_opened_untold_closes_untold_or_is_told_when_it_turns_critical() {
    let mut province = Province::new();
    province.cut(Cut::Pop("vb-p2".into())).run(20.0);
    assert_eq!((only(&province).severity, only(&province).notifications), (Severity::Warning, 0));
    province.cut(Cut::Carrier("va".into())).run(20.0);
    province.mend(&Cut::Carrier("va".into())).run(20.0).heal().run(60.0);
    for incident in incidents(&province) {
        assert_eq!(incident.state, State::Closed);
        assert!([0, 2].contains(&incident.notifications), "{incident:#?}");
    }
}

#[test]
fn what_a_person_closed_is_told_anew_when_it_falls_silent_again() {
    for pause in [12.0, 50.0] {
        let mut province = Province::new();
        province.cut(Cut::Line("c02-a".into())).run(20.0);
        let first = only(&province).id;
        province.act(&first, ActKind::Close("known".into())).run(30.0);
        assert_eq!(only(&province).state, State::Closed, "it is not opened again while it lasts");
        province.heal().run(pause).cut(Cut::Line("c02-a".into())).run(20.0);
        let open = live(&province);
        assert_eq!(open.len(), 1, "after {pause} s: {:#?}", incidents(&province));
        assert_eq!((open[0].state, open[0].root.id.as_str()), (State::Open, "c02"));
        province.heal().run(45.0);
        assert!(incidents(&province).iter().all(|i| i.state == State::Closed && i.notifications == 2));
    }
}

#[test]
fn a_site_that_needs_all_its_lines_is_down_with_one() {
    let mut province = Province::with_record(|topology| {
        let site = topology.sites.get_mut("c06").unwrap();
        site.needs = haidang_collector::topology::Needs::AllOf(site.needs.lines().to_vec());
    });
    province.cut(Cut::Line("c06-b".into())).run(15.0);
    let incident = only(&province);
    assert_eq!((incident.severity, incident.sites.get("c06")), (Severity::Critical, Some(&Impact::Down)));
    assert_eq!(province.watch.site("c06").verdict, Verdict::Down);
    province.heal().run(45.0);
    assert_eq!((only(&province).state, only(&province).notifications), (State::Closed, 2));
}

#[test]
fn a_line_cut_after_its_pop_came_back_is_noticed_as_fast_as_any() {
    for (site, limit) in [("c01", 6.0), ("c02", 3.3)] {
        let (mut province, line) = (Province::new(), format!("{site}-a"));
        let pop = province.watch.topology().lines[&line].pop.clone().unwrap();
        province.cut(Cut::Pop(pop.clone())).run(20.0).heal().run(10.0).cut(Cut::Line(line));
        seconds_to_notice(&mut province, limit);
        province.run(40.0);
        let told = |province: &Province| -> Vec<_> {
            let all = incidents(province).into_iter();
            all.map(|incident| (incident.root.id, incident.state, incident.notifications)).collect()
        };
        assert_eq!(told(&province), [(pop.clone(), State::Closed, 2), (site.to_owned(), State::Open, 1)]);
        province.heal().run(40.0);
        assert_eq!(told(&province)[1], (site.to_owned(), State::Closed, 2));
    }
}
