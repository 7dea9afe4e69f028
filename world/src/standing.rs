//! The faults that stand, and what changes them: orders, and time.
//!
//! ```text
//! cut … │ power … │ flap … │ …               one more fault stands (again: nothing changes)
//! heal                                       none stands
//! heal cut …                                 that one no longer stands; what another silences stays silent
//! list                                       says what stands
//! time                                       lines flap, sites go dark one by one, what passes is over
//! ```

use crate::background::{self, Background};
use crate::fault::Fault;
use crate::fault::effects::{Course, Effects};
use crate::map::{Map, Part};
use haidang_collector::topology::Id;
use std::collections::{BTreeMap, BTreeSet};

/// Lines named in an answer; of more only the count is said.
const NAMED: usize = 8;

/// The faults that stand, by their name.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    faults: BTreeMap<String, Stands>,
    background: Option<Background>,
}

/// A fault since its order.
#[derive(Clone, Debug)]
struct Stands {
    fault: Fault,
    since_ns: u64,
    /// How long after its order it was last looked at.
    seen_ns: u64,
    /// What it does as of the last order or tick.
    effects: Effects,
}

/// What an order did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What is told to whoever gave the order.
    pub told: String,
    /// For the truth log; `None` when nothing changed.
    pub change: Option<Change>,
}

/// A change of what is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The order in its one spelling; what time did to a fault stands behind a colon.
    pub order: String,
    /// Lines that fell silent or speak again, or lose another share.
    pub lines: BTreeSet<Id>,
    /// Sites of these lines, and those whose power, clock or services changed.
    pub sites: BTreeSet<Id>,
}

