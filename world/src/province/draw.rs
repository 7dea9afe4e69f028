//! How the province is drawn from the list of communes: its sites, their lines, the POPs behind them.

use super::{AREAS, Carrier, Commune, Feeder, Line, Office, Pop, Site};
use std::collections::BTreeMap;

const COMMUNES: &str = include_str!("../../dongthap/communes.csv");
/// Fewest and most lines of a POP.
const MIN_LINES_OF_POP: usize = 2;
const MAX_LINES_OF_POP: usize = 12;
/// Lines per third octet of the addresses, which starts at this one.
const LINES_OF_NET: usize = 200;
const FIRST_NET: usize = 16;
/// Communes of a feeder, about; and the fewest of an area that has a record of its feeders.
const COMMUNES_OF_FEEDER: usize = 4;
const FEWEST_COMMUNES: usize = 5;
/// Share of a POP's lines that a feeder does not take, in tenths: with as many silent the POP is suspected.
const MOST_TENTHS: usize = 6;
/// Number of the first feeder of an area.
const FIRST_FEEDER: usize = 471;

pub(super) fn communes() -> Vec<Commune> {
    let rows = COMMUNES.lines().skip(1).map(|row| row.split(',').collect::<Vec<_>>());
    rows.enumerate()
        .filter_map(|(rank, row)| match row[..] {
            [code, kind, name, _latitude, longitude, area] => Some(Commune {
                code,
                kind: kind.to_lowercase(),
                name,
                area,
                longitude: longitude.parse().ok()?,
                rank,
            }),
            _ => None,
        })
        .collect()
}

/// Their sites, by commune.
pub(super) fn sites(communes: &[Commune]) -> BTreeMap<&'static str, Vec<Site>> {
    let mut numbers = Numbers::default();
    communes.iter().map(|commune| (commune.code, numbers.sites(commune))).collect()
}

/// What is counted over the whole province.
#[derive(Default)]
struct Numbers {
    lines: usize,
    sites: usize,
}

impl Numbers {
    /// A commune's sites: its centre; each second commune's Party committee; now and then a school or clinic.
    fn sites(&mut self, commune: &Commune) -> Vec<Site> {
        let rank = commune.rank;
        let mut offices = vec![Office::Centre];
        if rank % 2 == 1 {
            offices.push(Office::Party);
        }
        if rank % 10 == 3 {
            offices.push(if rank % 20 == 3 { Office::School } else { Office::Clinic });
        }
        let mut lines_before = 0;
        offices
            .into_iter()
            .map(|office| {
                let site = self.site(commune, office, lines_before);
                lines_before += site.lines.len();
                site
            })
            .collect()
    }

    fn site(&mut self, commune: &Commune, office: Office, lines_before: usize) -> Site {
        self.sites += 1;
        let primary = Carrier::turn(commune.rank / 2 + usize::from(office != Office::Centre));
        let dual = office == Office::Centre && matches!(commune.rank % 5, 1 | 2 | 4);
        let observe = observe(commune.rank, office);
        let mut lines = vec![self.line(commune, lines_before + 1, primary, false)];
        if dual {
            lines.push(self.line(commune, lines_before + 2, primary.other(), true));
        }
        if dual && observe == "box-behind" {
            lines[0].pinned = commune.rank.is_multiple_of(2);
            lines[1].pinned = true;
        }
        Site {
            id: format!("{}-{}", commune.code, office.suffix()),
            name: format!("{} {} {}", office.name(), commune.kind, commune.name),
            observe,
            feeder: None,
            contact: (person(self.sites), format!("0900 000 {:03}", self.sites)),
            lines,
        }
    }

    fn line(&mut self, commune: &Commune, nth: usize, carrier: Carrier, backup: bool) -> Line {
        let number = self.lines;
        self.lines += 1;
        Line {
            id: format!("{}-{nth}", commune.code),
            carrier,
            // Contracts come in over years: ids rise, with gaps.
            circuit: format!("{}-{:06}", carrier.circuits(), 4_107 + number * 13),
            mbps: if backup { 50 } else { [200, 100, 300][number % 3] },
            backup,
            pinned: false,
            address: (FIRST_NET + number / LINES_OF_NET, 1 + number % LINES_OF_NET),
            pop: String::new(),
            recorded: number % 17 != 5,
        }
    }
}

/// About half of the sites have an agent: most centres with two lines, half of those with one, some committees.
fn observe(rank: usize, office: Office) -> &'static str {
    let agent = match office {
        Office::Centre => !matches!(rank % 10, 3 | 4 | 8),
        Office::Party => rank % 10 == 1,
        Office::School | Office::Clinic => false,
    };
    match (agent, rank % 7) {
        (true, 5) => "box-behind",
        (true, _) => "gateway",
        (false, _) => "reflector",
    }
}

