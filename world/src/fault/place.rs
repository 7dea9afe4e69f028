//! Where a fault strikes: the words of the person who names a place, and the parts and sites they mean.

use super::effects::Effects;
use crate::map::{Map, Part};
use crate::switches::Power;
use haidang_collector::topology::{Id, Observe, Role, Site, Supply};
use haidang_daemon::yaml;
use std::collections::BTreeSet;

/// What may follow the colon of a commune.
const ROLES: [&str; 2] = ["primary", "backup"];

/// The code of a commune named by code or name.
pub(super) fn commune(name: &str, map: &Map) -> Result<Id, String> {
    let communes = &map.topology.communes;
    if communes.contains_key(name) {
        return Ok(name.to_owned());
    }
    let plain = plain(name);
    let named: Vec<&Id> =
        communes.iter().filter(|(_, it)| self::plain(&it.name) == plain).map(|(code, _)| code).collect();
    match named[..] {
        [code] => Ok(code.clone()),
        [] => {
            let words: Vec<String> = if plain.starts_with(|c: char| c.is_ascii_digit()) {
                communes.keys().cloned().collect()
            } else {
                communes.values().map(|it| self::plain(&it.name)).collect()
            };
            let word = if words.contains(&plain) { name } else { &plain };
            Err(yaml::unknown("commune", word, words.iter().map(String::as_str)))
        }
        _ => {
            Err(format!("`{name}` is the name of {} communes; write one of the codes {named:?}", named.len()))
        }
    }
}

/// The lines of a commune, or those of one role (`28249:backup`), and how the place is spelt.
pub(super) fn commune_lines(what: &str, map: &Map) -> Result<(String, BTreeSet<Id>), String> {
    let (name, role) = what.split_once(':').map_or((what, None), |(name, role)| (name, Some(role.trim())));
    let wanted = match role {
        None => None,
        Some("primary") => Some(Role::Primary),
        Some("backup") => Some(Role::Backup),
        Some(other) => return Err(yaml::unknown("role", other, ROLES)),
    };
    let code = commune(name.trim(), map)?;
    let lies_in =
        |site: &Id| map.topology.sites.get(site).is_some_and(|site| site.commune.as_ref() == Some(&code));
    let lines = map.lines(|_, line| lies_in(&line.site) && wanted.is_none_or(|role| line.role == role));
    if lines.is_empty() {
        let which = role.map_or(String::new(), |role| format!("{role} "));
        return Err(format!("commune {code} has no {which}line to cut"));
    }
    let spelt = role.map_or(code.clone(), |role| format!("{code}:{role}"));
    Ok((spelt, lines))
}

/// One line by its id, or the lines of a commune.
pub(super) fn lines(what: &str, map: &Map) -> Result<(String, BTreeSet<Id>), String> {
    let one = map.lines(|id, _| id == what);
    if one.is_empty() { commune_lines(what, map) } else { Ok((what.to_owned(), one)) }
}

/// The simulated sites of a site's id, a commune, an area or a feeder; the first of these that bears the name.
pub(super) fn sites(what: &str, wide: bool, map: &Map) -> Result<(String, BTreeSet<Id>), String> {
    let topology = &map.topology;
    let (spelt, found) = if topology.sites.contains_key(what) {
        (what.to_owned(), map.sites(|id, _| id == what))
    } else if wide && topology.areas.contains_key(what) {
        let area = |code: &Id| topology.communes.get(code)?.area.clone();
        let lies_in = |site: &Site| site.commune.as_ref().and_then(area).as_deref() == Some(what);
        (what.to_owned(), map.sites(|_, site| lies_in(site)))
    } else if wide && topology.feeders.contains_key(what) {
        (what.to_owned(), map.sites(|_, site| site.feeder.as_deref() == Some(what)))
    } else {
        let code = commune(what, map).map_err(|wrong| nearest(what, wide, map).unwrap_or(wrong))?;
        let found = map.sites(|_, site| site.commune.as_ref() == Some(&code));
        (code, found)
    };
    if found.is_empty() {
        return Err(format!("no simulated site belongs to `{spelt}`"));
    }
    Ok((spelt, found))
}

/// The nearest name among sites, areas and feeders, where one is near.
fn nearest(what: &str, wide: bool, map: &Map) -> Option<String> {
    let topology = &map.topology;
    let wider = topology.areas.keys().chain(topology.feeders.keys()).filter(|_| wide);
    let words = topology.sites.keys().chain(wider).map(String::as_str);
    let kind = if wide { "site, commune, area or feeder" } else { "site or commune" };
    let told = yaml::unknown(kind, what, words);
    told.contains("did you mean").then_some(told)
}

/// These sites with no more power than `left`, and their lines silent.
pub fn dark<'a>(sites: impl IntoIterator<Item = &'a Id>, left: Power, map: &Map) -> Effects {
    let sites: BTreeSet<&Id> = sites.into_iter().collect();
    let lines = map.lines(|_, line| sites.contains(&line.site));
    let mut effects = Effects::silent(lines.into_iter().map(Part::Line));
    effects.dark = sites.into_iter().map(|site| (site.clone(), left)).collect();
    effects
}

/// What the mains leave to a site when they fail: the agent's box, where it stands behind the gateway on a battery.
pub fn left(site: &Id, map: &Map) -> Power {
    let boxed = |it: &Site| it.observe == Observe::BoxBehind && it.power.agent == Some(Supply::Ups);
    if map.topology.sites.get(site).is_some_and(boxed) { Power::BoxAlone } else { Power::Off }
}

/// Lower case without diacritics, spaces and hyphens: how one types a Vietnamese name on any keyboard.
fn plain(name: &str) -> String {
    name.to_lowercase().chars().filter(|c| c.is_alphanumeric()).map(bare).filter(|c| !is_mark(*c)).collect()
}

/// Combining diacritical marks, in text that was decomposed.
fn is_mark(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

fn bare(c: char) -> char {
    const BASES: [(char, &str); 7] = [
        ('a', "àáảãạăằắẳẵặâầấẩẫậ"),
        ('d', "đ"),
        ('e', "èéẻẽẹêềếểễệ"),
        ('i', "ìíỉĩị"),
        ('o', "òóỏõọôồốổỗộơờớởỡợ"),
        ('u', "ùúủũụưừứửữự"),
        ('y', "ỳýỷỹỵ"),
    ];
    BASES.iter().find(|(_, marked)| marked.contains(c)).map_or(c, |(base, _)| *base)
}
