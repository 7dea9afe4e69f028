//! Planned work: found and kept as any trouble; opens, and is told, only when it overruns or is wider than declared.

use super::{
    incidents, only,
    province::{Cut, Province},
};
use haidang_collector::{
    entry::{Item, ItemKind, Maintenance},
    incident::{Incident, Kind, RootKind, State},
    watch::Verdict,
};

const MINUTE: i64 = 60_000;

/// Work on one thing for the next five minutes.
fn work(province: &mut Province, kind: ItemKind, of: &str) -> Maintenance {
    let window = Maintenance {
        at: province.now,
        id: "BT-20261122-01".into(),
        person: "an".into(),
        items: vec![Item { kind, id: of.into() }],
        from: province.now,
        to: province.now + 5 * MINUTE,
        reason: "thay nguồn".into(),
    };
    province.say(window.clone());
    window
}

fn words(incident: &Incident) -> Vec<&str> {
    incident.timeline.iter().map(|moment| moment.what.as_str()).collect()
}

#[test]
fn work_that_ends_in_time_is_kept_and_told_to_nobody() {
    let mut province = Province::new();
    let window = work(&mut province, ItemKind::Site, "c02");
    province.run(2.0);
    assert_eq!(province.watch.site("c02").verdict, Verdict::Maintenance);
    assert_eq!(province.watch.site("c02").since, window.from);
    province.cut(Cut::Line("c02-a".into())).run(120.0);
    let incident = only(&province);
    assert_eq!((incident.state, incident.opened, incident.notifications), (State::Noticed, None, 0));
    assert_eq!(incident.maintenance, Some(window.id));
    assert_eq!(words(&incident), ["noticed", "maintenance"]);
    assert_eq!(province.watch.site("c02").verdict, Verdict::Maintenance);
    province.heal().run(40.0);
    let incident = only(&province);
    assert_eq!((incident.state, incident.opened, incident.notifications), (State::Closed, None, 0));
    province.run(200.0);
    assert_eq!(province.watch.site("c02").verdict, Verdict::Up);
}

#[test]
fn work_that_overruns_by_five_minutes_opens_and_pages() {
    let mut province = Province::new();
    let window = work(&mut province, ItemKind::Line, "c02-a");
    province.cut(Cut::Line("c02-a".into())).run(310.0);
    assert_eq!(province.watch.site("c02").verdict, Verdict::Down);
    assert_eq!((only(&province).state, only(&province).notifications), (State::Noticed, 0));
    province.run(((window.to + 5 * MINUTE - province.now) / 1000 - 1) as f64);
    assert_eq!(only(&province).opened, None);
    province.run(2.0);
    let incident = only(&province);
    assert_eq!(
        (incident.state, incident.notifications, incident.maintenance.clone()),
        (State::Open, 1, None)
    );
    assert!((0..=200).contains(&(incident.opened.unwrap() - window.to - 5 * MINUTE)));
    assert_eq!(words(&incident), ["noticed", "maintenance", "overrun", "opened"]);
    province.heal().run(40.0);
    assert_eq!((only(&province).state, only(&province).notifications), (State::Closed, 2));
}

#[test]
fn trouble_wider_than_declared_opens_at_once() {
    let mut province = Province::new();
    work(&mut province, ItemKind::Site, "c01");
    province.cut(Cut::Line("c01-a".into())).run(30.0);
    assert_eq!(only(&province).notifications, 0);
    province.cut(Cut::Pop("va-p1".into())).run(10.0);
    let all = incidents(&province);
    let pop = all.iter().find(|incident| incident.root.kind == RootKind::Pop).unwrap();
    assert_eq!((pop.state, pop.notifications, pop.maintenance.clone()), (State::Open, 1, None));
    let site = all.iter().find(|incident| incident.root.id == "c01").unwrap();
    assert_eq!((site.opened, site.notifications), (None, 0));
}

#[test]
fn work_on_a_pop_explains_its_lines_and_not_its_carrier() {
    let mut province = Province::new();
    let window = work(&mut province, ItemKind::Pop, "va-p1");
    province.cut(Cut::Pop("va-p1".into())).run(20.0);
    let incident = only(&province);
    assert_eq!((incident.root.kind, incident.state), (RootKind::Pop, State::Noticed));
    assert_eq!(incident.maintenance, Some(window.id));
    assert_eq!(province.watch.line("c01-a").verdict, Verdict::Maintenance);
    province.cut(Cut::Carrier("va".into())).run(20.0);
    let told: Vec<(RootKind, u32)> =
        incidents(&province).iter().map(|incident| (incident.root.kind, incident.notifications)).collect();
    assert_eq!(told, [(RootKind::Pop, 0), (RootKind::Carrier, 1)]);
}

#[test]
fn a_window_ended_early_explains_nothing_after_its_overrun() {
    let mut province = Province::new();
    let window = work(&mut province, ItemKind::Site, "c02");
    province.cut(Cut::Line("c02-a".into())).run(60.0);
    let now = province.now;
    province.say(Maintenance { at: now, to: now, ..window }).run(299.0);
    assert_eq!(only(&province).state, State::Noticed);
    province.run(2.0);
    assert_eq!((only(&province).state, only(&province).notifications), (State::Open, 1));
}

#[test]
fn a_second_line_under_work_is_not_opened_as_a_warning_either() {
    let mut province = Province::new();
    work(&mut province, ItemKind::Line, "c06-b");
    province.cut(Cut::Line("c06-b".into())).run(30.0);
    let incident = only(&province);
    assert_eq!(
        (incident.kind, incident.state, incident.opened),
        (Kind::RedundancyLost, State::Noticed, None)
    );
}

#[test]
fn what_opened_before_its_work_was_announced_stays_open() {
    let mut province = Province::new();
    province.cut(Cut::Line("c02-a".into())).run(30.0);
    let before = only(&province);
    let window = work(&mut province, ItemKind::Site, "c02");
    province.run(10.0);
    let incident = only(&province);
    assert_eq!((incident.state, incident.opened, incident.notifications), (State::Open, before.opened, 1));
    assert_eq!(incident.maintenance, Some(window.id));
    province.heal().run(40.0);
    assert_eq!((only(&province).state, only(&province).notifications), (State::Closed, 2));
}
