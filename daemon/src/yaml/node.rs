//! The text as a tree: what the parser's events make, aliases and merges in their places.
//!
//! ```text
//! text ─ granit_parser ─▶ events ─▶ Node ─ place, Shape ─ Absent | Scalar | List(Node…) | Mapping((Node, Node)…)
//! ```
//!
//! A tree is at most [`MAX_DEPTH`] levels deep and has at most [`MAX_ALIASED_EVENTS`] nodes that are not in the text.
//! What an anchor names is shared with the tree: however deep anchors stand in anchors, only aliases copy.

use super::wrong::{What, Wrong};
use super::{Location, MAX_ALIASED_EVENTS, MAX_DEPTH};
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, Tag};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A node of the tree. A clone costs no more than its own text.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where it is written.
    pub(super) place: Location,
    /// The alias that repeats it here, when one does.
    pub(super) used: Option<Location>,
    pub(super) shape: Shape,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// A text without any node.
    Absent,
    Scalar {
        text: String,
        /// Neither quoted nor a block: it may be a number, a truth value or nothing.
        plain: bool,
    },
    List(Rc<[Node]>),
    /// Each key once, scalars all.
    Mapping(Rc<[(Node, Node)]>),
}

impl Node {
    /// Where it counts as standing: where the alias is that repeats it.
    pub(super) fn stands(&self) -> Location {
        self.used.unwrap_or(self.place)
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        if let Shape::Scalar { text, .. } = &self.shape { Some(text) } else { None }
    }

    pub(super) fn wrong(&self, what: What) -> Wrong {
        Wrong::new(what, self.place).used_at(self.used)
    }

    /// Nodes and levels of it.
    fn extent(&self) -> (usize, usize) {
        let of = |nodes: &mut dyn Iterator<Item = &Node>| {
            nodes
                .map(Node::extent)
                .fold((1, 0), |(sum, most), (nodes, levels)| (sum + nodes, most.max(levels)))
        };
        let (nodes, below) = match &self.shape {
            Shape::Absent | Shape::Scalar { .. } => return (1, 0),
            Shape::List(items) => of(&mut items.iter()),
            Shape::Mapping(entries) => of(&mut entries.iter().flat_map(|(key, value)| [key, value])),
        };
        (nodes, below + 1)
    }

    /// The same once more, as the alias at `used` repeats it.
    fn repeated(&self, used: Location) -> Node {
        let shape = match &self.shape {
            Shape::List(items) => Shape::List(items.iter().map(|item| item.repeated(used)).collect()),
            Shape::Mapping(entries) => {
                let both = |(key, value): &(Node, Node)| (key.repeated(used), value.repeated(used));
                Shape::Mapping(entries.iter().map(both).collect())
            }
            single => single.clone(),
        };
        Node { place: self.place, used: Some(used), shape }
    }
}

/// The tree of `text`, or the first thing that keeps it from being one.
pub(super) fn read(text: &str) -> Result<Node, Wrong> {
    let (mut tree, mut end) = (Tree::default(), Location::UNKNOWN);
    // A mark at the very beginning says only how the text is encoded.
    for event in Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        let (event, span) = event.map_err(|error| unreadable(&error))?;
        end = place(&span);
        tree.take(event, end)?;
    }
    Ok(tree.root.unwrap_or(Node { place: end, used: None, shape: Shape::Absent }))
}

fn place(span: &Span) -> Location {
    let start = &span.start;
    Location { line: start.line() as u32, column: start.col() as u32 + 1, index: start.index() as u32 }
}

fn unreadable(error: &ScanError) -> Wrong {
    let message = match error.kind() {
        ErrorKind::UnknownAnchor => "alias of an anchor that does not exist".into(),
        _ => error.info(),
    };
    let mark = error.marker();
    let place =
        Location { line: mark.line() as u32, column: mark.col() as u32 + 1, index: mark.index() as u32 };
    Wrong::new(What::Structure(message), place)
}

/// A tree under construction.
#[derive(Default)]
struct Tree {
    root: Option<Node>,
    documents: usize,
    open: Vec<Open>,
    anchored: BTreeMap<usize, Node>,
    repeated: usize,
}

/// A collection whose end has not come.
struct Open {
    anchor: usize,
    place: Location,
    mapping: bool,
    /// Of a mapping: keys and values in turn.
    nodes: Vec<Node>,
}

