//! Digests into columns, and back.

use super::{
    Refusal,
    columns::{Micros, Table, at, same_length},
    limit, wire,
};
use crate::{
    check::CheckId,
    digest::{CheckDigest, LineDigest, Spread},
    moment::{BootId, Moment},
    outcome::Failure,
};
use std::time::Duration;

pub(super) fn pack_lines(
    lines: &[LineDigest],
    boots: &mut Table<BootId>,
    parts: &mut Table<String>,
) -> Option<wire::LineDigests> {
    let mut columns = wire::LineDigests::default();
    let mut from = Micros::default();
    for line in lines {
        columns.uplink.push(parts.index_of(&line.uplink));
        columns.boot.push(boots.index_of(&line.from.boot));
        columns.from_us.push(from.pack(line.from.mono_ns));
        columns.lasted_ms.push(line.lasted.as_millis() as u64);
        columns.sent.push(line.sent);
        columns.answered.push(line.answered);
        columns.due.push(line.due);
        columns.heard.push(line.heard);
        columns.rtt_min_us.push(line.rtt.min);
        columns.rtt_median_us.push(line.rtt.median);
        columns.rtt_max_us.push(line.rtt.max);
        columns.ttl.push(line.ttl.unwrap_or_default().into());
        columns.unanswered.push(line.unanswered);
        columns.unheard.push(line.unheard);
    }
    (!lines.is_empty()).then_some(columns)
}

pub(super) fn unpack_lines(
    columns: &wire::LineDigests,
    boots: &[BootId],
    parts: &[String],
) -> Result<Vec<LineDigest>, Refusal> {
    let rows = columns.uplink.len();
    let counts =
        [&columns.boot, &columns.sent, &columns.answered, &columns.due, &columns.heard, &columns.ttl];
    same_length(rows, &counts.map(Vec::len))?;
    let spreads = [&columns.rtt_min_us, &columns.rtt_median_us, &columns.rtt_max_us];
    same_length(rows, &spreads.map(Vec::len))?;
    let wide = [&columns.lasted_ms, &columns.unanswered, &columns.unheard];
    same_length(rows, &wide.map(Vec::len))?;
    same_length(rows, &[columns.from_us.len()])?;
    let mut from = Micros::default();
    let line = |row: usize| {
        Ok(LineDigest {
            from: Moment {
                boot: *at(boots, columns.boot[row])?,
                mono_ns: from.unpack(columns.from_us[row])?,
            },
            lasted: Duration::from_millis(columns.lasted_ms[row]),
            uplink: at(parts, columns.uplink[row])?.clone(),
            sent: columns.sent[row],
            answered: columns.answered[row],
            due: columns.due[row],
            heard: columns.heard[row],
            rtt: spread(spreads, row),
            ttl: u8::try_from(columns.ttl[row]).ok().filter(|ttl| *ttl > 0),
            unanswered: columns.unanswered[row],
            unheard: columns.unheard[row],
        })
    };
    (0..rows).map(line).collect()
}

pub(super) fn pack_checks(
    digests: &[CheckDigest],
    boots: &mut Table<BootId>,
) -> Result<Option<wire::CheckDigests>, Refusal> {
    let mut columns = wire::CheckDigests::default();
    let (mut checks, mut from) = (Table::new(), Micros::default());
    let number = |failure: Option<Failure>| failure.map_or(0, |failure| u32::from(failure as u8));
    for digest in digests {
        columns.check.push(checks.index_of(&digest.check.0));
        columns.boot.push(boots.index_of(&digest.from.boot));
        columns.from_us.push(from.pack(digest.from.mono_ns));
        columns.lasted_ms.push(digest.lasted.as_millis() as u64);
        columns.runs.push(digest.runs);
        columns.succeeded.push(digest.succeeded);
        columns.first.push(number(digest.first));
        columns.last.push(number(digest.last));
        columns.took_min_us.push(digest.took.min);
        columns.took_median_us.push(digest.took.median);
        columns.took_max_us.push(digest.took.max);
    }
    columns.checks = checks.into_rows("checks", limit::MAX_CHECKS)?;
    Ok((!digests.is_empty()).then_some(columns))
}

pub(super) fn unpack_checks(
    columns: &wire::CheckDigests,
    boots: &[BootId],
) -> Result<Vec<CheckDigest>, Refusal> {
    let rows = columns.check.len();
    let counts = [&columns.boot, &columns.runs, &columns.succeeded, &columns.first, &columns.last];
    same_length(rows, &counts.map(Vec::len))?;
    let spreads = [&columns.took_min_us, &columns.took_median_us, &columns.took_max_us];
    same_length(rows, &spreads.map(Vec::len))?;
    same_length(rows, &[columns.from_us.len(), columns.lasted_ms.len()])?;
    let mut from = Micros::default();
    let failure = |number: u32| (number > 0).then(|| Failure::from_newer(number.into()));
    let digest = |row: usize| {
        Ok(CheckDigest {
            check: CheckId(*at(&columns.checks, columns.check[row])?),
            from: Moment {
                boot: *at(boots, columns.boot[row])?,
                mono_ns: from.unpack(columns.from_us[row])?,
            },
            lasted: Duration::from_millis(columns.lasted_ms[row]),
            runs: columns.runs[row],
            succeeded: columns.succeeded[row],
            first: failure(columns.first[row]),
            last: failure(columns.last[row]),
            took: spread(spreads, row),
        })
    };
    (0..rows).map(digest).collect()
}

/// The row of three columns.
fn spread([min, median, max]: [&Vec<u32>; 3], row: usize) -> Spread {
    Spread { min: min[row], median: median[row], max: max[row] }
}

pub(super) fn unpack_replaces(numbers: &[u64]) -> Result<Option<(u64, u64)>, Refusal> {
    match *numbers {
        [] => Ok(None),
        [first, last] if first <= last => Ok(Some((first, last))),
        _ => Err(Refusal::Garbled("numbers replaced are no interval")),
    }
}
