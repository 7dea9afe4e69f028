//! What the centre has of an agent's runs and of what it heard, check by check.

use crate::evidence::Kept;
use haidang_probe::check::CheckId;
use haidang_probe::event::{Event, EventKind, Field};
use haidang_probe::moment::Moment;
use haidang_probe::outcome::Failure;
use std::collections::BTreeMap;

/// Interval of every check.
const EVERY_NS: u64 = 1_000_000_000;

/// How runs ended that began until an instant, each with its beginning, in order.
#[derive(Clone, Debug, Default)]
pub struct Runs(BTreeMap<CheckId, Vec<Run>>);

/// When it began, ns, and how it ended.
type Run = (u64, Result<(), Failure>);

impl Runs {
    /// Those told in some batches.
    ///
    /// # Errors
    /// When a batch does not read.
    pub fn until(batches: &[Kept], until: Moment) -> anyhow::Result<Runs> {
        let mut runs = Runs::default();
        for batch in batches {
            let outcomes = batch.outcomes()?;
            for outcome in outcomes.into_iter().filter(|outcome| outcome.sent.mono_ns <= until.mono_ns) {
                runs.0
                    .entry(outcome.check)
                    .or_default()
                    .push((outcome.sent.mono_ns, outcome.result.map(drop)));
            }
        }
        runs.0.values_mut().for_each(|runs| runs.sort_by_key(|(sent_ns, _)| *sent_ns));
        Ok(runs)
    }

    /// How many there are of a check.
    pub fn count(&self, check: CheckId) -> u64 {
        self.0.get(&check).map_or(0, Vec::len) as u64
    }

    /// How many ended in each way.
    pub fn ends(&self, check: CheckId) -> BTreeMap<Option<Failure>, u64> {
        let mut ends = BTreeMap::new();
        for (_, result) in self.0.get(&check).into_iter().flatten() {
            *ends.entry(result.err()).or_default() += 1;
        }
        ends
    }

    /// How many were due between the first and the last, both among them.
    pub fn due(&self, check: CheckId) -> u64 {
        let runs = self.0.get(&check).map_or(&[][..], Vec::as_slice);
        let Some(((first_ns, _), (last_ns, _))) = runs.first().zip(runs.last()) else { return 0 };
        (last_ns - first_ns + EVERY_NS / 2) / EVERY_NS + 1
    }
}

/// What became of the messages that came to a listener.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    /// Those that became events.
    pub events: Vec<Event>,
    /// Those that did not, by reason.
    pub lost: BTreeMap<String, u64>,
}

impl Messages {
    /// Told in some batches by a listener whose events all have `field`.
    ///
    /// # Errors
    /// When a batch does not read.
    pub fn by(listener: &str, field: Field, batches: &[Kept]) -> anyhow::Result<Messages> {
        let mut heard = Messages::default();
        for batch in batches {
            for event in batch.events()? {
                if event.kind == EventKind::HeardDropped && event.part == listener {
                    let count = event.says(Field::Count).unwrap_or_default().parse::<u64>()?;
                    let reason = event.says(Field::Reason).unwrap_or_default().to_owned();
                    *heard.lost.entry(reason).or_default() += count;
                } else if event.says(field).is_some() {
                    heard.events.push(event);
                }
            }
        }
        Ok(heard)
    }

    /// All messages.
    pub fn count(&self) -> u64 {
        self.events.len() as u64 + self.lost.values().sum::<u64>()
    }

    /// From the first to the last event, ns.
    pub fn span_ns(&self) -> u64 {
        let at = || self.events.iter().map(|event| event.at.mono_ns);
        at().max().unwrap_or(0) - at().min().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_left_out_shows_between_the_first_and_the_last() {
        let check = CheckId(1);
        let runs = |sent_ms: &[u64]| {
            Runs(BTreeMap::from([(check, sent_ms.iter().map(|ms| (ms * 1_000_000, Ok(()))).collect())]))
        };
        let whole = runs(&[500, 1_503, 2_500, 3_650]);
        assert_eq!((whole.due(check), whole.count(check)), (4, 4));
        let holed = runs(&[500, 2_500, 3_650]);
        assert_eq!((holed.due(check), holed.count(check)), (4, 3));
        assert_eq!((runs(&[]).due(check), Runs::default().due(check)), (0, 0));
    }
}
