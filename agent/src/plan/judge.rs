//! What a plan must be beyond its shape, each fault at its place.

use super::{Asked, Loaded};
use crate::dial::Trust;
use crate::spool::LEAST_BYTES;
use haidang_daemon::listen::Listen;
use haidang_daemon::yaml::{self, Fault, Faults, Location, Spanned};
use haidang_probe::ask::place::Place;
use haidang_probe::ask::url::Url;
use haidang_probe::batch::limit::MAX_AGENT_BYTES;
use haidang_probe::check::{Check, CheckId, Span};
use haidang_probe::credential::{Credentials, MAX_CREDENTIALS};
use haidang_probe::key::unhex;
use haidang_probe::liveness::down_session;
use haidang_probe::plan::{MAX_CHECKS, MAX_UPLINKS, Plan, Uplink};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

/// Octets of a secret.
pub(super) const SECRET: usize = 32;

/// Shortest interval of a check.
const SHORTEST: Duration = Duration::from_millis(50);

/// Between these a plan's `flush` must be.
pub(super) const FLUSH: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(300));

/// Between these an uplink's `every` must be: the cookies of a session live three minutes.
pub(super) const EVERY_BETWEEN: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(60);

/// The file again, for the places of what is judged. Its shape is known to be good.
#[derive(Deserialize)]
struct Places {
    agent: Spanned<String>,
    secret: Option<Spanned<String>>,
    uplinks: Spanned<Vec<UplinkPlaces>>,
    authority: Option<Spanned<String>>,
    listen: Option<Spanned<String>>,
    flush: Option<Spanned<String>>,
    spool_bytes: Option<Spanned<u64>>,
    spool_raw: Option<Spanned<String>>,
    spool_digests: Option<Spanned<String>>,
    #[serde(default)]
    checks: Vec<CheckPlaces>,
    #[serde(default)]
    credentials: Vec<BTreeMap<String, Spanned<IgnoredAny>>>,
}

#[derive(Deserialize)]
struct UplinkPlaces {
    ssid: Spanned<u16>,
    collector: Spanned<String>,
    pin: Option<Spanned<String>>,
    source: Option<Spanned<String>>,
    every: Option<Spanned<String>>,
}

#[derive(Deserialize)]
struct CheckPlaces {
    name: Spanned<String>,
    target: Option<Spanned<String>>,
    every: Option<Spanned<String>>,
    timeout: Option<Spanned<String>>,
    #[serde(default)]
    with: BTreeMap<String, Spanned<IgnoredAny>>,
}

impl CheckPlaces {
    /// Where the target stands, or a setting; where the check begins when it does not say it.
    fn of(&self, setting: Option<&str>) -> Location {
        let found = match setting {
            Some(key) => self.with.get(key).map(|setting| setting.referenced),
            None => self.target.as_ref().map(|target| target.referenced),
        };
        found.unwrap_or(self.name.referenced)
    }
}

struct Judge<'a> {
    file: &'a Path,
    faults: Faults,
}

/// The plan with its targets understood, or all that is wrong with it.
pub(super) fn judge(file: &Path, text: &str, plan: Plan) -> Result<Loaded, Faults> {
    let places: Places = yaml::parse(file, text)?;
    let mut judge = Judge { file, faults: Faults::default() };
    let secrets = places.secret.as_ref().map(|secret| judge.secret(secret)).into_iter().collect();
    judge.settings(&plan, &places);
    judge.uplinks(&plan.uplinks, &places);
    let checks = judge.checks(&plan.checks, &places.checks);
    let credentials = judge.credentials(&plan, &places);
    judge.faults.or(Loaded { secrets, checks, credentials, digest: plan.orders().digest(), plan })
}

