//! The way from a finished run to the spool.
//!
//! ```text
//!   outcomes ─┐
//!   events  ──┼─▶ gather ─ due ─▶ seal on another thread (it syncs) ─▶ wake the courier ─ BEHIND ─▶ reduce what is old
//!   digests ──┘     ▲                        │
//!                   └── disk refused: back ──┘
//! ```
//!
//! Sealing runs on a blocking thread, so that a slow disk delays neither probes nor liveness packets. The
//! channels are bounded: while the disk is slower than the probes, runs wait and their checks are skipped,
//! counted.

use crate::gather::{Flush, Gather};
use crate::plan::Loaded;
use crate::spool::{Keep, Sealed, Spool, SpoolError};
use crate::uplink::Shared;
use haidang_probe::batch::Batch;
use haidang_probe::check::CheckId;
use haidang_probe::digest::LineDigest;
use haidang_probe::event::{Event, EventKind};
use haidang_probe::outcome::Outcome;
use haidang_probe::plan::PlanDigest;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Records that may wait for the keeper.
pub const WAITING: usize = 1024;

/// Outcomes taken from the channel at once.
const TAKEN: usize = 256;

/// Tries to seal what is left at the end before it is given up, a second apart.
const LAST_TRIES: u32 = 3;

/// Time the courier has for what was just sealed before the spool is busy with what is old.
const BEHIND: Duration = Duration::from_millis(500);

/// What the running plan means to the keeper.
#[derive(Clone, Debug)]
pub struct Terms {
    /// When batches are due.
    pub flush: Flush,
    /// The checks that run.
    pub checks: BTreeSet<CheckId>,
    /// What batches say of the plan.
    pub digest: PlanDigest,
    /// How long what is kept while it cannot be brought.
    pub keep: Keep,
}

impl Terms {
    /// What a plan means.
    pub fn of(loaded: &Loaded) -> Terms {
        let plan = &loaded.plan;
        Terms {
            flush: loaded.flush(),
            checks: loaded.checks.keys().copied().collect(),
            digest: loaded.digest,
            keep: Keep { raw: plan.spool_raw.0, digests: plan.spool_digests.0 },
        }
    }
}

/// Gathers records and seals batches.
pub struct Keeper {
    shared: Shared,
    gather: Gather,
    terms: watch::Receiver<Terms>,
    outcomes: mpsc::Receiver<Outcome>,
    events: mpsc::Receiver<Event>,
    digests: mpsc::Receiver<LineDigest>,
    sealing: Option<JoinHandle<Sealing>>,
    reducing: Option<JoinHandle<()>>,
    /// Losses already told in an event.
    told: u64,
    /// Whether the disk refused last time.
    refused: bool,
}

/// What became of a batch.
type Sealing = (Result<Sealed, SpoolError>, Batch);

impl Keeper {
    /// A keeper with nothing gathered.
    pub fn new(
        shared: Shared,
        terms: watch::Receiver<Terms>,
        outcomes: mpsc::Receiver<Outcome>,
        (events, digests): (mpsc::Receiver<Event>, mpsc::Receiver<LineDigest>),
    ) -> Keeper {
        let gather = Gather::new(terms.borrow().flush);
        let (sealing, reducing) = (None, None);
        Keeper {
            shared,
            gather,
            terms,
            outcomes,
            events,
            digests,
            sealing,
            reducing,
            told: 0,
            refused: false,
        }
    }

