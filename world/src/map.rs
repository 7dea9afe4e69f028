//! What stands where: the simulated lines, ports and cores, and the POPs they truly hang on.
//!
//! ```text
//! centre ── our port ── carrier's port ── core ── POP? ── line ── gateway of the site
//!           OurPort      CarrierPort       Core            Line
//! ```
//!
//! The collector's own configuration says what there is; `world/*.yml` beside it adds what is true but not
//! recorded: POPs that the collector has to find by itself. Only rehearsal sites are simulated, and only on
//! loopback: a production directory yields an empty map, never a false answer.

use haidang_collector::topology::{Ask, Id, Line, Site, Topology};
use haidang_daemon::yaml::{self, Fault, Faults, Spanned};
use haidang_probe::check::ProbeKind;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

/// Something that can fall silent. The id is that of the line, hand-off or carrier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A line, with the gateway at its end and whatever its agent sends over it.
    Line(Id),
    /// Our port of a hand-off.
    OurPort(Id),
    /// The carrier's port of a hand-off.
    CarrierPort(Id),
    /// A carrier's core.
    Core(Id),
}

/// A POP as it truly is, recorded or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pop {
    /// Whose it is.
    pub carrier: Id,
    /// Lines that hang on it.
    pub lines: BTreeSet<Id>,
}

/// The simulated part of the province.
#[derive(Clone, Debug)]
pub struct Map {
    /// The collector's record.
    pub topology: Topology,
    /// POPs by id.
    pub pops: BTreeMap<Id, Pop>,
    /// Who answers STAMP where.
    pub reflectors: BTreeMap<SocketAddr, Part>,
}

/// A file of `world/`: POPs nobody recorded, and the POP of each line whose record names none.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Hidden {
    pops: Vec<HiddenPop>,
    lines: BTreeMap<Id, Spanned<Id>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HiddenPop {
    id: Spanned<Id>,
    #[serde(rename = "name")]
    _name: String,
    carrier: Spanned<Id>,
}

impl Map {
    /// The map of a record alone.
    ///
    /// # Errors
    /// Two parts at one address: the addresses, for a person.
    pub fn new(topology: Topology) -> Result<Map, String> {
        let mut map = Map { topology, pops: BTreeMap::new(), reflectors: BTreeMap::new() };
        for (id, pop) in &map.topology.pops {
            let lines = map.lines(|_, line| line.pop.as_ref() == Some(id));
            map.pops.insert(id.clone(), Pop { carrier: pop.carrier.clone(), lines });
        }
        map.reflectors = map.addresses()?;
        Ok(map)
    }

    /// Adds what the files in `directory` know and the record does not; no such directory means nothing.
    ///
    /// # Errors
    /// All that is wrong with the files.
    pub fn add_hidden(&mut self, directory: &Path) -> Result<(), Faults> {
        if !directory.exists() {
            return Ok(());
        }
        let mut faults = Faults::default();
        for file in yaml::files(directory)? {
            let hidden = faults.keep(yaml::read::<Hidden>(&file)).unwrap_or_default();
            for pop in hidden.pops {
                faults.keep(self.add_pop(&file, pop));
            }
            for (line, pop) in hidden.lines {
                faults.keep(self.hang(&file, line, &pop));
            }
        }
        faults.or(())
    }

    fn add_pop(&mut self, file: &Path, pop: HiddenPop) -> Result<(), Fault> {
        let (id, carrier) = (pop.id.value, pop.carrier.value);
        if !self.topology.carriers.contains_key(&carrier) {
            let carriers = self.topology.carriers.keys().map(String::as_str);
            return Err(Fault::at(
                file,
                pop.carrier.referenced,
                yaml::unknown("carrier", &carrier, carriers),
            ));
        }
        if self.pops.contains_key(&id) {
            return Err(Fault::at(file, pop.id.referenced, format!("POP `{id}` exists already")));
        }
        self.pops.insert(id, Pop { carrier, lines: BTreeSet::new() });
        Ok(())
    }

    /// Hangs a line on the POP it is truly on.
    fn hang(&mut self, file: &Path, line: Id, pop: &Spanned<Id>) -> Result<(), Fault> {
        let fault = |message: String| Err(Fault::at(file, pop.referenced, message));
        let pops = self.pops.keys().map(String::as_str);
        let Some(record) = self.topology.lines.get(&line) else {
            return fault(yaml::unknown("line", &line, self.topology.lines.keys().map(String::as_str)));
        };
        if self.pops.values().any(|pop| pop.lines.contains(&line)) {
            return fault(format!("line `{line}` hangs on a POP already"));
        }
        if self.pops.get(&pop.value).is_some_and(|pop| pop.carrier != record.carrier) {
            return fault(format!(
                "line `{line}` is of carrier `{}`, POP `{}` is not",
                record.carrier, pop.value
            ));
        }
        let unknown = yaml::unknown("POP", &pop.value, pops);
        let Some(pop) = self.pops.get_mut(&pop.value) else { return fault(unknown) };
        pop.lines.insert(line);
        Ok(())
    }

