//! Which check is due at `now`.
//!
//! Pure: time is nanoseconds of a steady clock, given by the caller. Promises:
//!
//! - Checks are spread: each starts at its own offset, a function of its id alone, so that 50 checks of one
//!   interval do not fire together, and a restart fires them in the same order.
//! - A check whose earlier runs have not ended is skipped, never queued, save that a time-out as long as the
//!   interval or longer lets as many runs overlap as it takes: a silent target is asked as often as one that answers.
//!   Skipped is also every check beyond [`IN_FLIGHT`] runs at once, or [`ECHOES`] of those that are but packets under
//!   way. All are counted.
//! - Runs due within one slot start together, so that thousands of checks cost one wake a slot, not one each.
//! - After a pause (suspend, a stalled machine) each check runs once, not once for each interval missed.
//!
//! ```text
//!          start          start + offset        + every          + every
//!            |---- offset -----|---- every -------|---- every ------|
//!                             run                run               run
//! ```

mod lateness;

use crate::by_id::ById;
use crate::icmp::slot_end_ns;
use haidang_probe::check::CheckId;
pub use lateness::Lateness;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Most runs under way at once, of those that have a task.
pub const IN_FLIGHT: usize = 1024;

/// Most runs under way at once, of those that are but packets under way: all checks a plan may have, twice.
pub const ECHOES: usize = 20_000;

/// The first run of a check comes within this, however long its interval.
const FIRST_WITHIN: Duration = Duration::from_secs(10);

/// Shortest interval honoured; a plan that asks for less is held to this.
const SHORTEST: Duration = Duration::from_millis(50);

/// Runs left out, since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Because the check's earlier runs had not ended.
    pub busy: u64,
    /// Because [`IN_FLIGHT`] or [`ECHOES`] runs were under way.
    pub limit: u64,
}

/// What a run holds while it is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A task and its sockets.
    Task,
    /// A place in the ICMP engine.
    Echo,
}

/// How a check is asked, as far as its turns go.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Interval between runs.
    pub every: Duration,
    /// Longest a run takes.
    pub length: Duration,
    /// What a run holds.
    pub holds: Holds,
}

/// When each check runs next.
#[derive(Debug, Default)]
pub struct Schedule {
    checks: ById<Turn>,
    /// What is due in each slot, by its end: a turn costs no more with thousands of checks than with one. Entries of
    /// removed or changed checks are left behind and ignored when they come up.
    slots: BTreeMap<u64, VecDeque<(u64, CheckId)>>,
    tasks: usize,
    echoes: usize,
    skipped: Skipped,
    lateness: Lateness,
}

#[derive(Debug)]
struct Turn {
    every_ns: u64,
    due_ns: u64,
    running: u64,
    holds: Holds,
    /// Runs that may overlap.
    overlap: u64,
    /// Taken out of the plan while its last run was under way; forgotten when that ends.
    removed: bool,
}

impl Schedule {
    /// Takes `check` in, or changes its pace. A check whose interval stays keeps its turn.
    pub fn set(&mut self, check: CheckId, pace: Pace, now_ns: u64) {
        let every_ns = nanos(pace.every.max(SHORTEST));
        let turn = self.checks.entry(check).or_insert(Turn {
            every_ns: 0,
            due_ns: 0,
            running: 0,
            holds: pace.holds,
            overlap: 1,
            removed: true,
        });
        // A run that takes all its time ends a little behind it, so behind the next one's turn where both are equal.
        turn.overlap = nanos(pace.length) / every_ns + 1;
        if turn.running == 0 {
            turn.holds = pace.holds;
        }
        if turn.every_ns == every_ns && !turn.removed {
            return;
        }
        turn.every_ns = every_ns;
        turn.due_ns = now_ns + spread(check, every_ns.min(nanos(FIRST_WITHIN)));
        turn.removed = false;
        queue(&mut self.slots, turn.due_ns, check);
    }

    /// Takes `check` out. A run under way ends as it would have.
    pub fn remove(&mut self, check: CheckId) {
        match self.checks.get_mut(&check) {
            Some(turn) if turn.running > 0 => turn.removed = true,
            _ => drop(self.checks.remove(&check)),
        }
    }

    /// When to call [`Schedule::due`] next, the end of a slot; `None` without checks.
    pub fn next_ns(&self) -> Option<u64> {
        self.slots.keys().next().copied()
    }

