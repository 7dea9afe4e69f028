//! `expect.data`: the samples of a gap that must be there after it.

use crate::record;
use crate::scene::Gap;
use crate::targets::Targets;
use anyhow::Context;
use haidang_tests::console::Console;

/// The store answers in steps of this, seconds; every check of an agent runs once in it.
const STEP: i64 = 10;

/// What became of the gap's samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backfill {
    /// Outcomes that the agent's checks had in the gap.
    pub expected: u64,
    /// Those that the collector shows.
    pub arrived: u64,
    /// Whether that is as many as must.
    pub enough: bool,
}

/// Counts the outcomes of a commune's checks in the gap of a scenario that began at `t0`.
///
/// # Errors
/// When the console does not answer.
pub fn count(console: &Console, targets: &Targets, gap: &Gap, t0: f64) -> anyhow::Result<Backfill> {
    // Whole steps within the gap alone.
    let from = ((t0 + gap.gap[0]) as i64 / STEP + 1) * STEP;
    let to = (t0 + gap.gap[1]) as i64 / STEP * STEP;
    let commune =
        targets.communes.get(&gap.commune).with_context(|| format!("no commune {}", gap.commune))?;
    let checks = record::check_names(targets, &gap.commune, commune);
    let mut arrived = 0;
    for check in &checks {
        let text = |second: i64| jiff::Timestamp::from_second(second).map(|at| at.to_string());
        let (from, to, site) = (text(from)?, text(to)?, &gap.commune);
        let query = format!("site={site}&metric=probe_success&check={check}&from={from}&to={to}&step={STEP}");
        let points = console.get(&format!("/api/v1/series?{query}"))?;
        let counts = points.as_array().into_iter().flatten().filter_map(|point| point[4].as_u64());
        arrived += counts.sum::<u64>();
    }
    let expected = (to - from) as u64 / STEP as u64 * checks.len() as u64;
    Ok(Backfill {
        expected,
        arrived,
        enough: arrived as f64 >= gap.backfilled_fraction_min * expected as f64,
    })
}
