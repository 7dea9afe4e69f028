use super::*;
use crate::detect::{Detector, graph::Graph};
use crate::entry::{Act, ActKind, Tick};
use crate::incident::maintenance::Windows;
use crate::topology::Topology;

/// A ledger told once a second.
#[derive(Default)]
struct Bench {
    ledger: Ledger,
    detector: Detector,
    graph: Graph,
    topology: Topology,
}

impl Bench {
    fn at(&mut self, second: i64, holding: &[Condition]) -> BTreeSet<Id> {
        self.detector.hear(&self.graph, &Tick { at: second * 1000, ..Tick::default() });
        let windows = Windows::default();
        let view = View {
            topology: &self.topology,
            graph: &self.graph,
            detector: &self.detector,
            windows: &windows,
        };
        self.ledger.conditions(&view, holding)
    }

    fn only(&self) -> &crate::incident::Incident {
        assert_eq!(self.ledger.incidents().len(), 1);
        self.ledger.incidents().values().next().unwrap()
    }
}

fn portal(severity: Severity) -> Condition {
    Condition {
        root: Root { kind: RootKind::Service, id: "portal".into(), name: "Cổng".into() },
        kind: Kind::ServiceDown,
        severity,
        sites: BTreeMap::new(),
        since: 1_000,
        causes: vec![(Cause::Service, 2.0), (Cause::Lan, 2.0)],
        gate_ms: 10_000,
        quiet_ms: 30_000,
    }
}

#[test]
fn opens_at_its_gate_and_closes_after_its_quiet() {
    let mut bench = Bench::default();
    let holding = [portal(Severity::Critical)];
    for second in 1..=10 {
        bench.at(second, &holding);
    }
    assert_eq!((bench.only().state, bench.only().notifications), (State::Noticed, 0));
    bench.at(11, &holding);
    assert_eq!((bench.only().state, bench.only().opened), (State::Open, Some(11_000)));
    for second in 12..=41 {
        bench.at(second, &[]);
    }
    assert_eq!(bench.only().state, State::Open);
    assert_eq!(bench.at(42, &[]).len(), 1);
    assert_eq!((bench.only().state, bench.only().notifications), (State::Closed, 2));
    assert!((bench.only().cause.candidates[0].probability - 0.5).abs() < 1e-9);
}

#[test]
fn one_that_comes_back_is_the_same_and_one_gone_before_its_gate_is_never_told() {
    let mut bench = Bench::default();
    bench.at(1, &[portal(Severity::Critical)]);
    bench.at(5, &[]);
    bench.at(6, &[Condition { since: 6_000, ..portal(Severity::Critical) }]);
    bench.at(12, &[Condition { since: 6_000, ..portal(Severity::Critical) }]);
    assert_eq!(bench.only().state, State::Noticed, "the gate counts from when it came back");
    (13..=43).for_each(|second| _ = bench.at(second, &[]));
    assert_eq!(
        (bench.only().state, bench.only().opened, bench.only().notifications),
        (State::Closed, None, 0)
    );
}

#[test]
fn a_warning_that_grows_is_told_once() {
    let mut bench = Bench::default();
    (1..=12).for_each(|second| _ = bench.at(second, &[portal(Severity::Warning)]));
    assert_eq!((bench.only().state, bench.only().notifications), (State::Open, 0));
    (13..=15).for_each(|second| _ = bench.at(second, &[portal(Severity::Critical)]));
    assert_eq!(bench.only().notifications, 1);
}

#[test]
fn what_a_person_closed_stays_closed_while_it_holds() {
    let mut bench = Bench::default();
    (1..=12).for_each(|second| _ = bench.at(second, &[portal(Severity::Critical)]));
    let incident = bench.only().id.clone();
    let kind = ActKind::Close("known".into());
    bench.ledger.act(&Act { at: 12_500, person: "an".into(), incident, kind }).unwrap();
    (13..=100).for_each(|second| _ = bench.at(second, &[portal(Severity::Critical)]));
    assert_eq!(bench.only().state, State::Closed);
    (101..=131).for_each(|second| _ = bench.at(second, &[]));
    bench.at(132, &[Condition { since: 132_000, ..portal(Severity::Critical) }]);
    assert_eq!(bench.ledger.incidents().len(), 2, "once it was gone, it is news again");
}
