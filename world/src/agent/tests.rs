use super::*;
use crate::fault::{Fault, effects::Effects};
use crate::map::tests::map;
use haidang_daemon::clock::Clock;
use haidang_probe::batch::Envelope;

#[test]
fn each_gateway_has_a_boot_of_its_own_that_outlives_the_world() {
    let machine = BootId([9; 16]);
    assert_eq!(boot_of("28249-tt", machine), boot_of("28249-tt", machine));
    assert_ne!(boot_of("28249-tt", machine), boot_of("28250-tt", machine));
    assert_ne!(boot_of("28249-tt", machine), boot_of("28249-tt", BootId([8; 16])));
}

/// The agent of `site` in the test province, with a check every ten seconds, and what moves it.
async fn agent(site: &str) -> (Agent, Switches, Clock) {
    let line = format!("{}-1", &site[..5]);
    let plan = serde_json::json!({
        "agent": site,
        "secret": "07".repeat(32),
        "uplinks": [{"line": line, "ssid": 6, "stamp": "127.0.0.1:9", "collector": "http://127.0.0.1:9"}],
        "checks": [{"name": "gateway/icmp", "probe": "icmp", "target": "192.168.1.1", "every": "10s"}],
    });
    let plan: Plan = serde_json::from_value(plan).unwrap();
    let (switches, clock) = (Switches::new(&map()), Clock::manual());
    clock.advance(Duration::from_secs(100));
    let place = Place { gateway: [CheckId::of_name("gateway/icmp")].into(), failover: None };
    let agent = Agent::bind(plan, place, &Time::new(clock.clone()), &switches).await.unwrap();
    (agent, switches, clock)
}

/// What the agent would bring home now, in order of time: each outcome's time in UTC seconds, and whether it
/// was a success; and the events.
fn brought(agent: &mut Agent) -> (Vec<(i64, bool)>, Vec<EventKind>) {
    let (mut seen, mut events) = (Vec::new(), Vec::new());
    let clocks: Vec<ClockMap> = [agent.clock()].into_iter().chain(agent.former.iter().copied()).collect();
    while let Some(octets) = agent.spool.next(&clocks).unwrap() {
        let batch = Envelope::decode(&octets).unwrap().open().unwrap();
        seen.extend(batch.outcomes.iter().map(|outcome| {
            let clock = batch.clocks.iter().find(|clock| clock.boot == outcome.sent.boot).unwrap();
            (clock.utc_ms(outcome.sent.mono_ns) / 1_000, outcome.result.is_ok())
        }));
        events.extend(batch.events.iter().map(|event| event.kind));
        agent.spool.done();
    }
    seen.sort_unstable();
    (seen, events)
}

fn worst(order: &str) -> Effects {
    Fault::parse(order, &map()).unwrap().plot.worst()
}

#[tokio::test]
async fn without_power_nothing_is_seen_and_the_machine_comes_back_as_another() {
    let (mut agent, switches, clock) = agent("28249-tt").await;
    let (started, before) = (clock.utc_ms() / 1_000, agent.boot);
    clock.advance(Duration::from_secs(60));
    switches.set(&worst("power 28249-tt"));
    agent.feel();
    clock.advance(Duration::from_secs(600));
    agent.look();
    switches.set(&Effects::default());
    agent.feel();
    assert_ne!(agent.boot, before);
    assert_eq!(agent.now().mono_ns, 0);
    clock.advance(Duration::from_secs(60));
    agent.look();
    let (seen, events) = brought(&mut agent);
    let times: Vec<i64> = seen.iter().map(|(at, _)| at - started).collect();
    assert_eq!(times.len(), 12, "{times:?}");
    assert!(times.iter().all(|at| (0..=60).contains(at) || (660..=720).contains(at)), "{times:?}");
    assert!(seen.iter().all(|(_, well)| *well));
    assert_eq!(events, [EventKind::MachineBooted, EventKind::AgentStarted]);
}

#[tokio::test]
async fn a_box_on_a_battery_lives_and_misses_its_gateway() {
    let (mut agent, switches, clock) = agent("28252-tt").await;
    let before = agent.boot;
    switches.set(&worst("power lo-471"));
    agent.feel();
    clock.advance(Duration::from_secs(60));
    switches.set(&Effects::default());
    agent.feel();
    clock.advance(Duration::from_secs(60));
    agent.look();
    let (seen, events) = brought(&mut agent);
    assert_eq!(agent.boot, before);
    assert_eq!(seen.iter().map(|(_, well)| *well).collect::<Vec<_>>(), [[false; 6], [true; 6]].concat());
    assert!(events.is_empty());
}

#[tokio::test]
async fn an_office_that_is_switched_off_takes_the_box_with_it() {
    let (mut agent, switches, _) = agent("28252-tt").await;
    let before = agent.boot;
    for effects in [worst("off 28252-tt"), Effects::default()] {
        switches.set(&effects);
        agent.feel();
    }
    assert_ne!(agent.boot, before);
}

#[tokio::test]
async fn a_clock_that_is_off_moves_what_was_seen_and_is_told() {
    let (mut agent, switches, clock) = agent("28249-tt").await;
    let utc_s = clock.utc_ms() / 1_000;
    switches.set(&worst("clock 28249-tt -3600"));
    agent.feel();
    clock.advance(Duration::from_secs(10));
    agent.look();
    let (seen, events) = brought(&mut agent);
    assert!(seen.len() == 1 && (utc_s - 3_600..=utc_s - 3_590).contains(&seen[0].0), "{seen:?}");
    assert_eq!(events, [EventKind::ClockStepped]);
    switches.set(&Effects::default());
    agent.feel();
    assert_eq!(agent.clock().utc_ms(agent.now().mono_ns), clock.utc_ms());
}
