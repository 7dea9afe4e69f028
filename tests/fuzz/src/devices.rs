//! What devices say by SNMP: answers, and traps.

use async_snmp::message::Message;
use async_snmp::{DecodeConfig, Value as Wire, VarBind};
use bytes::Bytes;
use haidang_agent::listen::trap;
use haidang_agent::snmp::{text, wire};
use haidang_probe::event::{Event, EventKind, MAX_VALUE_BYTES};
use haidang_probe::moment::Moment;

/// Characters of the longest part.
const LONGEST: usize = 64;

fn bound(octets: &[u8]) -> Option<Vec<VarBind>> {
    let read = Message::decode(Bytes::copy_from_slice(octets), DecodeConfig::default()).ok()?;
    Some(read.value.into_pdu()?.varbinds().to_vec())
}

/// A message of version 1 or 2c that answers: its values are numbers, names, or nothing.
pub fn answer(octets: &[u8]) {
    for (oid, value) in bound(octets).unwrap_or_default().into_iter().map(wire::pair) {
        assert!(oid.len() <= octets.len(), "a name longer than the message");
        assert!(value.number().is_none_or(f64::is_finite), "a value that is no number");
        if let wire::Value::Octets(name) = &value {
            let part = text(name);
            assert!(part.chars().count() <= LONGEST && !part.contains(char::is_control), "no part: {part:?}");
        }
    }
}

/// A message that tells unasked: whatever it binds, of it come declared fields alone, and short ones.
pub fn trap(octets: &[u8]) {
    let bound = bound(octets).unwrap_or_default();
    let name = bound.iter().find_map(|bound| match &bound.value {
        Wire::ObjectIdentifier(name) => Some(name.clone()),
        _ => None,
    });
    let Some(name) = name else { return };
    let event = Event::new(Moment::default(), EventKind::TrapHeard, "");
    for (field, value) in &trap::said(event, "2c", &name, &bound).fields {
        assert!(value.len() <= MAX_VALUE_BYTES && !value.contains(char::is_control), "{field:?}: {value:?}");
    }
}
