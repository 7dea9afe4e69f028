//! What a simulated agent sees while it does its checks: plausible, and a function of check and time. Pure.
//!
//! ICMP and SNMP ask the LAN and always answer; interface and uptime ask the gateway itself; TCP, HTTP and STAMP ask
//! the centre, and time out while no line of the site lives. A silent gateway and a failing service time out too.

use crate::switches::Services;
use crate::weather::{hash, mix, share};
use haidang_probe::check::{Check, CheckId, ProbeKind};
use haidang_probe::metric::Metric;
use haidang_probe::moment::{BootId, Moment};
use haidang_probe::outcome::{Failure, Outcome, Sample};
use std::collections::BTreeSet;
use std::time::Duration;

/// Most runs of one check made up in one turn; a check more often than that is thinned.
const RUNS: u64 = 20;

/// A site's agent at its checks.
#[derive(Clone, Debug)]
pub struct Routine {
    seed: u64,
    boot: BootId,
    booted_ns: u64,
    checks: Vec<Check>,
    gateway: BTreeSet<CheckId>,
}

/// What a routine meets while it asks.
#[derive(Clone, Debug)]
pub struct Met {
    /// Some line of the site lives.
    pub reached: bool,
    /// The gateway answers on the LAN.
    pub gateway: bool,
    /// Which services fail.
    pub services: Services,
}

impl Routine {
    /// The routine of `site`, on a machine that booted as `boot` at `booted_ns`; the checks named in `gateway` ask
    /// its gateway on the LAN.
    pub fn new(site: &str, (boot, booted_ns): (BootId, u64), gateway: BTreeSet<CheckId>) -> Routine {
        Routine { seed: mix(hash(site)), boot, booted_ns, checks: Vec::new(), gateway }
    }

    /// Does these checks from now on.
    pub fn follow(&mut self, checks: Vec<Check>) {
        self.checks = checks;
    }

    /// The machine booted anew, as `boot` at `booted_ns`.
    pub fn boot(&mut self, boot: BootId, booted_ns: u64) {
        (self.boot, self.booted_ns) = (boot, booted_ns);
    }

