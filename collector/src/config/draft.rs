//! The configuration while it is read: what the files said so far, what was wrong, and where things stand.

use super::{
    Settings,
    fields::{Fields, Take},
    tree::{self, Node, Place, Tree},
};
use crate::topology::{Hours, Id, OffOutsideHours, Topology};
use haidang_daemon::yaml::{self, Fault};
use haidang_probe::check::{Check, CheckId};
use haidang_probe::credential::Credentials;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::Path,
    sync::Arc,
};

/// Kinds of things that are known by something that stands once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Section,
    Area,
    Commune,
    Carrier,
    HandOff,
    Pop,
    Site,
    Line,
    Circuit,
    SeenFrom,
    Device,
    Feeder,
    Service,
    Credential,
}

impl Kind {
    /// In messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Section => "key",
            Kind::Area => "area",
            Kind::Commune => "commune",
            Kind::Carrier => "carrier",
            Kind::HandOff => "hand-off",
            Kind::Pop => "pop",
            Kind::Site => "site",
            Kind::Line => "line",
            Kind::Circuit => "circuit",
            Kind::SeenFrom => "address in `seen_from`",
            Kind::Device => "device",
            Kind::Feeder => "feeder",
            Kind::Service => "service",
            Kind::Credential => "credential",
        }
    }
}

/// `kind` `id` is named at `place`: it must exist.
struct Reference {
    kind: Kind,
    id: Id,
    key: &'static str,
    place: Place,
}

/// The checks of one agent by id: no two may share one, or their samples would mix.
pub(super) type Asked = BTreeMap<CheckId, (String, Place)>;

/// What was read so far.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) topology: Topology,
    pub(super) settings: Option<Settings>,
    /// As whom agents ask devices.
    pub(super) credentials: Credentials,
    pub(super) certificates: super::settings::Certificates,
    /// The gate of sites that say none, seconds.
    pub(super) gate_s: Option<u32>,
    /// Sites that say no gate.
    pub(super) ungated: Vec<Id>,
    /// The hours of sites that say none.
    pub(super) hours: Option<Hours>,
    /// Whether sites that do not say may be off outside their hours.
    pub(super) off_outside_hours: OffOutsideHours,
    /// Sites that do not say whether they may be off.
    pub(super) unsaid_off: Vec<Id>,
    /// Tags that shared checks and services name.
    pub(super) tags_named: Vec<(String, Place)>,
    /// What the core agent asks.
    pub(super) asked_by_core: Asked,
    faults: Vec<Fault>,
    claims: BTreeMap<(Kind, String), Place>,
    places: BTreeMap<(Kind, Id, &'static str), Place>,
    references: Vec<Reference>,
}

