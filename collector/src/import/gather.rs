//! Rows become the sites and lines a sheet wants: who belongs to whom, and what is wrong, in one pass over all rows.
//!
//! ```text
//! row ─▶ commune (empty: as in the row above) ─▶ site (empty with it: the site above) ─▶ line
//! ```
//!
//! A merged cell holds its value in its first row alone: so a row that leaves commune and site empty is one more line
//! of the site above it. Reading goes on behind every error; what has an error is never applied.

use super::column::Column;
use super::header::Header;
use super::line::WantedLine;
use super::official::Communes;
use super::present::{Present, meant};
use super::problem::{Place, Problem, Problems};
use super::row::{Asked, Said};
use super::sheet::Sheet;
use super::text::{fold, slug};
use super::{hours, value};
use crate::topology::Id;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// A site as the sheet wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct WantedSite {
    /// Its id, where the sheet says one.
    pub id: Option<Id>,
    /// Commune; empty after an error.
    pub commune: Id,
    /// Name.
    pub name: String,
    /// The row that names it first.
    pub place: Place,
    /// Other keys of the record, as said.
    pub keys: BTreeMap<&'static str, Said<Value>>,
    /// Its lines, in the sheet's order.
    pub lines: Vec<WantedLine>,
}

/// All a sheet wants.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// Sites, in the sheet's order.
    pub sites: Vec<WantedSite>,
    /// Names of areas by id.
    pub areas: BTreeMap<Id, String>,
    /// Area of a commune.
    pub area_of: BTreeMap<Id, Said<Id>>,
}

/// Rows while they are read.
pub struct Gather<'p> {
    pub(super) present: &'p Present,
    pub(super) communes: &'p Communes,
    pub(super) problems: Problems,
    pub(super) wanted: Wanted,
    /// Where each circuit stands first.
    pub(super) circuits: BTreeMap<String, Place>,
    /// Where each WAN address stands first.
    pub(super) addresses: BTreeMap<Ipv4Addr, Place>,
    by_id: BTreeMap<Id, usize>,
    by_name: BTreeMap<(Id, String), usize>,
    contents: BTreeMap<Vec<String>, Place>,
    /// Commune and site of the row above.
    above: Option<(Id, usize)>,
}

