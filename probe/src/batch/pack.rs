//! A batch into columns.

use super::{
    Batch, Refusal, ack,
    columns::{Micros, Table, whole},
    digests, limit,
    refusal::within,
    wire,
};
use crate::{
    event::{self, Event},
    moment::BootId,
    outcome::Outcome,
};
use bytes::Bytes;

/// The batch as the columns of the `.proto`, within the limits.
pub(super) fn pack(batch: &Batch) -> Result<wire::Payload, Refusal> {
    let samples = batch.outcomes.iter().map(|outcome| outcome.samples.len()).sum();
    within(batch.clocks.len(), "clock maps", limit::MAX_BOOTS)?;
    within(batch.outcomes.len(), "outcomes", limit::MAX_OUTCOMES)?;
    within(samples, "samples", limit::MAX_SAMPLES)?;
    within(batch.events.len(), "events", limit::MAX_EVENTS)?;
    within(batch.lines.len(), "digests of lines", limit::MAX_LINES)?;
    within(batch.checks.len(), "digests of checks", limit::MAX_CHECKS)?;
    for event in &batch.events {
        within(event.fields.len(), "fields of an event", event::MAX_FIELDS)?;
    }
    let fields = batch.events.iter().map(|event| event.fields.len()).sum();
    within(fields, "fields", limit::MAX_FIELDS)?;

    let mut boots = Table::new();
    let mut parts = Table::new();
    let clocks = batch.clocks.iter().map(|clock| wire::ClockMap {
        boot: boots.index_of(&clock.boot),
        offset_ns: clock.offset_ns,
        bound_ns: clock.bound_ns,
    });
    let clocks = clocks.collect();
    let outcomes = pack_outcomes(&batch.outcomes, &mut boots)?;
    let samples = pack_samples(&batch.outcomes, &mut parts);
    let mut values = Table::new();
    let events = pack_events(&batch.events, &mut boots, &mut parts, &mut values);

    let lines = digests::pack_lines(&batch.lines, &mut boots, &mut parts);
    let checks = digests::pack_checks(&batch.checks, &mut boots)?;

    let boots = boots.into_rows("boots", limit::MAX_BOOTS)?;
    let parts = parts.into_rows("parts", limit::MAX_PARTS)?;
    for part in &parts {
        within(part.len(), "octets of part", limit::MAX_PART_BYTES)?;
    }
    let values = values.into_rows("values", limit::MAX_FIELDS)?;
    for value in &values {
        within(value.len(), "octets of value", event::MAX_VALUE_BYTES)?;
    }
    Ok(wire::Payload {
        boots: boots.into_iter().map(|boot: BootId| Bytes::copy_from_slice(&boot.0)).collect(),
        clocks,
        outcomes: Some(outcomes),
        samples: Some(samples),
        events: Some(events),
        plan_digest: ack::digest_octets(batch.plan_digest),
        backlog: batch.backlog,
        parts,
        values,
        lines,
        checks,
        replaces: batch.replaces.map_or_else(Vec::new, |(first, last)| vec![first, last]),
    })
}

fn pack_outcomes(outcomes: &[Outcome], boots: &mut Table<BootId>) -> Result<wire::Outcomes, Refusal> {
    let mut columns = wire::Outcomes::default();
    let mut checks = Table::new();
    let mut sent = Micros::default();
    for outcome in outcomes {
        columns.check.push(checks.index_of(&outcome.check.0));
        columns.boot.push(boots.index_of(&outcome.sent.boot));
        columns.sent_us.push(sent.pack(outcome.sent.mono_ns));
        columns.result.push(match outcome.result {
            // A duration beyond 292 years is not one; it saturates.
            Ok(took) => i64::try_from(took.as_nanos()).unwrap_or(i64::MAX),
            Err(failure) => -i64::from(failure as u8),
        });
        columns.samples.push(outcome.samples.len() as u32);
    }
    columns.checks = checks.into_rows("checks", limit::MAX_OUTCOMES)?;
    Ok(columns)
}

fn pack_samples(outcomes: &[Outcome], parts: &mut Table<String>) -> wire::Samples {
    let mut columns = wire::Samples::default();
    for sample in outcomes.iter().flat_map(|outcome| &outcome.samples) {
        columns.metric.push(u32::from(sample.metric as u16));
        columns.part.push(parts.index_of(&sample.part));
        let whole = whole(sample.value);
        columns.real.push(whole.is_none());
        match whole {
            Some(whole) => columns.wholes.push(whole),
            None => columns.reals.push(sample.value),
        }
    }
    columns
}

fn pack_events(
    events: &[Event],
    boots: &mut Table<BootId>,
    parts: &mut Table<String>,
    values: &mut Table<String>,
) -> wire::Events {
    let mut columns = wire::Events::default();
    let mut at = Micros::default();
    for event in events {
        columns.kind.push(u32::from(event.kind as u16));
        columns.boot.push(boots.index_of(&event.at.boot));
        columns.at_us.push(at.pack(event.at.mono_ns));
        columns.part.push(parts.index_of(&event.part));
        for (field, value) in &event.fields {
            columns.field.push(u32::from(*field as u16));
            columns.value.push(values.index_of(value));
        }
    }
    if !columns.field.is_empty() {
        columns.fields = events.iter().map(|event| event.fields.len() as u32).collect();
    }
    columns
}
