//! The history on disk: `history.db`.
//!
//! ```text
//! turns(site, from_ms, verdict, commune)   blind(from_ms, to_ms)   reached(position, tick)
//! ```
//!
//! The fold writes by one connection, questions read by another, so that a long question never keeps the fold waiting.
//! A file that is lost or damaged is begun anew from what the journal still holds; it reaches further back than the
//! journal does, so the damaged one is set aside, never removed. Whatever else keeps it from opening (a full disk, a
//! lock, tables of a later version) passes or is to be mended: the start fails and the file stays as it is.

use super::availability::{Question, Share, Written, shares};
use super::{KEPT_DAYS, Recorder, Row, Turn};
use crate::entry::Entry;
use crate::topology::{Id, Topology, hours::DAY_MS};
use crate::watch::{Effect, Verdict, Watch};
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, params};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Name of the file within the collector's directory.
pub const FILE: &str = "history.db";
/// Version of its tables.
const SCHEMA: i64 = 1;
const TABLES: &str = "
    BEGIN;
    CREATE TABLE turns (site TEXT NOT NULL, from_ms INTEGER NOT NULL, verdict INTEGER, commune TEXT,
        PRIMARY KEY (site, from_ms)) WITHOUT ROWID;
    CREATE INDEX turns_by_commune ON turns (commune, site);
    CREATE TABLE blind (from_ms INTEGER PRIMARY KEY, to_ms INTEGER NOT NULL);
    CREATE TABLE reached (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL, tick INTEGER NOT NULL);
    INSERT INTO reached VALUES (1, 0, 0);
    PRAGMA user_version = 1;
    COMMIT;";
/// What SQLite keeps beside a file, and the file itself last: a file without its log is never taken for whole.
const PARTS: [&str; 3] = ["-wal", "-shm", ""];
/// Verdicts by their number in the file.
const VERDICTS: [Verdict; 7] = [
    Verdict::Up,
    Verdict::OffHours,
    Verdict::Maintenance,
    Verdict::Unknown,
    Verdict::Degraded,
    Verdict::Affected,
    Verdict::Down,
];

/// Why the history cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file cannot be made.
    #[error("history {}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The tables are of another version.
    #[error("tables of version {0}, this program knows {SCHEMA}")]
    Version(i64),
    /// SQLite refused.
    #[error("reading or writing the history: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl HistoryError {
    /// Whether what stands in the file is no history any more; anything else may pass.
    fn is_damage(&self) -> bool {
        let HistoryError::Sqlite(error) = self else { return false };
        matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
    }
}

/// The history, file and what waits for it. Share it by `Arc`.
pub struct History {
    inner: Mutex<Inner>,
    /// Sees the file alone. Locked before `inner` where both are.
    reader: Mutex<Connection>,
}

struct Inner {
    file: Connection,
    recorder: Recorder,
}

/// File and what waits for it, at one moment.
struct Past<'a> {
    file: Transaction<'a>,
    pending: Vec<Row>,
    seen_to: i64,
}

