//! What is read of which device: YAML files compiled in, picked by the device's sysObjectID.
//!
//! ```text
//! objects: [1.3.6.1.4.1.9]                       whose devices: prefixes of sysObjectID, the longest wins
//! limits: {bulk: false, values: 10}              what the device can bear, if less than others
//! readings:
//!   - {object: 1.3.6.1.4.1.9.9.109.1.1.1.1.8, metric: hrProcessorLoad_percent, part: cpu}
//!   - {object: 1.3.6.1.4.1.318.1.1.1.2.2.3.0, metric: …, scale: 0.01, words: {2: 3}}
//! ```
//!
//! An `object` that ends in `.0` is a scalar; another is a column, its part followed by the row's index. The readings
//! of `generic` are those of every device; a vendor's come first where both tell one thing.

use super::wire::Oid;
use haidang_daemon::yaml::{self, Fault};
use haidang_probe::ask::snmp::PROFILES;
use haidang_probe::metric::Metric;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

/// The profile of a device nobody knows.
pub const GENERIC: &str = "generic";

const FILES: [(&str, &str); PROFILES.len()] = [
    ("generic", include_str!("../../profiles/generic.yml")),
    ("cisco", include_str!("../../profiles/cisco.yml")),
    ("huawei", include_str!("../../profiles/huawei.yml")),
    ("mikrotik", include_str!("../../profiles/mikrotik.yml")),
    ("juniper", include_str!("../../profiles/juniper.yml")),
    ("hpe", include_str!("../../profiles/hpe.yml")),
    ("aruba", include_str!("../../profiles/aruba.yml")),
    ("draytek", include_str!("../../profiles/draytek.yml")),
    ("fortinet", include_str!("../../profiles/fortinet.yml")),
    ("apc", include_str!("../../profiles/apc.yml")),
];

/// One profile.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name.
    pub name: &'static str,
    objects: Vec<Oid>,
    /// Whether the device takes bulk requests.
    pub bulk: bool,
    /// Values it can answer at once.
    pub values: usize,
    /// What is read, the vendor's first.
    pub readings: Vec<Reading>,
}

/// One thing to read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// A scalar, or a column.
    pub object: Oid,
    /// What it tells.
    pub metric: Metric,
    /// Of which part.
    pub part: String,
    scale: f64,
    words: BTreeMap<i64, i64>,
}

impl Reading {
    /// Whether it is one value.
    pub fn is_scalar(&self) -> bool {
        self.object.arcs().last() == Some(&0)
    }

    /// The metric's value of what the device said; none for a word the profile does not know.
    pub fn value(&self, said: f64) -> Option<f64> {
        if self.words.is_empty() {
            Some(said * self.scale)
        } else {
            Some(*self.words.get(&(said as i64))? as f64)
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    objects: Vec<String>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    readings: Vec<ReadingWritten>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    #[serde(default = "yes")]
    bulk: bool,
    #[serde(default = "values")]
    values: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadingWritten {
    object: String,
    metric: String,
    #[serde(default)]
    part: String,
    #[serde(default = "one")]
    scale: f64,
    #[serde(default)]
    words: BTreeMap<String, i64>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { bulk: yes(), values: values() }
    }
}

fn yes() -> bool {
    true
}

fn values() -> usize {
    40
}

fn one() -> f64 {
    1.0
}

/// All profiles; the first is [`GENERIC`].
pub fn all() -> &'static [Profile] {
    static ALL: OnceLock<Vec<Profile>> = OnceLock::new();
    ALL.get_or_init(|| {
        let read = FILES.iter().filter_map(|(name, text)| match parse(name, text) {
            Ok(profile) => Some(profile),
            Err(fault) => {
                tracing::error!(%fault, "a profile of this program cannot be read");
                None
            }
        });
        let mut all: Vec<Profile> = read.collect();
        let generic = all.first().map(|generic| generic.readings.clone()).unwrap_or_default();
        for profile in all.iter_mut().skip(1) {
            profile.readings.extend(generic.iter().cloned());
        }
        all
    })
}

/// The profile of that name.
pub fn named(name: &str) -> Option<&'static Profile> {
    all().iter().find(|profile| profile.name == name)
}

