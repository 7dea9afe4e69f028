//! What a check asks: its target and settings, understood. One grammar a probe, read by the collector at the desk and by
//! the agent in the field.
//!
//! ```text
//! probe      target              settings (`with:`)
//! icmp       PLACE               packets, gap, size
//! tcp        PLACE:PORT
//! http       URL                 name, any_issuer
//! dns        SERVER[:PORT][/NAME[?type=TYPE]]
//! stamp      PLACE:PORT          packets, gap, size, dscp, source_port
//! interface  NAME or *
//! uptime     nothing
//! machine    nothing
//! nut        PLACE[:PORT]/UPS
//! snmp       PLACE[:PORT]        credential, profile, stations
//! path       PLACE               hops
//! ```
//!
//! A probe is one file here (what may be asked) and one of the same name in the agent (how it is asked). The file
//! has `SETTINGS`, the keys it takes, and a `Question` that is made of [`Words`].

pub mod place;
pub mod url;

use crate::check::{Check, ProbeKind, Span, With};
use place::{Place, is_port};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

macro_rules! questions {
    ($($kind:ident $file:ident;)*) => {
        $(pub mod $file;)*

        /// A check's question.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Question { $(#[doc = concat!("For `", stringify!($file), "`.")] $kind($file::Question),)* }

        $(
            /// What a target asks for where no settings are given.
            impl FromStr for $file::Question {
                type Err = Wrong;

                fn from_str(target: &str) -> Result<Self, Wrong> {
                    $file::Question::of(&Words { target, with: &With::default() })
                }
            }
        )*

        impl Question {
            /// Understands what `check` asks, or tells what is wrong with it.
            pub fn of(check: &Check) -> Result<Question, Wrong> {
                let words = Words { target: &check.target, with: &check.with };
                match check.probe {
                    $(ProbeKind::$kind => {
                        words.only($file::SETTINGS)?;
                        $file::Question::of(&words).map(Question::$kind)
                    })*
                }
            }
        }
    };
}

questions! {
    Icmp icmp;
    Tcp tcp;
    Http http;
    Stamp stamp;
    Interface interface;
    Uptime uptime;
    Dns dns;
    Machine machine;
    Nut nut;
    Snmp snmp;
    Path path;
}

impl Question {
    /// Who is asked over the network, if anybody is.
    pub fn place(&self) -> Option<&Place> {
        Some(match self {
            Question::Icmp(asked) => &asked.place,
            Question::Path(asked) => &asked.place,
            Question::Tcp(asked) => &asked.endpoint.place,
            Question::Http(asked) => &asked.url.endpoint.place,
            Question::Stamp(asked) => &asked.reflector.place,
            Question::Dns(asked) => &asked.server.place,
            Question::Nut(asked) => &asked.endpoint.place,
            Question::Snmp(asked) => &asked.device.place,
            Question::Interface(_) | Question::Uptime(_) | Question::Machine(_) => return None,
        })
    }
}

/// What cannot be asked, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The setting that is wrong; the target when absent.
    pub setting: Option<String>,
    /// What is wrong with it and what to write instead.
    pub message: String,
}

impl Wrong {
    /// Something about the target.
    pub fn target(message: impl Into<String>) -> Wrong {
        Wrong { setting: None, message: message.into() }
    }

    /// Something about a setting.
    pub fn setting(key: &str, message: impl Into<String>) -> Wrong {
        Wrong { setting: Some(key.into()), message: message.into() }
    }
}

/// Why a place or a URL does not read: always the target's fault.
impl From<String> for Wrong {
    fn from(message: String) -> Wrong {
        Wrong::target(message)
    }
}

/// A check's words, to be understood.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    /// Whom it asks.
    pub target: &'a str,
    with: &'a With,
}

impl<'a> Words<'a> {
    /// The target as a place of a probe that has no ports.
    pub fn place_without_port(&self, probe: &str) -> Result<Place, Wrong> {
        if let Some((before, port)) = self.target.rsplit_once(':')
            && !before.contains(':')
            && is_port(port)
        {
            return Err(Wrong::target(format!("{probe} has no ports; write `{}`", short(before))));
        }
        Ok(self.target.parse()?)
    }

    /// A setting as it is written.
    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.with.get(key)
    }

    /// A number within its limits, or the `default`.
    pub fn number<T>(&self, key: &str, within: RangeInclusive<T>, default: T) -> Result<T, Wrong>
    where
        T: FromStr + PartialOrd + Display,
    {
        let Some(text) = self.text(key) else { return Ok(default) };
        text.parse().ok().filter(|number| within.contains(number)).ok_or_else(|| {
            let (least, most) = (within.start(), within.end());
            Wrong::setting(key, format!("`{}` is not a number from {least} to {most}", short(text)))
        })
    }

    /// A length of time within its limits, or the `default`.
    pub fn span(
        &self,
        key: &str,
        within: RangeInclusive<Duration>,
        default: Duration,
    ) -> Result<Duration, Wrong> {
        let Some(text) = self.text(key) else { return Ok(default) };
        let Span(span) = text.parse().map_err(|message: String| Wrong::setting(key, message))?;
        if within.contains(&span) {
            return Ok(span);
        }
        let (least, most) = (Span(*within.start()), Span(*within.end()));
        Err(Wrong::setting(key, format!("`{}` is not a {key} from {least} to {most}", short(text))))
    }

    /// Yes or no; no when not said.
    pub fn truth(&self, key: &str) -> Result<bool, Wrong> {
        match self.text(key) {
            None | Some("false" | "no") => Ok(false),
            Some("true" | "yes") => Ok(true),
            Some(other) => {
                Err(Wrong::setting(key, format!("`{}` is neither `true` nor `false`", short(other))))
            }
        }
    }

    /// One of a few words.
    pub fn one_of<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<Option<T>, Wrong> {
        let Some(text) = self.text(key) else { return Ok(None) };
        let known = words.iter().find(|(word, _)| *word == text).map(|(_, meant)| Some(*meant));
        known.ok_or_else(|| {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            Wrong::setting(key, format!("unknown word `{}`; there are {}", short(text), words.join(", ")))
        })
    }

    /// Words that stand between commas.
    pub fn list(&self, key: &str) -> Vec<&'a str> {
        let items = self.text(key).into_iter().flat_map(|text| text.split(','));
        items.map(str::trim).filter(|item| !item.is_empty()).collect()
    }

    fn only(&self, known: &[&str]) -> Result<(), Wrong> {
        let Some(key) = self.with.keys().find(|key| !known.contains(key)) else { return Ok(()) };
        let there_are = match known {
            [] => "the probe takes none".to_owned(),
            known => format!("there are {}", known.join(", ")),
        };
        Err(Wrong::setting(key, format!("unknown setting `{}`; {there_are}", short(key))))
    }
}

/// A text at a length that fits a message.
pub fn short(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
