//! Devices of offices that switch off: their rest is nobody's failure, and what is not back after the opening is.

use super::{
    incidents,
    offices::{Offices, PORTAL},
    only,
    province::START,
};
use haidang_collector::incident::{Kind, RootKind, State};
use haidang_collector::topology::{Hours, OffOutsideHours, Topology};
use haidang_collector::watch::Verdict;
use haidang_probe::outcome::Failure;

const MINUTE: i64 = 60_000;
/// When the offices close, and when they open again. The record of c10 does not let it be off.
const CLOSING: i64 = START + 30 * MINUTE;
const OPENING: i64 = START + 60 * MINUTE;
/// From when what is not back is missed.
const MISSED: i64 = OPENING + 15 * MINUTE;

fn closes(topology: &mut Topology) {
    let ids: Vec<String> = topology.offices().map(|(id, _)| id.clone()).collect();
    for id in ids {
        let off = if id == "c10" { OffOutsideHours::No } else { OffOutsideHours::Yes };
        let site = topology.sites.get_mut(&id).unwrap();
        site.hours = Some(Hours { days: [true; 7], spans: vec![(0, 450), (480, 1440)] });
        site.off_outside_hours = off;
    }
}

/// The evening's last seconds, as the offices close.
fn evening() -> Offices {
    let mut offices = Offices::with(closes);
    offices.skip(CLOSING - 10_000);
    offices
}

impl Offices {
    /// The collector sees nothing of the time until then.
    fn skip(&mut self, then: i64) -> &mut Offices {
        let seconds = (then - self.province.now) / 1000;
        self.province.sleep(seconds);
        self
    }

    fn until(&mut self, then: i64) -> &mut Offices {
        let seconds = (then - self.province.now) / 1000;
        self.run(seconds as usize)
    }
}

#[test]
fn a_device_off_with_its_office_is_missed_in_the_morning_only() {
    let mut offices = evening();
    offices
        .fail("c04", "c04-cam/tcp", Failure::Timeout)
        .fail("c02", "c02-cam/tcp", Failure::Timeout)
        .run(100);
    assert_eq!(incidents(&offices.province), []);
    assert_eq!(offices.unwell(), [""; 0], "nor a finding");
    assert_eq!((offices.device("c04-cam"), offices.device("c04-sw")), (Verdict::OffHours, Verdict::Up));
    offices.skip(OPENING - 10_000).run(40);
    offices.wrong.remove(&("c02".to_owned(), "c02-cam/tcp".to_owned()));
    offices.skip(MISSED - 40_000).until(MISSED - 1_000);
    assert_eq!(incidents(&offices.province), []);
    offices.run(5);
    let incident = only(&offices.province);
    assert_eq!((incident.root.kind, incident.root.id.as_str()), (RootKind::Device, "c04-cam"));
    assert_eq!((incident.kind, incident.state), (Kind::DeviceDown, State::Open));
    assert_eq!((incident.began, incident.notifications), (OPENING, 0));
    assert_eq!(offices.device("c04-cam"), Verdict::Down);
    offices.mend().run(75);
    assert_eq!(only(&offices.province).state, State::Closed);
}

#[test]
fn a_lan_that_goes_dark_with_its_office_is_one_incident_in_the_morning() {
    let mut offices = evening();
    for check in ["c04-sw/icmp", "c04-cam/tcp", "c04-web/http"] {
        offices.fail("c04", check, Failure::Timeout).run(15);
    }
    offices.run(60);
    assert_eq!(incidents(&offices.province), []);
    offices.skip(MISSED - 30_000).run(60);
    let incident = only(&offices.province);
    assert_eq!((incident.root.id.as_str(), incident.kind), ("c04-sw", Kind::DeviceDown));
    assert_eq!(incident.began, OPENING);
}

#[test]
fn what_fell_in_hours_what_may_not_be_off_and_what_answers_wrongly_are_told_at_any_time() {
    let mut offices = Offices::with(closes);
    offices.fail("c04", "c04-cam/tcp", Failure::Timeout).run(60);
    let in_hours = only(&offices.province);
    assert_eq!((in_hours.root.id.as_str(), in_hours.state), ("c04-cam", State::Open));
    offices.skip(CLOSING - 10_000);
    offices.fail("c10", "c10-cam/tcp", Failure::Timeout).fail("c02", "c02-web/http", Failure::Status).run(80);
    let told: Vec<_> = incidents(&offices.province).into_iter().map(|one| (one.root.id, one.state)).collect();
    let open = |id: &str| (id.to_owned(), State::Open);
    assert_eq!(told.len(), 3, "{told:?}");
    for id in ["c04-cam", "c10-cam", "c02-web"] {
        assert!(told.contains(&open(id)), "{id} in {told:?}");
    }
}

#[test]
fn a_shared_service_that_fails_at_night_does_not_rest() {
    let mut offices = evening();
    offices.fail("*", PORTAL, Failure::Timeout).run(70);
    assert_eq!(
        (only(&offices.province).root.id.as_str(), only(&offices.province).state),
        ("portal", State::Open)
    );
}