impl Standing {
    /// Carries out one order at `now_ns`.
    ///
    /// # Errors
    /// What is wrong with it, for a person; nothing changed.
    pub fn order(&mut self, text: &str, map: &Map, now_ns: u64) -> Result<Done, String> {
        let text = text.trim();
        let (verb, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        match (verb, rest.trim()) {
            ("list", "") => Ok(Done { told: self.list(map), change: None }),
            ("heal", "") => Ok(self.heal_all(map)),
            ("heal", fault) => {
                let known = self.faults.values().find(|stands| stands.fault.text == fault);
                let known = known.map(|stands| Ok(stands.fault.name.clone()));
                self.heal(&known.unwrap_or_else(|| Fault::name(fault, map))?, map)
            }
            _ => Ok(self.strike(Fault::parse(text, map)?, map, now_ns)),
        }
    }

    /// Everything that is broken as of the last order or tick.
    pub fn effects(&self) -> Effects {
        let mut effects = Effects::default();
        self.faults.values().for_each(|stands| effects.add(&stands.effects));
        effects
    }

    /// When time next changes something; never when `None`.
    pub fn due_ns(&self) -> Option<u64> {
        let next = |stands: &Stands| Some(stands.since_ns + stands.fault.plot.next_ns(stands.seen_ns)?);
        let faults = self.faults.values().filter_map(next);
        faults.chain(self.background.as_ref().map(Background::due_ns)).min()
    }

    /// Lets time pass up to `now_ns`; the changes, in order.
    pub fn tick(&mut self, map: &Map, now_ns: u64) -> Vec<Change> {
        let mut changes = Vec::new();
        for name in self.faults.keys().cloned().collect::<Vec<_>>() {
            changes.extend(self.pass(&name, map, now_ns));
        }
        while let Some(background) = self.background.as_mut().filter(|it| it.due_ns() <= now_ns) {
            let Some(fault) = background.next(map) else { continue };
            if !self.faults.contains_key(&fault.name) {
                changes.extend(self.strike(fault, map, now_ns).change);
            }
        }
        changes
    }

    /// What time does to one fault.
    fn pass(&mut self, name: &str, map: &Map, now_ns: u64) -> Option<Change> {
        let before = self.effects();
        let stands = self.faults.get_mut(name)?;
        let text = stands.fault.text.clone();
        stands.seen_ns = now_ns.saturating_sub(stands.since_ns);
        let Some(effects) = stands.fault.plot.effects(stands.seen_ns) else {
            self.faults.remove(name);
            return Some(self.change(format!("heal {text}"), &before, map));
        };
        if stands.effects == effects {
            return None;
        }
        let turn = match stands.fault.plot.course {
            Course::Flapping { .. } if effects == Effects::default() => "up",
            Course::Flapping { .. } => "down",
            _ => "goes on",
        };
        stands.effects = effects;
        Some(self.change(format!("{text}: {turn}"), &before, map))
    }

    fn strike(&mut self, fault: Fault, map: &Map, now_ns: u64) -> Done {
        if self.faults.get(&fault.name).is_some_and(|known| known.fault.text == fault.text) {
            return Done { told: format!("{}: stands already", fault.text), change: None };
        }
        if let Course::Background(per_month) = fault.plot.course {
            self.background = Some(Background::new(per_month, now_ns));
        }
        let before = self.effects();
        let told = match counted(&fault.plot.worst(), map) {
            Some(counted) => format!("{}: {counted} {}", fault.text, fault.fate),
            None => format!("{}: {}", fault.text, fault.fate),
        };
        let order = fault.text.clone();
        let effects = fault.plot.effects(0).unwrap_or_default();
        self.faults.insert(fault.name.clone(), Stands { fault, since_ns: now_ns, seen_ns: 0, effects });
        Done { told, change: Some(self.change(order, &before, map)) }
    }

    fn heal(&mut self, name: &str, map: &Map) -> Result<Done, String> {
        let before = self.effects();
        let Some(Stands { fault, .. }) = self.faults.remove(name) else {
            return Err(format!("`{name}` does not stand; {}", self.list(map)));
        };
        if let Course::Background(_) = fault.plot.course {
            self.background = None;
            self.faults.retain(|name, _| !name.starts_with(background::NAME));
        }
        let told = format!("heal {}: {}", fault.text, self.healed(&before, map));
        Ok(Done { told, change: Some(self.change(format!("heal {}", fault.text), &before, map)) })
    }

    fn heal_all(&mut self, map: &Map) -> Done {
        let before = self.effects();
        if self.faults.is_empty() {
            return Done { told: "heal: nothing stands".into(), change: None };
        }
        *self = Standing::default();
        let told = format!("heal: {}", self.healed(&before, map));
        Done { told, change: Some(self.change("heal".into(), &before, map)) }
    }

    fn list(&self, map: &Map) -> String {
        if self.faults.is_empty() {
            return "nothing stands".into();
        }
        let told = self.faults.values().map(|Stands { fault, .. }| {
            let counted = counted(&fault.plot.worst(), map);
            format!("{}: {}", fault.text, counted.as_ref().unwrap_or(&fault.fate))
        });
        told.collect::<Vec<_>>().join("\n")
    }

    /// What is as it was before a heal that left `self`.
    fn healed(&self, before: &Effects, map: &Map) -> String {
        let changed = changed(before, &self.effects());
        let again = if changed.lost.is_empty() { "as before" } else { "speak again" };
        counted(&changed, map)
            .map_or_else(|| "nothing was broken".into(), |counted| format!("{counted} {again}"))
    }

    fn change(&self, order: String, before: &Effects, map: &Map) -> Change {
        let changed = changed(before, &self.effects());
        let (lines, sites) = lines_and_sites(&changed, map);
        Change { order, lines, sites }
    }
}

/// What differs between two states of the province, in either.
fn changed(before: &Effects, after: &Effects) -> Effects {
    fn differing<K: Ord + Clone, V: Copy + PartialEq>(
        before: &BTreeMap<K, V>,
        after: &BTreeMap<K, V>,
    ) -> BTreeMap<K, V> {
        let either = before.iter().chain(after);
        let differs = either.filter(|(key, _)| before.get(key) != after.get(key));
        differs.map(|(key, value)| (key.clone(), *value)).collect()
    }
    Effects {
        lost: differing(&before.lost, &after.lost),
        dark: differing(&before.dark, &after.dark),
        failing: before.failing.symmetric_difference(&after.failing).cloned().collect(),
        clocks: differing(&before.clocks, &after.clocks),
        on_backup: before.on_backup.symmetric_difference(&after.on_backup).cloned().collect(),
    }
}

fn lines_and_sites(effects: &Effects, map: &Map) -> (BTreeSet<Id>, BTreeSet<Id>) {
    let line = |part: &Part| match part {
        Part::Line(id) => Some(id.clone()),
        _ => None,
    };
    let lines: BTreeSet<Id> = effects.lost.keys().filter_map(line).collect();
    let mut sites: BTreeSet<Id> =
        lines.iter().filter_map(|id| map.topology.lines.get(id)).map(|line| line.site.clone()).collect();
    sites.extend(effects.dark.keys().chain(effects.clocks.keys()).cloned());
    for service in effects.failing.iter().filter_map(|id| map.topology.services.get(id)) {
        sites.extend(map.sites(|_, site| service.asked_by.includes(site)));
    }
    (lines, sites)
}

/// `2 lines of 1 site (28250-1, 28250-2)`, or `1 site` where no line is concerned; `None` where nothing is.
fn counted(effects: &Effects, map: &Map) -> Option<String> {
    if *effects == Effects::default() {
        return None;
    }
    let (lines, sites) = lines_and_sites(effects, map);
    let some = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    if effects.lost.is_empty() {
        return Some(some(sites.len(), "site"));
    }
    let counts = format!("{} of {}", some(lines.len(), "line"), some(sites.len(), "site"));
    if lines.is_empty() || lines.len() > NAMED {
        return Some(counts);
    }
    Some(format!("{counts} ({})", lines.iter().cloned().collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::tests::map;

    fn told(standing: &mut Standing, order: &str) -> String {
        standing.order(order, &map(), 0).unwrap().told
    }

    fn line(id: &str) -> Part {
        Part::Line(id.into())
    }

    #[test]
    fn an_order_says_what_it_did() {
        let mut standing = Standing::default();
        assert_eq!(told(&mut standing, "heal"), "heal: nothing stands");
        assert_eq!(told(&mut standing, "cut dao thanh"), "cut 28249: 1 line of 1 site (28249-1) silent");
        assert_eq!(told(&mut standing, "cut 28249"), "cut 28249: stands already");
        assert_eq!(told(&mut standing, "list"), "cut 28249: 1 line of 1 site (28249-1)");
        assert_eq!(told(&mut standing, "heal"), "heal: 1 line of 1 site (28249-1) speak again");
        assert_eq!(told(&mut standing, "list"), "nothing stands");
    }

    #[test]
    fn what_another_fault_silences_stays_silent() {
        let mut standing = Standing::default();
        told(&mut standing, "cut 28250");
        let second = standing.order("carrier vnpt", &map(), 0).unwrap().change.unwrap();
        assert_eq!(Vec::from_iter(second.lines), ["28249-1", "28252-1"], "28250-1 was silent before");
        let healed = standing.order("heal carrier vnpt", &map(), 0).unwrap().change.unwrap();
        assert_eq!(Vec::from_iter(healed.sites), ["28249-tt", "28252-tt"]);
        assert_eq!(standing.effects(), Effects::silent([line("28250-1"), line("28250-2")]));
    }

    #[test]
    fn nothing_changes_without_a_change() {
        let mut standing = Standing::default();
        assert_eq!(standing.order("heal", &map(), 0).unwrap().change, None);
        told(&mut standing, "pop an");
        for order in ["pop an", "list"] {
            assert_eq!(standing.order(order, &map(), 0).unwrap().change, None, "{order}");
        }
    }

    #[test]
    fn healing_what_does_not_stand_says_what_does() {
        let mut standing = Standing::default();
        told(&mut standing, "pop an");
        let wrong = standing.order("heal pop cai-be", &map(), 0).unwrap_err();
        assert!(wrong.starts_with("`pop cai-be` does not stand; pop an: 2 lines"), "{wrong}");
        let wrong = standing.order("heel", &map(), 0).unwrap_err();
        assert!(wrong.starts_with("unknown fault `heel`"), "{wrong}");
        assert_eq!(standing.effects().lost.len(), 2);
    }

    const SECOND: u64 = 1_000_000_000;

    fn silent(standing: &Standing) -> Vec<String> {
        lines_and_sites(&standing.effects(), &map()).0.into_iter().collect()
    }

    /// Orders of the changes up to `to_s`, tick by tick as they are due.
    fn passed(standing: &mut Standing, to_s: u64) -> Vec<String> {
        let (map, mut orders) = (map(), Vec::new());
        while let Some(due_ns) = standing.due_ns().filter(|due_ns| *due_ns <= to_s * SECOND) {
            orders.extend(standing.tick(&map, due_ns).into_iter().map(|change| change.order));
        }
        orders
    }

    #[test]
    fn an_area_goes_dark_site_by_site_within_seconds_and_comes_back_at_once() {
        let mut standing = Standing::default();
        let told = told(&mut standing, "power my-tho");
        assert_eq!(told, "power my-tho: 3 lines of 2 sites (28249-1, 28250-1, 28250-2) without power");
        assert_eq!(standing.effects().dark.len(), 1);
        assert_eq!(passed(&mut standing, 5), ["power my-tho: goes on"]);
        assert_eq!(silent(&standing), ["28249-1", "28250-1", "28250-2"]);
        let healed = standing.order("heal power my-tho", &map(), 6 * SECOND).unwrap().change.unwrap();
        assert_eq!(Vec::from_iter(healed.sites), ["28249-tt", "28250-tt"]);
        assert_eq!(standing.effects(), Effects::default());
    }

    #[test]
    fn lines_flap_so_often_and_each_turn_is_told() {
        let mut standing = Standing::default();
        told(&mut standing, "flap dao thanh 20 10 2");
        assert_eq!(silent(&standing), ["28249-1"]);
        let turns = ["flap 28249 20 10 2: up", "flap 28249 20 10 2: down", "heal flap 28249 20 10 2"];
        assert_eq!(passed(&mut standing, 10), turns[..1]);
        assert!(silent(&standing).is_empty());
        assert_eq!(passed(&mut standing, 1_000), turns[1..]);
        assert_eq!(told(&mut standing, "list"), "nothing stands");
    }

    #[test]
    fn a_fault_with_numbers_is_healed_by_its_name_and_replaced_by_other_numbers() {
        let mut standing = Standing::default();
        let line = line("28249-1");
        for (order, lost) in
            [("brownout 28249 30", 30_000), ("brownout 28249-1 5%", 30_000), ("brownout 28249 0.5", 5_000)]
        {
            told(&mut standing, order);
            assert_eq!(standing.effects().lost[&line], lost, "{order}");
        }
        assert_eq!(told(&mut standing, "list").lines().count(), 2);
        told(&mut standing, "heal brownout dao thanh");
        told(&mut standing, "heal brownout 28249-1 5");
        assert_eq!(standing.effects(), Effects::default());
    }

    #[test]
    fn a_failing_service_and_a_wrong_clock_concern_sites_and_no_line() {
        let mut standing = Standing::default();
        let service = standing.order("service portal", &map(), 0).unwrap();
        assert_eq!(service.told, "service portal: 2 sites see it fail");
        assert_eq!(Vec::from_iter(service.change.unwrap().sites), ["28249-tt", "28252-tt"]);
        assert_eq!(told(&mut standing, "clock 28249-tt -3600"), "clock 28249-tt -3600: 1 site -3600 s off");
        assert_eq!(told(&mut standing, "heal clock 28249-tt"), "heal clock 28249-tt -3600: 1 site as before");
        let healed = standing.order("heal", &map(), 0).unwrap().change.unwrap();
        assert_eq!((healed.lines.len(), healed.sites.len()), (0, 2));
    }

    #[test]
    fn a_background_strikes_single_sites_until_it_is_healed() {
        let mut standing = Standing::default();
        let order = "background 4320: single sites fall silent at random, 4320 times a month";
        assert_eq!(told(&mut standing, "background 4320"), order);
        assert_eq!(told(&mut standing, "list"), order);
        assert_eq!(
            told(&mut standing.clone(), "heal background"),
            "heal background 4320: nothing was broken"
        );
        let orders = passed(&mut standing, 86_400);
        let struck = orders.iter().filter(|order| order.starts_with("background ")).count();
        let over = orders.iter().filter(|order| order.starts_with("heal background ")).count();
        assert_eq!(struck + over, orders.len());
        // Six times an hour, less those whose site was struck already.
        assert!((90..200).contains(&struck) && over + 5 > struck, "{struck} struck, {over} over");
        while standing.effects() == Effects::default() {
            let due_ns = standing.due_ns().unwrap();
            standing.tick(&map(), due_ns);
        }
        told(&mut standing, "heal background");
        assert_eq!((standing.effects(), standing.due_ns()), (Effects::default(), None));
    }
}
