//! A look at protobuf octets without decoding them: are they all there, and how many elements would they
//! become? Decoding first and counting after would let two octets become a hundred.

use super::{Refusal, limit, refusal::within};
use prost::encoding::{WireType, decode_varint};

/// One field of a message, undecoded.
struct Field<'a> {
    number: u64,
    /// The octets of a length-delimited field; of others none.
    octets: &'a [u8],
    packed: bool,
}

/// The fields of a message; an error ends them.
fn fields(mut rest: &[u8]) -> impl Iterator<Item = Result<Field<'_>, Refusal>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = field(&mut rest);
        if field.is_err() {
            rest = &[];
        }
        Some(field)
    })
}

fn field<'a>(rest: &mut &'a [u8]) -> Result<Field<'a>, Refusal> {
    let key = varint(rest)?;
    let wire_type = WireType::try_from(key & 7).map_err(|_| Refusal::Garbled("no such wire type"))?;
    let (length, packed) = match wire_type {
        WireType::Varint => {
            varint(rest)?;
            (0, false)
        }
        WireType::ThirtyTwoBit => (4, false),
        WireType::SixtyFourBit => (8, false),
        WireType::LengthDelimited => (varint(rest)?, true),
        WireType::StartGroup | WireType::EndGroup => return Err(Refusal::Garbled("a group")),
    };
    let length = usize::try_from(length).ok().filter(|&length| length <= rest.len());
    let (octets, after) = rest.split_at(length.ok_or(Refusal::Truncated)?);
    *rest = after;
    Ok(Field { number: key >> 3, octets, packed })
}

fn varint(rest: &mut &[u8]) -> Result<u64, Refusal> {
    let ended = rest.len() < 10 && rest.iter().all(|octet| octet & 0x80 != 0);
    decode_varint(rest).map_err(|_| if ended { Refusal::Truncated } else { Refusal::Garbled("a varint") })
}

/// Tells a message cut short from one that is garbled, which prost's error does not.
pub(super) fn all_there(message: &[u8]) -> Result<(), Refusal> {
    fields(message).try_for_each(|field| field.map(drop))
}

/// Columns of a message have numbers up to this.
const COLUMNS: usize = 15;
/// The first column of events that has a row a field.
const EVENT_FIELDS: usize = 6;

/// Refuses an encoded `Payload` whose tables or columns are longer than they may be.
pub(super) fn check_lengths(payload: &[u8]) -> Result<(), Refusal> {
    let (mut boots, mut clocks, mut parts, mut values) = (0, 0, 0, 0);
    let (mut outcomes, mut samples, mut events) = ([0; COLUMNS], [0; COLUMNS], [0; COLUMNS]);
    let (mut lines, mut checks, mut replaces) = ([0; COLUMNS], [0; COLUMNS], 0);
    for field in fields(payload) {
        let field = field?;
        match field.number {
            1 => boots += 1,
            2 => clocks += 1,
            3 => count_columns(&field, Some((1, 4)), &mut outcomes)?,
            4 => count_columns(&field, Some((5, 8)), &mut samples)?,
            5 => count_columns(&field, None, &mut events)?,
            8 => parts += 1,
            9 => values += 1,
            10 => count_columns(&field, None, &mut lines)?,
            11 => count_columns(&field, Some((1, 4)), &mut checks)?,
            12 => replaces += elements(&field, None),
            _ => {}
        }
    }
    within(boots, "boots", limit::MAX_BOOTS)?;
    within(clocks, "clock maps", limit::MAX_BOOTS)?;
    within(parts, "parts", limit::MAX_PARTS)?;
    within(longest(&outcomes), "outcomes", limit::MAX_OUTCOMES)?;
    within(longest(&samples), "samples", limit::MAX_SAMPLES)?;
    within(values, "values", limit::MAX_FIELDS)?;
    within(longest(&lines), "digests of lines", limit::MAX_LINES)?;
    within(longest(&checks), "digests of checks", limit::MAX_CHECKS)?;
    within(replaces, "numbers replaced", 2)?;
    // An event has one row in each of the first columns, and several in those of its fields.
    within(longest(&events[..EVENT_FIELDS]), "events", limit::MAX_EVENTS)?;
    within(longest(&events[EVENT_FIELDS..]), "fields", limit::MAX_FIELDS)
}

