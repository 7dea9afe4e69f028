//! A check: probe × target × interval.

use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

/// Identity of a check within its agent. Agents send this, never labels, so a rename touches no agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CheckId(pub u32);

impl CheckId {
    /// The id a check has when its file gives none: the first four bytes of SHA-256 of its name.
    pub fn of_name(name: &str) -> CheckId {
        let digest = Sha256::digest(name.as_bytes());
        CheckId(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]))
    }

    /// The check under which a line's own series stand: what liveness and the uplink on it measure.
    pub fn of_line(line: &str) -> CheckId {
        CheckId::of_name(&format!("liveness/{line}"))
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

macro_rules! probe_kinds {
    ($($variant:ident $name:literal $help:literal;)*) => {
        /// How to ask. An agent that lacks one answers [`Failure::Unsupported`](crate::outcome::Failure)
        /// and runs the rest.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum ProbeKind { $(#[doc = $help] $variant,)* }

        impl ProbeKind {
            /// All probes.
            pub const ALL: &'static [ProbeKind] = &[$(ProbeKind::$variant),*];
            /// Name in YAML and labels.
            pub fn name(self) -> &'static str { match self { $(ProbeKind::$variant => $name,)* } }
        }

        impl FromStr for ProbeKind {
            type Err = ();
            fn from_str(s: &str) -> Result<Self, ()> {
                match s { $($name => Ok(ProbeKind::$variant),)* _ => Err(()) }
            }
        }
    };
}

probe_kinds! {
    Icmp "icmp" "ICMP echo to an address or name";
    Tcp "tcp" "TCP connect to `host:port`";
    Http "http" "GET of a URL, http or https, and a look at the certificate";
    Stamp "stamp" "unauthenticated STAMP (RFC 8762) to a reflector at `host:port`";
    Interface "interface" "counters and state of this machine's interface, or `*` for all but loopback";
    Uptime "uptime" "how long this machine has been up";
    Dns "dns" "DNS query: `server[:port][/name[?type=A]]`";
    Machine "machine" "load, memory, disks, heat, routes and clock of this machine";
    Nut "nut" "a UPS that Network UPS Tools watches: `place[:port]/ups`";
    Snmp "snmp" "what a device says of itself by SNMP: `host[:161]`";
    Path "path" "the way to an address or name, hop by hop";
}

/// What is asked, of whom, how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Identity; derived from the name when the file gives none.
    #[serde(default)]
    pub id: Option<CheckId>,
    /// Name within the agent, for people.
    pub name: String,
    /// How to ask.
    pub probe: ProbeKind,
    /// Who is asked, in the probe's own form: an address, `host:port`, a URL, an interface.
    #[serde(default)]
    pub target: String,
    /// Interval between runs.
    #[serde(default = "default_every")]
    pub every: Span,
    /// How long an answer may take.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// The probe's own settings ([`crate::ask`]).
    #[serde(default)]
    pub with: With,
}

impl Check {
    /// The check's identity, given or derived.
    pub fn id(&self) -> CheckId {
        self.id.unwrap_or_else(|| CheckId::of_name(&self.name))
    }

    /// Name of the credential it asks with, if it needs one.
    pub fn credential(&self) -> Option<&str> {
        self.with.get("credential").filter(|_| self.probe == ProbeKind::Snmp)
    }
}

/// Settings by key: words, numbers and truth values, kept as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct With(BTreeMap<String, Setting>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Setting(String);

impl With {
    /// A setting as it was written.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|setting| setting.0.as_str())
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for With {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(settings: I) -> With {
        With(settings.into_iter().map(|(key, value)| (key.into(), Setting(value.into()))).collect())
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// In a text, `5` and `true` need no quotes; the journal's form always holds a text.
impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(Written)
        } else {
            String::deserialize(deserializer).map(Setting)
        }
    }
}

struct Written;

impl Visitor<'_> for Written {
    type Value = Setting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word, a number, true or false")
    }

    fn visit_str<E>(self, value: &str) -> Result<Setting, E> {
        Ok(Setting(value.into()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Setting, E> {
        Ok(Setting(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Setting, E> {
        Ok(Setting(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Setting, E> {
        Ok(Setting(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Setting, E> {
        Ok(Setting(value.to_string()))
    }
}

fn default_every() -> Span {
    Span(Duration::from_secs(10))
}

fn default_timeout() -> Span {
    Span(Duration::from_secs(2))
}

/// A length of time in a configuration file: `200ms`, `10s`, `5m`, `24h`, `7d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl FromStr for Span {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{s}` is not a length of time; write a number and ms, s, m, h or d, as in `10s`");
        let digits = s.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = s.split_at(digits);
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let millis = number.parse::<u64>().ok().and_then(|n| n.checked_mul(*scale)).ok_or_else(wrong)?;
        Ok(Span(Duration::from_millis(millis)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis() as u64;
        let (unit, scale) = UNITS
            .iter()
            .rev()
            .find(|(_, scale)| millis != 0 && millis.is_multiple_of(*scale))
            .unwrap_or(&UNITS[0]);
        write!(f, "{}{unit}", millis / scale)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_back_as_written() {
        for text in ["200ms", "10s", "5m", "36h", "7d", "0ms"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        assert_eq!("24h".parse::<Span>().unwrap().to_string(), "1d");
        for wrong in ["", "10", "s", "10 s", "-1s", "99999999999999999999s", "10y"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }
}
