use super::*;
use crate::config;
use crate::plans::ANY;
use crate::registry::Registry;
use std::path::Path;

const YAML: &str = r#"
province: {code: "82", name: Đồng Tháp}
areas: [{id: my-tho, name: Mỹ Tho}]
communes: [{code: "28249", name: Đạo Thạnh, kind: phường, area: my-tho}]
carriers: [{id: vnpt, name: VNPT}]
hand_offs: [{id: vnpt-1, name: Cổng VNPT, carrier: vnpt}]
sites:
  - id: trung-tam
    name: Trung tâm
    kind: core
    observe: gateway
    checks: [{name: page, probe: tcp, target: "127.0.0.1:8080", every: 10s, timeout: 2s}]
  - id: drill
    name: Diễn tập
    commune: "28249"
    observe: gateway
    rehearsal: true
    needs: {any_of: [drill-2, drill-1]}
    lines:
      - {id: drill-2, carrier: vnpt, hand_off: vnpt-1, circuit: C2, role: backup, seen_from: [127.82.116.2]}
      - id: drill-1
        carrier: vnpt
        hand_off: vnpt-1
        circuit: C1
        seen_from: [127.82.116.1]
        gateway: {probe: stamp, target: "127.82.16.1:8620", every: 500ms, timeout: 700ms}
collector:
  console: {listen: "127.0.0.1:8080"}
  agents: {listen: "0.0.0.0:8443"}
  stamp: {listen: "0.0.0.0:8862"}
"#;

fn rendered(site: &str) -> Plan {
    listening(site, "0.0.0.0:8443").unwrap()
}

fn listening(site: &str, agents: &str) -> Result<Plan, NoFile> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("all.yml"), YAML.replace("0.0.0.0:8443", agents)).unwrap();
    let config::Config { mut topology, collector, credentials, .. } = config::load(dir.path()).unwrap();
    let mut registry = Registry::default();
    let secret = registry.add(&topology, site, false).unwrap();
    registry.assign(&mut topology);
    plan(
        &topology,
        (&collector, &credentials),
        site,
        &secret,
        include_str!("../../../daemon/fixtures/localhost.pem"),
    )
}

#[test]
fn a_rehearsal_agent_rides_its_lines_primary_first() {
    let plan = rendered("drill");
    let lines: Vec<_> = plan.uplinks.iter().map(|uplink| uplink.line.as_str()).collect();
    assert_eq!(lines, ["drill-1", "drill-2"]);
    assert_eq!(plan.uplinks[0].source, Some("127.82.116.1".parse().unwrap()));
    assert_eq!(plan.uplinks[0].collector, "https://127.0.0.1:8443");
    assert!(plan.authority.is_some(), "the web's authorities do not know it");
    assert!(!plan.prompt);
}

#[test]
fn the_core_agent_is_prompt_and_asks_about_every_line() {
    let plan = rendered("trung-tam");
    assert!(plan.prompt);
    assert_eq!((plan.uplinks[0].line.as_str(), plan.uplinks[0].source), (ANY, None));
    let checks: Vec<_> = plan.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(checks, ["page", "line/drill-1"]);
}

#[test]
fn no_file_leads_beyond_this_machine() {
    let error = listening("drill", "192.0.2.10:8443").unwrap_err();
    assert!(error.to_string().contains("enrol the agent"), "{error}");
    assert_eq!(listening("drill", "127.0.0.9:8443").unwrap().uplinks[0].collector, "https://127.0.0.9:8443");
}

#[test]
fn the_text_reads_back() {
    let plan = rendered("trung-tam");
    let read: Plan = haidang_daemon::yaml::parse(Path::new("agent.yml"), &text(&plan)).unwrap();
    assert_eq!(read, plan);
}

#[test]
fn a_fresh_file_says_what_would_travel() {
    let plan = rendered("drill");
    let read: Plan = haidang_daemon::yaml::parse(Path::new("agent.yml"), &text(&plan)).unwrap();
    assert_eq!(
        read.orders().digest(),
        plan.orders().digest(),
        "so nothing is fetched until the record changes"
    );
}
