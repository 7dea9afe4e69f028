//! Recordings of devices of several makers, played by snmpsim. They are short, written by hand from the makers' published
//! MIBs and documentation.

use super::*;

/// None where snmpsim is not installed. It plays `NAME.snmprec` to the community `NAME`, and not as root.
fn simulate(directory: &Path) -> Option<(Running, String)> {
    let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snmp/recordings");
    let played = directory.join("data");
    std::fs::create_dir(&played).unwrap();
    for file in std::fs::read_dir(recordings).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), played.join(file.file_name())).unwrap();
    }
    let port = free_port();
    let mut command = Command::new("/usr/bin/snmpsimd");
    command.arg(format!("--data-dir={}", played.display()));
    command.arg(format!("--cache-dir={}", directory.join("cache").display()));
    command.arg(format!("--agent-udpv4-endpoint=127.0.0.1:{port}"));
    command.args(["--process-user=nobody", "--process-group=nogroup"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let running =
        child.map(Running).map_err(|error| eprintln!("skipped: snmpsimd does not start: {error}")).ok()?;
    Some((running, format!("127.0.0.1:{port}")))
}

#[tokio::test]
async fn each_makers_devices_tell_what_matters() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let Some((_running, target)) = simulate(directory.path()) else { return };
    let probe = probe();
    let told: [(&str, Metric, &str, f64); 24] = [
        ("cisco", Metric::IfInOctets, "Gi0/1", 88_123_456_789_012.0),
        ("cisco", Metric::HrProcessorLoad, "cpu 1", 17.0),
        ("cisco", Metric::SensorCelsius, "temperature 1006", 41.0),
        ("cisco", Metric::LldpNeighbour, "Gi0/1 > core-sw Gi1/0/24", 1.0),
        ("huawei", Metric::HrProcessorLoad, "entity 67108873", 9.0),
        ("huawei", Metric::IfOperStatus, "GigabitEthernet0/0/2", 2.0),
        ("mikrotik", Metric::SensorCelsius, "board", 38.5),
        ("mikrotik", Metric::HrProcessorLoad, "cpu 1", 4.0),
        ("juniper", Metric::MemoryUsed, "component 9.1.0.0", 33.0),
        ("fortinet", Metric::Sessions, "", 1204.0),
        ("apc", Metric::UpsOutputSource, "", 5.0),
        ("apc", Metric::UpsRemaining, "", 1260.0),
        ("apc", Metric::UpsChargePercent, "", 87.0),
        ("draytek", Metric::IfInOctets, "WAN1", 4_000_000_000.0),
        ("hpe", Metric::HrProcessorLoad, "cpu", 23.0),
        ("hpe", Metric::LldpNeighbour, "A1 > access-02 24", 1.0),
        ("hpe", Metric::LldpNeighbour, "A1 > 00:1b:3f:aa:01:00 00:1b:3f:aa:01:02", 1.0),
        ("hpe", Metric::BridgeStations, "1", 2.0),
        ("hpe", Metric::BridgeStations, "A1", 1.0),
        ("hpe", Metric::BridgeStationPort, "00:0b:86:00:00:2a", 25.0),
        ("aruba", Metric::IfInOctets, "1/1/1", 5_000_000_000_000.0),
        ("aruba", Metric::IfOperStatus, "1/1/2", 2.0),
        ("aruba", Metric::LldpNeighbour, "1/1/1 > core 1/0/9", 1.0),
        ("aruba", Metric::BridgeStations, "1/1/1", 1.0),
    ];
    for (maker, metric, part, expected) in told {
        let credential = format!(r#"{{"id":"{maker}","version":"2c","community":"{maker}"}}"#);
        let credential: Credential = serde_json::from_str(&credential).unwrap();
        probe.learn([(maker.to_owned(), credential)].into(), |_| true);
        let answer = answer(&probe, &target, &[("credential", maker), ("stations", "true")]).await;
        assert!(answer.result.is_ok(), "{maker}: {:?}", answer.result);
        assert_eq!(value(&answer, metric, part), Some(expected), "{maker}: {:?}", answer.samples);
    }
}
