//! What digests of an agent's say, as samples.
//!
//! ```text
//! line  ─▶ check liveness/LINE of the site, at its end: loss from centre to site; of a gap also from site to centre
//! check ─▶ the check itself, at its end: share of runs that succeeded, median duration
//! ```
//!
//! What was lost from site to centre while the centre listened it knows better by itself: a gap is a batch that waited
//! to be brought, however long its agent gathers.

use super::Row;
use haidang_probe::batch::Batch;
use haidang_probe::check::CheckId;
use haidang_probe::digest::CheckDigest;
use haidang_probe::metric::Metric;
use haidang_probe::moment::Moment;
use std::time::Duration;

/// A batch that comes so long after the newest it tells, ms, is of a time when the site was not heard.
const GAP_MS: i64 = 30_000;

/// Some values of one instant.
#[derive(Debug)]
pub(super) struct Told {
    check: CheckId,
    at: i64,
    values: Vec<(Metric, &'static str, f64)>,
}

impl Told {
    /// UTC ms.
    pub(super) fn at(&self) -> i64 {
        self.at
    }

    pub(super) fn row<'a>(&'a self, site: &'a str) -> Row<'a> {
        Row { site, check: self.check, at: self.at, values: &self.values }
    }
}

/// Of uplinks, in a batch that came at `received`, UTC ms.
pub(super) fn lines(batch: &Batch, received: i64) -> Vec<Told> {
    let gap = newest(batch).is_some_and(|newest| received.saturating_sub(newest) > GAP_MS);
    let told = batch.lines.iter().filter_map(|digest| {
        let at = end(batch, digest.from, digest.lasted)?;
        let line = digest.uplink.rsplit_once('/').map_or(&*digest.uplink, |(line, _)| line);
        let down = digest.loss_down().map(|loss| (Metric::LivenessLossDown, "", loss));
        let up = digest.loss_up().filter(|_| gap).map(|loss| (Metric::LivenessLossUp, "", loss));
        let check = CheckId::of_name(&format!("liveness/{line}"));
        Some(Told { check, at, values: down.into_iter().chain(up).collect() })
    });
    told.collect()
}

/// Of runs that were too old to be kept one by one.
pub(super) fn checks(batch: &Batch) -> Vec<Told> {
    let told = batch.checks.iter().filter_map(|digest: &CheckDigest| {
        let at = end(batch, digest.from, digest.lasted)?;
        let success = digest.success().map(|share| (Metric::ProbeSuccess, "", share));
        let median = f64::from(digest.took.median) / 1e6;
        let took = (digest.succeeded > 0).then_some((Metric::ProbeDuration, "", median));
        Some(Told { check: digest.check, at, values: success.into_iter().chain(took).collect() })
    });
    told.collect()
}

/// The last that a batch tells of, UTC ms.
fn newest(batch: &Batch) -> Option<i64> {
    let outcomes = batch.outcomes.iter().map(|outcome| (outcome.sent, Duration::ZERO));
    let events = batch.events.iter().map(|event| (event.at, Duration::ZERO));
    let lines = batch.lines.iter().map(|digest| (digest.from, digest.lasted));
    let all = outcomes.chain(events).chain(lines);
    all.filter_map(|(from, lasted)| end(batch, from, lasted)).max()
}

/// UTC ms.
fn end(batch: &Batch, from: Moment, lasted: Duration) -> Option<i64> {
    let clock = batch.clocks.iter().find(|clock| clock.boot == from.boot)?;
    clock.utc_ms(from.mono_ns).checked_add(i64::try_from(lasted.as_millis()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_probe::digest::{LineDigest, Spread};
    use haidang_probe::moment::ClockMap;
    use haidang_probe::outcome::Failure;

    fn batch(sent: u32, answered: u32, due: u32, heard: u32) -> Batch {
        let uplink = "d2-c06/40".into();
        let lasted = Duration::from_secs(10);
        let line = LineDigest { uplink, lasted, sent, answered, due, heard, ..LineDigest::default() };
        Batch { clocks: vec![ClockMap::default()], lines: vec![line], ..Batch::default() }
    }

    #[test]
    fn a_gap_has_both_directions_and_what_was_heard_live_has_the_one_that_the_centre_cannot_know() {
        let cut_upwards = batch(10, 0, 10, 10);
        let gap = lines(&cut_upwards, 10_000 + GAP_MS + 1);
        assert_eq!((gap[0].check, gap[0].at), (CheckId::of_name("liveness/d2-c06"), 10_000));
        assert_eq!(gap[0].values, [(Metric::LivenessLossDown, "", 0.0), (Metric::LivenessLossUp, "", 1.0)]);
        assert_eq!(lines(&cut_upwards, 12_000)[0].values, [(Metric::LivenessLossDown, "", 0.0)]);
        assert_eq!(lines(&batch(10, 0, 10, 0), 99_999)[0].values, [(Metric::LivenessLossDown, "", 1.0)]);
    }

    #[test]
    fn what_an_agent_gathered_for_minutes_and_brought_at_once_is_no_gap() {
        let (mut slow, latest) = (batch(10, 0, 10, 10), batch(10, 10, 10, 10).lines.remove(0));
        slow.lines
            .push(LineDigest { from: Moment { mono_ns: 290_000_000_000, ..Moment::default() }, ..latest });
        let told = lines(&slow, 301_000);
        assert_eq!((told.len(), told[0].at), (2, 10_000));
        assert!(told.iter().all(|told| told.values == [(Metric::LivenessLossDown, "", 0.0)]), "{told:?}");
        assert!(lines(&slow, 300_000 + GAP_MS + 1).iter().all(|told| told.values.len() == 2));
    }

    #[test]
    fn a_digest_of_another_boot_than_the_batch_knows_has_no_time() {
        let mut batch = batch(1, 1, 1, 1);
        batch.clocks.clear();
        assert!(lines(&batch, 0).is_empty());
    }

    #[test]
    fn reduced_runs_are_a_share_at_their_end() {
        let digest = CheckDigest {
            check: CheckId(7),
            from: Moment { mono_ns: 1_000_000_000, ..Moment::default() },
            lasted: Duration::from_secs(50),
            runs: 4,
            succeeded: 3,
            first: Some(Failure::Timeout),
            last: Some(Failure::Timeout),
            took: Spread { min: 1_000, median: 2_000, max: 9_000 },
        };
        let batch = Batch { checks: vec![digest], ..batch(0, 0, 0, 0) };
        let told = checks(&batch);
        assert_eq!((told[0].check, told[0].at), (CheckId(7), 51_000));
        assert_eq!(told[0].values, [(Metric::ProbeSuccess, "", 0.75), (Metric::ProbeDuration, "", 0.002)]);
    }
}