/// Adds the elements of a message's columns. All are varints but the one that `fixed` numbers, whose elements have
/// so many octets.
fn count_columns(
    message: &Field,
    fixed: Option<(u64, usize)>,
    columns: &mut [usize; COLUMNS],
) -> Result<(), Refusal> {
    for column in fields(message.octets) {
        let column = column?;
        let elements = elements(&column, fixed);
        if let Some(total) = usize::try_from(column.number).ok().and_then(|number| columns.get_mut(number)) {
            *total += elements;
        }
    }
    Ok(())
}

fn elements(column: &Field, fixed: Option<(u64, usize)>) -> usize {
    match fixed {
        _ if !column.packed => 1,
        Some((number, octets)) if number == column.number => column.octets.len().div_ceil(octets),
        _ => column.octets.iter().filter(|&octet| octet & 0x80 == 0).count(),
    }
}

fn longest(columns: &[usize]) -> usize {
    columns.iter().copied().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{super::wire, *};
    use prost::Message;

    fn refused(payload: &wire::Payload) -> Result<(), Refusal> {
        check_lengths(&payload.encode_to_vec())
    }

    #[test]
    fn columns_may_be_as_long_as_the_limit_and_no_longer() {
        let samples = |count: usize| wire::Payload {
            samples: Some(wire::Samples {
                reals: vec![0.5; count],
                metric: vec![300; count],
                ..Default::default()
            }),
            ..Default::default()
        };
        let outcomes = |count: usize| wire::Payload {
            outcomes: Some(wire::Outcomes {
                checks: vec![7; count],
                result: vec![-1; count],
                ..Default::default()
            }),
            ..Default::default()
        };
        assert_eq!(refused(&outcomes(limit::MAX_OUTCOMES)), Ok(()));
        let oversized = Refusal::Oversized("outcomes", limit::MAX_OUTCOMES);
        assert_eq!(refused(&outcomes(limit::MAX_OUTCOMES + 1)), Err(oversized));
        assert_eq!(refused(&samples(limit::MAX_SAMPLES)), Ok(()));
        let oversized = Refusal::Oversized("samples", limit::MAX_SAMPLES);
        assert_eq!(refused(&samples(limit::MAX_SAMPLES + 1)), Err(oversized));
    }

    #[test]
    fn a_column_in_pieces_is_counted_whole() {
        let events = wire::Events { kind: vec![1; limit::MAX_EVENTS / 2 + 1], ..Default::default() };
        let half = wire::Payload { events: Some(events), ..Default::default() }.encode_to_vec();
        assert_eq!(check_lengths(&half), Ok(()));
        let oversized = Refusal::Oversized("events", limit::MAX_EVENTS);
        assert_eq!(check_lengths(&[&half[..], &half[..]].concat()), Err(oversized));
    }

    #[test]
    fn tables_of_nothing_are_counted_too() {
        let boots = vec![bytes::Bytes::new(); limit::MAX_BOOTS + 1];
        let payload = wire::Payload { boots, ..Default::default() };
        assert_eq!(refused(&payload), Err(Refusal::Oversized("boots", limit::MAX_BOOTS)));
        let payload =
            wire::Payload { parts: vec![String::new(); limit::MAX_PARTS + 1], ..Default::default() };
        assert_eq!(refused(&payload), Err(Refusal::Oversized("parts", limit::MAX_PARTS)));
    }

    #[test]
    fn fields_and_their_values_are_counted() {
        let fields = |count: usize| wire::Payload {
            events: Some(wire::Events { field: vec![1; count], ..Default::default() }),
            ..Default::default()
        };
        assert_eq!(refused(&fields(limit::MAX_FIELDS)), Ok(()));
        let oversized = |what| Err(Refusal::Oversized(what, limit::MAX_FIELDS));
        assert_eq!(refused(&fields(limit::MAX_FIELDS + 1)), oversized("fields"));
        let values = vec![String::new(); limit::MAX_FIELDS + 1];
        assert_eq!(refused(&wire::Payload { values, ..Default::default() }), oversized("values"));
    }

    #[test]
    fn a_cut_message_is_truncated() {
        let ack =
            wire::Ack { spool_id: 1, seq: 1 << 40, received: vec![1, 2], plan_digest: vec![7; 8].into() };
        let whole = ack.encode_to_vec();
        assert_eq!(all_there(&whole), Ok(()));
        let between_fields = [9, 16, 20];
        for cut in (1..whole.len()).filter(|cut| !between_fields.contains(cut)) {
            assert_eq!(all_there(&whole[..cut]), Err(Refusal::Truncated), "cut at {cut}");
        }
    }
}
