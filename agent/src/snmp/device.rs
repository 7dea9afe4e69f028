//! One device over its runs: what is known of it, and one run.
//!
//! ```text
//! no session ─▶ GET sysUpTime, sysObjectID ─▶ profile ─▶ scalars ─▶ interfaces ─▶ columns ─▶ tables
//!     ▲                     │ another engine answers: once more, as a stranger
//!     └── the credential is refused, nobody answers, or the credential is another now
//! ```
//!
//! What a device does not have is remembered, and asked for again every [`RELEARN`] runs or when it began anew.

use super::counters::{Counters, UpTime};
use super::profile::{self, Profile, Reading};
use super::walk::{Asking, Pace};
use super::wire::{Fault, Oid, Session, Value, Wire};
use super::{Told, interfaces, tables};
use haidang_probe::credential::Credential;
use haidang_probe::metric::Metric;
use haidang_probe::outcome::Failure;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// Runs after which a device is asked again for what it did not have.
const RELEARN: u32 = 60;
/// Rows of a column that is a reading by itself.
const MAX_ROWS: usize = 512;

const SYS_OBJECT_ID: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 2, 0];
const SYS_UP_TIME: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 3, 0];

/// What one run is to ask.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// As whom.
    pub credential: &'a Credential,
    /// How long a request waits for its answer.
    pub wait: Duration,
    /// The profile that was said, if one was.
    pub profile: Option<&'static str>,
    /// Whether the stations behind its ports are read.
    pub stations: bool,
    /// Now, nanoseconds of our steady clock.
    pub now_ns: u64,
}

/// A device, by its address.
pub struct Device {
    address: SocketAddr,
    session: Option<Session>,
    /// What the session was opened with.
    opened: Option<(Credential, Duration)>,
    profile: Option<&'static Profile>,
    /// Changed at once, since a run may be cut off by its time-out.
    pace: Pace,
    up_time: Option<UpTime>,
    known: Known,
    runs: u32,
}

/// What earlier runs told.
#[derive(Debug, Default)]
struct Known {
    counters: Counters,
    /// What the device does not have: places in the profile's readings, and tables.
    lacks: BTreeSet<Lack>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lack {
    Reading(usize),
    Storage,
    Sensors,
    Neighbours,
}

impl Device {
    /// Nothing is known of it.
    pub fn new(address: SocketAddr) -> Device {
        Device {
            address,
            session: None,
            opened: None,
            profile: None,
            pace: Pace::new(false, 1),
            up_time: None,
            known: Known::default(),
            runs: 0,
        }
    }

    /// One run: what it tells goes into `told`, also when the run fails half-way.
    ///
    /// # Errors
    /// Why the device tells nothing, or not all.
    pub async fn run(&mut self, wire: &Wire, run: &Run<'_>, told: &mut Told) -> Result<(), Failure> {
        let mut last = self.attempt(wire, run, told).await;
        if last == Err(Fault::Stranger) {
            told.clear();
            self.session = None;
            last = self.attempt(wire, run, told).await;
        }
        let failed = match last {
            Ok(()) => return Ok(()),
            Err(Fault::Failed(failure)) => failure,
            Err(Fault::Stranger) => Failure::SnmpAuth,
            Err(Fault::TooBig | Fault::Missing(_)) => Failure::SnmpError,
        };
        // Whoever answers next may be another device, or the same with another engine.
        if matches!(failed, Failure::SnmpAuth | Failure::Timeout | Failure::Protocol) {
            self.session = None;
        }
        Err(failed)
    }

    /// Its name leads to `address` now: at another one is another device.
    pub fn is_at(&mut self, address: SocketAddr) {
        if self.address != address {
            *self = Device::new(address);
        }
    }

    async fn attempt(&mut self, wire: &Wire, run: &Run<'_>, told: &mut Told) -> Result<(), Fault> {
        let same = self
            .opened
            .as_ref()
            .is_some_and(|(as_whom, wait)| (as_whom, wait) == (run.credential, &run.wait));
        if !same {
            self.session = None;
        }
        let session = match self.session.take() {
            Some(session) => session,
            None => wire.open(self.address, run.credential, run.wait).await.map_err(Fault::Failed)?,
        };
        self.opened = Some((run.credential.clone(), run.wait));
        let read = self.read(&session, run, told).await;
        self.session = Some(session);
        read
    }

    async fn read(&mut self, session: &Session, run: &Run<'_>, told: &mut Told) -> Result<(), Fault> {
        let mut first = Pace::new(false, 1);
        let mut greeting = Asking::new(session, &mut first);
        let known = greeting.get(&[Oid::from_slice(&SYS_UP_TIME), Oid::from_slice(&SYS_OBJECT_ID)]).await?;
        self.greet(&known, run, told);
        let Some(profile) = self.profile else { return Err(Fault::Failed(Failure::Local)) };
        let mut asking = Asking::new(session, &mut self.pace);
        let read = self.known.tables(&mut asking, profile, run, told).await;
        let (values, requests) = (asking.values + known.len(), asking.requests + 1);
        if read.is_ok() {
            self.pace.went_well();
        }
        told.note(Metric::SnmpValues, "", values as f64);
        told.note(Metric::SnmpRequests, "", requests as f64);
        told.note(Metric::SnmpRepetitions, "", self.pace.values() as f64);
        read
    }

