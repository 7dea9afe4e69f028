//! The same metrics for readers that do not speak OpenMetrics: Prometheus' text format 0.0.4.
//!
//! ```text
//! OpenMetrics                    0.0.4
//! # TYPE batches counter         # TYPE batches_total counter      the name its samples have
//! # TYPE build info              # TYPE build_info gauge
//! # TYPE x unknown               # TYPE x untyped
//! # UNIT …, # EOF                nothing
//! batches_total 1                batches_total 1                   samples are the same
//! ```

/// `Content-Type` of what [`classic`] makes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// An OpenMetrics page as text format 0.0.4.
pub fn classic(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    let mut help = None;
    for line in page.lines() {
        if let Some(said) = line.strip_prefix("# HELP ") {
            help = said.split_once(' ');
        } else if let Some((name, kind)) =
            line.strip_prefix("# TYPE ").and_then(|typed| typed.split_once(' '))
        {
            let (end, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            if let Some((_, said)) = help.take().filter(|(helped, _)| *helped == name) {
                text.extend(["# HELP ", name, end, " ", said, "\n"]);
            }
            text.extend(["# TYPE ", name, end, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            text.extend([line, "\n"]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::info::Info;

    #[test]
    fn names_of_families_are_those_of_their_samples() {
        let metrics = Metrics::new();
        metrics.register(|registry| {
            registry.register("batches", "Batches # kept", Counter::<u64>::default());
            registry.register("plan", "Plan", Info::new([("digest", "ab")]));
        });
        let text = classic(&metrics.text().unwrap());
        for line in [
            "# HELP batches_total Batches # kept.",
            "# TYPE batches_total counter",
            "batches_total 0",
            "# TYPE plan_info gauge",
            "plan_info{digest=\"ab\"} 1",
            "# TYPE process_resident_memory_bytes gauge",
            "# TYPE process_cpu_seconds_total counter",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
        assert!(!text.contains("# UNIT") && !text.contains("# EOF"), "{text}");
    }

    #[test]
    fn what_has_no_known_kind_is_untyped() {
        assert_eq!(
            classic("# HELP x y\n# TYPE x unknown\nx 1\n# EOF\n"),
            "# HELP x y\n# TYPE x untyped\nx 1\n"
        );
        assert_eq!(classic("# TYPE x unknown\nx 1\n"), "# TYPE x untyped\nx 1\n");
    }
}
