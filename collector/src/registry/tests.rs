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

const DAY: i64 = 86_400_000;
const MONTH: std::time::Duration = std::time::Duration::from_secs(30 * 86_400);
const SELDOM: std::time::Duration = std::time::Duration::from_secs(60);

#[test]
fn a_code_is_good_for_one_device_within_its_day() {
    let (mut registry, topology) = (Registry::default(), province());
    registry.invite(&topology, "a", [1; 32], 0).unwrap();
    assert_eq!(registry.enroll([2; 32], [7; 32], 1).unwrap(), Err(Turned::Wrong));
    assert_eq!(registry.enroll([1; 32], [7; 32], DAY + 1).unwrap(), Err(Turned::Expired));
    assert_eq!(registry.enroll([1; 32], [7; 32], DAY).unwrap(), Ok("a".into()));
    let sealed = registry.sealed("a");
    assert_eq!(registry.enroll([1; 32], [7; 32], DAY).unwrap(), Ok("a".into()), "its answer was lost");
    assert_eq!(registry.sealed("a"), sealed);
    assert_eq!(registry.enroll([1; 32], [8; 32], DAY).unwrap(), Err(Turned::Used));
}

#[test]
fn another_device_takes_the_place_of_the_one_before() {
    let (mut registry, topology) = (Registry::default(), province());
    for (code, key) in [([1; 32], [7; 32]), ([2; 32], [8; 32])] {
        registry.invite(&topology, "a", code, 0).unwrap();
        registry.enroll(code, key, 1).unwrap().unwrap();
    }
    assert_eq!(registry.renew([7; 32], 2, MONTH, SELDOM), None);
    assert!(registry.renew([8; 32], 2, MONTH, SELDOM).is_some_and(|renewal| !renewal.quarantined));
}

#[test]
fn a_device_brought_to_another_site_is_the_agent_of_that_one_alone() {
    for (first, second) in [("a", "core"), ("core", "a")] {
        let (mut registry, topology) = (Registry::default(), province());
        for (site, code) in [(first, [1; 32]), (second, [2; 32])] {
            registry.invite(&topology, site, code, 0).unwrap();
            assert_eq!(registry.enroll(code, [7; 32], 1).unwrap(), Ok(site.into()));
        }
        assert_eq!(
            registry.renew([7; 32], 2, MONTH, SELDOM).map(|renewal| renewal.site),
            Some(second.into())
        );
    }
}

#[test]
fn a_month_of_silence_ends_in_quarantine_until_somebody_approves() {
    let (mut registry, mut topology) = (Registry::default(), province());
    registry.invite(&topology, "a", [1; 32], 0).unwrap();
    registry.enroll([1; 32], [7; 32], 0).unwrap().unwrap();
    registry.renew([7; 32], 3 * DAY, MONTH, SELDOM);
    registry.assign(&mut topology);
    assert_eq!(registry.roster(&topology).uplinks.len(), 2);
    let renewal = registry.renew([7; 32], 34 * DAY, MONTH, SELDOM);
    assert_eq!(renewal, Some(Renewal { site: "a".into(), quarantined: true }));
    assert!(registry.renew([7; 32], 35 * DAY, MONTH, SELDOM).is_some_and(|renewal| renewal.quarantined));
    let roster = registry.roster(&topology);
    assert_eq!(roster.quarantined().collect::<Vec<_>>(), [(&"a".to_owned(), 34 * DAY)]);
    assert!(roster.uplinks.is_empty(), "nothing of it is taken");
    assert!(registry.approve("a") && !registry.approve("a"));
    assert_eq!(registry.roster(&topology).uplinks.len(), 2);
}

#[test]
fn a_rotated_secret_counts_beside_the_one_before_and_is_another_plan() {
    let (mut registry, mut topology) = (Registry::default(), province());
    registry.invite(&topology, "a", [1; 32], 0).unwrap();
    registry.enroll([1; 32], [7; 32], 0).unwrap().unwrap();
    registry.assign(&mut topology);
    let (before, digest) = (registry.roster(&topology).uplinks[&2].key, topology.sites["a"].sealed);
    assert!(registry.rotate(&province(), "a").unwrap() && !registry.rotate(&province(), "core").unwrap());
    registry.assign(&mut topology);
    let after = registry.roster(&topology).uplinks[&2].clone();
    assert_eq!(after.previous, Some(before));
    assert_ne!((after.key, topology.sites["a"].sealed), (before, digest));
    registry.rotate(&province(), "a").unwrap();
    assert_eq!(registry.sealed("a").secrets.len(), 2);
}

#[test]
fn an_enrolled_agent_gets_no_file_and_a_file_ends_with_enrolment() {
    let (mut registry, mut topology) = (Registry::default(), province());
    let token = key::bearer(&registry.add(&topology, "a", false).unwrap().0);
    registry.invite(&topology, "a", [1; 32], 0).unwrap();
    registry.assign(&mut topology);
    assert!(registry.roster(&topology).identity(&token).is_some(), "until the code is used");
    registry.enroll([1; 32], [7; 32], 0).unwrap().unwrap();
    assert_eq!(registry.roster(&topology).identity(&token), None);
    assert!(matches!(registry.add(&topology, "a", false), Err(RegistryError::Enrolled(_))));
    assert!(registry.revoke("a"));
    assert_eq!(registry.renew([7; 32], 1, MONTH, SELDOM), None);
    assert_eq!(registry.enroll([1; 32], [7; 32], 1).unwrap(), Err(Turned::Wrong));
}
