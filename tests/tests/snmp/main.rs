//! How the agent asks devices: Debian's snmpd (net-snmp), snmpsim's recordings of several makers, and devices that are
//! broken or mean harm. Programs that are not installed are told and passed over.
#![allow(clippy::unwrap_used)]
#![recursion_limit = "256"]

use haidang_agent::place::Finder;
use haidang_agent::probe::snmp::Probe;
use haidang_agent::probe::{Answer, Budget, Tools};
use haidang_daemon::clock::Clock;
use haidang_probe::ask::snmp::Question;
use haidang_probe::check::{Check, ProbeKind, Span};
use haidang_probe::credential::{Credential, Credentials};
use haidang_probe::metric::Metric;
use haidang_probe::outcome::Failure;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

mod hostile;
mod learned;
mod recorded;

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// net-snmp's agent, with a configuration of its own.
struct Snmpd {
    directory: tempfile::TempDir,
    port: u16,
}

impl Snmpd {
    fn new(engine: &str) -> Snmpd {
        let snmpd = Snmpd { directory: tempfile::tempdir().unwrap(), port: free_port() };
        snmpd.configure(engine);
        snmpd
    }

    /// Its files, as of a device with this engine id; a user's keys are of an engine.
    fn configure(&self, engine: &str) {
        let state = self.directory.path().join("state");
        let _ = std::fs::remove_dir_all(&state);
        std::fs::create_dir(&state).unwrap();
        let text = format!(
            "rocommunity public 127.0.0.1\nexactEngineID {engine}\nsysName bench\n\
             createUser reader SHA-256 \"an auth secret\" AES \"a privacy secret\"\nrouser reader priv\n\
             createUser strong SHA-512 \"an auth secret\" AES-256 \"a privacy secret\"\nrouser strong priv\n"
        );
        std::fs::write(self.directory.path().join("snmpd.conf"), text).unwrap();
    }

