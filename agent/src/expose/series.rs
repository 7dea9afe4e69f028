//! The board's facts as series.

use super::run::Run;
use super::{Board, Facts, Fares, Shown};
use crate::schedule::Lateness;
use haidang_daemon::metrics::Metrics;
use haidang_probe::metric::Metric;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::fmt;

/// What is told of an uplink's quality.
const QUALITY: [Metric; 6] = [
    Metric::PathMtu,
    Metric::BottleneckUp,
    Metric::BottleneckUpLeast,
    Metric::BottleneckDown,
    Metric::BottleneckDownLeast,
    Metric::TrainLoss,
];

type Labels<'a> = Vec<(&'static str, &'a str)>;

impl Board {
    /// Shows the board in `metrics` from now on.
    pub fn register(&self, metrics: &Metrics) {
        metrics.register(|registry| registry.register_collector(Box::new(self.clone())));
    }
}

impl Collector for Board {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let facts = self.facts();
        let mut page = Page(&mut encoder);
        page.checks(&facts)?;
        page.samples(&facts)?;
        page.uplinks(&facts)?;
        page.agent(&facts)?;
        page.plan(&facts)
    }
}

struct Page<'a, 'e>(&'a mut DescriptorEncoder<'e>);

impl Page<'_, '_> {
    fn checks(&mut self, facts: &Facts) -> fmt::Result {
        let told =
            rows(facts).filter(|(_, run)| !matches!(run.result, Err(failure) if !failure.tells_of_target()));
        let success = told.map(|(shown, run)| (labels(shown), f64::from(u8::from(run.result.is_ok()))));
        self.metric(Metric::ProbeSuccess, success)?;
        let took =
            rows(facts).filter_map(|(shown, run)| Some((labels(shown), run.result.ok()?.as_secs_f64())));
        self.metric(Metric::ProbeDuration, took)?;
        let unknown = rows(facts).filter_map(|(shown, run)| {
            let failure = run.result.err().filter(|failure| !failure.tells_of_target())?;
            let mut labels = labels(shown);
            labels.push(("failure", failure.name()));
            Some((labels, 1.0))
        });
        self.gauges("probe_unknown", "1 while the check cannot tell of its target, and why", unknown)
    }

    fn samples(&mut self, facts: &Facts) -> fmt::Result {
        for &metric in Metric::ALL {
            let samples = rows(facts).flat_map(|(shown, run)| {
                run.values(metric).map(move |(part, value)| {
                    let mut labels = labels(shown);
                    if !part.is_empty() {
                        labels.push(("part", part));
                    }
                    (labels, value)
                })
            });
            self.metric(metric, samples)?;
        }
        Ok(())
    }

    fn uplinks(&mut self, facts: &Facts) -> fmt::Result {
        fn of<T>(
            facts: &Facts,
            value: impl Fn(&Fares) -> Option<T>,
        ) -> impl Iterator<Item = (Labels<'_>, T)> {
            facts.uplinks.iter().filter_map(move |(name, fares)| {
                value(fares).map(|value| (vec![("uplink", name.as_str())], value))
            })
        }
        self.counters(
            "haidang_agent_batches_brought",
            "Batches the collector answered",
            of(facts, |fares| Some(fares.brought)),
        )?;
        self.counters(
            "haidang_agent_batches_failed",
            "Attempts without a usable answer",
            of(facts, |fares| Some(fares.failed)),
        )?;
        let bound = of(facts, |fares| fares.bound.map(|bound| f64::from(u8::from(bound))));
        self.gauges(
            "haidang_agent_uplink_bound",
            "1 while the uplink's socket is bound to its source and interface",
            bound,
        )?;
        let heard = of(facts, |fares| fares.heard.map(|heard| f64::from(u8::from(heard))));
        self.gauges(
            "haidang_agent_liveness_heard",
            "1 while the collector's liveness packets arrive",
            heard,
        )?;
        for metric in QUALITY {
            let told = of(facts, |fares| {
                fares.quality.iter().find(|sample| sample.metric == metric).map(|sample| sample.value)
            });
            self.metric(metric, told)?;
        }
        self.gauges(
            "haidang_agent_uplink_last_hop",
            "Number of the last hop to the collector that answered the last trace",
            of(facts, |fares| fares.last_hop.map(f64::from)),
        )?;
        self.gauges(
            "haidang_agent_uplink_default_route",
            "1 where the uplink left as the machine's default route does when it was last traced, else 0",
            of(facts, |fares| fares.default.map(|default| f64::from(u8::from(default)))),
        )?;
        self.metric(Metric::LivenessRtt, of(facts, |fares| fares.round_trip.map(|rtt| rtt.as_secs_f64())))
    }

