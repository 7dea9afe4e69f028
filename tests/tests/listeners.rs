//! What an agent hears, from the programs that say it: util-linux's logger, rsyslog, net-snmp; and 100 000 datagrams near
//! to real ones. Programs that are not installed are told and passed over.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use async_snmp::notification::NotificationReceiver;
use haidang_agent::listen::{dhcp, ear::Ear, frame::Frames, netlink, syslog, trap};
use haidang_daemon::clock::Clock;
use haidang_probe::credential::{Credential, Credentials};
use haidang_probe::event::{EventKind, Field};
use haidang_probe::listening::Listening;
use haidang_tests::heard::{Heard, PATIENCE};
use haidang_tests::hostile::floods::engines;
use haidang_tests::mutants::{Mutants, TRAP};
use haidang_tests::process;
use haidang_tests::proof::unproved;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::sync::mpsc;

/// Whether a program is here; says so where it is not.
fn here(program: &str) -> bool {
    let mut look = Command::new("sh");
    look.args(["-c", &format!("command -v {program}")]).stdout(Stdio::null());
    let here = look.status().is_ok_and(|status| status.success());
    if !here {
        unproved("listeners", &format!("{program} is not installed (`make test` does that)"));
    }
    here
}

async fn runs(program: &str, arguments: &[&str]) -> bool {
    let (program, arguments) =
        (program.to_owned(), arguments.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
    let ran = tokio::task::spawn_blocking(move || {
        Command::new(program).args(arguments).env("SNMPCONFPATH", "/nonexistent").env("MIBS", "").status()
    });
    ran.await.unwrap().is_ok_and(|status| status.success())
}

/// An address of this machine nobody listens on yet.
fn free() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn syslog_at(address: SocketAddr) -> Listening {
    Listening { syslog: Some(address), ..Listening::default() }
}

/// Waits until something listens on a TCP port.
async fn listens(address: SocketAddr) {
    for _ in 0..200 {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing listens on {address}");
}

#[tokio::test]
async fn logger_is_heard_in_every_form_it_speaks() {
    if !here("logger") {
        return;
    }
    let (mut site, address) = (Heard::new().unwrap(), free());
    site.follow(syslog_at(address), Credentials::default());
    listens(address).await;
    let port = address.port().to_string();
    for form in [
        &["--udp", "--rfc3164"][..],
        &["--udp", "--rfc5424"],
        &["--tcp", "--rfc3164"],
        &["--tcp", "--rfc5424", "--octet-count"],
    ] {
        let to = ["--server", "127.0.0.1", "--port", &port, "--priority", "auth.warning", "--tag", "sshd"];
        let text = ["Failed password for root from 192.0.2.9"];
        assert!(runs("logger", &[form, &to, &text].concat()).await, "{form:?}");
        let event = site.next(&format!("{form:?}")).await.unwrap();
        assert_eq!(event.kind, EventKind::AuthFailure, "{form:?}");
        let said =
            [Field::Facility, Field::Severity, Field::App, Field::Source].map(|field| event.says(field));
        assert_eq!(said, [Some("auth"), Some("warning"), Some("sshd"), Some("127.0.0.1")], "{form:?}");
        assert!(!format!("{event:?}").contains("192.0.2.9"), "the text is not kept");
    }
}

#[tokio::test]
async fn rsyslog_forwards_to_us() {
    if !here("rsyslogd") || !here("logger") {
        return;
    }
    let (mut site, address) = (Heard::new().unwrap(), free());
    site.follow(syslog_at(address), Credentials::default());
    listens(address).await;
    let folder = site.directory().to_owned();
    let (socket, port) = (folder.join("log"), address.port());
    let forward =
        |more: &str| format!("action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{port}\" {more})\n");
    let configuration = format!(
        "module(load=\"imuxsock\" SysSock.Use=\"off\")\ninput(type=\"imuxsock\" Socket=\"{}\")\n{}{}",
        socket.display(),
        forward("protocol=\"udp\""),
        forward("protocol=\"tcp\" TCP_Framing=\"octet-counted\" template=\"RSYSLOG_SyslogProtocol23Format\""),
    );
    let (file, pid) = (folder.join("rsyslog.conf"), folder.join("pid"));
    std::fs::write(&file, configuration).unwrap();
    let mut rsyslog = Command::new("rsyslogd")
        .arg("-n")
        .args([std::ffi::OsStr::new("-f"), file.as_os_str(), "-i".as_ref(), pid.as_os_str()])
        .spawn()
        .unwrap();
    for _ in 0..200 {
        if socket.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let socket = socket.display().to_string();
    assert!(runs("logger", &["-u", &socket, "-p", "daemon.err", "-t", "netd", "eth0: link is down"]).await);
    let both = [site.next("by UDP").await.unwrap(), site.next("by TCP").await.unwrap()];
    rsyslog.kill().unwrap();
    rsyslog.wait().unwrap();
    for event in both {
        assert_eq!((event.kind, event.says(Field::App)), (EventKind::PortDown, Some("netd")));
        assert_eq!((event.says(Field::Facility), event.says(Field::Severity)), (Some("daemon"), Some("err")));
    }
}

#[tokio::test]
async fn a_plan_starts_and_stops_listeners() {
    let (mut site, address) = (Heard::new().unwrap(), free());
    site.follow(syslog_at(address), Credentials::default());
    listens(address).await;
    site.follow(syslog_at(address), Credentials::default());
    assert!(UdpSocket::bind(address).is_err(), "one that stays as it is keeps its socket");
    site.follow(Listening::default(), Credentials::default());
    let freed = async {
        while UdpSocket::bind(address).is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, freed).await.expect("the socket is free again");
}

fn credential(json: &str) -> (String, Credential) {
    let credential: Credential = serde_json::from_str(json).unwrap();
    (credential.id.clone(), credential)
}

const LINK_DOWN: &str = "1.3.6.1.6.3.1.1.5.3";
const PORT: [&str; 6] = ["1.3.6.1.2.1.2.2.1.1.7", "i", "7", "1.3.6.1.2.1.31.1.1.1.1.7", "s", "ge-0/0/7"];

/// A site that takes traps of community `lan` and users `trapper` and `strong`.
async fn with_traps() -> (Heard, String) {
    let credentials = Credentials::from([
        credential(r#"{"id":"lan","version":"2c","community":"lan-c"}"#),
        credential(
            r#"{"id":"v3","version":"3","user":"trapper","auth":"sha-256","auth_secret":"auth-pass-1","privacy":"aes-128","privacy_secret":"priv-pass-1"}"#,
        ),
        credential(
            r#"{"id":"strong","version":"3","user":"strong","auth":"sha-512","auth_secret":"auth-pass-1","privacy":"aes-256","privacy_secret":"priv-pass-1"}"#,
        ),
    ]);
    let (mut site, address) = (Heard::new().unwrap(), free());
    let names = vec!["lan".into(), "v3".into(), "strong".into()];
    let listening = Listening { traps: Some(address), credentials: names, ..Listening::default() };
    site.follow(listening, credentials);
    for _ in 0..200 {
        if UdpSocket::bind(address).is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (site, format!("udp:{address}"))
}

const USER: [&str; 14] = [
    "-v",
    "3",
    "-l",
    "authPriv",
    "-u",
    "trapper",
    "-a",
    "SHA-256",
    "-A",
    "auth-pass-1",
    "-x",
    "AES",
    "-X",
    "priv-pass-1",
];

#[tokio::test]
async fn net_snmp_sends_traps_of_every_version_and_informs_are_acknowledged() {
    if !here("snmptrap") || !here("snmpinform") {
        return;
    }
    let (mut site, to) = with_traps().await;
    let (two, engine) = (["-v", "2c", "-c", "lan-c"], ["-e", "0x8000000001020304"]);
    let one = ["-v", "1", "-c", "lan-c", &to, "1.3.6.1.4.1.8072.3.2.10", "192.0.2.55", "2", "0", "55"];
    assert!(runs("snmptrap", &[&one[..], &PORT].concat()).await);
    let event = site.next("a trap of version 1").await.unwrap();
    assert_eq!((event.kind, event.says(Field::Version)), (EventKind::PortDown, Some("1")));
    assert_eq!(event.says(Field::Address), Some("192.0.2.55"), "the device it speaks for");
    let rest = [&to[..], "", LINK_DOWN];
    let strong = USER.map(|word| match word {
        "trapper" => "strong",
        "SHA-256" => "SHA-512",
        "AES" => "AES-256",
        word => word,
    });
    for (program, who, version) in [
        ("snmptrap", &two[..], "2c"),
        ("snmpinform", &two, "2c"),
        ("snmptrap", &[&USER[..], &engine].concat(), "3"),
        ("snmpinform", &USER, "3"),
        ("snmptrap", &[&strong[..], &engine].concat(), "3"),
        ("snmpinform", &strong, "3"),
    ] {
        let acknowledged = runs(program, &[who, &["-r", "1", "-t", "5"], &rest, &PORT].concat()).await;
        assert!(acknowledged, "{program} of version {version}");
        let event = site.next(&format!("{program} of version {version}")).await.unwrap();
        assert_eq!(
            (event.kind, event.says(Field::Version)),
            (EventKind::PortDown, Some(version)),
            "{program}"
        );
        let port = [Field::Oid, Field::Port, Field::PortIndex].map(|field| event.says(field));
        assert_eq!(port, [Some(LINK_DOWN), Some("ge-0/0/7"), Some("7")], "{program} of version {version}");
    }
}

#[tokio::test]
async fn a_stranger_to_the_credentials_is_not_heard() {
    if !here("snmptrap") {
        return;
    }
    let (mut site, to) = with_traps().await;
    let rest = [&to[..], "", LINK_DOWN];
    assert!(runs("snmptrap", &[&["-v", "2c", "-c", "guess"], &rest[..]].concat()).await);
    let wrong: Vec<&str> =
        USER.iter().map(|word| if *word == "auth-pass-1" { "auth-pass-2" } else { word }).collect();
    assert!(runs("snmptrap", &[&wrong[..], &["-e", "0x8000000001020304"], &rest].concat()).await);
    let open: Vec<&str> =
        USER[..6].iter().map(|word| if *word == "authPriv" { "noAuthNoPriv" } else { word }).collect();
    assert!(runs("snmptrap", &[&open[..], &["-e", "0x8000000001020304"], &rest].concat()).await);
    let last = ["1.3.6.1.6.3.1.1.5.1"];
    assert!(runs("snmptrap", &[&["-v", "2c", "-c", "lan-c"], &rest[..2], &last].concat()).await);
    assert_eq!(site.next("the one that is known").await.unwrap().kind, EventKind::DeviceRestarted);
}

#[tokio::test]
async fn mutated_traps_do_no_harm_and_a_good_one_is_heard_after_them() {
    let directory = tempfile::tempdir().unwrap();
    let settings = trap::Settings { address: "127.0.0.1:0".parse().unwrap(), credentials: Vec::new() };
    let receiver: NotificationReceiver = trap::receiver(&settings, directory.path()).await.unwrap();
    let (to, (events, mut heard)) = (receiver.local_addr(), mpsc::channel(4096));
    let ear = Ear::new(Clock::manual(), events, "traps");
    let hears = tokio::spawn(async move { trap::hear_notifications(&receiver, &ear).await });
    let (sender, mut mutants) = (UdpSocket::bind("127.0.0.1:0").unwrap(), Mutants::new(7));
    for turn in 0..20_000 {
        sender.send_to(&mutants.of(TRAP), to).unwrap();
        if turn % 16 == 0 {
            tokio::task::yield_now().await;
        }
    }
    // Those of the mutants that were read are capped as any source; another source is heard.
    let other = UdpSocket::bind("127.0.0.2:0").unwrap();
    let known = async {
        loop {
            other.send_to(TRAP, to).unwrap();
            let wait = tokio::time::timeout(Duration::from_millis(100), async {
                while let Some(event) = heard.recv().await {
                    if event.says(Field::Source) == Some("127.0.0.2") {
                        return Some(event);
                    }
                }
                None
            });
            if let Ok(Some(event)) = wait.await {
                return event;
            }
        }
    };
    let event = tokio::time::timeout(PATIENCE, known).await.expect("the receiver lives");
    assert_eq!((event.kind, event.says(Field::Oid)), (EventKind::PortDown, Some(LINK_DOWN)));
    assert!(!hears.is_finished());
    hears.abort();
}

#[tokio::test]
async fn engines_of_hostile_ids_are_not_heard_and_take_no_room() {
    if !here("snmpinform") {
        return;
    }
    let (mut site, to) = with_traps().await;
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = to.trim_start_matches("udp:").to_owned();
    let before = process::usage(std::process::id()).unwrap();
    for turn in 0..20_000_u32 {
        sender.send_to(&engines(turn.into()), &address).unwrap();
        if turn % 64 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let inform = [&USER[..], &["-r", "2", "-t", "5", &to, "", LINK_DOWN]].concat();
    assert!(runs("snmpinform", &inform).await, "one who is known is acknowledged");
    assert_eq!(site.next("the known one").await.unwrap().says(Field::Version), Some("3"));
    let after = process::usage(std::process::id()).unwrap();
    assert!(after.anonymous_mib < before.anonymous_mib + 16.0, "{before:?} {after:?}");
}

#[test]
fn mutated_syslog_answers_and_neighbours_do_no_harm() {
    let syslog_seeds: [&[u8]; 4] = [
        b"<34>1 2003-10-11T22:14:15.003Z m.example su 1 ID47 [a@1 b=\"c\"] text",
        b"<189>123: *Mar  1 00:01:02.345: %SYS-5-CONFIG_I: Configured from console",
        b"<38>Nov 22 10:00:00 gw sshd[7712]: Failed password for root",
        b"11 <13>1 - - -\n<13>a\n99999 <1>",
    ];
    let mut offer = vec![0; 264];
    offer[0] = 0x45;
    offer[9] = 17;
    offer[20..24].copy_from_slice(&[0, 67, 0, 68]);
    offer[28] = 2;
    offer.extend([99, 130, 83, 99, 53, 1, 2, 54, 4, 192, 0, 2, 66, 255]);
    let mut mutants = Mutants::new(1);
    let (mut read_well, mut answers) = (0, 0);
    for turn in 0..100_000 {
        let mutant = mutants.of(syslog_seeds[turn % 4]);
        if let Some(header) = syslog::read(&mutant) {
            read_well += 1;
            assert!(header.app.len() <= 48 && header.app.is_ascii());
        }
        let mut frames = Frames::default();
        for piece in mutant.chunks(7) {
            frames.take(piece, |_| {});
        }
        let mutant = mutants.of(&offer);
        answers += usize::from(dhcp::read_answer(&mutant).is_some());
        netlink::read(&mutant, |_| {});
    }
    assert!((10_000..100_000).contains(&read_well), "{read_well} messages were read");
    assert!((1_000..100_000).contains(&answers), "{answers} answers were read");
}
