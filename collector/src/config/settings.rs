//! The collector's own settings: where it listens, how much it keeps, and the defaults of sites.

use super::{
    draft::{Draft, Kind},
    fields::Fields,
    hours,
    tree::{Node, Tree},
    value,
};
use haidang_daemon::listen::{Listen, TlsFiles};
use haidang_probe::check::Span;
use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Port of the console.
const CONSOLE_PORT: u16 = 8080;
/// Port agents post their batches to.
const AGENTS_PORT: u16 = 8443;
/// Between these the life of an agent's certificate is, ms.
const LIFE_MS: RangeInclusive<u64> = 10_000..=90 * DAY_MS;
const DAY_MS: u64 = 86_400_000;
/// Port of both STAMP ends.
const STAMP_PORT: u16 = 8862;
/// How long samples are kept when a file does not say: 30 days.
const SERIES_KEEP_MS: i64 = 30 * 86_400_000;
/// Series held when a file does not say.
const SERIES_MAX: usize = 100_000;
/// Bytes of journal kept when a file does not say: 8 GiB.
const JOURNAL_MAX_BYTES: u64 = 8 << 30;

/// What the collector as a program needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the console and its API are served.
    pub console: Listen,
    /// Where agents post their batches: TLS by the collector's own authority, or plain on this machine alone.
    pub agents: Agents,
    /// How long agents' certificates last.
    pub certificates: Certificates,
    /// Where both STAMP ends stand, UDP; at least one. Where gateways route an address of ours strictly over a
    /// carrier, each such address stands here.
    pub stamp: Vec<SocketAddr>,
    /// How much of the journal is kept.
    pub journal: Journal,
    /// How much of what was measured is kept.
    pub series: Series,
}

/// Where agents are listened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agents {
    /// The address.
    pub address: SocketAddr,
    /// No TLS: a loopback address.
    pub plain: bool,
}

/// How long agents' certificates last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// Life of one, ms; it is renewed at a third.
    pub life_ms: u64,
    /// Without a new one for longer than this, ms, an agent comes back into quarantine.
    pub silence_ms: u64,
}

/// Limits of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Bytes on disk at which the oldest segment goes.
    pub max_bytes: u64,
}

/// Limits of what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    /// How long samples are kept, ms: whole days.
    pub keep_ms: i64,
    /// Series held at once; one site may have half of them.
    pub max_series: usize,
}

impl Default for Certificates {
    /// Seven days: a commune cut off for three comes back by itself. A month of silence is looked at by somebody.
    fn default() -> Certificates {
        Certificates { life_ms: 7 * DAY_MS, silence_ms: 30 * DAY_MS }
    }
}

impl Draft {
    /// `collector: {console: …, agents: …, stamp: …, journal: …, series: …}`.
    pub(super) fn collector(&mut self, file: &Arc<Path>, tree: &Tree) {
        self.claim(Kind::Section, "collector", &tree.place(file));
        let Some(mut fields) = self.fields(file, tree, "the collector") else { return };
        let settings = Settings {
            console: self.console(&mut fields),
            agents: self.agents(&mut fields),
            certificates: self.certificates,
            stamp: self.stamp(file, &mut fields),
            journal: self.journal(&mut fields),
            series: self.series(&mut fields),
        };
        self.faults(fields.done());
        self.settings = Some(settings);
    }

    /// `defaults: {gate: 10s, hours: {days: mon-fri, spans: ["07:00-17:00"]}, off_outside_hours: learn}`.
    pub(super) fn defaults(&mut self, file: &Arc<Path>, tree: &Tree) {
        self.claim(Kind::Section, "defaults", &tree.place(file));
        let Some(mut fields) = self.fields(file, tree, "the defaults") else { return };
        self.gate_s = fields.optional("gate", value::gate);
        self.hours = self.hours(file, &mut fields);
        self.off_outside_hours = fields.optional("off_outside_hours", hours::off).unwrap_or_default();
        self.faults(fields.done());
    }

