//! Many switches for benches: each answers SNMP on a port of its own, on a thread of its own; and the module by which
//! snmp_exporter reads them.

use crate::switch::{Request, SYS_UP_TIME, Table};
use anyhow::Context;
use rustix::thread::{CpuSet, sched_setaffinity};
use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::spawn;

/// Switches that answer until the program ends.
#[derive(Clone, Debug)]
pub struct Switches {
    /// Where.
    pub at: Vec<SocketAddr>,
    /// How often one was asked for its `sysUpTime`: once a run.
    pub runs: Arc<AtomicU64>,
}

impl Switches {
    /// So many, each with so many interfaces; on these cores, if any are said.
    ///
    /// # Errors
    /// When a socket cannot be opened.
    pub fn start(count: usize, interfaces: u32, cores: Option<&CpuSet>) -> anyhow::Result<Switches> {
        let mut table = Table::new(4_000_000);
        for index in 1..=interfaces {
            // Counters of a switch that has worked for a while: six octets.
            let octets = 90_000_000_000_000 + u64::from(index);
            table.interface(index, &format!("GigabitEthernet1/0/{index}"), octets);
        }
        let (table, runs) = (Arc::new(table), Arc::new(AtomicU64::new(0)));
        let mut at = Vec::new();
        for _ in 0..count {
            let socket = UdpSocket::bind("127.0.0.1:0").context("open a switch's socket")?;
            at.push(socket.local_addr()?);
            let (table, runs, cores) = (table.clone(), runs.clone(), cores.copied());
            spawn(move || {
                if let Some(cores) = cores {
                    let _ = sched_setaffinity(None, &cores);
                }
                answer(&socket, &table, &runs);
            });
        }
        Ok(Switches { at, runs })
    }
}

fn answer(socket: &UdpSocket, table: &Table, runs: &AtomicU64) {
    let mut buffer = [0; 2048];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        let Some(request) = Request::read(&buffer[..length]) else { continue };
        if request.asks(&SYS_UP_TIME) {
            runs.fetch_add(1, Relaxed);
        }
        let _ = socket.send_to(&table.answer(&request), from);
    }
}

/// A table's root and the columns of it that are read.
pub type Columns = (&'static [u32], &'static [u32]);

/// What prometheus-snmp-generator would write for these columns, as module `ports`: the first, the interface's name, is a
/// label of the others.
pub fn module(columns: &[Columns]) -> String {
    let dotted = |arcs: &[u32]| arcs.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
    let of = |(table, columns): &Columns| {
        columns.iter().map(|column| format!("{}.{column}", dotted(table))).collect::<Vec<_>>()
    };
    let columns: Vec<String> = columns.iter().flat_map(of).collect();
    let mut text = String::from("ports:\n  walk:\n");
    for column in &columns {
        let _ = writeln!(text, "    - {column}");
    }
    text += "  get: [1.3.6.1.2.1.1.3.0]\n  metrics:\n    - {name: sysUpTime, oid: 1.3.6.1.2.1.1.3, type: gauge, help: up}\n";
    for (nth, column) in columns.iter().enumerate().skip(1) {
        let _ = writeln!(
            text,
            "    - {{name: column{nth}, oid: {column}, type: gauge, help: one, indexes: [{{labelname: ifIndex, type: gauge}}], \
             lookups: [{{labels: [ifIndex], labelname: ifName, oid: {}, type: DisplayString}}]}}",
            columns[0]
        );
    }
    text + "  version: 2\n  max_repetitions: 25\n  auth: {community: public}\n"
}
