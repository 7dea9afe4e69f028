//! `outages [WORD…]`: every kind of outage on the rehearsal province, several times, as a table; with words only
//! those whose order or description contains one of them.

use anyhow::{Context, bail};
use haidang_collector::topology::{Id, Line, Needs, Role, Site};
use haidang_tests::figures::Figures;
use haidang_tests::outage::{Case, Seen, rehearse};
use haidang_tests::process::load;
use haidang_tests::stage::{Stage, free, wait};
use haidang_world::{map::Map, serve::read_map};
use std::collections::BTreeSet;
use std::path::Path;

/// Repetitions of an outage of one site, and of a wide one.
const SINGLE: usize = 5;
const WIDE: usize = 3;
/// Stages of this bench: several runs with different words may stand side by side.
const STAGES: std::ops::Range<u8> = 32..64;
/// A commune with one site, one line and an agent; `make fault`'s example.
const COMMUNE: &str = "28249";

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let chosen = |case: &Case| {
        words.is_empty() || words.iter().any(|word| case.order.contains(word) || case.what.contains(word))
    };
    let mut stage = Stage::new(free(STAGES)?)?;
    let map = read_map(Path::new(&stage.configuration()))?;
    let before = load();
    let console = stage.start()?;
    wait("the province to be quiet", 120, || {
        Ok(console.incidents()?.iter().all(|incident| incident["state"] == "closed").then_some(()))
    })?;
    let (mut wrong, mut rows) = (0, Vec::new());
    for case in cases(&map)?.into_iter().filter(chosen) {
        let mut all = Vec::new();
        for _ in 0..if matches!(case.root, "site" | "line") { SINGLE } else { WIDE } {
            let seen = rehearse(&stage, &console, &case).with_context(|| case.order.clone())?;
            eprintln!("{}: {seen:?}", case.order);
            all.push(seen);
        }
        wrong += all.iter().filter(|seen| !seen.wrong.is_empty()).count();
        rows.push(row(&case, &all));
    }
    let after = load();
    println!("Load average {before} before and {after} after; seconds as least / median / most.\n");
    println!(
        "| outage | order | times | noticed, s | open, s | closed after heal, s | opened | sites | notifications | wrong |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|--:|---|");
    rows.iter().for_each(|row| println!("{row}"));
    if wrong > 0 {
        bail!("{wrong} outages were not told as they were");
    }
    Ok(())
}

fn row(case: &Case, all: &[Seen]) -> String {
    let figures = |of: fn(&Seen) -> Option<f64>| all.iter().filter_map(of).collect::<Figures>();
    let (noticed, opened) = (figures(|seen| seen.noticed), figures(|seen| seen.opened));
    let closed = figures(|seen| seen.closed);
    let counts = |of: fn(&Seen) -> usize| {
        let told: BTreeSet<usize> = all.iter().map(of).collect();
        told.iter().map(usize::to_string).collect::<Vec<_>>().join("–")
    };
    let (incidents, sites) = (counts(|seen| seen.incidents), counts(|seen| seen.sites));
    let notifications = counts(|seen| seen.notifications);
    let wrong: BTreeSet<&str> = all.iter().flat_map(|seen| &seen.wrong).map(String::as_str).collect();
    let wrong = if wrong.is_empty() { "nothing".into() } else { Vec::from_iter(wrong).join("; ") };
    let (what, order, times) = (case.what, &case.order, all.len());
    format!(
        "| {what} | `{order}` | {times} | {noticed} | {opened} | {closed} | {incidents} | {sites} | {notifications} | {wrong} |"
    )
}

fn cases(map: &Map) -> anyhow::Result<Vec<Case>> {
    let mut cases = single(map)?;
    cases.extend(pops(map)?);
    for carrier in map.topology.carriers.keys() {
        cases.push(case("a carrier", format!("carrier {carrier}"), "carrier", Some(carrier)));
    }
    for (id, hand_off) in &map.topology.hand_offs {
        let order = format!("hand-off {}", hand_off.carrier);
        cases.push(case("our hand-off to a carrier", order, "hand_off", Some(id)));
    }
    Ok(cases)
}

fn case(what: &'static str, order: String, root: &'static str, id: Option<&Id>) -> Case {
    Case { order, what, root, id: id.cloned(), severity: "critical", notifications: 2, short: false }
}

fn single(map: &Map) -> anyhow::Result<Vec<Case>> {
    let own = find(map, "an agent and one line", |place| {
        place.commune == COMMUNE && place.lines.len() == 1 && place.site.observe.has_agent()
    })?;
    let silent = find(map, "one line and no agent", |place| {
        place.lines.len() == 1 && !place.site.observe.has_agent()
    })?;
    let dual = find(map, "an agent, a primary line and a backup", |place| {
        let backups = place.lines.iter().filter(|(_, line)| line.role == Role::Backup).count();
        let either = matches!(place.site.needs, Needs::AnyOf(_)) && place.site.observe.has_agent();
        either && (place.lines.len(), backups) == (2, 1)
    })?;
    let primary = dual.lines.iter().find(|(_, line)| line.role == Role::Primary).map(|(id, _)| *id);
    let whole =
        |what, place: &Place<'_>| case(what, format!("cut {}", place.commune), "site", Some(place.id));
    let half = case("the primary of two lines", format!("cut {}:primary", dual.commune), "line", primary);
    let short = Case { short: true, notifications: 0, ..whole("the first again, for 8 s", &own) };
    Ok(vec![
        whole("a site with an agent, one line", &own),
        whole("a site without agent, one line", &silent),
        Case { severity: "warning", notifications: 0, ..half },
        short,
    ])
}

/// A POP whose every line is recorded, and one of which the record knows nothing.
fn pops(map: &Map) -> anyhow::Result<Vec<Case>> {
    let of_record = |pop: &Id| -> BTreeSet<&Id> {
        let lines = map.topology.lines.iter();
        lines.filter(|(_, line)| line.pop.as_ref() == Some(pop)).map(|(id, _)| id).collect()
    };
    let recorded = map.pops.iter().filter(|(id, pop)| of_record(id) == pop.lines.iter().collect());
    let (recorded, _) = recorded.max_by_key(|(_, pop)| pop.lines.len()).context("no recorded POP")?;
    let hidden = map.pops.keys().find(|id| !map.topology.pops.contains_key(*id));
    let hidden = hidden.context("no POP without a record")?;
    Ok(vec![
        case("a recorded POP", format!("pop {recorded}"), "pop", Some(recorded)),
        case("a POP without a record", format!("pop {hidden}"), "group", None),
    ])
}

/// A commune's only site.
struct Place<'m> {
    commune: &'m Id,
    id: &'m Id,
    site: &'m Site,
    lines: Vec<(&'m Id, &'m Line)>,
}

/// The first commune with exactly one site that fits.
fn find<'m>(map: &'m Map, what: &str, fits: impl Fn(&Place<'m>) -> bool) -> anyhow::Result<Place<'m>> {
    let place = |commune| {
        let mut sites = map.topology.offices().filter(|(_, site)| site.commune.as_ref() == Some(commune));
        let ((id, site), None) = (sites.next()?, sites.next()) else { return None };
        Some(Place { commune, id, site, lines: map.topology.lines_of(id).collect() })
    };
    let found = map.topology.communes.keys().filter_map(place).find(fits);
    found.with_context(|| format!("no commune has one site with {what}"))
}
