//! How one check of one agent stands: its last success, the failures since, the certificate it last saw.

use super::{RUNS_MISSING, register::Asked};
use crate::detect::LATE;
use haidang_probe::{
    metric::Metric,
    outcome::{Failure, Outcome},
};
use serde::{Deserialize, Serialize};

/// Fresh failures, and the time they span, that make a check fail: three runs of ten seconds, less their
/// jitter. ms.
const RUNS: usize = 3;
const LASTS: i64 = 19_000;
/// Failures kept: the first, and the newest.
const KEPT: usize = 8;
/// Failures nearer than this to the one before go first, ms.
const APART: i64 = 5_000;
/// Status of an answer that should have a body.
const OK: f64 = 200.0;

/// A check's standing. Times are UTC ms, of the agent's sending.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Standing {
    /// Latest outcome of any kind.
    last: i64,
    /// Latest success.
    well: Option<i64>,
    /// Latest failure before it.
    missed: Option<i64>,
    /// Failures since, oldest first: the first one, and the newest.
    misses: Vec<Miss>,
    /// It cannot be run, since then.
    unable: Option<(i64, Failure)>,
    /// An answer once had a body.
    had_body: bool,
    certificate: Option<Certificate>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Miss {
    sent: i64,
    failure: Failure,
    fresh: bool,
}

/// A certificate that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// When it ends, UTC ms.
    pub ends: i64,
    /// When it was first and last seen, UTC ms.
    pub first: i64,
    /// See [`Certificate::first`].
    pub last: i64,
    /// Seen by an outcome that came in time.
    pub fresh: bool,
}

/// Failures that came within a time are enough to call something failing.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// From then on, UTC ms.
    pub from: i64,
    /// Up to then, UTC ms.
    pub until: i64,
}

impl Window {
    /// All time.
    pub const EVER: Window = Window { from: i64::MIN, until: i64::MAX };
}

impl Standing {
    /// Notes an outcome; `fresh` if it came in time.
    pub fn heard(&mut self, outcome: &Outcome, sent: i64, fresh: bool) {
        let newest = sent >= self.last;
        self.last = self.last.max(sent);
        self.look_at_certificate(outcome, sent, fresh);
        match self.failure(outcome) {
            None => self.succeed(sent),
            Some(failure) if failure.tells_of_target() => self.miss(Miss { sent, failure, fresh }),
            Some(failure) => {
                let since = self.unable.map_or(sent, |(since, _)| since.min(sent));
                self.unable = if newest { Some((since, failure)) } else { self.unable };
                return;
            }
        }
        if newest {
            self.unable = None;
        }
    }

    /// Why the outcome is no success. An empty page where there used to be one is none.
    fn failure(&mut self, outcome: &Outcome) -> Option<Failure> {
        if let Err(failure) = outcome.result {
            return Some(failure);
        }
        let body = told(outcome, Metric::HttpBody);
        let is_page = told(outcome, Metric::HttpStatus) == Some(OK);
        self.had_body |= is_page && body.is_some_and(|octets| octets > 0.0);
        (is_page && body == Some(0.0) && self.had_body).then_some(Failure::Body)
    }

    fn succeed(&mut self, sent: i64) {
        self.well = self.well.max(Some(sent));
        self.missed =
            self.misses.iter().map(|miss| miss.sent).filter(|miss| *miss < sent).max().max(self.missed);
        self.misses.retain(|miss| miss.sent > sent);
    }

    fn miss(&mut self, miss: Miss) {
        if self.well.is_some_and(|well| miss.sent <= well) {
            self.missed = self.missed.max(Some(miss.sent));
            return;
        }
        let place = self.misses.partition_point(|known| known.sent < miss.sent);
        if self.misses.get(place).is_some_and(|known| known.sent == miss.sent) {
            return;
        }
        self.misses.insert(place, miss);
        if self.misses.len() > KEPT {
            let near = |n: &usize| self.misses[*n].sent - self.misses[*n - 1].sent < APART;
            let gone = (1..KEPT).find(near).unwrap_or(1);
            self.misses.remove(gone);
        }
    }