impl Tree {
    fn take(&mut self, event: Event<'_>, place: Location) -> Result<(), Wrong> {
        let structure = |message: &str| Wrong::new(What::Structure(message.into()), place);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(structure("a second document begins; one file holds one document"));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = match kind(tag.as_ref(), place)? {
                    Some("str") => false,
                    Some("bool" | "float" | "int" | "null") => true,
                    _ => style == ScalarStyle::Plain,
                };
                let shape = Shape::Scalar { text: text.into_owned(), plain };
                self.finish(anchor, Node { place, used: None, shape })?;
            }
            Event::SequenceStart(_, anchor, tag) => self.open(anchor, tag.as_ref(), place, false)?,
            Event::MappingStart(_, anchor, tag) => self.open(anchor, tag.as_ref(), place, true)?,
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { anchor, place, mapping, nodes }) = self.open.pop() else { return Ok(()) };
                let shape =
                    if mapping { Shape::Mapping(entries(nodes)?.into()) } else { Shape::List(nodes.into()) };
                self.finish(anchor, Node { place, used: None, shape })?;
            }
            Event::Alias(anchor) => {
                let node = self.repeat(anchor, place)?;
                self.finish(0, node)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn open(
        &mut self,
        anchor: usize,
        tag: Option<&Cow<'_, Tag>>,
        place: Location,
        mapping: bool,
    ) -> Result<(), Wrong> {
        kind(tag, place)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(place));
        }
        self.open.push(Open { anchor, place, mapping, nodes: Vec::new() });
        Ok(())
    }

    fn repeat(&mut self, anchor: usize, place: Location) -> Result<Node, Wrong> {
        let structure = |message: String| Wrong::new(What::Structure(message), place);
        let named = self.anchored.get(&anchor);
        let named = named.ok_or_else(|| structure("the alias stands inside what it repeats".into()))?;
        let (nodes, levels) = named.extent();
        self.repeated += nodes;
        if self.repeated > MAX_ALIASED_EVENTS {
            let message = format!("refused: aliases repeat more than {MAX_ALIASED_EVENTS} values");
            return Err(structure(message));
        }
        if self.open.len() + levels > MAX_DEPTH {
            return Err(too_deep(place));
        }
        Ok(named.repeated(place))
    }

    fn finish(&mut self, anchor: usize, node: Node) -> Result<(), Wrong> {
        if anchor > 0 {
            self.anchored.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(open) if open.mapping && open.nodes.len() % 2 == 0 && node.text().is_none() => {
                return Err(node.wrong(What::Structure("a key must be a single value".into())));
            }
            Some(open) => open.nodes.push(node),
        }
        Ok(())
    }
}

fn too_deep(place: Location) -> Wrong {
    Wrong::new(What::Structure("refused: nested too deeply".into()), place)
}

/// The tag is not repeated: it may be a secret that begins with `!`.
fn unknown_tag(place: Location) -> Wrong {
    let message = "unknown tag; leave it out, or write a value that begins with `!` in quotes";
    Wrong::new(What::Structure(message.into()), place)
}

/// What a tag of YAML's own says that a node is; others mean nothing here.
fn kind<'t>(tag: Option<&'t Cow<'_, Tag>>, place: Location) -> Result<Option<&'t str>, Wrong> {
    let Some(tag) = tag else { return Ok(None) };
    if tag.is_yaml_core_schema() {
        return Ok(Some(tag.suffix()));
    }
    let tag = tag.original();
    // A lone mark of exclamation says that what follows is text.
    if tag == "!" { Ok(Some("str")) } else { Err(unknown_tag(place)) }
}

/// Keys and values in pairs: each key once, merged mappings (`<<`) taken in where a key is not said.
fn entries(nodes: Vec<Node>) -> Result<Vec<(Node, Node)>, Wrong> {
    let (mut entries, mut merged): (Vec<(Node, Node)>, Vec<Node>) = Default::default();
    let mut known = BTreeSet::new();
    let mut nodes = nodes.into_iter();
    while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
        let text = key.text().unwrap_or_default();
        if text == "<<" && matches!(key.shape, Shape::Scalar { plain: true, .. }) {
            merged.push(value);
            continue;
        }
        if !known.insert(text.to_owned()) {
            return Err(key.wrong(What::Twice(text.into())));
        }
        entries.push((key, value));
    }
    for value in merged {
        let mappings =
            if let Shape::List(items) = &value.shape { items } else { std::slice::from_ref(&value) };
        for mapping in mappings {
            let Shape::Mapping(more) = &mapping.shape else {
                return Err(mapping.wrong(What::Structure("only a mapping can be merged".into())));
            };
            let absent = |(key, _): &&(Node, Node)| known.insert(key.text().unwrap_or_default().to_owned());
            entries.extend(more.iter().filter(absent).cloned());
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_within_anchors_copy_nothing() {
        let text = "&a [&b [&c {k: [x, x]}]]";
        let mut tree = Tree::default();
        for event in Parser::new_from_str(text) {
            let (event, span) = event.unwrap();
            tree.take(event, place(&span)).unwrap();
        }
        let (mut node, mut anchors) = (tree.root.as_ref().unwrap(), 0);
        while let Shape::List(items) = &node.shape {
            let shared = |named: &Node| matches!(&named.shape, Shape::List(same) if Rc::ptr_eq(same, items));
            anchors += tree.anchored.values().filter(|named| shared(named)).count();
            node = &items[0];
        }
        let Shape::Mapping(entries) = &node.shape else { panic!("{node:?}") };
        let shared = |named: &Node| matches!(&named.shape, Shape::Mapping(same) if Rc::ptr_eq(same, entries));
        assert_eq!((anchors, tree.anchored.values().filter(|named| shared(named)).count()), (2, 1));
    }
}
