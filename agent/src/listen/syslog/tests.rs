use super::*;
use haidang_daemon::clock::Clock;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

/// Facility, severity, app and class of a message.
fn said(message: &str) -> (&'static str, &'static str, String, EventKind) {
    let header = read(message.as_bytes()).unwrap();
    (header.facility, header.severity, header.app.to_owned(), header.kind)
}

/// Messages as devices write them, each with its facility, severity, app and class.
const AS_WRITTEN: &[(&str, &str, &str, &str, EventKind)] = {
    use EventKind::{AuthFailure, ConfigChanged, DeviceRestarted, PortDown, PortUp, SyslogHeard};
    &[
        // RFC 5424 §6.5, RFC 3164 §5.4.
        (
            "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - 'su root' failed for lonvick",
            "auth",
            "crit",
            "su",
            SyslogHeard,
        ),
        (
            "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 - 8710 - - %% It's time",
            "local4",
            "notice",
            "",
            SyslogHeard,
        ),
        (
            "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
            "auth",
            "crit",
            "su",
            SyslogHeard,
        ),
        (
            "<38>Nov 22 10:00:00 gw sshd[7712]: Failed password for root from 10.0.0.9 port 40022 ssh2",
            "auth",
            "info",
            "sshd",
            AuthFailure,
        ),
        // Cisco IOS.
        (
            "<189>123: *Mar  1 00:01:02.345: %SYS-5-CONFIG_I: Configured from console by vty0 (10.0.0.1)",
            "local7",
            "notice",
            "SYS-5-CONFIG_I",
            ConfigChanged,
        ),
        (
            "<187>45: %LINK-3-UPDOWN: Interface FastEthernet0/1, changed state to down",
            "local7",
            "err",
            "LINK-3-UPDOWN",
            PortDown,
        ),
        (
            "<189>46: %LINEPROTO-5-UPDOWN: Line protocol on Interface Gi0/1, changed state to up",
            "local7",
            "notice",
            "LINEPROTO-5-UPDOWN",
            PortUp,
        ),
        (
            "<189>47: %SYS-5-RESTART: System restarted --",
            "local7",
            "notice",
            "SYS-5-RESTART",
            DeviceRestarted,
        ),
        // MikroTik, Juniper, Fortinet.
        (
            "<30>system,error,critical login failure for user admin from 10.0.0.9 via ssh",
            "daemon",
            "info",
            "",
            AuthFailure,
        ),
        ("<28>interface,info ether2 link down", "daemon", "warning", "", PortDown),
        (
            "<189>Nov 22 10:00:00 mx mgd[5512]: UI_COMMIT: User 'x' requested 'commit'",
            "local7",
            "notice",
            "mgd",
            ConfigChanged,
        ),
        (
            "<189>date=2026-11-22 time=10:00:00 devname=fw logid=\"0100044547\" logdesc=\"Object attribute configured\"",
            "local7",
            "notice",
            "",
            ConfigChanged,
        ),
        ("<0>", "kern", "emerg", "", SyslogHeard),
    ]
};

#[test]
fn headers_are_read_as_devices_write_them() {
    for (message, facility, severity, app, kind) in AS_WRITTEN {
        assert_eq!(said(message), (*facility, *severity, (*app).to_owned(), *kind), "{message}");
    }
}

#[test]
fn what_has_no_priority_is_garbled() {
    for message in ["", "<", "<>x", "<1", "<192>x", "<1234>x", "<-1>x", "text", " <13>x"] {
        assert_eq!(read(message.as_bytes()), None, "{message}");
    }
}

/// Every word an event can say is from a closed list, or is the app: nothing of the text gets through.
#[test]
fn no_text_of_a_message_is_kept() {
    let secret = "mat-khau-cua-toi";
    for message in [
        format!("<38>Nov 22 10:00:00 gw sshd[1]: Failed password for {secret} from {secret}: {secret}"),
        format!("<38>1 - - sshd - - - {secret}"),
        format!("<38>user {secret}: did something"),
        format!("<38>Nov 22 10:00:00 gw user changed {secret}: to {secret}"),
        format!("<38>12: {secret}: x"),
    ] {
        let header = read(message.as_bytes()).unwrap();
        let event = header.said(Event::new(haidang_probe::moment::Moment::default(), header.kind, ""));
        assert!(!format!("{event:?}").contains(secret), "{event:?}");
    }
}

#[tokio::test]
async fn datagrams_and_both_framings_become_events() {
    let (events, mut heard) = mpsc::channel(64);
    let ear = Ear::new(Clock::manual(), events, "syslog");
    let datagrams = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (to_datagrams, to_listener) = (datagrams.local_addr().unwrap(), listener.local_addr().unwrap());
    let listens = tokio::spawn({
        let ear = ear.clone();
        async move { tokio::try_join!(hear_datagrams(&datagrams, &ear), hear_connections(&listener, &ear)) }
    });
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    sender.send_to(b"<38>x sshd[1]: Failed password", to_datagrams).await.unwrap();
    assert_eq!(heard.recv().await.unwrap().kind, EventKind::AuthFailure);
    sender.send_to(b"nothing we read", to_datagrams).await.unwrap();
    let mut stream = TcpStream::connect(to_listener).await.unwrap();
    stream.write_all(b"<28>ether2 link down\n21 <28>1 - - app - - - x").await.unwrap();
    assert_eq!(heard.recv().await.unwrap().kind, EventKind::PortDown);
    let last = heard.recv().await.unwrap();
    assert_eq!((last.kind, last.says(Field::App)), (EventKind::SyslogHeard, Some("app")));
    assert_eq!(last.says(Field::Source), Some("127.0.0.1"));
    // The datagram was heard before the connection's octets: its loss is counted by now.
    ear.tell();
    assert_eq!(heard.recv().await.unwrap().says(Field::Reason), Some("garbled"));
    listens.abort();
}

#[tokio::test]
async fn one_source_has_few_connections() {
    let (events, mut heard) = mpsc::channel(64);
    let ear = Ear::new(Clock::manual(), events, "syslog");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listens = tokio::spawn(async move { hear_connections(&listener, &ear).await });
    let mut streams = Vec::new();
    for _ in 0..MAX_CONNECTIONS.1 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"<13>x\n").await.unwrap();
        heard.recv().await.unwrap();
        streams.push(stream);
    }
    let mut refused = TcpStream::connect(address).await.unwrap();
    assert!(matches!(refused.read(&mut [0]).await, Ok(0) | Err(_)), "closed at once");
    listens.abort();
}
