//! Offices close and open: what falls silent then, what must be missed in the morning, and who is told when.

use super::{
    incidents, only,
    province::{Cut, Province, START},
    sites,
};
use haidang_collector::{
    entry::Entry,
    incident::{Incident, Kind, RootKind, State},
    topology::{Hours, OffOutsideHours, Topology},
    watch::{Verdict, Watch},
};

/// Sites with hours: of every POP and both carriers, with agents and without, with one line and two.
const OFFICES: usize = 12;
const MINUTE: i64 = 60_000;

/// Local time of a day counted from the first, UTC ms.
fn at(day: i64, hour: i64, minute: i64) -> i64 {
    START + ((day * 24 + hour - 7) * 60 + minute) * MINUTE
}

fn id(number: usize) -> String {
    format!("c{number:02}")
}

/// Seven to five, every day.
fn day_long() -> Hours {
    Hours { days: [true; 7], spans: vec![(7 * 60, 17 * 60)] }
}

/// Closed from five until twenty past: a night short enough to be lived through.
fn short_night() -> Hours {
    Hours { days: [true; 7], spans: vec![(0, 17 * 60), (17 * 60 + 20, 24 * 60)] }
}

fn keeps(topology: &mut Topology, offices: usize, hours: &Hours, off: OffOutsideHours) {
    for number in 0..offices {
        let site = topology.sites.get_mut(&id(number)).unwrap();
        site.hours = Some(hours.clone());
        site.off_outside_hours = off;
    }
}

fn province(offices: usize, hours: &Hours, off: OffOutsideHours) -> Province {
    Province::with_record(|topology| keeps(topology, offices, hours, off))
}

impl Province {
    /// Lives through the time until then.
    fn until(&mut self, then: i64) -> &mut Province {
        let seconds = (then - self.now) as f64 / 1000.0;
        self.run(seconds)
    }

    /// The collector sees nothing of the time until then.
    fn skip(&mut self, then: i64) -> &mut Province {
        let seconds = (then - self.now) / 1000;
        self.sleep(seconds)
    }

    fn lines(&self, office: usize) -> Vec<Cut> {
        let topology = self.watch.topology();
        topology.lines_of(&id(office)).map(|(line, _)| Cut::Line(line.clone())).collect()
    }

    fn switch_off(&mut self, office: usize) -> &mut Province {
        for line in self.lines(office) {
            self.cut(line);
        }
        self
    }

    fn switch_on(&mut self, office: usize) -> &mut Province {
        for line in self.lines(office) {
            self.mend(&line);
        }
        self
    }

    fn leave(&mut self, offices: impl Iterator<Item = usize>) {
        for office in offices {
            self.switch_off(office);
        }
    }

    fn come(&mut self, offices: impl Iterator<Item = usize>) {
        for office in offices {
            self.switch_on(office);
        }
    }

    fn verdict(&self, office: usize) -> Verdict {
        self.watch.site(&id(office)).verdict
    }
}

fn pages(province: &Province) -> u32 {
    incidents(province).iter().map(|incident| incident.notifications).sum()
}

fn happened(incident: &Incident, what: &str) -> bool {
    incident.timeline.iter().any(|moment| moment.what == what)
}

fn noted(province: &Province) -> Vec<String> {
    incidents(province).iter().map(|i| format!("{} {:?} {:?}", i.id, i.root, i.timeline)).collect()
}

/// An evening at which everybody leaves, one of them with a cut line; gives the province in the dark.
fn evening(hours: &Hours, cut: usize) -> Province {
    let mut province = province(OFFICES, hours, OffOutsideHours::Yes);
    province.skip(at(0, 16, 57)).run(90.0);
    province.until(at(0, 16, 59)).switch_off(0).switch_off(1).until(at(0, 17, 0));
    for office in 2..9 {
        province.switch_off(office);
    }
    assert!((2..9).contains(&cut));
    province.until(at(0, 17, 2)).switch_off(9).until(at(0, 17, 6)).switch_off(10);
    province.until(at(0, 17, 10)).switch_off(11).run(60.0);
    province
}

fn all_off(province: &Province) {
    assert_eq!(noted(province), Vec::<String>::new());
    for office in 0..OFFICES {
        assert_eq!(province.verdict(office), Verdict::OffHours, "{}", id(office));
    }
}

fn return_all_but(province: &mut Province, cut: usize, from: i64) {
    for office in (0..OFFICES).filter(|office| *office != cut) {
        let then = from + office as i64 * MINUTE;
        province.until(then).switch_on(office);
    }
}

