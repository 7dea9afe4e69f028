//! What changes under the fold's feet: restarts in each phase, another record, a wrong clock, no core agent.

use super::{
    incidents, only,
    province::{Cut, Province, START},
    sites,
};
use haidang_collector::{
    incident::{Kind, RootKind, State},
    topology::{Needs, Topology},
    watch::Verdict,
};

fn closed_once(province: &Province) {
    let incident = only(province);
    assert_eq!(incident.state, State::Closed);
    assert_eq!(incident.notifications, if incident.opened.is_some() { 2 } else { 0 });
}

#[test]
fn a_restart_in_any_phase_opens_nothing_twice_and_closes_all() {
    for cut in [Cut::Line("c02-a".into()), Cut::Line("c01-a".into()), Cut::Pop("va-p1".into())] {
        for (before, after) in [(1.0, 20.0), (2.5, 20.0), (6.0, 20.0), (20.0, 10.0)] {
            let mut province = Province::new();
            province.cut(cut.clone()).run(before).sleep(5).start();
            province.run(after).heal().run(12.0).sleep(5).start();
            province.run(75.0);
            if !incidents(&province).is_empty() {
                closed_once(&province);
            }
            assert_eq!(province.watch.site("c01").verdict, Verdict::Up, "{cut:?} {before}");
        }
    }
}

fn without(topology: &mut Topology, site: &str) {
    topology.lines.retain(|_, line| line.site != site);
    topology.sites.remove(site);
}

#[test]
fn an_incident_of_what_left_the_record_closes() {
    let mut province = Province::new();
    province.cut(Cut::Line("c02-a".into())).cut(Cut::Agent("c04".into())).run(25.0);
    assert_eq!(incidents(&province).len(), 2);
    province.configure(|topology| {
        without(topology, "c02");
        without(topology, "c04");
    });
    province.run(40.0);
    assert!(incidents(&province).iter().all(|incident| incident.state == State::Closed));
}

#[test]
fn a_line_that_nothing_watches_any_more_holds_no_incident() {
    let mut province = Province::new();
    province.cut(Cut::Line("c01-a".into())).run(20.0);
    province.configure(|topology| topology.lines.get_mut("c01-a").unwrap().gateway = None).run(40.0);
    assert_eq!(only(&province).state, State::Closed);
    assert_eq!(province.watch.site("c01").verdict, Verdict::Unknown);
}

#[test]
fn another_record_in_the_middle_of_an_incident_changes_neither_its_id_nor_its_sites() {
    let mut province = Province::new();
    province.cut(Cut::Pop("va-p1".into())).run(10.0);
    let before = only(&province);
    province.configure(|topology| {
        without(topology, "c00");
        topology.sites.get_mut("c06").unwrap().needs = Needs::AnyOf(vec!["c06-a".into()]);
        topology.lines.remove("c06-b");
    });
    province.run(20.0);
    assert_eq!((only(&province).id, sites(&only(&province))), (before.id.clone(), sites(&before)));
    province.heal().run(45.0);
    closed_once(&province);
}

#[test]
fn a_core_agent_whose_clock_is_wrong_still_tells_of_agentless_sites() {
    for clock in [-3_600_000, 3_600_000, -20_000, 20_000] {
        let mut province = Province::new();
        province.core_clock = clock;
        province.run(30.0);
        let silences = |province: &Province| {
            let all = incidents(province).into_iter();
            all.filter(|incident| incident.kind != Kind::ClockSkew).collect::<Vec<_>>()
        };
        assert_eq!(silences(&province), [], "{clock}");
        assert_eq!(incidents(&province).len(), usize::from(clock.abs() > 30_000), "the clock itself is told");
        province.cut(Cut::Line("c01-a".into())).run(25.0);
        let found = silences(&province);
        assert_eq!(
            (found.len(), found[0].state, found[0].root.id.as_str()),
            (1, State::Open, "c01"),
            "{clock}"
        );
        province.heal().run(45.0);
        let closed = silences(&province);
        assert_eq!(
            (closed.len(), closed[0].state, closed[0].notifications),
            (1, State::Closed, 2),
            "{clock}"
        );
    }
}

#[test]
fn a_core_agent_that_dies_during_an_incident_neither_closes_nor_opens_any() {
    for cut in [Cut::CoreAgent, Cut::CoreUplink] {
        let mut province = Province::new();
        province.cut(Cut::Line("c01-a".into())).run(20.0).cut(cut.clone()).run(60.0);
        assert_eq!((only(&province).state, province.watch.site("c01").verdict), (State::Open, Verdict::Down));
        assert_eq!(province.watch.site("c05").verdict, Verdict::Unknown, "agentless, nobody asks");
        province.mend(&cut).run(20.0).heal().run(45.0);
        closed_once(&province);
        assert_eq!(province.watch.site("c05").verdict, Verdict::Up);
    }
}

#[test]
fn a_carrier_cut_while_the_core_agent_is_dead_blames_no_carrier_wrongly() {
    let mut province = Province::new();
    province.cut(Cut::CoreAgent).run(20.0).cut(Cut::HandOff("va".into())).run(40.0);
    assert!(!incidents(&province).is_empty());
    for incident in incidents(&province) {
        let sure = incident.cause.candidates.len() == 1;
        assert!(!(incident.root.kind == RootKind::Carrier && sure), "{:?}", incident.cause);
    }
    province.heal().run(60.0);
    assert!(incidents(&province).iter().all(|incident| incident.state == State::Closed));
}

#[test]
fn a_pop_still_cut_when_its_carrier_heals_is_one_incident_more_and_not_two() {
    let mut province = Province::new();
    province.cut(Cut::Pop("va-p1".into())).cut(Cut::Carrier("va".into())).run(20.0);
    assert_eq!(only(&province).root.kind, RootKind::Carrier);
    province.mend(&Cut::Carrier("va".into())).run(70.0);
    let roots: Vec<(RootKind, State)> =
        incidents(&province).iter().map(|incident| (incident.root.kind, incident.state)).collect();
    assert_eq!(roots, [(RootKind::Carrier, State::Closed), (RootKind::Pop, State::Open)]);
    province.heal().run(45.0);
    assert!(incidents(&province).iter().all(|i| i.state == State::Closed && i.notifications == 2));
}

#[test]
fn a_start_with_an_earlier_clock_goes_on_judging_and_closes_what_was_open() {
    let mut province = Province::new();
    province.cut(Cut::Line("c02-a".into())).run(20.0);
    assert_eq!(only(&province).state, State::Open);
    province.now = START + 1_000;
    province.start();
    province.run(65.0);
    assert_eq!((incidents(&province).len(), only(&province).notifications), (1, 1));
    province.heal().run(45.0);
    closed_once(&province);
    province.cut(Cut::Line("c01-a".into())).run(20.0);
    let open = incidents(&province).into_iter().filter(|incident| incident.state == State::Open).count();
    assert_eq!((incidents(&province).len(), open), (2, 1));
}
