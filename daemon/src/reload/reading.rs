//! How reading the configuration went last, as `/metrics` and `/readyz` show it.
//!
//! ```text
//! haidang_config_last_reload_successful                  1, or 0 while the files in place are not the ones in use
//! haidang_config_last_reload_success_timestamp_seconds   when those in use were read
//! haidang_config_info{digest="…"}                        SHA-256 of those in use: digest() of their directory
//! ```

use super::Digest;
use crate::metrics::Metrics;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::{gauge::ConstGauge, info::Info};
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The last reading; cheap to clone, all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Reading(Arc<Mutex<Facts>>);

#[derive(Debug, Default)]
struct Facts {
    failed: bool,
    at_ms: i64,
    digest: String,
}

impl Reading {
    /// The start's, which was good.
    pub fn register(metrics: &Metrics, digest: Digest, now_ms: i64) -> Reading {
        let reading = Reading::default();
        reading.good(digest, now_ms);
        metrics.register(|registry| registry.register_collector(Box::new(reading.clone())));
        reading
    }

    /// Files of this digest were taken over at `now_ms` (UTC).
    pub fn good(&self, digest: Digest, now_ms: i64) {
        let mut hex = String::with_capacity(64);
        for octet in digest {
            // Writing to a String does not fail.
            let _ = write!(hex, "{octet:02x}");
        }
        *self.facts() = Facts { failed: false, at_ms: now_ms, digest: hex };
    }

    /// The files in place are not taken over; those before stay in use.
    pub fn bad(&self) {
        self.facts().failed = true;
    }

    /// Whether the files in place are not the ones in use.
    pub fn failed(&self) -> bool {
        self.facts().failed
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let facts = self.facts();
        let gauges = [
            (
                "haidang_config_last_reload_successful",
                "Whether the configuration was good when it was read last",
                i64::from(!facts.failed),
            ),
            (
                "haidang_config_last_reload_success_timestamp_seconds",
                "When the configuration in use was read, seconds since 1970",
                facts.at_ms.div_euclid(1_000),
            ),
        ];
        for (name, help, value) in gauges {
            let metric = ConstGauge::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
        }
        let info = Info::new([("digest", facts.digest.clone())]);
        let help = "SHA-256 of the configuration in use, over names and bytes of its files";
        info.encode(encoder.encode_descriptor("haidang_config", help, None, info.metric_type())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_reading_keeps_the_digest_and_the_time_of_the_good_one() {
        let metrics = Metrics::new();
        let reading = Reading::register(&metrics, [0xab; 32], 1_000);
        reading.good([0xcd; 32], 2_500);
        reading.bad();
        let text = metrics.text().unwrap();
        for line in [
            "haidang_config_last_reload_successful 0".to_owned(),
            "haidang_config_last_reload_success_timestamp_seconds 2".to_owned(),
            format!("haidang_config_info{{digest=\"{}\"}} 1", "cd".repeat(32)),
        ] {
            assert!(text.lines().any(|told| told == line), "{line} in\n{text}");
        }
        assert!(!text.contains("abab"), "one series, not one for each digest there was");
    }
}
