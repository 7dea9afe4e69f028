//! The small province with a full house: every office has an agent with a switch, a camera and a portal to ask.

use super::{
    incidents,
    province::{Province, START},
};
use haidang_collector::incident::{Incident, RootKind};
use haidang_collector::topology::{AskedBy, Device, DeviceKind, Observe, Service, Topology};
use haidang_collector::watch::Verdict;
use haidang_probe::{
    check::{Check, CheckId, ProbeKind, Span, With},
    metric::Metric,
    moment::{BootId, Moment},
    outcome::{Failure, Outcome, Sample},
};
use std::collections::BTreeMap;
use std::time::Duration;

const EVERY: i64 = 10_000;
pub const DAY: i64 = 86_400_000;
pub const PORTAL: &str = "service/portal";

/// A run of a check by its name, sent at `at`, UTC ms.
pub fn outcome(boot: u8, at: i64, name: &str, result: Result<(), Failure>) -> Outcome {
    let sent = Moment { boot: BootId([boot; 16]), mono_ns: ((at - START + 1) * 1_000_000) as u64 };
    let result = result.map(|()| Duration::from_millis(1));
    Outcome { check: CheckId::of_name(name), sent, result, samples: Vec::new() }
}

/// A check each ten seconds.
pub fn check(name: &str, probe: ProbeKind) -> Check {
    let (every, timeout) = (Span(Duration::from_secs(10)), Span(Duration::from_secs(2)));
    Check {
        id: None,
        name: name.into(),
        probe,
        target: "192.168.1.9".into(),
        every,
        timeout,
        with: With::default(),
    }
}

fn service(id: &str, asked_by: AskedBy) -> Service {
    let check = check(&format!("service/{id}"), ProbeKind::Http);
    Service { name: id.into(), owner: "Trung tâm CNTT tỉnh".into(), outside: true, check, asked_by }
}

/// Every site has an agent, a switch, a camera and a portal of its own; all and the centre ask the portal of the
/// province, and c04 alone asks the document axis.
fn furnished(topology: &mut Topology) {
    let everybody = AskedBy { core: true, all: true, tags: [].into() };
    topology.services.insert("portal".into(), service("portal", everybody));
    let one = AskedBy { core: false, all: false, tags: ["axis".to_owned()].into() };
    topology.services.insert("axis".into(), service("axis", one));
    topology.sites.get_mut("c04").unwrap().tags.insert("axis".into());
    let ids: Vec<String> = topology.offices().map(|(id, _)| id.clone()).collect();
    for id in ids {
        let site = topology.sites.get_mut(&id).unwrap();
        site.observe = Observe::Gateway;
        for (short, kind, probe) in [
            ("sw", DeviceKind::Switch, ProbeKind::Icmp),
            ("cam", DeviceKind::Camera, ProbeKind::Tcp),
            ("web", DeviceKind::Portal, ProbeKind::Http),
        ] {
            let device = format!("{id}-{short}");
            let checks = vec![check(&format!("{device}/{}", probe.name()), probe)];
            site.devices.insert(device.clone(), Device { name: device, kind, checks });
        }
    }
}

/// The province with what its agents see.
pub struct Offices {
    pub province: Province,
    pub asked: BTreeMap<String, Vec<String>>,
    /// What fails, by site (or `*`) and check.
    pub wrong: BTreeMap<(String, String), Failure>,
    /// When certificates end, by check, UTC ms.
    pub ends: BTreeMap<String, i64>,
    /// What agents could not send.
    kept: BTreeMap<String, Vec<Outcome>>,
    /// Batches of one second come in the opposite order.
    pub backwards: bool,
}

impl Offices {
    pub fn new() -> Offices {
        Offices::with(|_| {})
    }

    /// A minute in which everything works.
    pub fn with(change: fn(&mut Topology)) -> Offices {
        let province = Province::with_record(|topology| {
            furnished(topology);
            change(topology);
        });
        let record = province.watch.topology();
        let core: Vec<String> = record.core_checks().into_iter().map(|check| check.name).collect();
        let asks = |site: &String| {
            let names = record.checks_of(site).into_iter().map(|check| check.name);
            names.filter(|name| !core.contains(name)).collect()
        };
        let asked = record.sites.keys().map(|site| (site.clone(), asks(site))).collect();
        let (wrong, ends, kept) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut offices = Offices { province, asked, wrong, ends, kept, backwards: false };
        offices.run(60);
        offices
    }

    pub fn fail(&mut self, site: &str, check: &str, failure: Failure) -> &mut Offices {
        self.wrong.insert((site.into(), check.into()), failure);
        self
    }

    pub fn mend(&mut self) -> &mut Offices {
        self.wrong.clear();
        self
    }

    pub fn run(&mut self, seconds: usize) -> &mut Offices {
        for _ in 0..seconds {
            self.province.run(1.0);
            self.tell();
        }
        self
    }

    /// Each agent tells what ended in the last second, if it has a way to.
    fn tell(&mut self) {
        let cut_off = self.province.cut_off();
        let now = self.province.now;
        let mut sites: Vec<(usize, String)> = self.asked.keys().cloned().enumerate().collect();
        if self.backwards {
            sites.reverse();
        }
        for (number, site) in sites {
            let outcomes = self.outcomes(number as i64, &site, now);
            if cut_off.contains(&site) {
                self.kept.entry(site).or_default().extend(outcomes);
                continue;
            }
            if let Some(kept) = self.kept.remove(&site) {
                self.province.agent_posts(&site, 9, true, kept);
            }
            if !outcomes.is_empty() {
                self.province.agent_posts(&site, 9, false, outcomes);
            }
        }
    }

    fn outcomes(&self, number: i64, site: &str, now: i64) -> Vec<Outcome> {
        let due = |place: usize| (now / 1000 + number * 3 + place as i64) % (EVERY / 1000) == 0;
        let asked = self.asked[site].iter().enumerate().filter(|(place, _)| due(*place));
        asked.map(|(_, check)| self.outcome(site, check, now)).collect()
    }

    fn outcome(&self, site: &str, check: &str, now: i64) -> Outcome {
        let told = |site: &str| self.wrong.get(&(site.to_owned(), check.to_owned()));
        let failure = told(site).or_else(|| told("*")).copied();
        let took = if failure == Some(Failure::Timeout) { 2_000 } else { 50 };
        let mut run = outcome(9, now - took, check, failure.map_or(Ok(()), Err));
        let ends = self.ends.get(check).map(|ends| *ends as f64 / 1000.0);
        run.samples.extend(ends.map(|value| Sample {
            metric: Metric::CertExpiry,
            part: String::new(),
            value,
        }));
        run
    }

    /// What findings say of checks.
    pub fn unwell(&self) -> Vec<String> {
        let findings = self.province.watch.findings();
        findings.into_iter().map(|finding| finding.subject).filter(|subject| subject.contains('/')).collect()
    }

    pub fn found(&self, kind: &str, subject: &str) -> bool {
        self.province.watch.findings().iter().any(|f| f.kind == kind && f.subject == subject)
    }

    pub fn device(&self, id: &str) -> Verdict {
        let devices = self.province.watch.devices(id.split_once('-').unwrap().0);
        devices.into_iter().find(|device| device.id == id).unwrap().verdict
    }

    /// Incidents of this kind of root.
    pub fn about(&self, root: RootKind) -> Vec<Incident> {
        incidents(&self.province).into_iter().filter(|incident| incident.root.kind == root).collect()
    }
}
