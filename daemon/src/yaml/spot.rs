//! What stands at a place of the text: the keys that lead there, and the value.
//!
//! The parser's error knows a place but not its key; a second pass over the events finds it. Only faulty text
//! is read twice, and aliases are not followed, so the pass is bounded by the text.

use super::Location;
use granit_parser::{Event, Parser};

/// A key with one of these in it, or above it, holds something that must not be repeated.
const SECRETS: [&str; 7] = ["secret", "password", "passphrase", "token", "community", "credential", "psk"];
/// Characters of a wrong value repeated in a message.
const MAX_SHOWN: usize = 40;

/// The node at a place, or the last one begun before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    /// Keys from the top of the file down to the node.
    keys: Vec<String>,
    node: Node,
    /// Whether the node is itself a key.
    pub(super) is_key: bool,
    /// Whether the node begins at the very place that was asked for.
    exact: bool,
    /// Keys that lead to the alias that repeats it, when one does.
    used: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Node {
    #[default]
    Absent,
    Scalar(String),
    List,
    Mapping,
}

/// An open collection. A mapping's children alternate between key and value.
enum Frame {
    Mapping { key: Option<String>, value_next: bool },
    List,
}

impl Spot {
    /// What stands at `place`; `used` is the alias that repeats it, when one does.
    pub(super) fn find(text: &str, place: Location, used: Option<Location>) -> Spot {
        let used = used.map(|used| Spot::at(text, used).keys).unwrap_or_default();
        Spot { used, ..Spot::at(text, place) }
    }

    fn at(text: &str, place: Location) -> Spot {
        let wanted = place.index as usize;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (mut spot, mut frames) = (Spot::default(), Vec::new());
        for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
            let node = match event {
                Event::Scalar(value, ..) => Node::Scalar(value.into_owned()),
                Event::SequenceStart(..) => Node::List,
                Event::MappingStart(..) => Node::Mapping,
                Event::Alias(..) => Node::Absent,
                Event::SequenceEnd | Event::MappingEnd => {
                    frames.pop();
                    continue;
                }
                _ => continue,
            };
            if span.start.index() > wanted {
                break;
            }
            let is_key = frames.last_mut().is_some_and(|frame| step(frame, &node));
            spot = Spot {
                is_key,
                keys: frames.iter().filter_map(Frame::key).collect(),
                exact: span.start.index() == wanted,
                used: Vec::new(),
                node,
            };
            // A block mapping begins where its first key does, and is meant; an unindented list may begin where
            // its first element does, which is meant.
            if spot.exact && spot.node != Node::List {
                break;
            }
            match spot.node {
                Node::List => frames.push(Frame::List),
                Node::Mapping => frames.push(Frame::Mapping { key: None, value_next: false }),
                _ => {}
            }
        }
        spot
    }

    pub(super) fn is_secret(&self) -> bool {
        self.keys.iter().chain(&self.used).any(|key| {
            let key = key.to_lowercase();
            SECRETS.iter().any(|secret| key.contains(secret))
        })
    }

    /// Whether the node is a scalar that begins at the place: the very value that is wrong.
    pub(super) fn is_value(&self) -> bool {
        self.exact && !self.is_key && matches!(self.node, Node::Scalar(_))
    }

    /// ``, found `fast` ``; empty when it would tell a secret, or nothing.
    pub(super) fn found(&self) -> String {
        match &self.node {
            Node::Absent => String::new(),
            Node::List => ", found a list".into(),
            Node::Mapping => ", found a mapping".into(),
            Node::Scalar(value) if ["", "~", "null"].contains(&value.as_str()) => ", found nothing".into(),
            Node::Scalar(_) if self.is_key || self.is_secret() => String::new(),
            Node::Scalar(value) => {
                let line = value.lines().next().unwrap_or_default();
                let shown: String = line.chars().take(MAX_SHOWN).collect();
                let more = if shown.len() < value.len() { "…" } else { "" };
                format!(", found `{shown}{more}`")
            }
        }
    }

    /// `key`: put before the message, when a key leads to the node.
    pub(super) fn with_key(&self, message: &str) -> String {
        match self.keys.last() {
            Some(key) => format!("`{key}`: {message}"),
            None => message.into(),
        }
    }
}

impl Frame {
    fn key(&self) -> Option<String> {
        match self {
            Frame::Mapping { key, .. } => key.clone(),
            Frame::List => None,
        }
    }
}

/// Tells the collection around a node that the node begins; whether it is a key there.
fn step(frame: &mut Frame, node: &Node) -> bool {
    let Frame::Mapping { key, value_next } = frame else { return false };
    let is_key = !*value_next;
    if is_key {
        *key = match node {
            Node::Scalar(text) => Some(text.clone()),
            _ => None,
        };
    }
    *value_next = is_key;
    is_key
}
