//! What no single row shows: whether the lines of a site make one.

use super::gather::{Gather, WantedSite};
use super::line::WantedLine;
use super::present::Entry;
use super::problem::Problem;
use serde_json::{Map, Value, json};

/// How a site without an agent of ours is observed, when nobody says.
pub const OBSERVE: &str = "ping-only";

impl Gather<'_> {
    /// Every site, once all rows are read.
    pub(super) fn whole_sites(&mut self) {
        let mut problems = Vec::new();
        for site in &self.wanted.sites {
            let stands = self.standing(site);
            problems.extend(roles(site, stands));
            problems.extend(seen(site, stands));
        }
        self.problems.errors.extend(problems);
    }

    /// The site as the configuration has it: by its id, by a circuit of it, or by its name.
    pub(super) fn standing(&self, site: &WantedSite) -> Option<&Entry> {
        self.present.standing(site).map(|(_, entry)| entry)
    }
}

/// A line of the site as the configuration has it.
fn line_of<'e>(stands: Option<&'e Entry>, line: &WantedLine) -> Option<&'e Map<String, Value>> {
    let is = |(_, keys): &(&str, &Map<String, Value>)| {
        keys.get("circuit").and_then(Value::as_str) == Some(&line.circuit)
    };
    stands?.lines().find(is).map(|(_, keys)| keys)
}

fn is_primary(stands: Option<&Entry>, line: &WantedLine) -> bool {
    let said = line.keys.get("role").map(|said| &said.value);
    let role = said.or_else(|| line_of(stands, line).and_then(|keys| keys.get("role")));
    role.is_none_or(|role| *role != json!("backup"))
}

/// One line carries the traffic, the others stand by; where each is needed (`all_of`) there is no such choice.
fn roles(site: &WantedSite, stands: Option<&Entry>) -> Vec<Problem> {
    if stands.is_some_and(|entry| entry.keys.get("needs").is_some_and(|needs| needs.get("all_of").is_some()))
    {
        return Vec::new();
    }
    let mut primaries = site.lines.iter().filter(|line| is_primary(stands, line));
    if let Some(first) = primaries.next() {
        let message = format!(
            "the site has a primary line already, in row {}; this one is its backup, or another site's",
            first.place.row
        );
        return primaries.map(|line| line.role_at.problem(message.clone())).collect();
    }
    let sheet_has =
        |circuit: Option<&Value>| site.lines.iter().any(|line| circuit == Some(&json!(line.circuit)));
    let mut others =
        stands.into_iter().flat_map(Entry::lines).filter(|(_, keys)| !sheet_has(keys.get("circuit")));
    if others.any(|(_, keys)| keys.get("role") != Some(&json!("backup"))) {
        return Vec::new();
    }
    let message = "a backup of no primary line: the site has none; write one of its lines as primary";
    site.lines.first().map(|line| line.role_at.problem(message)).into_iter().collect()
}

/// Without an agent at the site, each line needs an address that answers.
fn seen(site: &WantedSite, stands: Option<&Entry>) -> Vec<Problem> {
    let said = site.keys.get("observe").and_then(|said| said.value.as_str());
    let observe = said.or_else(|| stands.and_then(|entry| entry.text("observe"))).unwrap_or(OBSERVE);
    if matches!(observe, "gateway" | "box-behind") {
        return Vec::new();
    }
    let unseen = |line: &&WantedLine| {
        line.wan.is_none()
            && line.wan_is_empty
            && line_of(stands, line).is_none_or(|keys| !keys.contains_key("gateway"))
    };
    let message = "is empty: no agent stands at the site, so only an answer from this address tells whether the line \
                   lives; write it, or how the site is observed";
    site.lines.iter().filter(unseen).map(|line| line.wan_at.problem(message)).collect()
}
