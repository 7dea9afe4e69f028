//! Tables whose rows need more than one column to be understood: storage, sensors, neighbours, stations.

use super::interfaces::MAX_INTERFACES;
use super::walk::Asking;
use super::wire::{Fault, Oid, Value};
use super::{Told, text};
use haidang_probe::metric::Metric;
use std::collections::{BTreeMap, BTreeSet};

/// Rows of one table.
pub const MAX_ROWS: usize = 512;
/// Stations of one device; beyond it the run fails, and these are told.
pub const MAX_STATIONS: usize = 2048;

/// Rows by index, of as many columns as were asked for.
type Rows = BTreeMap<Vec<u32>, Vec<Option<Value>>>;

/// Reads `columns` of `table`, at most `most` rows.
async fn rows(
    asking: &mut Asking<'_>,
    table: &[u32],
    columns: &[u32],
    most: usize,
) -> (Rows, Result<(), Fault>) {
    let roots: Vec<Oid> = columns.iter().map(|column| Oid::from_slice(table).child(*column)).collect();
    let mut rows = Rows::new();
    let row = |nth: usize, index: &[u32], value: Value| {
        if rows.len() < most || rows.contains_key(index) {
            let row = rows.entry(index.to_vec()).or_insert_with(|| vec![None; columns.len()]);
            row[nth] = Some(value);
        }
    };
    let read = asking.columns(&roots, most, row).await;
    (rows, read)
}

fn number(row: &[Option<Value>], column: usize) -> Option<f64> {
    row.get(column)?.as_ref()?.number()
}

fn words(row: &[Option<Value>], column: usize) -> Option<String> {
    match row.get(column)?.as_ref()? {
        Value::Octets(octets) => Some(text(octets)).filter(|text| !text.is_empty()),
        _ => None,
    }
}

