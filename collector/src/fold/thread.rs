//! The fold's loop: append, apply, sync, answer.

use super::record::Record;
use super::{
    Answer, Arrival, CHECKPOINT_MS, Change, Hooks, Kept, Refused, SYNC_MS, Shared, StartError, Submission,
    TURN, standing,
};
use crate::entry::Entry;
use crate::topology::Topology;
use crate::watch::{Effect, Watch, spools::Beyond};
use haidang_journal::{Disk, Error};
use haidang_probe::batch::Ranges;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Without a checkpoint that a start may begin at for so long, something is wrong, ms of the journal's own time.
const UNMARKED_MS: i64 = 6 * CHECKPOINT_MS;

/// How long the thread waits for a submission before it syncs what nobody waits for.
const IDLE: Duration = Duration::from_secs(1);

pub(super) struct Thread<D: Disk> {
    record: Record<D>,
    shared: Arc<Shared>,
    hooks: Hooks,
    /// Answers that wait for the next sync.
    waiting: Vec<(Answer, Kept)>,
    /// Something was appended since the last sync.
    dirty: bool,
    /// Time of the last entry synced, UTC ms.
    synced: i64,
    /// Time of the last checkpoint, UTC ms.
    checkpoint: i64,
    /// Time of the last one that a start may begin at, UTC ms.
    marked: i64,
}

impl<D: Disk + Clone> Thread<D> {
    pub(super) fn new(record: Record<D>, shared: Arc<Shared>, hooks: Hooks) -> Thread<D> {
        let waiting = Vec::new();
        Thread { record, shared, hooks, waiting, dirty: false, synced: 0, checkpoint: 0, marked: 0 }
    }

    /// Notes the start, and the record when it is another than the one folded.
    pub(super) fn begin(&mut self, at: i64, topology: Topology) -> Result<(), StartError> {
        (self.checkpoint, self.marked) = (at, at);
        self.keep(&Entry::Start { at })?;
        if self.look(|watch| watch.topology().digest()) != topology.digest() {
            self.keep(&Entry::Config { at, topology: Box::new(topology) })?;
        }
        Ok(self.record.sync()?)
    }

