//! Devices that mean harm, or are broken.

use super::*;
pub use haidang_tests::hostile::devices::switch;
use haidang_tests::hostile::devices::{self, Answer};
use haidang_tests::switch::{IF_TABLE, IF_X_TABLE, Request, tag};
use tokio::net::UdpSocket;

/// A device that answers by `answer`, which is given what a good switch would hold.
pub async fn device(answer: impl Fn(&Request) -> Vec<u8> + Send + 'static) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let target = socket.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let Some(request) = Request::read(&buffer[..length]) else { continue };
            let _ = socket.send_to(&answer(&request), from).await;
        }
    });
    target
}

/// One that greets as it should, and answers everything else by `worse`.
async fn broken(worse: Answer) -> String {
    let (table, answer) = (switch(3), devices::broken(worse));
    device(move |request| answer(&table, request)).await
}

const LAN: [(&str, &str); 1] = [("credential", "lan")];

#[tokio::test]
async fn oids_that_do_not_increase_end_the_run() {
    let target = broken(devices::disordered).await;
    let answer = ask(&probe(), &target, &LAN, Duration::from_secs(2)).await;
    assert_eq!(answer.result, Err(Failure::SnmpOrder));
}

#[tokio::test]
async fn a_walk_without_end_ends_at_the_limit_and_keeps_what_it_read() {
    let target = broken(devices::endless).await;
    let answer = ask(&probe(), &target, &LAN, Duration::from_secs(20)).await;
    assert_eq!(answer.result, Err(Failure::SnmpLimit));
    assert!(value(&answer, Metric::SysUpTime, "").is_some());
}

#[tokio::test]
async fn a_switch_of_ten_thousand_ports_is_told_to_the_limit_and_another_is_on_time() {
    let (large, small) = (switch(10_000), switch(24));
    let large = device(move |request| large.answer(request)).await;
    let small = device(move |request| small.answer(request)).await;
    let (probe, clock) = (probe(), Clock::machine().unwrap());
    let small_ones = async {
        for _ in 0..5 {
            let answer = ask(&probe, &small, &LAN, Duration::from_secs(5)).await;
            assert!(answer.result.is_ok_and(|took| took < Duration::from_secs(2)), "{:?}", answer.result);
        }
        clock.steady_ns()
    };
    let large_one = async {
        let answer = ask(&probe, &large, &LAN, Duration::from_secs(20)).await;
        (answer, clock.steady_ns())
    };
    let ((answer, large_ns), small_ns) = tokio::join!(large_one, small_ones);
    assert_eq!(answer.result, Err(Failure::SnmpLimit));
    let ports = answer.samples.iter().filter(|sample| sample.metric == Metric::IfInOctets).count();
    assert_eq!(ports, haidang_agent::snmp::interfaces::MAX_INTERFACES, "what was read is told");
    assert!(value(&answer, Metric::IfInOctets, "ge-0/0/1024").is_some());
    println!("the others' runs ended {} ms before it", large_ns.saturating_sub(small_ns) / 1_000_000);
}

#[tokio::test]
async fn answers_of_another_request_or_cut_short_are_no_answers() {
    let (other, cut) = (broken(devices::of_another).await, broken(devices::cut).await);
    for target in [other, cut] {
        let answer = ask(&probe(), &target, &LAN, Duration::from_secs(1)).await;
        assert!(matches!(answer.result, Err(Failure::Timeout | Failure::Protocol)), "{:?}", answer.result);
        assert!(value(&answer, Metric::SysUpTime, "").is_some(), "what was told before is kept");
    }
}

#[tokio::test]
async fn values_of_another_type_are_left_out() {
    let mut table = switch(1);
    for (nth, column) in [1, 6, 10, 15].into_iter().enumerate() {
        let content = [0xff; 9];
        table.set(&[&IF_X_TABLE[..], &[column, 1]].concat(), [tag::OCTETS, tag::OID][nth % 2], &content[..4]);
    }
    table.set(&[&IF_TABLE[..], &[8, 1]].concat(), tag::OCTETS, b"up");
    let target = device(move |request| table.answer(request)).await;
    let answer = ask(&probe(), &target, &LAN, Duration::from_secs(2)).await;
    assert!(answer.samples.iter().all(|sample| sample.value.is_finite()), "{:?}", answer.samples);
    assert!(!answer.samples.iter().any(|sample| sample.metric == Metric::IfOperStatus));
}
