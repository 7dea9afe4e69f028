//! Each run by itself: told once, by itself or in one row.
//!
//! ```text
//!   runs that were numbered   · · · · · · · · ·      by boot, check and whether they tell of the target
//!   stored by themselves      · · ·         ·
//!   in a row                        ─────────        as many as the others in its time, with as many successes
//! ```

use haidang_probe::batch::Batch;
use haidang_probe::check::CheckId;
use haidang_probe::digest::CheckDigest;
use haidang_probe::moment::BootId;
use haidang_probe::outcome::Outcome;
use std::collections::BTreeMap;

/// Which runs a row may tell of.
type Kind = (BootId, CheckId, bool);

/// What became of the runs that were numbered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Numbered.
    pub(super) runs: u64,
    /// Those told exactly once.
    pub(super) once: u64,
    /// Runs told that nobody saw, and rows that tell of other runs than those that are not told by themselves.
    pub(super) wrong: u64,
}

#[derive(Default)]
struct Run {
    succeeded: bool,
    by_itself: u32,
    in_rows: u32,
}

/// Holds what is stored, each batch once, against what was numbered.
pub(super) fn hold(numbered: &[Batch], stored: &[Batch]) -> Told {
    let mut all: BTreeMap<Kind, BTreeMap<u64, Run>> = BTreeMap::new();
    for run in numbered.iter().flat_map(|batch| &batch.outcomes) {
        let seen = Run { succeeded: run.result.is_ok(), ..Run::default() };
        all.entry(kind(run)).or_default().insert(run.sent.mono_ns, seen);
    }
    let mut wrong = 0;
    for run in stored.iter().flat_map(|batch| &batch.outcomes) {
        match all.get_mut(&kind(run)).and_then(|runs| runs.get_mut(&run.sent.mono_ns)) {
            Some(seen) => seen.by_itself += 1,
            None => wrong += 1,
        }
    }
    for row in stored.iter().flat_map(|batch| &batch.checks) {
        wrong += u64::from(!holds(&mut all, row));
    }
    let runs = || all.values().flat_map(BTreeMap::values);
    let once = runs().filter(|run| run.by_itself + run.in_rows == 1).count();
    Told { runs: runs().count() as u64, once: once as u64, wrong }
}

/// Whether a row tells of those runs in its time that are not stored by themselves.
fn holds(all: &mut BTreeMap<Kind, BTreeMap<u64, Run>>, row: &CheckDigest) -> bool {
    let kind = (row.from.boot, row.check, row.success().is_some());
    let Some(runs) = all.get_mut(&kind) else { return false };
    // Rows end to the millisecond.
    let end = row.from.mono_ns + row.lasted.as_nanos() as u64 + 1_000_000;
    let (mut told, mut succeeded) = (0, 0);
    for (_, run) in runs.range_mut(row.from.mono_ns..=end).filter(|(_, run)| run.by_itself == 0) {
        run.in_rows += 1;
        told += 1;
        succeeded += u32::from(run.succeeded);
    }
    (told, succeeded) == (row.runs, row.succeeded)
}

fn kind(run: &Outcome) -> Kind {
    let tells = run.result.as_ref().err().is_none_or(|failure| failure.tells_of_target());
    (run.sent.boot, run.check, tells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_probe::moment::Moment;
    use std::time::Duration;

    fn batch(seconds: std::ops::Range<u64>) -> Batch {
        let run = |second| Outcome {
            check: CheckId(1),
            sent: Moment { mono_ns: second * 1_000_000_000, ..Moment::default() },
            result: Ok(Duration::from_millis(1)),
            samples: Vec::new(),
        };
        Batch { outcomes: seconds.map(run).collect(), ..Batch::default() }
    }

    fn row(seconds: std::ops::Range<u64>) -> Batch {
        let runs = batch(seconds).outcomes;
        let row = CheckDigest::of(&runs.iter().collect::<Vec<_>>());
        Batch { checks: row.into_iter().collect(), ..Batch::default() }
    }

    #[test]
    fn runs_are_told_once_by_themselves_or_in_a_row() {
        let numbered = [batch(0..10), batch(10..20)];
        let told = |stored: &[Batch]| hold(&numbered, stored);
        let whole = Told { runs: 20, once: 20, wrong: 0 };
        assert_eq!(told(&numbered), whole);
        assert_eq!(told(&[row(0..15), batch(15..20)]), whole);
        let around =
            Batch { checks: vec![row(0..5).checks[0].with(&row(7..20).checks[0])], ..Batch::default() };
        assert_eq!(told(&[batch(5..7), around]), whole);
    }

    #[test]
    fn what_is_told_twice_does_not_pay_for_what_is_not_told() {
        let numbered = [batch(0..10), batch(10..20)];
        let told = |stored: &[Batch]| hold(&numbered, stored);
        assert_eq!(told(&[batch(0..10), row(0..10)]), Told { runs: 20, once: 10, wrong: 1 });
        assert_eq!(told(&[row(0..10), row(0..10)]), Told { runs: 20, once: 0, wrong: 0 });
        assert_eq!(told(&[batch(0..5), row(0..20)]), Told { runs: 20, once: 20, wrong: 1 });
        assert_eq!(told(&[batch(0..21)]), Told { runs: 20, once: 20, wrong: 1 });
    }
}
