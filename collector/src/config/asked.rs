//! What agents ask: checks of sites, of the devices on their LANs, checks that many sites share, and services.

use super::{
    draft::{Asked, Draft, Kind},
    fields::{Fields, one_of, words},
    network::{interval, patience},
    tree::{Place, Tree},
    value,
};
use crate::topology::{AskedBy, Device, DeviceKind, Feeder, Id, Service, Shared, service};
use haidang_daemon::yaml;
use haidang_probe::ask::{Question, Wrong};
use haidang_probe::check::{Check, ProbeKind, Span};
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

const DEVICES: [(&str, DeviceKind); 8] = [
    ("gateway", DeviceKind::Gateway),
    ("switch", DeviceKind::Switch),
    ("ups", DeviceKind::Ups),
    ("camera", DeviceKind::Camera),
    ("printer", DeviceKind::Printer),
    ("portal", DeviceKind::Portal),
    ("computer", DeviceKind::Computer),
    ("other", DeviceKind::Other),
];
/// Words of `asked_by` that are no tags.
const CORE: &str = "core";
const ALL: &str = "all";
/// How often an agent asks, and how long it waits, when a file does not say.
const CHECK_EVERY: Span = Span(Duration::from_secs(10));
const CHECK_TIMEOUT: Span = Span(Duration::from_secs(2));

impl Draft {
    /// The checks under `checks`; those of a device are named after it unless they say a name.
    pub(super) fn checks(
        &mut self,
        file: &Arc<Path>,
        fields: &mut Fields<'_>,
        device: Option<&str>,
        asked: &mut Asked,
    ) -> Vec<Check> {
        let mut faults = Vec::new();
        let mut checks = Vec::new();
        for item in fields.list("checks") {
            let Some(mut inner) = self.fields(file, item, "a check") else { continue };
            let Some((check, place)) = check(&mut inner, device) else {
                self.faults(inner.done());
                continue;
            };
            self.asks_as(&inner, &check);
            self.faults(inner.done());
            Draft::ask_once(&mut faults, asked, &check, &place);
            checks.push(check);
        }
        self.faults(faults);
        checks
    }

    /// `devices: [{id: c01-cam, name: Camera, kind: camera, checks: […]}]`.
    pub(super) fn devices(
        &mut self,
        file: &Arc<Path>,
        fields: &mut Fields<'_>,
        asked: &mut Asked,
    ) -> BTreeMap<Id, Device> {
        let mut devices = BTreeMap::new();
        for item in fields.list("devices") {
            let Some(mut inner) = self.fields(file, item, "a device") else { continue };
            let id = self.identity(&mut inner, Kind::Device, "id", value::id);
            let name = inner.needed("name", value::text);
            let kind = inner.must("kind", |tree| one_of(tree, &DEVICES)).unwrap_or(DeviceKind::Other);
            let checks = self.checks(file, &mut inner, Some(&id), asked);
            self.faults(inner.done());
            devices.insert(id, Device { name, kind, checks });
        }
        devices
    }

    /// `{id: "473-E7.4", name: Lộ 473 E7.4}`.
    pub(super) fn feeder(&mut self, file: &Arc<Path>, tree: &Tree) {
        let Some(mut fields) = self.fields(file, tree, "a feeder") else { return };
        let id = self.identity(&mut fields, Kind::Feeder, "id", value::id);
        let name = fields.needed("name", value::text);
        self.topology.feeders.insert(id, Feeder { name });
        self.faults(fields.done());
    }

    /// `{id: portal, name: …, owner: …, outside: true, check: {probe: http, target: …}, asked_by: [core, all]}`.
    pub(super) fn service(&mut self, file: &Arc<Path>, tree: &Tree) {
        let Some(mut fields) = self.fields(file, tree, "a service") else { return };
        let id = self.identity(&mut fields, Kind::Service, "id", value::id);
        let name = fields.needed("name", value::text);
        let owner = fields.needed("owner", value::text);
        let outside = fields.optional("outside", value::truth).unwrap_or(false);
        let asked_by = self.asked_by(file, &mut fields);
        if fields.any("check").is_none() {
            fields.fault(fields.place().fault("missing key `check`: what is asked to know that it works"));
        }
        let check = fields.table("check").and_then(|mut inner| {
            let named = service::check_name(&id);
            let check = check(&mut inner, Some(&named));
            if let Some((check, _)) = &check {
                self.asks_as(&inner, check);
            }
            self.faults(inner.done());
            check.map(|(check, _)| Check { name: named, ..check })
        });
        if let Some(check) = check {
            self.topology.services.insert(id, Service { name, owner, outside, check, asked_by });
        }
        self.faults(fields.done());
    }

    /// `{name: resolver, probe: tcp, target: "10.82.0.53:53", asked_by: [one-stop]}`.
    pub(super) fn shared_check(&mut self, file: &Arc<Path>, tree: &Tree) {
        let Some(mut fields) = self.fields(file, tree, "a check") else { return };
        let asked_by = self.asked_by(file, &mut fields);
        if let Some((check, _)) = check(&mut fields, None) {
            self.asks_as(&fields, &check);
            self.topology.shared.push(Shared { check, asked_by });
        }
        self.faults(fields.done());
    }

    /// `asked_by: [core, all, one-stop]`: two words of ours, and tags of sites.
    fn asked_by(&mut self, file: &Arc<Path>, fields: &mut Fields<'_>) -> AskedBy {
        let mut tags = words(file, fields, "asked_by");
        if fields.any("asked_by").is_none() {
            let missing =
                "missing key `asked_by`; write who asks, as in `asked_by: [core, all]` or tags of sites";
            fields.fault(fields.place().fault(missing));
        }
        let place = fields.place_of("asked_by");
        let (core, all) = (tags.remove(CORE), tags.remove(ALL));
        self.tags_named.extend(tags.iter().map(|tag| (tag.clone(), place.clone())));
        AskedBy { core, all, tags }
    }
}

fn probe(tree: &Tree) -> Result<ProbeKind, String> {
    let word = value::text(tree)?;
    word.parse().map_err(|()| yaml::unknown("probe", &word, ProbeKind::ALL.iter().map(|probe| probe.name())))
}

/// One check, and where its name stands. Its keys are `fields`; the caller closes them.
fn check(fields: &mut Fields<'_>, device: Option<&str>) -> Option<(Check, Place)> {
    let probe = fields.must("probe", probe);
    let name = match device {
        None => fields.needed("name", value::text),
        Some(device) => {
            let said = fields.optional("name", value::text);
            let kind = said.or_else(|| probe.map(|probe| probe.name().to_owned()))?;
            format!("{device}/{kind}")
        }
    };
    let target = fields.optional("target", value::text);
    let every = interval(fields, CHECK_EVERY);
    let timeout = patience(fields, CHECK_TIMEOUT);
    let unreadable = fields.any("target").is_some() && target.is_none();
    let with = fields.settings("with");
    let place = fields.place_of("name");
    let target = target.unwrap_or_default();
    let check = Check { id: None, name, probe: probe?, target, every, timeout, with };
    if !unreadable && let Err(wrong) = Question::of(&check) {
        misasked(fields, &wrong);
    }
    Some((check, place)).filter(|(check, _)| !check.name.is_empty())
}

/// A fault where the target or the setting stands that cannot be asked.
pub(super) fn misasked(fields: &mut Fields<'_>, wrong: &Wrong) {
    let (place, key) = match &wrong.setting {
        Some(setting) => (fields.place_within("with", setting), setting.as_str()),
        None => (fields.place_of("target"), "target"),
    };
    fields.fault(place.fault(format!("`{key}`: {}", wrong.message)));
}
