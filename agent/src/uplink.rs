//! Batches out, acknowledgements back: live first, backlog after.
//!
//! ```text
//!                 newest ──▶ live lane ────────────────┐
//!   spool ──┤                                          ├──▶ best uplink ─ 5 s ─▶ next uplink ─▶ …
//!                 oldest ──▶ backlog lanes, rate-capped ┘
//! ```
//!
//! A batch leaves the moment it is sealed. What could not be brought stays in the spool as intervals, which
//! the backlog lanes fill in order once an answer has come. While nothing answers, one batch at a time asks
//! whether something does again: the newest and the oldest in turn, so that neither a batch too large for the
//! line nor a collector that wants its holes filled first stops the rest. Nothing is lost here: a batch
//! leaves the spool only by an acknowledgement, or set aside after the collector refused it for good.

mod bring;
pub mod health;
pub mod meter;
pub mod post;
mod rate;
mod verdict;

use crate::dial::Trust;
use crate::expose::Board;
use crate::place::Finder;
use crate::spool::{Sealed, Spool, SpoolError};
use bring::bring;
use bytes::Bytes;
use haidang_daemon::clock::Clock;
use haidang_daemon::stop::Stop;
use haidang_probe::plan::{self, PlanDigest};
use health::{Candidate, Health, Lanes};
use meter::Meter;
use post::{Post, Verdict};
pub use rate::BACKLOG_LANES;
use rate::Rate;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// Pause of the lane whose batch the collector wants later. The other goes on: a live batch may have to wait
/// for the backlog to fill holes, the backlog for live batches to be dealt with.
const LATER: Duration = Duration::from_secs(1);

/// Pause after the spool could not be read.
const SPOOL_PAUSE: Duration = Duration::from_secs(1);

/// Pause while the only uplinks that could be used have spent their budget.
const SPENT_PAUSE: Duration = Duration::from_secs(60);

/// Longest the last batches may take at the end.
pub const FAREWELL: Duration = Duration::from_secs(2);

/// One way to the collector.
pub struct Uplink {
    /// As the plan says it.
    pub plan: plan::Uplink,
    post: Post,
    health: Mutex<Health>,
    acknowledged: AtomicU64,
}

impl Uplink {
    /// Connects when first used.
    ///
    /// # Errors
    /// When the collector's URL is not one.
    pub fn new(
        plan: &plan::Uplink,
        bearer: Option<&str>,
        finder: &Finder,
        trust: Option<&Trust>,
    ) -> Result<Uplink, String> {
        let post = Post::new(plan, bearer, finder.clone(), trust.cloned())?;
        Ok(Uplink { plan: plan.clone(), post, health: Mutex::default(), acknowledged: AtomicU64::new(0) })
    }

    /// Name in logs and metrics: the line, and the session that tells two of one line apart.
    pub fn name(&self) -> String {
        name(&self.plan)
    }

    /// Liveness packets arrive on it, or no longer.
    pub fn heard(&self, heard: bool) {
        self.health().heard(heard);
    }

    /// Whether its last attempt succeeded.
    pub fn carries(&self) -> bool {
        self.health().carries()
    }

