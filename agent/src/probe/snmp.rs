//! SNMP: what a device says of its interfaces, load, storage, sensors, battery, neighbours ([`crate::snmp`]).
//!
//! The duration is the whole run's. A run that ends early (a limit, a time-out) fails and keeps what was told.

use super::{Answer, Budget, Tools};
use crate::place::Finder;
use crate::snmp::Told;
use crate::snmp::device::{Device, Run};
use crate::snmp::wire::Wire;
use haidang_daemon::clock::Clock;
use haidang_probe::ask::place::Endpoint;
use haidang_probe::ask::snmp::Question;
use haidang_probe::credential::{Credential, Credentials};
use haidang_probe::outcome::Failure;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Shortest and longest wait for the answer to one request.
const WAIT: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// A device by its name in the plan and the credential it is asked with; as many as the plan has checks. Whoever holds its
/// lock asks: one request at a time.
type Devices = BTreeMap<(Endpoint, String), Arc<tokio::sync::Mutex<Device>>>;

/// One socket, and what is known of each device.
pub struct Probe {
    clock: Clock,
    finder: Finder,
    wire: Wire,
    credentials: Mutex<Arc<Credentials>>,
    devices: Mutex<Devices>,
}

impl Probe {
    /// A probe that was given no credentials yet.
    pub fn new(tools: &Tools) -> Probe {
        Probe {
            clock: tools.clock.clone(),
            finder: tools.finder.clone(),
            wire: Wire::default(),
            credentials: Mutex::default(),
            devices: Mutex::default(),
        }
    }

    /// These are its credentials from now on; devices that are not `asked` any more are forgotten.
    pub fn learn(&self, credentials: Credentials, asked: impl Fn(&(Endpoint, String)) -> bool) {
        self.wire.retain(|name| credentials.contains_key(name));
        *self.credentials.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(credentials);
        self.devices().retain(|device, _| asked(device));
    }

    /// [`Failure::Credential`] when nobody gave the credential it names.
    pub async fn ask(&self, question: &Question, budget: Budget) -> Answer {
        let mut told = Told::default();
        let run = self.run(question, &budget, &mut told);
        let result = budget.spend(Failure::Timeout, run).await.map(|()| budget.spent());
        Answer { result, samples: told.samples }
    }

    async fn run(&self, question: &Question, budget: &Budget, told: &mut Told) -> Result<(), Failure> {
        let credential = self.credential(&question.credential).ok_or(Failure::Credential)?;
        let address = budget.spend(Failure::Resolve, self.finder.socket_address(&question.device)).await?;
        let device = self.device(question, address);
        let mut device = device.lock().await;
        device.is_at(address);
        let run = Run {
            credential: &credential,
            wait: (budget.within() / 4).clamp(WAIT.0, WAIT.1),
            profile: question.profile,
            stations: question.stations,
            now_ns: self.clock.steady_ns(),
        };
        device.run(&self.wire, &run, told).await
    }

    fn credential(&self, name: &str) -> Option<Credential> {
        self.credentials.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn device(&self, question: &Question, address: SocketAddr) -> Arc<tokio::sync::Mutex<Device>> {
        let key = (question.device.clone(), question.credential.clone());
        let new = || Arc::new(tokio::sync::Mutex::new(Device::new(address)));
        self.devices().entry(key).or_insert_with(new).clone()
    }

    fn devices(&self) -> MutexGuard<'_, Devices> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
