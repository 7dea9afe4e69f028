//! A file as a tree of places: any YAML is one, so what is wrong inside is found all at once, not one by one.
//!
//! ```text
//! Tree ─ place, Node ─ Nothing | Truth | Number | Text | List(Tree…) | Table((Key, Tree)…)
//! ```
//!
//! Reading stops at the first fault of a file only where the text is no YAML, or a key stands twice.

use haidang_daemon::yaml::{self, Fault, Location, Spanned};
pub(super) use haidang_probe::ask::short as shorten;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use std::{fmt, path::Path, sync::Arc};

/// Where something stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    file: Arc<Path>,
    location: Location,
}

impl Place {
    /// A place in `file`.
    pub(super) fn new(file: &Arc<Path>, location: Location) -> Place {
        Place { file: Arc::clone(file), location }
    }

    /// A fault here.
    pub(super) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::at(&self.file, self.location, message)
    }
}

/// As in `sites.yml:3:9`: the file's name without its directory.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        write!(f, "{name}:{}:{}", self.location.line(), self.location.column())
    }
}

/// A value and where it stands.
pub(super) struct Tree {
    pub(super) location: Location,
    pub(super) node: Node,
}

/// A value of any shape.
pub(super) enum Node {
    Nothing,
    Truth(bool),
    Number(f64),
    Text(String),
    List(Vec<Tree>),
    Table(Vec<(Spanned<String>, Tree)>),
}

impl Tree {
    /// What it looks like, for "found …".
    pub(super) fn looks(&self) -> String {
        match &self.node {
            Node::Nothing => "nothing".into(),
            Node::Truth(value) => format!("`{value}`"),
            Node::Number(_) => "a number".into(),
            Node::Text(text) => format!("`{}`", shorten(text)),
            Node::List(_) => "a list".into(),
            Node::Table(_) => "a table of keys".into(),
        }
    }

    /// Where it stands in `file`.
    pub(super) fn place(&self, file: &Arc<Path>) -> Place {
        Place::new(file, self.location)
    }
}

/// Parses `text` of `file`.
pub(super) fn parse(file: &Arc<Path>, text: &str) -> Result<Tree, Fault> {
    yaml::parse(file, text)
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tree, D::Error> {
        let spanned = Spanned::<Node>::deserialize(deserializer)?;
        Ok(Tree { location: spanned.referenced, node: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(AnyShape)
    }
}

struct AnyShape;

impl<'de> Visitor<'de> for AnyShape {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Truth(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut table = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            table.push(entry);
        }
        Ok(Node::Table(table))
    }
}