    /// Runs until nobody can send outcomes any more; then seals what is left.
    pub async fn run(mut self) {
        let mut outcomes = Vec::with_capacity(TAKEN);
        loop {
            let due_ns = self.gather.due_ns().filter(|_| self.sealing.is_none());
            let pause = due_ns.map(|due_ns| Duration::from_nanos(due_ns.saturating_sub(self.now_ns())));
            tokio::select! {
                taken = self.outcomes.recv_many(&mut outcomes, TAKEN) => {
                    if taken == 0 {
                        break;
                    }
                    let now_ns = self.now_ns();
                    outcomes.drain(..).for_each(|outcome| self.gather.outcome(outcome, now_ns));
                }
                Some(event) = self.events.recv() => self.gather.event(event, self.shared.clock.steady_ns()),
                Some(digest) = self.digests.recv() => self.gather.line(digest, self.shared.clock.steady_ns()),
                Ok(()) = self.terms.changed() => {
                    let terms = self.terms.borrow_and_update();
                    self.gather.set(terms.flush, &terms.checks);
                }
                sealed = ended(&mut self.sealing) => self.sealed(sealed),
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => self.seal(),
            }
        }
        self.finish().await;
    }

    async fn finish(&mut self) {
        // What holds the spool already goes on; what is still old can wait for the next start.
        if let Some(reducing) = self.reducing.take() {
            reducing.abort();
        }
        let mut tries = 0;
        loop {
            while let Ok(event) = self.events.try_recv() {
                self.gather.event(event, self.now_ns());
            }
            while let Ok(digest) = self.digests.try_recv() {
                self.gather.line(digest, self.now_ns());
            }
            if self.sealing.is_none() {
                self.seal();
            }
            if self.sealing.is_none() {
                break;
            }
            let sealed = ended(&mut self.sealing).await;
            self.sealed(sealed);
            if self.refused {
                tries += 1;
                if tries == LAST_TRIES {
                    tracing::warn!("the disk takes no more records; the last ones are lost");
                    break;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        if let Err(error) = self.shared.spool.lock().await.persist() {
            tracing::warn!(%error, "cursor not stored; acknowledged batches may be sent again");
        }
    }

    /// Starts sealing a batch, if there is anything for one.
    fn seal(&mut self) {
        let clock = &self.shared.clock;
        let digest = self.terms.borrow().digest;
        let Some(mut batch) = self.gather.take(clock.moment(), clock.map(), digest) else { return };
        batch.backlog = !self.shared.flowing.load(Ordering::Relaxed);
        let spool = self.shared.spool.clone();
        self.sealing = Some(tokio::spawn(async move {
            let mut spool = spool.lock_owned().await;
            let sealing = tokio::task::spawn_blocking(move || {
                let result = spool.seal(&batch);
                (result, batch)
            });
            // Ends otherwise only when the runtime does, or by a panic, which goes on.
            sealing.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
        }));
    }

    fn sealed(&mut self, sealing: Option<Sealing>) {
        let Some((result, batch)) = sealing else { return };
        match result {
            Ok(sealed) => {
                if std::mem::take(&mut self.refused) {
                    tracing::info!(seq = sealed.seq, "the disk takes batches again");
                }
                tracing::debug!(seq = sealed.seq, bytes = sealed.bytes.len(), "batch sealed");
                self.shared.wake.notify_one();
                self.reduce();
            }
            Err(SpoolError::Batch(refusal)) => {
                let outcomes = batch.outcomes.len();
                tracing::error!(%refusal, outcomes, "a batch does not fit its own format and is lost");
            }
            Err(error) => {
                if !std::mem::replace(&mut self.refused, true) {
                    tracing::warn!(%error, "the disk takes no batches; records are kept in memory");
                }
                self.gather.give_back(batch, self.now_ns());
            }
        }
        self.tell_losses();
    }

    /// Starts reducing what is old, a little later, unless that is under way.
    fn reduce(&mut self) {
        if self.reducing.as_ref().is_some_and(|reducing| !reducing.is_finished()) {
            return;
        }
        let (keep, clock, spool) =
            (self.terms.borrow().keep, self.shared.clock.clone(), self.shared.spool.clone());
        self.reducing = Some(tokio::spawn(async move {
            tokio::time::sleep(BEHIND).await;
            let mut spool = spool.lock_owned().await;
            let reducing = tokio::task::spawn_blocking(move || {
                if let Err(error) = spool.reduce(clock.moment(), clock.map(), keep) {
                    tracing::warn!(%error, "old batches are not reduced");
                }
            });
            if let Err(error) = reducing.await {
                tracing::error!(%error, "reducing old batches ended early");
            }
        }));
    }

    /// An event for losses since the last one, so that the collector knows of the hole.
    fn tell_losses(&mut self) {
        // Locked only while the courier looks at it: then the next batch tells.
        let Ok(spool) = self.shared.spool.try_lock() else { return };
        let tally: crate::spool::Tally = Spool::tally(&spool);
        drop(spool);
        self.shared.board.spool(tally);
        self.shared.board.dropped(self.gather.dropped());
        let lost = tally.lost + self.gather.dropped();
        if lost > self.told {
            self.told = lost;
            let (at, kind) = (self.shared.clock.moment(), EventKind::SpoolDropped);
            self.gather.event(Event::new(at, kind, ""), self.now_ns());
        }
    }

    fn now_ns(&self) -> u64 {
        self.shared.clock.steady_ns()
    }
}

/// The end of what is being sealed; waits for ever when nothing is.
async fn ended(sealing: &mut Option<JoinHandle<Sealing>>) -> Option<Sealing> {
    let ended = match sealing {
        Some(handle) => handle.await,
        None => std::future::pending().await,
    };
    *sealing = None;
    match ended {
        Ok(ended) => Some(ended),
        Err(error) => {
            tracing::error!(%error, "sealing a batch ended early; its records are lost");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_daemon::clock::Clock;
    use haidang_probe::moment::Moment;
    use std::sync::Arc;

    const HOUR: Duration = Duration::from_secs(3_600);
    const OLD: u64 = 300;

    fn run(sent: Moment) -> Outcome {
        Outcome { check: CheckId(1), sent, result: Ok(Duration::from_millis(1)), samples: Vec::new() }
    }

    #[tokio::test]
    async fn what_was_just_seen_can_go_before_what_is_old_is_reduced() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual());
        let mut spool = Spool::open(&folder.path().join("spool"), "a", 8 << 20).unwrap();
        for _ in 0..OLD {
            let outcomes = vec![run(clock.moment())];
            spool.seal(&Batch { clocks: vec![clock.map()], outcomes, ..Batch::default() }).unwrap();
        }
        clock.advance(2 * HOUR);
        let shared = Shared {
            clock: clock.clone(),
            spool: Arc::new(tokio::sync::Mutex::new(spool)),
            wake: Arc::default(),
            flowing: Arc::default(),
            board: crate::expose::Board::default(),
            meter: crate::uplink::meter::Meter::default(),
            wanted: watch::Sender::new(PlanDigest::default()),
        };
        let terms = Terms {
            flush: Flush { every: Duration::from_millis(1), prompt: false },
            checks: [CheckId(1)].into(),
            digest: PlanDigest::default(),
            keep: Keep { raw: HOUR, digests: 48 * HOUR },
        };
        let (_terms, terms) = watch::channel(terms);
        let (outcomes, seen) = mpsc::channel(1);
        let (_events, events) = mpsc::channel(1);
        let (_digests, digests) = mpsc::channel(1);
        let keeper = Keeper::new(shared.clone(), terms, seen, (events, digests));
        let keeping = tokio::spawn(keeper.run());
        outcomes.send(run(clock.moment())).await.unwrap();
        shared.wake.notified().await;
        let spool = shared.spool.try_lock().expect("the courier finds the spool free");
        assert_eq!((spool.newest().map(|newest| newest.seq), spool.tally().reduced), (Some(OLD), 0));
        drop(spool);
        while shared.spool.lock().await.tally().reduced == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(shared.spool.lock().await.newest().map(|newest| newest.seq), Some(OLD));
        drop(outcomes);
        keeping.await.unwrap();
    }
}
