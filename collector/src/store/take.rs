//! What was measured comes in.

use super::digest;
use super::head::{group_of, window_of};
use super::record::{FRESH_MAX, SAMPLES_MAX};
use super::{AHEAD_MS, BUCKET_MS, Definition, Entry, HEAD_MAX, Limits, Record, Ring, Store};
use haidang_probe::batch::Batch;
use haidang_probe::outcome::Outcome;
use haidang_probe::{check::CheckId, metric::Metric};

/// The check under which stands what is known of an agent itself.
pub const AGENT: &str = "agent";
/// What the collector alone says, and no agent of itself.
const OWN: [Metric; 7] = [
    Metric::LivenessRtt,
    Metric::LivenessLossUp,
    Metric::LivenessLossDown,
    Metric::LivenessLoss,
    Metric::LineAvailable,
    Metric::SiteAvailable,
    Metric::AgentDelay,
];

/// What one run of a check measured at one instant.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Site whose agent asked.
    pub site: &'a str,
    /// Which check.
    pub check: CheckId,
    /// When, UTC ms.
    pub at: i64,
    /// Metric, part of the target (or empty), value.
    pub values: &'a [(Metric, &'a str, f64)],
}

impl Store {
    /// Takes rows measured by one entry of `evidence`, which stands there at `position` if it stands there.
    /// `now` says what is late and what is ahead. It touches no disk.
    pub fn take(&self, position: Option<u64>, rows: &[Row<'_>], now: i64) {
        let ring = &mut *self.ring();
        let (mut entries, mut fresh) = (Vec::new(), Vec::new());
        for row in rows {
            ring.place(row, now, &self.limits, &mut entries, &mut fresh);
        }
        entries.sort_by_key(|entry: &Entry| (entry.id, entry.at));
        let mut entries = entries.as_slice();
        // Series are known before any sample of theirs is read again.
        while let Some(most) = fitting(&fresh) {
            let later = fresh.split_off(most);
            ring.keep(None, std::mem::replace(&mut fresh, later), &[]);
        }
        while !entries.is_empty() || !fresh.is_empty() {
            let (now_taken, later) = entries.split_at(entries.len().min(SAMPLES_MAX));
            entries = later;
            // The last part alone may say that all is here.
            let evidence = position.filter(|_| entries.is_empty());
            ring.keep(evidence, std::mem::take(&mut fresh), now_taken);
        }
    }

    /// Takes the outcomes of a batch that `site`'s agent sent and that came at `received`, placed in time by
    /// the batch's own clock maps, and its digests; what no map places is counted. An outcome that tells nothing of its target (no permission) gives no
    /// `probe_success`: unknown is not down. How old the oldest of it was is a series of its agent, [`AGENT`].
    pub fn take_batch(&self, position: Option<u64>, site: &str, batch: &Batch, received: i64) {
        let placed: Vec<_> = batch
            .outcomes
            .iter()
            .filter_map(|outcome| {
                let clock = batch.clocks.iter().find(|clock| clock.boot == outcome.sent.boot)?;
                Some((outcome.check, clock.utc_ms(outcome.sent.mono_ns), values(outcome)))
            })
            .collect();
        let mut rows: Vec<Row<'_>> =
            placed.iter().map(|(check, at, values)| Row { site, check: *check, at: *at, values }).collect();
        let (lines, checks) = (digest::lines(batch, received), digest::checks(batch));
        let digests = || lines.iter().chain(&checks);
        let times = rows.iter().map(|row| row.at).chain(digests().map(digest::Told::at));
        let oldest = times.min().unwrap_or(received);
        let delay = [(Metric::AgentDelay, "", (received - oldest).max(0) as f64 / 1e3)];
        if self.delay_is_due(site, received) {
            rows.push(Row { site, check: CheckId::of_name(AGENT), at: received, values: &delay });
        }
        rows.extend(digests().map(|digest| digest.row(site)));
        self.take(position, &rows, received);
        let came = batch.outcomes.len() + batch.lines.len() + batch.checks.len();
        self.ring().counts.unplaced += (came - placed.len() - digests().count()) as u64;
    }

    fn delay_is_due(&self, site: &str, now: i64) -> bool {
        let told = &mut self.ring().delays;
        let due = told.get(site).is_none_or(|last| now - last >= BUCKET_MS);
        if due {
            told.insert(site.to_owned(), now);
        }
        due
    }
}

fn values(outcome: &Outcome) -> Vec<(Metric, &str, f64)> {
    let mut values = Vec::with_capacity(outcome.samples.len() + 2);
    match &outcome.result {
        Ok(took) => {
            values.push((Metric::ProbeSuccess, "", 1.0));
            // To the microsecond: what is below is the scheduler's, and costs as much as all above.
            values.push((Metric::ProbeDuration, "", (took.as_nanos() as f64 / 1e3).round() / 1e6));
        }
        Err(failure) if failure.tells_of_target() => values.push((Metric::ProbeSuccess, "", 0.0)),
        Err(_) => {}
    }
    let samples = outcome.samples.iter().filter(|sample| !OWN.contains(&sample.metric));
    values.extend(samples.map(|s| (s.metric, s.part.as_str(), s.value)));
    values
}

/// How many of these series one record holds, where that is not all of them.
fn fitting(fresh: &[(u32, Definition)]) -> Option<usize> {
    let mut octets = 0;
    let beyond = fresh.iter().position(|(_, definition)| {
        octets += definition.octets();
        octets > FRESH_MAX
    });
    // One alone is never too long: names of sites and parts have their limits.
    beyond.map(|beyond| beyond.max(1))
}

impl Ring {
    /// Finds the series of a row's values, making those that are new.
    fn place(
        &mut self,
        row: &Row<'_>,
        now: i64,
        limits: &Limits,
        entries: &mut Vec<Entry>,
        fresh: &mut Vec<(u32, Definition)>,
    ) {
        let count = row.values.len() as u64;
        if row.at < (now - limits.keep_ms).max(0) {
            self.counts.late += count;
            return;
        }
        if row.at > now + AHEAD_MS {
            self.counts.ahead += count;
            return;
        }
        if self.head.octets() > HEAD_MAX {
            self.counts.refused += count;
            return;
        }
        let before = entries.len();
        let mut unknown = Vec::new();
        // One search for a row: its values are series of one check.
        let members = self.head.members(row.site, row.check);
        for &(metric, part, value) in row.values.iter().filter(|(_, _, value)| value.is_finite()) {
            match members.iter().find(|(m, p, _)| *m == metric && **p == *part) {
                Some((_, _, id)) => entries.push(Entry { id: *id, at: row.at, value }),
                None => unknown.push((metric, part, value)),
            }
        }
        for (metric, part, value) in unknown {
            let mut made = self.head.members(row.site, row.check).iter();
            if made.any(|(m, p, _)| *m == metric && **p == *part) {
                continue; // said twice in one row: the first stays
            }
            let (site, part) = (row.site.to_owned(), part.to_owned());
            let definition = Definition { site, check: row.check, metric, part };
            let Some(id) = self.head.make(definition.clone(), limits.max_series) else { continue };
            fresh.push((id, definition));
            entries.push(Entry { id, at: row.at, value });
        }
        self.counts.refused += count - (entries.len() - before) as u64;
    }

