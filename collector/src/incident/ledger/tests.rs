use super::*;
use crate::detect::fault::Witness;

const FEEDER: FaultId = FaultId(9);

/// A ledger, and the faults that live.
#[derive(Default)]
struct Bench {
    ledger: Ledger,
    faults: BTreeMap<FaultId, Fault>,
    now: i64,
}

impl Bench {
    /// One second on: `found` live, `gone` do not, and the detector said so by `changes`.
    fn tick(&mut self, found: &[(FaultId, At)], gone: &[FaultId], changes: &[Change]) {
        self.now += 1_000;
        for (id, at) in found {
            self.faults.insert(*id, fault(at.clone(), self.now));
        }
        gone.iter().for_each(|id| _ = self.faults.remove(id));
        let (topology, windows) = (Topology::default(), Windows::default());
        let (graph, detector) = (Graph::of(&topology), Detector::holding(self.now, self.faults.clone()));
        let view = View { topology: &topology, graph: &graph, detector: &detector, windows: &windows };
        self.ledger.tick(&view, changes);
    }

    fn lives(&self) -> Vec<&str> {
        let live = self.ledger.incidents.values().filter(|incident| incident.state != State::Closed);
        live.map(|incident| incident.root.id.as_str()).collect()
    }
}

fn fault(at: At, began: i64) -> Fault {
    Fault {
        at,
        began,
        fell: began,
        judged: began,
        lines: BTreeSet::new(),
        shared: false,
        is_agent: false,
        witness: Witness::Open,
        doubtful: false,
        cleared: None,
        returned: None,
        longest: 0,
        flaps: None,
    }
}

fn site(id: &str) -> At {
    At::Node(Node::Site(id.into()))
}

fn adopted(child: u64, by: FaultId) -> Change {
    Change::Adopted { child: FaultId(child), by }
}

#[test]
fn a_group_found_and_taken_in_within_one_tick_leaves_no_incident_behind() {
    let mut bench = Bench::default();
    let singles = [(FaultId(1), site("c1")), (FaultId(2), site("c2")), (FaultId(3), site("s"))];
    bench.tick(&singles, &[], &[1, 2, 3].map(|id| Change::Found(FaultId(id))));
    let group = FaultId(4);
    let changes = [
        Change::Found(group),
        adopted(1, group),
        adopted(2, group),
        Change::Found(FEEDER),
        adopted(3, FEEDER),
        adopted(4, FEEDER),
    ];
    bench.tick(&[(FEEDER, At::Feeder("f".into()))], &[1, 2, 3].map(FaultId), &changes);
    assert_eq!(bench.lives(), ["f"]);
    assert_eq!(bench.ledger.incidents.len(), 3, "none for the group");
    bench.tick(&[], &[FEEDER], &[Change::Over(FEEDER)]);
    assert!(bench.lives().is_empty());
    assert!(bench.ledger.by_fault.is_empty());
}

#[test]
fn what_a_fault_takes_in_after_a_person_closed_its_incident_is_told_as_its_own() {
    let mut bench = Bench::default();
    bench.tick(&[(FEEDER, At::Feeder("f".into()))], &[], &[Change::Found(FEEDER)]);
    let incident = bench.ledger.of_fault(FEEDER).unwrap().id.clone();
    let kind = ActKind::Close("đã xong".into());
    bench.ledger.act(&Act { at: bench.now, person: "lan".into(), incident, kind }).unwrap();
    bench.tick(&[(FaultId(10), site("c"))], &[], &[Change::Found(FaultId(10))]);
    bench.tick(&[], &[FaultId(10)], &[adopted(10, FEEDER), Change::Revised(FEEDER)]);
    assert_eq!(bench.lives(), ["f"]);
    bench.tick(&[], &[FEEDER], &[Change::Over(FEEDER)]);
    assert!(bench.lives().is_empty());
}

#[test]
fn an_incident_whose_fault_is_gone_unsaid_closes() {
    let mut bench = Bench::default();
    bench.tick(&[(FaultId(1), site("c"))], &[], &[Change::Found(FaultId(1))]);
    bench.tick(&[], &[FaultId(1)], &[]);
    assert!(bench.lives().is_empty());
}

#[test]
fn a_name_given_before_the_clock_was_set_back_is_not_given_again() {
    let mut ledger = Ledger::default();
    let day = 86_400_000;
    let first = ledger.name(0);
    ledger.incidents.insert(first.clone(), blank(&first, 0));
    assert_eq!(ledger.name(day), "SC-19700102-01");
    assert_eq!(ledger.name(0), "SC-19700101-02");
}