impl Judge<'_> {
    fn fault(&mut self, place: Location, message: impl Into<String>) {
        self.faults.push(Fault::at(self.file, place, message));
    }

    fn secret(&mut self, secret: &Spanned<String>) -> Vec<u8> {
        let octets = unhex(&secret.value).filter(|octets| octets.len() == SECRET);
        if octets.is_none() {
            self.fault(
                secret.referenced,
                "secret is not 64 hex digits; `haidang-collector agent add SITE --out DIR` makes one",
            );
        }
        octets.unwrap_or_default()
    }

    fn settings(&mut self, plan: &Plan, places: &Places) {
        if plan.agent.is_empty() || plan.agent.len() > MAX_AGENT_BYTES {
            let message = format!("agent is the id of its site, 1 to {MAX_AGENT_BYTES} octets");
            self.fault(places.agent.referenced, message);
        }
        if let Some(place) = &places.authority
            && let Err(message) = Trust::in_pem(&place.value)
        {
            self.fault(place.referenced, format!("authority: {message}; write certificates in PEM"));
        }
        if let (Some(listen), Some(place)) = (plan.listen, &places.listen)
            && let Err(error) = Listen::on(listen).permitted()
        {
            self.fault(place.referenced, error.to_string());
        }
        if let Some(place) = places.flush.as_ref().filter(|_| !(FLUSH.0..=FLUSH.1).contains(&plan.flush.0)) {
            let message = format!("flush is between {} and {}", Span(FLUSH.0), Span(FLUSH.1));
            self.fault(place.referenced, message);
        }
        if let Some(place) = places.spool_bytes.as_ref().filter(|bytes| bytes.value < LEAST_BYTES) {
            self.fault(place.referenced, format!("spool_bytes is at least {LEAST_BYTES} (4 MiB)"));
        }
        if plan.spool_digests.0 < plan.spool_raw.0
            && let Some(place) = places.spool_digests.as_ref().or(places.spool_raw.as_ref())
        {
            self.fault(place.referenced, "spool_digests is no shorter than spool_raw");
        }
    }

    fn uplinks(&mut self, uplinks: &[Uplink], places: &Places) {
        if uplinks.is_empty() || uplinks.len() > MAX_UPLINKS {
            self.fault(places.uplinks.referenced, format!("an agent has 1 to {MAX_UPLINKS} uplinks"));
        }
        let mut sessions: BTreeMap<u16, &str> = BTreeMap::new();
        for (uplink, place) in uplinks.iter().zip(&places.uplinks.value) {
            if let Err(message) = collector(uplink, places.secret.is_some()) {
                self.fault(place.collector.referenced, message);
            }
            if let Some(source) =
                place.source.as_ref().or(place.pin.as_ref()).filter(|_| family_differs(uplink))
            {
                self.fault(source.referenced, "source, pin and stamp are not of one address family");
            }
            if let Some(every) = place.every.as_ref().filter(|_| !EVERY_BETWEEN.contains(&uplink.every.0)) {
                let (least, most) = (Span(*EVERY_BETWEEN.start()), Span(*EVERY_BETWEEN.end()));
                self.fault(every.referenced, format!("every is between {least} and {most}"));
            }
            if uplink.ssid == 0 || uplink.ssid == u16::MAX {
                self.fault(place.ssid.referenced, "ssid is between 1 and 65534, as the collector gave it");
            }
            for session in [uplink.ssid, down_session(uplink.ssid)] {
                if let Some(other) = sessions.insert(session, &uplink.line) {
                    let message =
                        format!("session {session} is already that of uplink `{other}`; each takes two");
                    self.fault(place.ssid.referenced, message);
                }
            }
        }
    }

    fn checks(&mut self, checks: &[Check], places: &[CheckPlaces]) -> BTreeMap<CheckId, Asked> {
        let mut asked: BTreeMap<_, Asked> = BTreeMap::new();
        for (nth, (check, place)) in checks.iter().zip(places).enumerate() {
            if nth == MAX_CHECKS {
                self.fault(place.name.referenced, format!("more than {MAX_CHECKS} checks"));
                break;
            }
            self.times(check, place);
            match Asked::of(check) {
                Err(wrong) => self.fault(place.of(wrong.setting.as_deref()), wrong.message),
                Ok(question) => {
                    if let Some(other) = asked.insert(check.id(), question) {
                        let message = format!("check `{}` has the id of check `{}`", check.name, other.name);
                        self.fault(place.name.referenced, message);
                    }
                }
            }
        }
        asked
    }

    /// Each is whole and stands once, and each check's is there.
    fn credentials(&mut self, plan: &Plan, places: &Places) -> Credentials {
        let mut all = Credentials::new();
        for (credential, place) in plan.credentials.iter().zip(&places.credentials) {
            let at = |key: &str| {
                place.get(key).or(place.get("id")).map_or(Location::UNKNOWN, |key| key.referenced)
            };
            if let Some(wrong) = credential.wrong() {
                self.fault(at(wrong.setting.as_deref().unwrap_or("id")), wrong.message);
            }
            if all.insert(credential.id.clone(), credential.clone()).is_some() || all.len() > MAX_CREDENTIALS
            {
                let message =
                    format!("duplicate credential `{}`, or more than {MAX_CREDENTIALS}", credential.id);
                self.fault(at("id"), message);
            }
        }
        for (check, place) in plan.checks.iter().zip(&places.checks) {
            if let Some(name) = check.credential().filter(|name| !all.contains_key(*name)) {
                let message = yaml::unknown("credential", name, all.keys().map(String::as_str));
                self.fault(place.of(Some("credential")), message);
            }
        }
        all
    }

    fn times(&mut self, check: &Check, place: &CheckPlaces) {
        if let Some(every) = place.every.as_ref().filter(|_| check.every.0 < SHORTEST) {
            self.fault(every.referenced, format!("every is at least {}", Span(SHORTEST)));
        }
        if let Some(timeout) = place.timeout.as_ref().filter(|_| check.timeout.0.is_zero()) {
            self.fault(timeout.referenced, "timeout is more than nothing");
        }
    }
}

/// The token must not cross a network in plain text, and a certificate cannot.
fn collector(uplink: &Uplink, by_token: bool) -> Result<(), String> {
    let url = Url::parse(&uplink.collector)?;
    if !by_token && !url.tls {
        return Err("an enrolled agent, which has no `secret`, reaches its collector by https://".into());
    }
    let here = match &url.endpoint.place {
        Place::Address(address) => address.to_canonical().is_loopback(),
        Place::Name(name) => name == "localhost",
        Place::DefaultGateway | Place::Resolver => false,
    };
    if url.tls || here {
        return Ok(());
    }
    Err(format!("`{}` would carry the agent's token in plain text; write https://", uplink.collector))
}

pub(super) fn family_differs(uplink: &Uplink) -> bool {
    let stamp = uplink.stamp_address();
    uplink.source.is_some_and(|source| source.is_ipv4() != stamp.is_ipv4())
}
