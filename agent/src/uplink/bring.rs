//! One batch over the uplinks, until one of them has an answer.
//!
//! ```text
//!   connect ─▶ announce: a start will know that it may have left ─▶ post ─▶ verdict
//!      └──▶ failed: nothing left ─▶ next uplink
//! ```

use super::health::jitter;
use super::post::Verdict;
use super::{Shared, Uplink};
use crate::spool::Sealed;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tries the uplinks in order until one answers; the last verdict when none does, and whether any octet may have left.
/// `announced` says that a start would know of that.
pub(super) async fn bring(
    (sealed, announced): (&Sealed, bool),
    order: &[Arc<Uplink>],
    shared: &Shared,
) -> (Verdict, bool) {
    let left = AtomicBool::new(false);
    let leaves = || async {
        if !announced {
            announce(sealed.seq, shared).await;
        }
        left.store(true, Ordering::Relaxed);
    };
    let verdict = try_all(sealed, order, shared, leaves).await;
    (verdict, left.load(Ordering::Relaxed))
}

async fn try_all<L: Future<Output = ()>>(
    sealed: &Sealed,
    order: &[Arc<Uplink>],
    shared: &Shared,
    leaves: impl Fn() -> L,
) -> Verdict {
    let Shared { clock, board, meter, .. } = shared;
    let mut last = Verdict::Failed("no uplink".into());
    for uplink in order {
        meter.exchange(&uplink.plan, sealed.bytes.len(), clock.utc_ms());
        let verdict = uplink.post.batch_after(&sealed.bytes, leaves()).await;
        let line = uplink.name();
        let now_ns = clock.steady_ns();
        match &verdict {
            Verdict::Kept(_) | Verdict::Refused(_) => {
                if matches!(verdict, Verdict::Kept(_)) {
                    uplink.carried();
                }
                if uplink.health().answered() {
                    tracing::info!(line, "uplink carries batches");
                }
                board.batch(&line, true);
                return verdict;
            }
            Verdict::Later(reason) => {
                tracing::debug!(line, seq = sealed.seq, reason, "batch wanted later");
                board.batch(&line, false);
                return verdict;
            }
            Verdict::Unknown(reason) => {
                if uplink.health().unknown(now_ns, jitter()) {
                    tracing::warn!(
                        line,
                        reason,
                        "the collector takes no batches of this agent; check its secret and the address"
                    );
                }
            }
            Verdict::Failed(reason) => {
                if uplink.health().failed(now_ns, jitter()) {
                    tracing::info!(line, reason, "uplink does not carry batches");
                }
                tracing::debug!(line, seq = sealed.seq, reason, "batch not brought");
            }
        }
        board.batch(&line, false);
        last = verdict;
    }
    last
}

/// A disk that refuses does not keep it here: after a start it may then count twice, if it is reduced.
async fn announce(seq: u64, shared: &Shared) {
    let mut spool = shared.spool.clone().lock_owned().await;
    let announced = tokio::task::spawn_blocking(move || spool.announce(seq)).await;
    if let Ok(Err(error)) = announced {
        tracing::warn!(seq, %error, "a start will not know that this batch left");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expose::Board;
    use crate::place::Finder;
    use crate::spool::Spool;
    use crate::uplink::meter::Meter;
    use haidang_daemon::clock::Clock;
    use haidang_probe::batch::Batch;
    use haidang_probe::plan::{self, PlanDigest};
    use std::net::TcpListener;
    use tokio::sync::watch;

    #[tokio::test]
    async fn only_what_a_connection_took_may_have_left_and_is_announced_before() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(&folder.path().join("spool"), "a", 8 << 20).unwrap();
        let sealed = spool.seal(&Batch::default()).unwrap();
        let shared = Shared {
            clock: Clock::manual(),
            spool: Arc::new(tokio::sync::Mutex::new(spool)),
            wake: Arc::default(),
            flowing: Arc::default(),
            board: Board::default(),
            meter: Meter::default(),
            wanted: watch::Sender::new(PlanDigest::default()),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = crate::plan::tests::good().plan.uplinks.remove(0);
        let collector = format!("http://{}", listener.local_addr().unwrap());
        let plan = plan::Uplink { collector, pin: None, source: None, interface: None, ..own };
        let uplink = || Arc::new(Uplink::new(&plan, Some("token"), &Finder::default(), None).unwrap());
        let deaf = std::thread::spawn(move || listener.accept().map(drop));
        let (verdict, left) = bring((&sealed, false), &[uplink()], &shared).await;
        assert!(matches!(verdict, Verdict::Failed(_)) && left, "{verdict:?}");
        assert!(shared.spool.lock().await.is_announced(sealed.seq));
        // The listener is gone: nobody takes a connection.
        deaf.join().unwrap().unwrap();
        let (verdict, left) = bring((&sealed, true), &[uplink()], &shared).await;
        assert!(matches!(verdict, Verdict::Failed(_)) && !left, "{verdict:?}");
    }
}