    /// `console: {listen: "127.0.0.1:8080"}`; beyond this machine with `tls` or `plain: true`.
    fn console(&mut self, fields: &mut Fields<'_>) -> Listen {
        let default = Listen::on(loopback(CONSOLE_PORT));
        let Some(mut inner) = fields.table("console") else { return default };
        let address = inner.optional("listen", value::socket).unwrap_or(default.address);
        let tls = self.tls(&mut inner);
        let plain = inner.optional("plain", value::truth).unwrap_or(false);
        let wrong = match (&tls, plain) {
            (Some(_), true) => Some("has both `tls` and `plain: true`; leave one out".to_owned()),
            (None, false) if !is_loopback(address) => Some(format!(
                "{address} is open to others; write `tls: {{cert: …, key: …}}`, \
                 or `plain: true` if something else encrypts"
            )),
            _ => None,
        };
        // A table that is there in part has its own fault already.
        if let Some(wrong) = wrong
            && (inner.any("tls").is_none() || tls.is_some())
        {
            inner.fault(fields.place_of("console").fault(format!("`console`: {wrong}")));
        }
        self.faults(inner.done());
        Listen { address, tls, plain }
    }

    /// `agents: {listen: "0.0.0.0:8443", certificates: 7d, silence: 30d}`.
    fn agents(&mut self, fields: &mut Fields<'_>) -> Agents {
        let default = Agents { address: loopback(AGENTS_PORT), plain: false };
        let Some(mut inner) = fields.table("agents") else { return default };
        let address = inner.optional("listen", value::socket).unwrap_or(default.address);
        let plain = inner.optional("plain", value::truth).unwrap_or(false);
        if plain && !is_loopback(address) {
            let message = format!(
                "`agents`: {address} is open to others, whose agents enrol over TLS; leave `plain` out"
            );
            inner.fault(inner.place_of("plain").fault(message));
        }
        self.certificates(&mut inner);
        self.faults(inner.done());
        Agents { address, plain }
    }

    /// `certificates: 7d, silence: 30d`.
    fn certificates(&mut self, fields: &mut Fields<'_>) {
        let millis = |span: Option<Span>, default| span.map_or(default, |span| span.0.as_millis() as u64);
        let own = Certificates::default();
        let life_ms = millis(fields.optional("certificates", value::span), own.life_ms);
        let silence_ms = millis(fields.optional("silence", value::span), own.silence_ms.max(life_ms));
        if !LIFE_MS.contains(&life_ms) {
            fields.fault(fields.place_of("certificates").fault("`certificates` is between `10s` and `90d`"));
        } else if silence_ms < life_ms {
            let message =
                "`silence` is not shorter than `certificates`: an agent must be able to renew in time";
            fields.fault(fields.place_of("silence").fault(message));
        }
        self.certificates = Certificates { life_ms, silence_ms };
    }

    /// Paths stay as written: whoever listens takes them from the directory of the configuration.
    fn tls(&mut self, fields: &mut Fields<'_>) -> Option<TlsFiles> {
        let mut inner = fields.table("tls")?;
        let certificate = inner.must("cert", value::text).map(PathBuf::from);
        let key = inner.must("key", value::text).map(PathBuf::from);
        self.faults(inner.done());
        Some(TlsFiles { certificate: certificate?, key: key? })
    }

    /// `stamp: {listen: "0.0.0.0:8862"}`, or a list of addresses.
    fn stamp(&mut self, file: &Arc<Path>, fields: &mut Fields<'_>) -> Vec<SocketAddr> {
        let Some(mut inner) = fields.table("stamp") else { return vec![loopback(STAMP_PORT)] };
        let said: Vec<&Tree> = match inner.any("listen") {
            Some(Tree { node: Node::List(items), .. }) => items.iter().collect(),
            other => other.into_iter().collect(),
        };
        let mut addresses = Vec::new();
        for item in said {
            match value::socket(item) {
                Ok(address) => addresses.push(address),
                Err(wrong) => inner.fault(item.place(file).fault(format!("`listen`: {wrong}"))),
            }
        }
        self.faults(inner.done());
        if addresses.is_empty() { vec![loopback(STAMP_PORT)] } else { addresses }
    }

    fn journal(&mut self, fields: &mut Fields<'_>) -> Journal {
        let Some(mut inner) = fields.table("journal") else {
            return Journal { max_bytes: JOURNAL_MAX_BYTES };
        };
        let max_bytes = inner.optional("max_bytes", value::bytes).unwrap_or(JOURNAL_MAX_BYTES);
        self.faults(inner.done());
        Journal { max_bytes }
    }

    fn series(&mut self, fields: &mut Fields<'_>) -> Series {
        let mut series = Series { keep_ms: SERIES_KEEP_MS, max_series: SERIES_MAX };
        let Some(mut inner) = fields.table("series") else { return series };
        if let Some(days) = inner.optional("keep", value::days) {
            series.keep_ms = i64::from(days) * 86_400_000;
        }
        if let Some(most) = inner.optional("max_series", value::count) {
            series.max_series = most as usize;
        }
        self.faults(inner.done());
        series
    }
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
