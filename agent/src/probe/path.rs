//! The way to a target, hop by hop, by the tracer of [`crate::path`].
//!
//! The addresses of hops are restricted: an outcome holds their number and round trips, and what is to be told of the way
//! itself becomes an event ([`Probe::told`]).

use super::{Answer, Budget, Tools};
use crate::dial::Origin;
use crate::path::{Request, Traced, Tracer};
use crate::place::Finder;
use haidang_probe::ask::path::Question;
use haidang_probe::metric::Metric;
use haidang_probe::outcome::{Failure, Sample};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Traces that wait to be told; an older one of the same question gives way.
const UNTOLD: usize = 64;

/// The tracer and who finds addresses.
pub struct Probe {
    finder: Finder,
    tracer: Tracer,
    untold: Mutex<Vec<(Question, Traced)>>,
}

impl Probe {
    /// Opens no socket yet.
    pub fn new(tools: &Tools) -> Probe {
        Probe { finder: tools.finder.clone(), tracer: Tracer::new(&tools.clock), untold: Mutex::default() }
    }

    /// What traces for others too, with one memory and one set of limits.
    pub fn tracer(&self) -> Tracer {
        self.tracer.clone()
    }

    /// The duration is the round trip to the target. Half of what the look-up leaves of the budget is for each of two
    /// rounds.
    pub async fn ask(&self, question: &Question, budget: Budget) -> Answer {
        match self.trace(question, &budget).await {
            Ok(traced) => {
                let (result, mut samples) = (traced.route.result(), traced.route.samples());
                let changes = traced.changes as f64;
                samples.push(Sample { metric: Metric::PathChanges, part: String::new(), value: changes });
                self.remember(question, traced);
                Answer { result, samples }
            }
            Err(failure) => Err(failure).into(),
        }
    }

    /// What the last run of `question` found, once.
    pub fn told(&self, question: &Question) -> Option<Traced> {
        let mut untold = self.untold();
        let place = untold.iter().position(|(asked, _)| asked == question)?;
        Some(untold.swap_remove(place).1)
    }

    async fn trace(&self, question: &Question, budget: &Budget) -> Result<Traced, Failure> {
        let target = budget.spend(Failure::Resolve, self.finder.address(&question.place)).await?;
        // A little is left for what is not waiting.
        let within = budget.left() * 9 / 10;
        let request = Request { target, hops: question.hops, origin: Origin::default(), within };
        self.tracer.trace(&request).await.map_err(|untraced| untraced.failure)
    }

    fn remember(&self, question: &Question, traced: Traced) {
        let mut untold = self.untold();
        untold.retain(|(asked, _)| asked != question);
        if untold.len() < UNTOLD {
            untold.push((question.clone(), traced));
        }
    }

    fn untold(&self) -> MutexGuard<'_, Vec<(Question, Traced)>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_daemon::clock::Clock;
    use std::time::Duration;

    #[tokio::test]
    async fn this_machine_is_one_hop_away() {
        let clock = Clock::machine().unwrap();
        let probe = Probe::new(&Tools { clock: clock.clone(), finder: Finder::default() });
        for target in ["127.0.0.1", "::1"] {
            let question: Question = target.parse().unwrap();
            let answer = probe.ask(&question, Budget::start(&clock, Duration::from_secs(5))).await;
            if matches!(answer.result, Err(Failure::NotPermitted | Failure::Local)) {
                println!("not judged: this machine does not permit icmp to {target}");
                continue;
            }
            assert!(answer.result.is_ok(), "{answer:?}");
            let value =
                |metric| answer.samples.iter().find(|sample| sample.metric == metric).map(|s| s.value);
            assert_eq!((value(Metric::PathHops), value(Metric::PathChanges)), (Some(1.0), Some(0.0)));
            assert!(probe.told(&question).is_some_and(|traced| traced.events("a", false).is_empty()));
            assert_eq!(probe.told(&question), None, "it is told once");
        }
    }
}
