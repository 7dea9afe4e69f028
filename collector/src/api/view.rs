//! The shapes of the console's answers, and how they are read out of the fold.
//!
//! What has no field here is not told: addresses, questions asked, secrets.

use crate::topology::{Contact, Line, Observe, Role, Site, Topology};
use crate::watch::{Verdict, Watch};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// RFC 3339 in UTC with milliseconds; the start of 1970 for what no calendar holds.
pub fn rfc3339(ms: i64) -> String {
    format!("{:.3}", jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
}

/// Who is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// Name.
    pub user: String,
    /// `viewer`, `operator` or `admin`.
    pub role: String,
    /// `vi` or `en`.
    pub lang: String,
}

/// A list, or a page of one.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Give it as `next` to get the following page; null on the last.
    pub next: Option<String>,
}

/// Something known by an id, with a name for people.
#[derive(Debug, Serialize, ToSchema)]
pub struct Named {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
}

/// The province.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProvinceView {
    /// Code of the General Statistics Office.
    pub code: String,
    /// Name.
    pub name: String,
}

/// A commune that exists.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommuneView {
    /// Code.
    pub code: String,
    /// Name without its type.
    pub name: String,
    /// `xã`, `phường` or `đặc khu`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Area it stands in.
    pub area: Option<String>,
}

/// A carrier.
#[derive(Debug, Serialize, ToSchema)]
pub struct CarrierView {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Telephone of its fault desk.
    pub hotline: Option<String>,
}

/// Whom to call at a site.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactView {
    /// Name.
    pub name: String,
    /// Telephone.
    pub phone: String,
}

/// A site of the record.
#[derive(Debug, Serialize, ToSchema)]
pub struct SiteView {
    /// Id.
    pub id: String,
    /// Commune; null for the centre.
    pub commune: Option<String>,
    /// Name.
    pub name: String,
    /// `gateway`, `box-behind`, `reflector` or `ping-only`.
    #[schema(value_type = String)]
    pub observe: Observe,
    /// Simulated.
    pub rehearsal: bool,
    /// Whom to call.
    pub contact: Option<ContactView>,
}

/// A line of the record.
#[derive(Debug, Serialize, ToSchema)]
pub struct LineView {
    /// Id.
    pub id: String,
    /// Site it serves.
    pub site: String,
    /// Carrier it is bought from.
    pub carrier: String,
    /// The carrier's circuit id.
    pub circuit: String,
    /// `primary` or `backup`.
    #[schema(value_type = String)]
    pub role: Role,
    /// Aggregation point, where recorded.
    pub pop: Option<String>,
    /// Contracted Mb/s.
    pub mbps: Option<u32>,
}

/// The record, as far as it is shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct TopologyView {
    /// The province.
    pub province: ProvinceView,
    /// Areas the operator thinks in.
    pub areas: Vec<Named>,
    /// Communes that exist.
    pub communes: Vec<CommuneView>,
    /// Carriers.
    pub carriers: Vec<CarrierView>,
    /// Sites, the centre included.
    pub sites: Vec<SiteView>,
    /// Lines.
    pub lines: Vec<LineView>,
}

/// A line's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LineState {
    /// Id.
    pub id: String,
    /// The carrier's circuit id.
    pub circuit: String,
    /// Carrier.
    pub carrier: String,
    /// Aggregation point, where recorded.
    pub pop: Option<String>,
    /// As of a site's.
    #[schema(value_type = String)]
    pub state: Verdict,
}

/// A site's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SiteState {
    /// Id.
    pub id: String,
    /// Commune; null for the centre.
    pub commune: Option<String>,
    /// Name.
    pub name: String,
    /// `up`, `degraded`, `down`, `affected`, `unknown`, `off_hours` or `maintenance`.
    #[schema(value_type = String)]
    pub state: Verdict,
    /// Whether it ever answered.
    pub established: bool,
    /// Every incident that touches it now was taken on by somebody.
    pub acked: bool,
    /// When the state began; null before there was one.
    pub since: Option<String>,
    /// Simulated.
    pub rehearsal: bool,
    /// Its lines.
    pub lines: Vec<LineState>,
}

