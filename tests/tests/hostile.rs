//! Whoever means harm is told with the reason that fits, within a limit that has a name, and fifty good checks beside it all
//! go on.
#![allow(clippy::unwrap_used)]

use haidang_agent::listen::ear::{Lost, OF_ONE};
use haidang_daemon::clock::Clock;
use haidang_probe::check::CheckId;
use haidang_probe::event::{EventKind, Field};
use haidang_tests::evidence::{Kept, numbered};
use haidang_tests::gateway::nothing_is_lost;
use haidang_tests::hostile::floods::{Flood, waiting};
use haidang_tests::hostile::lateness::Lateness;
use haidang_tests::hostile::seen::{Messages, Runs};
use haidang_tests::hostile::{FRIENDS, Foe, Foes, Friends, PATIENCE, Site};
use haidang_tests::mutants::TRAP;
use haidang_tests::process::usage;
use haidang_tests::proof::unproved;
use haidang_tests::stage::wait;
use std::net::UdpSocket;
use std::time::Duration;

/// A stage of its own.
const STAGE: u8 = 12;
/// Rounds of every good check before the floods and the first figures, under all that is hostile, and afterwards: so
/// many that a run begun before has ended and is told.
const WARM: usize = 5;
const ROUNDS: usize = 30;
const AFTER: usize = 8;
/// Fewest runs of one that means harm.
const FEWEST: u64 = 2;
/// Behind a hundred datagrams of each flood.
const PAUSE: Duration = Duration::from_millis(20);
/// What the agent may grow by, MiB.
const GROWTH_MIB: f64 = 24.0;

/// Waits for so many rounds more.
fn rounds(friends: &Friends, more: usize) {
    let wanted = friends.rounds() + more;
    wait("rounds of good checks", PATIENCE, || Ok((friends.rounds() >= wanted).then_some(()))).unwrap();
}

#[test]
fn whoever_means_harm_is_told_and_fifty_good_checks_go_on() {
    if !rustix::process::geteuid().is_root() {
        return unproved("hostile", "ICMP to many places needs root");
    }
    let clock = Clock::machine().unwrap();
    let (friends, foes) = (Friends::start(&clock).unwrap(), Foes::start().unwrap());
    let mut site = Site::new(STAGE, &friends, Some(&foes)).unwrap();
    let agent = site.start(&friends).unwrap();
    rounds(&friends, WARM);
    let before = usage(agent).unwrap();
    let floods = site.floods(PAUSE).unwrap();
    rounds(&friends, ROUNDS);
    let (tolls, page, after) = (foes.tolls(), site.page().unwrap(), usage(agent).unwrap());
    let until = clock.moment();
    rounds(&friends, AFTER);
    let sent = floods.map(end);
    let port = UdpSocket::bind("127.0.0.1:0").unwrap();
    port.send_to(TRAP, site.traps).unwrap();
    rounds(&friends, 1);
    deafened(&site, &sent);
    let batches = nothing_is_lost(&site.stage, PATIENCE).unwrap();

    println!("runs started late by, ms, half / 99 of 100 / all: {}", Lateness::read(&page).unwrap());
    println!("RSS {:.1} MiB before, {:.1} MiB after", before.rss_mib, after.rss_mib);
    let runs = Runs::until(&batches, until).unwrap();
    for (foe, (requests, octets)) in foes.all.iter().zip(&tolls) {
        let ends = runs.ends(CheckId::of_name(foe.name));
        println!("{}: {ends:?}, {requests} requests, {octets} octets", foe.name);
    }
    foes.all.iter().zip(tolls).for_each(|(foe, toll)| ended_as_it_should(foe, toll, &runs));
    all_go_on(&friends, &runs);
    assert!(after.rss_mib <= before.rss_mib + GROWTH_MIB, "{before:?} {after:?}");
    for counter in ["haidang_agent_dropped_records_total 0", "haidang_agent_refused_batches_total 0"] {
        assert!(page.lines().any(|line| line == counter), "no {counter}");
    }
    for (check, verdict) in [("tls-expired", 1), ("tls-own", 4)] {
        let told = format!("probe_tls_verdict{{check=\"{check}\",");
        let told = page.lines().find_map(|line| line.strip_prefix(&told)?.rsplit(' ').next());
        assert_eq!(told.and_then(|value| value.parse().ok()), Some(f64::from(verdict)), "{check}");
    }
    floods_are_told(&batches, sent);
}

