//! What a site's agent hears, from the programs that say it: util-linux's logger, rsyslog, net-snmp, the kernel's own
//! neighbour table, a DHCP server's answer; and 100 000 datagrams near to real ones.
//!
//! Programs that are not installed, and namespaces without root, are told and passed over.

use async_snmp::notification::NotificationReceiver;
use haidang_agent::listen::{Listeners, Said, Tools, dhcp, ear::Ear, frame::Frames, netlink, syslog, trap};
use haidang_agent::place::Finder;
use haidang_daemon::clock::Clock;
use haidang_probe::credential::{Credential, Credentials};
use haidang_probe::event::{Event, EventKind, Field};
use haidang_probe::listening::Listening;
use haidang_tests::mutants::Mutants;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::sync::mpsc;

/// Longest a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A machine's listeners, and what they heard.
struct Site {
    listeners: Listeners,
    tools: Tools,
    heard: mpsc::Receiver<Event>,
    directory: tempfile::TempDir,
}

impl Site {
    fn new() -> Site {
        let (events, heard) = mpsc::channel(4096);
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::machine().unwrap();
        let tools = Tools { clock, finder: Finder::default(), events, directory: directory.path().into() };
        Site { listeners: Listeners::default(), tools, heard, directory }
    }

    fn follow(&mut self, listening: Listening, credentials: Credentials) {
        self.listeners.follow(&Said { listening, credentials }, &self.tools);
    }

    async fn next(&mut self, what: &str) -> Event {
        let next = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
        next.unwrap_or_else(|_| panic!("not heard: {what}")).unwrap()
    }
}

/// Whether a program is here; says so where it is not.
fn here(program: &str) -> bool {
    let here = Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null());
    let here = here.status().is_ok_and(|status| status.success());
    if !here {
        println!("passed over: {program} is not installed");
    }
    here
}

