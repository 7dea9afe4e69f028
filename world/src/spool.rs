//! What a simulated agent has seen and not yet brought home. Pure.
//!
//! ```text
//! keep ──▶ live ──▶ seal ──▶ sealed ──▶ post ──▶ taken
//!           │ missed          ▲   └─ resent as is until it is
//!           ▼                 │
//!         backlog ────────────┘  marked as backlog, after what is live
//! ```
//!
//! Numbers have no holes and each envelope carries the hash of the one before. The backlog is limited to
//! [`BACKLOG`] outcomes; the oldest go first, and an event says how many.

use bytes::Bytes;
use haidang_probe::batch::{Batch, Envelope, Refusal, sha256};
use haidang_probe::event::{Event, EventKind};
use haidang_probe::moment::{ClockMap, Moment};
use haidang_probe::outcome::Outcome;
use haidang_probe::plan::PlanDigest;
use std::collections::VecDeque;

/// Outcomes kept through a cut: three hours at twenty a minute, some 1 MB a site.
pub const BACKLOG: usize = 3_600;
/// Outcomes of one backlog batch.
pub const BATCH: usize = 600;

/// One agent's records.
#[derive(Debug)]
pub struct Spool {
    agent: String,
    id: u64,
    seq: u64,
    prev_sha256: [u8; 32],
    digest: PlanDigest,
    sealed: Option<Bytes>,
    events: Vec<Event>,
    live: Vec<Outcome>,
    backlog: VecDeque<Outcome>,
    dropped: u64,
}

impl Spool {
    /// An empty spool; `id` is drawn at random, anew at each start.
    pub fn new(agent: &str, id: u64, digest: PlanDigest) -> Spool {
        Spool {
            agent: agent.to_owned(),
            id,
            seq: 0,
            prev_sha256: [0; 32],
            digest,
            sealed: None,
            events: Vec::new(),
            live: Vec::new(),
            backlog: VecDeque::new(),
            dropped: 0,
        }
    }

    /// What batches say of the plan.
    pub fn digest(&self) -> PlanDigest {
        self.digest
    }

    /// Batches say this of the plan from now on.
    pub fn runs(&mut self, digest: PlanDigest) {
        self.digest = digest;
    }

    /// Notes something that came unasked.
    pub fn note(&mut self, kind: EventKind, at: Moment) {
        self.events.push(Event::new(at, kind, ""));
    }

    /// Keeps the outcomes of a turn; what was live before them is backlog.
    pub fn keep(&mut self, outcomes: Vec<Outcome>, now: Moment) {
        self.backlog.extend(std::mem::replace(&mut self.live, outcomes));
        let over = self.backlog.len().saturating_sub(BACKLOG);
        if over > 0 {
            self.backlog.drain(..over);
            self.dropped += over as u64;
            if !self.events.iter().any(|event| event.kind == EventKind::SpoolDropped) {
                self.note(EventKind::SpoolDropped, now);
            }
        }
    }

    /// The octets to post next: those numbered last time and not taken, else what is live, else backlog. `clocks` is
    /// the present boot's, then those of boots before it, which go along where something speaks of them.
    ///
    /// # Errors
    /// When a batch cannot be sealed; it is dropped and counted.
    pub fn next(&mut self, clocks: &[ClockMap]) -> Result<Option<Bytes>, Refusal> {
        if self.sealed.is_some() {
            return Ok(self.sealed.clone());
        }
        let backlog = self.live.is_empty();
        let outcomes: Vec<Outcome> = if backlog {
            self.backlog.drain(..self.backlog.len().min(BATCH)).collect()
        } else {
            std::mem::take(&mut self.live)
        };
        let (plan_digest, events) = (self.digest, std::mem::take(&mut self.events));
        let told = |clock: &ClockMap| {
            let seen = outcomes.iter().map(|outcome| outcome.sent.boot);
            seen.chain(events.iter().map(|event| event.at.boot)).any(|boot| boot == clock.boot)
        };
        let (present, former) = clocks.split_at(clocks.len().min(1));
        let clocks = present.iter().chain(former.iter().filter(|clock| told(clock))).copied().collect();
        let batch = Batch { clocks, outcomes, events, plan_digest, backlog, ..Batch::default() };
        if batch.is_empty() {
            return Ok(None);
        }
        let runs = batch.outcomes.len() as u64;
        let envelope = Envelope::seal(&self.agent, self.id, self.seq, self.prev_sha256, &batch)
            .inspect_err(|_| self.dropped += runs)?;
        let octets = Bytes::from(envelope.encode());
        self.prev_sha256 = sha256(&octets);
        self.seq += 1;
        self.sealed = Some(octets.clone());
        Ok(Some(octets))
    }

