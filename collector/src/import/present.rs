//! What the configuration directory says now, entry by entry, as written: what an import compares with and adds to.
//!
//! Entries are kept as plain values with the file they stand in, so that keys an import knows nothing of survive it.
//! Files of `sites/` are the import's to write; all others are only read.

use super::gather::WantedSite;
use super::official::{Communes, Known};
use super::text::fold;
use crate::config::{self, Fault};
use crate::topology::Id;
use haidang_daemon::yaml;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The folder whose files an import writes.
pub const SITES: &str = "sites";

/// One entry of a list, and the file that holds it, relative to the directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The file.
    pub file: PathBuf,
    /// Its keys.
    pub keys: Map<String, Value>,
}

impl Entry {
    /// Whether an import may write it.
    pub fn is_ours(&self) -> bool {
        self.file.starts_with(SITES)
    }

    /// A text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.keys.get(key)?.as_str()
    }

    /// The lines of a site.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &Map<String, Value>)> {
        let lines = self.keys.get("lines").and_then(Value::as_array).into_iter().flatten();
        lines.filter_map(Value::as_object).filter_map(|line| Some((line.get("id")?.as_str()?, line)))
    }
}

/// The entries of a directory by id or code.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Present {
    /// Code of the province.
    pub province: String,
    /// Areas.
    pub areas: BTreeMap<Id, Entry>,
    /// Communes.
    pub communes: BTreeMap<Id, Entry>,
    /// Carriers.
    pub carriers: BTreeMap<Id, Entry>,
    /// Hand-offs.
    pub hand_offs: BTreeMap<Id, Entry>,
    /// Aggregation points.
    pub pops: BTreeMap<Id, Entry>,
    /// Sites.
    pub sites: BTreeMap<Id, Entry>,
    /// Text of each file of `sites/`, relative to the directory.
    pub texts: BTreeMap<PathBuf, String>,
    /// SHA-256 over all files: whether the directory is still the one that was looked at.
    pub digest: [u8; 32],
}

impl Present {
    /// Reads a directory.
    ///
    /// # Errors
    /// Files that cannot be read or are no YAML: nothing can be compared with them.
    pub fn read(directory: &Path) -> Result<Present, Vec<Fault>> {
        let mut present = Present::default();
        let (mut faults, mut digest) = (Vec::new(), Sha256::new());
        for path in config::files(directory).map_err(|fault| vec![fault])? {
            let file = path.strip_prefix(directory).unwrap_or(&path).to_path_buf();
            match yaml::text(&path).and_then(|text| Ok((yaml::parse::<Value>(&path, &text)?, text))) {
                Ok((value, text)) => {
                    digest.update((text.len() as u64).to_be_bytes());
                    digest.update(file.as_os_str().as_encoded_bytes());
                    digest.update(&text);
                    present.add(&file, &value);
                    if file.starts_with(SITES) {
                        present.texts.insert(file, text);
                    }
                }
                Err(fault) => faults.push(fault),
            }
        }
        present.digest = digest.finalize().into();
        if faults.is_empty() { Ok(present) } else { Err(faults) }
    }

    fn add(&mut self, file: &Path, value: &Value) {
        if let Some(code) = value.pointer("/province/code").and_then(Value::as_str) {
            code.clone_into(&mut self.province);
        }
        let lists = [
            ("areas", "id", &mut self.areas),
            ("communes", "code", &mut self.communes),
            ("carriers", "id", &mut self.carriers),
            ("hand_offs", "id", &mut self.hand_offs),
            ("pops", "id", &mut self.pops),
            ("sites", "id", &mut self.sites),
        ];
        for (section, id, entries) in lists {
            for item in value.get(section).and_then(Value::as_array).into_iter().flatten() {
                if let (Some(keys), Some(id)) = (item.as_object(), item.get(id).and_then(Value::as_str)) {
                    entries.insert(id.to_owned(), Entry { file: file.to_path_buf(), keys: keys.clone() });
                }
            }
        }
    }

    /// The communes a sheet may name.
    pub fn known_communes(&self) -> Communes {
        let known = |entry: &Entry| {
            let text = |key| entry.text(key).unwrap_or_default().to_owned();
            let ended = entry
                .text("valid_to")
                .map(|day| (day.to_owned(), entry.text("successor").map(str::to_owned)));
            Known { name: text("name"), kind: text("kind"), ended }
        };
        let recorded = self.communes.iter().map(|(code, entry)| (code.clone(), known(entry))).collect();
        Communes::new(&self.province, recorded)
    }

    /// The site and line that record a circuit.
    pub fn line_of(&self, circuit: &str) -> Option<(&Id, &str, &Map<String, Value>)> {
        self.sites.iter().find_map(|(id, site)| {
            let mut lines = site.lines();
            let found = lines.find(|(_, line)| line.get("circuit").and_then(Value::as_str) == Some(circuit));
            found.map(|(line, keys)| (id, line, keys))
        })
    }

    /// The site that a sheet means: by the id it says; else by commune and name; else by a circuit of it.
    pub fn standing(&self, site: &WantedSite) -> Option<(&Id, &Entry)> {
        let id = match &site.id {
            Some(id) => Some(id),
            None => self.site_named(&site.commune, &site.name).or_else(|| {
                site.lines.iter().find_map(|line| self.line_of(&line.circuit)).map(|(site, ..)| site)
            }),
        };
        self.sites.get_key_value(id?)
    }

    /// The site of a commune with this name.
    pub fn site_named(&self, commune: &str, name: &str) -> Option<&Id> {
        let folded = fold(name);
        let mut in_commune = self.sites.iter().filter(|(_, site)| site.text("commune") == Some(commune));
        in_commune
            .find(|(_, site)| site.text("name").is_some_and(|name| fold(name) == folded))
            .map(|(id, _)| id)
    }
}

/// The entry meant by a word: its id, or its name however spelt.
pub fn meant<'e>(entries: &'e BTreeMap<Id, Entry>, word: &str) -> Option<&'e Id> {
    let folded = fold(word);
    let is = |(id, entry): &(&Id, &Entry)| {
        id.as_str() == word
            || fold(id) == folded
            || entry.text("name").is_some_and(|name| fold(name) == folded)
    };
    entries.iter().find(is).map(|(id, _)| id)
}
