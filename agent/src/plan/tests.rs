use super::*;

const GOOD: &str = "\
agent: 28249-tt
secret: 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
uplinks:
  - {line: any, ssid: 2, stamp: \"127.0.0.1:8862\", collector: \"http://127.0.0.1:8443\"}
checks:
  - {name: gateway, probe: icmp, target: \"@default-gateway\"}
  - {name: portal, probe: http, target: \"https://portal.example/\", every: 30s, timeout: 5s}
  - {name: lan, probe: interface}
";

/// A plan as somebody's file says it.
pub(crate) fn good() -> Loaded {
    read(GOOD).ok().unwrap()
}

fn read(text: &str) -> Result<Loaded, Faults> {
    parse(Path::new("agent.yml"), text)
}

fn faults(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    read(&GOOD.replace(from, to)).err().expect("a fault").to_string()
}

#[test]
fn a_good_plan_is_understood_whole() {
    let loaded = read(GOOD).ok().unwrap();
    assert_eq!((loaded.checks.len(), loaded.secrets[0].len()), (3, 32));
    assert_eq!(loaded.digest, loaded.plan.orders().digest());
    assert_eq!(loaded.digest, read(&format!("# a word\n{GOOD}")).ok().unwrap().digest, "of what it says");
}

#[test]
fn each_fault_is_told_at_its_place() {
    for (from, to, told) in [
        ("probe: icmp", "probe: ping", "agent.yml:6:"),
        ("secret: 00", "secret: 0x", "agent.yml:2:9: secret is not 64 hex digits"),
        ("@default-gateway", "@gateway", "agent.yml:6:42: unknown place `@gateway`"),
        ("https://portal.example/", "portal.example", "agent.yml:7:41: `portal.example` is neither http://"),
        ("name: lan", "name: portal", "agent.yml:8:12: check `portal` has the id of check `portal`"),
        ("30s", "1ms", "agent.yml:7:75: every is at least 50ms"),
        ("ssid: 2", "ssid: 0", "agent.yml:4:23: ssid is between 1 and 65534"),
        ("agent: 28249-tt", "agent: \"\"", "agent.yml:1:8: agent is the id of its site"),
        ("http://127.0.0.1:8443", "http://10.0.0.1:8443", "would carry the agent's token in plain text"),
        ("checks:", "listen: 0.0.0.0:9100\nchecks:", "agent.yml:5:9: listen on 0.0.0.0:9100: not a loopback"),
        ("checks:", "spool_bytes: 5\nchecks:", "agent.yml:5:14: spool_bytes is at least"),
        ("checks:", "flush: 1ms\nchecks:", "agent.yml:5:8: flush is between 100ms and 5m"),
        ("checks:", "chekcs:", "did you mean `checks`"),
    ] {
        let found = faults(from, to);
        assert!(found.contains(told), "{from} -> {to}: {found}");
    }
}

#[test]
fn all_faults_are_told_in_one_run() {
    let text =
        GOOD.replace("@default-gateway", "@gateway").replace("ssid: 2", "ssid: 0").replace("30s", "1ms");
    let faults = read(&text).err().unwrap();
    assert_eq!(faults.all().iter().map(|fault| fault.line).collect::<Vec<_>>(), [4, 6, 7]);
}

#[test]
fn the_secret_is_never_told() {
    let found = faults("secret: 000102030405060708090a0b0c0d0e0f1011", "secret: s3cr3t");
    assert!(!found.contains("s3cr3t") && !found.contains("1213"), "{found}");
}

#[test]
fn two_uplinks_do_not_share_a_session() {
    let second =
        "  - {line: b, ssid: 3, stamp: \"127.0.0.1:8862\", collector: \"https://c.example/\"}\nchecks:";
    let found = faults("checks:", second);
    assert!(found.contains("session 3 is already that of uplink `any`"), "{found}");
}

#[test]
fn plain_text_to_this_machine_is_allowed() {
    for url in ["http://localhost:8443", "http://[::1]:8443", "https://10.0.0.1:8443"] {
        assert!(read(&GOOD.replace("http://127.0.0.1:8443", url)).is_ok(), "{url}");
    }
}

#[test]
fn only_what_changed_is_touched() {
    let before = read(GOOD).ok().unwrap();
    assert_eq!(Changes::between(&before, &before), Changes::default());
    let text = GOOD.replace("every: 30s", "every: 60s").replace("name: lan", "name: wan");
    let after = read(&text.replace("agent: 28249-tt", "agent: other")).ok().unwrap();
    let changes = Changes::between(&before, &after);
    assert_eq!(changes.removed, [CheckId::of_name("lan")]);
    let mut set = [CheckId::of_name("portal"), CheckId::of_name("wan")];
    set.sort();
    assert_eq!((changes.set, changes.restart), (set.to_vec(), vec!["agent"]));
}

#[test]
fn a_device_is_asked_by_one_run_at_a_time() {
    let snmp = "probe: snmp, target: 192.0.2.1, every: 2s, timeout: 9s, with: {credential: lan}";
    let text = GOOD.replace("probe: interface", snmp);
    let loaded =
        read(&format!("{text}credentials:\n  - {{id: lan, version: 2c, community: c}}\n")).ok().unwrap();
    let pace = loaded.checks[&CheckId::of_name("lan")].pace();
    assert!(pace.length < pace.every, "{pace:?}");
}
