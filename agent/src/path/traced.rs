//! What comes of a trace: the way and what is new about it, or why there is none; and the events it is worth.

use super::route::{Change, End, Route};
use crate::dial;
use haidang_probe::event::{Event, EventKind, Field, MAX_VALUE_BYTES};
use haidang_probe::moment::Moment;
use haidang_probe::outcome::Failure;
use std::io;

/// Packets of one trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Sent.
    pub packets: u16,
    /// That came back.
    pub answers: u16,
}

/// No trace was made, for a failure of our own side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untraced {
    /// Which.
    pub failure: Failure,
    /// What was sent until then.
    pub cost: Cost,
}

impl From<Failure> for Untraced {
    fn from(failure: Failure) -> Untraced {
        Untraced { failure, cost: Cost::default() }
    }
}

impl From<io::Error> for Untraced {
    fn from(error: io::Error) -> Untraced {
        dial::failure(&error).into()
    }
}

/// What a trace found, and what is new about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// When its first packet was sent.
    pub began: Moment,
    /// The way.
    pub route: Route,
    /// Set when it is another than was known.
    pub change: Option<Change>,
    /// Fingerprint of the way as it is known now.
    pub fingerprint: String,
    /// Changes since the agent started.
    pub changes: u64,
    /// It was whole and is broken, or the reverse.
    pub turned: bool,
    /// The hops that stand in the record, as events say them.
    pub known: String,
    /// What it cost.
    pub cost: Cost,
}

impl Traced {
    /// What it has to tell of `part`: that the way changed; and, where somebody doubts it or it has turned, how it is.
    pub fn events(&self, part: &str, doubted: bool) -> Vec<Event> {
        let event = |kind| {
            Event::new(self.began, kind, part)
                .with(Field::Route, self.route.text(MAX_VALUE_BYTES))
                .with(Field::Fingerprint, self.fingerprint.as_str())
                .with(Field::Known, self.known.as_str())
        };
        let changed = self.change.as_ref().map(|change| {
            event(EventKind::PathChanged)
                .with(Field::Hop, change.hop.to_string())
                .with(Field::FingerprintBefore, change.before.as_str())
        });
        let length = self.route.length().to_string();
        let standing = match self.route.end() {
            _ if !doubted && !self.turned => None,
            End::Reached => Some(event(EventKind::PathReached).with(Field::Hop, length)),
            end => {
                let last = self.route.last().map(|hop| hop.address.to_string());
                let broken = event(EventKind::PathBroken).with(Field::Hop, length);
                Some(broken.with(Field::Reason, end.name()).with(Field::Address, last.unwrap_or_default()))
            }
        };
        changed.into_iter().chain(standing).collect()
    }
}