    /// The last octets are the collector's now, or it will never have them.
    pub fn done(&mut self) {
        self.sealed = None;
    }

    /// Outcomes not numbered yet, and outcomes dropped so far.
    pub fn waiting(&self) -> (usize, u64) {
        (self.live.len() + self.backlog.len(), self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_probe::check::CheckId;
    use haidang_probe::moment::BootId;
    use std::time::Duration;

    const NOW: Moment = Moment { boot: BootId([1; 16]), mono_ns: 0 };
    const CLOCK: ClockMap = ClockMap { boot: BootId([1; 16]), offset_ns: 0, bound_ns: 1 };

    fn spool() -> Spool {
        Spool::new("28249-tt", 5, PlanDigest([1; 8]))
    }

    fn runs(from: u32, count: u32) -> Vec<Outcome> {
        let one = |number| Outcome {
            check: CheckId(number),
            sent: NOW,
            result: Ok(Duration::from_millis(1)),
            samples: Vec::new(),
        };
        (from..from + count).map(one).collect()
    }

    fn open(octets: &Bytes) -> (Envelope, Batch) {
        let envelope = Envelope::decode(octets).unwrap();
        let batch = envelope.open().unwrap();
        (envelope, batch)
    }

    fn checks(batch: &Batch) -> Vec<u32> {
        batch.outcomes.iter().map(|outcome| outcome.check.0).collect()
    }

    #[test]
    fn a_numbered_envelope_is_resent_as_it_is() {
        let mut spool = spool();
        spool.keep(runs(1, 2), NOW);
        let first = spool.next(&[CLOCK]).unwrap().unwrap();
        spool.keep(runs(3, 2), NOW);
        assert_eq!(spool.next(&[CLOCK]).unwrap().unwrap(), first);
        spool.done();
        let (envelope, batch) = open(&spool.next(&[CLOCK]).unwrap().unwrap());
        assert_eq!((envelope.seq, envelope.prev_sha256), (1, sha256(&first)));
        assert_eq!((checks(&batch), batch.backlog), (vec![3, 4], false));
    }

    #[test]
    fn live_goes_first_and_everything_of_the_cut_after_it_once() {
        let mut spool = spool();
        let minutes = BATCH as u32 / 20 + 10;
        for turn in 0..minutes {
            spool.keep(runs(turn * 20, 20), NOW);
        }
        let (mut seen, mut backlogs) = (Vec::new(), Vec::new());
        while let Some(octets) = spool.next(&[CLOCK]).unwrap() {
            let (envelope, batch) = open(&octets);
            assert_eq!(envelope.seq, backlogs.len() as u64);
            seen.extend(checks(&batch));
            backlogs.push(batch.backlog);
            spool.done();
        }
        assert_eq!(backlogs, [false, true, true]);
        assert!(seen[..20].iter().copied().eq((minutes - 1) * 20..minutes * 20), "live first");
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..minutes * 20), "each once");
        assert_eq!(spool.waiting(), (0, 0));
    }

    #[test]
    fn a_long_cut_loses_the_oldest_and_says_so() {
        let mut spool = spool();
        let turns = BACKLOG as u32 / 20 + 3;
        for turn in 0..turns {
            spool.keep(runs(turn * 20, 20), NOW);
        }
        assert_eq!(spool.waiting(), (BACKLOG + 20, 40));
        let (_, live) = open(&spool.next(&[CLOCK]).unwrap().unwrap());
        assert_eq!(live.events.iter().map(|event| event.kind).collect::<Vec<_>>(), [EventKind::SpoolDropped]);
        spool.done();
        let (_, oldest) = open(&spool.next(&[CLOCK]).unwrap().unwrap());
        assert_eq!(checks(&oldest)[0], 40);
    }

    #[test]
    fn nothing_seen_is_nothing_sent() {
        let mut spool = spool();
        assert_eq!(spool.next(&[CLOCK]).unwrap(), None);
        spool.note(EventKind::AgentStarted, NOW);
        assert!(spool.next(&[CLOCK]).unwrap().is_some());
    }
}