    /// Hands samples to the journal, and puts them in the head.
    fn keep(&mut self, evidence: Option<u64>, fresh: Vec<(u32, Definition)>, entries: &[Entry]) {
        let mut opened = self.queue.next;
        if self.queue.kept {
            let record = Record::Samples { fresh, samples: entries.to_vec() };
            let (position, room) = self.queue.put(&record, evidence);
            opened = position;
            self.counts.behind += u64::from(!room);
        }
        self.insert(entries, opened);
    }

    /// Puts samples, in order of series and time, in the head. Says how many are of a series not known.
    pub(super) fn insert(&mut self, entries: &[Entry], opened: u64) -> usize {
        let mut unknown = 0;
        let same = |a: &Entry, b: &Entry| {
            let group = group_of(a.id);
            a.id == b.id && window_of(group, a.at) == window_of(group, b.at)
        };
        let mut samples = Vec::new();
        for run in entries.chunk_by(same) {
            let (id, group) = (run[0].id, group_of(run[0].id));
            let start = window_of(group, run[0].at);
            samples.clear();
            samples.extend(run.iter().map(|entry| (entry.at, entry.value)));
            let Some((taken, new)) = self.head.insert((start, id), &samples, opened) else {
                unknown += run.len();
                continue;
            };
            self.late_windows += usize::from(new && start < self.upto[usize::from(group)]);
            self.counts.samples += taken.new;
            self.counts.repeats += taken.repeats;
            self.counts.refused += taken.full;
        }
        unknown
    }
}
