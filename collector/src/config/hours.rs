//! Service hours: `hours: {days: mon-fri, spans: ["07:00-11:30", "13:00-17:00"]}`, in local time.

use super::{
    draft::Draft,
    fields::{Fields, one_of},
    tree::{Node, Tree, shorten},
    value,
};
use crate::topology::{Hours, OffOutsideHours};
use haidang_daemon::yaml;
use std::{path::Path, sync::Arc};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const OFF: [(&str, OffOutsideHours); 3] =
    [("yes", OffOutsideHours::Yes), ("no", OffOutsideHours::No), ("learn", OffOutsideHours::Learn)];
/// Minutes of a day.
const DAY: u16 = 24 * 60;

impl Draft {
    /// The hours under `hours`, if any.
    pub(super) fn hours(&mut self, file: &Arc<Path>, fields: &mut Fields<'_>) -> Option<Hours> {
        let mut inner = fields.table("hours")?;
        let days = inner.must("days", days);
        let mut spans: Vec<(u16, u16)> = Vec::new();
        if inner.any("spans").is_none() {
            let missing = "missing key `spans`; write the times, as in [\"07:00-11:30\", \"13:00-17:00\"]";
            inner.fault(inner.place().fault(missing));
        }
        for item in inner.list("spans") {
            let wrong = match span(item) {
                Ok((from, _)) if spans.last().is_some_and(|last| from < last.1) => {
                    "begins before the span before it ends; write them in order, apart".to_owned()
                }
                Ok(span) => {
                    spans.push(span);
                    continue;
                }
                Err(wrong) => wrong,
            };
            inner.fault(item.place(file).fault(format!("`spans`: {wrong}")));
        }
        self.faults(inner.done());
        days.filter(|_| !spans.is_empty()).map(|days| Hours { days, spans })
    }

    /// `off_outside_hours` of a site; what the defaults say when it says nothing.
    pub(super) fn off_outside_hours(&mut self, fields: &mut Fields<'_>, site: &str) -> OffOutsideHours {
        let said = fields.optional("off_outside_hours", off);
        if said.is_none() {
            self.unsaid_off.push(site.to_owned());
        }
        said.unwrap_or_default()
    }
}

/// `yes`, `no` or `learn`; plain truth is understood too.
pub(super) fn off(tree: &Tree) -> Result<OffOutsideHours, String> {
    match tree.node {
        Node::Truth(true) => Ok(OffOutsideHours::Yes),
        Node::Truth(false) => Ok(OffOutsideHours::No),
        _ => one_of(tree, &OFF),
    }
}

/// `mon-fri`, `mon,wed,fri`, `mon-fri,sun`.
fn days(tree: &Tree) -> Result<[bool; 7], String> {
    let said = value::text(tree)?;
    let day = |word: &str| {
        let known = DAYS.iter().position(|day| *day == word.trim());
        known.ok_or_else(|| yaml::unknown("day", word.trim(), DAYS))
    };
    let mut days = [false; 7];
    for part in said.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        if last < first {
            return Err(format!("`{}` goes backwards; the week begins on Monday", shorten(part.trim())));
        }
        days[first..=last].fill(true);
    }
    Ok(days)
}

/// `07:00-11:30`: minutes since midnight.
fn span(tree: &Tree) -> Result<(u16, u16), String> {
    let said = value::text(tree)?;
    let wrong = || format!("`{}` is no span of a day; write two times, as in 07:00-11:30", shorten(&said));
    let (from, to) = said.split_once('-').ok_or_else(wrong)?;
    let (from, to) = (minute(from).ok_or_else(wrong)?, minute(to).ok_or_else(wrong)?);
    if from < to {
        return Ok((from, to));
    }
    Err(format!(
        "`{}` ends before it begins; a span never crosses midnight, 24:00 is its end",
        shorten(&said)
    ))
}

fn minute(time: &str) -> Option<u16> {
    let (hour, minute) = time.trim().split_once(':')?;
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let at = hour * 60 + minute;
    (minute < 60 && at <= DAY).then_some(at)
}
