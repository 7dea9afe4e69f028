//! The network tree: carriers, hand-offs, aggregation points, and what the core agent asks of them.

use super::{
    asked::misasked,
    draft::{Draft, Kind},
    fields::{Fields, Take, one_of},
    tree::Tree,
    value,
};
use crate::topology::{Ask, Carrier, HandOff, Id, Line, Medium, Pin, Pop, Role};
use haidang_probe::ask::{Question, Wrong};
use haidang_probe::check::{Check, ProbeKind, Span, With};
use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};

/// How often the core agent asks when a file does not say: 2/s, the pace of an agentless site's verdict.
const ASK_EVERY: Span = Span(Duration::from_millis(500));
/// How long it waits.
const ASK_TIMEOUT: Span = Span(Duration::from_millis(700));
/// Shortest and longest interval of a check.
const EVERY: [Span; 2] = [Span(Duration::from_millis(100)), Span(Duration::from_secs(24 * 3600))];
/// Shortest and longest wait for an answer.
const TIMEOUT: [Span; 2] = [Span(Duration::from_millis(10)), Span(Duration::from_secs(60))];
/// What the core agent can ask of a line, a port or a carrier's core.
const ASK_PROBES: [(&str, ProbeKind); 3] =
    [("stamp", ProbeKind::Stamp), ("icmp", ProbeKind::Icmp), ("tcp", ProbeKind::Tcp)];
/// As [`ASK_PROBES`], of our own port: where the core agent's machine holds it, its state is read there.
const PORT_PROBES: [(&str, ProbeKind); 4] =
    [ASK_PROBES[0], ASK_PROBES[1], ASK_PROBES[2], ("interface", ProbeKind::Interface)];
const MEDIA: [(&str, Medium); 4] = [
    ("fibre-l2", Medium::FibreL2),
    ("fibre-l3", Medium::FibreL3),
    ("4g-apn", Medium::Cellular),
    ("other", Medium::Other),
];
const ROLES: [(&str, Role); 2] = [("primary", Role::Primary), ("backup", Role::Backup)];

impl Draft {
    /// `{id: vnpt, name: VNPT, hotline: "18001166", core: ASK}`.
    pub(super) fn carrier(&mut self, file: &Arc<Path>, tree: &Tree) {
        let Some(mut fields) = self.fields(file, tree, "a carrier") else { return };
        let id = self.identity(&mut fields, Kind::Carrier, "id", value::id);
        let carrier = Carrier {
            name: fields.needed("name", value::text),
            hotline: fields.optional("hotline", value::text),
            core: self.ask(&mut fields, "core", format!("carrier/{id}/core")),
        };
        self.topology.carriers.insert(id, carrier);
        self.faults(fields.done());
    }

    /// `{id: vnpt-1, name: …, carrier: vnpt, our_port: ASK, carrier_port: ASK}`.
    pub(super) fn hand_off(&mut self, file: &Arc<Path>, tree: &Tree) {
        let Some(mut fields) = self.fields(file, tree, "a hand-off") else { return };
        let id = self.identity(&mut fields, Kind::HandOff, "id", value::id);
        let owner = (Kind::HandOff, id.as_str());
        let hand_off = HandOff {
            name: fields.needed("name", value::text),
            carrier: self.reference(&mut fields, owner, "carrier", Kind::Carrier, true).unwrap_or_default(),
            our_port: self.ask(&mut fields, "our_port", format!("hand-off/{id}/ours")),
            carrier_port: self.ask(&mut fields, "carrier_port", format!("hand-off/{id}/carrier")),
            collector: fields.optional("collector", value::address),
        };
        self.topology.hand_offs.insert(id, hand_off);
        self.faults(fields.done());
    }

    /// `{id: vnpt-cai-be, name: Trạm Cái Bè, carrier: vnpt, address: 10.82.3.9}`.
    pub(super) fn pop(&mut self, file: &Arc<Path>, tree: &Tree) {
        let Some(mut fields) = self.fields(file, tree, "a pop") else { return };
        let id = self.identity(&mut fields, Kind::Pop, "id", value::id);
        let owner = (Kind::Pop, id.as_str());
        let name = fields.needed("name", value::text);
        let carrier = self.reference(&mut fields, owner, "carrier", Kind::Carrier, true).unwrap_or_default();
        let address = fields.optional("address", value::address);
        self.topology.pops.insert(id, Pop { name, carrier, address });
        self.faults(fields.done());
    }