fn index_text(index: &[u32]) -> String {
    index.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

/// `hrStorageTable` (HOST-RESOURCES-MIB, RFC 2790): description, unit, size, used.
pub async fn storage(asking: &mut Asking<'_>, told: &mut Told) -> Result<usize, Fault> {
    const TABLE: [u32; 10] = [1, 3, 6, 1, 2, 1, 25, 2, 3, 1];
    let (rows, read) = rows(asking, &TABLE, &[3, 4, 5, 6], MAX_ROWS).await;
    for (index, row) in &rows {
        let part = words(row, 0).unwrap_or_else(|| format!("#{}", index_text(index)));
        let Some(unit) = number(row, 1) else { continue };
        for (metric, column) in [(Metric::HrStorageSize, 2), (Metric::HrStorageUsed, 3)] {
            if let Some(units) = number(row, column) {
                told.note_first(metric, part.as_str(), octets(units) * unit);
            }
        }
    }
    read.map(|()| rows.len())
}

/// Sizes beyond 2^31 units come as negative numbers from agents that do not care about the sign.
fn octets(units: f64) -> f64 {
    if units < 0.0 { units + f64::from(u32::MAX) + 1.0 } else { units }
}

/// `entPhySensorTable` (ENTITY-SENSOR-MIB, RFC 3433): type, scale, precision, value, status; named by
/// `entPhysicalName` or `entPhysicalDescr` (RFC 6933).
pub async fn sensors(asking: &mut Asking<'_>, told: &mut Told) -> Result<usize, Fault> {
    const TABLE: [u32; 10] = [1, 3, 6, 1, 2, 1, 99, 1, 1, 1];
    const PHYSICAL: [u32; 11] = [1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1];
    let (sensors, read) = rows(asking, &TABLE, &[1, 2, 3, 4, 5], MAX_ROWS).await;
    if sensors.is_empty() {
        return read.map(|()| 0);
    }
    read?;
    let wanted = |column: u32| sensors.keys().map(move |index| oid(&PHYSICAL, column, index));
    let named: BTreeMap<Oid, Value> =
        asking.get(&wanted(7).chain(wanted(2)).collect::<Vec<_>>()).await?.into_iter().collect();
    for (index, row) in &sensors {
        let name = [7, 2].into_iter().find_map(|column| match named.get(&oid(&PHYSICAL, column, index)) {
            Some(Value::Octets(octets)) => Some(text(octets)).filter(|text| !text.is_empty()),
            _ => None,
        });
        let part = name.unwrap_or_else(|| format!("#{}", index_text(index)));
        if let Some(status) = number(row, 4) {
            told.note_first(Metric::SensorStatus, part.as_str(), status);
        }
        // Only a sensor that works (1) tells something.
        if let Some((metric, value)) = sensor(row).filter(|_| number(row, 4) == Some(1.0)) {
            told.note_first(metric, part, value);
        }
    }
    Ok(sensors.len())
}

fn oid(table: &[u32], column: u32, index: &[u32]) -> Oid {
    Oid::new(table.iter().copied().chain([column]).chain(index.iter().copied()))
}

/// The metric of a sensor's type (`EntitySensorDataType`), and its value: in units of 10^(3·(scale-9)), with
/// `precision` digits behind the point.
fn sensor(row: &[Option<Value>]) -> Option<(Metric, f64)> {
    let metric = match number(row, 0)? as i64 {
        3 | 4 => Metric::SensorVolts,
        5 => Metric::SensorAmperes,
        6 => Metric::SensorWatts,
        7 => Metric::SensorHertz,
        8 => Metric::SensorCelsius,
        9 => Metric::SensorHumidity,
        10 => Metric::SensorRpm,
        12 => Metric::SensorTruth,
        14 => Metric::SensorDbm,
        _ => return None,
    };
    let (scale, precision) = (number(row, 1)? as i32, number(row, 2)? as i32);
    let within = (1..=17).contains(&scale) && (-8..=9).contains(&precision);
    within.then_some(())?;
    let (value, digits) = (number(row, 3)?, 3 * (scale - 9) - precision);
    // Dividing by a whole number rounds once; multiplying by a fraction twice.
    Some((metric, if digits < 0 { value / 10f64.powi(-digits) } else { value * 10f64.powi(digits) }))
}

/// `lldpRemTable` (LLDP-MIB, IEEE 802.1AB): our port, the neighbour's name, or its chassis, and port. Our port is called
/// what `lldpLocPortTable` says where an interface is called so; its number is the interface's elsewhere.
pub async fn neighbours(
    asking: &mut Asking<'_>,
    names: &BTreeMap<u32, String>,
    told: &mut Told,
) -> Result<usize, Fault> {
    const REMOTE: [u32; 10] = [1, 0, 8802, 1, 1, 2, 1, 4, 1, 1];
    const LOCAL: [u32; 10] = [1, 0, 8802, 1, 1, 2, 1, 3, 7, 1];
    let (neighbours, read) = rows(asking, &REMOTE, &[5, 7, 9], MAX_ROWS).await;
    if neighbours.is_empty() {
        return read.map(|()| 0);
    }
    read?;
    let (ports, read) = rows(asking, &LOCAL, &[3], MAX_INTERFACES).await;
    let known: BTreeSet<&str> = names.values().map(String::as_str).collect();
    for (index, row) in &neighbours {
        // The index: time mark, our port, a number.
        let &[_, port, _] = index.as_slice() else { continue };
        let called = ports.get(&vec![port]).and_then(|row| words(row, 0));
        let called = called.filter(|called| known.contains(called.as_str()));
        let ours = called.or_else(|| names.get(&port).cloned()).unwrap_or_else(|| format!("#{port}"));
        let system = words(row, 2).or_else(|| identity(row, 0)).unwrap_or_else(|| "?".into());
        let theirs = identity(row, 1).unwrap_or_else(|| "?".into());
        told.note_first(Metric::LldpNeighbour, format!("{ours} > {system} {theirs}"), 1.0);
    }
    read.map(|()| neighbours.len())
}

/// A name, or an address of six octets that is none.
fn identity(row: &[Option<Value>], column: usize) -> Option<String> {
    let Value::Octets(octets) = row.get(column)?.as_ref()? else { return None };
    let plain = std::str::from_utf8(octets).is_ok_and(|text| !text.contains(char::is_control));
    if plain || octets.len() != 6 {
        return words(row, column);
    }
    Some(mac(&octets.iter().copied().map(u32::from).collect::<Vec<_>>()))
}

/// Which station is behind which port: `dot1qTpFdbPort` (Q-BRIDGE-MIB, RFC 4363), or `dot1dTpFdbPort` (BRIDGE-MIB,
/// RFC 4188) where there is none; ports by `dot1dBasePortIfIndex`.
pub async fn stations(
    asking: &mut Asking<'_>,
    names: &BTreeMap<u32, String>,
    told: &mut Told,
) -> Result<usize, Fault> {
    const BASE: [u32; 10] = [1, 3, 6, 1, 2, 1, 17, 1, 4, 1];
    const BY_VLAN: [u32; 11] = [1, 3, 6, 1, 2, 1, 17, 7, 1, 2, 2];
    const PLAIN: [u32; 10] = [1, 3, 6, 1, 2, 1, 17, 4, 3, 1];
    let (base, read) = rows(asking, &BASE, &[2], MAX_ROWS * 2).await;
    read?;
    let by_vlan: Vec<u32> = BY_VLAN.into_iter().chain([1]).collect();
    let (mut learned, mut read) = rows(asking, &by_vlan, &[2], MAX_STATIONS).await;
    if learned.is_empty() && read.is_ok() {
        (learned, read) = rows(asking, &PLAIN, &[2], MAX_STATIONS).await;
    }
    let mut behind: BTreeMap<u32, u32> = BTreeMap::new();
    for (index, row) in &learned {
        let Some(port) = number(row, 0).map(|port| port as u32).filter(|port| *port != 0) else { continue };
        let interface =
            base.get(&vec![port]).and_then(|row| number(row, 0)).map_or(port, |index| index as u32);
        let Some(station) = index.len().checked_sub(6).map(|from| mac(&index[from..])) else { continue };
        told.note_first(Metric::BridgeStationPort, station, f64::from(interface));
        *behind.entry(interface).or_default() += 1;
    }
    for (interface, count) in &behind {
        let part = names.get(interface).cloned().unwrap_or_else(|| format!("#{interface}"));
        told.note(Metric::BridgeStations, part, f64::from(*count));
    }
    read.map(|()| learned.len())
}

fn mac(index: &[u32]) -> String {
    index.iter().map(|octet| format!("{:02x}", octet & 0xff)).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sensor_is_told_in_whole_units() {
        let row = |kind, scale, precision, value| {
            [kind, scale, precision, value].map(|number: i32| Some(Value::Number(f64::from(number))))
        };
        assert_eq!(sensor(&row(8, 9, 1, 425)), Some((Metric::SensorCelsius, 42.5)));
        assert_eq!(sensor(&row(4, 8, 0, 3300)), Some((Metric::SensorVolts, 3.3)));
        assert_eq!(sensor(&row(8, 99, 0, 1)), None);
        assert_eq!(sensor(&row(13, 9, 0, 1)), None);
    }
}
