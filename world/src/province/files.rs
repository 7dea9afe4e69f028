//! The province as files: what the collector reads, and beside it what only the world knows.

use super::{AREAS, Carrier, Line, Province, Site};
use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

const HEAD: &str =
    "# Rehearsal province, written by `haidang-world configs DIR`: change world/src/province.rs instead.\n";
const COMMUNES_HEAD: &str =
    "# Communes: vietnamadminunits 1.0.4, MIT, see world/dongthap/NOTICE.md. All else is invented.\n";
/// How the core agent asks what nobody else speaks for.
const PACE: &str = "every: 500ms, timeout: 700ms";
/// How it asks a line whose site has an agent: that line's liveness packets tell of it too.
const AGENT_PACE: &str = "every: 1s, timeout: 700ms";

const COLLECTOR: &str = r#"
collector:
  console: {listen: "127.0.0.1:8080"}
  agents: {listen: "127.0.0.1:8443"}
  # Gateways that fail over by themselves route the second strictly over VNPT, the third over Viettel.
  stamp: {listen: ["127.0.0.1:8862", "127.82.0.1:8862", "127.82.0.2:8862"]}
  journal: {max_bytes: 8589934592}

# A cut of one site opens after 10 s, so that a drill need not wait; in earnest 60 s.
defaults: {gate: 10s}
"#;

const CENTRE: &str = r#"
# The centre, where this machine's own agent stands: real probes of real things, and for the core agent the
# questions that the other files ask. `@default-gateway` and `@resolver` are found by the agent on its machine.
sites:
  - id: trung-tam
    name: Trung tâm điều hành tỉnh Đồng Tháp
    kind: core
    observe: box-behind
    contact: {name: Tổ trực Hải Đăng, phone: 0900 000 000}
    checks:
      - {name: default gateway, probe: icmp, target: "@default-gateway", every: 5s, timeout: 2s}
      - {name: resolver, probe: icmp, target: "@resolver", every: 5s, timeout: 2s}
      - {name: resolver tcp, probe: tcp, target: "@resolver:53", every: 10s, timeout: 2s}
      - {name: console, probe: http, target: "http://127.0.0.1:8080/healthz", every: 10s, timeout: 2s}
      - {name: interfaces, probe: interface, target: "*", every: 10s}
      - {name: uptime, probe: uptime, every: 10s}
"#;

const SERVICES: &str = r#"
# What the sites work with, asked by their simulated agents: nothing of it exists, and nothing leaves this machine.
services:
  - id: portal
    name: Cổng dịch vụ công tỉnh
    owner: Trung tâm Chuyển đổi số tỉnh
    check: {probe: http, target: "https://dichvucong.example/healthz", every: 10s, timeout: 5s}
    asked_by: [all]
  - id: one-stop
    name: Hệ thống một cửa
    owner: Văn phòng UBND tỉnh
    check: {probe: http, target: "https://motcua.example/", every: 10s, timeout: 5s}
    asked_by: [one-stop]
  - id: document-axis
    name: Trục liên thông văn bản
    owner: Đơn vị quản lý trục quốc gia
    outside: true
    check: {probe: tcp, target: "truc.example:443", every: 10s, timeout: 5s}
    asked_by: [all]
"#;

/// What a simulated agent asks: its LAN, its gateway's port to the lines, its gateway.
const CHECKS: &str = r"    checks:
      - {name: LAN, probe: icmp, target: 192.168.1.1, every: 10s, timeout: 2s}
      - {name: port, probe: interface, target: eth0, every: 30s}
      - {name: uptime, probe: uptime, every: 60s}
";

/// What an agent on a box behind the gateway asks, and the gateway as it sees it.
const BEHIND_CHECKS: &str = r"    checks:
      - {name: LAN, probe: icmp, target: 192.168.1.2, every: 10s, timeout: 2s}
      - {name: port, probe: interface, target: eth0, every: 30s}
      - {name: uptime, probe: uptime, every: 60s}
";

/// Every file by its path within the directory.
pub fn files() -> BTreeMap<String, String> {
    let province = Province::new();
    let mut files = BTreeMap::from([
        ("collector.yml".to_owned(), format!("{HEAD}{COLLECTOR}")),
        ("province.yml".to_owned(), text(|out| administration(out, &province))),
        ("carriers.yml".to_owned(), text(|out| network(out, &province))),
        ("services.yml".to_owned(), format!("{HEAD}{SERVICES}")),
        ("feeders.yml".to_owned(), text(|out| power(out, &province))),
        ("trung-tam.yml".to_owned(), format!("{HEAD}{CENTRE}")),
        ("world/hidden-pops.yml".to_owned(), text(|out| hidden(out, &province))),
    ]);
    for (area, name) in AREAS {
        files.insert(format!("sites-{area}.yml"), text(|out| area_sites(out, &province, area, name)));
    }
    files
}

/// Writing to a `String` cannot fail; were it to, the test that compares the files would say so.
fn text(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut out = HEAD.to_owned();
    _ = write(&mut out);
    out
}

fn administration(out: &mut String, province: &Province) -> fmt::Result {
    out.push_str(COMMUNES_HEAD);
    out.push_str("\nprovince: {code: \"82\", name: Đồng Tháp}\n\nareas:\n");
    for (area, name) in AREAS {
        writeln!(out, "  - {{id: {area}, name: Khu vực {name}}}")?;
    }
    out.push_str("\ncommunes:\n");
    for commune in &province.communes {
        let (code, name, kind, area) = (commune.code, commune.name, &commune.kind, commune.area);
        writeln!(
            out,
            "  - {{code: \"{code}\", name: {name}, kind: {kind}, area: {area}, valid_from: 2025-07-01}}"
        )?;
    }
    Ok(())
}

