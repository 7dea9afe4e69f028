//! What can be broken, in the words of the person who breaks it, and what each fault does.
//!
//! ```text
//! cut COMMUNE             every line of every site of the commune
//! cut COMMUNE:primary     its primary lines                        (or :backup)
//! pop POP                 every line on the POP, recorded or not
//! carrier CARRIER         its cores, its ports and all its lines; our ports answer
//! hand-off CARRIER        our ports to it and everything behind them (or the id of one hand-off)
//!
//! power PLACE             a site, commune, area or feeder without mains; an agent's box on a battery lives
//! off SITE                the office, or all of a commune, is switched off, its agent's box too
//! brownout LINE PERCENT   a line, or all of a commune, loses so many packets each way
//! flap COMMUNE UP DOWN [TIMES]    its lines go and come, seconds
//! service SERVICE         its check fails at every simulated agent
//! clock SITE SECONDS      the clock of its agent is so far ahead (behind, when negative)
//! background [PER_MONTH]  single sites fall silent at random, for seconds to an hour
//! ```
//!
//! A commune is named by its code, or by its name with or without diacritics. Whatever is silent is silent both
//! ways: liveness, batches, and the gateway's reflector. Batches get through a brownout: TCP repeats what is lost.

pub mod effects;
mod kinds;
pub mod place;

use crate::map::{Map, Part};
use effects::{Course, Effects, Plot};
use haidang_collector::topology::Id;
use haidang_daemon::yaml;
use std::collections::BTreeSet;

/// First words of an order.
const VERBS: [&str; 11] = [
    "cut",
    "pop",
    "carrier",
    "hand-off",
    "power",
    "off",
    "brownout",
    "flap",
    "service",
    "clock",
    "background",
];

/// One fault: how it is called and what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What tells it from others: its first word and its place, `flap 28249`. A second one of the same name takes
    /// its place.
    pub name: String,
    /// Its one spelling, `flap 28249 60 30`.
    pub text: String,
    /// What becomes of what it strikes, for an answer: `silent`; a whole sentence where it strikes nothing itself.
    pub fate: String,
    /// What it does.
    pub plot: Plot,
}

impl Fault {
    /// Reads a fault against the map.
    ///
    /// # Errors
    /// What is wrong and the nearest right word, for a person.
    pub fn parse(text: &str, map: &Map) -> Result<Fault, String> {
        let (verb, what) = split(text)?;
        let (what, numbers) = kinds::numbers(verb, what);
        kinds::count(verb, &numbers)?;
        read(verb, &what, &numbers, map)
    }

    /// The name of the fault that `text` means; its numbers may be left out.
    ///
    /// # Errors
    /// As of [`Fault::parse`].
    pub fn name(text: &str, map: &Map) -> Result<String, String> {
        let (verb, what) = split(text)?;
        let (what, _) = kinds::numbers(verb, what);
        Ok(read(verb, &what, kinds::ANY, map)?.name)
    }

    fn silence(name: String, parts: impl IntoIterator<Item = Part>) -> Fault {
        Fault::steady(name, "silent", Effects::silent(parts))
    }

    fn steady(name: String, fate: &str, effects: Effects) -> Fault {
        let plot = Plot::at_once(effects, Course::Steady);
        Fault { text: name.clone(), name, fate: fate.into(), plot }
    }
}

/// The first word, which must be known, and the rest.
fn split(text: &str) -> Result<(&str, &str), String> {
    let text = text.trim();
    let (verb, what) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let what = what.trim();
    if !VERBS.contains(&verb) {
        return Err(yaml::unknown("fault", verb, VERBS));
    }
    if what.is_empty() && verb != "background" {
        return Err(format!("`{verb}` of what? {}", usage(verb)));
    }
    Ok((verb, what))
}