    fn look_at_certificate(&mut self, outcome: &Outcome, sent: i64, fresh: bool) {
        let Some(ends) = told(outcome, Metric::CertExpiry) else { return };
        let ends = (ends as i64).saturating_mul(1000);
        match &mut self.certificate {
            Some(known) if known.ends == ends => {
                known.first = known.first.min(sent);
                known.last = known.last.max(sent);
                known.fresh |= fresh;
            }
            Some(known) if sent <= known.last => {}
            known => *known = Some(Certificate { ends, first: sent, last: sent, fresh }),
        }
    }

    /// Moves all its times back by `by`, ms; when a certificate ends is no time of ours.
    pub fn rewind(&mut self, by: i64) {
        self.last -= by;
        for time in [&mut self.well, &mut self.missed].into_iter().flatten() {
            *time -= by;
        }
        self.misses.iter_mut().for_each(|miss| miss.sent -= by);
        self.unable = self.unable.map(|(since, failure)| (since - by, failure));
        if let Some(certificate) = &mut self.certificate {
            certificate.first -= by;
            certificate.last -= by;
        }
    }

    /// Whether it ever succeeded.
    pub fn established(&self) -> bool {
        self.well.is_some()
    }

    /// Whether its last outcome says something of now.
    pub fn is_current(&self, asked: &Asked, now: i64) -> bool {
        self.unable.is_none() && now - self.last <= RUNS_MISSING * asked.every + asked.timeout + LATE
    }

    /// Since when it fails, and with what, last.
    pub fn failing(&self) -> Option<(i64, Failure)> {
        Some((self.misses.first()?.sent, self.misses.last()?.failure))
    }

    /// Since when it cannot be run, and why.
    pub fn unable(&self) -> Option<(i64, Failure)> {
        self.unable
    }

    /// Since when it is shown as failing: a single failure is not.
    pub fn shown_failing(&self) -> Option<i64> {
        self.misses.first().filter(|_| self.misses.len() > 1).map(|miss| miss.sent)
    }

    /// Since when it succeeds: after its last failure, 0 where there was none.
    pub fn well_since(&self) -> i64 {
        self.missed.unwrap_or(0)
    }

    /// Latest success, if nothing failed since.
    pub fn well(&self) -> Option<i64> {
        self.well.filter(|_| self.misses.is_empty())
    }

    /// The time in which it answered without a failure, up to its latest success.
    pub fn answered(&self) -> Option<Window> {
        let from = self.missed.map_or(i64::MIN, |missed| missed + 1);
        self.well.map(|until| Window { from, until })
    }

    /// Whether it fails, by outcomes that came in time: enough of them within `window`.
    pub fn fails_within(&self, window: Window) -> bool {
        let sent = self.misses.iter().filter(|miss| miss.fresh).map(|miss| miss.sent);
        let within: Vec<i64> = sent.filter(|sent| (window.from..=window.until).contains(sent)).collect();
        let (Some(first), Some(last)) = (within.first(), within.last()) else { return false };
        self.established() && within.len() >= RUNS && last - first >= LASTS
    }

    /// Whether its last failure was an answer: what is asked is reached and does not work.
    pub fn answers_wrongly(&self) -> bool {
        use Failure::{Body, Protocol, Refused, Reset, Status, Tls};
        let last = self.misses.last().map(|miss| miss.failure);
        matches!(last, Some(Body | Protocol | Refused | Reset | Status | Tls))
    }

    /// The certificate it last saw.
    pub fn certificate(&self) -> Option<Certificate> {
        self.certificate
    }

    /// Whether it fails because the certificate it sees has ended.
    pub fn certificate_ended(&self, now: i64) -> bool {
        let tls = self.misses.last().is_some_and(|miss| miss.failure == Failure::Tls);
        tls && self.certificate.is_some_and(|certificate| certificate.ends <= now)
    }
}

fn told(outcome: &Outcome, metric: Metric) -> Option<f64> {
    outcome.samples.iter().find(|sample| sample.metric == metric).map(|sample| sample.value)
}

#[cfg(test)]
mod tests;