    /// The runs due after `from_ns` and up to `to_ns`, in order of time.
    pub fn runs(&self, from_ns: u64, to_ns: u64, met: &Met) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = self
            .checks
            .iter()
            .flat_map(|check| self.due(check, from_ns, to_ns).map(|at_ns| self.run(check, at_ns, met)))
            .collect();
        outcomes.sort_by_key(|outcome| outcome.sent.mono_ns);
        outcomes
    }

    /// When `check` runs in the turn: every `every`, at a phase of its own.
    fn due(&self, check: &Check, from_ns: u64, to_ns: u64) -> impl Iterator<Item = u64> + use<> {
        let least_ns = to_ns.saturating_sub(from_ns).div_ceil(RUNS).max(1);
        let every_ns = (check.every.0.as_nanos() as u64).max(least_ns);
        let phase_ns = mix(self.seed ^ hash(&check.name)) % every_ns;
        let past = |ns: u64| (ns + every_ns - phase_ns) / every_ns;
        (past(from_ns)..past(to_ns)).map(move |turn| turn * every_ns + phase_ns)
    }

    fn run(&self, check: &Check, at_ns: u64, met: &Met) -> Outcome {
        let random = share(mix(self.seed ^ mix(hash(&check.name) ^ at_ns)));
        let took = |least_us: f64, spread_us: f64| {
            Duration::from_nanos(((least_us + spread_us * random * random) * 1_000.0) as u64)
        };
        let up_ns = at_ns.saturating_sub(self.booted_ns);
        let silent = !met.gateway && self.gateway.contains(&check.id()) || met.services.fails(&check.name);
        let beyond = |took| if met.reached { Ok(took) } else { Err(Failure::Timeout) };
        let (result, samples) = match check.probe {
            _ if silent => (Err(Failure::Timeout), Vec::new()),
            ProbeKind::Icmp => (Ok(took(250.0, 900.0)), Vec::new()),
            ProbeKind::Interface => (Ok(took(40.0, 60.0)), self.counters(&check.target, up_ns)),
            ProbeKind::Uptime => (Ok(took(1.0, 1.0)), vec![sample(Metric::Uptime, "", up_ns as f64 / 1e9)]),
            ProbeKind::Http if met.reached => {
                (Ok(took(12_000.0, 30_000.0)), vec![sample(Metric::HttpStatus, "", 200.0)])
            }
            ProbeKind::Machine => (Ok(took(300.0, 400.0)), self.load(at_ns)),
            // No simulated site has a UPS.
            ProbeKind::Nut => (Err(Failure::Unsupported), Vec::new()),
            ProbeKind::Snmp => {
                let answered = vec![sample(Metric::SysUpTime, "", up_ns as f64 / 1e9)];
                (Ok(took(2_000.0, 6_000.0)), answered)
            }
            ProbeKind::Path => Routine::path(met.reached, random),
            ProbeKind::Http | ProbeKind::Tcp | ProbeKind::Stamp | ProbeKind::Dns => {
                (beyond(took(8_000.0, 20_000.0)), Vec::new())
            }
        };
        let sent = Moment { boot: self.boot, mono_ns: up_ns };
        Outcome { check: check.id(), sent, result, samples }
    }

    /// The gateway, the carrier's first router, its core, the centre; without a line all but the first are silent.
    fn path(reached: bool, random: f64) -> (Result<Duration, Failure>, Vec<Sample>) {
        let trips = [0.000_4, 0.004, 0.007, 0.009].map(|least| least * (1.0 + 0.5 * random));
        let answering = if reached { trips.len() } else { 1 };
        let mut samples =
            vec![sample(Metric::PathLastHop, "", answering as f64), sample(Metric::PathChanges, "", 0.0)];
        let hops = (1..).zip(&trips[..answering]);
        samples.extend(hops.map(|(hop, trip): (u8, _)| sample(Metric::PathHopRtt, &hop.to_string(), *trip)));
        if !reached {
            return (Err(Failure::Timeout), samples);
        }
        samples.push(sample(Metric::PathHops, "", answering as f64));
        (Ok(Duration::from_secs_f64(trips[answering - 1])), samples)
    }

    /// A small gateway at its ease, warmer by day.
    fn load(&self, at_ns: u64) -> Vec<Sample> {
        let wave = (at_ns as f64 / 1e9 * std::f64::consts::TAU / 86_400.0).sin();
        let own = share(mix(self.seed ^ 3));
        let memory = f64::from(128 << 20);
        vec![
            sample(Metric::Load1, "", 0.2 + 0.1 * own + 0.1 * wave),
            sample(Metric::MemoryTotal, "", memory),
            sample(Metric::MemoryAvailable, "", (memory * (0.4 + 0.2 * own)).floor()),
            sample(Metric::Temperature, "cpu-thermal", 44.0 + 8.0 * own + 3.0 * wave),
        ]
    }

    /// Counters since boot of an office line: some megabits a second, more by day than by night.
    fn counters(&self, interface: &str, up_ns: u64) -> Vec<Sample> {
        let part = if interface == "*" { "eth0" } else { interface };
        let seconds = up_ns as f64 / 1e9;
        let day = std::f64::consts::TAU / 86_400.0;
        // The integral of 1 - cos/2 over the day: it only grows.
        let grown = seconds - (day * seconds).sin() / day / 2.0;
        let bytes = |seed: u64| (grown * (50_000.0 + 600_000.0 * share(mix(self.seed ^ seed)))).floor();
        vec![
            sample(Metric::IfInOctets, part, bytes(1)),
            sample(Metric::IfOutOctets, part, bytes(2) / 4.0),
            sample(Metric::IfInErrors, part, 0.0),
            sample(Metric::IfOutErrors, part, 0.0),
            sample(Metric::IfOperStatus, part, 1.0),
        ]
    }
}