/// The province at an instant.
#[derive(Debug, Serialize, ToSchema)]
pub struct StateView {
    /// The instant.
    pub at: String,
    /// Orders it among the events.
    pub seq: u64,
    /// Every site.
    pub sites: Vec<SiteState>,
}

/// Areas in the operator's own order: where a tile is must be learnt once.
fn in_order(record: &Topology) -> Vec<Named> {
    let mut areas: Vec<_> = record.areas.iter().collect();
    areas.sort_by_key(|(_, area)| area.place);
    areas.into_iter().map(|(id, area)| Named { id: id.clone(), name: area.name.clone() }).collect()
}

/// The record as far as it is shown. Communes that were merged away are left out.
pub fn topology(record: &Topology) -> TopologyView {
    let standing = record.communes.iter().filter(|(_, commune)| commune.valid_to.is_none());
    TopologyView {
        province: ProvinceView { code: record.province.code.clone(), name: record.province.name.clone() },
        areas: in_order(record),
        communes: standing
            .map(|(code, commune)| CommuneView {
                code: code.clone(),
                name: commune.name.clone(),
                kind: commune.kind.clone(),
                area: commune.area.clone(),
            })
            .collect(),
        carriers: record
            .carriers
            .iter()
            .map(|(id, c)| CarrierView { id: id.clone(), name: c.name.clone(), hotline: c.hotline.clone() })
            .collect(),
        sites: record.sites.iter().map(|(id, site)| SiteView::of(id, site)).collect(),
        lines: lines(record),
    }
}

impl SiteView {
    /// A site of the record.
    pub fn of(id: &str, site: &Site) -> SiteView {
        SiteView {
            id: id.to_owned(),
            commune: site.commune.clone(),
            name: site.name.clone(),
            observe: site.observe,
            rehearsal: site.rehearsal,
            contact: site.contact.as_ref().map(ContactView::of),
        }
    }
}

impl ContactView {
    /// A person of the record.
    pub fn of(person: &Contact) -> ContactView {
        ContactView { name: person.name.clone(), phone: person.phone.clone() }
    }
}

fn lines(record: &Topology) -> Vec<LineView> {
    let view = |(id, line): (&String, &Line)| LineView {
        id: id.clone(),
        site: line.site.clone(),
        carrier: line.carrier.clone(),
        circuit: line.circuit.clone(),
        role: line.role,
        pop: line.pop.clone(),
        mbps: line.mbps,
    };
    record.lines.iter().map(view).collect()
}

/// Sites touched by an incident now, and whether each of those incidents was taken on.
fn acks(watch: &Watch) -> BTreeMap<&str, bool> {
    let mut acks = BTreeMap::new();
    let live = watch.incidents().values().filter(|i| i.closed.is_none() && i.adopted_by.is_none());
    for incident in live {
        for site in incident.sites.keys() {
            *acks.entry(site.as_str()).or_insert(true) &= incident.acked.is_some();
        }
    }
    acks
}

/// The states of the sites that `wanted` picks, by id.
pub fn site_states(watch: &Watch, wanted: impl Fn(&str) -> bool) -> Vec<SiteState> {
    let acks = acks(watch);
    let record = watch.topology();
    let mut lines: BTreeMap<&str, Vec<LineState>> = BTreeMap::new();
    for (id, line) in record.lines.iter().filter(|(_, line)| wanted(&line.site)) {
        let state = LineState {
            id: id.clone(),
            circuit: line.circuit.clone(),
            carrier: line.carrier.clone(),
            pop: line.pop.clone(),
            state: watch.line(id).verdict,
        };
        lines.entry(&line.site).or_default().push(state);
    }
    let state = |(id, site): (&String, &Site)| {
        let now = watch.site(id);
        SiteState {
            id: id.clone(),
            commune: site.commune.clone(),
            name: site.name.clone(),
            state: now.verdict,
            established: now.established,
            acked: acks.get(id.as_str()).copied().unwrap_or(false),
            since: (now.since > 0).then(|| rfc3339(now.since)),
            rehearsal: site.rehearsal,
            lines: lines.remove(id.as_str()).unwrap_or_default(),
        }
    };
    record.sites.iter().filter(|(id, _)| wanted(id)).map(state).collect()
}
