//! STAMP (RFC 8762, RFC 8972) spoken with an implementation of other people's, stamp-suite 1.0, in both roles over real
//! sockets. Its stable interface is the command line, so it is told what to do in those words.
#![allow(clippy::unwrap_used)]

use haidang_agent::place::Finder;
use haidang_agent::probe::{Answer, Probes, Tools};
use haidang_agent::timestamps::Timestamps;
use haidang_daemon::clock::Clock;
use haidang_probe::ask::Question;
use haidang_probe::ask::stamp;
use haidang_probe::liveness::{Dropped, Key, MAX_PACKET, Now, Reflector, Sender, TTL_UNKNOWN, reflect_plain};
use haidang_probe::metric::Metric;
use stamp_suite::configuration::Configuration;
use stamp_suite::receiver::{self, ReceiverSharedState};
use stamp_suite::sender;
use stamp_suite::stats::StatsSnapshot;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UdpSocket;

const SSID: u16 = 6;
const SECRET: [u8; 32] = [0x5a; 32];
/// What stamp-suite is told for [`SSID`] and [`SECRET`].
const AUTHENTICATED: [&str; 6] = [
    "-A",
    "A",
    "--hmac-key",
    "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
    "--ssid",
    "6",
];

fn configured(words: &[&str]) -> Configuration {
    clap::Parser::try_parse_from(["stamp-suite"].iter().chain(words)).unwrap()
}

