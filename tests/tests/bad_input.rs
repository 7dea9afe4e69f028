//! What the collector's two doors for agents do with bad input: refused with its reason, counted by it, and
//! nothing else changes.
#![allow(clippy::unwrap_used)]

use haidang_daemon::yaml;
use haidang_probe::batch::{Ack, Batch, Envelope, limit};
use haidang_probe::key;
use haidang_probe::liveness::{Key, Now, Sender};
use haidang_probe::plan::Plan;
use haidang_tests::console::Console;
use haidang_tests::raw::{Answer, exchange};
use haidang_tests::stage::{Stage, program, wait};
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Longest wait for a datagram that is due, and for one that must not come.
const SOON: Duration = Duration::from_secs(5);
const NEVER: Duration = Duration::from_millis(400);

/// A collector, and two agents' files in wrong hands.
struct Scene {
    _stage: Stage,
    console: Console,
    batches: String,
    stamp: String,
    agent: Plan,
    other: Plan,
}

impl Scene {
    fn new(number: u8) -> Scene {
        let mut stage = Stage::plain(number).unwrap();
        let console = stage.start_collector().unwrap();
        let mut files: Vec<_> =
            std::fs::read_dir(stage.path("agents")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let plan = |path: &Path| yaml::read::<Plan>(path).unwrap();
        let (agent, other) = (plan(&files[0]), plan(&files[1]));
        let at = |port| format!("127.0.0.1:{port}");
        let (batches, stamp) = (at(stage.agents_port()), at(stage.stamp_port()));
        Scene { _stage: stage, console, batches, stamp, agent, other }
    }

    /// The collector's own count of a name and reason; all counters stand from the start.
    fn count(&self, name: &str) -> u64 {
        let (status, text) = self.console.request("GET", "/metrics", "").unwrap();
        assert_eq!(status, 200);
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
    }

    fn refusals(&self, reason: &str) -> u64 {
        self.count(&format!("ingest_refused_total{{reason=\"{reason}\"}}"))
    }

    fn drops(&self, reason: &str) -> u64 {
        self.count(&format!("stamp_dropped_total{{reason=\"{reason}\"}}"))
    }

    fn kept(&self) -> [u64; 2] {
        ["kept", "repeats"].map(|name| self.count(&format!("ingest_{name}_total")))
    }

    fn post(&self, token: &str, headers: &str, body: &[u8]) -> Answer {
        let head = format!(
            "POST /agent/v1/batch HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n{headers}Connection: close\r\n\r\n"
        );
        exchange(&self.batches, &[head.as_bytes(), body].concat()).unwrap()
    }

    fn send(&self, token: &str, body: &[u8]) -> Answer {
        self.post(token, &format!("Content-Length: {}\r\n", body.len()), body)
    }

    /// The answer has this status and reason, the reason's counter grew by one, and nothing was kept.
    #[track_caller]
    fn refused(&self, status: u16, reason: &str, attempt: impl FnOnce() -> Answer) {
        let (before, kept) = (self.refusals(reason), self.kept());
        let answer = attempt();
        let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, problem["reason"].as_str()), (status, Some(reason)), "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!((self.refusals(reason), self.kept()), (before + 1, kept), "{reason}");
    }
}

fn token(plan: &Plan) -> String {
    key::bearer(&key::unhex(plan.secret.as_deref().unwrap()).unwrap())
}

fn stamp_key(plan: &Plan) -> Key {
    Key::new(&key::derive(&key::unhex(plan.secret.as_deref().unwrap()).unwrap(), key::STAMP))
}

fn envelope(plan: &Plan, seq: u64) -> Envelope {
    Envelope::seal(&plan.agent, 7, seq, [0; 32], &Batch::default()).unwrap()
}

#[test]
fn a_bad_batch_is_refused_for_its_reason_and_a_repeat_is_acknowledged_once_kept() {
    let scene = Scene::new(6);
    let (token, whole) = (token(&scene.agent), envelope(&scene.agent, 0).encode());
    let bad = |status, reason, body: &[u8]| scene.refused(status, reason, || scene.send(&token, body));

    bad(400, "truncated", &whole[..whole.len() - 3]);
    bad(400, "truncated", b"");
    bad(400, "garbled", &[0xff; 400]);
    let noise = Envelope { payload: b"no zstd frame".to_vec().into(), ..envelope(&scene.agent, 0) };
    bad(400, "garbled", &noise.encode());
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 3).unwrap();
    bad(413, "zip-bomb", &Envelope { payload: bomb.into(), ..envelope(&scene.agent, 0) }.encode());
    let mut newer = whole.clone();
    assert_eq!(newer[..2], [8, 1], "an envelope begins with its version");
    newer[1] = 9;
    bad(415, "unknown-version", &newer);

    let declared = format!("Content-Length: {}\r\n", limit::MAX_ENVELOPE_BYTES + 1);
    scene.refused(413, "oversized", || scene.post(&token, &declared, b""));
    let chunk = [b"10000\r\n".to_vec(), vec![b'x'; 0x10000], b"\r\n".to_vec()].concat();
    let chunked = [chunk.repeat(17), b"0\r\n\r\n".to_vec()].concat();
    scene.refused(413, "oversized", || scene.post(&token, "Transfer-Encoding: chunked\r\n", &chunked));

    for wrong in ["", "0", &"f".repeat(64), scene.agent.secret.as_deref().unwrap()] {
        scene.refused(401, "token", || scene.send(wrong, &whole));
    }
    scene.refused(403, "agent", || scene.send(&token, &envelope(&scene.other, 0).encode()));

    for [kept, repeats] in [[1, 0], [1, 1], [1, 2]] {
        let answer = scene.send(&token, &whole);
        let ack = Ack::decode(&answer.body).unwrap();
        assert_eq!((answer.status, ack.seq, ack.received.as_slice()), (200, 0, &[(0, 0)][..]));
        assert_eq!(scene.kept(), [kept, repeats]);
    }
    invented_spools_are_refused(&scene, &token);
}