    /// The simulated lines that `choose` accepts.
    pub fn lines(&self, choose: impl Fn(&Id, &Line) -> bool) -> BTreeSet<Id> {
        let rehearsed = |site: &Id| self.topology.sites.get(site).is_some_and(|site| site.rehearsal);
        let lines = self.topology.lines.iter().filter(|(id, line)| rehearsed(&line.site) && choose(id, line));
        lines.map(|(id, _)| id.clone()).collect()
    }

    /// The simulated sites that `choose` accepts.
    pub fn sites(&self, choose: impl Fn(&Id, &Site) -> bool) -> BTreeSet<Id> {
        let sites = self.topology.sites.iter().filter(|(id, site)| site.rehearsal && choose(id, site));
        sites.map(|(id, _)| id.clone()).collect()
    }

    /// Everything that can fall silent.
    pub fn parts(&self) -> BTreeSet<Part> {
        let lines = self.lines(|_, _| true).into_iter().map(Part::Line);
        lines.chain(self.reflectors.values().cloned()).collect()
    }

    fn addresses(&self) -> Result<BTreeMap<SocketAddr, Part>, String> {
        let topology = &self.topology;
        let mut asked: Vec<(Part, &Ask)> = Vec::new();
        for id in self.lines(|_, _| true) {
            asked.extend(topology.lines[&id].gateway.as_ref().map(|ask| (Part::Line(id.clone()), ask)));
        }
        for (id, port) in &topology.hand_offs {
            asked.extend(port.our_port.as_ref().map(|ask| (Part::OurPort(id.clone()), ask)));
            asked.extend(port.carrier_port.as_ref().map(|ask| (Part::CarrierPort(id.clone()), ask)));
        }
        for (id, carrier) in &topology.carriers {
            asked.extend(carrier.core.as_ref().map(|ask| (Part::Core(id.clone()), ask)));
        }
        let mut addresses = BTreeMap::new();
        for (part, ask) in asked {
            let Some(address) = simulated(ask) else { continue };
            if let Some(other) = addresses.insert(address, part.clone()) {
                return Err(format!("{other:?} and {part:?} are both asked at {address}; give each its own"));
            }
        }
        Ok(addresses)
    }
}