/// A port nobody has, as far as one can know.
async fn free() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Their reflector, and what it counts.
async fn their_reflector(words: &[&str]) -> (SocketAddr, Arc<ReceiverSharedState>) {
    let address = free().await;
    let port = address.port().to_string();
    let own = ["-i", "--local-addr", "127.0.0.1", "--local-port", &port];
    let conf = configured(&[&own, words].concat());
    let shared = Arc::new(receiver::create_shared_state(&conf).unwrap());
    let running = shared.clone();
    // Whoever looks whether it has the port yet has it for that moment.
    tokio::spawn(async move { while receiver::run_receiver(&conf, &running).await.is_err() {} });
    while UdpSocket::bind(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (address, shared)
}

/// Ten packets by their sender.
async fn their_sender(to: SocketAddr, words: &[&str]) -> StatsSnapshot {
    let (local, port) = (free().await.port().to_string(), to.port().to_string());
    let own = ["--remote-addr", "127.0.0.1", "--remote-port", &port, "--local-port", &local];
    let train = ["--count", "10", "--send-delay", "5", "--timeout", "2"];
    sender::run_sender(&configured(&[&own, &train[..], words].concat())).await.unwrap()
}

async fn our_probe(reflector: SocketAddr, packets: u16, size: u16) -> Answer {
    let tools = Tools { clock: Clock::machine().unwrap(), finder: Finder::default() };
    let question = stamp::Question {
        reflector: reflector.to_string().parse().unwrap(),
        packets,
        gap: Duration::from_millis(5),
        size,
        dscp: 0,
        source_port: 0,
    };
    Probes::new(&tools).ask(&Question::Stamp(question), Duration::from_secs(5)).await
}

fn value(answer: &Answer, metric: Metric) -> Option<f64> {
    answer.samples.iter().find(|sample| sample.metric == metric).map(|sample| sample.value)
}

/// Our side of a socket: what comes in is answered by `answer`, whose words about it are kept.
async fn our_reflector(
    mut answer: impl FnMut(&[u8], &Now) -> Result<Vec<u8>, Dropped> + Send + 'static,
) -> (SocketAddr, Arc<Mutex<Vec<Option<Dropped>>>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (address, timestamps) = (socket.local_addr().unwrap(), Timestamps::of(&Clock::machine().unwrap()));
    let said = Arc::new(Mutex::new(Vec::new()));
    let kept = said.clone();
    tokio::spawn(async move {
        let mut packet = [0; MAX_PACKET];
        loop {
            let (length, from) = socket.recv_from(&mut packet).await.unwrap();
            let answered = answer(&packet[..length], &timestamps.now());
            kept.lock().unwrap().push(answered.as_ref().err().copied());
            if let Ok(octets) = answered {
                socket.send_to(&octets, from).await.unwrap();
            }
        }
    });
    (address, said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_trains_are_answered_by_their_stateful_reflector_and_tell_each_way() {
    let (reflector, shared) = their_reflector(&["--stateful-reflector"]).await;
    let answer = our_probe(reflector, 10, 200).await;
    assert!(answer.result.is_ok(), "{answer:?}");
    for metric in [Metric::LossRatio, Metric::LossThere, Metric::LossBack] {
        assert_eq!(value(&answer, metric), Some(0.0), "{metric:?}");
    }
    assert!(value(&answer, Metric::JitterThere).is_some() && value(&answer, Metric::JitterBack).is_some());
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
    let counters = &shared.counters;
    assert_eq!((count(&counters.packets_reflected), count(&counters.packets_dropped)), (10, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn their_stateless_reflector_tells_no_way_apart() {
    let (reflector, _) = their_reflector(&[]).await;
    let answer = our_probe(reflector, 10, 44).await;
    assert!(answer.result.is_ok(), "{answer:?}");
    assert_eq!(value(&answer, Metric::LossRatio), Some(0.0));
    assert_eq!(value(&answer, Metric::LossThere), None, "it echoes our numbers: that is no count of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn their_sender_is_answered_by_our_reflector() {
    let (reflector, said) = our_reflector(|octets, now| reflect_plain(octets, TTL_UNKNOWN, now, now)).await;
    let seen = their_sender(reflector, &[]).await;
    assert_eq!((seen.packets_sent, seen.packets_received, seen.packets_lost), (10, 10, 0));
    assert!(said.lock().unwrap().iter().all(Option::is_none));
    let padded = their_sender(reflector, &["--ssid", "6"]).await;
    assert_eq!((padded.packets_sent, padded.packets_received), (10, 10), "with the session id of RFC 8972");
}

/// Their packets carry no proof of life, which ours demand (design of the liveness packets): what is common is the
/// authenticated form of RFC 8762, and that each side takes the other's HMAC for good and no other key's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_side_takes_the_others_hmac_for_good() {
    for (key, verdict) in [(SECRET, Dropped::NoLife), ([1; 32], Dropped::BadHmac)] {
        let mut ours = Reflector::new(&[9; 32]);
        ours.allow(SSID, Key::new(&key));
        let (reflector, said) =
            our_reflector(move |octets, now| ours.receive(octets, TTL_UNKNOWN, now, now).map(|_| Vec::new()))
                .await;
        assert_eq!(their_sender(reflector, &AUTHENTICATED).await.packets_received, 0);
        let said = said.lock().unwrap();
        assert!(said.len() == 10 && said.iter().all(|said| *said == Some(verdict)), "{said:?}");
    }
    for (key, answered) in [(SECRET, true), ([1; 32], false)] {
        let (reflector, shared) = their_reflector(&AUTHENTICATED[..4]).await;
        let timestamps = Timestamps::of(&Clock::machine().unwrap());
        let mut ours = Sender::new(SSID, Key::new(&key), 77);
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (_, request) = ours.next(&timestamps.now());
        socket.send_to(&request, reflector).await.unwrap();
        let mut answer = [0; MAX_PACKET];
        let came =
            tokio::time::timeout(Duration::from_secs(if answered { 5 } else { 1 }), socket.recv(&mut answer));
        let came = came.await.map(|length| length.unwrap()).ok();
        assert_eq!(
            came.is_some(),
            answered,
            "{}",
            shared.counters.packets_received.load(std::sync::atomic::Ordering::Relaxed)
        );
        if let Some(length) = came {
            let judged = ours.receive(&answer[..length], &timestamps.now());
            assert_eq!(judged, Err(Dropped::WrongRole), "authentic, and our own proof of life thrown back");
        }
    }
}