    /// A batch it brought was acknowledged.
    pub fn carried(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    /// Batches it brought.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Fetches the orders the collector has for this agent, counted at `now_ms` (UTC) where volume is paid for.
    ///
    /// # Errors
    /// Says what came instead.
    pub async fn orders(&self, meter: &Meter, now_ms: i64) -> Result<Bytes, String> {
        let orders = self.post.orders().await;
        meter.exchange(&self.plan, orders.as_ref().map_or(0, Bytes::len), now_ms);
        orders
    }

    fn candidate(&self, meter: &Meter, now_ms: i64) -> Candidate {
        let affordable = meter.affords(&self.plan, now_ms);
        Candidate { health: self.health().clone(), metered: self.plan.metered, affordable }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Name of an uplink in logs, metrics and events.
pub fn name(plan: &plan::Uplink) -> String {
    format!("{}/{}", plan.line, plan.ssid)
}

/// What the courier shares with the rest of the agent.
#[derive(Clone)]
pub struct Shared {
    /// Reads time.
    pub clock: Clock,
    /// Holds the batches.
    pub spool: Arc<tokio::sync::Mutex<Spool>>,
    /// A batch was sealed, or an uplink was heard again.
    pub wake: Arc<Notify>,
    /// Whether batches get through.
    pub flowing: Arc<AtomicBool>,
    /// Where the figures are shown.
    pub board: Board,
    /// What metered uplinks carried this month.
    pub meter: Meter,
    /// Digest of the orders the collector wants run, said anew with each acknowledgement.
    pub wanted: watch::Sender<PlanDigest>,
}

/// Uplinks in the order they are tried.
type Way = Vec<Arc<Uplink>>;

/// Brings batches to the collector.
pub struct Courier {
    shared: Shared,
    uplinks: watch::Receiver<Vec<Arc<Uplink>>>,
    attempts: JoinSet<Attempt>,
    under_way: BTreeSet<u64>,
    live: bool,
    /// Whether the newest batch asked last, while nothing answers.
    asked_newest: bool,
    rate: Rate,
    /// When the live lane and the backlog lanes may go on.
    live_from_ns: u64,
    backlog_from_ns: u64,
    wake_ns: Option<u64>,
}

/// What became of one batch over all the uplinks tried.
struct Attempt {
    sealed: Sealed,
    live: bool,
    verdict: Verdict,
    /// Whether any octet of it may have left.
    left: bool,
    /// From its first octet to the verdict.
    took: Duration,
}

impl Courier {
    /// A courier that has sent nothing yet.
    pub fn new(shared: Shared, uplinks: watch::Receiver<Vec<Arc<Uplink>>>) -> Courier {
        let rate = Rate::new(shared.clock.steady_ns());
        let (attempts, under_way) = (JoinSet::new(), BTreeSet::new());
        Courier {
            shared,
            uplinks,
            attempts,
            under_way,
            live: false,
            asked_newest: false,
            rate,
            live_from_ns: 0,
            backlog_from_ns: 0,
            wake_ns: None,
        }
    }

    /// Runs until `stop`, then brings what it can within [`FAREWELL`].
    pub async fn run(mut self, stop: Stop) {
        let wake = self.shared.wake.clone();
        loop {
            self.launch().await;
            let pause = self.wake_ns.map(|wake_ns| wake_ns.saturating_sub(self.shared.clock.steady_ns()));
            tokio::select! {
                () = stop.wait() => break,
                () = wake.notified() => {}
                Ok(()) = self.uplinks.changed() => {}
                Some(ended) = self.attempts.join_next() => self.ended(ended).await,
                () = sleep(pause) => {}
            }
        }
        let _ = tokio::time::timeout(FAREWELL, self.farewell()).await;
    }

    /// The batch that tells of the stop is sealed before this; what does not get out now goes at the next
    /// start.
    async fn farewell(&mut self) {
        loop {
            self.launch().await;
            match self.attempts.join_next().await {
                Some(ended) => self.ended(ended).await,
                None => return,
            }
        }
    }

    /// Starts what may start now, and notes when to look again if nothing else happens.
    async fn launch(&mut self) {
        let now_ns = self.shared.clock.steady_ns();
        self.wake_ns = None;
        let uplinks = self.uplinks.borrow_and_update().clone();
        let now_ms = self.shared.clock.utc_ms();
        let candidates: Vec<Candidate> =
            uplinks.iter().map(|uplink| uplink.candidate(&self.shared.meter, now_ms)).collect();
        let Lanes { live, backlog } = health::lanes(&candidates, now_ns);
        if live.is_empty() {
            // One that does not rest has spent its budget: the next month is looked for now and then.
            let spent_ns = now_ns + SPENT_PAUSE.as_nanos() as u64;
            let rests = candidates.iter().map(|candidate| candidate.health.rests_until_ns());
            self.wake_ns = rests.map(|rest_ns| if rest_ns > now_ns { rest_ns } else { spent_ns }).min();
            return;
        }
        let pick = |lane: Vec<usize>| lane.into_iter().map(|index| uplinks[index].clone()).collect();
        if let Err(error) = self.fill(pick(live), pick(backlog), now_ns).await {
            tracing::warn!(%error, "spool cannot be read; trying again");
            self.wake_ns = Some(now_ns + SPOOL_PAUSE.as_nanos() as u64);
        }
    }

    async fn fill(&mut self, live: Way, backlog: Way, now_ns: u64) -> Result<(), SpoolError> {
        let mut spool = self.shared.spool.clone().lock_owned().await;
        let flowing = self.flowing();
        if self.live_from_ns > now_ns {
            self.wake_at(self.live_from_ns);
        } else if !self.live && (flowing || self.attempts.is_empty()) {
            let newest = spool.newest().filter(|newest| !self.under_way.contains(&newest.seq));
            self.asked_newest = !flowing && (!self.asked_newest || backlog.is_empty());
            let (candidate, order) = match newest {
                Some(newest) if flowing || self.asked_newest => (Some(newest), &live),
                _ if flowing || backlog.is_empty() => (None, &live),
                _ => (spool.oldest_but(&self.under_way)?, &backlog),
            };
            if let Some(sealed) = candidate {
                self.live = true;
                self.send(&mut spool, sealed, true, order);
            }
        }
        let lanes = self.rate.lanes() + usize::from(self.live);
        while flowing && !backlog.is_empty() && self.attempts.len() < lanes {
            let Some(sealed) = spool.oldest_but(&self.under_way)? else { break };
            let ready_ns = self.rate.ready_ns(now_ns).max(self.backlog_from_ns);
            if ready_ns > now_ns {
                self.wake_at(ready_ns);
                break;
            }
            self.rate.spend(sealed.bytes.len());
            self.send(&mut spool, sealed, false, &backlog);
        }
        self.shared.board.spool(spool.tally());
        Ok(())
    }

    fn wake_at(&mut self, at_ns: u64) {
        self.wake_ns = Some(self.wake_ns.map_or(at_ns, |before| before.min(at_ns)));
    }

    fn send(&mut self, spool: &mut Spool, sealed: Sealed, live: bool, order: &Way) {
        self.under_way.insert(sealed.seq);
        spool.lend(sealed.seq);
        let announced = spool.is_announced(sealed.seq);
        let (shared, order) = (self.shared.clone(), order.clone());
        self.attempts.spawn(async move {
            let began_ns = shared.clock.steady_ns();
            let (verdict, left) = bring((&sealed, announced), &order, &shared).await;
            let took = Duration::from_nanos(shared.clock.steady_ns().saturating_sub(began_ns));
            Attempt { sealed, live, verdict, left, took }
        });
    }

    async fn ended(&mut self, ended: Result<Attempt, tokio::task::JoinError>) {
        let now_ns = self.shared.clock.steady_ns();
        let Ok(Attempt { sealed, live, verdict, left, took }) = ended else {
            // It panicked and took its number along; once the others have ended, none is under way.
            if self.attempts.is_empty() {
                self.under_way.clear();
                self.shared.spool.lock().await.all_returned(now_ns);
                self.live = false;
            }
            return;
        };
        self.under_way.remove(&sealed.seq);
        self.live &= !live;
        match &verdict {
            Verdict::Kept(_) if !live => self.rate.learn(Some(took)),
            Verdict::Failed(_) if !live => self.rate.learn(None),
            _ => {}
        }
        let mut spool = self.shared.spool.lock().await;
        spool.returned(sealed.seq, left.then_some(now_ns));
        let answered = match verdict {
            Verdict::Kept(ack) => {
                let ours = spool.acknowledged(&ack, now_ns);
                if !ours {
                    tracing::warn!(seq = sealed.seq, "the acknowledgement speaks of another spool");
                }
                self.shared.wanted.send_replace(ack.plan_digest);
                ours
            }
            Verdict::Refused(reason) => {
                tracing::warn!(seq = sealed.seq, reason, "batch refused by the collector and set aside");
                spool.set_aside(&sealed);
                true
            }
            Verdict::Later(_) => {
                let from_ns = now_ns + LATER.as_nanos() as u64;
                *(if live { &mut self.live_from_ns } else { &mut self.backlog_from_ns }) = from_ns;
                self.flowing()
            }
            Verdict::Unknown(_) | Verdict::Failed(_) => false,
        };
        let tally = spool.tally();
        drop(spool);
        self.shared.board.spool(tally);
        if self.shared.flowing.swap(answered, Ordering::Relaxed) != answered {
            tracing::info!(flowing = answered, backlog = tally.unacked, "batches to the collector");
        }
    }

    fn flowing(&self) -> bool {
        self.shared.flowing.load(Ordering::Relaxed)
    }
}

/// Sleeps for so many nanoseconds; for ever without.
async fn sleep(pause_ns: Option<u64>) {
    match pause_ns {
        Some(pause_ns) => tokio::time::sleep(Duration::from_nanos(pause_ns)).await,
        None => std::future::pending().await,
    }
}