#[test]
fn of_twelve_offices_that_close_the_one_that_is_cut_is_the_one_page() {
    for cut in [5, 6] {
        let mut province = evening(&day_long(), cut);
        all_off(&province);
        let since = province.watch.site("c03").since;
        assert!((at(0, 17, 0)..at(0, 17, 0) + 2_000).contains(&since));
        province.skip(at(0, 23, 58)).run(240.0).skip(at(1, 2, 0)).start();
        province.run(120.0);
        all_off(&province);
        assert_eq!(province.watch.site("c03").since, since);
        province.skip(at(1, 6, 54)).run(30.0);
        return_all_but(&mut province, cut, at(1, 6, 55));
        province.until(at(1, 7, 15) - 100);
        assert_eq!((noted(&province), pages(&province)), (Vec::<String>::new(), 0));
        province.run(5.0);
        let incident = only(&province);
        assert_eq!((incident.root.kind, incident.root.id.clone()), (RootKind::Site, id(cut)));
        assert_eq!((incident.state, incident.notifications), (State::Open, 1));
        assert_eq!((incident.kind, incident.began), (Kind::Unreachable, at(1, 7, 0)));
        assert!(incident.opened.unwrap() - at(1, 7, 15) <= 1_000);
        assert_eq!(province.verdict(cut), Verdict::Down);
        province.run(120.0).switch_on(cut).run(40.0);
        assert_eq!((only(&province).state, pages(&province)), (State::Closed, 2));
    }
}

#[test]
fn a_whole_night_that_is_seen_tells_the_same_and_so_does_a_checkpoint_in_it() {
    let mut province = evening(&short_night(), 5);
    all_off(&province);
    let (from, checkpoint) = (province.entries.len(), province.watch.checkpoint());
    return_all_but(&mut province, 5, at(0, 17, 13));
    province.until(at(0, 17, 35) - 100);
    assert_eq!(noted(&province), Vec::<String>::new());
    province.run(5.0);
    let incident = only(&province);
    assert_eq!((incident.root.id.as_str(), incident.notifications), ("c05", 1));
    assert_eq!(incident.began, at(0, 17, 20));
    let Entry::Checkpoint(checkpoint) = checkpoint else { unreachable!() };
    let mut restored = Watch::restore(&checkpoint).unwrap();
    for (position, entry) in province.entries.iter().enumerate().skip(from) {
        restored.apply(position as u64, &Entry::decode(&entry.encode()).unwrap());
    }
    assert_eq!(restored.transcript(), province.watch.transcript());
    assert_eq!(restored.incidents(), province.watch.incidents());
}

#[test]
fn a_province_that_closes_whole_is_no_trouble_at_all() {
    let mut province = province(40, &short_night(), OffOutsideHours::Yes);
    province.skip(at(0, 16, 59)).until(at(0, 17, 0));
    province.leave(0..40);
    province.until(at(0, 17, 19));
    assert!((0..40).all(|office| province.verdict(office) == Verdict::OffHours));
    province.heal().until(at(0, 17, 36));
    assert_eq!(noted(&province), Vec::<String>::new());
    assert!((0..40).all(|office| province.verdict(office) == Verdict::Up));
}

#[test]
fn our_port_that_died_while_everybody_was_off_is_one_incident_in_the_morning() {
    let mut province = province(40, &short_night(), OffOutsideHours::Yes);
    province.skip(at(0, 16, 59)).until(at(0, 17, 0));
    province.leave(0..40);
    province.until(at(0, 17, 5)).cut(Cut::HandOff("va".into())).until(at(0, 17, 18));
    province.come(0..40);
    province.until(at(0, 17, 36));
    let incident = only(&province);
    assert_eq!((incident.root.kind, incident.root.id.as_str()), (RootKind::HandOff, "va-1"));
    assert_eq!((incident.state, incident.notifications), (State::Open, 1));
    province.heal().run(45.0);
    assert_eq!(only(&province).state, State::Closed);
}

#[test]
fn a_cut_in_hours_pages_once_and_stays_open_over_the_night() {
    let mut province = province(OFFICES, &day_long(), OffOutsideHours::Yes);
    province.skip(at(0, 16, 29)).until(at(0, 16, 30)).cut(Cut::Line("c05-a".into())).run(30.0);
    let before = only(&province);
    assert_eq!((before.root.id.as_str(), before.notifications), ("c05", 1));
    province.skip(at(0, 16, 59)).until(at(0, 17, 0));
    province.leave(0..OFFICES);
    province.run(60.0).skip(at(0, 23, 59)).run(120.0).skip(at(1, 6, 59)).run(30.0);
    let cut = 5;
    province.come((0..OFFICES).filter(|office| *office != cut));
    province.until(at(1, 7, 16));
    let after = only(&province);
    assert_eq!((after.id, after.state, after.notifications), (before.id, State::Open, 1));
    assert_eq!(province.verdict(cut), Verdict::Down);
    province.switch_on(cut).run(40.0);
    assert_eq!((only(&province).state, pages(&province)), (State::Closed, 2));
}