impl<'p> Gather<'p> {
    /// Nothing read yet.
    pub fn new(present: &'p Present, communes: &'p Communes, problems: Problems) -> Gather<'p> {
        Gather {
            present,
            communes,
            problems,
            wanted: Wanted::default(),
            circuits: BTreeMap::new(),
            addresses: BTreeMap::new(),
            by_id: BTreeMap::new(),
            by_name: BTreeMap::new(),
            contents: BTreeMap::new(),
            above: None,
        }
    }

    /// Reads the rows below a heading.
    pub fn sheet(&mut self, sheet: &Sheet, header: &Header) {
        self.above = None;
        for row in sheet.rows.iter().filter(|row| row.number > header.row) {
            self.row(&Asked { sheet, header, row });
        }
    }

    /// What was read, checked as a whole.
    pub fn finish(mut self) -> (Wanted, Problems) {
        self.whole_sites();
        self.problems.sort();
        (self.wanted, self.problems)
    }

    pub(super) fn error(&mut self, problem: Problem) {
        self.problems.errors.push(problem);
    }

    fn row(&mut self, row: &Asked<'_>) {
        if row.is_title() {
            let message = "holds one cell alone and is taken for a title; it is left out";
            self.problems.warnings.push(Problem::of_row(row.place(Column::Circuit), message));
            return;
        }
        let content = row.content();
        if content.iter().all(|cell| cell == "None") {
            return;
        }
        if let Some(first) = self.contents.get(&content) {
            let message = format!("the row repeats row {} in every column; delete one of them", first.row);
            return self.error(Problem::of_row(row.place(Column::Circuit), message));
        }
        self.contents.insert(content, row.place(Column::Circuit));
        let commune = self.commune(row).unwrap_or_default();
        self.area(row, &commune);
        let site = self.site(row, &commune);
        self.site_keys(row, site);
        self.above = Some((commune, site));
        self.line(row, site);
    }

    fn commune(&mut self, row: &Asked<'_>) -> Option<Id> {
        let code = row.take(&mut self.problems, Column::CommuneCode, value::code);
        let name = row.take(&mut self.problems, Column::Commune, value::text);
        let (code, name) = (code.map(|said| said.value), name.map(|said| said.value));
        match (&code, &name) {
            (Some(code), name) => self.by_code(row, code, name.as_deref()),
            (None, Some(name)) if row.cell(Column::CommuneCode).is_none() => self.by_commune_name(row, name),
            (None, None) if says_no_commune(row) => {
                if self.above.is_none() {
                    let column = if row.header.column(Column::CommuneCode).is_some() {
                        Column::CommuneCode
                    } else {
                        Column::Commune
                    };
                    self.error(row.problem(column, "is empty, and no row above says the commune"));
                }
                self.above.as_ref().map(|(commune, _)| commune.clone())
            }
            // The code or the name is wrong in itself, and told.
            _ => None,
        }
    }

    fn by_code(&mut self, row: &Asked<'_>, code: &str, name: Option<&str>) -> Option<Id> {
        let Some(known) = self.communes.get(code) else {
            self.error(row.problem(Column::CommuneCode, self.communes.unknown(code, name)));
            return None;
        };
        if let Some((day, successor)) = &known.ended {
            let next =
                successor.as_ref().map_or(String::new(), |next| format!("; its successor is `{next}`"));
            let message = format!("commune `{code}`, {}, ended on {day}{next}", known.full());
            self.error(row.problem(Column::CommuneCode, message));
            return None;
        }
        if let Some(name) = name.filter(|name| !known.is_called(name)) {
            let other =
                self.communes.named(name).map_or(String::new(), |other| format!("; `{name}` is `{other}`"));
            let message = format!("commune `{code}` is {}, not `{name}`{other}", known.full());
            self.error(row.problem(Column::Commune, message));
        }
        Some(code.to_owned())
    }

    /// A name alone does while it means one commune of the province.
    fn by_commune_name(&mut self, row: &Asked<'_>, name: &str) -> Option<Id> {
        if let Some(code) = self.communes.named(name) {
            return Some(code.clone());
        }
        let message = match self.communes.near(name) {
            Some((code, known)) if known.is_called(name) => {
                format!("more than one commune is called `{name}`; write the code, such as `{code}`")
            }
            Some((code, known)) => {
                format!("no commune is called `{name}`; did you mean {} (`{code}`)?", known.full())
            }
            None => format!("no commune of the province is called `{name}`; write its code"),
        };
        self.error(row.problem(Column::Commune, message));
        None
    }

    fn area(&mut self, row: &Asked<'_>, commune: &str) {
        let Some(Said { value: name, place }) = row.take(&mut self.problems, Column::Area, value::text)
        else {
            return;
        };
        let id = match meant(&self.present.areas, &name) {
            Some(id) => id.clone(),
            None => slug(&name),
        };
        if id.is_empty() {
            return self
                .error(row.problem(Column::Area, format!("`{name}` holds no letter an id could have")));
        }
        if commune.is_empty() {
            return;
        }
        match self.wanted.area_of.get(commune) {
            Some(first) if first.value != id => {
                let message = format!("commune `{commune}` is in another area in {}", first.place.cell());
                self.error(row.problem(Column::Area, message));
            }
            Some(_) => {}
            None => _ = self.wanted.area_of.insert(commune.to_owned(), Said { value: id.clone(), place }),
        }
        self.wanted.areas.entry(id).or_insert(name);
    }

    /// The site of a row, by its place among the wanted. After an error it is one of its own, so that what is wrong
    /// is told once and no other site is blamed for it.
    fn site(&mut self, row: &Asked<'_>, commune: &str) -> usize {
        let id = row.take(&mut self.problems, Column::SiteId, value::id).map(|said| said.value);
        let name = row.take(&mut self.problems, Column::Site, value::text).map(|said| said.value);
        if says_no_site(row)
            && says_no_commune(row)
            && let Some((_, above)) = self.above
        {
            return above;
        }
        if let Some(&site) = id.as_ref().and_then(|id| self.by_id.get(id)) {
            if self.same_commune(row, site, commune) {
                self.same_name(row, site, name.as_deref());
                return site;
            }
            return self.new_site(row, commune, name.unwrap_or_default());
        }
        if row.leaves_empty(Column::Site) {
            self.error(row.problem(Column::Site, "is empty; write the site's name"));
        }
        let Some(name) = name.filter(|_| !commune.is_empty()) else {
            return self.new_site(row, commune, String::new());
        };
        let key = (commune.to_owned(), fold(&name));
        let known = self.by_name.get(&key).copied();
        let known = known.filter(|site| id.is_none() || self.wanted.sites[*site].id.is_none());
        let site = known.unwrap_or_else(|| self.new_site(row, commune, name));
        self.by_name.entry(key).or_insert(site);
        if let Some(id) = id {
            self.by_id.insert(id.clone(), site);
            self.wanted.sites[site].id = Some(id);
        }
        site
    }

    fn new_site(&mut self, row: &Asked<'_>, commune: &str, name: String) -> usize {
        let (commune, place) = (commune.to_owned(), row.place(Column::Site));
        let (keys, lines) = (BTreeMap::new(), Vec::new());
        self.wanted.sites.push(WantedSite { id: None, commune, name, place, keys, lines });
        self.wanted.sites.len() - 1
    }

    fn same_commune(&mut self, row: &Asked<'_>, site: usize, commune: &str) -> bool {
        let first = &self.wanted.sites[site];
        if commune.is_empty() || first.commune.is_empty() || first.commune == commune {
            return true;
        }
        let id = first.id.as_deref().unwrap_or_default();
        let message = format!(
            "site `{id}` lies in commune `{}` in row {}, and in `{commune}` here; a site has one",
            first.commune, first.place.row
        );
        self.error(row.problem(Column::SiteId, message));
        false
    }

    fn same_name(&mut self, row: &Asked<'_>, site: usize, name: Option<&str>) {
        let first = &self.wanted.sites[site];
        if let Some(name) = name
            && fold(name) != fold(&first.name)
        {
            let message = format!("the same site is called `{}` in {}", first.name, first.place.cell());
            self.error(row.problem(Column::Site, message));
        }
    }

    fn site_keys(&mut self, row: &Asked<'_>, site: usize) {
        let problems = &mut self.problems;
        let text = |said: Said<String>| Said { value: json!(said.value), place: said.place };
        let address = row.take(problems, Column::Address, value::text).map(text);
        let observe = row.take(problems, Column::Observe, value::observe);
        let observe = observe.map(|said| Said { value: json!(said.value), place: said.place });
        let rehearsal = row.take(problems, Column::Rehearsal, value::truth);
        let rehearsal = rehearsal.map(|said| Said { value: json!(said.value), place: said.place });
        let hours = row.take(problems, Column::Hours, hours::hours);
        let hours = hours.map(|said| Said {
            value: json!({ "days": said.value.days, "spans": said.value.spans }),
            place: said.place,
        });
        let contact = person(row, problems, Column::Contact, Column::Phone);
        let key_holder = person(row, problems, Column::KeyHolder, Column::KeyPhone);
        let keys = [
            ("address", Column::Address, address),
            ("observe", Column::Observe, observe),
            ("rehearsal", Column::Rehearsal, rehearsal),
            ("hours", Column::Hours, hours),
            ("contact", Column::Contact, contact),
            ("key_holder", Column::KeyHolder, key_holder),
        ];
        for (key, column, said) in keys {
            let Some(said) = said else { continue };
            match self.wanted.sites[site].keys.get(key) {
                Some(first) if first.value != said.value => {
                    let message = format!("says something else of the same site than {}", first.place.cell());
                    self.error(row.problem(column, message));
                }
                Some(_) => {}
                None => _ = self.wanted.sites[site].keys.insert(key, said),
            }
        }
    }
}

fn says_no_commune(row: &Asked<'_>) -> bool {
    row.cell(Column::CommuneCode).is_none() && row.cell(Column::Commune).is_none()
}

fn says_no_site(row: &Asked<'_>) -> bool {
    row.cell(Column::SiteId).is_none() && row.cell(Column::Site).is_none()
}

/// A name and telephone; one without the other is nobody to call, and left out.
fn person(row: &Asked<'_>, problems: &mut Problems, name: Column, phone: Column) -> Option<Said<Value>> {
    let named = row.take(problems, name, value::text);
    let number = row.take(problems, phone, value::phone);
    let lacks = |column, what: &str| {
        row.leaves_empty(column).then(|| row.problem(column, format!("is empty: {what}; nobody is recorded")))
    };
    match (named, number) {
        (Some(named), Some(number)) => {
            let value = json!({ "name": named.value, "phone": number.value });
            return Some(Said { value, place: named.place });
        }
        (Some(_), None) => problems.warnings.extend(lacks(phone, "a name without a telephone")),
        (None, Some(_)) => problems.warnings.extend(lacks(name, "a telephone without a name")),
        (None, None) => {}
    }
    None
}