    /// One check that is due, now counted as running; call until `None`.
    pub fn due(&mut self, now_ns: u64) -> Option<CheckId> {
        while let Some((due_ns, check)) = self.pop(now_ns) {
            let Some(turn) =
                self.checks.get_mut(&check).filter(|turn| turn.due_ns == due_ns && !turn.removed)
            else {
                continue;
            };
            let missed = (now_ns - due_ns) / turn.every_ns;
            turn.due_ns += (missed + 1) * turn.every_ns;
            queue(&mut self.slots, turn.due_ns, check);
            if turn.running >= turn.overlap {
                self.skipped.busy += 1;
                continue;
            }
            let (under_way, most) = match turn.holds {
                Holds::Task => (&mut self.tasks, IN_FLIGHT),
                Holds::Echo => (&mut self.echoes, ECHOES),
            };
            if *under_way >= most {
                self.skipped.limit += 1;
                continue;
            }
            turn.running += 1;
            *under_way += 1;
            self.lateness.count(Duration::from_nanos(now_ns - due_ns));
            return Some(check);
        }
        None
    }

    fn pop(&mut self, now_ns: u64) -> Option<(u64, CheckId)> {
        loop {
            let mut slot = self.slots.first_entry().filter(|slot| *slot.key() <= now_ns)?;
            if let Some(next) = slot.get_mut().pop_front() {
                return Some(next);
            }
            slot.remove();
        }
    }

    /// The run of `check` ended.
    pub fn ended(&mut self, check: CheckId) {
        let Some(turn) = self.checks.get_mut(&check).filter(|turn| turn.running > 0) else { return };
        turn.running -= 1;
        match turn.holds {
            Holds::Task => self.tasks -= 1,
            Holds::Echo => self.echoes -= 1,
        }
        if turn.removed && turn.running == 0 {
            self.checks.remove(&check);
        }
    }

    /// Runs left out so far.
    pub fn skipped(&self) -> Skipped {
        self.skipped
    }

    /// How late runs started so far.
    pub fn lateness(&self) -> Lateness {
        self.lateness
    }

    /// Runs under way.
    pub fn in_flight(&self) -> usize {
        self.tasks + self.echoes
    }
}

fn queue(slots: &mut BTreeMap<u64, VecDeque<(u64, CheckId)>>, due_ns: u64, check: CheckId) {
    slots.entry(slot_end_ns(due_ns)).or_default().push_back((due_ns, check));
}

