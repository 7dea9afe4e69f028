//! Sites: where they lie, how they are observed, which of their lines they need, what their agent asks.

use super::{
    draft::{Asked, Draft, Kind},
    fields::{Fields, one_of, words},
    needs::needs,
    tree::{Node, Tree},
    value,
};
use crate::topology::{Contact, Former, Id, Observe, Power, Site, SiteKind, Supply};
use haidang_probe::listening::Listening;
use std::{path::Path, sync::Arc};

const KINDS: [(&str, SiteKind); 2] = [("office", SiteKind::Office), ("core", SiteKind::Core)];
const OBSERVED: [(&str, Observe); 4] = [
    ("gateway", Observe::Gateway),
    ("box-behind", Observe::BoxBehind),
    ("reflector", Observe::Reflector),
    ("ping-only", Observe::PingOnly),
];
const SUPPLIES: [(&str, Supply); 2] = [("mains", Supply::Mains), ("ups", Supply::Ups)];

impl Draft {
    /// A site with its lines and checks.
    pub(super) fn site(&mut self, file: &Arc<Path>, tree: &Tree) {
        let Some(mut fields) = self.fields(file, tree, "a site") else { return };
        let id = self.identity(&mut fields, Kind::Site, "id", value::id);
        let kind = fields.optional("kind", |tree| one_of(tree, &KINDS)).unwrap_or(SiteKind::Office);
        let core = kind == SiteKind::Core;
        let lines = self.lines(file, &mut fields, &id);
        let mut asked = if core { std::mem::take(&mut self.asked_by_core) } else { Asked::new() };
        let site = Site {
            name: fields.needed("name", value::text),
            kind,
            commune: self.reference(&mut fields, (Kind::Site, &id), "commune", Kind::Commune, !core),
            observe: observe(&mut fields, core),
            rehearsal: fields.optional("rehearsal", value::truth).unwrap_or(false),
            needs: needs(file, &mut fields, &lines, core),
            contact: self.person(&mut fields, "contact"),
            key_holder: self.person(&mut fields, "key_holder"),
            address: fields.optional("address", value::text),
            tags: words(file, &mut fields, "tags"),
            hours: self.hours(file, &mut fields),
            off_outside_hours: self.off_outside_hours(&mut fields, &id),
            feeder: self.reference(&mut fields, (Kind::Site, &id), "feeder", Kind::Feeder, false),
            power: self.power(&mut fields),
            formerly: self.formerly(file, &mut fields),
            gate_s: self.gate(&mut fields, &id),
            checks: self.checks(file, &mut fields, None, &mut asked),
            devices: self.devices(file, &mut fields, &mut asked),
            listen: self.listening(file, &mut fields),
            ssid: None,
            sealed: None,
        };
        if core {
            self.asked_by_core.append(&mut asked);
        }
        self.stands(&fields, (Kind::Site, &id), "kind");
        belongs(&mut fields, &site, &lines);
        self.faults(fields.done());
        self.topology.sites.insert(id, site);
    }

    fn lines(&mut self, file: &Arc<Path>, fields: &mut Fields<'_>, site: &str) -> Vec<Id> {
        fields.list("lines").iter().filter_map(|item| self.line(file, item, site)).collect()
    }

    /// `listen: {syslog: "0.0.0.0:514", traps: "0.0.0.0:162", credentials: [lan], neighbours: true, dhcp: true}`.
    fn listening(&mut self, file: &Arc<Path>, fields: &mut Fields<'_>) -> Listening {
        let Some(mut inner) = fields.table("listen") else { return Listening::default() };
        let named = inner.list("credentials");
        let listening = Listening {
            syslog: inner.optional("syslog", value::socket),
            traps: inner.optional("traps", value::socket),
            credentials: named.iter().filter_map(|item| self.credential_named(file, item)).collect(),
            neighbours: inner.optional("neighbours", value::truth).unwrap_or(false),
            dhcp: inner.optional("dhcp", value::truth).unwrap_or(false),
        };
        if listening.traps.is_none() && !listening.credentials.is_empty() {
            let place = inner.place_of("credentials");
            inner.fault(
                place.fault("`credentials`: they are of traps; write `traps:` with an address as well"),
            );
        }
        self.faults(inner.done());
        listening
    }

