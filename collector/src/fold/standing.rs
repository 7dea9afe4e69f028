//! How lines and sites stood, as samples: the bars of availability are made of them.

use crate::topology::Id;
use crate::watch::{Verdict, Watch, lines::LineSample};
use haidang_probe::metric::Metric;

/// The samples and, beside them, one of each line and one of each site (with no line's name) at `at`, UTC ms.
pub(super) fn beside(mut samples: Vec<LineSample>, watch: &Watch, at: i64) -> Vec<LineSample> {
    let mut add = |site: &Id, line: &str, metric, verdict| {
        if let Some(value) = available(verdict) {
            samples.push(LineSample { site: site.clone(), line: line.to_owned(), metric, at, value });
        }
    };
    let record = watch.topology();
    for (id, line) in &record.lines {
        add(&line.site, id, Metric::LineAvailable, watch.line(id).verdict);
    }
    for id in record.sites.keys() {
        add(id, "", Metric::SiteAvailable, watch.site(id).verdict);
    }
    samples
}

/// Whether a promise was kept. Nothing is said of what is not known, not promised at this hour, or announced.
fn available(verdict: Verdict) -> Option<f64> {
    match verdict {
        Verdict::Up | Verdict::Degraded => Some(1.0),
        Verdict::Affected | Verdict::Down => Some(0.0),
        Verdict::OffHours | Verdict::Maintenance | Verdict::Unknown => None,
    }
}
