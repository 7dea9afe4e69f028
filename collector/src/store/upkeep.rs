//! What the store does by itself: syncs each second, seals full hours, lets old days go.
//!
//! ```text
//! seal   1 take windows out of the head, note `sealing`     2 merge with what is on the shelf, pack, put (sync)
//!        3 note `sealed`                                    4 cut `samples` before the oldest open window
//! ```
//!
//! Ending anywhere between two steps is well: a start puts the windows back into the head, and sealing them
//! again drops what is on the shelf already. No step waits for the one who measures, nor makes it wait.

use super::head::{DAY_MS, GROUPS, Place, WINDOW_MS, Window, day_of, window_of};
use super::record::{Definition, Record};
use super::stream::merge;
use super::{Store, chunk, lock};
use haidang_daemon::clock::Clock;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a full window waits for stragglers.
const GRACE_MS: i64 = 120_000;
/// Windows opened for late samples at which these are sealed out of turn.
const LATE_WINDOWS: usize = 20_000;
/// How often records are synced.
const TURN: Duration = Duration::from_secs(1);

/// Why windows could not be sealed. They stay in memory, and are sealed at another turn.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The shelf refused.
    #[error("seal samples: {0}")]
    Shelf(#[from] fjall::Error),
    /// The journal refused.
    #[error("cut the journal of samples: {0}")]
    Journal(#[from] haidang_journal::Error),
}

/// A step of a seal; the first four are those of each group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Windows are out of the head.
    TakenOut,
    /// Rows of series are on the shelf.
    Rows,
    /// Chunks are.
    Chunks,
    /// That they are waits to be written to the journal.
    Noted,
    /// It is written.
    Flushed,
    /// The journal is cut.
    Cut,
}

/// What is being sealed.
struct Taken {
    windows: BTreeMap<Place, Arc<Window>>,
    rows: Vec<(u32, Definition, i64)>,
}

impl Store {
    /// Seals what is due at `now`; gives how many windows that were.
    pub fn seal(&self, now: i64) -> Result<usize, SealError> {
        self.seal_in_steps(now, &mut |_| ())
    }

    /// [`Store::seal`]; `ended` is told each step that ended, behind which a kill may come.
    pub(super) fn seal_in_steps(&self, now: i64, ended: &mut dyn FnMut(Step)) -> Result<usize, SealError> {
        let _turn = lock(&self.turn);
        let mut sealed = 0;
        for group in 0..GROUPS {
            sealed += self.seal_group(group, window_of(group, now - GRACE_MS), ended)?;
        }
        if sealed > 0 {
            // A full journal is cut although it takes nothing: that is what makes room in it.
            let flushed = self.flush();
            ended(Step::Flushed);
            self.cut()?;
            ended(Step::Cut);
            flushed?;
        }
        Ok(sealed)
    }

    fn seal_group(&self, group: u8, upto: i64, ended: &mut dyn FnMut(Step)) -> Result<usize, SealError> {
        let Some(taken) = self.take_out(group, upto) else { return Ok(0) };
        ended(Step::TakenOut);
        let chunks = taken.windows.iter().map(|(place, window)| Ok((*place, self.pack(*place, window)?)));
        let chunks: fjall::Result<BTreeMap<Place, Vec<u8>>> = chunks.collect();
        let count = taken.windows.len();
        let put = chunks.and_then(|chunks| {
            self.shelf.put_series(&taken.rows)?;
            ended(Step::Rows);
            self.shelf.put(chunks)
        });
        ended(Step::Chunks);
        let mut ring = self.ring();
        let sealing = std::mem::take(&mut ring.sealing);
        if let Err(error) = put {
            let windows = sealing.into_iter().map(|(place, window)| (place, Arc::unwrap_or_clone(window)));
            ring.head.put_back(windows.collect());
            return Err(error.into());
        }
        taken.rows.iter().for_each(|(id, _, day)| ring.head.saved(*id, *day));
        ring.upto[usize::from(group)] = upto;
        ring.queue.put(&Record::Sealed { group }, None);
        drop(ring);
        ended(Step::Noted);
        Ok(count)
    }

