//! Sites: where they lie, how they are observed, which of their lines they need, what their agent asks.

use super::{
    draft::{Asked, Draft, Kind},
    fields::{Fields, one_of},
    needs::needs,
    network::{interval, patience},
    target,
    tree::{Node, Place, Tree},
    value,
};
use crate::topology::{Contact, Id, Observe, Site, SiteKind};
use haidang_daemon::yaml;
use haidang_probe::check::{Check, ProbeKind, Span};
use std::{path::Path, sync::Arc, time::Duration};

const KINDS: [(&str, SiteKind); 2] = [("office", SiteKind::Office), ("core", SiteKind::Core)];
const OBSERVED: [(&str, Observe); 4] = [
    ("gateway", Observe::Gateway),
    ("box-behind", Observe::BoxBehind),
    ("reflector", Observe::Reflector),
    ("ping-only", Observe::PingOnly),
];
/// How often an agent asks, and how long it waits, when a file does not say.
const CHECK_EVERY: Span = Span(Duration::from_secs(10));
const CHECK_TIMEOUT: Span = Span(Duration::from_secs(2));

impl Draft {
    /// A site with its lines and checks.
    pub(super) fn site(&mut self, file: &Arc<Path>, tree: &Tree) {
        let Some(mut fields) = self.fields(file, tree, "a site") else { return };
        let id = self.identity(&mut fields, Kind::Site, "id", value::id);
        let kind = fields.optional("kind", |tree| one_of(tree, &KINDS)).unwrap_or(SiteKind::Office);
        let core = kind == SiteKind::Core;
        let lines = self.lines(file, &mut fields, &id);
        let site = Site {
            name: fields.needed("name", value::text),
            kind,
            commune: self.reference(&mut fields, (Kind::Site, &id), "commune", Kind::Commune, !core),
            observe: observe(&mut fields, core),
            rehearsal: fields.optional("rehearsal", value::truth).unwrap_or(false),
            needs: needs(file, &mut fields, &lines, core),
            contact: self.contact(&mut fields),
            gate_s: self.gate(&mut fields, &id),
            checks: self.checks(file, &mut fields, core),
            ssid: None,
        };
        self.stands(&fields, (Kind::Site, &id), "kind");
        belongs(&mut fields, &site, &lines);
        self.faults(fields.done());
        self.topology.sites.insert(id, site);
    }

    fn lines(&mut self, file: &Arc<Path>, fields: &mut Fields<'_>, site: &str) -> Vec<Id> {
        fields.list("lines").iter().filter_map(|item| self.line(file, item, site)).collect()
    }

    fn contact(&mut self, fields: &mut Fields<'_>) -> Option<Contact> {
        let mut inner = fields.table("contact")?;
        let contact =
            Contact { name: inner.needed("name", value::text), phone: inner.needed("phone", value::text) };
        self.faults(inner.done());
        Some(contact)
    }

    fn gate(&mut self, fields: &mut Fields<'_>, id: &str) -> u32 {
        let gate = fields.optional("gate", value::gate);
        if gate.is_none() {
            self.ungated.push(id.to_owned());
        }
        gate.unwrap_or_default()
    }

    fn checks(&mut self, file: &Arc<Path>, fields: &mut Fields<'_>, core: bool) -> Vec<Check> {
        let mut of_site = Asked::new();
        let mut faults = Vec::new();
        let mut checks = Vec::new();
        for item in fields.list("checks") {
            let Some((check, place)) = self.check(file, item) else { continue };
            let asked = if core { &mut self.asked_by_core } else { &mut of_site };
            Draft::ask_once(&mut faults, asked, &check, &place);
            checks.push(check);
        }
        self.faults(faults);
        checks
    }

    fn check(&mut self, file: &Arc<Path>, tree: &Tree) -> Option<(Check, Place)> {
        let mut fields = self.fields(file, tree, "a check")?;
        let name = fields.needed("name", value::text);
        let probe = fields.must("probe", probe);
        let target = fields.optional("target", value::text);
        let every = interval(&mut fields, CHECK_EVERY);
        let timeout = patience(&mut fields, CHECK_TIMEOUT);
        let unreadable = fields.any("target").is_some() && target.is_none();
        let target = target.unwrap_or_default();
        if let Some(probe) = probe
            && !unreadable
            && let Err(wrong) = target::check(probe, &target)
        {
            let fault = fields.place_of("target").fault(format!("`target`: {wrong}"));
            fields.fault(fault);
        }
        let place = fields.place_of("name");
        self.faults(fields.done());
        let check = Check { id: None, name, probe: probe?, target, every, timeout };
        Some((check, place)).filter(|(check, _)| !check.name.is_empty())
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
    if !site.observe.has_agent() && !site.checks.is_empty() {
        refuse(
            "checks",
            "the site has no agent to run checks; leave `checks` out or write `observe: gateway`",
        );
    }
}

/// How the site is observed; the core site's agent runs on a machine behind the gateway unless it says otherwise.
fn observe(fields: &mut Fields<'_>, core: bool) -> Observe {
    let take = |tree: &Tree| one_of(tree, &OBSERVED);
    let said = if core { fields.optional("observe", take) } else { fields.must("observe", take) };
    said.unwrap_or(Observe::BoxBehind)
}

fn probe(tree: &Tree) -> Result<ProbeKind, String> {
    let word = value::text(tree)?;
    word.parse().map_err(|()| yaml::unknown("probe", &word, ProbeKind::ALL.iter().map(|probe| probe.name())))
}
