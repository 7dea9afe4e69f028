//! `GET /api/v1/sites/{id}`: one site with what only its own page shows.
//!
//! People and places in words, hours, what feeds it, its devices, how its agent is doing, and what was changed
//! about it. Where it lies in the network stays out: no address, VLAN or target has a field here.

use super::{
    Shared,
    problem::Problem,
    view::{ContactView, Named, SiteView, rfc3339},
};
use crate::lineage::Lineage;
use crate::topology::{DeviceKind, Hours, Medium, OffOutsideHours, Site, Topology};
use crate::watch::{
    Verdict, Watch,
    changes::{self, What},
    checks::DeviceShown,
};
use axum::{
    Json,
    extract::{Path, State},
};
use haidang_probe::check::ProbeKind;
use serde::Serialize;
use utoipa::ToSchema;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// When a site serves, in Việt Nam's time.
#[derive(Debug, Serialize, ToSchema)]
pub struct HoursView {
    /// `mon` to `sun`.
    pub days: Vec<&'static str>,
    /// `07:00-11:30`; `24:00` is the day's end.
    pub spans: Vec<String>,
}

/// What the page of a site shows of a line beyond the record for all.
#[derive(Debug, Serialize, ToSchema)]
pub struct LineRecord {
    /// Line.
    pub id: String,
    /// `fibre-l2`, `fibre-l3`, `4g-apn` or `other`.
    #[schema(value_type = Option<String>)]
    pub medium: Option<Medium>,
    /// Paid by volume.
    pub metered: bool,
    /// Number of the contract.
    pub contract: Option<String>,
}

/// A thing on the site's LAN.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceView {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// `gateway`, `switch`, `ups`, `camera`, `printer`, `portal`, `computer` or `other`.
    #[schema(value_type = String)]
    pub kind: DeviceKind,
    /// `up`, `degraded`, `down`, `off_hours` or `unknown`.
    #[schema(value_type = String)]
    pub state: Verdict,
    /// Since when; null where nobody can tell, and for what never answered.
    pub since: Option<String>,
}

/// How the agent of a site is doing.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentView {
    /// When anything of it arrived last; null before the first.
    pub heard: Option<String>,
    /// Batches it numbered that have not arrived: it holds them, or has lost them.
    pub backlog: Option<u64>,
    /// `taken`, `waiting` or `refused`; null while it is not known.
    pub plan: Option<&'static str>,
    /// Its clock minus ours, seconds; null while it is not known.
    pub clock_s: Option<f64>,
}

/// A change of the record.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeView {
    /// When.
    pub at: String,
    /// `added`, `removed`, `renamed`, `moved` or `merged`.
    pub what: &'static str,
    /// `site`, `commune`, `line` or `device`.
    pub kind: &'static str,
    /// Name of what was changed.
    pub name: String,
    /// Before.
    pub from: Option<String>,
    /// After.
    pub to: Option<String>,
}

/// A site, whole.
#[derive(Debug, Serialize, ToSchema)]
pub struct SiteDetail {
    /// What everybody is told of it.
    #[serde(flatten)]
    pub site: SiteView,
    /// Ids it had before; incidents of then carry them.
    pub formerly: Vec<String>,
    /// Where it is, in words.
    pub address: Option<String>,
    /// Who holds the key of the cabinet.
    pub key_holder: Option<ContactView>,
    /// When it serves; null where that is not said.
    pub hours: Option<HoursView>,
    /// `yes`, `no` or `learn`; null without hours.
    #[schema(value_type = Option<String>)]
    pub off_outside_hours: Option<OffOutsideHours>,
    /// The power line that feeds it.
    pub feeder: Option<Named>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its lines.
    pub lines: Vec<LineRecord>,
    /// Its devices.
    pub devices: Vec<DeviceView>,
    /// Names of the checks that count the octets of one interface.
    pub interfaces: Vec<String>,
    /// Its agent; null where none is meant to be.
    pub agent: Option<AgentView>,
    /// What was changed about it, newest first.
    pub changes: Vec<ChangeView>,
}

