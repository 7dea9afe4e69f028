//! When an incident opens, and who is told: planned work holds its opening back, closed offices its page.
//!
//! ```text
//! its gate passed ─┬─────────────────────────────────────────────────▶ opens
//!                  └─ explained by planned work ──overrun, or wider──▶ opens
//! opens ─┬─ some site has no path ───────────────────────────────────▶ page
//!        └─ … at one site outside its hours ──its hours begin────────▶ page
//! ```
//!
//! One that opened before its work was announced stays open; if it had not paged, planned work holds that back.

use super::{Incident, RootKind, Severity, State, ledger::View, ledger::note, maintenance::Current};

/// Marks an incident with the window of planned work that explains it now, or takes the mark away.
pub(super) fn mark(view: &View, planned: &[Current], incident: &mut Incident, lines: &[&str]) {
    let now = view.detector.now();
    let explains =
        |current: &&Current| current.explains(incident.began, &incident.root, &incident.sites, lines);
    let window = planned.iter().find(explains).map(|current| current.window.id.clone());
    if incident.maintenance == window {
        return;
    }
    let (what, text) = match (&incident.maintenance, &window) {
        (_, Some(id)) => ("maintenance", id.clone()),
        (Some(old), None) => {
            let lasts = view.windows.all().get(old).is_some_and(|window| now < window.to);
            (if lasts { "wider" } else { "overrun" }, old.clone())
        }
        (None, None) => return,
    };
    note(incident, now, what, Some(text), None);
    incident.maintenance = window;
}

/// Whether there is something to do for it once its gate has passed: open it, or page what was held back.
pub(super) fn waits(view: &View, incident: &Incident) -> bool {
    match incident.state {
        State::Noticed => incident.maintenance.is_none(),
        State::Open => incident.notifications == 0 && pages(view, incident),
        State::Closed => false,
    }
}

/// Opens an incident whose gate has passed, or pages what was held back.
pub(super) fn open(view: &View, incident: &mut Incident) {
    let now = view.detector.now();
    let since_opened = incident.timeline.iter().rev().take_while(|moment| moment.what != "opened");
    let was_held = |moment: &super::Moment| matches!(moment.what.as_str(), "outside-hours" | "maintenance");
    let what = match incident.state {
        State::Open if since_opened.into_iter().any(was_held) => "paged",
        State::Open => "critical",
        State::Noticed | State::Closed => "opened",
    };
    incident.state = State::Open;
    incident.opened = incident.opened.or(Some(now));
    note(incident, now, what, None, None);
    if pages(view, incident) {
        incident.notifications += 1;
    } else if incident.severity == Severity::Critical {
        note(incident, now, "outside-hours", None, None);
    }
}

/// Whether its opening and closing are told to people.
fn pages(view: &View, incident: &Incident) -> bool {
    incident.severity == Severity::Critical && incident.maintenance.is_none() && is_in_hours(view, incident)
}

/// Trouble of one site counts in the hours of the site; wider trouble at any time.
fn is_in_hours(view: &View, incident: &Incident) -> bool {
    let of_one =
        matches!(incident.root.kind, RootKind::Site | RootKind::Line | RootKind::Device | RootKind::Agent);
    let serves = |site: &String| {
        let hours = view.topology.sites.get(site).and_then(|site| site.hours.as_ref());
        hours.is_none_or(|hours| hours.open_at(view.detector.now()))
    };
    !of_one || incident.sites.is_empty() || incident.sites.keys().any(serves)
}
