//! Columns into a batch: nothing in them is believed. Their lengths were checked before they were decoded.

use super::{
    Batch, Refusal, ack,
    columns::{Micros, at, same_length},
    digests, limit,
    refusal::within,
    wire,
};
use crate::{
    check::CheckId,
    event::{self, Event, EventKind, Field},
    metric::Metric,
    moment::{BootId, ClockMap, Moment},
    outcome::{Failure, Outcome, Sample},
};
use std::time::Duration;

/// The batch these columns hold; [`fields::check_lengths`](super::fields::check_lengths) has passed them.
pub(super) fn unpack(payload: wire::Payload) -> Result<Batch, Refusal> {
    let boots = unpack_boots(&payload)?;
    for part in &payload.parts {
        within(part.len(), "octets of part", limit::MAX_PART_BYTES)?;
    }
    for value in &payload.values {
        within(value.len(), "octets of value", event::MAX_VALUE_BYTES)?;
    }
    let mut unknown = 0;
    let mut samples = Samples::new(payload.samples.unwrap_or_default(), &payload.parts)?;
    let outcomes = unpack_outcomes(&payload.outcomes.unwrap_or_default(), &boots, &mut samples)?;
    unknown += samples.finish()?;
    let columns = payload.events.unwrap_or_default();
    let mut fields = Fields::new(&columns, &payload.values)?;
    let events = unpack_events(&columns, &boots, &payload.parts, &mut fields, &mut unknown)?;
    unknown += fields.finish()?;
    let lines = digests::unpack_lines(&payload.lines.unwrap_or_default(), &boots, &payload.parts)?;
    let checks = digests::unpack_checks(&payload.checks.unwrap_or_default(), &boots)?;
    let clocks = payload.clocks.iter().map(|clock| {
        let boot = *at(&boots, clock.boot)?;
        Ok(ClockMap { boot, offset_ns: clock.offset_ns, bound_ns: clock.bound_ns })
    });
    Ok(Batch {
        clocks: clocks.collect::<Result<_, Refusal>>()?,
        outcomes,
        events,
        lines,
        checks,
        replaces: digests::unpack_replaces(&payload.replaces)?,
        plan_digest: ack::digest_of_octets(&payload.plan_digest)?,
        backlog: payload.backlog,
        unknown,
    })
}

fn unpack_boots(payload: &wire::Payload) -> Result<Vec<BootId>, Refusal> {
    let boot = |octets: &bytes::Bytes| {
        octets[..].try_into().map(BootId).map_err(|_| Refusal::Garbled("boot id is not 16 octets"))
    };
    payload.boots.iter().map(boot).collect()
}

fn unpack_outcomes(
    columns: &wire::Outcomes,
    boots: &[BootId],
    samples: &mut Samples,
) -> Result<Vec<Outcome>, Refusal> {
    let rows = columns.check.len();
    let lengths = [columns.boot.len(), columns.sent_us.len(), columns.result.len(), columns.samples.len()];
    same_length(rows, &lengths)?;
    let mut sent = Micros::default();
    let outcome = |row: usize| {
        Ok(Outcome {
            check: CheckId(*at(&columns.checks, columns.check[row])?),
            sent: Moment {
                boot: *at(boots, columns.boot[row])?,
                mono_ns: sent.unpack(columns.sent_us[row])?,
            },
            result: match columns.result[row] {
                took if took >= 0 => Ok(Duration::from_nanos(took as u64)),
                failure => Err(Failure::from_newer(failure.unsigned_abs())),
            },
            samples: samples.take(columns.samples[row])?,
        })
    };
    (0..rows).map(outcome).collect()
}

/// Samples handed out in order, an outcome's share at a time.
struct Samples<'a> {
    rows: std::vec::IntoIter<(u32, u32, bool)>,
    wholes: std::vec::IntoIter<i64>,
    reals: std::vec::IntoIter<f64>,
    parts: &'a [String],
    unknown: u32,
}

