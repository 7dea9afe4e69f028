//! The rehearsal province: Đồng Tháp as of 2025-07-01, with real communes and invented sites, lines and people.
//!
//! ```text
//! dongthap/communes.csv ─▶ communes ─▶ sites ─▶ lines ─▶ stations ─▶ configs/demo/*.yml
//!                                                           └─ those without a record ─▶ world/hidden-pops.yml
//! ```
//!
//! It is a pure function of the list of communes: the committed files are what it writes, and a test says so.
//! What each place is follows from its rank in the list, so that every mix stands in it: single and dual-homed,
//! with an agent and without, with a record of its POP and without, behind a gateway that fails over with both uplinks
//! pinned and with one that follows. Commune 28249 has exactly one site, one
//! line and an agent. One whole POP of at least six communes has no record; the world knows it nevertheless.

mod draw;
mod files;

use std::{collections::BTreeMap, fs, io, path::Path};

pub use files::files;

/// The POP whose record the operator never got.
const UNRECORDED_POP: &str = "vnpt-tam-nong";

/// Parts of the province as its operator names them.
const AREAS: [(&str, &str); 13] = [
    ("my-tho", "Mỹ Tho"),
    ("chau-thanh", "Châu Thành – Tân Phước"),
    ("cho-gao", "Chợ Gạo"),
    ("go-cong", "Gò Công"),
    ("tan-phu-dong", "Tân Phú Đông"),
    ("cai-lay", "Cai Lậy"),
    ("cai-be", "Cái Bè"),
    ("cao-lanh", "Cao Lãnh"),
    ("sa-dec", "Sa Đéc"),
    ("lap-vo", "Lấp Vò – Lai Vung"),
    ("tam-nong", "Tam Nông – Thanh Bình"),
    ("hong-ngu", "Hồng Ngự – Tân Hồng"),
    ("thap-muoi", "Tháp Mười"),
];

/// A telecom carrier of the rehearsal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Carrier {
    Vnpt,
    Viettel,
}

impl Carrier {
    const ALL: [Carrier; 2] = [Carrier::Vnpt, Carrier::Viettel];

    fn id(self) -> &'static str {
        match self {
            Carrier::Vnpt => "vnpt",
            Carrier::Viettel => "viettel",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Carrier::Vnpt => "VNPT",
            Carrier::Viettel => "Viettel",
        }
    }

    /// What its circuit ids begin with.
    fn circuits(self) -> &'static str {
        match self {
            Carrier::Vnpt => "DTP-VNPT",
            Carrier::Viettel => "DTP-VTL",
        }
    }

    fn other(self) -> Carrier {
        match self {
            Carrier::Vnpt => Carrier::Viettel,
            Carrier::Viettel => Carrier::Vnpt,
        }
    }

    /// One of the two, in turn.
    fn turn(rank: usize) -> Carrier {
        Carrier::ALL[rank % 2]
    }
}

/// A commune of the list.
#[derive(Debug)]
struct Commune {
    code: &'static str,
    kind: String,
    name: &'static str,
    area: &'static str,
    longitude: f64,
    /// Place in the list, from 0.
    rank: usize,
}

/// What a site is in its commune.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Office {
    Centre,
    Party,
    School,
    Clinic,
}

impl Office {
    fn suffix(self) -> &'static str {
        match self {
            Office::Centre => "tt",
            Office::Party => "du",
            Office::School => "th",
            Office::Clinic => "yt",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Office::Centre => "Trung tâm Phục vụ hành chính công",
            Office::Party => "Đảng ủy",
            Office::School => "Trường Tiểu học",
            Office::Clinic => "Trạm Y tế",
        }
    }
}

#[derive(Debug)]
struct Site {
    id: String,
    name: String,
    observe: &'static str,
    /// The power line that feeds it, where somebody wrote it down.
    feeder: Option<String>,
    contact: (String, String),
    lines: Vec<Line>,
}

impl Site {
    fn has_agent(&self) -> bool {
        self.observe != "reflector"
    }

    fn is_behind(&self) -> bool {
        self.observe == "box-behind"
    }

    /// Whether citizens are served there.
    fn is_centre(&self) -> bool {
        self.id.ends_with(Office::Centre.suffix())
    }
}

