//! What agents saw, one record after the other, as it stands in the journal: for a person at a desk, and for tests
//! that hold it against the truth.
//!
//! ```text
//! evidence ─ Entry::Config ─▶ names of checks
//!          └ Entry::Batch ──▶ run · runs · line · event ─▶ Seen (one JSON line each)
//! ```
//!
//! It reads beside a live writer, and writes nothing. Values that tell what stands where on a LAN are left out.

use crate::entry::{Entry, Garbled, Received};
use crate::topology::{Id, Topology};
use haidang_journal::{Files, Item, Position, Snapshot};
use haidang_probe::{
    batch::{Batch, Envelope},
    check::CheckId,
    digest::{CheckDigest, LineDigest, Spread, micros},
    event::{Class, Event},
    metric::Metric,
    moment::Moment,
    outcome::{Failure, Outcome},
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::Path;

/// Metrics whose parts are hardware addresses or names of other equipment.
const RESTRICTED: [Metric; 2] = [Metric::BridgeStationPort, Metric::LldpNeighbour];

/// One thing an agent saw.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seen {
    /// When, UTC ms; when it came where the batch does not say.
    pub at: i64,
    /// When the collector had it, UTC ms.
    pub received: i64,
    /// Whose agent.
    pub site: Id,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "seen", rename_all = "snake_case")]