fn network(out: &mut String, province: &Province) -> fmt::Result {
    out.push_str("\ncarriers:\n");
    for (nth, carrier) in (1..).zip(Carrier::ALL) {
        let (id, name) = (carrier.id(), carrier.name());
        writeln!(out, "  - id: {id}\n    name: {name}\n    hotline: 0900 000 90{nth}")?;
        writeln!(out, "    core: {{probe: stamp, target: \"127.82.2.{nth}:8620\", {PACE}}}")?;
    }
    out.push_str("\nhand_offs:\n");
    for (nth, carrier) in (0..).zip(Carrier::ALL) {
        let (id, name, ours, theirs) = (carrier.id(), carrier.name(), 2 * nth + 1, 2 * nth + 2);
        writeln!(out, "  - id: {id}-1\n    name: Cổng {name} tại trung tâm\n    carrier: {id}")?;
        writeln!(out, "    our_port: {{probe: stamp, target: \"127.82.1.{ours}:8620\", {PACE}}}")?;
        writeln!(out, "    carrier_port: {{probe: stamp, target: \"127.82.1.{theirs}:8620\", {PACE}}}")?;
    }
    out.push_str("\npops:\n");
    for pop in province.pops.iter().filter(|pop| pop.recorded()) {
        writeln!(out, "  - {{id: {}, name: {}, carrier: {}}}", pop.id, pop.name, pop.carrier.id())?;
    }
    Ok(())
}

fn power(out: &mut String, province: &Province) -> fmt::Result {
    out.push_str("\n# Which power line feeds which sites, as far as somebody wrote it down.\nfeeders:\n");
    province
        .feeders
        .iter()
        .try_for_each(|feeder| writeln!(out, "  - {{id: {}, name: {}}}", feeder.id, feeder.name))
}

fn area_sites(out: &mut String, province: &Province, area: &str, name: &str) -> fmt::Result {
    writeln!(out, "# Khu vực {name}\n\nsites:")?;
    for commune in province.communes.iter().filter(|commune| commune.area == area) {
        for site in province.sites.get(commune.code).into_iter().flatten() {
            site_text(out, commune.code, site)?;
        }
    }
    Ok(())
}

fn site_text(out: &mut String, commune: &str, site: &Site) -> fmt::Result {
    let Site { id, name, observe, feeder, contact: (person, phone), lines } = site;
    let needed: Vec<String> = lines.iter().map(|line| format!("\"{}\"", line.id)).collect();
    writeln!(out, "  - id: \"{id}\"\n    name: {name}\n    commune: \"{commune}\"")?;
    writeln!(out, "    observe: {observe}\n    rehearsal: true")?;
    writeln!(out, "    contact: {{name: {person}, phone: {phone}}}")?;
    if let Some(feeder) = feeder {
        writeln!(out, "    feeder: {feeder}")?;
    }
    supplied(out, site)?;
    writeln!(out, "    needs: {{any_of: [{}]}}\n    lines:", needed.join(", "))?;
    lines.iter().try_for_each(|line| line_text(out, line, site.has_agent()))
}

/// What feeds the site's equipment, what its agent asks, and what it sees of its gateway.
fn supplied(out: &mut String, site: &Site) -> fmt::Result {
    if site.is_behind() {
        writeln!(out, "    power: {{gateway: mains, agent: ups}}")?;
    } else {
        writeln!(out, "    power: {{gateway: mains}}")?;
    }
    if !site.has_agent() {
        return Ok(());
    }
    if site.is_centre() {
        writeln!(out, "    tags: [one-stop]")?;
    }
    if !site.is_behind() {
        out.push_str(CHECKS);
        return Ok(());
    }
    out.push_str(BEHIND_CHECKS);
    let asked = "{probe: icmp, target: 192.168.1.1, every: 10s, timeout: 2s}";
    writeln!(out, "    devices:")?;
    writeln!(out, "      - {{id: {}-gw, name: Bộ định tuyến, kind: gateway, checks: [{asked}]}}", site.id)
}

fn line_text(out: &mut String, line: &Line, agent: bool) -> fmt::Result {
    let Line { id, carrier: by, circuit, mbps, backup, pinned, address: (net, last), pop, recorded } = line;
    let carrier = by.id();
    writeln!(out, "      - id: \"{id}\"\n        carrier: {carrier}\n        hand_off: {carrier}-1")?;
    if *recorded {
        writeln!(out, "        pop: {pop}")?;
    }
    writeln!(out, "        circuit: {circuit}\n        mbps: {mbps}")?;
    if *backup {
        writeln!(out, "        role: backup")?;
    }
    if *pinned {
        writeln!(out, "        collector: 127.82.0.{}", 1 + *by as usize)?;
    }
    let pace = if agent { AGENT_PACE } else { PACE };
    writeln!(out, "        gateway: {{probe: stamp, target: \"127.82.{net}.{last}:8620\", {pace}}}")?;
    if agent {
        writeln!(out, "        seen_from: [127.83.{net}.{last}]")?;
    }
    Ok(())
}

fn hidden(out: &mut String, province: &Province) -> fmt::Result {
    out.push_str(
        "# What the world knows and the collector does not: POPs without a record, and the lines whose\n",
    );
    out.push_str("# record names no POP. The collector reads no folder of its directory.\n\npops:\n");
    for pop in province.pops.iter().filter(|pop| !pop.recorded()) {
        writeln!(out, "  - {{id: {}, name: {}, carrier: {}}}", pop.id, pop.name, pop.carrier.id())?;
    }
    out.push_str("\nlines:\n");
    let lines = province.sites.values().flatten().flat_map(|site| &site.lines);
    for line in lines.filter(|line| !line.recorded) {
        writeln!(out, "  \"{}\": {}", line.id, line.pop)?;
    }
    Ok(())
}
