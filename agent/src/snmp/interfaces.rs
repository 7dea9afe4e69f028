//! Interfaces of a device (IF-MIB, RFC 2863), by name.
//!
//! `ifIndex` may be another after a restart, so a part is `ifName`, or `ifDescr` where there is none, with `#ifIndex`
//! behind it where two would share it. The 64-bit counters are read; where a device has none, those of 32 bits are
//! carried on ([`Counters`]).

use super::counters::Counters;
use super::walk::Asking;
use super::wire::{Fault, Oid, Value};
use super::{Told, text};
use haidang_probe::metric::Metric;
use std::collections::BTreeMap;

/// Interfaces of one device; of one with more, these are told and the run fails.
pub const MAX_INTERFACES: usize = 1024;

/// What is read of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Name,
    Descr,
    InOctets,
    OutOctets,
    HighSpeed,
    Speed,
    Began,
    Count(Metric),
    State(Metric),
}

const IF_TABLE: [u32; 9] = [1, 3, 6, 1, 2, 1, 2, 2, 1];
const IF_X_TABLE: [u32; 10] = [1, 3, 6, 1, 2, 1, 31, 1, 1, 1];

/// Columns of `ifXTable` and of `ifTable` that every run reads.
const ALWAYS: [(&[u32], u32, Of); 11] = [
    (&IF_X_TABLE, 1, Of::Name),
    (&IF_X_TABLE, 6, Of::InOctets),
    (&IF_X_TABLE, 10, Of::OutOctets),
    (&IF_X_TABLE, 15, Of::HighSpeed),
    (&IF_X_TABLE, 19, Of::Began),
    (&IF_TABLE, 7, Of::State(Metric::IfAdminStatus)),
    (&IF_TABLE, 8, Of::State(Metric::IfOperStatus)),
    (&IF_TABLE, 13, Of::Count(Metric::IfInDiscards)),
    (&IF_TABLE, 14, Of::Count(Metric::IfInErrors)),
    (&IF_TABLE, 19, Of::Count(Metric::IfOutDiscards)),
    (&IF_TABLE, 20, Of::Count(Metric::IfOutErrors)),
];

/// What stands in where `ifXTable` lacks something.
const INSTEAD: [(&[u32], u32, Of); 4] = [
    (&IF_TABLE, 2, Of::Descr),
    (&IF_TABLE, 10, Of::InOctets),
    (&IF_TABLE, 16, Of::OutOctets),
    (&IF_TABLE, 5, Of::Speed),
];

#[derive(Debug, Default)]
struct Interface {
    name: String,
    /// Seconds of `sysUpTime`.
    began: Option<f64>,
    speed: Option<f64>,
    counts: Vec<(Metric, Count)>,
    states: Vec<(Metric, f64)>,
}

#[derive(Clone, Copy, Debug)]
enum Count {
    Wraps(u32),
    Whole(u64),
}

impl Interface {
    fn take(&mut self, what: Of, value: &Value) {
        match (what, value) {
            (Of::Name | Of::Descr, Value::Octets(octets)) if self.name.is_empty() => self.name = text(octets),
            (Of::InOctets, value) => self.count(Metric::IfInOctets, value),
            (Of::OutOctets, value) => self.count(Metric::IfOutOctets, value),
            (Of::Count(metric), value) => self.count(metric, value),
            (Of::State(metric), value) => self.states.extend(value.number().map(|state| (metric, state))),
            (Of::HighSpeed, value) => self.speed = value.number().filter(|speed| *speed > 0.0),
            (Of::Speed, value) => self.speed = self.speed.or(value.number().map(|speed| speed / 1e6)),
            (Of::Began, Value::Ticks(ticks)) => self.began = Some(f64::from(*ticks) / 100.0),
            _ => {}
        }
    }

    /// The first of a metric stays: 64 bits are read before 32.
    fn count(&mut self, metric: Metric, value: &Value) {
        let count = match value {
            Value::Counter32(count) => Count::Wraps(*count),
            Value::Counter64(count) => Count::Whole(*count),
            _ => return,
        };
        if !self.counts.iter().any(|(known, _)| *known == metric) {
            self.counts.push((metric, count));
        }
    }

    fn complete(&self) -> bool {
        !self.name.is_empty() && self.counts.iter().any(|(metric, _)| *metric == Metric::IfInOctets)
    }
}

