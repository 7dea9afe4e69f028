//! What stands in the `samples` journal.
//!
//! ```text
//! record  = version (1 octet, now 1) | kind (1 octet) | through | body                    numbers are LEB128
//! samples = series new here | per series: id, postcard of its definition
//!         | samples | ids (zigzag steps) | times (zigzag steps) | value tokens (see `number`)
//! sealing = group | upto        windows of the group that begin before `upto` are being sealed
//! sealed  = group               … and now are
//! ```
//!
//! `through` is the position in `evidence` up to which everything measured stands in this journal: a start
//! reads `evidence` again from there on, so a crash between the two loses nothing; what was there already is
//! known by (series, at).

use super::number::{Values, get, put, unzigzag, zigzag};
use haidang_probe::{check::CheckId, metric::Metric};
use serde::{Deserialize, Serialize};

/// Version octet.
const VERSION: u8 = 1;
const SAMPLES: u8 = 1;
const SEALING: u8 = 2;
const SEALED: u8 = 3;
/// Most samples of one record; more make several.
pub(super) const SAMPLES_MAX: usize = 65_536;

/// Octets of the series new in one record; more make several.
pub(super) const FRESH_MAX: usize = 1 << 19;

/// What a series is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Definition {
    /// Site whose agent asked.
    pub site: String,
    /// Which check.
    pub check: CheckId,
    /// What was measured.
    pub metric: Metric,
    /// Part of the target, or empty.
    pub part: String,
}

impl Definition {
    /// Octets it takes in a record, at most.
    pub fn octets(&self) -> usize {
        // Number, check, metric and lengths beside the names.
        self.site.len() + self.part.len() + 32
    }
}

/// One sample of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    /// Number of the series.
    pub id: u32,
    /// UTC ms.
    pub at: i64,
    /// Value.
    pub value: f64,
}

/// A record of the `samples` journal.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Record {
    /// Samples taken.
    Samples {
        /// Series new with these samples.
        fresh: Vec<(u32, Definition)>,
        /// In order of id, then time.
        samples: Vec<Entry>,
    },
    /// Windows that begin before `upto` are being sealed.
    Sealing {
        /// Group of series.
        group: u8,
        /// UTC ms.
        upto: i64,
    },
    /// They are sealed.
    Sealed {
        /// Group of series.
        group: u8,
    },
}

impl Record {
    /// The record's octets.
    pub fn encode(&self, through: u64) -> Vec<u8> {
        let (kind, capacity) = match self {
            Record::Samples { samples, .. } => (SAMPLES, 32 + samples.len() * 8),
            Record::Sealing { .. } => (SEALING, 16),
            Record::Sealed { .. } => (SEALED, 16),
        };
        let mut octets = Vec::with_capacity(capacity);
        octets.extend([VERSION, kind]);
        put(&mut octets, through);
        match self {
            Record::Samples { fresh, samples } => put_samples(&mut octets, fresh, samples),
            Record::Sealing { group, upto } => {
                octets.push(*group);
                put(&mut octets, zigzag(*upto));
            }
            Record::Sealed { group } => octets.push(*group),
        }
        octets
    }

    /// `through` and the record that octets hold, if they are one.
    pub fn decode(octets: &[u8]) -> Option<(u64, Record)> {
        let (&[version, kind], mut body) = octets.split_first_chunk::<2>()?;
        if version != VERSION {
            return None;
        }
        let through = get(&mut body)?;
        let record = match kind {
            SAMPLES => get_samples(&mut body)?,
            SEALING => {
                let (group, rest) = body.split_first()?;
                Record::Sealing { group: *group, upto: unzigzag(get(&mut &*rest)?) }
            }
            SEALED => Record::Sealed { group: *body.first()? },
            _ => return None,
        };
        Some((through, record))
    }
}

fn put_samples(octets: &mut Vec<u8>, fresh: &[(u32, Definition)], samples: &[Entry]) {
    put(octets, fresh.len() as u64);
    for (id, definition) in fresh {
        put(octets, u64::from(*id));
        // Writing to a growing Vec cannot fail; the type holds nothing postcard refuses.
        let written = postcard::to_allocvec(definition).unwrap_or_default();
        put(octets, written.len() as u64);
        octets.extend(written);
    }
    put(octets, samples.len() as u64);
    let mut last = 0;
    for sample in samples {
        put(octets, zigzag(i64::from(sample.id) - last));
        last = i64::from(sample.id);
    }
    let mut last = 0;
    for sample in samples {
        put(octets, zigzag(sample.at - last));
        last = sample.at;
    }
    for sample in samples {
        // Neighbours are other series: a difference would tell nothing.
        Values::default().put(octets, sample.value);
    }
}

fn get_samples(octets: &mut &[u8]) -> Option<Record> {
    let mut fresh = Vec::new();
    for _ in 0..get(octets)? {
        let id = u32::try_from(get(octets)?).ok()?;
        let length = usize::try_from(get(octets)?).ok()?;
        let (definition, rest) = octets.split_at_checked(length)?;
        *octets = rest;
        fresh.push((id, postcard::from_bytes(definition).ok()?));
    }
    let count = usize::try_from(get(octets)?).ok().filter(|count| *count <= SAMPLES_MAX)?;
    let mut samples = Vec::with_capacity(count);
    let (mut id, mut at) = (0_i64, 0_i64);
    for _ in 0..count {
        id = id.checked_add(unzigzag(get(octets)?))?;
        samples.push(Entry { id: u32::try_from(id).ok()?, at: 0, value: 0.0 });
    }
    for sample in &mut samples {
        at = at.checked_add(unzigzag(get(octets)?))?;
        sample.at = at;
    }
    for sample in &mut samples {
        sample.value = Values::default().get(octets)?;
    }
    Some(Record::Samples { fresh, samples })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records_read_back() {
        let definition = Definition {
            site: "28249-tt".into(),
            check: CheckId(7),
            metric: Metric::IfInOctets,
            part: "eth0".into(),
        };
        let samples = vec![
            Entry { id: 3, at: 1_795_305_600_000, value: 0.0125 },
            Entry { id: 9, at: 1_795_305_600_020, value: 123_456_789_012.0 },
            Entry { id: 4_000_000, at: 1_795_305_500_000, value: 0.1 + 0.2 },
        ];
        for record in [
            Record::Samples { fresh: vec![(3, definition)], samples },
            Record::Sealing { group: 2, upto: 1_795_305_600_000 },
            Record::Sealed { group: 2 },
        ] {
            assert_eq!(Record::decode(&record.encode(77)), Some((77, record)));
        }
    }

    proptest! {
        #[test]
        fn octets_that_are_no_record_are_none_or_a_record_but_never_a_panic(
            kind in 0..5_u8, octets in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let _ = Record::decode(&octets);
            let mut record = vec![VERSION, kind];
            record.extend(octets);
            let _ = Record::decode(&record);
        }
    }
}
