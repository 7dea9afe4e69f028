//! The last run of a check, kept small: a switch tells hundreds of values a run, of a few dozen parts.

use haidang_probe::metric::Metric;
use haidang_probe::outcome::{Failure, Outcome};
use std::time::Duration;

/// What is shown of a run.
#[derive(Debug)]
pub(super) struct Run {
    /// How it ended.
    pub(super) result: Result<Duration, Failure>,
    /// What its figures speak of, each once.
    parts: Vec<Box<str>>,
    /// By metric.
    figures: Vec<Figure>,
}

/// One value.
#[derive(Clone, Copy, Debug)]
struct Figure {
    value: f64,
    /// Which of the parts.
    part: u32,
    metric: Metric,
}

impl Run {
    /// What `outcome` tells.
    pub(super) fn of(outcome: &Outcome) -> Run {
        let mut run = Run { result: outcome.result, parts: Vec::new(), figures: Vec::new() };
        run.follow(outcome);
        run
    }

    /// A later run of the same check: it tells of much the same parts, so that their names are not made anew.
    pub(super) fn follow(&mut self, outcome: &Outcome) {
        self.result = outcome.result;
        if !self.take(outcome) {
            // A part is gone.
            self.parts.clear();
            self.take(outcome);
        }
    }

    /// Takes the figures over; false when there is a part that none of them speaks of.
    fn take(&mut self, outcome: &Outcome) -> bool {
        self.figures.clear();
        self.figures.reserve_exact(outcome.samples.len());
        let mut named = vec![false; self.parts.len()];
        let mut last = 0;
        for sample in &outcome.samples {
            last = self.part(&sample.part, last);
            named.resize(self.parts.len(), false);
            named[last] = true;
            self.figures.push(Figure { value: sample.value, part: last as u32, metric: sample.metric });
        }
        self.figures.sort_by_key(|figure| figure.metric);
        named.iter().all(|named| *named)
    }

    /// Where the part stands. Values come a part or a metric at a time: it is the last one's or the next.
    fn part(&mut self, name: &str, last: usize) -> usize {
        let likely = [last, last + 1, 0]
            .into_iter()
            .find(|at| self.parts.get(*at).is_some_and(|part| **part == *name));
        let found = likely.or_else(|| self.parts.iter().position(|part| **part == *name));
        found.unwrap_or_else(|| {
            self.parts.push(name.into());
            self.parts.len() - 1
        })
    }

    /// The values of `metric`, each with its part.
    pub(super) fn values(&self, metric: Metric) -> impl Iterator<Item = (&str, f64)> {
        let from = self.figures.partition_point(|figure| figure.metric < metric);
        let of_metric = self.figures[from..].iter().take_while(move |figure| figure.metric == metric);
        of_metric.map(|figure| (&*self.parts[figure.part as usize], figure.value))
    }
}