/// One site, with its devices, its agent and what was changed about it.
#[utoipa::path(get, path = "/api/v1/sites/{id}", params(("id" = String, Path, description = "its id, or one it had before")),
    responses((status = 200, body = SiteDetail), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn site(
    State(console): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<SiteDetail>, Problem> {
    let told = console.parts.fold.read(|watch| tell(watch, &id));
    told.map(Json).ok_or_else(|| Problem::not_found(format!("there is no site {id}")))
}

fn tell(watch: &Watch, id: &str) -> Option<SiteDetail> {
    let record = watch.topology();
    let (id, site) = Lineage::of(record).known_as(id)?;
    let lines = record.lines_of(id).map(|(line, recorded)| LineRecord {
        id: line.clone(),
        medium: recorded.medium,
        metered: recorded.metered,
        contract: recorded.contract.clone(),
    });
    let feeder = site.feeder.as_ref().map(|feeder| Named {
        id: feeder.clone(),
        name: record.feeders.get(feeder).map_or_else(|| feeder.clone(), |known| known.name.clone()),
    });
    Some(SiteDetail {
        site: SiteView::of(id, site),
        formerly: Lineage::of(record).ids(id).into_iter().filter(|former| former != id).collect(),
        address: site.address.clone(),
        key_holder: site.key_holder.as_ref().map(ContactView::of),
        hours: site.hours.as_ref().map(hours),
        off_outside_hours: site.hours.as_ref().map(|_| site.off_outside_hours),
        feeder,
        tags: site.tags.iter().cloned().collect(),
        lines: lines.collect(),
        devices: devices(watch, id),
        interfaces: interfaces(site),
        agent: site.observe.has_agent().then(|| agent(watch, id)),
        changes: changes(watch, id, site),
    })
}

fn hours(hours: &Hours) -> HoursView {
    let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    HoursView {
        days: DAYS.into_iter().zip(hours.days).filter(|(_, serves)| *serves).map(|(day, _)| day).collect(),
        spans: hours.spans.iter().map(|(from, to)| format!("{}-{}", clock(*from), clock(*to))).collect(),
    }
}

fn devices(watch: &Watch, site: &str) -> Vec<DeviceView> {
    let view = |shown: DeviceShown| DeviceView {
        id: shown.id,
        name: shown.name,
        kind: shown.kind,
        state: shown.verdict,
        since: shown.since.map(rfc3339),
    };
    watch.devices(site).into_iter().map(view).collect()
}

/// Checks of one interface each: the octets of several do not add up to a line's.
fn interfaces(site: &Site) -> Vec<String> {
    let one = |target: &str| !target.is_empty() && target != "*";
    let checks = site.own_checks().filter(|check| check.probe == ProbeKind::Interface && one(&check.target));
    checks.map(|check| check.name.clone()).collect()
}

fn agent(watch: &Watch, id: &str) -> AgentView {
    let standing = watch.agent_stands(id);
    AgentView {
        heard: standing.map(|(heard, _)| rfc3339(heard)),
        backlog: standing.map(|(_, missing)| missing),
        plan: watch.agent_plan(id),
        clock_s: watch.agent_clock(id).map(|ahead| ahead as f64 / 1000.0),
    }
}

/// From the dated record and from what readings of it showed, newest first.
fn changes(watch: &Watch, id: &str, site: &Site) -> Vec<ChangeView> {
    let record = watch.topology();
    let mut all = dated(record, id, site);
    all.extend(watch.changes(id).map(|change| {
        let (from, to) = change.turned.clone().unzip();
        let what = match change.what {
            What::Added => "added",
            What::Removed => "removed",
            What::Renamed => "renamed",
            What::Moved => "moved",
        };
        let kind = match change.of {
            changes::Of::Site => "site",
            changes::Of::Line => "line",
            changes::Of::Device => "device",
        };
        ChangeView { at: rfc3339(change.at), what, kind, name: change.name.clone(), from, to }
    }));
    // Stable: changes of one reading keep their order.
    all.sort_by(|a, b| b.at.cmp(&a.at));
    all
}

/// What the record itself dates: former ids and communes, and the communes merged into the site's.
fn dated(record: &Topology, id: &str, site: &Site) -> Vec<ChangeView> {
    let mut all = Vec::new();
    let day = |day: &str| format!("{day}T00:00:00.000+07:00").parse::<jiff::Timestamp>().ok();
    let at = |text: &str| day(text).map(|at| rfc3339(at.as_millisecond()));
    let (mut next_id, mut next_commune) = (id.to_owned(), site.commune.clone());
    for former in site.formerly.iter().rev() {
        let Some(at) = at(&former.until) else { continue };
        let mut add = |what, from: String, to: String| {
            let name = site.name.clone();
            all.push(ChangeView { at: at.clone(), what, kind: "site", name, from: Some(from), to: Some(to) });
        };
        if let Some(commune) = &former.commune {
            let to = next_commune.as_deref().map_or_else(String::new, |to| changes::commune(record, to));
            add("moved", changes::commune(record, commune), to);
            next_commune = Some(commune.clone());
        }
        if let Some(old) = &former.id {
            add("renamed", old.clone(), next_id.clone());
            next_id.clone_from(old);
        }
    }
    let here = site.commune.as_ref();
    let merged =
        record.communes.iter().filter(|(code, old)| old.successor.as_ref() == here && Some(*code) != here);
    for (code, old) in merged {
        let Some(at) = here.and(old.valid_to.as_deref()).and_then(at) else { continue };
        let to = here.map(|here| changes::commune(record, here));
        let name = changes::commune(record, code);
        all.push(ChangeView { at, what: "merged", kind: "commune", from: None, to, name });
    }
    all
}
