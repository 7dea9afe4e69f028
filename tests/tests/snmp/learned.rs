//! What the agent learns of a device over its runs: how much it can be asked for at once, that it began anew, and how its
//! counters went on.

use super::hostile::{device, switch};
use super::*;
use haidang_tests::switch::{IF_TABLE, Request, SYS_UP_TIME, TOO_BIG, Table, kind, number, tag};
use std::sync::{Arc, Mutex};

const LAN: [(&str, &str); 1] = [("credential", "lan")];

/// Values `request` wants.
fn wants(request: &Request) -> usize {
    let repetitions = if request.kind == kind::BULK { request.repetitions as usize } else { 1 };
    request.names.len() * repetitions
}

/// Runs until one is whole; how many it took, and what that one says of the device's pace.
async fn until_whole(probe: &Probe, target: &str) -> (usize, Option<f64>) {
    for run in 1..=6 {
        let answer = ask(probe, target, &LAN, Duration::from_secs(2)).await;
        if answer.result.is_ok() {
            assert_eq!(value(&answer, Metric::IfInOctets, "ge-0/0/30"), Some(1_000_030.0));
            return (run, value(&answer, Metric::SnmpRepetitions, ""));
        }
    }
    panic!("{target} is never read whole");
}

/// A switch of thirty ports that greets, and answers `fails` by `badly`.
async fn one_that(
    fails: impl Fn(&Request) -> bool + Send + 'static,
    badly: impl Fn(&Request) -> Vec<u8> + Send + 'static,
) -> String {
    let table = switch(30);
    device(
        move |request| {
            if !request.asks(&SYS_UP_TIME) && fails(request) { badly(request) } else { table.answer(request) }
        },
    )
    .await
}

#[tokio::test]
async fn a_device_that_says_too_big_is_asked_for_less_in_the_same_run() {
    // Requests for single values are halved until they fit.
    for (most, pace) in [(30, 25.0), (12, 10.0), (4, 10.0)] {
        let target = one_that(move |asked| wants(asked) > most, |asked| asked.refuse(TOO_BIG, 0)).await;
        assert_eq!(until_whole(&probe(), &target).await, (1, Some(pace)), "at most {most} values");
    }
}

#[tokio::test]
async fn a_device_that_drops_or_breaks_large_answers_is_asked_for_less_and_that_is_kept() {
    let silent = one_that(|asked| wants(asked) > 12, |_| Vec::new()).await;
    let garbled = one_that(|asked| wants(asked) > 12, |asked| asked.refuse(0, 0)[..9].to_vec()).await;
    for target in [silent, garbled] {
        let probe = probe();
        let (runs, pace) = until_whole(&probe, &target).await;
        assert!(runs > 1, "a request that is lost costs its time");
        assert_eq!(pace, Some(10.0));
        assert_eq!(until_whole(&probe, &target).await, (1, Some(10.0)), "it is known now");
    }
}

#[tokio::test]
async fn a_device_that_cannot_answer_bulk_requests_is_read_one_after_the_other() {
    const GENERAL_ERROR: u8 = 5;
    let empty = |asked: &Request| asked.answer(&[]);
    let refuses = |asked: &Request| asked.refuse(GENERAL_ERROR, 1);
    let bulk = |asked: &Request| asked.kind == kind::BULK;
    for target in [one_that(bulk, empty).await, one_that(bulk, refuses).await] {
        let probe = probe();
        let mut requests = Vec::new();
        for _ in 0..2 {
            let answer = ask(&probe, &target, &LAN, Duration::from_secs(4)).await;
            assert!(answer.result.is_ok(), "{:?}", answer.result);
            requests.push(value(&answer, Metric::SnmpRequests, ""));
        }
        assert!(requests[1] < requests[0], "it is not tried again at once: {requests:?}");
    }
}

/// A device whose table can be changed.
async fn changing(table: Table) -> (String, Arc<Mutex<Table>>) {
    let table = Arc::new(Mutex::new(table));
    let held = table.clone();
    (device(move |request| held.lock().unwrap().answer(request)).await, table)
}

async fn run(probe: &Probe, target: &str) -> Answer {
    let answer = ask(probe, target, &LAN, Duration::from_secs(4)).await;
    assert!(answer.result.is_ok(), "{:?}", answer.result);
    answer
}

#[tokio::test]
async fn an_interface_keeps_its_name_when_its_number_is_another() {
    let table = |up_ticks, ports: [(u32, &str, u64); 2]| {
        let mut table = Table::new(up_ticks);
        ports.into_iter().for_each(|(index, name, octets)| table.interface(index, name, octets));
        table
    };
    let (target, device) = changing(table(9_000_000, [(1, "wan", 700), (2, "lan", 50)])).await;
    let probe = probe();
    let told = |answer: &Answer| ["wan", "lan"].map(|name| value(answer, Metric::IfInOctets, name));
    assert_eq!(told(&run(&probe, &target).await), [Some(700.0), Some(50.0)]);
    *device.lock().unwrap() = table(1_000, [(7, "lan", 3), (8, "wan", 9)]);
    assert_eq!(
        told(&run(&probe, &target).await),
        [Some(9.0), Some(3.0)],
        "it began anew, and numbers otherwise"
    );
}

/// A switch of one port that has counters of 32 bits alone.
fn old_switch(up_ticks: u32, octets: u32) -> Table {
    let mut table = Table::new(up_ticks);
    let mut set = |column, tag, content: &[u8]| {
        table.set(&[&IF_TABLE[..], &[column, 1]].concat(), tag, content);
    };
    set(2, tag::OCTETS, b"FastEthernet0");
    set(5, tag::GAUGE, &number(100_000_000));
    set(8, tag::INTEGER, &[1]);
    set(10, tag::COUNTER32, &number(octets.into()));
    set(16, tag::COUNTER32, &number(5));
    table
}

#[tokio::test]
async fn a_counter_of_32_bits_goes_on_over_its_wrap_and_begins_anew_with_its_device() {
    let (target, device) = changing(old_switch(9_000_000, u32::MAX - 99)).await;
    let probe = probe();
    let mut told = Vec::new();
    for (up_ticks, octets) in [(9_000_000, u32::MAX - 99), (9_000_100, 100), (9_000_200, 300), (50, 20)] {
        *device.lock().unwrap() = old_switch(up_ticks, octets);
        let answer = run(&probe, &target).await;
        assert_eq!(value(&answer, Metric::IfHighSpeed, "FastEthernet0"), Some(100.0));
        told.push(value(&answer, Metric::IfInOctets, "FastEthernet0").unwrap());
    }
    assert_eq!(told, [4_294_967_196.0, 4_294_967_396.0, 4_294_967_596.0, 20.0]);
}

#[tokio::test]
async fn what_is_no_longer_asked_is_forgotten() {
    let (target, device) = changing(old_switch(9_000_000, u32::MAX)).await;
    let probe = probe();
    run(&probe, &target).await;
    *device.lock().unwrap() = old_switch(9_000_100, 1);
    probe.learn(credentials(), |(_, credential)| credential == "lan");
    let octets = |answer: &Answer| value(answer, Metric::IfInOctets, "FastEthernet0");
    assert_eq!(
        octets(&run(&probe, &target).await),
        Some(f64::from(u32::MAX) + 2.0),
        "a change of plan harms no counter"
    );
    probe.learn(credentials(), |_| false);
    assert_eq!(octets(&run(&probe, &target).await), Some(1.0), "a stranger again");
}
