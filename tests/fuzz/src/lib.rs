//! Every parser, fed with octets nobody meant.
//!
//! A target takes any octets and must come back: no panic, no overflow, no endless work, and what it read must hold
//! its own promises (what was decoded encodes to something that decodes to the same). Seeds and whatever ever broke
//! a target are in `corpus/TARGET/`; `make test` plays them, `make fuzz` goes on from them:
//!
//! ```text
//! corpus/TARGET/* ──┬─▶ tests/corpus.rs   every file once, as any test
//!                   └─▶ libfuzzer.rs      mutated under LLVM's coverage of our own crates, a minute a target
//! ```
//!
//! A new parser gets a function here, a line in [`TARGETS`] and one seed at least.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agent;
mod collector;
mod devices;
mod disk;
mod heard;
mod packets;
mod sheets;
mod wire;

/// Feeds one parser.
pub type Target = fn(&[u8]);

/// All targets, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("ack", wire::ack),
    ("agent-file", agent::file),
    ("ask", agent::ask),
    ("config", collector::config),
    ("dhcp", heard::dhcp_answer),
    ("dns", agent::dns),
    ("entry", disk::entry),
    ("envelope", wire::envelope),
    ("fault", collector::fault),
    ("icmp", heard::icmp),
    ("journal", disk::journal),
    ("neighbours", heard::neighbours),
    ("nut", agent::nut),
    ("orders", agent::orders),
    ("path", heard::path),
    ("payload", wire::payload),
    ("pem", agent::pem),
    ("portal", agent::portal),
    ("redirect", agent::redirect),
    ("registry", collector::registry),
    ("sheet", sheets::sheet),
    ("snmp-answer", devices::answer),
    ("snmp-trap", devices::trap),
    ("stamp-answer", packets::answer),
    ("stamp-plain", packets::plain),
    ("stamp-request", packets::request),
    ("syslog", heard::syslog),
    ("syslog-stream", heard::syslog_stream),
    ("workbook", sheets::workbook),
];

/// The target of that name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}

/// Octets as text, what is not UTF-8 replaced: for parsers that are given text.
fn text(octets: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(octets)
}
