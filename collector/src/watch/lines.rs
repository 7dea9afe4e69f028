//! Liveness of each line as series: round trip and loss per direction over ten seconds.

use crate::{detect::graph::Graph, entry::Tick, topology::Id};
use haidang_probe::metric::Metric;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Length of an interval, ms.
const INTERVAL: i64 = 10_000;

/// One value of one line.
#[derive(Clone, Debug, PartialEq)]
pub struct LineSample {
    /// Site of the line.
    pub site: Id,
    /// The line.
    pub line: Id,
    /// What was measured.
    pub metric: Metric,
    /// End of the interval, UTC ms.
    pub at: i64,
    /// In the metric's base unit.
    pub value: f64,
}

/// Counts of one line in the current interval.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Counts {
    up: u32,
    up_lost: u32,
    last_up: Option<u8>,
    sent: u32,
    answered: u32,
    rtt_tenths: Vec<u32>,
}

/// Counts of all lines, by up session id.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Lines {
    from: i64,
    counts: BTreeMap<u16, Counts>,
}

impl Lines {
    /// Counts a tick; at the end of an interval gives what was measured.
    pub fn tick(&mut self, graph: &Graph, tick: &Tick) -> Option<Vec<LineSample>> {
        for heard in &tick.up {
            let counts = self.counts.entry(heard.ssid).or_default();
            // A step of half the octet or more is a new session, not a loss.
            let step = counts.last_up.map_or(1, |last| heard.seq.wrapping_sub(last));
            counts.up_lost += u32::from(step.saturating_sub(1)) * u32::from(step < 128);
            counts.last_up = Some(heard.seq);
            counts.up += 1;
        }
        tick.sent.iter().for_each(|sent| self.counts.entry(sent.ssid).or_default().sent += 1);
        for heard in &tick.down {
            let counts = self.counts.entry(heard.ssid).or_default();
            counts.answered += 1;
            counts.rtt_tenths.push(heard.rtt_tenths);
        }
        if tick.at - self.from < INTERVAL {
            return None;
        }
        self.from = tick.at.div_euclid(INTERVAL) * INTERVAL;
        Some(self.take(graph, tick.at))
    }

    fn take(&mut self, graph: &Graph, at: i64) -> Vec<LineSample> {
        let mut samples = Vec::new();
        for line in &graph.lines {
            let Some(counts) = line.ssid.and_then(|ssid| self.counts.get_mut(&ssid)) else { continue };
            let (site, line) = (graph.sites[line.site].id.clone(), line.id.clone());
            let mut add = |metric, value| {
                samples.push(LineSample { site: site.clone(), line: line.clone(), metric, at, value });
            };
            let asked = counts.up + counts.up_lost;
            if asked > 0 {
                add(Metric::LivenessLossUp, f64::from(counts.up_lost) / f64::from(asked));
            }
            if counts.sent > 0 {
                let answered = f64::from(counts.answered.min(counts.sent));
                add(Metric::LivenessLoss, 1.0 - answered / f64::from(counts.sent));
            }
            counts.rtt_tenths.sort_unstable();
            if let Some(median) = counts.rtt_tenths.get(counts.rtt_tenths.len() / 2) {
                add(Metric::LivenessRtt, f64::from(*median) / 10_000.0);
            }
            *counts = Counts { last_up: counts.last_up, ..Counts::default() };
        }
        samples
    }
}
