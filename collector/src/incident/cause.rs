//! What may be behind a fault, and never more than the evidence tells.
//!
//! A carrier is a candidate only where a witness puts the silence on its side: our port answering, or POPs and
//! lines of it alone. A single line that cannot be told from its site leaves {line, power, equipment}.

use super::{Candidate, Cause, Causes};
use crate::detect::{
    fault::{At, Fault, Witness},
    graph::Node,
};

/// Relative rates at which these fail, per month: access line 2, power 1, equipment ½, agent ⅓.
const LINE: (Cause, f64) = (Cause::Line, 2.0);
const POWER: (Cause, f64) = (Cause::Power, 1.0);
/// Lines of two carriers do not fail together by themselves.
const FEEDER: (Cause, f64) = (Cause::Power, 40.0);
const EQUIPMENT: (Cause, f64) = (Cause::Equipment, 0.5);
const AGENT: (Cause, f64) = (Cause::Agent, 1.0 / 3.0);

/// The causes left open by a fault; `asked` says whether the core agent questions the site itself.
pub fn of(fault: &Fault, asked: bool) -> Causes {
    let sure = fault.witness == Witness::Conclusive;
    let weights: &[(Cause, f64)] = match &fault.at {
        At::Group { .. } => &[LINE, POWER],
        At::Feeder(_) => &[FEEDER, LINE],
        At::Node(node) => match node {
            Node::Core => &[(Cause::Centre, 1.0)],
            Node::HandOff(_) if sure => &[(Cause::HandOff, 1.0)],
            Node::HandOff(_) => &[(Cause::HandOff, 1.0), (Cause::Carrier, 1.0)],
            Node::Carrier(_) | Node::Pop(_) if sure => &[(Cause::Carrier, 1.0)],
            Node::Carrier(_) => &[(Cause::Carrier, 1.0), (Cause::HandOff, 1.0)],
            Node::Pop(_) => &[LINE, POWER],
            Node::Line(_) => &[LINE, EQUIPMENT],
            Node::Site(_) if asked => &[LINE, POWER, EQUIPMENT],
            Node::Site(_) => &[LINE, POWER, EQUIPMENT, AGENT],
            Node::Agent(_) if sure => &[AGENT],
            Node::Agent(_) => &[AGENT, POWER, EQUIPMENT],
        },
    };
    weighed(weights)
}

/// Causes by relative weight, most likely first as given.
pub(super) fn weighed(weights: &[(Cause, f64)]) -> Causes {
    let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let candidates =
        weights.iter().map(|(cause, weight)| Candidate { cause: *cause, probability: weight / sum });
    Causes { settled: false, candidates: candidates.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn fault(node: Node, witness: Witness) -> Fault {
        Fault {
            at: At::Node(node),
            began: 0,
            fell: 0,
            judged: 0,
            lines: BTreeSet::new(),
            shared: false,
            is_agent: false,
            witness,
            doubtful: false,
            cleared: None,
            returned: None,
            longest: 0,
            flaps: None,
        }
    }

    #[test]
    fn no_carrier_is_named_without_a_witness() {
        for node in [Node::Site("s".into()), Node::Line("l".into()), Node::Agent("s".into())] {
            let causes = of(&fault(node, Witness::Open), true);
            assert!(causes.candidates.iter().all(|candidate| candidate.cause != Cause::Carrier));
            assert!(!causes.settled);
        }
    }

    #[test]
    fn candidates_sum_to_one() {
        let causes = of(&fault(Node::Site("s".into()), Witness::Open), false);
        let sum: f64 = causes.candidates.iter().map(|candidate| candidate.probability).sum();
        assert!((sum - 1.0).abs() < 1e-9);
    }
}