/// A top-level key and how its value is read.
type Section = (&'static str, fn(&mut Draft, &Arc<Path>, &Tree));

const SECTIONS: [Section; 13] = [
    ("province", Draft::province),
    ("areas", |draft, file, tree| draft.each(file, tree, "areas", Draft::area)),
    ("communes", |draft, file, tree| draft.each(file, tree, "communes", Draft::commune)),
    ("carriers", |draft, file, tree| draft.each(file, tree, "carriers", Draft::carrier)),
    ("hand_offs", |draft, file, tree| draft.each(file, tree, "hand_offs", Draft::hand_off)),
    ("pops", |draft, file, tree| draft.each(file, tree, "pops", Draft::pop)),
    ("sites", |draft, file, tree| draft.each(file, tree, "sites", Draft::site)),
    ("feeders", |draft, file, tree| draft.each(file, tree, "feeders", Draft::feeder)),
    ("services", |draft, file, tree| draft.each(file, tree, "services", Draft::service)),
    ("checks", |draft, file, tree| draft.each(file, tree, "checks", Draft::shared_check)),
    ("credentials", |draft, file, tree| draft.each(file, tree, "credentials", Draft::credential)),
    ("collector", Draft::collector),
    ("defaults", Draft::defaults),
];

impl Draft {
    /// Adds a file.
    pub(super) fn read(&mut self, file: &Arc<Path>, text: &str) {
        match tree::parse(file, text) {
            Ok(tree) => self.sections(file, &tree),
            Err(fault) => self.faults.push(fault),
        }
    }

    fn sections(&mut self, file: &Arc<Path>, tree: &Tree) {
        let keys = SECTIONS.iter().map(|(key, _)| *key);
        let Node::Table(entries) = &tree.node else {
            let message = match tree.node {
                Node::Nothing => {
                    "the file is empty; write a top-level key such as `sites:`, or remove it".into()
                }
                _ => format!("expected top-level keys such as `sites:`, found {}", tree.looks()),
            };
            return self.fault(tree.place(file).fault(message));
        };
        for (key, value) in entries {
            match SECTIONS.iter().find(|(name, _)| *name == key.value) {
                Some((_, read)) => read(self, file, value),
                None => self.fault(Fault::at(
                    file,
                    key.referenced,
                    yaml::unknown("key", &key.value, keys.clone()),
                )),
            }
        }
    }

    fn each(
        &mut self,
        file: &Arc<Path>,
        tree: &Tree,
        section: &str,
        read: fn(&mut Draft, &Arc<Path>, &Tree),
    ) {
        match &tree.node {
            Node::List(items) => items.iter().for_each(|item| read(self, file, item)),
            _ => self.fault(tree.place(file).fault(format!(
                "`{section}`: expected a list (lines that begin with `-`), found {}",
                tree.looks()
            ))),
        }
    }

    /// Keeps a fault.
    pub(super) fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Keeps faults.
    pub(super) fn faults(&mut self, faults: Vec<Fault>) {
        self.faults.extend(faults);
    }

    /// The keys of `tree`, which is to be `what`; a fault when it has none.
    pub(super) fn fields<'t>(
        &mut self,
        file: &'t Arc<Path>,
        tree: &'t Tree,
        what: &str,
    ) -> Option<Fields<'t>> {
        Fields::of(file, tree, what).map_err(|fault| self.fault(fault)).ok()
    }

    /// `value` belongs to one of `kind`, said at `place`; a fault when it does already.
    pub(super) fn claim(&mut self, kind: Kind, value: &str, place: &Place) {
        match self.claims.entry((kind, value.to_owned())) {
            Entry::Vacant(free) => _ = free.insert(place.clone()),
            Entry::Occupied(taken) => {
                let (kind, first) = (kind.name(), taken.get());
                let message = format!("duplicate {kind} `{value}`; it stands first at {first}");
                self.faults.push(place.fault(message));
            }
        }
    }

    /// Whether some file says the top-level `section`.
    pub(super) fn says(&self, section: &str) -> bool {
        self.claims.contains_key(&(Kind::Section, section.to_owned()))
    }

    /// The id a record of `kind` says under `key`, claimed; empty when there is none.
    pub(super) fn identity(
        &mut self,
        fields: &mut Fields<'_>,
        kind: Kind,
        key: &'static str,
        take: Take<Id>,
    ) -> Id {
        let id = fields.needed(key, take);
        if !id.is_empty() {
            self.claim(kind, &id, &fields.place_of(key));
        }
        id
    }

    /// The id of `kind` that `owner` names under `key`; it must exist once all files are read.
    pub(super) fn reference(
        &mut self,
        fields: &mut Fields<'_>,
        owner: (Kind, &str),
        key: &'static str,
        kind: Kind,
        needed: bool,
    ) -> Option<Id> {
        let id =
            if needed { fields.must(key, super::value::id) } else { fields.optional(key, super::value::id) }?;
        let place = fields.place_of(key);
        self.refers(kind, &id, key, place);
        self.stands(fields, owner, key);
        Some(id)
    }

    /// `kind` `id` is named at `place` under `key`; it must exist once all files are read.
    pub(super) fn refers(&mut self, kind: Kind, id: &str, key: &'static str, place: Place) {
        self.references.push(Reference { kind, id: id.to_owned(), key, place });
    }

    /// Remembers where `owner` says `key`.
    pub(super) fn stands(&mut self, fields: &Fields<'_>, owner: (Kind, &str), key: &'static str) {
        self.places.insert((owner.0, owner.1.to_owned(), key), fields.place_of(key));
    }

    /// A fault where `owner` says `key`.
    pub(super) fn fault_at(&mut self, owner: (Kind, &str), key: &'static str, message: String) {
        let place = self.places.get(&(owner.0, owner.1.to_owned(), key));
        self.faults.extend(place.map(|place| place.fault(message)));
    }

    /// `check`, said at `place`, is one of those `asked`; a fault when another has its id.
    pub(super) fn ask_once(faults: &mut Vec<Fault>, asked: &mut Asked, check: &Check, place: &Place) {
        let Some((name, first)) = asked.get(&check.id()) else {
            asked.insert(check.id(), (check.name.clone(), place.clone()));
            return;
        };
        faults.push(place.fault(if *name == check.name {
            format!("duplicate check `{name}` of this agent; it stands first at {first}")
        } else {
            format!("check `{}` has the same id as `{name}` at {first}; rename one of them", check.name)
        }));
    }

    /// Names the references that lead nowhere, and hands over all faults.
    pub(super) fn finish(mut self) -> (Draft, Vec<Fault>) {
        for reference in std::mem::take(&mut self.references) {
            let Reference { kind, id, key, place } = reference;
            if self.claims.contains_key(&(kind, id.clone())) {
                continue;
            }
            let known = self.claims.keys().filter(|(of, _)| *of == kind).map(|(_, id)| id.as_str());
            let message = format!("`{key}`: {}", yaml::unknown(kind.name(), &id, known));
            self.faults.push(place.fault(message));
        }
        let faults = std::mem::take(&mut self.faults);
        (self, faults)
    }
}
