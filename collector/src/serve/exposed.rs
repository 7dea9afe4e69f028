//! What the collector tells about its own work in `/metrics`, beside what each port and thread counts.

use crate::fold::Fold;
use crate::store::Store;
use crate::watch::Watch;
use haidang_daemon::metrics::Metrics;
use haidang_daemon::reload::Reading;
use haidang_daemon::serve::Health;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::{counter::ConstCounter, gauge::ConstGauge};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What `/readyz` adds: that there is a fault, not what it says.
const NOT_TAKEN: &str = "the changed configuration is not taken over; `haidang-collector check` says why";

/// Ready while the fold can keep what it is given; a configuration that was not taken over is told beside.
pub(super) fn health(metrics: &Metrics, fold: &Fold, reading: &Reading) -> Health {
    let (fold, reading) = (fold.clone(), reading.clone());
    let ready = move || fold.fault().map_or(Ok(()), Err);
    Health::new(metrics.clone(), ready).with_note(move || reading.failed().then(|| NOT_TAKEN.to_owned()))
}

/// The fold and the store, read at each scrape.
#[derive(Clone)]
pub(super) struct Exposed {
    fold: Fold,
    store: Arc<Store>,
}

impl Exposed {
    pub(super) fn register(metrics: &Metrics, fold: Fold, store: Arc<Store>) {
        metrics.register(|registry| registry.register_collector(Box::new(Exposed { fold, store })));
    }
}

impl fmt::Debug for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exposed").finish_non_exhaustive()
    }
}

impl Collector for Exposed {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let (fold, store) = (self.fold.counts(), self.store.counts());
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counters = [
            ("fold_entries", "Entries appended and folded", read(&fold.entries)),
            ("fold_repeats", "Batches that were repeats", read(&fold.repeats)),
            ("fold_queue_full", "Submissions refused because the queue was full", read(&fold.full)),
            ("fold_refused", "Entries the journal refused", read(&fold.refused)),
            ("fold_syncs", "Syncs of the journal", read(&fold.syncs)),
            ("journal_dropped", "Records dropped to the journal's bound", read(&fold.dropped)),
            ("store_samples", "Samples taken", store.samples),
            ("store_repeats", "Samples of a series and instant that were there", store.repeats),
            ("store_late", "Samples older than is kept", store.late),
            ("store_ahead", "Samples too far ahead of the clock", store.ahead),
            ("store_unplaced", "Outcomes of a boot whose clock nobody described", store.unplaced),
            ("store_refused", "Samples beyond the store's limits", store.refused),
            ("store_behind", "Records the samples journal could not take", store.behind),
            ("store_garbled", "Chunks of samples that did not read", store.garbled),
        ];
        for (name, help, value) in counters {
            let metric = ConstCounter::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
        }
        let gauges = [
            ("fold_seq", "Position of the last entry folded", self.fold.read(Watch::seq)),
            ("journal_bytes", "Size of the evidence journal", read(&fold.bytes)),
            (
                "checkpoint_seconds",
                "Unix time of the last checkpoint a start may begin at",
                read(&fold.checkpoint),
            ),
            ("store_series", "Series held", store.series as u64),
            ("store_head_bytes", "Size of samples in memory, not sealed yet", store.head as u64),
            ("store_sealed_bytes", "Size of sealed samples on disk", store.sealed),
            ("store_journal_bytes", "Size of the samples journal", store.journal),
        ];
        for (name, help, value) in gauges {
            let metric = ConstGauge::new(value as i64);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
        }
        Ok(())
    }
}