fn read(verb: &str, what: &str, numbers: &[f64], map: &Map) -> Result<Fault, String> {
    match verb {
        "cut" => cut(what, map),
        "pop" => pop(what, map),
        "carrier" => carrier(what, map),
        "hand-off" => hand_off(what, map),
        "power" => kinds::power(what, map),
        "off" => kinds::off(what, map),
        "brownout" => kinds::brownout(what, numbers, map),
        "flap" => kinds::flap(what, numbers, map),
        "service" => kinds::service(what, map),
        "clock" => kinds::clock(what, numbers, map),
        _ => kinds::background(what, numbers),
    }
}

fn usage(verb: &str) -> &'static str {
    match verb {
        "cut" => "write the commune's code or name, as in `cut 28249` or `cut 28249:primary`",
        "pop" => "write the POP's id",
        "power" => "write a site, commune, area or feeder, as in `power 28249-tt`",
        "off" => "write a site or commune, as in `off 28249-tt`",
        "brownout" => "write a line or commune and a percentage, as in `brownout 28249 30`",
        "flap" => {
            "write a commune, seconds up and seconds down, as in `flap 28249 60 30` or `flap 28249 60 30 5`"
        }
        "service" => "write the service's id",
        "clock" => "write a site and seconds, as in `clock 28249-tt -3600`",
        "background" => "write how many in a month, as in `background 300`, or nothing",
        _ => "write the carrier's id",
    }
}

fn cut(what: &str, map: &Map) -> Result<Fault, String> {
    let (place, lines) = place::commune_lines(what, map)?;
    Ok(Fault::silence(format!("cut {place}"), lines.into_iter().map(Part::Line)))
}

fn pop(id: &str, map: &Map) -> Result<Fault, String> {
    let pop =
        map.pops.get(id).ok_or_else(|| yaml::unknown("POP", id, map.pops.keys().map(String::as_str)))?;
    let lines = map.lines(|line, _| pop.lines.contains(line));
    if lines.is_empty() {
        return Err(format!("no line hangs on POP {id}"));
    }
    Ok(Fault::silence(format!("pop {id}"), lines.into_iter().map(Part::Line)))
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
    Ok(Fault::silence(format!("carrier {id}"), parts))
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
    Ok(Fault::silence(format!("hand-off {name}"), parts))
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
        fault.plot.worst().lost.keys().map(name).collect()
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
        let core = Part::Core("vnpt".into());
        assert!(!Fault::parse("hand-off vnpt-1", &map).unwrap().plot.worst().lost.contains_key(&core));
        assert!(Fault::parse("hand-off vnpt", &map).unwrap().plot.worst().lost.contains_key(&core));
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
            ("power my-to", "unknown site, commune, area or feeder `my-to`; did you mean `my-tho`?"),
            ("power 28249-t", "unknown site, commune, area or feeder `28249-t`; did you mean `28249-tt`?"),
            ("off my-tho", "unknown commune `mytho`"),
            ("brownout 28249", "`brownout` takes other numbers; write a line or commune and a percentage"),
            ("brownout 28249 100", "`100` is no share to lose; write a percentage"),
            ("flap 28249 60", "`flap` takes other numbers; write a commune"),
            ("flap 28249 60 0", "`0` seconds cannot be kept"),
            ("flap 28249 60 30 1.5", "how many times? write a whole number"),
            ("service portl", "unknown service `portl`; did you mean `portal`?"),
            ("clock 28249-tt", "`clock` takes other numbers; write a site and seconds"),
            ("clock 28249-tt nan", "no clock is `NaN` seconds off"),
            ("clock 28250-tt 5", "unknown site with an agent `28250-tt`; did you mean"),
            ("background many", "how many in a month? write 1 to"),
            ("hand-off vietel", "unknown hand-off `vietel`; did you mean `viettel`?"),
        ] {
            let wrong = Fault::parse(text, &map()).unwrap_err();
            assert!(wrong.starts_with(expected), "{wrong}");
        }
    }
}