    /// None where it is not installed.
    fn start(&self) -> Option<Running> {
        let path = |name: &str| self.directory.path().join(name).display().to_string();
        let child = Command::new("/usr/sbin/snmpd")
            .args([
                "-f",
                "-Lo",
                "-C",
                "-c",
                &path("snmpd.conf"),
                "-p",
                &path("pid"),
                "-I",
                "-smux,mteTrigger",
            ])
            .arg(format!("udp:127.0.0.1:{}", self.port))
            .env("SNMP_PERSISTENT_DIR", path("state"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        child.map(Running).map_err(|error| eprintln!("skipped: snmpd does not start: {error}")).ok()
    }

    fn target(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

fn credentials() -> Credentials {
    let written = [
        r#"{"id":"lan","version":"2c","community":"public"}"#,
        r#"{"id":"old","version":"1","community":"public"}"#,
        r#"{"id":"wrong","version":"2c","community":"guess"}"#,
        r#"{"id":"v3","version":"3","user":"reader","auth":"sha-256","auth_secret":"an auth secret","privacy":"aes-128","privacy_secret":"a privacy secret"}"#,
        r#"{"id":"strong","version":"3","user":"strong","auth":"sha-512","auth_secret":"an auth secret","privacy":"aes-256","privacy_secret":"a privacy secret"}"#,
        r#"{"id":"v3wrong","version":"3","user":"reader","auth":"sha-256","auth_secret":"another secret","privacy":"aes-128","privacy_secret":"a privacy secret"}"#,
        r#"{"id":"v3nobody","version":"3","user":"nobody","auth":"sha-256","auth_secret":"an auth secret","privacy":"aes-128","privacy_secret":"a privacy secret"}"#,
    ];
    written
        .map(|text| serde_json::from_str::<Credential>(text).unwrap())
        .map(|one| (one.id.clone(), one))
        .into()
}

fn probe() -> Probe {
    let tools = Tools { clock: Clock::machine().unwrap(), finder: Finder::default() };
    let probe = Probe::new(&tools);
    probe.learn(credentials(), |_| true);
    probe
}

fn question(target: &str, with: &[(&str, &str)]) -> Question {
    let second = Span(Duration::from_secs(1));
    let with = with.iter().copied().collect();
    let target = target.into();
    let check = Check {
        id: None,
        name: "a".into(),
        probe: ProbeKind::Snmp,
        target,
        every: second,
        timeout: second,
        with,
    };
    match haidang_probe::ask::Question::of(&check) {
        Ok(haidang_probe::ask::Question::Snmp(question)) => question,
        other => panic!("{other:?}"),
    }
}

async fn ask(probe: &Probe, target: &str, with: &[(&str, &str)], within: Duration) -> Answer {
    probe.ask(&question(target, with), Budget::start(&Clock::machine().unwrap(), within)).await
}

/// The first good answer within some seconds: the program asked may still be starting.
async fn answer(probe: &Probe, target: &str, with: &[(&str, &str)]) -> Answer {
    for _ in 0..10 {
        let answer = ask(probe, target, with, Duration::from_secs(4)).await;
        if answer.result.is_ok() {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    ask(probe, target, with, Duration::from_secs(4)).await
}

fn value(answer: &Answer, metric: Metric, part: &str) -> Option<f64> {
    let mut of = answer.samples.iter().filter(|sample| sample.metric == metric && sample.part == part);
    of.next().map(|sample| sample.value)
}

#[tokio::test]
async fn each_version_reads_the_same_device() {
    let snmpd = Snmpd::new("0x80001f8804aa");
    let Some(_running) = snmpd.start() else { return };
    let probe = probe();
    for credential in ["lan", "v3", "strong", "old"] {
        let answer = answer(&probe, &snmpd.target(), &[("credential", credential)]).await;
        assert!(answer.result.is_ok(), "{credential}: {:?}", answer.result);
        assert_eq!(value(&answer, Metric::IfOperStatus, "lo"), Some(1.0), "{credential}");
        assert!(value(&answer, Metric::IfInOctets, "lo").is_some_and(|octets| octets > 0.0), "{credential}");
        assert!(value(&answer, Metric::SysUpTime, "").is_some(), "{credential}");
        assert!(value(&answer, Metric::HrStorageSize, "Physical memory").is_some_and(|size| size > 1e6));
        let twice =
            answer.samples.iter().filter(|one| one.metric == Metric::IfInOctets && one.part == "lo").count();
        assert_eq!(twice, 1);
    }
}

#[tokio::test]
async fn a_wrong_credential_has_its_reason() {
    let snmpd = Snmpd::new("0x80001f8804ab");
    let Some(_running) = snmpd.start() else { return };
    let probe = probe();
    assert!(answer(&probe, &snmpd.target(), &[("credential", "v3")]).await.result.is_ok());
    let short = Duration::from_millis(1500);
    for (credential, failure) in [
        ("v3wrong", Failure::SnmpAuth),
        ("v3nobody", Failure::SnmpAuth),
        // Versions 1 and 2c are silent to a wrong community.
        ("wrong", Failure::Timeout),
        ("unheard", Failure::Credential),
    ] {
        let answer = ask(&probe, &snmpd.target(), &[("credential", credential)], short).await;
        assert_eq!(answer.result, Err(failure), "{credential}");
    }
}

#[tokio::test]
async fn a_device_that_begins_anew_or_is_another_is_read_on() {
    let snmpd = Snmpd::new("0x80001f8804ac");
    let Some(running) = snmpd.start() else { return };
    let (probe, target) = (probe(), snmpd.target());
    let with = [("credential", "v3")];
    assert!(answer(&probe, &target, &with).await.result.is_ok());
    drop(running);
    let Some(running) = snmpd.start() else { return };
    assert!(answer(&probe, &target, &with).await.result.is_ok(), "its boots are one more");
    drop(running);
    snmpd.configure("0x80001f8804ad");
    let Some(_running) = snmpd.start() else { return };
    assert!(answer(&probe, &target, &with).await.result.is_ok(), "its engine is another");
}

#[tokio::test]
async fn nobody_there_is_a_timeout_in_time() {
    let (probe, silent) = (probe(), std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    let target = silent.local_addr().unwrap().to_string();
    let within = Duration::from_millis(600);
    let answer = ask(&probe, &target, &[("credential", "lan")], within).await;
    assert_eq!(answer, Answer { result: Err(Failure::Timeout), samples: Vec::new() });
}
