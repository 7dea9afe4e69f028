//! The agent's program against a collector that fails in every way: nothing numbered is lost, nothing is
//! doubled.
#![allow(clippy::unwrap_used)]

mod agent;
mod collector;

use agent::Agent;
use collector::{Collector, Mood};
use haidang_agent::uplink::BACKLOG_LANES as LANES;
use haidang_probe::batch::Envelope;
use haidang_probe::check::CheckId;
use haidang_probe::event::EventKind;
use std::collections::BTreeSet;

/// A listener that the plan's checks connect to.
async fn target() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    address
}

fn checks(target: &str, count: usize) -> String {
    let check =
        |n| format!("  - {{name: c{n}, probe: tcp, target: \"{target}\", every: 100ms, timeout: 1s}}\n");
    format!("checks:\n{}", (0..count).map(check).collect::<String>())
}

/// Every envelope on the agent's disk is at the collector, byte for byte, and no outcome is in two of them.
fn nothing_lost_or_doubled(agent: &Agent, collector: &Collector) {
    let kept = collector.kept();
    let sealed = agent.sealed();
    assert_eq!(kept.len(), sealed.len(), "kept by the collector, sealed by the agent");
    let mut outcomes = BTreeSet::new();
    for (seq, bytes) in sealed {
        assert_eq!(kept.get(&seq), Some(&bytes), "batch {seq}");
        for outcome in Envelope::decode(&bytes).unwrap().open().unwrap().outcomes {
            assert!(outcomes.insert((outcome.check, outcome.sent)), "batch {seq} repeats {outcome:?}");
        }
    }
    assert!(outcomes.len() > 20, "the checks ran: {}", outcomes.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_through_errors_silence_and_kill_9() {
    let collector = Collector::start().await;
    let agent = Agent::new(&[&collector.url()], &checks(&target().await, 3));
    let mut process = agent.start();
    collector.keeps(3).await;
    for mood in [Mood::Status(500), Mood::HangUpAfterKeeping, Mood::Status(429), Mood::HangUp] {
        collector.meets(mood).await;
        collector.becomes(Mood::Well);
        collector.keeps(3).await;
    }
    collector.meets(Mood::Silent).await;
    process.kill().await;
    let mut process = agent.start();
    collector.meets(Mood::Silent).await;
    collector.becomes(Mood::Well);
    collector.has_all(&agent).await;
    process.terminate().await;
    nothing_lost_or_doubled(&agent, &collector);
    assert_eq!(collector.spools(), 1, "one disk, one spool");
    let events: Vec<EventKind> =
        collector.batches().into_iter().flat_map(|b| b.events).map(|e| e.kind).collect();
    assert_eq!(events.iter().filter(|kind| **kind == EventKind::AgentStarted).count(), 2);
    assert_eq!(
        events.iter().filter(|kind| **kind == EventKind::AgentStopped).count(),
        1,
        "only the orderly end"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_outage_live_goes_first_and_the_backlog_in_order() {
    let collector = Collector::start().await;
    let agent = Agent::new(&[&collector.url()], &checks(&target().await, 3));
    let mut process = agent.start();
    collector.keeps(2).await;
    collector.meets(Mood::Status(503)).await;
    agent.seals(20).await;
    let newest = agent.sealed().len() as u64;
    let before = collector.order().len();
    collector.becomes(Mood::Well);
    collector.has_all(&agent).await;
    process.terminate().await;
    let after: Vec<u64> = collector.order().split_off(before);
    let live = after.iter().position(|seq| *seq >= newest - 1).unwrap();
    // One batch asks whether anything answers; then live and the lanes of the backlog start together.
    assert!(live <= 1 + LANES, "a batch sealed just now waited behind the backlog: {after:?}");
    let backlog: Vec<u64> = after.iter().copied().filter(|seq| *seq < newest - 1).collect();
    // What was started in order may be answered out of order, but only what was under way at once.
    for (at, seq) in backlog.iter().enumerate() {
        let older = backlog.iter().filter(|other| *other < seq).count();
        assert!(older <= at + LANES + 1, "batch {seq} jumped the queue: {backlog:?}");
    }
    nothing_lost_or_doubled(&agent, &collector);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_one_uplink_fails_the_other_carries() {
    let collector = Collector::start().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let agent = Agent::new(&[&format!("http://{closed}"), &collector.url()], &checks(&target().await, 1));
    let mut process = agent.start();
    collector.keeps(5).await;
    process.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_refused_for_good_blocks_nothing() {
    let collector = Collector::start().await;
    collector.refuses(1);
    let agent = Agent::new(&[&collector.url()], &checks(&target().await, 1));
    let mut process = agent.start();
    collector.keeps(5).await;
    process.terminate().await;
    assert!(!collector.kept().contains_key(&1) && collector.kept().contains_key(&2));
    let aside = std::fs::read(agent.directory().join("spool/refused/1.batch")).unwrap();
    assert_eq!(Some(&aside), agent.sealed().get(&1), "kept for a person to look at");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_plan_is_taken_over_and_a_bad_one_is_not() {
    let collector = Collector::start().await;
    let target = target().await;
    let agent = Agent::new(&[&collector.url()], &checks(&target, 1));
    let mut process = agent.start();
    let asked = |name: &'static str| {
        let collector = &collector;
        async move {
            let id = CheckId::of_name(name);
            collector
                .until(|| collector.batches().iter().any(|b| b.outcomes.iter().any(|o| o.check == id)))
                .await;
        }
    };
    asked("c0").await;
    agent.write(&[&collector.url()], "checks: [{name: c0, probe: carrier-pigeon}]\n");
    collector.keeps(3).await;
    agent.write(&[&collector.url()], &checks(&target, 2));
    asked("c1").await;
    process.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_tells_faults_with_their_place_and_exits_1() {
    let agent = Agent::new(&["http://127.0.0.1:1"], "chekcs: []\n");
    let (code, told) = agent.check();
    assert_eq!(code, Some(1));
    assert!(told.contains("agent.yml:6:1: unknown key `chekcs`; did you mean `checks`?"), "{told}");
    agent.write(&["http://127.0.0.1:1"], "checks: []\n");
    assert_eq!(agent.check().0, Some(0));
}