impl History {
    /// Opens `dir`/[`FILE`] (mode 0600), made where there is none; a damaged one is set aside.
    ///
    /// # Errors
    /// Everything but damage: the file is left as it is.
    pub fn open(dir: &Path) -> Result<History, HistoryError> {
        let path = dir.join(FILE);
        let (file, recorder) = match open(&path) {
            Err(error) if error.is_damage() => {
                let aside = set_aside(&path)?;
                let aside = aside.display();
                tracing::warn!(%error, %aside, "the history is damaged; it begins with what the journal holds");
                open(&path)?
            }
            opened => opened?,
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = Mutex::new(Connection::open_with_flags(&path, flags)?);
        Ok(History { inner: Mutex::new(Inner { file, recorder }), reader })
    }

    /// How far it reaches into the journal; the fold tells again what came after.
    pub fn reached(&self) -> u64 {
        self.inner().recorder.position
    }

    /// An entry was folded.
    pub fn see(&self, position: u64, entry: &Entry, effects: &[Effect], watch: &Watch) {
        self.inner().recorder.see(position, entry, effects, watch);
    }

    /// Writes what waits, once the journal is durable up to `position`, and lets go what is older than
    /// [`KEPT_DAYS`]. Whether the file then holds all up to there: not when later entries were seen already, which the
    /// journal could still lose, nor after rows went for want of room.
    pub fn keep(&self, position: u64) -> Result<bool, HistoryError> {
        let Inner { file, recorder } = &mut *self.inner();
        if recorder.broken || recorder.position != position {
            return Ok(false);
        }
        let transaction = file.transaction()?;
        for row in recorder.pending() {
            match row {
                Row::Turn(site, turn) => transaction
                    .prepare_cached("INSERT OR REPLACE INTO turns VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![site, turn.from, number(turn.verdict), turn.commune])?,
                Row::Blind(from, to) => transaction
                    .prepare_cached("INSERT OR REPLACE INTO blind VALUES (?1, ?2)")?
                    .execute([from, to])?,
                Row::Again(from, to) => again(&transaction, *from, *to)?,
            };
        }
        transaction.execute(
            "UPDATE reached SET position = ?1, tick = ?2",
            params![position as i64, recorder.tick],
        )?;
        forget(&transaction, recorder.tick - KEPT_DAYS * DAY_MS)?;
        transaction.commit()?;
        recorder.pending.clear();
        Ok(true)
    }

    /// The shares a question asks for, by the present record.
    pub fn availability(&self, record: &Topology, question: &Question) -> Result<Vec<Share>, HistoryError> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.past(&reader)?.written(record, question)?;
        Ok(shares(record, &written, question))
    }

    fn past<'a>(&self, reader: &'a Connection) -> Result<Past<'a>, rusqlite::Error> {
        let inner = self.inner();
        let file = reader.unchecked_transaction()?;
        // The first read decides what the transaction sees, so it belongs under the lock.
        file.query_row("SELECT position FROM reached", [], |_| Ok(()))?;
        let recorder = &inner.recorder;
        let seen_to = recorder.tick.max(recorder.lived);
        Ok(Past { file, pending: recorder.pending().to_vec(), seen_to })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Past<'_> {
    /// What was written down of the sites asked about, what waits for the file included.
    fn written(&self, record: &Topology, question: &Question) -> Result<Written, rusqlite::Error> {
        let sites = question.whose.sites(record, |communes| self.recorded_in(communes))?;
        let mut turns = BTreeMap::new();
        for site in sites {
            let of_site = self.turns(&site, question)?;
            turns.insert(site, of_site);
        }
        let blind = self.blind(question)?.into_iter().collect();
        Ok(Written { turns, blind, seen_to: self.seen_to })
    }

    fn blind(&self, question: &Question) -> Result<BTreeMap<i64, i64>, rusqlite::Error> {
        let spells = "SELECT from_ms, to_ms FROM blind WHERE to_ms > ?1 AND from_ms < ?2";
        let mut select = self.file.prepare_cached(spells)?;
        let spells = select.query_map([question.from, question.to], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut spells: BTreeMap<i64, i64> = spells.collect::<Result<_, _>>()?;
        for row in &self.pending {
            match row {
                Row::Blind(from, to) => _ = spells.insert(*from, *to),
                Row::Again(from, to) => spells.retain(|at, _| !(from < at && at <= to)),
                Row::Turn(..) => {}
            }
        }
        Ok(spells)
    }

    /// A site's turns within the question's span, and the one it began with.
    fn turns(&self, site: &str, question: &Question) -> Result<Vec<Turn>, rusqlite::Error> {
        let mut select = self.file.prepare_cached(
            "SELECT from_ms, verdict, commune FROM turns WHERE site = ?1 AND from_ms < ?3 AND from_ms >=
             coalesce((SELECT max(from_ms) FROM turns WHERE site = ?1 AND from_ms <= ?2), ?2)",
        )?;
        let rows = select.query_map(params![site, question.from, question.to], |row| {
            let verdict = verdict(row.get(1)?);
            Ok(Turn { from: row.get(0)?, verdict, commune: row.get(2)? })
        })?;
        let mut turns: BTreeMap<i64, Turn> = BTreeMap::new();
        for turn in rows {
            let turn = turn?;
            turns.insert(turn.from, turn);
        }
        for row in &self.pending {
            match row {
                Row::Turn(of, turn) if of == site => _ = turns.insert(turn.from, turn.clone()),
                Row::Again(from, to) => turns.retain(|at, _| !(from < at && at <= to)),
                _ => {}
            }
        }
        Ok(turns.into_values().collect())
    }

    /// Sites ever recorded in one of these communes.
    fn recorded_in(&self, communes: &BTreeSet<Id>) -> Result<BTreeSet<Id>, rusqlite::Error> {
        let mut sites = BTreeSet::new();
        let mut select = self.file.prepare_cached("SELECT DISTINCT site FROM turns WHERE commune = ?1")?;
        for commune in communes {
            for site in select.query_map([commune], |row| row.get(0))? {
                sites.insert(site?);
            }
        }
        let within = |turn: &Turn| turn.commune.as_ref().is_some_and(|code| communes.contains(code));
        sites.extend(self.pending.iter().filter_map(|row| match row {
            Row::Turn(site, turn) if within(turn) => Some(site.clone()),
            _ => None,
        }));
        Ok(sites)
    }
}

/// Renames a damaged file, and what SQLite keeps beside it, to the next free name; gives that.
fn set_aside(path: &Path) -> Result<PathBuf, HistoryError> {
    let ended = |path: &Path, end: &str| {
        let mut name = path.to_owned().into_os_string();
        name.push(end);
        PathBuf::from(name)
    };
    let mut aside = ended(path, ".damaged");
    for number in 2.. {
        if !aside.exists() {
            break;
        }
        aside = ended(path, &format!(".damaged-{number}"));
    }
    for part in PARTS {
        match std::fs::rename(ended(path, part), ended(&aside, part)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(HistoryError::File { path: path.into(), source });
            }
            _ => {}
        }
    }
    Ok(aside)
}

