use super::*;
use crate::topology::{Line, Needs, Observe, Role, Site, SiteKind};
use std::os::unix::fs::PermissionsExt;

fn site(kind: SiteKind, observe: Observe, lines: &[&str]) -> Site {
    Site {
        name: "Trung tâm".into(),
        kind,
        commune: None,
        observe,
        rehearsal: false,
        needs: Needs::AnyOf(lines.iter().map(|line| (*line).into()).collect()),
        contact: None,
        gate_s: 60,
        checks: Vec::new(),
        ssid: None,
        ..Site::default()
    }
}

fn line(site: &str) -> Line {
    Line {
        site: site.into(),
        carrier: "vnpt".into(),
        hand_off: "vnpt-1".into(),
        pop: None,
        circuit: "DTP-1".into(),
        mbps: None,
        role: Role::Primary,
        metered: false,
        gateway: None,
        seen_from: vec!["127.82.116.1".parse().unwrap()],
        ssid: None,
        ..Line::default()
    }
}

fn province() -> Topology {
    let mut topology = Topology::default();
    topology.sites.insert("a".into(), site(SiteKind::Office, Observe::Gateway, &["a-1", "a-2"]));
    topology.sites.insert("core".into(), site(SiteKind::Core, Observe::Gateway, &[]));
    topology.sites.insert("mute".into(), site(SiteKind::Office, Observe::PingOnly, &["mute-1"]));
    for (id, of) in [("a-1", "a"), ("a-2", "a"), ("mute-1", "mute")] {
        topology.lines.insert(id.into(), line(of));
    }
    topology
}

#[test]
fn sessions_are_even_and_stay_with_their_line() {
    let (mut registry, mut topology) = (Registry::default(), province());
    registry.add(&topology, "a", false).unwrap();
    registry.add(&topology, "core", false).unwrap();
    registry.add(&topology, "a", false).unwrap();
    registry.assign(&mut topology);
    assert_eq!((topology.lines["a-1"].ssid, topology.lines["a-2"].ssid), (Some(2), Some(4)));
    assert_eq!((topology.sites["core"].ssid, topology.sites["a"].ssid), (Some(6), None));
    assert_eq!(topology.lines["mute-1"].ssid, None);
}

#[test]
fn a_second_add_gives_the_same_secret_unless_renewed() {
    let (mut registry, topology) = (Registry::default(), province());
    let first = registry.add(&topology, "a", false).unwrap();
    assert_eq!(registry.add(&topology, "a", false).unwrap(), first);
    assert_ne!(registry.add(&topology, "a", true).unwrap(), first);
}

#[test]
fn the_revoked_lose_token_and_sessions_but_not_their_ids() {
    let (mut registry, mut topology) = (Registry::default(), province());
    let token = key::bearer(&registry.add(&topology, "a", false).unwrap().0);
    registry.assign(&mut topology);
    assert_eq!(registry.roster(&topology).identity(&token), Some(&"a".to_owned()));
    assert!(registry.revoke("a"));
    assert!(!registry.revoke("a"));
    registry.assign(&mut topology);
    let roster = registry.roster(&topology);
    assert_eq!((roster.identity(&token), roster.uplinks.len()), (None, 0));
    assert_eq!(topology.lines["a-1"].ssid, None, "the fold no longer expects it");
    registry.add(&topology, "core", false).unwrap();
    assert_eq!(registry.session("core", ANY), Some(6), "2 and 4 are not given to another");
}

#[test]
fn sites_without_an_agent_and_unknown_sites_are_refused() {
    let (mut registry, topology) = (Registry::default(), province());
    assert!(matches!(registry.add(&topology, "mute", false), Err(RegistryError::NoAgent(_))));
    assert!(matches!(registry.add(&topology, "b", false), Err(RegistryError::NoSite(_))));
}

#[test]
fn the_file_reads_back_and_is_its_owners_alone() {
    let data = tempfile::tempdir().unwrap();
    let topology = province();
    let secret = Registry::edit(data.path(), |registry| registry.add(&topology, "a", false)).unwrap();
    let mut registry = Registry::read(data.path()).unwrap();
    assert_eq!(registry.add(&topology, "a", false).unwrap(), secret);
    let mode = fs::metadata(data.path().join(FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!format!("{registry:?}").contains(&secret.hex()[..8]));
}

#[test]
fn a_failed_change_writes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let topology = province();
    let failed = Registry::edit(data.path(), |registry| {
        registry.add(&topology, "a", false)?;
        registry.add(&topology, "b", false)
    });
    assert!(failed.is_err());
    assert_eq!(Registry::read(data.path()).unwrap(), Registry::default());
}

#[test]
fn a_damaged_secret_is_told_without_repeating_it() {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join(FILE), "agents:\n  a: {secret: c0ffee, sessions: {}}\n").unwrap();
    let error = Registry::read(data.path()).unwrap_err().to_string();
    assert!(error.contains("agents.yml:2") && !error.contains("c0ffee"), "{error}");
}

#[test]
fn a_link_laid_out_for_a_secret_is_not_followed() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (trap, file) = (dir.path().join("trap"), dir.path().join("28249-tt.yml"));
    std::fs::write(&trap, "").unwrap();
    std::os::unix::fs::symlink(&trap, dir.path().join("28249-tt.yml.new")).unwrap();
    replace(&file, b"secret").unwrap();
    assert_eq!(std::fs::read(&trap).unwrap(), b"");
    let metadata = std::fs::symlink_metadata(&file).unwrap();
    assert_eq!((metadata.is_file(), metadata.permissions().mode() & 0o777), (true, 0o600));
    assert_eq!(std::fs::read(&file).unwrap(), b"secret");
}