/// Somebody who does not exist.
fn person(number: usize) -> String {
    const FAMILY: [&str; 7] = ["Nguyễn", "Trần", "Lê", "Phạm", "Huỳnh", "Võ", "Đặng"];
    const MIDDLE: [&str; 5] = ["Văn", "Thị", "Minh", "Thanh", "Ngọc"];
    const GIVEN: [&str; 11] =
        ["An", "Bình", "Châu", "Dung", "Hà", "Hiền", "Khánh", "Lan", "Phúc", "Quang", "Trang"];
    let of = |names: &[&'static str]| names[number % names.len()];
    format!("{} {} {}", of(&FAMILY), of(&MIDDLE), of(&GIVEN))
}

/// Each carrier has a POP in each area, several where its lines are many, none where they are fewer than two:
/// the POP before serves those.
pub(super) fn pops(communes: &[Commune], sites: &mut BTreeMap<&'static str, Vec<Site>>) -> Vec<Pop> {
    let mut pops: Vec<Pop> = Vec::new();
    for carrier in Carrier::ALL {
        for (area, area_name) in AREAS {
            let served = from_west_to_east(communes, area);
            let count: usize = served.iter().map(|commune| lines_of(&sites[commune.code], carrier)).sum();
            let parts = count.div_ceil(MAX_LINES_OF_POP - 1);
            let mut so_far = 0;
            for commune in served {
                // Whole communes go to one POP, the one their first line falls to.
                let part = so_far * parts / count.max(1);
                so_far += lines_of(&sites[commune.code], carrier);
                let nth = if parts > 1 { (part + 1).to_string() } else { String::new() };
                let pop = Pop {
                    id: format!("{} {area} {nth}", carrier.id()).trim_end().replace(' ', "-"),
                    name: format!("Trạm {} {area_name} {nth}", carrier.name()).trim_end().to_owned(),
                    carrier,
                };
                if count >= MIN_LINES_OF_POP && pops.last() != Some(&pop) {
                    pops.push(pop);
                }
                let Some(pop) = pops.last() else { continue };
                serve(sites, commune.code, pop);
            }
        }
    }
    pops
}

/// The feeders of each area, each with every so many communes from west to east. A commune stays without where its
/// feeder would take most of a POP: a cut of it would be told as that POP's.
pub(super) fn feeders(communes: &[Commune], sites: &mut BTreeMap<&'static str, Vec<Site>>) -> Vec<Feeder> {
    let mut feeders = Vec::new();
    for (area, area_name) in AREAS {
        let served = from_west_to_east(communes, area);
        if served.len() < FEWEST_COMMUNES {
            continue;
        }
        let count = served.len().div_ceil(COMMUNES_OF_FEEDER);
        let numbers = (0..count).map(|nth| FIRST_FEEDER + 2 * nth);
        let own: Vec<Feeder> = numbers
            .map(|number| Feeder {
                id: format!("{area}-{number}"), name: format!("Lộ {number} {area_name}")
            })
            .collect();
        for (nth, commune) in served.iter().enumerate() {
            let mut turns = own.iter().cycle().skip(nth % count).take(count);
            turns.any(|feeder| feed(sites, commune.code, &feeder.id));
        }
        feeders.extend(own);
    }
    feeders
}

/// Puts a commune on a feeder, unless that then takes most of a POP; whether it did.
fn feed(sites: &mut BTreeMap<&'static str, Vec<Site>>, commune: &str, feeder: &str) -> bool {
    let put = |sites: &mut BTreeMap<&'static str, Vec<Site>>, to: Option<&str>| {
        let fed = sites.get_mut(commune).into_iter().flatten();
        fed.for_each(|site| site.feeder = to.map(str::to_owned));
    };
    put(sites, Some(feeder));
    let keeps = pops_taken(sites, feeder).is_empty();
    if !keeps {
        put(sites, None);
    }
    keeps
}

/// POPs of which a feeder takes several sites and most lines, as far as their lines are recorded.
pub(super) fn pops_taken(sites: &BTreeMap<&'static str, Vec<Site>>, feeder: &str) -> Vec<String> {
    // A site has one line of a carrier, so lines of a POP are sites of it.
    let mut taken: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for site in sites.values().flatten() {
        for line in site.lines.iter().filter(|line| line.recorded) {
            let (all, dark) = taken.entry(&line.pop).or_default();
            *all += 1;
            *dark += usize::from(site.feeder.as_deref() == Some(feeder));
        }
    }
    let most = |(all, dark): (usize, usize)| dark >= 2 && dark * 10 >= all * MOST_TENTHS;
    taken.into_iter().filter(|(_, counts)| most(*counts)).map(|(pop, _)| pop.to_owned()).collect()
}

fn from_west_to_east<'c>(communes: &'c [Commune], area: &str) -> Vec<&'c Commune> {
    let mut served: Vec<&Commune> = communes.iter().filter(|commune| commune.area == area).collect();
    served.sort_by(|a, b| a.longitude.total_cmp(&b.longitude));
    served
}

fn lines_of(sites: &[Site], carrier: Carrier) -> usize {
    sites.iter().flat_map(|site| &site.lines).filter(|line| line.carrier == carrier).count()
}

fn serve(sites: &mut BTreeMap<&'static str, Vec<Site>>, commune: &str, pop: &Pop) {
    let lines = sites.get_mut(commune).into_iter().flatten().flat_map(|site| &mut site.lines);
    for line in lines.filter(|line| line.carrier == pop.carrier) {
        pop.id.clone_into(&mut line.pop);
        line.recorded &= pop.recorded();
    }
}