    fn take_out(&self, group: u8, upto: i64) -> Option<Taken> {
        let mut ring = self.ring();
        let crowded = ring.late_windows > LATE_WINDOWS;
        if ring.upto[usize::from(group)] >= upto && !crowded {
            return None;
        }
        if group + 1 == GROUPS {
            ring.late_windows = 0;
        }
        let windows = ring.head.take(group, upto);
        let rows = ring.head.unsaved(group);
        if windows.is_empty() && rows.is_empty() {
            ring.upto[usize::from(group)] = upto;
            return None;
        }
        ring.queue.put(&Record::Sealing { group, upto }, None);
        let windows: BTreeMap<_, _> =
            windows.into_iter().map(|(place, window)| (place, Arc::new(window))).collect();
        ring.sealing.clone_from(&windows);
        Some(Taken { windows, rows })
    }

    /// The chunk of a window, with what is on the shelf of it. A shelf that does not say what it holds is not written
    /// over.
    fn pack(&self, (start, id): Place, window: &Window) -> fjall::Result<Vec<u8>> {
        // Each is looked for: a journal that was full, or a clock set back, leaves nothing to tell which are there. Tables
        // are in order of time, so that one beyond them all is missed without reading.
        let mut samples = self.sealed((start, id))?;
        if samples.is_empty() {
            return Ok(chunk::encode(start, &window.stream.samples()));
        }
        let merged = merge(&mut samples, &window.stream.samples());
        let counts = &mut self.ring().counts;
        counts.repeats += merged.repeats;
        counts.refused += merged.full;
        Ok(chunk::encode(start, &samples))
    }

    /// Lets the part of the journal go that no open window needs.
    fn cut(&self) -> Result<(), SealError> {
        let Some(log) = &self.log else { return Ok(()) };
        let oldest = {
            let mut ring = self.ring();
            let oldest = ring.head.oldest().unwrap_or(ring.queue.next);
            // What the journal could not take was in windows that are sealed now.
            if ring.queue.behind.is_some_and(|behind| behind < oldest) {
                ring.queue.behind = None;
            }
            oldest
        };
        Ok(lock(log).drop_before(oldest)?)
    }

    /// Lets days go that are past keeping, and series of which nothing is left.
    pub fn expire(&self, now: i64) -> Result<usize, SealError> {
        let _turn = lock(&self.turn);
        // A window begun on a day may end on the next.
        let first = day_of(now - self.limits.keep_ms - WINDOW_MS);
        let gone = self.shelf.drop_before(first)?;
        let forgotten = {
            let mut ring = self.ring();
            // Agents not heard for a day; the next of theirs is due anyhow.
            ring.delays.retain(|_, told| (0..DAY_MS).contains(&(now - *told)));
            ring.head.forget(first)
        };
        self.shelf.forget_series(&forgotten)?;
        Ok(gone)
    }
}

/// The store's own thread.
pub struct Upkeep {
    stop: SyncSender<()>,
    join: JoinHandle<()>,
}

impl Upkeep {
    /// Starts it.
    pub fn start(store: Arc<Store>, clock: Clock) -> io::Result<Upkeep> {
        let (stop, stopped) = sync_channel(1);
        let join = std::thread::Builder::new().name("store".into()).spawn(move || {
            let mut turns = Turns::default();
            while stopped.recv_timeout(TURN) == Err(RecvTimeoutError::Timeout) {
                turns.next(&store, clock.utc_ms());
            }
            turns.next(&store, clock.utc_ms());
        })?;
        Ok(Upkeep { stop, join })
    }

    /// Ends it; what waited is on disk then.
    pub fn stop(self) {
        let Upkeep { stop, join } = self;
        // An error means that the thread is gone already.
        let _ = stop.send(());
        let _ = join.join();
    }
}

#[derive(Default)]
struct Turns {
    day: i64,
    /// Why the last turn failed, if it did.
    fault: Option<String>,
}

impl Turns {
    fn next(&mut self, store: &Store, now: i64) {
        let flushed = store.flush().map_err(SealError::from);
        let sealed = store.seal(now);
        let mut failed = flushed.and(sealed).err();
        if self.day != now / DAY_MS {
            match store.expire(now) {
                Ok(_) => self.day = now / DAY_MS,
                Err(error) => failed = Some(error),
            }
        }
        let fault = failed.map(|error| error.to_string());
        match (&fault, &self.fault) {
            (Some(why), None) => tracing::warn!(why, "samples are not kept on disk; they stay in memory"),
            (None, Some(_)) => tracing::info!("samples are kept on disk again"),
            _ => {}
        }
        self.fault = fault;
    }
}
