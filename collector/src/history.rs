//! What every site was, when: the verdicts of the fold as intervals, kept for [`KEPT_DAYS`].
//!
//! ```text
//! fold ─ entry, effects ─▶ Recorder ─▶ turns, blind spells ─▶ history.db (SQLite) ─▶ availability
//!                             │                                  └ position: what it holds of the journal
//!                             └ in memory until a checkpoint of the journal
//! ```
//!
//! A turn is a site's verdict, and the commune it lies in, from a moment on. What stands in the file is a function
//! of the journal: rows and the position they reach are one transaction, so that after a kill the fold tells again
//! what is missing, and only that. Time without ticks is `unknown`: we were blind.

pub mod availability;
pub mod kept;

use crate::{
    entry::{Entry, Tick},
    topology::Id,
    watch::{Effect, Verdict, Watch},
};
use std::collections::BTreeMap;

/// How long turns are kept.
pub const KEPT_DAYS: i64 = 400;
/// Ticks further apart than this leave a spell in which nobody looked, ms.
const BLIND_MS: i64 = 2_000;
/// Rows kept in memory while the file takes none; beyond it they go, and a start folds them again.
const PENDING: usize = 100_000;

/// A site is this from a moment on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// UTC ms.
    pub from: i64,
    /// None once it is no longer recorded.
    pub verdict: Option<Verdict>,
    /// The commune it lies in.
    pub commune: Option<Id>,
}

/// What is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A site turned.
    Turn(Id, Turn),
    /// Nobody looked from the first moment to the second, UTC ms.
    Blind(i64, i64),
    /// What began after the first moment and up to the second is forgotten: that time is lived again. UTC ms.
    Again(i64, i64),
}

/// Turns the fold's effects into rows.
#[derive(Debug, Default)]
pub struct Recorder {
    /// Position of the last entry seen.
    position: u64,
    /// The last tick, UTC ms; 0 before the first.
    tick: i64,
    last: BTreeMap<Id, Turn>,
    /// The last tick before the clock was set back, UTC ms; 0 where it never was, or once that is passed.
    lived: i64,
    /// Rows not in the file yet.
    pending: Vec<Row>,
    /// Rows went because [`PENDING`] waited: the file must not say that it holds them.
    broken: bool,
}

impl Recorder {
    /// Goes on from what a file holds; `newest` is the latest moment in it, UTC ms.
    pub fn resume(position: u64, tick: i64, newest: i64, last: BTreeMap<Id, Turn>) -> Recorder {
        // The record may have changed a little after the last tick.
        let lived = if newest - tick > BLIND_MS { newest } else { 0 };
        Recorder { position, tick, last, lived, ..Recorder::default() }
    }

    /// An entry was folded; `watch` is the fold after it. One seen before changes nothing.
    pub fn see(&mut self, position: u64, entry: &Entry, effects: &[Effect], watch: &Watch) {
        if position <= self.position && self.position > 0 {
            return;
        }
        self.position = position;
        match entry {
            Entry::Start { at } if *at < self.tick => self.back(*at),
            Entry::Start { at } | Entry::Tick(Tick { at, .. }) => self.forward(*at),
            _ => {}
        }
        for effect in effects {
            if let Effect::Sites(sites) = effect {
                sites.iter().for_each(|site| self.turn(site, entry.at(), watch));
            }
        }
        // A checkpoint may be the first that is seen after records are gone: sites go on from how they stand in it.
        if matches!(entry, Entry::Checkpoint(_)) {
            watch.topology().sites.keys().for_each(|site| self.turn(site, entry.at(), watch));
        }
        if matches!(entry, Entry::Config { .. } | Entry::Checkpoint(_)) {
            let gone = |site: &&Id| !watch.topology().sites.contains_key(*site);
            let gone: Vec<Id> = self.last.keys().filter(gone).cloned().collect();
            gone.iter().for_each(|site| self.turn(site, entry.at(), watch));
        }
    }

    /// Rows not in the file yet.
    pub fn pending(&self) -> &[Row] {
        &self.pending
    }

    /// Time goes on from an earlier moment. Nobody knows which of the two clocks was wrong, so what was written of the
    /// time after it stays until that is lived again.
    fn back(&mut self, at: i64) {
        self.lived = self.lived.max(self.tick);
        self.tick = at;
        self.stand(at);
    }

    fn forward(&mut self, at: i64) {
        let before = std::mem::replace(&mut self.tick, at);
        let leapt = before > 0 && at - before > BLIND_MS;
        match (before < self.lived, leapt) {
            (true, false) => self.row(Row::Again(before, at)),
            // Over time that was lived, into what was written of it or beyond.
            (true, true) => self.stand(at),
            (false, _) => {}
        }
        if leapt && at > self.lived {
            self.row(Row::Blind(before.max(self.lived), at));
        }
    }

    /// From `at` on every site is what it was last.
    fn stand(&mut self, at: i64) {
        self.last.values_mut().for_each(|turn| turn.from = at);
        for (site, turn) in self.last.clone() {
            self.row(Row::Turn(site, turn));
        }
    }

    fn turn(&mut self, site: &str, at: i64, watch: &Watch) {
        let now = watch.site(site);
        let record = watch.topology().sites.get(site);
        let verdict = record.map(|_| now.verdict);
        let commune = record.and_then(|record| record.commune.clone());
        let last = self.last.get(site);
        if last.is_some_and(|last| (last.verdict, &last.commune) == (verdict, &commune)) {
            return;
        }
        // Silence is dated to where it began; what is better is dated to when it was seen.
        let worse = last.is_none_or(|last| last.verdict < verdict) && verdict > Some(Verdict::Unknown);
        let began = if worse && now.since > 0 { now.since.min(at) } else { at };
        let from = last.map_or(began, |last| began.max(last.from));
        let turn = Turn { from, verdict, commune };
        self.last.insert(site.to_owned(), turn.clone());
        self.row(Row::Turn(site.to_owned(), turn));
        if verdict.is_none() {
            self.last.remove(site);
        }
    }

    fn row(&mut self, row: Row) {
        if let (Some(Row::Again(_, to)), Row::Again(from, upto)) = (self.pending.last_mut(), &row)
            && to == from
        {
            *to = *upto;
            return;
        }
        if self.pending.len() >= PENDING {
            self.broken = true;
            self.pending.clear();
        }
        self.pending.push(row);
    }
}
