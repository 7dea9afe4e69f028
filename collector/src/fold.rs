//! The one thread that decides: it owns the `evidence` journal and the [`Watch`].
//!
//! ```text
//!  ingest ─ batches ─┐                       ┌─▶ append ─▶ apply ─┬─▶ Change (console, store)
//!  liveness ─ ticks ─┼─▶ queue (QUEUE) ─▶ fold                    ├─▶ on_batch (store)
//!  api ─ acts ───────┘                       └─▶ sync ─▶ answers  └─▶ on_train (liveness)
//! ```
//!
//! What it promises:
//!
//! - Nothing decides that is not in the journal: an entry is appended first and applied second. When the
//!   journal refuses, the entry is refused, counted and not applied; ticks are then missing, which the fold
//!   reads as "we were blind", never as silence. [`Fold::fault`] says so and `/readyz` shows it. A disk that is
//!   full is told of at a sync: what the journal's buffer holds by then is applied, waits, and is kept once there is
//!   room; its agents are refused until then. A batch it holds is a repeat when it comes again.
//! - An answer comes only after `sync`. Answers of one turn share a sync (group commit); a turn ends when
//!   the queue is empty or [`TURN`] entries were taken. Ticks alone are synced each [`SYNC_MS`].
//! - A batch is appended once: repeats are found here, where nothing runs beside it.
//! - It reads no clock: time comes in entries.

mod rebuild;
mod record;
mod standing;
mod thread;

use crate::entry::{Entry, Garbled, Received};
use crate::history::kept::History;
use crate::topology::{Id, Topology};
use crate::watch::{Watch, lines::LineSample, spools::SPOOLS};
use haidang_journal::{Disk, Files};
use haidang_probe::batch::{Batch, Ranges};
use record::Record;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{broadcast, oneshot, watch};

/// Submissions that may wait; one more is refused with [`Refused::Full`] and counted.
pub const QUEUE: usize = 1024;
/// Entries taken before a sync when the queue never empties.
pub const TURN: usize = 256;
/// Milliseconds of the journal's own time after which entries nobody waits for are synced.
pub const SYNC_MS: i64 = 1_000;
/// Milliseconds between checkpoints.
pub const CHECKPOINT_MS: i64 = 600_000;
/// Changes a slow reader may lag behind before it is told that it missed some.
pub const CHANGES: usize = 1024;
/// Where nobody says what is kept already, what came this long before the start is given again, milliseconds.
pub const REBUILD_MS: i64 = 86_400_000;
/// A fold further ahead of the machine's clock than this is not waited for.
const WAITED_FOR_MS: i64 = 3_600_000;
/// How often a stop knocks at a full queue.
const STOP_RETRY: Duration = Duration::from_millis(10);

/// Something that readers may want to look at again; what it is they read from the [`Watch`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Position of the entry that changed it.
    pub seq: u64,
    /// UTC ms.
    pub at: i64,
    /// Sites and lines that changed state.
    pub sites: Vec<Id>,
    /// Incidents revised.
    pub incidents: Vec<String>,
    /// Whether the findings changed.
    pub findings: bool,
    /// Whether the record judged by is another: what was read before may name what no longer is.
    pub record: bool,
}

/// Why a submission is refused. Nothing of it was kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too many wait already.
    #[error("{QUEUE} submissions are waiting already")]
    Full,
    /// The journal takes no records, for the reason given.
    #[error("the journal takes no records: {0}")]
    Journal(String),
    /// The spool's received numbers would need too many ranges: fill the holes first.
    #[error("too many holes in the numbers received of this spool; resend the oldest first")]
    Holes,
    /// The agent has more spools than an honest one.
    #[error("{SPOOLS} spools of this agent were heard of late; one more is not taken")]
    Spools,
    /// The collector is stopping.
    #[error("the collector is stopping")]
    Stopping,
}

/// A batch on its way in: as it came, and opened.
#[derive(Debug)]
pub struct Arrival {
    /// As it came.
    pub received: Received,
    /// Spool it belongs to.
    pub spool_id: u64,
    /// Its number within the spool.
    pub seq: u64,
    /// Opened.
    pub batch: Batch,
}

/// A batch that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Position in the journal; none for a repeat.
    pub position: Option<u64>,
    /// All numbers durably received of its spool.
    pub received: Ranges,
}

/// Takes a batch as it came, and opened, with its position in the journal.
pub type OnBatch = Box<dyn FnMut(u64, &Received, &Batch) + Send>;
/// Takes what was measured of the lines, with the position of the tick that ended the interval.
pub type OnLines = Box<dyn FnMut(u64, &[LineSample]) + Send>;