    fn agent(&mut self, facts: &Facts) -> fmt::Result {
        let (spool, one) = (facts.spool, |value| std::iter::once((Labels::new(), value)));
        self.gauges("haidang_agent_spool_bytes", "Bytes of the spool on disk", one(spool.bytes as f64))?;
        self.gauges("haidang_agent_spool_batches", "Batches not acknowledged", one(spool.unacked as f64))?;
        self.gauges("haidang_agent_spool_intervals", "Intervals they form", one(spool.intervals as f64))?;
        let one = |value| std::iter::once((Labels::new(), value));
        self.counters(
            "haidang_agent_spool_lost_batches",
            "Batches lost to the bound or to damage",
            one(spool.lost),
        )?;
        self.counters(
            "haidang_agent_spool_reduced_batches",
            "Batches reduced to digests, for their age or for want of room",
            one(spool.reduced),
        )?;
        self.counters(
            "haidang_agent_spool_expired_records",
            "Digests and events left out for their age",
            one(spool.expired),
        )?;
        self.counters(
            "haidang_agent_spool_reduced_samples",
            "Values measured beside runs that were reduced: no digest keeps them",
            one(spool.samples),
        )?;
        self.counters(
            "haidang_agent_refused_batches",
            "Batches the collector refused for good",
            one(spool.refused),
        )?;
        self.counters("haidang_agent_dropped_records", "Records the disk took too late", one(facts.dropped))?;
        let skipped = [("busy", facts.skipped.busy), ("limit", facts.skipped.limit)];
        let skipped = skipped.map(|(reason, count)| (vec![("reason", reason)], count));
        self.counters("haidang_agent_skipped_runs", "Runs left out", skipped.into_iter())?;
        self.lateness(&facts.lateness)?;
        let one = |value| std::iter::once((Labels::new(), value));
        self.counters(
            "haidang_agent_icmp_dropped",
            "ICMP packets our own receive buffer had no room for; their runs are unknown, not lost",
            one(facts.echoes.dropped),
        )?;
        self.counters(
            "haidang_agent_icmp_strays",
            "ICMP packets that answer nothing under way: late, doubled, foreign or forged",
            one(facts.echoes.strays),
        )?;
        let one = |value| std::iter::once((Labels::new(), value));
        self.counters("haidang_agent_traces", "Ways traced on doubt", one(facts.traces))?;
        let untraced = facts.untraced.iter().map(|(reason, count)| (vec![("reason", *reason)], *count));
        self.counters("haidang_agent_traces_left_out", "Traces on doubt left out", untraced)?;
        let one = |value| std::iter::once((Labels::new(), value));
        self.gauges("haidang_agent_runs_in_flight", "Runs under way", one(facts.in_flight as f64))
    }

    fn plan(&mut self, facts: &Facts) -> fmt::Result {
        let plan = &facts.plan;
        let (digest, source) = (plan.digest.hex(), if plan.delivered { "collector" } else { "file" });
        let labels = vec![("digest", digest.as_str()), ("source", source)];
        self.gauges(
            "haidang_agent_plan",
            "1: the plan that runs, and where it came from",
            std::iter::once((labels, 1.0)),
        )?;
        for (name, help, count) in [
            ("haidang_agent_plans_taken", "Delivered plans taken over", plan.taken),
            ("haidang_agent_plans_refused", "Delivered plans refused; the one before ran on", plan.refused),
            ("haidang_agent_plans_unkept", "Plans taken over that the disk did not keep", plan.unkept),
        ] {
            self.counters(name, help, std::iter::once((Labels::new(), count)))?;
        }
        let resting = std::iter::once((Labels::new(), facts.resting as f64));
        self.gauges(
            "haidang_agent_resting",
            "Checks and listeners that rest after a fault of the agent",
            resting,
        )?;
        let metered = facts.metered.iter();
        self.gauges(
            "haidang_agent_metered_bytes",
            "What a metered line carried this month",
            metered.map(|(line, octets)| (vec![("line", line.as_str())], *octets as f64)),
        )
    }

    fn lateness(&mut self, lateness: &Lateness) -> fmt::Result {
        let (name, help) =
            ("haidang_agent_run_lateness_seconds", "How late runs start; up to 0.01 is their slot");
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        let (sum, runs) = (lateness.sum().as_secs_f64(), lateness.runs());
        family.encode_histogram::<NoLabelSet>(sum, runs, &lateness.buckets(), None)
    }

    /// A metric an agent reports. Counters keep the name they have everywhere else, which OpenMetrics would
    /// make end in `_total`; so the text says that their type is unknown.
    fn metric<'l>(&mut self, metric: Metric, rows: impl Iterator<Item = (Labels<'l>, f64)>) -> fmt::Result {
        let kind = match metric.kind() {
            haidang_probe::metric::Kind::Gauge => MetricType::Gauge,
            haidang_probe::metric::Kind::Counter => MetricType::Unknown,
        };
        self.values(metric.name(), metric.help(), kind, rows)
    }

    fn gauges<'l>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl Iterator<Item = (Labels<'l>, f64)>,
    ) -> fmt::Result {
        self.values(name, help, MetricType::Gauge, rows)
    }

    fn values<'l>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        rows: impl Iterator<Item = (Labels<'l>, f64)>,
    ) -> fmt::Result {
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in rows {
            // Without labels the series stands bare: `name 1`, not `name{} 1`.
            if labels.is_empty() {
                family.encode_gauge(&value)?;
            } else {
                family.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }

    fn counters<'l>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl Iterator<Item = (Labels<'l>, u64)>,
    ) -> fmt::Result {
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in rows {
            if labels.is_empty() {
                family.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
            } else {
                family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
            }
        }
        Ok(())
    }
}

/// Checks that have run, with their last run.
fn rows(facts: &Facts) -> impl Iterator<Item = (&Shown, &Run)> {
    facts.checks.iter().filter_map(|shown| Some((shown, shown.last.as_ref()?)))
}

fn labels(shown: &Shown) -> Labels<'_> {
    vec![("check", shown.name.as_str()), ("target", shown.target.as_str())]
}