pub enum What {
    /// A check ran.
    Run {
        /// Its name; its number where the record has no such check.
        check: String,
        /// Why it failed, if it did.
        failed: Option<&'static str>,
        /// How long it took otherwise, µs.
        took_us: Option<u32>,
        /// What else it measured: metric, part, value.
        samples: Vec<(&'static str, String, f64)>,
    },
    /// What is left of runs of a check.
    Runs {
        /// Its name.
        check: String,
        /// From the first to the last, ms.
        lasted_ms: u64,
        /// How many.
        runs: u32,
        /// Those that succeeded.
        succeeded: u32,
        /// Why the first and the last that failed did.
        failed: [Option<&'static str>; 2],
        /// How long they took, µs.
        took_us: Spread,
    },
    /// Both liveness sessions of an uplink for some seconds.
    Line {
        /// The uplink: `line/session`.
        uplink: String,
        /// How long, ms.
        lasted_ms: u64,
        /// Share lost from site to centre.
        loss_up: Option<f64>,
        /// Share lost from centre to site.
        loss_down: Option<f64>,
        /// Packets sent, answered, due, heard.
        packets: [u32; 4],
        /// Round trips, µs.
        rtt_us: Spread,
        /// Which of the packets sent were not answered: bits.
        unanswered: u64,
        /// In which intervals nothing came: bits.
        unheard: u64,
    },
    /// Something came unasked.
    Event {
        /// Its kind.
        kind: &'static str,
        /// The part of the machine or LAN.
        part: String,
        /// What else is known.
        fields: Vec<(&'static str, String)>,
    },
}

/// Why the journal could not be told to its end.
#[derive(Debug, thiserror::Error)]
pub enum SeenError {
    /// The journal cannot be read.
    #[error("evidence: {0}")]
    Journal(#[from] haidang_journal::Error),
    /// A record is not an entry.
    #[error("evidence: record {position}: {garbled}")]
    Garbled {
        /// Its position.
        position: u64,
        /// What is wrong with it.
        garbled: Garbled,
    },
}

/// Tells `each` what agents saw, in the order it came, from the record at `from` on, until it has enough. Damaged records
/// are passed over.
///
/// # Errors
/// When the journal cannot be read, or is of another version.
pub fn read(dir: &Path, from: u64, mut each: impl FnMut(Seen) -> ControlFlow<()>) -> Result<(), SeenError> {
    let (snapshot, _) = Snapshot::open(Files::new(dir))?;
    let mut names = BTreeMap::new();
    for item in snapshot.read(Position(from.max(snapshot.first().0))) {
        let Item::Record { position, bytes } = item? else { continue };
        let position = position.0;
        let entry = Entry::decode(&bytes).map_err(|garbled| SeenError::Garbled { position, garbled })?;
        let told = match entry {
            Entry::Batch(received) => batch(&received, &names, &mut each),
            Entry::Config { topology, .. } => {
                names = names_of(&topology);
                continue;
            }
            _ => continue,
        };
        if told.is_break() {
            break;
        }
    }
    Ok(())
}

fn names_of(topology: &Topology) -> BTreeMap<CheckId, String> {
    let checks = topology.sites.keys().flat_map(|site| topology.checks_of(site));
    checks.map(|check| (check.id(), check.name)).collect()
}

/// Tells what is in one batch.
fn batch(
    received: &Received,
    names: &BTreeMap<CheckId, String>,
    each: &mut impl FnMut(Seen) -> ControlFlow<()>,
) -> ControlFlow<()> {
    // Ingest accepted it: it decodes. A repeat is told again, as it came again.
    let Ok(batch) = Envelope::decode(&received.envelope).and_then(|envelope| envelope.open()) else {
        return ControlFlow::Continue(());
    };
    let name = |check: CheckId| names.get(&check).cloned().unwrap_or_else(|| check.to_string());
    let outcomes = batch.outcomes.iter().map(|it| (it.sent, run(name(it.check), it)));
    let rows = batch.checks.iter().map(|it| (it.from, runs(name(it.check), it)));
    let lines = batch.lines.iter().map(|it| (it.from, line(it)));
    let events = batch.events.iter().map(|it| (it.at, unasked(it)));
    outcomes.chain(rows).chain(lines).chain(events).try_for_each(|(at, what)| {
        let at = utc_ms(&batch, at).unwrap_or(received.at);
        each(Seen { at, received: received.at, site: received.agent.clone(), what })
    })
}

fn utc_ms(batch: &Batch, at: Moment) -> Option<i64> {
    batch.clocks.iter().find(|clock| clock.boot == at.boot).map(|clock| clock.utc_ms(at.mono_ns))
}

fn run(check: String, outcome: &Outcome) -> What {
    let samples = outcome.samples.iter().filter(|sample| !RESTRICTED.contains(&sample.metric));
    What::Run {
        check,
        failed: outcome.result.as_ref().err().map(|failure| failure.name()),
        took_us: outcome.result.as_ref().ok().map(|took| micros(*took)),
        samples: samples.map(|sample| (sample.metric.name(), sample.part.clone(), sample.value)).collect(),
    }
}

fn runs(check: String, digest: &CheckDigest) -> What {
    What::Runs {
        check,
        lasted_ms: digest.lasted.as_millis() as u64,
        runs: digest.runs,
        succeeded: digest.succeeded,
        failed: [digest.first, digest.last].map(|failure| failure.map(Failure::name)),
        took_us: digest.took,
    }
}

fn line(digest: &LineDigest) -> What {
    What::Line {
        uplink: digest.uplink.clone(),
        lasted_ms: digest.lasted.as_millis() as u64,
        loss_up: digest.loss_up(),
        loss_down: digest.loss_down(),
        packets: [digest.sent, digest.answered, digest.due, digest.heard],
        rtt_us: digest.rtt,
        unanswered: digest.unanswered,
        unheard: digest.unheard,
    }
}

fn unasked(event: &Event) -> What {
    let open = event.fields.iter().filter(|(field, _)| field.class() == Class::Open);
    What::Event {
        kind: event.kind.name(),
        part: if is_address(&event.part) { String::new() } else { event.part.clone() },
        fields: open.map(|(field, value)| (field.name(), value.clone())).collect(),
    }
}

/// Whether a part, which names a piece of the machine, is an address of the LAN after all.
fn is_address(part: &str) -> bool {
    let hardware = part.split([':', '-']).map(|octet| u8::from_str_radix(octet, 16).is_ok());
    part.parse::<IpAddr>().is_ok()
        || hardware.fold((0, true), |(n, is), octet| (n + 1, is && octet)) == (6, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_journal::{Journal, OnFull, Settings};
    use haidang_probe::event::{EventKind, Field};
    use haidang_probe::moment::ClockMap;
    use haidang_probe::outcome::Sample;
    use std::time::Duration;

    fn batch() -> Batch {
        let sent = Moment { mono_ns: 5_000_000, ..Moment::default() };
        let event = Event::new(sent, EventKind::AuthFailure, "").with(Field::Source, "192.0.2.7");
        let broken = Event::new(sent, EventKind::PathBroken, "aa:bb:cc:dd:ee:01").with(Field::Hop, "2");
        let sample = |metric, part: &str| Sample { metric, part: part.into(), value: 1.0 };
        let samples = [
            sample(Metric::LldpNeighbour, "core-sw-3"),
            sample(Metric::BridgeStationPort, "aa:bb:cc:dd:ee:02"),
            sample(Metric::IfInOctets, "eth0"),
        ];
        Batch {
            clocks: vec![ClockMap { offset_ns: 1_000_000_000, ..ClockMap::default() }],
            outcomes: vec![Outcome {
                check: CheckId(7),
                sent,
                result: Err(Failure::Timeout),
                samples: samples.into(),
            }],
            events: vec![event.with(Field::App, "sshd"), broken.with(Field::Route, "10.82.0.1 *")],
            lines: vec![LineDigest {
                uplink: "d2-c06/4".into(),
                lasted: Duration::from_secs(10),
                sent: 10,
                due: 10,
                heard: 10,
                ..LineDigest::default()
            }],
            ..Batch::default()
        }
    }

    /// A journal of that batch, so many times.
    fn journal(times: u64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            segment_bytes: 4 << 20,
            max_bytes: 16 << 20,
            on_full: OnFull::Refuse,
            max_record: 1 << 20,
        };
        let (mut journal, _) = Journal::open(Files::new(folder.path()), settings).unwrap();
        for seq in 0..times {
            let envelope = Envelope::seal("c06", 1, seq, [0; 32], &batch()).unwrap().encode();
            let received = Received { at: 9_000, agent: "c06".into(), envelope };
            journal.append(&Entry::Batch(received).encode()).unwrap();
        }
        journal.sync().unwrap();
        folder
    }

    #[test]
    fn everything_of_a_batch_is_told_with_its_time_and_nothing_restricted() {
        let mut lines = Vec::new();
        let each = |seen| {
            lines.push(serde_json::to_string(&seen).unwrap());
            ControlFlow::Continue(())
        };
        read(journal(1).path(), 0, each).unwrap();
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.contains(r#""received":9000,"site":"c06""#)), "{lines:?}");
        assert!(lines[0].contains(r#""at":1005"#) && lines[0].contains(r#""failed":"timeout""#));
        assert!(lines[0].contains("ifHCInOctets") && lines[0].contains("eth0"), "{}", lines[0]);
        assert!(lines[1].contains(r#""loss_up":1.0,"loss_down":0.0"#), "{}", lines[1]);
        assert!(lines[2].contains("sshd"), "{}", lines[2]);
        assert!(lines[3].contains(r#"["hop","2"]"#), "{}", lines[3]);
        for restricted in
            ["192.0.2.7", "core-sw-3", "ee:01", "ee:02", "lldp", "station", "10.82.0.1", "route"]
        {
            assert!(!lines.concat().contains(restricted), "{restricted}: {lines:?}");
        }
    }

    #[test]
    fn whoever_has_enough_reads_no_further() {
        let mut told = 0;
        let each = |_| {
            told += 1;
            if told == 6 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        read(journal(5).path(), 0, each).unwrap();
        assert_eq!(told, 6, "of twenty");
    }

    #[test]
    fn an_address_in_place_of_a_part_is_left_out_and_a_name_is_not() {
        for (part, left_out) in [("192.0.2.7", true), ("fe80::1", true), ("AA-bb-CC-dd-ee-0f", true)] {
            assert_eq!(is_address(part), left_out, "{part}");
        }
        for part in ["", "eth0", "d2-c06/4", "a:b:c", "Gi1/0/1", "be:ef:is:no:ad:dr"] {
            assert!(!is_address(part), "{part}");
        }
    }
}