/// Where in `within_ns` this check starts. Multiplying by 2^64 / golden ratio puts neighbouring ids far
/// apart.
fn spread(check: CheckId, within_ns: u64) -> u64 {
    let share = u64::from(check.0).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((u128::from(share) * u128::from(within_ns)) >> 64) as u64
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn every(seconds: u64) -> Pace {
        Pace { every: Duration::from_secs(seconds), length: Duration::from_secs(1), holds: Holds::Task }
    }

    fn ten_seconds(checks: u32) -> Schedule {
        let mut schedule = Schedule::default();
        for id in 0..checks {
            schedule.set(CheckId(id), every(10), 0);
        }
        schedule
    }

    /// Runs due in steps of 100 ms, each ending at once.
    fn run(schedule: &mut Schedule, from_ns: u64, to_ns: u64) -> Vec<(u64, CheckId)> {
        let mut runs = Vec::new();
        for now in (from_ns..to_ns).step_by(100_000_000) {
            while let Some(check) = schedule.due(now) {
                runs.push((now, check));
                schedule.ended(check);
            }
        }
        runs
    }

    #[test]
    fn fifty_checks_do_not_fire_at_once() {
        let runs = run(&mut ten_seconds(50), 0, 10 * SECOND);
        assert_eq!(runs.len(), 50, "each once an interval");
        for second in 0..10 {
            let fired = runs.iter().filter(|(at, _)| at / SECOND == second).count();
            assert!((3..=7).contains(&fired), "{fired} in second {second}");
        }
    }

    #[test]
    fn turns_depend_on_the_id_alone() {
        assert_eq!(run(&mut ten_seconds(9), 0, 30 * SECOND), run(&mut ten_seconds(9), 0, 30 * SECOND));
    }

    #[test]
    fn a_running_check_is_skipped_and_counted() {
        let mut schedule = ten_seconds(1);
        assert_eq!(schedule.due(10 * SECOND), Some(CheckId(0)));
        assert_eq!(schedule.due(20 * SECOND), None);
        assert_eq!(schedule.skipped(), Skipped { busy: 1, limit: 0 });
        schedule.ended(CheckId(0));
        assert_eq!(schedule.due(30 * SECOND), Some(CheckId(0)));
    }

    #[test]
    fn a_silent_target_is_asked_as_often_as_one_that_answers() {
        for (every_ms, length_ms) in [(500, 700), (1_000, 1_000), (1_000, 400)] {
            let mut schedule = Schedule::default();
            let (every, length) = (Duration::from_millis(every_ms), Duration::from_millis(length_ms));
            schedule.set(CheckId(0), Pace { every, length, holds: Holds::Task }, 0);
            let mut ends = std::collections::VecDeque::new();
            let mut runs = 0;
            for now in (0..20 * SECOND).step_by(100_000_000) {
                while ends.front().is_some_and(|end| *end < now) {
                    ends.pop_front();
                    schedule.ended(CheckId(0));
                }
                while schedule.due(now).is_some() {
                    runs += 1;
                    ends.push_back(now + length_ms * 1_000_000);
                }
            }
            assert!(runs >= 20_000 / every_ms - 1, "{runs} of {every_ms}");
            assert_eq!(schedule.skipped(), Skipped::default());
        }
    }

    #[test]
    fn beyond_the_limit_runs_are_left_out_and_counted() {
        let mut schedule = ten_seconds(IN_FLIGHT as u32 + 3);
        let started = std::iter::from_fn(|| schedule.due(10 * SECOND)).count();
        assert_eq!(started, IN_FLIGHT);
        assert_eq!(schedule.skipped(), Skipped { busy: 0, limit: 3 });
        assert_eq!(schedule.in_flight(), IN_FLIGHT);
        schedule.set(CheckId(u32::MAX), Pace { holds: Holds::Echo, ..every(10) }, 0);
        assert_eq!(
            schedule.due(10 * SECOND),
            Some(CheckId(u32::MAX)),
            "packets under way have a limit of their own"
        );
    }

    #[test]
    fn runs_of_one_slot_start_with_one_wake() {
        let mut schedule = ten_seconds(5000);
        let (mut wakes, mut runs) = (0, 0);
        while let Some(next_ns) = schedule.next_ns().filter(|next_ns| *next_ns <= 10 * SECOND) {
            wakes += 1;
            while let Some(check) = schedule.due(next_ns) {
                runs += 1;
                schedule.ended(check);
            }
        }
        assert_eq!((runs, wakes <= 1000), (5000, true), "{wakes} wakes in 1,000 slots");
    }

    #[test]
    fn a_late_wake_shows_and_so_does_a_prompt_one() {
        let mut schedule = ten_seconds(1);
        let first = schedule.next_ns().unwrap();
        assert!(schedule.due(first).is_some(), "at the end of its slot");
        assert_eq!(schedule.due(first), None);
        schedule.ended(CheckId(0));
        let second = schedule.next_ns().unwrap();
        assert!(schedule.due(second + 60_000_000).is_some());
        let runs = schedule.lateness().buckets().map(|(_, runs)| runs);
        assert_eq!(runs, [0, 1, 0, 0, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn after_a_suspend_each_check_runs_once() {
        let mut schedule = ten_seconds(5);
        assert_eq!(run(&mut schedule, 3600 * SECOND, 3600 * SECOND + 1).len(), 5);
        assert!(schedule.next_ns().is_some_and(|next| next > 3600 * SECOND));
    }

    #[test]
    fn a_check_kept_by_a_new_plan_keeps_its_turn() {
        let mut schedule = ten_seconds(1);
        let next = schedule.next_ns();
        schedule.set(CheckId(0), every(10), SECOND);
        assert_eq!(schedule.next_ns(), next);
        schedule.set(CheckId(0), every(1), SECOND);
        assert_eq!(run(&mut schedule, SECOND, 6 * SECOND).len(), 5);
    }

    #[test]
    fn a_removed_check_runs_no_more_but_may_return() {
        let mut schedule = ten_seconds(1);
        assert_eq!(schedule.due(10 * SECOND), Some(CheckId(0)));
        schedule.remove(CheckId(0));
        assert_eq!(schedule.due(40 * SECOND), None);
        schedule.ended(CheckId(0));
        assert_eq!((schedule.in_flight(), schedule.checks.len()), (0, 0));
        schedule.set(CheckId(0), every(10), 50 * SECOND);
        assert_eq!(schedule.due(60 * SECOND), Some(CheckId(0)));
    }

    #[test]
    fn the_first_run_of_a_daily_check_does_not_wait_a_day() {
        let mut schedule = Schedule::default();
        schedule.set(CheckId(7), every(86_400), 0);
        assert_eq!(schedule.due(10 * SECOND), Some(CheckId(7)));
        assert_eq!(schedule.due(86_000 * SECOND), None);
    }
}
