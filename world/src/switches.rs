//! What passes and what has power now, as every socket and every agent of the world asks it.

use crate::fault::effects::Effects;
use crate::map::{Map, Part};
use haidang_collector::topology::Id;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::watch;

/// The loss of a part that is cut: this many of as many packets.
pub const ALL: u32 = 100_000;

/// What share of packets one part, or one service, loses; clones ask the same one.
#[derive(Clone, Debug, Default)]
pub struct Switch(Arc<AtomicU32>);

impl Switch {
    /// Whether nothing passes.
    pub fn is_cut(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= ALL
    }

    /// Share of packets lost each way, beside the usual.
    pub fn loss(&self) -> f64 {
        f64::from(self.0.load(Ordering::Relaxed)) / f64::from(ALL)
    }

    fn set(&self, lost: u32) {
        self.0.store(lost, Ordering::Relaxed);
    }
}

/// What has power at a site; the later, the less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Power {
    /// Everything.
    #[default]
    On,
    /// The agent's box behind the gateway lives on its battery, and what stands beside it.
    BoxAlone,
    /// Nothing.
    Off,
}

/// How a site stands, as its agent feels it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footing {
    /// What has power.
    pub power: Power,
    /// How often the agent's machine lost its power.
    pub losses: u64,
    /// How far its clock is off, nanoseconds.
    pub clock_ns: i64,
    /// Its gateway rides on the backup line.
    pub on_backup: bool,
}

/// Services by the name of their check; a cut one fails.
#[derive(Clone, Debug, Default)]
pub struct Services(Arc<BTreeMap<String, (Id, Switch)>>);

impl Services {
    /// Whether the check of this name fails because its service does.
    pub fn fails(&self, check: &str) -> bool {
        self.0.get(check).is_some_and(|(_, switch)| switch.is_cut())
    }
}

/// The switches of all parts, sites and services.
#[derive(Debug)]
pub struct Switches {
    parts: BTreeMap<Part, Switch>,
    sites: BTreeMap<Id, watch::Sender<Footing>>,
    services: Services,
}

impl Switches {
    /// Nothing is broken.
    pub fn new(map: &Map) -> Switches {
        let parts = map.parts().into_iter().map(|part| (part, Switch::default())).collect();
        let sites = map.sites(|_, _| true).into_iter().map(|id| (id, watch::Sender::default())).collect();
        let services = map.topology.services.iter();
        let services = services.map(|(id, it)| (it.check.name.clone(), (id.clone(), Switch::default())));
        Switches { parts, sites, services: Services(Arc::new(services.collect())) }
    }

    /// The switch of a part; `None` when it is not simulated.
    pub fn of(&self, part: &Part) -> Option<Switch> {
        self.parts.get(part).cloned()
    }

    /// How a site stands, now and whenever it changes; `None` when it is not simulated.
    pub fn site(&self, id: &str) -> Option<watch::Receiver<Footing>> {
        self.sites.get(id).map(watch::Sender::subscribe)
    }

    /// All services.
    pub fn services(&self) -> Services {
        self.services.clone()
    }

    /// Exactly this is broken from now on.
    pub fn set(&self, effects: &Effects) {
        for (part, switch) in &self.parts {
            switch.set(effects.lost.get(part).copied().unwrap_or_default());
        }
        for (id, switch) in self.services.0.values() {
            switch.set(if effects.failing.contains(id) { ALL } else { 0 });
        }
        for (id, site) in &self.sites {
            let power = effects.dark.get(id).copied().unwrap_or_default();
            let clock_ns = effects.clocks.get(id).copied().unwrap_or_default();
            let on_backup = effects.on_backup.contains(id);
            site.send_if_modified(|footing| {
                let lost = power == Power::Off && footing.power != Power::Off;
                let now = Footing { power, losses: footing.losses + u64::from(lost), clock_ns, on_backup };
                std::mem::replace(footing, now) != now
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::tests::map;

    #[test]
    fn exactly_what_is_said_is_silent() {
        let (line, core) = (Part::Line("28249-1".into()), Part::Core("vnpt".into()));
        let switches = Switches::new(&map());
        let switch = switches.of(&line).unwrap();
        switches.set(&Effects::silent([line.clone()]));
        assert!(switch.is_cut() && !switches.of(&core).unwrap().is_cut());
        switches.set(&Effects { lost: [(line, 30_000)].into(), ..Effects::default() });
        assert!(!switch.is_cut() && (switch.loss() - 0.3).abs() < 1e-9);
        switches.set(&Effects::default());
        assert!(switch.loss() < 1e-9);
        assert!(switches.of(&Part::Line("28250-9".into())).is_none());
    }

    #[test]
    fn each_loss_of_power_is_counted_and_told_once() {
        let switches = Switches::new(&map());
        let mut site = switches.site("28249-tt").unwrap();
        let dark = |power| Effects { dark: [("28249-tt".into(), power)].into(), ..Effects::default() };
        for (effects, power, losses) in [
            (dark(Power::Off), Power::Off, 1),
            (dark(Power::BoxAlone), Power::BoxAlone, 1),
            (dark(Power::Off), Power::Off, 2),
            (Effects::default(), Power::On, 2),
        ] {
            switches.set(&effects);
            assert!(site.has_changed().unwrap());
            assert_eq!(*site.borrow_and_update(), Footing { power, losses, ..Footing::default() });
            switches.set(&effects);
            assert!(!site.has_changed().unwrap());
        }
        assert!(switches.site("trung-tam").is_none());
    }
}