/// Called on the fold's thread; must not block.
pub struct Hooks {
    /// Each batch folded, opened; at start also those since [`Start::resume`].
    pub on_batch: OnBatch,
    /// Send the down session of this uplink fast until then (UTC ms).
    pub on_train: Box<dyn FnMut(u16, i64) + Send>,
    /// Ten seconds of the lines, and of the sites' standing; at start also those since [`Start::resume`].
    pub on_lines: OnLines,
    /// Before a checkpoint counts: whoever keeps what the other hooks gave makes it durable, because a start
    /// folds from the checkpoint on. It may take as long as a sync of the journal.
    pub on_checkpoint: Box<dyn FnMut() + Send>,
    /// Sees every entry; at start those it has not reached.
    pub history: Option<Arc<History>>,
}

impl Default for Hooks {
    fn default() -> Hooks {
        Hooks {
            on_batch: Box::new(|_, _, _| ()),
            on_train: Box::new(|_, _| ()),
            on_lines: Box::new(|_, _| ()),
            on_checkpoint: Box::new(|| ()),
            history: None,
        }
    }
}

/// The fold, to speak to; cheap to clone.
#[derive(Clone)]
pub struct Fold {
    queue: SyncSender<Submission>,
    shared: Arc<Shared>,
}

/// What the thread and its speakers share.
struct Shared {
    watch: RwLock<Watch>,
    changes: broadcast::Sender<Change>,
    fault: Mutex<Option<String>>,
    /// Why the last checkpoint does not count.
    unmarked: Mutex<Option<String>>,
    /// True once the thread has ended, for whatever reason.
    ended: watch::Sender<bool>,
    counts: Counts,
}

/// What the fold did since it started; read with [`Fold::counts`].
#[derive(Debug, Default)]
pub struct Counts {
    /// Entries appended and applied.
    pub entries: AtomicU64,
    /// Batches that were repeats.
    pub repeats: AtomicU64,
    /// Submissions refused because the queue was full.
    pub full: AtomicU64,
    /// Entries the journal refused.
    pub refused: AtomicU64,
    /// Syncs done.
    pub syncs: AtomicU64,
    /// Records the journal dropped to its bound.
    pub dropped: AtomicU64,
    /// Octets of the journal at the last sync.
    pub bytes: AtomicU64,
    /// Unix seconds of the last checkpoint that a start may begin at; 0 before the first.
    pub checkpoint: AtomicU64,
}

type Answer = oneshot::Sender<Result<Kept, Refused>>;

enum Submission {
    Entry(Box<Entry>, Option<Answer>),
    Batch(Box<Arrival>, Answer),
    Stop(oneshot::Sender<()>),
}

impl Fold {
    /// Submits an entry nobody waits for: a tick, a proof.
    pub fn submit(&self, entry: Entry) -> Result<(), Refused> {
        self.send(Submission::Entry(Box::new(entry), None))
    }

    /// Submits an entry and waits until it is durable; gives its position.
    pub async fn durable(&self, entry: Entry) -> Result<u64, Refused> {
        let (answer, wait) = oneshot::channel();
        self.send(Submission::Entry(Box::new(entry), Some(answer)))?;
        let kept = wait.await.map_err(|_| Refused::Stopping)??;
        kept.position.ok_or(Refused::Stopping)
    }

    /// Submits a batch and waits until it, or the batch it repeats, is durable.
    pub async fn batch(&self, arrival: Arrival) -> Result<Kept, Refused> {
        let (answer, wait) = oneshot::channel();
        self.send(Submission::Batch(Box::new(arrival), answer))?;
        wait.await.map_err(|_| Refused::Stopping)?
    }

    /// Judges by this record from now on; nothing happens when it is the present one.
    pub async fn configure(&self, at: i64, topology: Topology) -> Result<(), Refused> {
        if self.read(|watch| watch.topology().digest()) == topology.digest() {
            return Ok(());
        }
        self.durable(Entry::Config { at, topology: Box::new(topology) }).await.map(|_| ())
    }

