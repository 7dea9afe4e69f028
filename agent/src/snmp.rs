//! Devices asked by SNMP.
//!
//! ```text
//! profiles/*.yml ─▶ profile ─┐
//!   credential ─▶ wire ──────┼─▶ device: one run ─┬─ readings     scalars and columns the profile names
//!   (async-snmp)  one socket │                    ├─ interfaces   IF-MIB
//!                            └─ walk: limits      └─ tables       storage, sensors, neighbours, stations
//! ```
//!
//! One request is under way per device and credential. What a device may cost is limited by name in [`walk`] and
//! [`interfaces`]; beyond a limit the run fails with its reason, and keeps what was told until then.

pub mod counters;
pub mod device;
pub mod interfaces;
pub mod profile;
pub mod tables;
pub mod walk;
pub mod wire;

use haidang_probe::metric::Metric;
use haidang_probe::outcome::Sample;
use std::collections::BTreeSet;

/// Characters of the longest part.
const MAX_PART: usize = 64;

/// What a device told in one run.
#[derive(Debug, Default)]
pub struct Told {
    /// As samples.
    pub samples: Vec<Sample>,
    /// What may be told once.
    firsts: BTreeSet<(Metric, String)>,
}

impl Told {
    /// Notes a value.
    pub fn note(&mut self, metric: Metric, part: impl Into<String>, value: f64) {
        self.samples.push(Sample { metric, part: part.into(), value });
    }

    /// All anew.
    pub fn clear(&mut self) {
        self.samples.clear();
        self.firsts.clear();
    }

    /// Notes a value unless this metric of this part was noted so before.
    pub fn note_first(&mut self, metric: Metric, part: impl Into<String>, value: f64) {
        let part = part.into();
        if self.firsts.insert((metric, part.clone())) {
            self.note(metric, part, value);
        }
    }
}

/// A device's octets as a part: one line, printable, not too long.
pub fn text(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_PART).collect();
    text.trim().to_owned()
}