    /// Runs until told to stop, or until nobody is left who could submit.
    pub(super) fn run(mut self, submissions: &Receiver<Submission>) {
        loop {
            let first = match submissions.recv_timeout(IDLE) {
                Ok(submission) => Some(submission),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let idle = first.is_none();
            let turn = first.into_iter().chain(submissions.try_iter()).take(TURN);
            for submission in turn {
                match submission {
                    Submission::Entry(entry, answer) => self.take(&entry, answer),
                    Submission::Batch(arrival, answer) => self.take_batch(*arrival, answer),
                    Submission::Stop(done) => {
                        self.end();
                        let _ = done.send(());
                        return;
                    }
                }
            }
            self.settle(idle);
        }
    }

    fn take(&mut self, entry: &Entry, answer: Option<Answer>) {
        let kept = self.keep(entry);
        let Some(answer) = answer else {
            return drop(kept.map_err(|error| self.fail(&error)));
        };
        match kept {
            Ok(position) => {
                let kept = Kept { position: Some(position), received: Ranges::default() };
                self.waiting.push((answer, kept));
            }
            Err(error) => drop(answer.send(Err(self.fail(&error)))),
        }
    }

    fn take_batch(&mut self, arrival: Arrival, answer: Answer) {
        let Arrival { received, spool_id, seq, batch } = arrival;
        let expected = self.look(|watch| watch.expect(&received.agent, spool_id, seq, received.at));
        let (fresh, numbers) = match expected {
            Ok(expected) => expected,
            Err(Beyond::Holes) => return drop(answer.send(Err(Refused::Holes))),
            Err(Beyond::Spools) => return drop(answer.send(Err(Refused::Spools))),
        };
        if !fresh {
            self.shared.counts.repeats.fetch_add(1, Ordering::Relaxed);
            self.waiting.push((answer, Kept { position: None, received: numbers }));
            return;
        }
        let entry = Entry::Batch(received);
        match self.keep(&entry) {
            Ok(position) => {
                self.waiting.push((answer, Kept { position: Some(position), received: numbers }));
                if let Entry::Batch(received) = &entry {
                    (self.hooks.on_batch)(position, received, &batch);
                }
            }
            Err(error) => drop(answer.send(Err(self.fail(&error)))),
        }
    }

    /// Appends and applies one entry.
    fn keep(&mut self, entry: &Entry) -> Result<u64, Error> {
        let position = self.record.append(entry).inspect_err(|_| {
            self.shared.counts.refused.fetch_add(1, Ordering::Relaxed);
        })?;
        self.dirty = true;
        self.shared.counts.entries.fetch_add(1, Ordering::Relaxed);
        let effects =
            self.shared.watch.write().unwrap_or_else(PoisonError::into_inner).apply(position, entry);
        if let Some(history) = &self.hooks.history {
            self.look(|watch| history.see(position, entry, &effects, watch));
        }
        // What is told of an incident must stand after a kill: else it would be judged, and told, anew.
        if effects.iter().any(|effect| matches!(effect, Effect::Incident(_))) {
            self.sync(entry.at());
        }
        self.tell(position, entry, effects);
        Ok(position)
    }

    fn tell(&mut self, seq: u64, entry: &Entry, effects: Vec<Effect>) {
        let record = matches!(entry, Entry::Config { .. });
        let mut change = Change { seq, at: entry.at(), record, ..Change::default() };
        for effect in effects {
            match effect {
                Effect::Train { ssid, until } => (self.hooks.on_train)(ssid, until),
                Effect::Sites(ids) => change.sites.extend(ids),
                Effect::Incident(id) => change.incidents.push(id),
                Effect::Findings => change.findings = true,
                Effect::Lines(samples) => {
                    let samples = self.look(|watch| standing::beside(samples, watch, entry.at()));
                    (self.hooks.on_lines)(seq, &samples);
                }
                Effect::Verdict(_) => {}
            }
        }
        if !change.sites.is_empty() || !change.incidents.is_empty() || change.findings || record {
            // An error means that nobody listens.
            let _ = self.shared.changes.send(change);
        }
    }

    /// Ends a turn: syncs when somebody waits or it is time, writes a checkpoint when it is due.
    fn settle(&mut self, idle: bool) {
        let now = self.now();
        if now - self.checkpoint >= CHECKPOINT_MS {
            self.write_checkpoint(now);
        }
        let due = !self.waiting.is_empty() || (self.dirty && (idle || now - self.synced >= SYNC_MS));
        if due {
            self.sync(now);
        }
    }

    fn sync(&mut self, now: i64) {
        let answer = self.record.sync().map_err(|error| self.fail(&error));
        let (bytes, dropped) = self.record.size();
        let counts = &self.shared.counts;
        counts.syncs.fetch_add(1, Ordering::Relaxed);
        counts.bytes.store(bytes, Ordering::Relaxed);
        counts.dropped.store(dropped, Ordering::Relaxed);
        self.synced = now;
        if answer.is_ok() {
            self.dirty = false;
            self.recover();
        }
        for (waiting, kept) in self.waiting.drain(..) {
            // An error means that the one who asked has gone.
            let _ = waiting.send(answer.clone().map(|()| kept));
        }
    }

    fn write_checkpoint(&mut self, now: i64) {
        self.checkpoint = now;
        let entry = self.look(Watch::checkpoint);
        let marked = self.keep(&entry).and_then(|position| {
            self.record.sync()?;
            (self.hooks.on_checkpoint)();
            // A start from here tells the history nothing older: it must hold that, or the start is from elsewhere.
            let kept = self.keep_history(position);
            if kept {
                self.record.mark(position, now)?;
            }
            Ok(kept)
        });
        match marked {
            Ok(true) => {
                self.marked = now;
                self.unmarked(None);
            }
            Ok(false) if now - self.marked < UNMARKED_MS => {}
            Ok(false) => self.unmarked(Some("the history is not kept".to_owned())),
            Err(error) => {
                self.fail(&error);
                self.unmarked(Some(error.to_string()));
            }
        }
    }

    /// Notes why no checkpoint was kept: the journal goes on, and what it drops then is lost to a start.
    fn unmarked(&self, why: Option<String>) {
        let mut unmarked = self.shared.unmarked.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*unmarked, &why) {
            (None, Some(why)) => tracing::warn!(why, "no checkpoint is kept"),
            (Some(_), None) => tracing::info!("checkpoints are kept again"),
            _ => {}
        }
        *unmarked = why;
        drop(unmarked);
        let marked = u64::try_from(self.marked / 1_000).unwrap_or_default();
        self.shared.counts.checkpoint.store(marked, Ordering::Relaxed);
    }

    /// Writes what the history has of the journal up to `position`, which is durable.
    fn keep_history(&self, position: u64) -> bool {
        let Some(history) = &self.hooks.history else { return true };
        history.keep(position).unwrap_or_else(|error| {
            tracing::warn!(%error, "the history is not kept");
            false
        })
    }

    fn end(&mut self) {
        let now = self.now();
        self.write_checkpoint(now);
        self.sync(now);
    }

    fn now(&self) -> i64 {
        self.look(Watch::now)
    }

    fn look<T>(&self, look: impl FnOnce(&Watch) -> T) -> T {
        look(&self.shared.watch.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn fail(&self, error: &Error) -> Refused {
        let why = error.to_string();
        // The entry's own fault; the next one may be taken.
        if matches!(error, Error::TooLong { .. }) {
            return Refused::Journal(why);
        }
        let mut fault = self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if fault.is_none() {
            tracing::warn!(why, "the journal takes no records: nothing is judged or acknowledged");
        }
        *fault = Some(why.clone());
        Refused::Journal(why)
    }

    fn recover(&self) {
        let mut fault = self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if fault.take().is_some() {
            tracing::info!("the journal takes records again");
        }
    }
}

/// Also when the thread panics: whoever runs the collector must hear that nobody judges.
impl<D: Disk> Drop for Thread<D> {
    fn drop(&mut self) {
        self.shared.ended.send_replace(true);
    }
}
