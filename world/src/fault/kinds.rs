//! The faults that are no plain silence: power, losses, comings and goings, services, clocks, a background.

use super::effects::{Course, Effects, Plot, Step};
use super::{Fault, place, usage};
use crate::background::{MOST_PER_MONTH, PER_MONTH};
use crate::map::{Map, Part};
use crate::switches::{ALL, Power};
use crate::weather::{hash, mix};
use haidang_collector::topology::Id;
use haidang_daemon::yaml;

/// How long the batteries of several sites last from the first to the last, nanoseconds.
const SPREAD_NS: u64 = 5 * SECOND_NS;
const SECOND_NS: u64 = 1_000_000_000;
/// Longest half of a flap, seconds.
const LONGEST_FLAP_S: f64 = 86_400.0;
/// Most times of a flap.
const MOST_FLAPS: f64 = 1e6;
/// Furthest a clock is off, seconds: back to 1970.
const FURTHEST_S: f64 = 1_790_000_000.0;
/// Numbers of a fault of which only the name matters.
pub(super) const ANY: &[f64] = &[1.0, 1.0];

/// What a fault is of, and the numbers behind it. A name that is all digits is still a name.
pub(super) fn numbers(verb: &str, what: &str) -> (String, Vec<f64>) {
    let mut words: Vec<&str> = what.split_whitespace().collect();
    let (_, most) = counts(verb);
    let named = usize::from(verb != "background");
    let mut numbers = Vec::new();
    while most > 0
        && words.len() > named
        && let Some(number) = words.last().and_then(|word| word.trim_end_matches('%').parse().ok())
    {
        words.pop();
        numbers.insert(0, number);
    }
    (words.join(" "), numbers)
}

/// Whether as many numbers are there as the fault takes.
pub(super) fn count(verb: &str, numbers: &[f64]) -> Result<(), String> {
    let (least, most) = counts(verb);
    if (least..=most).contains(&numbers.len()) {
        return Ok(());
    }
    Err(format!("`{verb}` takes other numbers; {}", usage(verb)))
}

/// How many numbers a fault takes, at least and at most.
fn counts(verb: &str) -> (usize, usize) {
    match verb {
        "brownout" | "clock" => (1, 1),
        "flap" => (2, 3),
        "background" => (0, 1),
        _ => (0, 0),
    }
}

pub(super) fn power(what: &str, map: &Map) -> Result<Fault, String> {
    let (place, sites) = place::sites(what, true, map)?;
    let mut order: Vec<&Id> = sites.iter().collect();
    order.sort_by_key(|site| mix(hash(site)));
    let apart_ns = SPREAD_NS / order.len() as u64;
    let steps = order.iter().enumerate().map(|(number, site)| {
        let effects = place::dark([*site], place::left(site, map), map);
        Step { after_ns: number as u64 * apart_ns, effects }
    });
    let plot = Plot { steps: steps.collect(), course: Course::Steady };
    let text = format!("power {place}");
    Ok(Fault { name: text.clone(), text, fate: "without power".into(), plot })
}

pub(super) fn off(what: &str, map: &Map) -> Result<Fault, String> {
    let (place, sites) = place::sites(what, false, map)?;
    Ok(Fault::steady(format!("off {place}"), "switched off", place::dark(&sites, Power::Off, map)))
}

pub(super) fn brownout(what: &str, numbers: &[f64], map: &Map) -> Result<Fault, String> {
    let percent = numbers.first().copied().unwrap_or_default();
    if !(0.1..100.0).contains(&percent) {
        return Err(format!("`{percent}` is no share to lose; write a percentage from 0.1 to below 100"));
    }
    let (place, lines) = place::lines(what, map)?;
    let lost = (percent / 100.0 * f64::from(ALL)).round().min(f64::from(ALL - 1)) as u32;
    let lost = lines.into_iter().map(|line| (Part::Line(line), lost)).collect();
    Ok(Fault {
        name: format!("brownout {place}"),
        text: format!("brownout {place} {percent}"),
        fate: format!("without {percent} % of the packets each way"),
        plot: Plot::at_once(Effects { lost, ..Effects::default() }, Course::Steady),
    })
}

pub(super) fn flap(what: &str, numbers: &[f64], map: &Map) -> Result<Fault, String> {
    let [up_s, down_s, times @ ..] = numbers else { return Err(usage("flap").into()) };
    if let Some(wrong) = [up_s, down_s].into_iter().find(|lasts_s| !(0.1..=LONGEST_FLAP_S).contains(*lasts_s))
    {
        return Err(format!("`{wrong}` seconds cannot be kept; write 0.1 to {LONGEST_FLAP_S}"));
    }
    let times = times.first().copied();
    if times.is_some_and(|times| !(1.0..=MOST_FLAPS).contains(&times) || times.fract() != 0.0) {
        return Err("how many times? write a whole number, or nothing".into());
    }
    let (place, lines) = place::commune_lines(what, map)?;
    let ns = |seconds: f64| (seconds * SECOND_NS as f64) as u64;
    let course =
        Course::Flapping { down_ns: ns(*down_s), up_ns: ns(*up_s), times: times.map(|times| times as u64) };
    let often = times.map(|times| format!(" {times}")).unwrap_or_default();
    Ok(Fault {
        name: format!("flap {place}"),
        text: format!("flap {place} {up_s} {down_s}{often}"),
        fate: format!("{down_s} s silent, {up_s} s not"),
        plot: Plot::at_once(Effects::silent(lines.into_iter().map(Part::Line)), course),
    })
}

pub(super) fn service(what: &str, map: &Map) -> Result<Fault, String> {
    let services = &map.topology.services;
    if !services.contains_key(what) {
        return Err(yaml::unknown("service", what, services.keys().map(String::as_str)));
    }
    let effects = Effects { failing: [what.to_owned()].into(), ..Effects::default() };
    Ok(Fault::steady(format!("service {what}"), "see it fail", effects))
}

pub(super) fn clock(what: &str, numbers: &[f64], map: &Map) -> Result<Fault, String> {
    let off_s = numbers.first().copied().unwrap_or_default();
    if off_s == 0.0 || !(-FURTHEST_S..=FURTHEST_S).contains(&off_s) {
        return Err(format!("no clock is `{off_s}` seconds off; write -{FURTHEST_S} to {FURTHEST_S}, not 0"));
    }
    let agents = map.sites(|_, site| site.observe.has_agent());
    if !agents.contains(what) {
        let sites = agents.iter().map(String::as_str);
        return Err(yaml::unknown("site with an agent", what, sites));
    }
    let clocks = [(what.to_owned(), (off_s * SECOND_NS as f64) as i64)].into();
    Ok(Fault {
        name: format!("clock {what}"),
        text: format!("clock {what} {off_s}"),
        fate: format!("{off_s} s off"),
        plot: Plot::at_once(Effects { clocks, ..Effects::default() }, Course::Steady),
    })
}

pub(super) fn background(what: &str, numbers: &[f64]) -> Result<Fault, String> {
    let per_month = numbers.first().copied().unwrap_or(f64::from(PER_MONTH));
    let most = f64::from(MOST_PER_MONTH);
    if !what.is_empty() || !(1.0..=most).contains(&per_month) || per_month.fract() != 0.0 {
        return Err(format!("how many in a month? write 1 to {most}, or nothing for {PER_MONTH}"));
    }
    Ok(Fault {
        name: "background".into(),
        text: format!("background {per_month}"),
        fate: format!("single sites fall silent at random, {per_month} times a month"),
        plot: Plot::at_once(Effects::default(), Course::Background(per_month as u32)),
    })
}
