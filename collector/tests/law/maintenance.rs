//! Planned work: found and kept as any trouble, told only when it overruns or is wider than declared.

use super::{
    incidents, only,
    province::{Cut, Province},
};
use haidang_collector::{
    entry::{Item, ItemKind, Maintenance},
    incident::{Incident, RootKind, State},
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
    assert_eq!((incident.state, incident.notifications), (State::Open, 0));
    assert_eq!(incident.maintenance, Some(window.id));
    assert_eq!(words(&incident)[..3], ["noticed", "maintenance", "opened"]);
    assert_eq!(province.watch.site("c02").verdict, Verdict::Maintenance);
    province.heal().run(40.0);
    assert_eq!((only(&province).state, only(&province).notifications), (State::Closed, 0));
    province.run(200.0);
    assert_eq!(province.watch.site("c02").verdict, Verdict::Up);
}

#[test]
fn work_that_overruns_by_five_minutes_pages() {
    let mut province = Province::new();
    let window = work(&mut province, ItemKind::Line, "c02-a");
    province.cut(Cut::Line("c02-a".into())).run(310.0);
    assert_eq!(province.watch.site("c02").verdict, Verdict::Down);
    assert_eq!(only(&province).notifications, 0);
    province.run(((window.to + 5 * MINUTE - province.now) / 1000 - 1) as f64);
    assert_eq!(only(&province).notifications, 0);
    province.run(2.0);
    let incident = only(&province);
    assert_eq!(
        (incident.state, incident.notifications, incident.maintenance.clone()),
        (State::Open, 1, None)
    );
    assert!(words(&incident).ends_with(&["overrun", "paged"]), "{:?}", words(&incident));
    province.heal().run(40.0);
    assert_eq!((only(&province).state, only(&province).notifications), (State::Closed, 2));
}

#[test]
fn trouble_wider_than_declared_pages_at_once() {
    let mut province = Province::new();
    work(&mut province, ItemKind::Site, "c01");
    province.cut(Cut::Line("c01-a".into())).run(30.0);
    assert_eq!(only(&province).notifications, 0);
    province.cut(Cut::Pop("va-p1".into())).run(10.0);
    let all = incidents(&province);
    let pop = all.iter().find(|incident| incident.root.kind == RootKind::Pop).unwrap();
    assert_eq!((pop.state, pop.notifications, pop.maintenance.clone()), (State::Open, 1, None));
    let site = all.iter().find(|incident| incident.root.id == "c01").unwrap();
    assert_eq!(site.notifications, 0);
}

#[test]
fn work_on_a_pop_explains_its_lines_and_not_its_carrier() {
    let mut province = Province::new();
    let window = work(&mut province, ItemKind::Pop, "va-p1");
    province.cut(Cut::Pop("va-p1".into())).run(20.0);
    let incident = only(&province);
    assert_eq!((incident.root.kind, incident.notifications), (RootKind::Pop, 0));
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
    assert_eq!(only(&province).notifications, 0);
    province.run(2.0);
    assert_eq!(only(&province).notifications, 1);
}