#[derive(Debug)]
struct Line {
    id: String,
    carrier: Carrier,
    circuit: String,
    mbps: u32,
    backup: bool,
    /// The gateway routes an address of the collector strictly over it.
    pinned: bool,
    /// Third and fourth octet of its addresses.
    address: (usize, usize),
    /// The POP it truly runs through.
    pop: String,
    /// Whether the operator knows that.
    recorded: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Pop {
    id: String,
    name: String,
    carrier: Carrier,
}

impl Pop {
    fn recorded(&self) -> bool {
        self.id != UNRECORDED_POP
    }
}

/// A power line that feeds several sites.
#[derive(Debug)]
struct Feeder {
    id: String,
    name: String,
}

/// The whole province.
struct Province {
    communes: Vec<Commune>,
    /// Sites by commune, in order of the list.
    sites: BTreeMap<&'static str, Vec<Site>>,
    pops: Vec<Pop>,
    feeders: Vec<Feeder>,
}

/// Writes the configuration of the rehearsal into `directory`.
///
/// # Errors
/// A file or folder that cannot be written.
pub fn write(directory: &Path) -> io::Result<()> {
    for (name, text) in files() {
        let path = directory.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}

impl Province {
    fn new() -> Province {
        let communes = draw::communes();
        let mut sites = draw::sites(&communes);
        let pops = draw::pops(&communes, &mut sites);
        let feeders = draw::feeders(&communes, &mut sites);
        Province { communes, sites, pops, feeders }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, env, path::PathBuf};

    fn committed() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/demo")
    }

    #[test]
    fn the_committed_files_are_what_is_written() {
        if env::var_os("UPDATE").is_some() {
            write(&committed()).unwrap();
        }
        for (name, text) in files() {
            let found = fs::read_to_string(committed().join(&name)).unwrap_or_default();
            assert!(found == text, "{name} differs; write it with UPDATE=1");
        }
        let names: BTreeSet<String> = files().into_keys().collect();
        for entry in fs::read_dir(committed()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let written = name == "world" || name == "run" || names.contains(&name);
            assert!(written, "{name} is written by nobody");
        }
    }

    #[test]
    fn every_mix_stands_in_it() {
        let province = Province::new();
        let sites: Vec<&Site> = province.sites.values().flatten().collect();
        let agents = sites.iter().filter(|site| site.has_agent()).count();
        let dual = sites.iter().filter(|site| site.lines.len() == 2).count();
        let lines: usize = sites.iter().map(|site| site.lines.len()).sum();
        assert_eq!(province.communes.len(), 102);
        assert!((155..=165).contains(&sites.len()), "{} sites", sites.len());
        assert!((215..=225).contains(&lines), "{lines} lines");
        assert!((75..=85).contains(&agents), "{agents} agents");
        assert!((55..=65).contains(&dual), "{dual} dual-homed");
        let alone = |agent: bool| {
            let one = |sites: &&Vec<Site>| {
                sites.len() == 1 && sites[0].lines.len() == 1 && sites[0].has_agent() == agent
            };
            province.sites.values().filter(one).count()
        };
        assert!(alone(true) >= 5 && alone(false) >= 5, "{} {}", alone(true), alone(false));
    }

    #[test]
    fn commune_28249_has_one_site_one_line_and_an_agent() {
        let sites = &Province::new().sites["28249"];
        assert_eq!((sites.len(), sites[0].lines.len(), sites[0].has_agent()), (1, 1, true));
        assert!(sites[0].lines[0].recorded);
    }

    #[test]
    fn a_dual_homed_site_has_both_carriers() {
        for site in Province::new().sites.values().flatten().filter(|site| site.lines.len() == 2) {
            assert_ne!(site.lines[0].carrier, site.lines[1].carrier, "{}", site.id);
        }
    }

    #[test]
    fn a_pop_serves_two_to_twelve_lines_of_its_carrier() {
        let province = Province::new();
        for pop in &province.pops {
            let lines = province.sites.values().flatten().flat_map(|site| &site.lines);
            let served: Vec<_> = lines.filter(|line| line.pop == pop.id).collect();
            assert!((2..=12).contains(&served.len()), "{}: {}", pop.id, served.len());
            assert!(served.iter().all(|line| line.carrier == pop.carrier));
        }
        for carrier in Carrier::ALL {
            let count = province.pops.iter().filter(|pop| pop.carrier == carrier).count();
            assert!((12..=16).contains(&count), "{}: {count} pops", carrier.id());
        }
    }

    #[test]
    fn a_feeder_is_told_from_every_pop() {
        let province = Province::new();
        assert!(province.feeders.len() >= 12);
        for feeder in &province.feeders {
            let fed = |site: &&Site| site.feeder.as_ref() == Some(&feeder.id);
            let sites: Vec<&Site> = province.sites.values().flatten().filter(fed).collect();
            let carriers: BTreeSet<Carrier> =
                sites.iter().flat_map(|site| &site.lines).map(|line| line.carrier).collect();
            assert!(sites.len() >= 2 && carriers.len() == 2, "{}: {} sites", feeder.id, sites.len());
            assert_eq!(draw::pops_taken(&province.sites, &feeder.id), Vec::<String>::new(), "{}", feeder.id);
        }
    }

    #[test]
    fn most_sites_have_a_record_of_their_feeder() {
        let sites: Vec<Site> = Province::new().sites.into_values().flatten().collect();
        let fed = sites.iter().filter(|site| site.feeder.is_some()).count();
        assert!(fed * 10 >= sites.len() * 8 && fed < sites.len(), "{fed} of {}", sites.len());
    }

    #[test]
    fn some_gateways_fail_over_with_both_uplinks_pinned_and_some_with_one_that_follows() {
        let province = Province::new();
        let behind = |site: &&Site| site.is_behind() && site.lines.len() == 2;
        let pinned = |site: &Site| site.lines.iter().map(|line| line.pinned).collect::<Vec<_>>();
        let kinds: Vec<Vec<bool>> = province.sites.values().flatten().filter(behind).map(pinned).collect();
        for kind in [[true, true], [false, true]] {
            assert!(kinds.iter().filter(|pins| **pins == kind).count() >= 3, "{kinds:?}");
        }
        assert!(kinds.iter().all(|pins| pins[1]));
    }

    #[test]
    fn one_pop_of_six_communes_has_no_record() {
        let province = Province::new();
        let behind = |sites: &&Vec<Site>| {
            sites.iter().flat_map(|site| &site.lines).any(|line| line.pop == UNRECORDED_POP)
        };
        assert!(province.sites.values().filter(behind).count() >= 6);
        let lines = province.sites.values().flatten().flat_map(|site| &site.lines);
        assert!(lines.clone().filter(|line| line.pop == UNRECORDED_POP).all(|line| !line.recorded));
        assert!(lines.filter(|line| !line.recorded && line.pop != UNRECORDED_POP).count() >= 5);
    }
}