    /// A line of `site`; its id.
    pub(super) fn line(&mut self, file: &Arc<Path>, tree: &Tree, site: &str) -> Option<Id> {
        let mut fields = self.fields(file, tree, "a line")?;
        let id = self.identity(&mut fields, Kind::Line, "id", value::id);
        let owner = (Kind::Line, id.as_str());
        let line = Line {
            site: site.to_owned(),
            carrier: self.reference(&mut fields, owner, "carrier", Kind::Carrier, true).unwrap_or_default(),
            hand_off: self.reference(&mut fields, owner, "hand_off", Kind::HandOff, true).unwrap_or_default(),
            pop: self.reference(&mut fields, owner, "pop", Kind::Pop, false),
            first_hop: fields.optional("first_hop", value::address),
            circuit: self.circuit(&mut fields),
            mbps: fields.optional("mbps", value::count),
            role: fields.optional("role", |tree| one_of(tree, &ROLES)).unwrap_or(Role::Primary),
            contract: fields.optional("contract", value::text),
            medium: fields.optional("medium", |tree| one_of(tree, &MEDIA)),
            vlan: fields.optional("vlan", value::text),
            metered: fields.optional("metered", value::truth).unwrap_or(false),
            budget_mb: fields.optional("budget_mb", value::count),
            pin: Pin {
                collector: fields.optional("collector", value::address),
                source: fields.optional("source", value::address),
                interface: fields.optional("interface", value::interface_name),
            },
            gateway: self.ask(&mut fields, "gateway", format!("line/{id}")),
            seen_from: self.seen_from(file, &mut fields),
            ssid: None,
        };
        for key in ["gateway", "seen_from", "source", "interface", "budget_mb"] {
            self.stands(&fields, owner, key);
        }
        self.faults(fields.done());
        self.topology.lines.insert(id.clone(), line);
        Some(id).filter(|id| !id.is_empty())
    }

    fn circuit(&mut self, fields: &mut Fields<'_>) -> String {
        let circuit = fields.needed("circuit", value::text);
        if !circuit.is_empty() {
            self.claim(Kind::Circuit, &circuit, &fields.place_of("circuit"));
        }
        circuit
    }

    fn seen_from(&mut self, file: &Arc<Path>, fields: &mut Fields<'_>) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        for item in fields.list("seen_from") {
            match value::address(item) {
                Ok(address) => {
                    self.claim(Kind::SeenFrom, &address.to_string(), &item.place(file));
                    addresses.push(address);
                }
                Err(wrong) => self.fault(item.place(file).fault(format!("`seen_from`: {wrong}"))),
            }
        }
        addresses
    }

    /// A question of the core agent: `{probe: stamp, target: "10.82.16.1:862", every: 500ms, timeout: 700ms}`.
    fn ask(&mut self, fields: &mut Fields<'_>, key: &'static str, name: String) -> Option<Ask> {
        let probes: Take<ProbeKind> = match key {
            "our_port" => |tree| one_of(tree, &PORT_PROBES),
            _ => |tree| one_of(tree, &ASK_PROBES),
        };
        let mut inner = fields.table(key)?;
        let probe = inner.must("probe", probes);
        let target = inner.needed("target", value::text);
        let every = interval(&mut inner, ASK_EVERY);
        let timeout = patience(&mut inner, ASK_TIMEOUT);
        let (known, with) = (probe.is_some() && !target.is_empty(), With::default());
        let probe = probe.unwrap_or(ProbeKind::Stamp);
        let check = Check { id: None, name, probe, target, every, timeout, with };
        let wrong = match check.target.as_str() {
            "*" => Err(Wrong::target("asks about one interface; write its name, as in eth0")),
            word if word.starts_with('@') => {
                Err(Wrong::target("only an agent's own checks may ask `@…`; write the address"))
            }
            _ => Question::of(&check).map(drop),
        };
        if let Err(wrong) = wrong
            && known
        {
            misasked(&mut inner, &wrong);
        }
        let mut faults = inner.done();
        Draft::ask_once(&mut faults, &mut self.asked_by_core, &check, &fields.place_of(key));
        self.faults(faults);
        Some(Ask(check))
    }
}

/// `every`, within its bounds.
pub(super) fn interval(fields: &mut Fields<'_>, default: Span) -> Span {
    fields.optional("every", |tree| within(tree, EVERY)).unwrap_or(default)
}

/// `timeout`, within its bounds.
pub(super) fn patience(fields: &mut Fields<'_>, default: Span) -> Span {
    fields.optional("timeout", |tree| within(tree, TIMEOUT)).unwrap_or(default)
}

fn within(tree: &Tree, [least, most]: [Span; 2]) -> Result<Span, String> {
    let span = value::span(tree)?;
    if (least..=most).contains(&span) {
        return Ok(span);
    }
    Err(format!("`{span}` is out of range; write `{least}` to `{most}`"))
}
