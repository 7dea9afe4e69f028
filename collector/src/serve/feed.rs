//! From the fold to those who keep what it heard: series, and the liveness ends.

use crate::fold::Hooks;
use crate::history::kept::History;
use crate::liveness::Liveness;
use crate::store::{Row, Store};
use crate::watch::lines::LineSample;
use haidang_daemon::clock::Clock;
use haidang_probe::check::CheckId;
use haidang_probe::metric::Metric;
use std::sync::Arc;

/// The check under which a site's own standing is kept.
const SITE: &str = "site";

/// What the fold calls.
pub(super) fn hooks(store: &Arc<Store>, history: &Arc<History>, liveness: &Liveness, clock: &Clock) -> Hooks {
    let (of_batches, of_lines, at_checkpoint) = (store.clone(), store.clone(), store.clone());
    let (liveness, clock) = (liveness.clone(), clock.clone());
    Hooks {
        on_batch: Box::new(move |position, received, batch| {
            of_batches.take_batch(Some(position), &received.agent, batch, received.at);
        }),
        on_train: Box::new(move |ssid, until| liveness.train(ssid, until)),
        on_lines: Box::new(move |position, samples| take(&of_lines, position, samples, clock.utc_ms())),
        on_checkpoint: Box::new(move || {
            if let Err(error) = at_checkpoint.flush() {
                tracing::debug!(%error, "samples wait for the disk");
            }
        }),
        history: Some(history.clone()),
    }
}

/// A line's liveness stands in the store as a check of its site named `liveness/LINE`, what is said of the
/// site itself as the check `site`.
fn take(store: &Store, position: u64, samples: &[LineSample], now: i64) {
    let of = |sample: &LineSample| match sample.line.as_str() {
        "" => CheckId::of_name(SITE),
        line => CheckId::of_line(line),
    };
    let values: Vec<[(Metric, &str, f64); 1]> =
        samples.iter().map(|sample| [(sample.metric, "", sample.value)]).collect();
    let rows = samples.iter().zip(&values);
    let rows =
        rows.map(|(sample, values)| Row { site: &sample.site, check: of(sample), at: sample.at, values });
    store.take(Some(position), &rows.collect::<Vec<_>>(), now);
}