fn open(path: &Path) -> Result<(Connection, Recorder), HistoryError> {
    let made = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    made.map_err(|source| HistoryError::File { path: path.into(), source })?;
    let file = Connection::open(path)?;
    file.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
    match file.query_row("PRAGMA user_version", [], |row| row.get(0))? {
        0 => file.execute_batch(TABLES)?,
        // Versions before this one are brought up to it here; there is none yet.
        SCHEMA => {}
        found => return Err(HistoryError::Version(found)),
    }
    let reached = "SELECT position, tick FROM reached";
    let (position, tick): (i64, i64) = file.query_row(reached, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let newest = "SELECT max((SELECT coalesce(max(from_ms), 0) FROM turns), (SELECT coalesce(max(to_ms), 0) FROM blind))";
    let newest = file.query_row(newest, [], |row| row.get(0))?;
    let recorder = Recorder::resume(position as u64, tick, newest, BTreeMap::new());
    // While time is lived again, what comes later is of before.
    let until = if recorder.lived > 0 { tick } else { i64::MAX };
    let last = last(&file, until)?;
    Ok((file, Recorder { last, ..recorder }))
}

/// The last turn of each site still recorded, up to a moment.
fn last(file: &Connection, until: i64) -> Result<BTreeMap<Id, Turn>, rusqlite::Error> {
    // SQLite gives the other columns of the row that holds the maximum.
    let turns = "SELECT site, max(from_ms), verdict, commune FROM turns WHERE from_ms <= ?1 GROUP BY site";
    let mut select = file.prepare(turns)?;
    let rows = select.query_map([until], |row| {
        let turn = Turn { from: row.get(1)?, verdict: verdict(row.get(2)?), commune: row.get(3)? };
        Ok((row.get(0)?, turn))
    })?;
    let all: BTreeMap<Id, Turn> = rows.collect::<Result<_, _>>()?;
    Ok(all.into_iter().filter(|(_, turn)| turn.verdict.is_some()).collect())
}

/// What began after `from` and up to `to` goes; gives how many turns that were.
fn again(file: &Connection, from: i64, to: i64) -> Result<usize, rusqlite::Error> {
    let begun = "DELETE FROM blind WHERE from_ms > ?1 AND from_ms <= ?2";
    file.prepare_cached(begun)?.execute([from, to])?;
    file.prepare_cached("DELETE FROM turns WHERE from_ms > ?1 AND from_ms <= ?2")?.execute([from, to])
}

/// Turns that ended before `horizon` (UTC ms) go; the one each site stood in then stays.
fn forget(file: &Connection, horizon: i64) -> Result<(), rusqlite::Error> {
    file.prepare_cached(
        "DELETE FROM turns WHERE from_ms < ?1 AND from_ms <
         (SELECT max(newer.from_ms) FROM turns AS newer WHERE newer.site = turns.site AND newer.from_ms <= ?1)",
    )?
    .execute([horizon])?;
    file.prepare_cached("DELETE FROM blind WHERE to_ms < ?1")?.execute([horizon])?;
    Ok(())
}

fn number(verdict: Option<Verdict>) -> Option<i64> {
    VERDICTS.iter().position(|known| Some(*known) == verdict).map(|number| number as i64)
}

fn verdict(number: Option<i64>) -> Option<Verdict> {
    VERDICTS.get(usize::try_from(number?).ok()?).copied()
}

#[cfg(test)]
mod tests;