#[test]
fn a_pop_cut_at_night_is_named_by_those_that_answer() {
    let mut province = province(OFFICES, &day_long(), OffOutsideHours::Yes);
    province.skip(at(0, 16, 59)).until(at(0, 17, 0));
    province.leave((0..OFFICES).filter(|office| *office != 9));
    province.run(60.0).skip(at(0, 19, 58)).until(at(0, 20, 0)).cut(Cut::Pop("va-p1".into())).run(20.0);
    let incident = only(&province);
    assert_eq!((incident.root.kind, incident.root.id.as_str()), (RootKind::Pop, "va-p1"));
    assert_eq!((incident.state, incident.notifications), (State::Open, 1));
    let suffers = sites(&incident);
    assert!(!suffers.contains("c01") && !suffers.contains("c05"), "{suffers:?}");
    assert!(suffers.contains("c13") && suffers.contains("c09"), "c09 was at work still: {suffers:?}");
    province.run(60.0).switch_off(9).run(60.0).mend(&Cut::Pop("va-p1".into())).run(80.0);
    assert_eq!((only(&province).state, pages(&province)), (State::Closed, 2));
    for office in [1, 5, 9] {
        assert_eq!(province.verdict(office), Verdict::OffHours, "{}", id(office));
    }
}

#[test]
fn what_is_off_proves_no_pop_dead_and_hides_no_cut_of_one_site() {
    let mut province = province(OFFICES, &day_long(), OffOutsideHours::Yes);
    province.skip(at(0, 16, 59)).until(at(0, 17, 0));
    province.leave(0..OFFICES);
    // A site of the same POP, without hours, that is cut in the same second.
    province.cut(Cut::Line("c13-a".into())).run(30.0);
    let incident = only(&province);
    assert_eq!((incident.root.kind, incident.root.id.as_str()), (RootKind::Site, "c13"));
    assert_eq!(incident.notifications, 1);
}

#[test]
fn one_line_of_an_office_whose_other_line_answers_is_not_off() {
    let mut province = province(OFFICES, &day_long(), OffOutsideHours::Yes);
    province.skip(at(0, 17, 58)).until(at(0, 18, 0)).cut(Cut::Line("c06-a".into())).run(30.0);
    let incident = only(&province);
    assert_eq!((incident.kind, incident.root.id.as_str()), (Kind::RedundancyLost, "c06-a"));
    assert_eq!(province.verdict(6), Verdict::Degraded);
    province.run(60.0).cut(Cut::Line("c06-b".into())).run(30.0);
    assert_eq!(province.verdict(6), Verdict::OffHours);
    assert_eq!(
        (only(&province).state, pages(&province)),
        (State::Closed, 0),
        "they went one after the other"
    );
}

#[test]
fn an_agent_switched_off_with_its_office_is_missed_in_the_morning() {
    let mut province = province(OFFICES, &short_night(), OffOutsideHours::Yes);
    province
        .skip(at(0, 16, 59))
        .until(at(0, 17, 0))
        .cut(Cut::Agent("c02".into()))
        .cut(Cut::Agent("c04".into()));
    province.until(at(0, 17, 19)).mend(&Cut::Agent("c04".into())).until(at(0, 17, 35) - 100);
    assert_eq!(noted(&province), Vec::<String>::new());
    assert_eq!(province.verdict(2), Verdict::Up);
    province.run(15.0);
    let incident = only(&province);
    assert_eq!((incident.kind, incident.root.id.as_str()), (Kind::AgentDead, "c02"));
    assert_eq!((incident.began, incident.notifications), (at(0, 17, 20), 0));
}

#[test]
fn one_site_outside_its_hours_is_listed_and_paged_when_they_begin() {
    let mut province = province(OFFICES, &day_long(), OffOutsideHours::No);
    province.skip(at(0, 22, 0)).run(60.0).cut(Cut::Line("c05-a".into())).cut(Cut::Line("c07-a".into()));
    province.run(30.0);
    let all = incidents(&province);
    assert_eq!(all.iter().map(|i| (i.state, i.notifications)).collect::<Vec<_>>(), [(State::Open, 0); 2]);
    assert!(all.iter().all(|incident| happened(incident, "outside-hours")));
    assert_eq!(province.verdict(5), Verdict::Down);
    province.mend(&Cut::Line("c07-a".into())).run(40.0).skip(at(1, 6, 58)).until(at(1, 7, 0) - 100);
    assert_eq!(pages(&province), 0);
    province.run(1.0);
    let all = incidents(&province);
    let told: Vec<_> = all.iter().map(|i| (i.root.id.as_str(), i.state, i.notifications)).collect();
    assert_eq!(told, [("c05", State::Open, 1), ("c07", State::Closed, 0)]);
    assert!(happened(&all[0], "paged"));
    province.heal().run(40.0);
    assert_eq!(pages(&province), 2);
}

#[test]
fn an_office_that_was_off_in_most_of_its_nights_is_known_to_be() {
    let mut province = province(1, &day_long(), OffOutsideHours::Learn);
    for day in 0..5 {
        let known = incidents(&province).len();
        province.skip(at(day, 16, 58)).until(at(day, 17, 0)).switch_off(0).run(20.0);
        let expected = if day < 4 { Verdict::Down } else { Verdict::OffHours };
        assert_eq!(province.verdict(0), expected, "evening {day}");
        assert_eq!(incidents(&province).len() - known, usize::from(day < 4), "evening {day}");
        province.skip(at(day, 24, 0) - 20_000).run(100.0);
        province.skip(at(day + 1, 6, 50)).run(5.0).switch_on(0).run(60.0);
    }
    assert_eq!(pages(&province), 0, "what was learned from was listed and not told");
}