    fn credential_named(&mut self, file: &Arc<Path>, item: &Tree) -> Option<String> {
        match value::id(item) {
            Ok(name) => {
                self.refers(Kind::Credential, &name, "credentials", item.place(file));
                Some(name)
            }
            Err(wrong) => {
                self.fault(item.place(file).fault(format!("`credentials`: {wrong}")));
                None
            }
        }
    }

    fn person(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<Contact> {
        let mut inner = fields.table(key)?;
        let person =
            Contact { name: inner.needed("name", value::text), phone: inner.needed("phone", value::text) };
        self.faults(inner.done());
        Some(person)
    }

    fn power(&mut self, fields: &mut Fields<'_>) -> Power {
        let Some(mut inner) = fields.table("power") else { return Power::default() };
        let supply = |tree: &Tree| one_of(tree, &SUPPLIES);
        let power =
            Power { gateway: inner.optional("gateway", supply), agent: inner.optional("agent", supply) };
        self.faults(inner.done());
        power
    }

    /// `formerly: [{until: 2025-07-01, id: 28251-tt, commune: "28251"}]`, oldest first.
    fn formerly(&mut self, file: &Arc<Path>, fields: &mut Fields<'_>) -> Vec<Former> {
        let mut all: Vec<Former> = Vec::new();
        for item in fields.list("formerly") {
            let Some(mut inner) = self.fields(file, item, "a former site") else { continue };
            let until = inner.needed("until", value::day);
            let id = inner.optional("id", value::id);
            let place = inner.place();
            if let Some(id) = &id {
                self.claim(Kind::Site, id, &inner.place_of("id"));
            }
            let commune = self.reference(&mut inner, (Kind::Site, &until), "commune", Kind::Commune, false);
            if inner.any("id").is_none() && inner.any("commune").is_none() {
                inner.fault(place.fault("says nothing that changed; write the former `id` or `commune`"));
            }
            if all.last().is_some_and(|last| last.until >= until) {
                let fault = inner.place_of("until");
                inner.fault(fault.fault("`until`: not after the one before it; write the oldest first"));
            }
            self.faults(inner.done());
            all.push(Former { until, id, commune });
        }
        all
    }

    fn gate(&mut self, fields: &mut Fields<'_>, id: &str) -> u32 {
        let gate = fields.optional("gate", value::gate);
        if gate.is_none() {
            self.ungated.push(id.to_owned());
        }
        gate.unwrap_or_default()
    }
}

/// What a site of its kind must have, and must not.
fn belongs(fields: &mut Fields<'_>, site: &Site, lines: &[Id]) {
    let lineless =
        fields.any("lines").is_none_or(|tree| matches!(&tree.node, Node::List(items) if items.is_empty()));
    let mut refuse = |key, message: &str| {
        let fault = fields.place_of(key).fault(message);
        fields.fault(fault);
    };
    if site.kind == SiteKind::Core {
        if site.commune.is_some() {
            refuse("commune", "the core site lies in no commune; leave `commune` out");
        }
        if !lines.is_empty() {
            refuse("lines", "the core site has no lines; they begin at their hand-off");
        }
        if !site.observe.has_agent() {
            refuse("observe", "the core site needs an agent; write `gateway` or `box-behind`");
        }
    } else if lineless {
        refuse("lines", "the site has no lines; write at least one");
    }
    if !site.observe.has_agent() {
        let message =
            |what| format!("the site has no agent to {what}; leave this out or write `observe: gateway`");
        if !site.checks.is_empty() {
            refuse("checks", &message("run checks"));
        }
        if !site.listen.is_nothing() {
            refuse("listen", &message("listen"));
        }
        if site.devices.values().any(|device| !device.checks.is_empty()) {
            refuse("devices", &message("ask devices"));
        }
    }
}

/// How the site is observed; the core site's agent runs on a machine behind the gateway unless it says otherwise.
fn observe(fields: &mut Fields<'_>, core: bool) -> Observe {
    let take = |tree: &Tree| one_of(tree, &OBSERVED);
    let said = if core { fields.optional("observe", take) } else { fields.must("observe", take) };
    said.unwrap_or(Observe::BoxBehind)
}
