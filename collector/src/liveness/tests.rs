use super::*;
use crate::fold::{self, Hooks, Journal, Start};
use crate::registry::Uplink;
use crate::topology::Topology;
use haidang_journal::memory::Memory;
use haidang_probe::liveness::{Key, PACKET, Sender};
use haidang_probe::plan::EVERY;

const KEY: [u8; 32] = [7; 32];

/// Asks an agent's socket for an answer, sending as often as it takes: datagrams may be lost even here.
fn answered(agent: &UdpSocket, packet: &mut impl FnMut() -> Vec<u8>) -> Vec<u8> {
    let mut answer = [0; MAX_PACKET];
    for _ in 0..50 {
        agent.send(&packet()).unwrap();
        if let Ok(length) = agent.recv(&mut answer) {
            return answer[..length].to_vec();
        }
    }
    panic!("no answer")
}

async fn until(mut holds: impl FnMut() -> bool) {
    let held = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // Far longer than it takes: a test that waits for ever tells nothing.
    tokio::time::timeout(Duration::from_secs(60), held).await.unwrap();
}

#[tokio::test]
async fn the_socket_answers_the_authentic_counts_the_rest_and_keeps_the_fold_in_time() {
    let data = tempfile::tempdir().unwrap();
    let clock = Clock::machine().unwrap();
    let began = clock.utc_ms();
    let (fold, ending) = fold::start(Start {
        journal: Journal { dir: data.path().into(), max_bytes: 1 << 30 },
        at: began,
        topology: Topology::default(),
        resume: None,
        hooks: Hooks::default(),
    })
    .unwrap();
    let metrics = Metrics::new();
    let addresses = ["127.0.0.1:0", "127.0.0.2:0"].map(|address| address.parse().unwrap());
    let (liveness, bound) = bind(&addresses, &metrics).unwrap();
    let agent = UdpSocket::bind("127.0.0.1:0").unwrap();
    // A connected socket takes answers from the address it asked alone.
    agent.connect(bound.addresses().unwrap()[1]).unwrap();
    agent.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let running = bound.start(liveness.clone(), clock.clone(), fold.clone()).unwrap();
    let mut roster = Roster::default();
    roster.uplinks.insert(2, Uplink { key: KEY, previous: None, seen_from: Vec::new(), every: EVERY });
    liveness.serve(roster).await;

    agent.send(b"garbage that is long enough to be looked at, though not for long").unwrap();
    let forged = Sender::new(2, Key::new(&[8; 32]), 1);
    let mut time = Time::new(clock.clone(), 0);
    agent.send(&forged.clone().next(&time.now()).1).unwrap();
    let mut up = Sender::new(2, Key::new(&KEY), 1);
    let challenge = answered(&agent, &mut || up.next(&time.now()).1);
    up.receive(&challenge, &time.now()).unwrap();
    let answer = answered(&agent, &mut || up.next(&time.now()).1);
    assert!(up.receive(&answer, &time.now()).is_ok());
    let measure = up.measure(&time.now(), MAX_PACKET).1;
    agent.send(&measure).unwrap();
    let mut answer = [0; MAX_PACKET + 1];
    let length = std::iter::from_fn(|| agent.recv(&mut answer).ok()).find(|length| *length > PACKET);
    assert_eq!(length, Some(MAX_PACKET), "as long as it was sent");
    assert!(up.receive(&answer[..MAX_PACKET], &time.now()).unwrap().measured);

    until(|| fold.read(Watch::now) > began + 300).await;
    let text = metrics.text().unwrap();
    for counted in [
        "stamp_dropped_total{reason=\"bad-hmac\"} 1",
        "stamp_dropped_total{reason=\"garbage\"} 1",
        "stamp_measured_total 1",
    ] {
        assert!(text.contains(counted), "{counted} in\n{text}");
    }
    assert!(!text.contains("stamp_up_heard_total 0"), "{text}");
    running.stop().await;
    ending.stop().await;
}

#[tokio::test]
async fn a_proof_the_full_queue_refused_is_said_again_once_there_is_room() {
    let clock = Clock::machine().unwrap();
    let journal = Journal { dir: std::path::PathBuf::new(), max_bytes: 1 << 30 };
    let (topology, hooks) = (Topology::default(), Hooks::default());
    let start = Start { journal, at: clock.utc_ms(), topology, resume: None, hooks };
    let (fold, ending) = fold::start_on(Memory::new(), start).unwrap();
    let (liveness, bound) = bind(&["127.0.0.1:0".parse().unwrap()], &Metrics::new()).unwrap();
    let agent = UdpSocket::bind("127.0.0.1:0").unwrap();
    agent.connect(bound.addresses().unwrap()[0]).unwrap();
    agent.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let running = bound.start(liveness.clone(), clock.clone(), fold.clone()).unwrap();
    let mut roster = Roster::default();
    let seen_from = vec![agent.local_addr().unwrap().ip()];
    roster.uplinks.insert(2, Uplink { key: KEY, previous: None, seen_from, every: EVERY });
    liveness.serve(roster).await;
    let (mut up, mut time) = (Sender::new(2, Key::new(&KEY), 1), Time::new(clock, 0));
    let challenge = answered(&agent, &mut || up.next(&time.now()).1);
    up.receive(&challenge, &time.now()).unwrap();

    // While somebody looks at the fold it applies nothing, and its queue fills.
    fold.read(|watch| {
        let other = || Entry::Proof { at: 0, ssid: 9, proved: true, rides_on: None };
        while fold.submit(other()).is_ok() {}
        agent.send(&up.next(&time.now()).1).unwrap();
        let full = refused(&fold);
        while refused(&fold) < full + 5 {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(watch.proof(2), None);
    });
    until(|| fold.read(|watch| watch.proof(2)) == Some((true, None))).await;
    running.stop().await;
    ending.stop().await;
}
