//! The page that each portal check is used to, and what is told when another comes.
//!
//! ```text
//!          near                      far, or another title                 CONFIRMED runs: portal-changed
//!  known ◀─────── what a run sees ────────────────────────▶ strange runs ─────────────────────────────────┐
//!    ▲  (it follows small changes)       near: back to known, told as `back` if the change was told        │
//!    └──────────────────────────── SETTLED runs: what is there now is the known page ◀────────────────────┘
//!
//!  DATA/portals.json   {"CHECK": {"text": …, "title": …, "strange": 3, "suspect": true}}
//!                      written when it changed, each ten minutes and at the end
//! ```
//!
//! Signs of defacement are told at once when they come (`portal-suspect`) and go (`portal-clear`). A restart forgets
//! neither what was told nor how long another page has stood.

use super::fingerprint;
use crate::spool::write_whole;
use haidang_probe::check::CheckId;
use haidang_probe::event::{Event, EventKind, Field};
use haidang_probe::metric::Metric;
use haidang_probe::outcome::{Outcome, Sample};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Farthest a page may be from the known one and still be the same page with news on it.
pub const NEAR: f64 = 0.25;
/// Runs in a row that must see another page before it is told: a page of an upgrade may stand for a moment.
pub const CONFIRMED: u32 = 2;
/// Runs in a row after which the other page is the known one.
pub const SETTLED: u32 = 60;

const FILE: &str = "portals.json";

/// What is known of the pages of checks.
#[derive(Debug, Default)]
pub struct Known {
    pages: BTreeMap<CheckId, Kept>,
    changed: bool,
}

/// A page as it is remembered, and how what the check saw last stands to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    text: u64,
    title: u64,
    /// Runs in a row that saw another page.
    #[serde(default)]
    strange: u32,
    /// It shows signs of defacement.
    #[serde(default)]
    suspect: bool,
}

impl Known {
    /// What was kept in the agent's directory; nothing where there is nothing that reads.
    pub fn restore(directory: &Path) -> Known {
        let kept = std::fs::read(directory.join(FILE)).ok();
        let pages: BTreeMap<u32, Kept> =
            kept.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let pages = pages.into_iter().map(|(check, page)| (CheckId(check), page)).collect();
        Known { pages, ..Known::default() }
    }

    /// What is to be kept in the agent's directory, if it changed since it was last asked for.
    pub fn unkept(&mut self) -> Option<impl FnOnce(&Path) -> io::Result<()> + Send + use<>> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let pages: BTreeMap<u32, Kept> = self.pages.iter().map(|(check, page)| (check.0, *page)).collect();
        Some(move |directory: &Path| {
            write_whole(&directory.join(FILE), &serde_json::to_vec(&pages).unwrap_or_default())
        })
    }

    /// Forgets the pages of checks that are no more.
    pub fn retain(&mut self, stays: impl Fn(CheckId) -> bool) {
        let before = self.pages.len();
        self.pages.retain(|check, _| stays(*check));
        self.changed |= self.pages.len() != before;
    }

    /// The events that a run of the check called `name` is worth; how far its page is from the known one is added to
    /// what it measured. A run that saw no page changes nothing.
    pub fn see(&mut self, outcome: &mut Outcome, name: &str) -> Vec<Event> {
        let value =
            |metric| outcome.samples.iter().find(|sample| sample.metric == metric).map(|one| one.value);
        let (Some(text), Some(title)) = (value(Metric::PortalText), value(Metric::PortalTitle)) else {
            return Vec::new();
        };
        let suspect = value(Metric::PortalSuspect) == Some(1.0);
        let signs = value(Metric::PortalGambling).unwrap_or_default();
        if outcome.result.is_err() {
            return Vec::new();
        }
        let (text, title) = (text as u64, title as u64);
        let before = self.pages.get(&outcome.check).copied();
        let mut page = before.unwrap_or(Kept { text, title, strange: 0, suspect: false });
        let event = |kind| Event::new(outcome.sent, kind, name);
        let (distance, reason) = page.compare(text, title);
        let changed = reason.map(|reason| event(EventKind::PortalChanged).with(Field::Reason, reason));
        let turned = if suspect {
            event(EventKind::PortalSuspect).with(Field::Count, signs.to_string())
        } else {
            event(EventKind::PortalClear)
        };
        let turned = Some(turned).filter(|_| page.suspect != suspect);
        page.suspect = suspect;
        if before != Some(page) {
            self.changed = true;
            self.pages.insert(outcome.check, page);
        }
        outcome.samples.push(Sample { metric: Metric::PortalDistance, part: String::new(), value: distance });
        changed.into_iter().chain(turned).collect()
    }
}

