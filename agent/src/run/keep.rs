//! What is kept on disk beside the spool, now and then and at the end.

use super::{Agent, off_the_thread};
use std::time::Duration;

/// Between two writes of what metered lines carried and of the pages that are known.
pub(super) const EVERY: Duration = Duration::from_secs(600);

impl Agent {
    pub(super) async fn keep_counts(&mut self) {
        let (meter, directory) = (self.shared.meter.clone(), self.settings.directory.clone());
        if let Err(error) = off_the_thread(move || meter.keep(&directory)).await {
            tracing::warn!(%error, "what metered lines carried is not kept on disk");
        }
        let (resting, now_ns) = (self.resting.clone(), self.shared.clock.steady_ns());
        self.shared.board.resting(resting.count(now_ns));
        if let Err(error) = off_the_thread(move || resting.forget(now_ns)).await {
            tracing::warn!(%error, "what rested an hour rests again after the next start");
        }
        let (keep, directory) = (self.portals.unkept(), self.settings.directory.clone());
        if let Some(keep) = keep
            && let Err(error) = off_the_thread(move || keep(&directory)).await
        {
            tracing::warn!(%error, "the known pages of portals are not kept on disk");
        }
    }
}
