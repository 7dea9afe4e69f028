//! The core agent's batches may be late, as when the collector's disk is slow: what it saw is on its way, and
//! nobody is blamed before it came.

use super::{
    only,
    province::{Cut, Province},
};
use haidang_collector::incident::{Kind, RootKind, State};

fn held_up(cut: &Cut, seconds: f64) -> Province {
    let mut province = Province::new();
    province.cut(Cut::CoreUplink).run(0.3);
    province.cut(cut.clone()).run(seconds);
    province.mend(&Cut::CoreUplink).run(6.0);
    province
}

#[test]
fn a_carrier_is_not_taken_for_our_hand_off_while_batches_are_late() {
    for seconds in [2.0, 4.0, 7.0, 14.0] {
        for (cut, root, kind) in [
            (Cut::Carrier("va".into()), RootKind::Carrier, Kind::CarrierDown),
            (Cut::HandOff("va".into()), RootKind::HandOff, Kind::HandOff),
        ] {
            let mut province = held_up(&cut, seconds);
            let incident = only(&province);
            assert_eq!((incident.root.kind, incident.kind), (root, kind), "{cut:?} {seconds} s");
            assert_eq!(
                (incident.state, incident.cause.candidates.len()),
                (State::Open, 1),
                "{cut:?} {seconds} s"
            );
            province.run(20.0).heal().run(45.0);
            let incident = only(&province);
            assert_eq!(
                (incident.state, incident.notifications, incident.root.kind),
                (State::Closed, 2, root)
            );
        }
    }
}

#[test]
fn a_pop_is_found_while_batches_are_late() {
    for seconds in [3.0, 8.0] {
        let mut province = held_up(&Cut::Pop("va-p1".into()), seconds);
        let incident = only(&province);
        assert_eq!((incident.root.kind, incident.root.id.as_str()), (RootKind::Pop, "va-p1"), "{seconds} s");
        province.heal().run(45.0);
        assert_eq!(only(&province).state, State::Closed);
    }
}