async fn runs(program: &str, arguments: &[&str]) -> bool {
    let (program, arguments) = (program.to_owned(), arguments.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
    let ran = tokio::task::spawn_blocking(move || {
        Command::new(program).args(arguments).env("SNMPCONFPATH", "/nonexistent").status()
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
    let (mut site, address) = (Site::new(), free());
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
        let event = site.next(&format!("{form:?}")).await;
        assert_eq!(event.kind, EventKind::AuthFailure, "{form:?}");
        let said = [Field::Facility, Field::Severity, Field::App, Field::Source].map(|field| event.says(field));
        assert_eq!(said, [Some("auth"), Some("warning"), Some("sshd"), Some("127.0.0.1")], "{form:?}");
        assert!(!format!("{event:?}").contains("192.0.2.9"), "the text is not kept");
    }
}

#[tokio::test]
async fn rsyslog_forwards_to_us() {
    if !here("rsyslogd") || !here("logger") {
        return;
    }
    let (mut site, address) = (Site::new(), free());
    site.follow(syslog_at(address), Credentials::default());
    listens(address).await;
    let folder = site.directory.path().to_owned();
    let (socket, port) = (folder.join("log"), address.port());
    let forward = |more: &str| {
        format!("action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{port}\" {more})\n")
    };
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
    let both = [site.next("by UDP").await, site.next("by TCP").await];
    rsyslog.kill().unwrap();
    rsyslog.wait().unwrap();
    for event in both {
        assert_eq!((event.kind, event.says(Field::App)), (EventKind::PortDown, Some("netd")));
        assert_eq!((event.says(Field::Facility), event.says(Field::Severity)), (Some("daemon"), Some("err")));
    }
}

#[tokio::test]
async fn a_plan_starts_and_stops_listeners() {
    let (mut site, address) = (Site::new(), free());
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

/// A site that takes traps of community `lan` and user `v3`.
async fn with_traps() -> (Site, String) {
    let credentials = Credentials::from([
        credential(r#"{"id":"lan","version":"2c","community":"lan-c"}"#),
        credential(
            r#"{"id":"v3","version":"3","user":"trapper","auth":"sha-256","auth_secret":"auth-pass-1","privacy":"aes-128","privacy_secret":"priv-pass-1"}"#,
        ),
    ]);
    let (mut site, address) = (Site::new(), free());
    let names = vec!["lan".into(), "v3".into()];
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
    "-v", "3", "-l", "authPriv", "-u", "trapper", "-a", "SHA-256", "-A", "auth-pass-1", "-x", "AES", "-X", "priv-pass-1",
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
    let event = site.next("a trap of version 1").await;
    assert_eq!((event.kind, event.says(Field::Version)), (EventKind::PortDown, Some("1")));
    assert_eq!(event.says(Field::Address), Some("192.0.2.55"), "the device it speaks for");
    let rest = [&to[..], "", LINK_DOWN];
    for (program, who, version) in [
        ("snmptrap", &two[..], "2c"),
        ("snmpinform", &two, "2c"),
        ("snmptrap", &[&USER[..], &engine].concat(), "3"),
        ("snmpinform", &USER, "3"),
    ] {
        let acknowledged = runs(program, &[who, &["-r", "1", "-t", "5"], &rest, &PORT].concat()).await;
        assert!(acknowledged, "{program} of version {version}");
        let event = site.next(&format!("{program} of version {version}")).await;
        assert_eq!((event.kind, event.says(Field::Version)), (EventKind::PortDown, Some(version)), "{program}");
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
    let wrong: Vec<&str> = USER.iter().map(|word| if *word == "auth-pass-1" { "auth-pass-2" } else { word }).collect();
    assert!(runs("snmptrap", &[&wrong[..], &["-e", "0x8000000001020304"], &rest].concat()).await);
    let open: Vec<&str> = USER[..6].iter().map(|word| if *word == "authPriv" { "noAuthNoPriv" } else { word }).collect();
    assert!(runs("snmptrap", &[&open[..], &["-e", "0x8000000001020304"], &rest].concat()).await);
    let last = ["1.3.6.1.6.3.1.1.5.1"];
    assert!(runs("snmptrap", &[&["-v", "2c", "-c", "lan-c"], &rest[..2], &last].concat()).await);
    assert_eq!(site.next("the one that is known").await.kind, EventKind::DeviceRestarted);
}

/// `snmptrap -v 2c -c public`: linkDown, as captured.
const TRAP: &[u8] = &[
    0x30, 0x41, 0x02, 0x01, 0x01, 0x04, 0x06, b'p', b'u', b'b', b'l', b'i', b'c', 0xa7, 0x34, 0x02, 0x04, 0x2c, 0x7b,
    0x3e, 0x53, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x30, 0x26, 0x30, 0x0b, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x02, 0x01,
    0x01, 0x03, 0x00, 0x43, 0x00, 0x30, 0x17, 0x06, 0x0a, 0x2b, 0x06, 0x01, 0x06, 0x03, 0x01, 0x01, 0x04, 0x01, 0x00,
    0x06, 0x09, 0x2b, 0x06, 0x01, 0x06, 0x03, 0x01, 0x01, 0x05, 0x03,
];

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

/// Names this test run inside the namespace.
const INSIDE: &str = "HAIDANG_INSIDE";

/// Runs this test again with a network of its own, unless it is there already; false where that cannot be.
fn in_a_network_of_its_own(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let probe = Command::new("unshare").args(["-n", "ip", "link"]).stdout(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        println!("passed over: no network namespace without root and iproute2");
        return false;
    }
    let this = std::env::current_exe().unwrap();
    let again = Command::new("unshare").arg("-n").arg(this).args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    assert!(again.status().unwrap().success(), "{test} inside its namespace");
    false
}

/// A machine at the other end of a cable.
struct Peer(std::process::Child);

impl Peer {
    fn connect() -> Peer {
        let peer = Peer(Command::new("unshare").args(["-n", "sleep", "600"]).spawn().unwrap());
        let namespace = peer.0.id().to_string();
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        while std::fs::read_link(format!("/proc/{namespace}/ns/net")).unwrap() == own {
            std::thread::sleep(Duration::from_millis(10));
        }
        sh("ip link set lo up");
        sh("ip link add v0 address 00:00:5e:00:53:01 type veth peer name v1 address 00:00:5e:00:53:02");
        sh(&format!("ip link set v1 netns {namespace}"));
        sh("ip addr add 10.77.0.1/24 dev v0 && ip link set v0 up");
        peer.sh("ip addr add 10.77.0.2/24 dev v1 && ip addr add 10.77.0.66/24 dev v1 && ip link set v1 up");
        sh("ip route add default via 10.77.0.2");
        peer
    }

    /// Runs something at the peer.
    fn sh(&self, command: &str) {
        sh(&format!("nsenter -t {} -n sh -c '{command}'", self.0.id()));
    }

    /// Sends something to us, so that its address and hardware address are learnt.
    fn speaks(&self) {
        sh(&format!("nsenter -t {} -n bash -c 'echo > /dev/udp/10.77.0.1/9'", self.0.id()));
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sh(command: &str) {
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
}

#[tokio::test]
async fn the_kernel_tells_a_new_neighbour_and_another_gateway() {
    if !in_a_network_of_its_own("the_kernel_tells_a_new_neighbour_and_another_gateway") {
        return;
    }
    let (peer, mut site) = (Peer::connect(), Site::new());
    site.follow(Listening { neighbours: true, ..Listening::default() }, Credentials::default());
    tokio::time::sleep(Duration::from_millis(300)).await;
    peer.speaks();
    let event = site.next("a new neighbour").await;
    assert_eq!((event.kind, &*event.part), (EventKind::NeighbourNew, "v0"));
    assert_eq!((event.says(Field::Mac), event.says(Field::Address)), (Some("00:00:5e:00:53:02"), Some("10.77.0.2")));
    peer.sh("ip link set v1 down && ip link set v1 address 00:00:5e:00:53:03 && ip link set v1 up");
    peer.speaks();
    let event = site.next("another gateway").await;
    assert_eq!(event.kind, EventKind::GatewayMoved);
    let macs = [Field::MacBefore, Field::Mac].map(|field| event.says(field));
    assert_eq!(macs, [Some("00:00:5e:00:53:02"), Some("00:00:5e:00:53:03")]);
}

/// Set at the peer's end: this test run is to send an offer and end.
const OFFERS: &str = "HAIDANG_OFFERS";

#[tokio::test]
async fn a_dhcp_server_that_is_not_the_gateway_is_told() {
    let name = "a_dhcp_server_that_is_not_the_gateway_is_told";
    if let Some(server) = std::env::var_os(OFFERS) {
        let server: Ipv4Addr = server.to_str().unwrap().parse().unwrap();
        let mut offer = vec![0; 236];
        offer[0] = 2;
        offer.extend([99, 130, 83, 99, 53, 1, 2, 54, 4]);
        offer.extend(server.octets());
        offer.push(255);
        let socket = UdpSocket::bind((server, 67)).unwrap();
        socket.set_broadcast(true).unwrap();
        socket.send_to(&offer, "10.77.0.255:68").unwrap();
        return;
    }
    if !in_a_network_of_its_own(name) {
        return;
    }
    let (peer, mut site) = (Peer::connect(), Site::new());
    site.follow(Listening { dhcp: true, ..Listening::default() }, Credentials::default());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let this = std::env::current_exe().unwrap();
    for server in ["10.77.0.2", "10.77.0.66"] {
        sh(&format!(
            "nsenter -t {} -n env {OFFERS}={server} {} --exact {name} >/dev/null",
            peer.0.id(),
            this.display()
        ));
    }
    let event = site.next("a server that is not the gateway").await;
    assert_eq!(event.kind, EventKind::DhcpStranger);
    assert_eq!(event.says(Field::Address), Some("10.77.0.66"), "the gateway's own answer, before it, is none");
}
