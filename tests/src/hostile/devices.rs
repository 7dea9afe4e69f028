//! Devices that answer SNMP as none should.

use super::{Foe, Toll};
use crate::switch::{IF_X_TABLE, Request, SYS_UP_TIME, Table, binding, tag};
use anyhow::Context;
use haidang_probe::outcome::Failure;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread::spawn;

/// Ports of a switch that has more than is read of one device.
const MANY: u32 = 10_000;
/// Requests of one run besides those for interfaces: the greeting, what the profile reads, and asking for less.
const BESIDES: u64 = 24;
/// Interfaces read of one device ([`haidang_agent::snmp::interfaces::MAX_INTERFACES`]), each at most a request.
const INTERFACES: u64 = haidang_agent::snmp::interfaces::MAX_INTERFACES as u64 + BESIDES;

/// Time-out where a limit ends the run after a thousand requests, on a machine that has other things to do too.
const PATIENT_S: u32 = 30;

/// What a device makes of a request; the table is what a good switch would hold.
pub type Answer = fn(&Table, &Request) -> Vec<u8>;

/// A switch of so many ports.
pub fn switch(ports: u32) -> Table {
    let mut table = Table::new(90_000);
    for port in 1..=ports {
        table.interface(port, &format!("ge-0/0/{port}"), 1_000_000 + u64::from(port));
    }
    table
}

/// The same interface again and again.
pub fn disordered(table: &Table, request: &Request) -> Vec<u8> {
    if !request.asks(&IF_X_TABLE) {
        return table.answer(request);
    }
    let name = [&IF_X_TABLE[..], &[1, 7]].concat();
    request.answer(&binding(&name, tag::OCTETS, b"eth7").repeat(request.names.len() * 3))
}

/// Whatever is asked for, something follows it.
pub fn endless(_: &Table, request: &Request) -> Vec<u8> {
    let following = request.names.iter().flat_map(|name| {
        let index = name.get(11).map_or(1, |index| index + 1);
        binding(&[&name[..name.len().min(11)], &[index]].concat(), tag::OCTETS, b"eth")
    });
    request.answer(&following.collect::<Vec<_>>())
}

/// The answer to another request.
pub fn of_another(table: &Table, request: &Request) -> Vec<u8> {
    table.answer(&request.clone().of_another())
}

/// BER that ends in the middle.
pub fn cut(table: &Table, request: &Request) -> Vec<u8> {
    let mut whole = table.answer(request);
    whole.truncate(whole.len() / 2);
    whole
}

/// One that greets as it should, and answers everything else by `worse`.
pub fn broken(worse: Answer) -> impl Fn(&Table, &Request) -> Vec<u8> {
    move |table, request| {
        if request.asks(&SYS_UP_TIME) { table.answer(request) } else { worse(table, request) }
    }
}

/// All of them.
///
/// # Errors
/// When a socket is not to be had.
pub fn all() -> anyhow::Result<Vec<Foe>> {
    let foe = |name, answer, timeout_s, ends, requests| {
        let (at, toll) = start(switch(3), broken(answer))?;
        let foe = Foe {
            name,
            probe: "snmp",
            target: at.to_string(),
            timeout_s,
            ends: Err(ends),
            toll,
            ..Foe::default()
        };
        anyhow::Ok(Foe { with: "{credential: lan}", requests, ..foe })
    };
    let (at, toll) = start(switch(MANY), Table::answer)?;
    let large = Foe {
        name: "snmp-many",
        probe: "snmp",
        target: at.to_string(),
        with: "{credential: lan}",
        timeout_s: PATIENT_S,
        ends: Err(Failure::SnmpLimit),
        requests: INTERFACES,
        toll,
        ..Foe::default()
    };
    Ok(vec![
        foe("snmp-other", of_another, 1, Failure::Timeout, BESIDES)?,
        foe("snmp-cut", cut, 1, Failure::Timeout, BESIDES)?,
        foe("snmp-order", disordered, 5, Failure::SnmpOrder, BESIDES)?,
        foe("snmp-endless", endless, PATIENT_S, Failure::SnmpLimit, INTERFACES)?,
        large,
    ])
}

/// A device on a thread of its own, until the program ends.
fn start(
    table: Table,
    answer: impl Fn(&Table, &Request) -> Vec<u8> + Send + 'static,
) -> anyhow::Result<(SocketAddr, Arc<Toll>)> {
    let socket = UdpSocket::bind("127.0.0.1:0").context("open a device's socket")?;
    let (at, toll) = (socket.local_addr()?, Arc::<Toll>::default());
    let count = toll.clone();
    spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let Some(request) = Request::read(&buffer[..length]) else { continue };
            let answer = answer(&table, &request);
            count.asked(1);
            count.gave(answer.len());
            let _ = socket.send_to(&answer, from);
        }
    });
    Ok((at, toll))
}
