//! One line of a sheet: the columns a carrier's contract fills.

use super::column::Column;
use super::gather::Gather;
use super::present::{Entry, meant};
use super::problem::Place;
use super::row::{Asked, Said, Spot};
use super::value;
use crate::topology::Id;
use haidang_daemon::yaml::unknown;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// A line as the sheet wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct WantedLine {
    /// Its row.
    pub place: Place,
    /// The circuit id.
    pub circuit: String,
    /// Where its role is said, or would be.
    pub role_at: Spot,
    /// The site's address on it.
    pub wan: Option<Said<Ipv4Addr>>,
    /// Where that is said, or would be.
    pub wan_at: Spot,
    /// Whether that cell is empty, not wrong.
    pub wan_is_empty: bool,
    /// Other keys of the record, as said.
    pub keys: BTreeMap<&'static str, Said<Value>>,
}

impl Gather<'_> {
    /// The line of a row, kept with its site.
    pub(super) fn line(&mut self, row: &Asked<'_>, site: usize) {
        let circuit =
            row.need(&mut self.problems, Column::Circuit, "the carrier's circuit id", value::circuit);
        let circuit = circuit.map(|said| said.value);
        if let Some(circuit) = &circuit {
            self.circuit_once(row, circuit);
        }
        let mut keys = self.keys(row);
        let carrier = self.carrier(row);
        if let Some(hand_off) = self.hand_off(row, carrier.as_ref(), circuit.as_deref()) {
            keys.insert("hand_off", hand_off);
        }
        if let Some(pop) = self.pop(row, carrier.as_ref()) {
            keys.insert("pop", pop);
        }
        keys.extend(carrier.map(|said| ("carrier", Said { value: json!(said.value), place: said.place })));
        let rehearsal = self.wanted.sites[site].keys.get("rehearsal");
        let rehearsal = rehearsal.is_some_and(|said| said.value == json!(true));
        let wan = row.take(&mut self.problems, Column::Wan, |cell| value::wan(cell, rehearsal));
        if let Some(wan) = &wan {
            self.address_once(row, wan.value);
        }
        let line = WantedLine {
            place: row.place(Column::Circuit),
            circuit: circuit.unwrap_or_default(),
            role_at: row.spot(Column::Role),
            wan,
            wan_at: row.spot(Column::Wan),
            wan_is_empty: row.cell(Column::Wan).is_none(),
            keys,
        };
        self.wanted.sites[site].lines.push(line);
    }

    fn circuit_once(&mut self, row: &Asked<'_>, circuit: &str) {
        let place = row.place(Column::Circuit);
        match self.circuits.get(circuit) {
            Some(first) => {
                let message = format!("circuit `{circuit}` stands in row {} already ({first})", first.row);
                self.error(row.problem(Column::Circuit, message));
            }
            None => _ = self.circuits.insert(circuit.to_owned(), place),
        }
    }

    fn address_once(&mut self, row: &Asked<'_>, address: Ipv4Addr) {
        let place = row.place(Column::Wan);
        match self.addresses.get(&address) {
            Some(first) => {
                let message =
                    format!("is the address of row {} already ({first}); each line has its own", first.row);
                self.error(row.problem(Column::Wan, message));
            }
            None => _ = self.addresses.insert(address, place),
        }
    }

    fn keys(&mut self, row: &Asked<'_>) -> BTreeMap<&'static str, Said<Value>> {
        let problems = &mut self.problems;
        if row.leaves_empty(Column::Contract) {
            let message = "is empty: a complaint to the carrier names the contract";
            problems.warnings.push(row.problem(Column::Contract, message));
        }
        let contract = row.take(problems, Column::Contract, |cell| value::text(cell).map(Value::from));
        let mbps = row.take(problems, Column::Mbps, |cell| value::mbps(cell).map(Value::from));
        let role = row.take(problems, Column::Role, |cell| value::role(cell).map(Value::from));
        let medium = row.take(problems, Column::Medium, |cell| value::medium(cell).map(Value::from));
        let vlan = row.take(problems, Column::Vlan, |cell| value::vlan(cell).map(Value::from));
        let said =
            [("contract", contract), ("mbps", mbps), ("role", role), ("medium", medium), ("vlan", vlan)];
        said.into_iter().filter_map(|(key, said)| Some((key, said?))).collect()
    }

    fn carrier(&mut self, row: &Asked<'_>) -> Option<Said<Id>> {
        let said = row.need(&mut self.problems, Column::Carrier, "the carrier", value::text)?;
        if let Some(id) = meant(&self.present.carriers, &said.value) {
            return Some(Said { value: id.clone(), place: said.place });
        }
        let message = unknown("carrier", &said.value, names(&self.present.carriers));
        self.error(row.problem(Column::Carrier, message));
        None
    }

    /// The hand-off said; else the one the line has, or the carrier's only one.
    fn hand_off(
        &mut self,
        row: &Asked<'_>,
        carrier: Option<&Said<Id>>,
        circuit: Option<&str>,
    ) -> Option<Said<Value>> {
        let said = row.take(&mut self.problems, Column::HandOff, value::text);
        let carrier = carrier?;
        let present = self.present;
        let of_carrier: BTreeMap<Id, Entry> = present
            .hand_offs
            .iter()
            .filter(|(_, port)| port.text("carrier") == Some(&carrier.value))
            .map(|(id, port)| (id.clone(), port.clone()))
            .collect();
        if let Some(said) = said {
            if let Some(id) = meant(&of_carrier, &said.value) {
                return Some(Said { value: json!(id), place: said.place });
            }
            let what = format!("hand-off of {}", carrier.value);
            let message = unknown(&what, &said.value, of_carrier.keys().map(String::as_str));
            self.error(row.problem(Column::HandOff, message));
            return None;
        }
        let stands = circuit
            .and_then(|circuit| present.line_of(circuit))
            .and_then(|(_, _, line)| line.get("hand_off"));
        if stands.and_then(Value::as_str).is_some_and(|port| of_carrier.contains_key(port)) {
            return None;
        }
        let mut ports = of_carrier.keys();
        let message = match (ports.next(), ports.next()) {
            (Some(only), None) => return Some(Said { value: json!(only), place: carrier.place.clone() }),
            (None, _) => format!(
                "carrier `{}` has no hand-off in the configuration; write one under `hand_offs:`",
                carrier.value
            ),
            (Some(one), Some(_)) => format!(
                "carrier `{}` has {} hand-offs; say which in a column `{}`, as in `{one}`",
                carrier.value,
                of_carrier.len(),
                Column::HandOff.title()
            ),
        };
        if row.cell(Column::HandOff).is_none() {
            self.error(row.problem(Column::Carrier, message));
        }
        None
    }

    fn pop(&mut self, row: &Asked<'_>, carrier: Option<&Said<Id>>) -> Option<Said<Value>> {
        let said = row.take(&mut self.problems, Column::Pop, value::text)?;
        let carrier = carrier?;
        let of_carrier: BTreeMap<Id, Entry> = self
            .present
            .pops
            .iter()
            .filter(|(_, pop)| pop.text("carrier") == Some(&carrier.value))
            .map(|(id, pop)| (id.clone(), pop.clone()))
            .collect();
        if let Some(id) = meant(&of_carrier, &said.value) {
            return Some(Said { value: json!(id), place: said.place });
        }
        let what = format!("POP of {}", carrier.value);
        let message = unknown(&what, &said.value, names(&of_carrier));
        self.error(row.problem(Column::Pop, format!("{message}; a new one is written under `pops:` first")));
        None
    }
}

/// What entries are called: their names, and the ids of those that have none.
fn names(entries: &BTreeMap<Id, Entry>) -> impl Iterator<Item = &str> {
    entries.iter().map(|(id, entry)| entry.text("name").unwrap_or(id))
}
