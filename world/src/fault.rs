//! What can be broken, in the words of the person who breaks it, and what each fault silences.
//!
//! ```text
//! cut COMMUNE             every line of every site of the commune
//! cut COMMUNE:primary     its primary lines                        (or :backup)
//! pop POP                 every line on the POP, recorded or not
//! carrier CARRIER         its cores, its ports and all its lines; our ports answer
//! hand-off CARRIER        our ports to it and everything behind them (or the id of one hand-off)
//! ```
//!
//! A commune is named by its code, or by its name with or without diacritics. Whatever is silent is silent both
//! ways: liveness, batches, and the gateway's reflector.

use crate::map::{Map, Part};
use haidang_collector::topology::{Id, Role};
use haidang_daemon::yaml;
use std::collections::BTreeSet;

/// First words of an order.
const VERBS: [&str; 4] = ["cut", "pop", "carrier", "hand-off"];
/// What may follow the colon of a cut.
const ROLES: [&str; 2] = ["primary", "backup"];

/// One fault: how it is called and what it silences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its one spelling, `cut 28249:primary`.
    pub text: String,
    /// What falls silent; never empty.
    pub parts: BTreeSet<Part>,
}

impl Fault {
    /// Reads a fault against the map.
    ///
    /// # Errors
    /// What is wrong and the nearest right word, for a person.
    pub fn parse(text: &str, map: &Map) -> Result<Fault, String> {
        let text = text.trim();
        let (verb, what) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let what = what.trim();
        if !VERBS.contains(&verb) {
            return Err(yaml::unknown("fault", verb, VERBS));
        }
        if what.is_empty() {
            return Err(format!("`{verb}` of what? {}", usage(verb)));
        }
        match verb {
            "cut" => cut(what, map),
            "pop" => pop(what, map),
            "carrier" => carrier(what, map),
            _ => hand_off(what, map),
        }
    }
}

fn usage(verb: &str) -> &'static str {
    match verb {
        "cut" => "write the commune's code or name, as in `cut 28249` or `cut 28249:primary`",
        "pop" => "write the POP's id",
        _ => "write the carrier's id",
    }
}

fn cut(what: &str, map: &Map) -> Result<Fault, String> {
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
    let text = role.map_or(format!("cut {code}"), |role| format!("cut {code}:{role}"));
    Ok(Fault { text, parts: lines.into_iter().map(Part::Line).collect() })
}