/// Every run ended in the one way there is, and cost no more than it may.
fn ended_as_it_should(foe: &Foe, (requests, octets): (u64, u64), runs: &Runs) {
    let check = CheckId::of_name(foe.name);
    let (count, ends) = (runs.count(check), runs.ends(check));
    assert!(count >= FEWEST, "{} was asked {count} times", foe.name);
    assert_eq!(ends.keys().copied().collect::<Vec<_>>(), [foe.ends.err()], "{}", foe.name);
    // One run may have begun before the tolls were taken, and not ended since.
    let most = count + 1;
    assert!(requests > 0 && requests <= foe.requests * most, "{}: {requests} requests", foe.name);
    assert!(octets <= foe.octets.saturating_mul(most), "{}: {octets} octets", foe.name);
}

/// None failed, none was left out.
fn all_go_on(friends: &Friends, runs: &Runs) {
    let ids = friends.ids();
    assert_eq!(ids.len(), FRIENDS);
    let ran: u64 = ids.iter().map(|id| runs.count(*id)).sum();
    let due: u64 = ids.iter().map(|id| runs.due(*id)).sum();
    println!("good runs: {ran} of {due} due");
    assert_eq!(ran, due);
    for id in ids {
        assert_eq!(runs.ends(id).into_keys().collect::<Vec<_>>(), [None], "{id}");
        assert!(runs.count(id) >= ROUNDS as u64, "{id} ran {} times", runs.count(id));
    }
}

/// Ends a flood; how many datagrams it sent, and how many of them the system lost, once the listener has read the others.
fn end(flood: Flood) -> (u64, u64) {
    let port = flood.to.port();
    let sent = flood.end().unwrap();
    let lost = wait("the listener to have read all", PATIENCE, || {
        let (queued, lost) = waiting(port)?;
        Ok((queued == 0).then_some(lost))
    })
    .unwrap();
    (sent, lost)
}

/// Whoever listens no more tells, in the end, of all that was sent.
fn deafened(site: &Site, [syslog, traps]: &[(u64, u64); 2]) {
    site.deafen().unwrap();
    wait("the listeners to end", PATIENCE, || {
        Ok([site.syslog, site.traps].iter().all(|at| waiting(at.port()).is_err()).then_some(()))
    })
    .unwrap();
    wait("every message to be told", PATIENCE, || {
        let batches = numbered(&site.stage.agent_folder())?;
        let [by_syslog, by_traps] = heard(&batches)?;
        let last = by_traps.lost.get(Lost::Overrun.name()).copied().unwrap_or(0) >= traps.1;
        Ok((by_syslog.count() >= syslog.0 && !by_traps.lost.is_empty() && last).then_some(()))
    })
    .unwrap();
}

/// What became of syslog, and of traps.
fn heard(batches: &[Kept]) -> anyhow::Result<[Messages; 2]> {
    Ok([Messages::by("syslog", Field::Facility, batches)?, Messages::by("traps", Field::Oid, batches)?])
}

/// Every message became an event or was counted, and a flood is few events.
fn floods_are_told(batches: &[Kept], [syslog_sent, traps_sent]: [(u64, u64); 2]) {
    let [syslog, traps] = heard(batches).unwrap();
    println!("syslog: {syslog_sent:?}: {} events, {:?}", syslog.events.len(), syslog.lost);
    let lost = |heard: &Messages, why: Lost| heard.lost.get(why.name()).copied().unwrap_or(0);
    assert_eq!((syslog.count(), lost(&syslog, Lost::Overrun)), syslog_sent);
    let most = OF_ONE.burst + syslog.span_ns() / OF_ONE.every_ns + 1;
    assert!((1..=most).contains(&(syslog.events.len() as u64)), "at most {most}");
    assert!(lost(&syslog, Lost::Rate) > 0 && lost(&syslog, Lost::Garbled) > 0, "{:?}", syslog.lost);
    println!("traps: {traps_sent:?}: {} events, {:?}", traps.events.len(), traps.lost);
    assert_eq!(traps.events.iter().map(|event| event.kind).collect::<Vec<_>>(), [EventKind::PortDown]);
    assert_eq!(lost(&traps, Lost::Overrun), traps_sent.1);
    let (told, came) = (lost(&traps, Lost::Garbled), traps_sent.0 - traps_sent.1);
    // What is no message at all is not counted: its engine's boots are no number, or its id is too long to be one.
    assert!((came / 4..=came).contains(&told), "{told} of {came}");
}
