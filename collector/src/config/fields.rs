//! One table of a file, asked key by key: it keeps what is wrong, and at the end names the keys nobody asked for.

use super::{
    tree::{Node, Place, Tree},
    value,
};
use haidang_daemon::yaml::{self, Fault, Location, Spanned};
use haidang_probe::check::With;
use std::{collections::BTreeSet, path::Path, sync::Arc};

/// The keys of one table, asked for one after the other.
pub(super) struct Fields<'t> {
    file: &'t Arc<Path>,
    location: Location,
    entries: &'t [(Spanned<String>, Tree)],
    asked: Vec<&'static str>,
    faults: Vec<Fault>,
}

/// How a value is read: the value, or what is wrong with it.
pub(super) type Take<T> = fn(&Tree) -> Result<T, String>;

impl<'t> Fields<'t> {
    /// The keys of `tree`, which is to be `what`.
    pub(super) fn of(file: &'t Arc<Path>, tree: &'t Tree, what: &str) -> Result<Fields<'t>, Fault> {
        let Node::Table(entries) = &tree.node else {
            let message = format!("expected the keys of {what}, found {}", tree.looks());
            return Err(tree.place(file).fault(message));
        };
        Ok(Fields { file, location: tree.location, entries, asked: Vec::new(), faults: Vec::new() })
    }

    /// Where the table stands.
    pub(super) fn place(&self) -> Place {
        Place::new(self.file, self.location)
    }

    /// Where the value of `key` stands; the table when it is absent.
    pub(super) fn place_of(&self, key: &str) -> Place {
        self.find(key).map_or_else(|| self.place(), |tree| tree.place(self.file))
    }

    /// Whether nothing was found wrong so far.
    pub(super) fn sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// Keeps a fault.
    pub(super) fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// The value of `key`, of any shape.
    pub(super) fn any(&mut self, key: &'static str) -> Option<&'t Tree> {
        self.asked.push(key);
        self.find(key)
    }

    /// The value of `key` as `take` reads it; `None` when it is absent or wrong.
    pub(super) fn optional<T>(&mut self, key: &'static str, take: Take<T>) -> Option<T> {
        let tree = self.any(key)?;
        match take(tree) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.faults.push(tree.place(self.file).fault(format!("`{key}`: {wrong}")));
                None
            }
        }
    }

    /// The value of `key`; when it is missing or wrong there is a fault, and the default.
    pub(super) fn needed<T: Default>(&mut self, key: &'static str, take: Take<T>) -> T {
        self.must(key, take).unwrap_or_default()
    }

    /// The value of `key`; when it is missing or wrong there is a fault, and `None`.
    pub(super) fn must<T>(&mut self, key: &'static str, take: Take<T>) -> Option<T> {
        self.present(key);
        self.optional(key, take)
    }

    /// A fault when `key` is missing.
    fn present(&mut self, key: &'static str) {
        if self.find(key).is_none() {
            self.faults.push(self.place().fault(format!("missing key `{key}`")));
        }
    }

    /// The table under `key`, absent or not; its faults must be given back with [`Fields::done`].
    pub(super) fn table(&mut self, key: &'static str) -> Option<Fields<'t>> {
        let tree = self.any(key)?;
        match Fields::of(self.file, tree, &format!("`{key}`")) {
            Ok(fields) => Some(fields),
            Err(fault) => {
                self.faults.push(fault);
                None
            }
        }
    }

    /// The items of the list under `key`; none when it is absent.
    pub(super) fn list(&mut self, key: &'static str) -> &'t [Tree] {
        match self.any(key).map(|tree| (&tree.node, tree)) {
            None => &[],
            Some((Node::List(items), _)) => items,
            Some((_, tree)) => {
                let message =
                    format!("`{key}`: expected a list (lines that begin with `-`), found {}", tree.looks());
                self.faults.push(tree.place(self.file).fault(message));
                &[]
            }
        }
    }

    /// The words, numbers and truth values under `key`, each by a key of its own; none when it is absent.
    pub(super) fn settings(&mut self, key: &'static str) -> With {
        let Some(inner) = self.table(key) else { return With::default() };
        let mut settings = Vec::new();
        for (name, tree) in inner.entries {
            match &tree.node {
                Node::Text(text) => settings.push((name.value.clone(), text.clone())),
                Node::Number(number) => settings.push((name.value.clone(), number.to_string())),
                Node::Truth(truth) => settings.push((name.value.clone(), truth.to_string())),
                _ => {
                    let message =
                        format!("`{}`: expected a word or a number, found {}", name.value, tree.looks());
                    self.faults.push(tree.place(self.file).fault(message));
                }
            }
        }
        settings.into_iter().collect()
    }

    /// Where the value of `inner` stands in the table under `key`.
    pub(super) fn place_within(&self, key: &str, inner: &str) -> Place {
        let Some(Node::Table(entries)) = self.find(key).map(|tree| &tree.node) else {
            return self.place_of(key);
        };
        let found = entries.iter().find(|(name, _)| name.value == inner);
        found.map_or_else(|| self.place_of(key), |(_, tree)| tree.place(self.file))
    }

    /// All that was wrong, with the keys nobody asked for.
    pub(super) fn done(mut self) -> Vec<Fault> {
        for (key, _) in self.entries {
            if !self.asked.contains(&key.value.as_str()) {
                let message = yaml::unknown("key", &key.value, self.asked.iter().copied());
                self.faults.push(Fault::at(self.file, key.referenced, message));
            }
        }
        self.faults
    }

    fn find(&self, key: &str) -> Option<&'t Tree> {
        self.entries.iter().find(|(name, _)| name.value == key).map(|(_, tree)| tree)
    }
}

/// One of a few words, and what it stands for.
pub(super) fn one_of<T: Copy>(tree: &Tree, words: &[(&'static str, T)]) -> Result<T, String> {
    let said = value::text(tree)?;
    match words.iter().find(|(word, _)| *word == said) {
        Some((_, meaning)) => Ok(*meaning),
        None => Err(yaml::unknown("value", &said, words.iter().map(|(word, _)| *word))),
    }
}

/// The list of words under `key`, each an id; none when it is absent.
pub(super) fn words(file: &Arc<Path>, fields: &mut Fields<'_>, key: &'static str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for item in fields.list(key) {
        match value::id(item) {
            Ok(word) => _ = words.insert(word),
            Err(wrong) => fields.fault(item.place(file).fault(format!("`{key}`: {wrong}"))),
        }
    }
    words
}