/// The profile of a device that is of this sysObjectID.
pub fn of(object: Option<&Oid>) -> Option<&'static Profile> {
    let prefix = |profile: &Profile| {
        let fits =
            profile.objects.iter().filter(|known| object.is_some_and(|object| object.starts_with(known)));
        fits.map(Oid::len).max()
    };
    let best = all()
        .iter()
        .filter_map(|profile| Some((prefix(profile)?, profile)))
        .max_by_key(|(length, _)| *length);
    best.map(|(_, profile)| profile).or_else(|| all().first())
}

fn parse(name: &'static str, text: &str) -> Result<Profile, Fault> {
    let file = Path::new(name);
    let written: Written = yaml::parse(file, text)?;
    let oid =
        |text: &str| Oid::parse(text).map_err(|_| Fault::whole(file, format!("`{text}` is not an OID")));
    let reading = |reading: ReadingWritten| {
        let metric = Metric::ALL.iter().find(|metric| metric.name() == reading.metric);
        let unknown = || Fault::whole(file, format!("unknown metric `{}`", reading.metric));
        let word = |(said, means): (&String, &i64)| {
            let said = said.parse().map_err(|_| Fault::whole(file, format!("`{said}` is not a number")))?;
            Ok::<_, Fault>((said, *means))
        };
        Ok::<_, Fault>(Reading {
            object: oid(&reading.object)?,
            metric: *metric.ok_or_else(unknown)?,
            words: reading.words.iter().map(word).collect::<Result<_, _>>()?,
            part: reading.part,
            scale: reading.scale,
        })
    };
    Ok(Profile {
        name,
        objects: written.objects.iter().map(|text| oid(text)).collect::<Result<_, _>>()?,
        bulk: written.limits.bulk,
        values: written.limits.values,
        readings: written.readings.into_iter().map(reading).collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_a_file_may_say_has_a_profile_that_reads() {
        for ((name, text), known) in FILES.iter().zip(PROFILES) {
            assert_eq!(*name, known);
            let profile = parse(name, text).unwrap();
            assert!(profile.name == GENERIC || !profile.objects.is_empty(), "{name} is picked by nothing");
        }
        assert_eq!(all().len(), PROFILES.len());
    }

    #[test]
    fn the_longest_prefix_of_its_object_picks_a_devices_profile() {
        for (object, name) in [
            ("1.3.6.1.4.1.9.1.1208", "cisco"),
            ("1.3.6.1.4.1.2011.2.23.95", "huawei"),
            ("1.3.6.1.4.1.14988.1", "mikrotik"),
            ("1.3.6.1.4.1.2636.1.1.1.2.39", "juniper"),
            ("1.3.6.1.4.1.11.2.3.7.11.160", "hpe"),
            ("1.3.6.1.4.1.47196.4.1.1.1.50", "aruba"),
            ("1.3.6.1.4.1.7367", "draytek"),
            ("1.3.6.1.4.1.12356.101.1.641", "fortinet"),
            ("1.3.6.1.4.1.318.1.3.2.11", "apc"),
            ("1.3.6.1.4.1.8072.3.2.10", "generic"),
            ("1.3.6.1.4.1.99", "generic"),
        ] {
            assert_eq!(of(Some(&Oid::parse(object).unwrap())).unwrap().name, name, "{object}");
        }
        assert_eq!(of(None).unwrap().name, GENERIC);
    }

    #[test]
    fn a_vendors_words_are_translated() {
        let on_battery = named("apc").unwrap().readings.iter();
        let mut source = on_battery.filter(|reading| reading.metric == Metric::UpsOutputSource);
        assert_eq!(source.next().unwrap().value(3.0), Some(5.0));
    }
}