    /// Looks at the fold. The thread waits meanwhile, so be short: copy out, then render.
    pub fn read<T>(&self, look: impl FnOnce(&Watch) -> T) -> T {
        look(&self.shared.watch.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes from now on. A reader more than [`CHANGES`] behind gets `Lagged` and should read all anew.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    /// Why nothing is being kept at present, or only what a start may lose, if so.
    pub fn fault(&self) -> Option<String> {
        let read = |why: &Mutex<Option<String>>| why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let journal = read(&self.shared.fault).map(|why| format!("the journal takes no records: {why}"));
        journal.or_else(|| read(&self.shared.unmarked).map(|why| format!("no checkpoint is kept: {why}")))
    }

    /// Returns once nothing is judged any more: after a stop, or when the thread broke down. Cancel safe.
    pub async fn ended(&self) {
        // The sender lives as long as this handle, so waiting does not fail.
        let _ = self.shared.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Counters since the start.
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    fn send(&self, submission: Submission) -> Result<(), Refused> {
        self.queue.try_send(submission).map_err(|error| match error {
            TrySendError::Full(_) => {
                self.shared.counts.full.fetch_add(1, Ordering::Relaxed);
                Refused::Full
            }
            TrySendError::Disconnected(_) => Refused::Stopping,
        })
    }
}

/// Starts the fold: opens the journal, folds what it holds, notes the start and the record judged by.
pub fn start(start: Start) -> Result<(Fold, Ending), StartError> {
    let files = Files::new(&start.journal.dir);
    start_on(files, start)
}

/// The same on any disk, whatever directory the journal names.
pub fn start_on<D>(disk: D, start: Start) -> Result<(Fold, Ending), StartError>
where
    D: Disk<File: Send, Lock: Send> + Clone + Send + Sync + 'static,
{
    let Start { journal, at, topology, resume, mut hooks } = start;
    let mut record = Record::open(disk, journal.max_bytes)?;
    let watch = rebuild::watch(&mut record, resume, at - REBUILD_MS, &mut hooks)?;
    let at = resumed(at, watch.now());
    let (changes, _) = broadcast::channel(CHANGES);
    let shared = Arc::new(Shared {
        watch: RwLock::new(watch),
        changes,
        fault: Mutex::new(None),
        unmarked: Mutex::new(None),
        ended: watch::Sender::new(false),
        counts: Counts::default(),
    });
    let (queue, submissions) = sync_channel(QUEUE);
    let mut thread = thread::Thread::new(record, shared.clone(), hooks);
    thread.begin(at, topology)?;
    let join = std::thread::Builder::new()
        .name("fold".into())
        .spawn(move || thread.run(&submissions))
        .map_err(StartError::Thread)?;
    let fold = Fold { queue, shared };
    Ok((fold.clone(), Ending { fold, join }))
}

/// When the fold goes on, given the machine's clock: a clock that is a little behind was stepped back, or is not
/// set yet, and time goes on from the last tick; one that is further behind is believed, and what is known keeps
/// its age. UTC ms.
fn resumed(clock: i64, folded: i64) -> i64 {
    if (1..=WAITED_FOR_MS).contains(&(folded - clock)) { folded } else { clock }
}

/// What a fold starts from.
pub struct Start {
    /// Where the journal is and how large it may grow.
    pub journal: Journal,
    /// UTC ms.
    pub at: i64,
    /// The record to judge by.
    pub topology: Topology,
    /// Position from which on the hooks are given measurements again; those of [`REBUILD_MS`] where none.
    pub resume: Option<u64>,
    /// Whom to call.
    pub hooks: Hooks,
}

/// Where the `evidence` journal is and how large it may grow.
#[derive(Clone, Debug)]
pub struct Journal {
    /// Its directory.
    pub dir: PathBuf,
    /// Its limit; when it is reached the oldest records go, whoever needs them, and are counted.
    pub max_bytes: u64,
}

/// Why the fold could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The journal refused.
    #[error("start the fold: {0}")]
    Journal(#[from] haidang_journal::Error),
    /// The journal holds a record this program cannot read; judging without it would judge otherwise.
    #[error("start the fold: record {position} of the journal: {garbled}")]
    Garbled {
        /// Its position.
        position: u64,
        /// What is wrong with it.
        garbled: Garbled,
    },
    /// No thread.
    #[error("start the fold's thread: {0}")]
    Thread(#[source] std::io::Error),
}

/// The running thread.
pub struct Ending {
    fold: Fold,
    join: JoinHandle<()>,
}

impl Ending {
    /// Ends in order: everything submitted before is kept, a checkpoint is written, the journal is closed.
    pub async fn stop(self) {
        let (done, wait) = oneshot::channel();
        let mut submission = Submission::Stop(done);
        while let Err(TrySendError::Full(back)) = self.fold.queue.try_send(submission) {
            submission = back;
            tokio::time::sleep(STOP_RETRY).await;
        }
        // An error means that the thread is gone already.
        let _ = wait.await;
        let _ = self.join.join();
    }
}

#[cfg(test)]
mod tests;