/// Where the world answers an ask: STAMP on loopback, nothing else. ICMP there is answered by the kernel, whatever
/// is cut.
fn simulated(ask: &Ask) -> Option<SocketAddr> {
    let address: SocketAddr = ask.0.target.parse().ok()?;
    (ask.0.probe == ProbeKind::Stamp && address.ip().is_loopback()).then_some(address)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Two carriers; 28249 has one line, 28250 two, 28252 one behind a POP nobody recorded.
    pub const PROVINCE: &str = r#"
province: {code: "82", name: Đồng Tháp}
communes:
  - {code: "28249", name: Đạo Thạnh, kind: phường, area: my-tho}
  - {code: "28250", name: Mỹ Phong, kind: phường, area: my-tho}
  - {code: "28252", name: Thới Sơn, kind: xã}
carriers:
  - {id: vnpt, name: VNPT, core: {probe: stamp, target: "127.82.2.1:8620"}}
  - {id: viettel, name: Viettel, core: {probe: stamp, target: "127.82.2.2:8620"}}
hand_offs:
  - id: vnpt-1
    name: VNPT
    carrier: vnpt
    our_port: {probe: stamp, target: "127.82.1.1:8620"}
    carrier_port: {probe: stamp, target: "127.82.1.2:8620"}
  - id: viettel-1
    name: Viettel
    carrier: viettel
    our_port: {probe: stamp, target: "127.82.1.3:8620"}
pops:
  - {id: cai-be, name: Trạm Cái Bè, carrier: vnpt}
areas:
  - {id: my-tho, name: Mỹ Tho}
feeders:
  - {id: lo-471, name: Lộ 471}
services:
  - {id: portal, name: Cổng dịch vụ công, owner: Sở KH&CN, check: {probe: http, target: "https://portal.example/"}, asked_by: [all]}
defaults: {gate: 10s}
sites:
  - {id: trung-tam, name: Trung tâm, kind: core, observe: gateway}
  - id: "28249-tt"
    name: Trung tâm hành chính công
    commune: "28249"
    observe: gateway
    rehearsal: true
    needs: {any_of: ["28249-1"]}
    lines:
      - {id: "28249-1", carrier: vnpt, hand_off: vnpt-1, pop: cai-be, circuit: C1, gateway: {probe: stamp, target: "127.82.16.1:8620"}, seen_from: [127.83.16.1]}
  - id: "28250-tt"
    name: Trung tâm hành chính công
    commune: "28250"
    observe: reflector
    rehearsal: true
    needs: {any_of: ["28250-1", "28250-2"]}
    lines:
      - {id: "28250-1", carrier: vnpt, hand_off: vnpt-1, circuit: C2, gateway: {probe: stamp, target: "127.82.16.2:8620"}}
      - {id: "28250-2", carrier: viettel, hand_off: viettel-1, circuit: C3, role: backup, gateway: {probe: stamp, target: "127.82.16.3:8620"}}
  - id: "28252-tt"
    name: Trung tâm hành chính công
    commune: "28252"
    observe: box-behind
    rehearsal: true
    feeder: lo-471
    power: {gateway: mains, agent: ups}
    devices:
      - {id: gateway, name: Bộ định tuyến, kind: gateway, checks: [{name: LAN, probe: icmp, target: 192.168.1.1}]}
    needs: {any_of: ["28252-1"]}
    lines:
      - {id: "28252-1", carrier: vnpt, hand_off: vnpt-1, circuit: C4, gateway: {probe: stamp, target: "127.82.16.4:8620"}}
collector:
  agents: {plain: true}
"#;

    const HIDDEN: &str =
        "pops:\n  - {id: an, name: Trạm ẩn, carrier: vnpt}\nlines: {\"28252-1\": an, \"28250-1\": an}\n";

    fn written(province: &str, hidden: &str) -> (tempfile::TempDir, Map) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("province.yml"), province).unwrap();
        std::fs::create_dir(directory.path().join("world")).unwrap();
        std::fs::write(directory.path().join("world/pops.yml"), hidden).unwrap();
        let config = haidang_collector::config::load(directory.path()).unwrap();
        let map = Map::new(config.topology).unwrap();
        (directory, map)
    }

    /// The map of [`PROVINCE`] with its hidden POP.
    pub fn map() -> Map {
        let (directory, mut map) = written(PROVINCE, HIDDEN);
        map.add_hidden(&directory.path().join("world")).unwrap();
        map
    }

    #[test]
    fn a_pop_is_known_here_whether_recorded_or_not() {
        let map = map();
        let lines = |pop: &str| map.pops[pop].lines.iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(lines("cai-be"), ["28249-1"]);
        assert_eq!(lines("an"), ["28250-1", "28252-1"]);
    }

    #[test]
    fn every_asked_place_on_loopback_answers() {
        let map = map();
        assert_eq!(map.reflectors.len(), 9);
        let part = |address: &str| &map.reflectors[&address.parse().unwrap()];
        assert_eq!(*part("127.82.1.2:8620"), Part::CarrierPort("vnpt-1".into()));
        assert_eq!(*part("127.82.16.3:8620"), Part::Line("28250-2".into()));
    }

    #[test]
    fn a_site_that_is_no_rehearsal_is_left_alone() {
        let real = PROVINCE.replace("    rehearsal: true\n", "");
        let (_directory, map) = written(&real, "pops: []");
        assert!(!map.parts().iter().any(|part| matches!(part, Part::Line(_))));
        let beyond = PROVINCE.replace("127.82.16.1:", "10.82.16.1:");
        let (_directory, map) = written(&beyond, "pops: []");
        assert_eq!(map.reflectors.len(), 8);
    }

    #[test]
    fn two_parts_cannot_answer_at_one_address() {
        let doubled = PROVINCE.replace("127.82.16.4", "127.82.16.1");
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("province.yml"), doubled).unwrap();
        let config = haidang_collector::config::load(directory.path()).unwrap();
        let wrong = Map::new(config.topology).unwrap_err();
        assert!(wrong.contains("127.82.16.1:8620"), "{wrong}");
    }

    #[test]
    fn a_wrong_hidden_pop_is_told_at_its_place() {
        for (hidden, expected) in [
            ("pops: [{id: an, name: x, carrier: vnp}]", "1:35: unknown carrier `vnp`; did you mean `vnpt`?"),
            ("pops: [{id: cai-be, name: x, carrier: vnpt}]", "1:13: POP `cai-be` exists already"),
            ("pops: [{id: an, carier: vnpt}]", "did you mean `carrier`?"),
            ("lines: {28252-9: cai-be}", "1:18: unknown line `28252-9`; did you mean `28252-1`?"),
            ("lines: {28252-1: caibe}", "1:18: unknown POP `caibe`; did you mean `cai-be`?"),
            ("lines: {28250-2: cai-be}", "line `28250-2` is of carrier `viettel`, POP `cai-be` is not"),
            ("lines: {28249-1: cai-be}", "line `28249-1` hangs on a POP already"),
        ] {
            let (directory, mut map) = written(PROVINCE, hidden);
            let told = map.add_hidden(&directory.path().join("world")).unwrap_err().to_string();
            assert!(told.contains(expected), "{told}");
        }
    }
}
