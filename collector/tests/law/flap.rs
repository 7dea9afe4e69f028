//! A line that falls again and again is one warning, unless one silence of it outlasts the gate.

use super::{
    incidents, only,
    province::{Cut, Province},
};
use haidang_collector::incident::{Kind, Severity, State};

fn flap(province: &mut Province, times: u32, up: f64, down: f64) {
    for _ in 0..times {
        province.cut(Cut::Line("c02-a".into())).run(down).heal().run(up);
    }
}

#[test]
fn short_falls_are_one_warning_that_closes_after_three_quiet_minutes() {
    let mut province = Province::new();
    flap(&mut province, 2, 20.0, 7.0);
    assert_eq!(only(&province).state, State::Noticed, "two falls are two short silences");
    flap(&mut province, 3, 20.0, 7.0);
    let incident = only(&province);
    assert_eq!((incident.kind, incident.severity), (Kind::Flapping, Severity::Warning));
    assert_eq!((incident.state, incident.notifications), (State::Open, 0));
    province.run(140.0);
    assert_eq!(only(&province).state, State::Open);
    province.run(40.0);
    assert_eq!((only(&province).state, only(&province).notifications), (State::Closed, 0));
}

#[test]
fn a_silence_within_it_that_outlasts_the_gate_is_told_once() {
    let mut province = Province::new();
    flap(&mut province, 4, 20.0, 7.0);
    flap(&mut province, 2, 20.0, 14.0);
    let incident = only(&province);
    assert_eq!((incident.severity, incident.notifications), (Severity::Critical, 1));
    province.run(200.0);
    assert_eq!((only(&province).state, only(&province).notifications), (State::Closed, 2));
}

#[test]
fn falls_a_minute_apart_flap_too() {
    let mut province = Province::new();
    flap(&mut province, 4, 60.0, 7.0);
    let all = incidents(&province);
    let open: Vec<_> = all.iter().filter(|incident| incident.state == State::Open).collect();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].kind, open[0].notifications), (Kind::Flapping, 0));
    assert!(all.iter().all(|incident| incident.state == State::Open || incident.opened.is_none()));
}