/// Reads the interfaces, and notes what they say. Gives their names by `ifIndex`.
///
/// # Errors
/// As [`Asking::columns`]; what was read until then is noted.
pub async fn read(
    asking: &mut Asking<'_>,
    counters: &mut Counters,
    told: &mut Told,
) -> (BTreeMap<u32, String>, Result<(), Fault>) {
    let mut interfaces = BTreeMap::new();
    let always: &[_] = if asking.is_version_1() { &without_64_bits() } else { &ALWAYS };
    let mut read = columns(asking, always, &mut interfaces).await;
    if read.is_ok() && !interfaces.values().all(Interface::complete) {
        read = columns(asking, &INSTEAD, &mut interfaces).await;
    }
    let names = name(&mut interfaces);
    note(&interfaces, counters, told);
    (names, read)
}

/// Version 1 cannot say a Counter64 (RFC 3584 §4.2.2.1), and refuses the whole request for one.
fn without_64_bits() -> Vec<(&'static [u32], u32, Of)> {
    ALWAYS.into_iter().filter(|(_, _, of)| !matches!(of, Of::InOctets | Of::OutOctets)).collect()
}

async fn columns(
    asking: &mut Asking<'_>,
    wanted: &[(&[u32], u32, Of)],
    interfaces: &mut BTreeMap<u32, Interface>,
) -> Result<(), Fault> {
    let roots: Vec<Oid> =
        wanted.iter().map(|(table, column, _)| Oid::from_slice(table).child(*column)).collect();
    let row = |nth: usize, index: &[u32], value: Value| {
        // An index of ifTable is one number; more is another table's.
        let ([index], Some((_, _, what))) = (index, wanted.get(nth)) else { return };
        if interfaces.len() < MAX_INTERFACES || interfaces.contains_key(index) {
            interfaces.entry(*index).or_default().take(*what, &value);
        }
    };
    asking.columns(&roots, MAX_INTERFACES, row).await
}

/// Gives each interface a name of its own.
fn name(interfaces: &mut BTreeMap<u32, Interface>) -> BTreeMap<u32, String> {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for interface in interfaces.values() {
        *count.entry(interface.name.clone()).or_default() += 1;
    }
    for (index, interface) in interfaces.iter_mut() {
        if interface.name.is_empty() {
            interface.name = format!("#{index}");
        } else if count.get(&interface.name).is_some_and(|many| *many > 1) {
            interface.name = format!("{}#{index}", interface.name);
        }
    }
    interfaces.iter().map(|(index, interface)| (*index, interface.name.clone())).collect()
}

fn note(interfaces: &BTreeMap<u32, Interface>, counters: &mut Counters, told: &mut Told) {
    for interface in interfaces.values() {
        let part = interface.name.as_str();
        for &(metric, count) in &interface.counts {
            let began = interface.began.map(f64::to_bits);
            let value = match count {
                Count::Whole(count) => count,
                Count::Wraps(count) => counters.carry(part, metric as u16, began, count),
            };
            told.note(metric, part, value as f64);
        }
        for &(metric, state) in &interface.states {
            told.note(metric, part, state);
        }
        let more = [(Metric::IfHighSpeed, interface.speed), (Metric::IfDiscontinuity, interface.began)];
        for (metric, value) in more {
            if let Some(value) = value {
                told.note(metric, part, value);
            }
        }
    }
    let names: std::collections::BTreeSet<&str> =
        interfaces.values().map(|interface| interface.name.as_str()).collect();
    counters.retain(|part| names.contains(part));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_one_name_are_told_apart_and_one_of_none_has_its_number() {
        let named = |name: &str| Interface { name: name.into(), ..Interface::default() };
        let mut interfaces =
            BTreeMap::from([(1, named("ge")), (2, named("ge")), (3, named("")), (4, named("lo"))]);
        let names: Vec<String> = name(&mut interfaces).into_values().collect();
        assert_eq!(names, ["ge#1", "ge#2", "#3", "lo"]);
    }

    #[test]
    fn sixty_four_bits_come_before_thirty_two() {
        let mut interface = Interface::default();
        interface.take(Of::InOctets, &Value::Counter64(1 << 40));
        interface.take(Of::InOctets, &Value::Counter32(7));
        interface.take(Of::OutOctets, &Value::Counter32(7));
        let mut told = Told::default();
        note(&BTreeMap::from([(1, interface)]), &mut Counters::default(), &mut told);
        let values: Vec<f64> = told.samples.iter().map(|sample| sample.value).collect();
        assert_eq!(values, [(1u64 << 40) as f64, 7.0]);
    }
}