impl Kept {
    /// How far a page is from the known one, and what there is to tell of it. It may become the known one.
    fn compare(&mut self, text: u64, title: u64) -> (f64, Option<&'static str>) {
        let distance = fingerprint::distance(self.text, text);
        let (other_text, other_title) = (distance > NEAR, self.title != title);
        let strange = std::mem::take(&mut self.strange);
        if !other_text && !other_title {
            self.text = text;
            return (distance, (strange >= CONFIRMED).then_some("back"));
        }
        self.strange = strange + 1;
        if self.strange >= SETTLED {
            *self = Kept { text, title, strange: 0, ..*self };
        }
        let reason = match (other_text, other_title) {
            (true, true) => "text and title",
            (true, false) => "text",
            _ => "title",
        };
        (distance, (strange + 1 == CONFIRMED).then_some(reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haidang_probe::moment::Moment;
    use haidang_probe::outcome::Failure;
    use std::time::Duration;

    const CHECK: CheckId = CheckId(7);
    const USUAL: u64 = 0x000f_0f0f_0f0f_0f0f;
    const OTHER: u64 = 0x000f_f0f0_f0f0_f00f;

    fn run(text: u64, title: u64, suspect: bool) -> Outcome {
        let sample = |metric, value| Sample { metric, part: String::new(), value };
        let samples = vec![
            sample(Metric::PortalText, text as f64),
            sample(Metric::PortalTitle, title as f64),
            sample(Metric::PortalSuspect, f64::from(u8::from(suspect))),
            sample(Metric::PortalGambling, 5.0),
        ];
        Outcome { check: CHECK, sent: Moment::default(), result: Ok(Duration::ZERO), samples }
    }

    /// Kind, and reason or count, of what a run is worth.
    fn told(known: &mut Known, mut outcome: Outcome) -> Vec<(EventKind, String)> {
        let said =
            |event: &Event| event.says(Field::Reason).or(event.says(Field::Count)).unwrap_or_default().into();
        known.see(&mut outcome, "portal").iter().map(|event| (event.kind, said(event))).collect()
    }

    #[test]
    fn another_page_is_told_once_it_stands_and_again_when_it_goes() {
        let mut known = Known::default();
        assert_eq!(told(&mut known, run(USUAL, 1, false)), [], "the first page is the known one");
        assert_eq!(told(&mut known, run(USUAL ^ 0b11, 1, false)), [], "news");
        assert_eq!(told(&mut known, run(OTHER, 2, false)), [], "not confirmed");
        let both = (EventKind::PortalChanged, "text and title".to_owned());
        assert_eq!(told(&mut known, run(OTHER, 2, false)), [both]);
        assert_eq!(told(&mut known, run(OTHER, 2, false)), [], "told once");
        let back = (EventKind::PortalChanged, "back".to_owned());
        assert_eq!(told(&mut known, run(USUAL, 1, false)), [back]);
        told(&mut known, run(OTHER, 1, false));
        assert_eq!(told(&mut known, run(USUAL, 1, false)), [], "what was not told is not taken back");
    }

    #[test]
    fn a_page_that_stays_becomes_the_known_one() {
        let mut known = Known::default();
        told(&mut known, run(USUAL, 1, false));
        (0..SETTLED).for_each(|_| drop(told(&mut known, run(OTHER, 1, false))));
        assert_eq!(told(&mut known, run(OTHER, 1, false)), []);
        told(&mut known, run(USUAL, 1, false));
        let text = (EventKind::PortalChanged, "text".to_owned());
        assert_eq!(told(&mut known, run(USUAL, 1, false)), [text]);
    }

    #[test]
    fn signs_of_defacement_are_told_when_they_come_and_go() {
        let mut known = Known::default();
        let suspect = (EventKind::PortalSuspect, "5".to_owned());
        assert_eq!(told(&mut known, run(USUAL, 1, true)), [suspect], "at the first look too");
        assert_eq!(told(&mut known, run(USUAL, 1, true)), []);
        assert_eq!(told(&mut known, run(USUAL, 1, false)), [(EventKind::PortalClear, String::new())]);
    }

    #[test]
    fn a_run_that_failed_says_nothing_of_the_page() {
        let mut known = Known::default();
        told(&mut known, run(USUAL, 1, false));
        for _ in 0..3 {
            let failed = Outcome { result: Err(Failure::Status), ..run(OTHER, 2, true) };
            assert_eq!(told(&mut known, failed), []);
        }
        let mut other = Outcome { samples: Vec::new(), ..run(0, 0, false) };
        assert!(known.see(&mut other, "a").is_empty() && other.samples.is_empty());
    }

    #[test]
    fn what_is_known_outlives_a_restart_and_not_its_check() {
        let directory = tempfile::tempdir().unwrap();
        let mut known = Known::default();
        told(&mut known, run(USUAL, 1, false));
        known.unkept().unwrap()(directory.path()).unwrap();
        assert!(known.unkept().is_none(), "nothing changed");
        let mut known = Known::restore(directory.path());
        told(&mut known, run(OTHER, 1, false));
        assert_eq!(told(&mut known, run(OTHER, 1, false)).len(), 1);
        known.retain(|check| check != CHECK);
        known.unkept().unwrap()(directory.path()).unwrap();
        assert!(Known::restore(directory.path()).pages.is_empty());
    }

    #[test]
    fn a_restart_forgets_neither_what_was_told_nor_how_long_a_page_has_stood() {
        let directory = tempfile::tempdir().unwrap();
        let restarted = |mut known: Known| {
            known.unkept().unwrap()(directory.path()).unwrap();
            Known::restore(directory.path())
        };
        let mut known = Known::default();
        told(&mut known, run(USUAL, 1, false));
        assert_eq!(told(&mut known, run(OTHER, 1, true)).len(), 1, "suspect");
        let mut known = restarted(known);
        let text = (EventKind::PortalChanged, "text".to_owned());
        assert_eq!(
            told(&mut known, run(OTHER, 1, true)),
            [text],
            "the second run in a row; suspect was told"
        );
        let mut known = restarted(known);
        assert_eq!(told(&mut known, run(OTHER, 1, true)), [], "told once");
        let back = [(EventKind::PortalChanged, "back".to_owned()), (EventKind::PortalClear, String::new())];
        assert_eq!(told(&mut restarted(known), run(USUAL, 1, false)), back);
    }

    #[test]
    fn what_an_older_agent_kept_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let kept = format!(r#"{{"7": {{"text": {USUAL}, "title": 1}}}}"#);
        std::fs::write(directory.path().join(FILE), kept).unwrap();
        assert_eq!(Known::restore(directory.path()).pages[&CHECK].text, USUAL);
    }

    #[test]
    fn the_distance_is_measured_with_the_rest() {
        let mut known = Known::default();
        told(&mut known, run(USUAL, 1, false));
        let mut far = run(OTHER, 1, false);
        known.see(&mut far, "portal");
        let distance = far.samples.iter().find(|sample| sample.metric == Metric::PortalDistance).unwrap();
        assert!(distance.value > NEAR, "{}", distance.value);
    }
}