    /// Who it is, and whether it began anew.
    fn greet(&mut self, known: &[(Oid, Value)], run: &Run<'_>, told: &mut Told) {
        let told_of =
            |object: &[u32]| known.iter().find(|(oid, _)| oid.arcs() == object).map(|(_, value)| value);
        let object = match told_of(&SYS_OBJECT_ID) {
            Some(Value::Oid(object)) => Some(object),
            _ => None,
        };
        let profile = run.profile.and_then(profile::named).or_else(|| profile::of(object));
        let name = profile.map_or("", |profile| profile.name);
        let mut afresh = self.profile.is_none_or(|known| known.name != name);
        if let Some(profile) = profile.filter(|_| afresh) {
            self.profile = Some(profile);
            self.pace = Pace::new(profile.bulk, profile.values);
            tracing::info!(device = %self.address, profile = name, object = ?object.map(Oid::arcs), "device known");
        }
        if let Some(Value::Ticks(ticks)) = told_of(&SYS_UP_TIME) {
            let now = UpTime { ticks: *ticks, read_ns: run.now_ns };
            let restarted = self.up_time.replace(now).is_some_and(|before| before.restarted(now));
            if restarted {
                tracing::info!(device = %self.address, "the device began anew");
                self.known.counters.forget();
                afresh = true;
            }
            told.note(Metric::SysUpTime, "", f64::from(*ticks) / 100.0);
        }
        self.runs += 1;
        if afresh || self.runs.is_multiple_of(RELEARN) {
            self.known.lacks.clear();
        }
    }
}

impl Known {
    async fn tables(
        &mut self,
        asking: &mut Asking<'_>,
        profile: &'static Profile,
        run: &Run<'_>,
        told: &mut Told,
    ) -> Result<(), Fault> {
        self.scalars(asking, profile, told).await?;
        let (names, read) = interfaces::read(asking, &mut self.counters, told).await;
        read?;
        self.columns(asking, profile, told).await?;
        if self.asks(Lack::Storage) {
            let rows = tables::storage(asking, told).await?;
            self.learn(Lack::Storage, rows);
        }
        if self.asks(Lack::Sensors) {
            let rows = tables::sensors(asking, told).await?;
            self.learn(Lack::Sensors, rows);
        }
        if self.asks(Lack::Neighbours) {
            let rows = tables::neighbours(asking, &names, told).await?;
            self.learn(Lack::Neighbours, rows);
        }
        if run.stations {
            tables::stations(asking, &names, told).await?;
        }
        Ok(())
    }

    fn asks(&self, what: Lack) -> bool {
        !self.lacks.contains(&what)
    }

    fn learn(&mut self, what: Lack, rows: usize) {
        if rows == 0 {
            self.lacks.insert(what);
        }
    }

    async fn scalars(
        &mut self,
        asking: &mut Asking<'_>,
        profile: &'static Profile,
        told: &mut Told,
    ) -> Result<(), Fault> {
        let scalars = self.readings(profile, true);
        let wanted: Vec<Oid> = scalars.iter().map(|(_, reading)| reading.object.clone()).collect();
        let values: BTreeMap<Oid, Value> = asking.get(&wanted).await?.into_iter().collect();
        for (nth, reading) in scalars {
            let said = values.get(&reading.object).and_then(Value::number);
            self.learn(Lack::Reading(nth), usize::from(said.is_some()));
            if let Some(value) = said.and_then(|said| reading.value(said)) {
                told.note_first(reading.metric, reading.part.as_str(), value);
            }
        }
        Ok(())
    }

    async fn columns(
        &mut self,
        asking: &mut Asking<'_>,
        profile: &'static Profile,
        told: &mut Told,
    ) -> Result<(), Fault> {
        let columns = self.readings(profile, false);
        let roots: Vec<Oid> = columns.iter().map(|(_, reading)| reading.object.clone()).collect();
        let mut rows = vec![0; columns.len()];
        let row = |nth: usize, index: &[u32], value: Value| {
            let Some(((_, reading), said)) = columns.get(nth).zip(value.number()) else { return };
            rows[nth] += 1;
            if let Some(value) = reading.value(said) {
                let index: Vec<String> = index.iter().map(u32::to_string).collect();
                told.note_first(reading.metric, format!("{} {}", reading.part, index.join(".")), value);
            }
        };
        let read = asking.columns(&roots, MAX_ROWS, row).await;
        for ((nth, _), rows) in columns.iter().zip(&rows) {
            if read.is_ok() {
                self.learn(Lack::Reading(*nth), *rows);
            }
        }
        read
    }

    /// The profile's readings that are scalars or are not, but for those the device lacks.
    fn readings(&self, profile: &'static Profile, scalars: bool) -> Vec<(usize, &'static Reading)> {
        let all = profile.readings.iter().enumerate();
        all.filter(|(nth, reading)| reading.is_scalar() == scalars && self.asks(Lack::Reading(*nth)))
            .collect()
    }
}