impl<'a> Samples<'a> {
    fn new(columns: wire::Samples, parts: &'a [String]) -> Result<Self, Refusal> {
        let rows = columns.metric.len();
        same_length(
            rows,
            &[columns.part.len(), columns.real.len(), columns.wholes.len() + columns.reals.len()],
        )?;
        let rows = columns.metric.into_iter().zip(columns.part).zip(columns.real);
        let rows = rows.map(|((metric, part), real)| (metric, part, real)).collect::<Vec<_>>();
        Ok(Samples {
            rows: rows.into_iter(),
            wholes: columns.wholes.into_iter(),
            reals: columns.reals.into_iter(),
            parts,
            unknown: 0,
        })
    }

    fn take(&mut self, count: u32) -> Result<Vec<Sample>, Refusal> {
        if count as usize > self.rows.len() {
            return Err(Refusal::Garbled("more samples announced than sent"));
        }
        let mut taken = Vec::with_capacity(count as usize);
        for (metric, part, real) in self.rows.by_ref().take(count as usize) {
            let value = if real { self.reals.next() } else { self.wholes.next().map(|whole| whole as f64) };
            let value = value.ok_or(Refusal::Garbled("a sample without a value"))?;
            let part = at(self.parts, part)?;
            match u16::try_from(metric).ok().and_then(Metric::from_id) {
                Some(metric) => taken.push(Sample { metric, part: part.clone(), value }),
                None => self.unknown += 1,
            }
        }
        Ok(taken)
    }

    /// How many samples were skipped as unknown, once all have been taken.
    fn finish(self) -> Result<u32, Refusal> {
        if self.rows.len() == 0 { Ok(self.unknown) } else { Err(Refusal::Garbled("samples of no outcome")) }
    }
}

fn unpack_events(
    columns: &wire::Events,
    boots: &[BootId],
    parts: &[String],
    fields: &mut Fields,
    unknown: &mut u32,
) -> Result<Vec<Event>, Refusal> {
    let rows = columns.kind.len();
    same_length(rows, &[columns.boot.len(), columns.at_us.len(), columns.part.len()])?;
    let mut clock = Micros::default();
    let mut events = Vec::with_capacity(rows);
    for row in 0..rows {
        let mono_ns = clock.unpack(columns.at_us[row])?;
        let at_moment = Moment { boot: *at(boots, columns.boot[row])?, mono_ns };
        let part = at(parts, columns.part[row])?;
        let fields = fields.take(columns.fields.get(row).copied().unwrap_or(0))?;
        match u16::try_from(columns.kind[row]).ok().and_then(EventKind::from_id) {
            Some(kind) => events.push(Event { at: at_moment, kind, part: part.clone(), fields }),
            None => *unknown += 1,
        }
    }
    Ok(events)
}

/// Fields of events handed out in order, an event's share at a time.
struct Fields<'a> {
    rows: std::iter::Zip<std::slice::Iter<'a, u32>, std::slice::Iter<'a, u32>>,
    values: &'a [String],
    unknown: u32,
}

impl<'a> Fields<'a> {
    /// An agent that knew no fields, and a batch whose events have none, send no column of counts.
    fn new(columns: &'a wire::Events, values: &'a [String]) -> Result<Self, Refusal> {
        same_length(columns.field.len(), &[columns.value.len()])?;
        if !columns.fields.is_empty() {
            same_length(columns.kind.len(), &[columns.fields.len()])?;
        }
        Ok(Fields { rows: columns.field.iter().zip(&columns.value), values, unknown: 0 })
    }

    fn take(&mut self, count: u32) -> Result<Vec<(Field, String)>, Refusal> {
        within(count as usize, "fields of an event", event::MAX_FIELDS)?;
        if count as usize > self.rows.len() {
            return Err(Refusal::Garbled("more fields announced than sent"));
        }
        let mut taken = Vec::with_capacity(count as usize);
        for (field, value) in self.rows.by_ref().take(count as usize) {
            let value = at(self.values, *value)?;
            match u16::try_from(*field).ok().and_then(Field::from_id) {
                Some(field) => taken.push((field, value.clone())),
                None => self.unknown += 1,
            }
        }
        Ok(taken)
    }

    /// How many fields were skipped as unknown, once all have been taken.
    fn finish(self) -> Result<u32, Refusal> {
        if self.rows.len() == 0 { Ok(self.unknown) } else { Err(Refusal::Garbled("fields of no event")) }
    }
}