fn sample(metric: Metric, part: &str, value: f64) -> Sample {
    Sample { metric, part: part.to_owned(), value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::effects::Effects;
    use crate::map::tests::map;
    use crate::switches::Switches;
    use haidang_probe::check::{Span, With};

    const SECOND: u64 = 1_000_000_000;

    fn check(probe: ProbeKind, target: &str, every_s: u64) -> Check {
        let (every, timeout) = (Span(Duration::from_secs(every_s)), Span(Duration::from_secs(1)));
        Check {
            id: None,
            name: probe.name().into(),
            probe,
            target: target.into(),
            every,
            timeout,
            with: With::default(),
        }
    }

    fn routine() -> Routine {
        let checks = vec![
            check(ProbeKind::Icmp, "192.168.1.1", 10),
            check(ProbeKind::Http, "https://portal.example/", 10),
            check(ProbeKind::Interface, "*", 30),
            check(ProbeKind::Uptime, "", 60),
        ];
        let gateway = [checks[0].id()].into();
        let mut routine = Routine::new("28249-tt", (BootId([1; 16]), 0), gateway);
        routine.follow(checks);
        routine
    }

    fn met(reached: bool) -> Met {
        Met { reached, gateway: true, services: Services::default() }
    }

    fn of(routine: &Routine, probe: ProbeKind, to_s: u64, reached: bool) -> Vec<Outcome> {
        let id = check(probe, "", 1).id();
        let mut outcomes = Vec::new();
        for turn in 0..to_s / 10 {
            outcomes.extend(routine.runs(turn * 10 * SECOND, (turn + 1) * 10 * SECOND, &met(reached)));
        }
        outcomes.into_iter().filter(|outcome| outcome.check == id).collect()
    }

    #[test]
    fn each_check_runs_at_its_own_interval_over_any_turns() {
        for (probe, runs) in [(ProbeKind::Icmp, 60), (ProbeKind::Interface, 20), (ProbeKind::Uptime, 10)] {
            let outcomes = of(&routine(), probe, 600, true);
            assert_eq!(outcomes.len(), runs, "{}", probe.name());
            let gaps: Vec<u64> =
                outcomes.windows(2).map(|two| two[1].sent.mono_ns - two[0].sent.mono_ns).collect();
            assert!(gaps.iter().all(|gap| *gap == 600 / runs as u64 * SECOND), "{gaps:?}");
        }
    }

    #[test]
    fn what_lies_beyond_the_lines_times_out_without_one() {
        let cut = |probe| of(&routine(), probe, 60, false).iter().all(|outcome| outcome.result.is_err());
        assert!(cut(ProbeKind::Http));
        assert!(!cut(ProbeKind::Icmp) && !cut(ProbeKind::Interface));
        assert!(of(&routine(), ProbeKind::Http, 60, true).iter().all(|outcome| outcome.result.is_ok()));
    }

    #[test]
    fn a_dark_gateway_fails_its_checks_alone() {
        let dark = Met { gateway: false, ..met(true) };
        let failed = |outcome: &Outcome| outcome.result.is_err();
        let (silent, well): (Vec<_>, Vec<_>) =
            routine().runs(0, 60 * SECOND, &dark).into_iter().partition(failed);
        let gateway = check(ProbeKind::Icmp, "", 1).id();
        assert!(silent.len() == 6 && silent.iter().all(|outcome| outcome.check == gateway));
        assert_eq!(well.len(), 9);
    }

    #[test]
    fn a_failing_service_fails_its_check_wherever_it_is_asked() {
        let switches = Switches::new(&map());
        let failing = Effects { failing: ["portal".into()].into(), ..Effects::default() };
        let portal =
            Check { name: "service/portal".into(), ..check(ProbeKind::Http, "https://portal.example/", 10) };
        let mut routine = routine();
        routine.follow(vec![portal, check(ProbeKind::Tcp, "10.0.0.1:443", 10)]);
        let failed = || {
            let outcomes = routine.runs(0, 60 * SECOND, &Met { services: switches.services(), ..met(true) });
            assert_eq!(outcomes.len(), 12);
            outcomes.iter().filter(|outcome| outcome.result.is_err()).count()
        };
        assert_eq!(failed(), 0);
        switches.set(&failing);
        assert_eq!(failed(), 6);
        switches.set(&Effects::default());
        assert_eq!(failed(), 0);
    }

    #[test]
    fn a_new_boot_begins_to_count_anew() {
        let mut routine = routine();
        routine.boot(BootId([2; 16]), 3_600 * SECOND);
        for outcome in routine.runs(3_600 * SECOND, 3_660 * SECOND, &met(true)) {
            assert_eq!(outcome.sent.boot, BootId([2; 16]));
            assert!(outcome.sent.mono_ns <= 60 * SECOND);
            for sample in outcome.samples.iter().filter(|sample| sample.metric == Metric::Uptime) {
                assert!(sample.value <= 60.0);
            }
        }
    }

    #[test]
    fn counters_only_grow() {
        let outcomes = of(&routine(), ProbeKind::Interface, 200_000, true);
        for metric in [Metric::IfInOctets, Metric::IfOutOctets] {
            let values: Vec<f64> = outcomes
                .iter()
                .flat_map(|outcome| outcome.samples.iter().filter(|sample| sample.metric == metric))
                .map(|sample| sample.value)
                .collect();
            assert!(values.windows(2).all(|two| two[0] < two[1]), "{}", metric.name());
        }
    }

    #[test]
    fn a_check_of_every_millisecond_is_thinned() {
        let busy =
            Check { every: Span(Duration::from_millis(1)), ..check(ProbeKind::Icmp, "192.168.1.1", 1) };
        let mut routine = routine();
        routine.follow(vec![busy]);
        assert_eq!(routine.runs(0, 10 * SECOND, &met(true)).len() as u64, RUNS);
    }
}