/// An agent draws its spool ids itself: inventing them fills nobody's memory.
fn invented_spools_are_refused(scene: &Scene, token: &str) {
    let of_spool = |spool_id| Envelope { spool_id, ..envelope(&scene.agent, 0) }.encode();
    for spool in 100..163 {
        assert_eq!(scene.send(token, &of_spool(spool)).status, 200, "spool {spool}");
    }
    scene.refused(429, "spools", || scene.send(token, &of_spool(999)));
    let other = self::token(&scene.other);
    assert_eq!(scene.send(&other, &envelope(&scene.other, 0).encode()).status, 200, "others are not hurt");
}

/// Someone with a socket.
struct Peer(UdpSocket);

impl Peer {
    fn new(scene: &Scene) -> Peer {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(&scene.stamp).unwrap();
        Peer(socket)
    }

    fn ask(&self, datagram: &[u8], patience: Duration) -> Option<Vec<u8>> {
        self.0.send(datagram).unwrap();
        self.hear(patience)
    }

    fn hear(&self, patience: Duration) -> Option<Vec<u8>> {
        let mut answer = vec![0; 4096];
        self.0.set_read_timeout(Some(patience)).unwrap();
        let length = self.0.recv(&mut answer).ok()?;
        answer.truncate(length);
        Some(answer)
    }
}

fn at(second: u64) -> Now {
    Now { mono_ns: second * 1_000_000_000, utc_ns: second as i64 * 1_000_000_000, bound_ns: 0 }
}

#[test]
fn a_bad_datagram_is_dropped_for_its_reason_and_answers_nobody_unknown() {
    let scene = Scene::new(8);
    let (stranger, ssid) = (Peer::new(&scene), scene.agent.uplinks[0].ssid);
    let dropped = |reason: &str, datagram: &[u8]| {
        let before = scene.drops(reason);
        assert_eq!(stranger.ask(datagram, NEVER), None, "{reason} is answered");
        assert_eq!(scene.drops(reason), before + 1, "{reason}");
    };
    dropped("garbage", b"");
    dropped("garbage", &[0xff; 100]);
    dropped("oversized", &[0; 1_473]);
    dropped("oversized", &vec![0; 60_000]);
    dropped("unknown-session", &Sender::new(60_000, stamp_key(&scene.agent), 1).next(&at(0)).1);
    dropped("bad-hmac", &Sender::new(ssid, stamp_key(&scene.other), 1).next(&at(0)).1);
    let mut honest = Sender::new(ssid, stamp_key(&scene.agent), 1);
    let mut touched = honest.next(&at(0)).1;
    touched[3] ^= 1;
    dropped("bad-hmac", &touched);

    // A start is admitted by its second packet; each answer is as long as what it answers.
    let agent = Peer::new(&scene);
    let mut said = Vec::new();
    for second in 1..=2 {
        let request = honest.next(&at(second)).1;
        let answer = agent.ask(&request, SOON).unwrap();
        assert_eq!(answer.len(), request.len());
        honest.receive(&answer, &at(second)).unwrap();
        dropped("wrong-role", &answer);
        said.push(request);
    }
    assert_eq!(scene.count("stamp_up_heard_total"), 1);

    // What was recorded does not count again, and does not turn our own packets on who replays it.
    dropped("replayed", &said[1]);
    assert!(agent.hear(SOON).is_some(), "the down session goes where the agent is");
    assert_eq!(stranger.hear(Duration::from_secs(2)), None);
    let challenge = stranger.ask(&said[0], NEVER);
    assert!(
        challenge.is_none_or(|answer| answer.len() <= said[0].len()),
        "an answer longer than its request"
    );
    assert_eq!(scene.count("stamp_up_heard_total"), 1);
    wait("ticks to go on", 5, || Ok((scene.count("ticks_total") > 10).then_some(()))).unwrap();
}

#[test]
fn check_names_every_fault_of_a_directory_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.yml"), "carriers:\n  - {id: vnpt, nam: VNPT}\n").unwrap();
    std::fs::write(folder.path().join("b.yml"), "defaults: {gate: soon}\n").unwrap();
    let check = Command::new(program("haidang-collector").unwrap()).arg("check").arg(folder.path()).output();
    let check = check.unwrap();
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert_eq!(check.status.code(), Some(1), "{said}");
    for place in ["a.yml:2:", "b.yml:1:"] {
        assert!(said.contains(place), "no {place} in\n{said}");
    }
}