/// The code of a commune named by code or name.
fn commune(name: &str, map: &Map) -> Result<Id, String> {
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

fn pop(id: &str, map: &Map) -> Result<Fault, String> {
    let pop =
        map.pops.get(id).ok_or_else(|| yaml::unknown("POP", id, map.pops.keys().map(String::as_str)))?;
    let lines = map.lines(|line, _| pop.lines.contains(line));
    if lines.is_empty() {
        return Err(format!("no line hangs on POP {id}"));
    }
    Ok(Fault { text: format!("pop {id}"), parts: lines.into_iter().map(Part::Line).collect() })
}

fn carrier(id: &str, map: &Map) -> Result<Fault, String> {
    let carriers = &map.topology.carriers;
    if !carriers.contains_key(id) {
        return Err(yaml::unknown("carrier", id, carriers.keys().map(String::as_str)));
    }
    let mut parts: BTreeSet<Part> =
        map.lines(|_, line| line.carrier == id).into_iter().map(Part::Line).collect();
    let ports = map.topology.hand_offs.iter().filter(|(_, port)| port.carrier == id);
    parts.extend(ports.map(|(port, _)| Part::CarrierPort(port.clone())));
    parts.insert(Part::Core(id.to_owned()));
    Ok(Fault { text: format!("carrier {id}"), parts })
}

fn hand_off(name: &str, map: &Map) -> Result<Fault, String> {
    let all = &map.topology.hand_offs;
    let cut: BTreeSet<&Id> =
        all.iter().filter(|(id, port)| *id == name || port.carrier == name).map(|(id, _)| id).collect();
    let Some(carrier) = cut.first().map(|id| &all[*id].carrier) else {
        let known = map.topology.carriers.keys().chain(all.keys()).map(String::as_str);
        return Err(yaml::unknown("hand-off", name, known));
    };
    let mut parts: BTreeSet<Part> =
        map.lines(|_, line| cut.contains(&line.hand_off)).into_iter().map(Part::Line).collect();
    for &id in &cut {
        parts.extend([Part::OurPort(id.clone()), Part::CarrierPort(id.clone())]);
    }
    // By another hand-off the core is still there.
    if all.iter().all(|(id, port)| port.carrier != *carrier || cut.contains(id)) {
        parts.insert(Part::Core(carrier.clone()));
    }
    Ok(Fault { text: format!("hand-off {name}"), parts })
}

/// Lower case without diacritics, spaces and hyphens: how one types a Vietnamese name on any keyboard.
pub fn plain(name: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::tests::map;

    fn silenced(text: &str) -> Vec<String> {
        let fault = Fault::parse(text, &map()).unwrap();
        let name = |part: &Part| match part {
            Part::Line(id) => id.clone(),
            Part::OurPort(id) => format!("ours {id}"),
            Part::CarrierPort(id) => format!("theirs {id}"),
            Part::Core(id) => format!("core {id}"),
        };
        fault.parts.iter().map(name).collect()
    }

    #[test]
    fn a_cut_commune_loses_the_lines_of_both_carriers() {
        assert_eq!(silenced("cut 28250"), ["28250-1", "28250-2"]);
        assert_eq!(silenced("cut 28250:primary"), ["28250-1"]);
        assert_eq!(silenced("cut 28250:backup"), ["28250-2"]);
    }

    #[test]
    fn a_pop_takes_its_lines_whether_anybody_recorded_it() {
        assert_eq!(silenced("pop cai-be"), ["28249-1"]);
        assert_eq!(silenced("pop an"), ["28250-1", "28252-1"]);
    }

    #[test]
    fn a_silent_carrier_leaves_our_port_answering() {
        assert_eq!(silenced("carrier vnpt"), ["28249-1", "28250-1", "28252-1", "theirs vnpt-1", "core vnpt"]);
    }

    #[test]
    fn a_hand_off_takes_our_port_and_everything_behind_it() {
        let whole = ["28249-1", "28250-1", "28252-1", "ours vnpt-1", "theirs vnpt-1", "core vnpt"];
        assert_eq!(silenced("hand-off vnpt"), whole);
        assert_eq!(silenced("hand-off vnpt-1"), whole, "the only way to the core");
    }

    #[test]
    fn a_core_with_a_second_hand_off_lives() {
        let mut map = map();
        let second = map.topology.hand_offs["vnpt-1"].clone();
        map.topology.hand_offs.insert("vnpt-2".into(), second);
        assert!(!Fault::parse("hand-off vnpt-1", &map).unwrap().parts.contains(&Part::Core("vnpt".into())));
        assert!(Fault::parse("hand-off vnpt", &map).unwrap().parts.contains(&Part::Core("vnpt".into())));
    }

    #[test]
    fn a_commune_goes_by_its_name_on_any_keyboard() {
        for name in ["28249", "Đạo Thạnh", "dao thanh", "DAO-THANH", "đạo thạnh", "Đa\u{323}o Tha\u{323}nh"]
        {
            assert_eq!(
                Fault::parse(&format!("cut {name}:primary"), &map()).unwrap().text,
                "cut 28249:primary"
            );
        }
    }

    #[test]
    fn a_name_of_two_communes_asks_for_the_code() {
        let mut map = map();
        let twin = map.topology.communes["28249"].clone();
        map.topology.communes.insert("28999".into(), twin);
        let wrong = Fault::parse("cut dao thanh", &map).unwrap_err();
        assert!(wrong.contains("28249") && wrong.contains("28999"), "{wrong}");
    }

    #[test]
    fn a_wrong_word_gets_the_nearest_right_one() {
        for (text, expected) in [
            ("cat 28249", "unknown fault `cat`; did you mean `cut`?"),
            ("cut", "`cut` of what? write the commune's code or name"),
            ("cut 28248", "unknown commune `28248`; did you mean `28249`?"),
            ("cut dao than", "unknown commune `daothan`; did you mean `daothanh`?"),
            ("cut 28250:primry", "unknown role `primry`; did you mean `primary`?"),
            ("cut 28249:backup", "commune 28249 has no backup line to cut"),
            ("pop caibe", "unknown POP `caibe`; did you mean `cai-be`?"),
            ("carrier vnp", "unknown carrier `vnp`; did you mean `vnpt`?"),
            ("hand-off vietel", "unknown hand-off `vietel`; did you mean `viettel`?"),
        ] {
            let wrong = Fault::parse(text, &map()).unwrap_err();
            assert!(wrong.starts_with(expected), "{wrong}");
        }
    }
}
