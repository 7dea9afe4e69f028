//! What a program counts about itself, as OpenMetrics 1.0 text.
//!
//! A [`Metrics`] is a shared registry of `prometheus-client`. Each part registers its own counters once and
//! keeps the handles; a scrape encodes all of them together with the process's own (memory, CPU, open files,
//! start), which are read from `/proc/self` at that moment and left out where `/proc` does not tell.
//!
//! ```
//! use prometheus_client::metrics::counter::Counter;
//!
//! let metrics = haidang_daemon::metrics::Metrics::new();
//! let sent = Counter::<u64>::default();
//! metrics.register(|registry| registry.register("batches_sent", "Batches acknowledged", sent.clone()));
//! sent.inc();
//! assert!(metrics.text().is_ok_and(|text| text.contains("batches_sent_total 1")));
//! ```

pub mod classic;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// `Content-Type` of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A registry, cheap to clone; all clones are the same registry.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Mutex<Registry>>);

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// A registry that already tells about this process.
    pub fn new() -> Metrics {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process));
        Metrics(Arc::new(Mutex::new(registry)))
    }

    /// Lets `add` register metrics. Counters get their `_total`, and help texts their full stop, when encoded.
    pub fn register<T>(&self, add: impl FnOnce(&mut Registry) -> T) -> T {
        add(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All metrics now, ending in `# EOF`.
    ///
    /// # Errors
    /// When a collector cannot write itself.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

/// The process's own metrics, under the names every Prometheus client uses.
#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let Ok(process) = procfs::process::Process::myself() else { return Ok(()) };
        if let Ok(stat) = process.stat() {
            let ticks = procfs::ticks_per_second() as f64;
            let cpu = (stat.utime + stat.stime) as f64 / ticks;
            let help = "CPU time of all threads, user and system";
            counter(&mut encoder, "process_cpu", help, &Unit::Seconds, cpu)?;
            let help = "Memory held in RAM";
            let resident = stat.rss.saturating_mul(procfs::page_size());
            gauge(&mut encoder, "process_resident_memory", help, Some(&Unit::Bytes), resident as f64)?;
            let help = "Address space in use";
            gauge(&mut encoder, "process_virtual_memory", help, Some(&Unit::Bytes), stat.vsize as f64)?;
            gauge(&mut encoder, "process_threads", "Threads", None, stat.num_threads as f64)?;
            if let Ok(booted) = procfs::boot_time_secs() {
                let started = booted as f64 + stat.starttime as f64 / ticks;
                let help = "Start of the process, seconds since 1970";
                gauge(&mut encoder, "process_start_time", help, Some(&Unit::Seconds), started)?;
            }
        }
        if let Ok(open) = process.fd_count() {
            gauge(&mut encoder, "process_open_fds", "Open file descriptors", None, open as f64)?;
        }
        Ok(())
    }
}

fn counter(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    unit: &Unit,
    value: f64,
) -> Result<(), fmt::Error> {
    let metric = ConstCounter::new(value);
    metric.encode(encoder.encode_descriptor(name, help, Some(unit), metric.metric_type())?)
}

fn gauge(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: f64,
) -> Result<(), fmt::Error> {
    let metric = ConstGauge::new(value);
    metric.encode(encoder.encode_descriptor(name, help, unit, metric.metric_type())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;

    fn value(text: &str, name: &str) -> f64 {
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}")).rsplit(' ').next().unwrap().parse().unwrap()
    }

    #[test]
    fn tells_about_the_process_under_the_usual_names() {
        let text = Metrics::new().text().unwrap();
        assert!(value(&text, "process_resident_memory_bytes") > 1e6);
        assert!(value(&text, "process_open_fds") >= 3.0);
        assert!(value(&text, "process_cpu_seconds_total") >= 0.0);
        assert!(value(&text, "process_start_time_seconds") > 1.6e9);
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn a_clone_registers_into_the_same_registry() {
        let metrics = Metrics::new();
        let sent = Counter::<u64>::default();
        metrics.clone().register(|r| r.register("batches_sent", "Batches acknowledged", sent.clone()));
        sent.inc_by(3);
        assert!((value(&metrics.text().unwrap(), "batches_sent_total") - 3.0).abs() < f64::EPSILON);
    }
}
