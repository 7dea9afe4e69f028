//! What a run that ended brings: an outcome for the keeper, and what is seen in it: links and pages that changed, ways in doubt.

use super::Agent;
use haidang_probe::check::CheckId;
use haidang_probe::event::Event;
use haidang_probe::outcome::Outcome;
use tokio::task::JoinError;

impl Agent {
    /// A run with a task of its own ended.
    pub(super) async fn ended(&mut self, ended: Result<(tokio::task::Id, Outcome), JoinError>) {
        let run = ended.as_ref().map_or_else(JoinError::id, |(run, _)| *run);
        if let Some(check) = self.running.remove(&run) {
            self.schedule.ended(check);
        }
        let mut outcome = match ended {
            Ok((_, outcome)) => outcome,
            Err(error) => return tracing::error!(%error, "a probe ended early"),
        };
        tracing::trace!(check = %outcome.check, result = ?outcome.result, "run ended");
        let name = self.asked.get(&outcome.check).map_or("", |asked| &asked.name);
        let seen = self.portals.see(&mut outcome, name);
        self.shared.board.outcome(&outcome);
        self.doubter.saw(&outcome, &self.asked);
        let told = self.told_of_path(outcome.check);
        for event in seen.into_iter().chain(told).chain(self.links.see(&outcome)) {
            tracing::info!(part = event.part, event = event.kind.name(), "changed");
            let _ = self.events.send(event).await;
        }
        let _ = self.outcomes.send(outcome).await;
    }

    /// What the run of a check of a path has to tell beside its outcome.
    fn told_of_path(&self, check: CheckId) -> Vec<Event> {
        let Some(asked) = self.asked.get(&check) else { return Vec::new() };
        let traced = asked.question.as_ref().and_then(|question| self.probes.traced(question));
        traced.map(|traced| traced.events(&asked.name, false)).unwrap_or_default()
    }

    /// Runs that had no task ended, many at once.
    pub(super) async fn echoed(&mut self, outcomes: Vec<Outcome>) {
        for outcome in &outcomes {
            tracing::trace!(check = %outcome.check, result = ?outcome.result, "run ended");
            self.schedule.ended(outcome.check);
            self.doubter.saw(outcome, &self.asked);
        }
        self.shared.board.outcomes(&outcomes);
        for outcome in outcomes {
            let _ = self.outcomes.send(outcome).await;
        }
    }
}
