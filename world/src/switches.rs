//! Which parts are silent now, as every socket of the world asks it.

use crate::map::Part;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether one part is silent; clones ask the same part.
#[derive(Clone, Debug, Default)]
pub struct Switch(Arc<AtomicBool>);

impl Switch {
    /// Whether nothing passes.
    pub fn is_cut(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The switches of all parts.
#[derive(Debug)]
pub struct Switches(BTreeMap<Part, Switch>);

impl Switches {
    /// Nothing is silent.
    pub fn new(parts: BTreeSet<Part>) -> Switches {
        Switches(parts.into_iter().map(|part| (part, Switch::default())).collect())
    }

    /// The switch of a part; `None` when it is not simulated.
    pub fn of(&self, part: &Part) -> Option<Switch> {
        self.0.get(part).cloned()
    }

    /// Exactly these parts are silent from now on.
    pub fn set(&self, silent: &BTreeSet<Part>) {
        for (part, switch) in &self.0 {
            switch.0.store(silent.contains(part), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_what_is_said_is_silent() {
        let (line, core) = (Part::Line("28249-1".into()), Part::Core("vnpt".into()));
        let switches = Switches::new([line.clone(), core.clone()].into());
        let switch = switches.of(&line).unwrap();
        switches.set(&[line].into());
        assert!(switch.is_cut() && !switches.of(&core).unwrap().is_cut());
        switches.set(&BTreeSet::new());
        assert!(!switch.is_cut());
        assert!(switches.of(&Part::Line("28250-1".into())).is_none());
    }
}
