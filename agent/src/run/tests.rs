use super::*;
use crate::plan::tests::good;
use haidang_probe::plan::PlanDigest;
use trial::End;

const MINUTE: Duration = Duration::from_secs(60);

fn agent(directory: &Path) -> Agent {
    let shared = Shared {
        clock: Clock::manual(),
        spool: Arc::new(tokio::sync::Mutex::new(
            Spool::open(&directory.join("spool"), "a", 8 << 20).unwrap(),
        )),
        wake: Arc::default(),
        flowing: Arc::default(),
        board: Board::default(),
        meter: Meter::default(),
        wanted: watch::Sender::new(PlanDigest::default()),
    };
    let settings = Settings { config: "agent.yml".into(), directory: directory.into(), boot_file: None };
    let reading = Reading::register(&Metrics::new(), Default::default(), 0);
    let (_, stop) = stop::pair();
    Agent::start(settings, Plans { own: good(), runs: good(), identity: None }, shared, reading, stop)
}

/// The own plan's orders, as they are or with their first uplink led elsewhere.
fn orders(pin: Option<&str>) -> Bytes {
    let mut plan = good().plan;
    plan.flush.0 += Duration::from_millis(1);
    plan.uplinks[0].pin = pin.map(|pin| pin.parse().unwrap()).or(plan.uplinks[0].pin);
    plan.orders().text().into()
}

fn kept(agent: &Agent) -> PlanDigest {
    kept::restore(&agent.settings.directory, &agent.own).digest
}

#[tokio::test]
async fn orders_whose_uplinks_lead_nowhere_give_way_to_what_ran_before() {
    let dir = tempfile::tempdir().unwrap();
    let mut agent = agent(dir.path());
    let orders = orders(Some("127.0.0.9"));
    let digest = PlanDigest::of(&orders);
    agent.fetched(Ok(orders)).await;
    assert_eq!(
        (agent.runs.digest, kept(&agent)),
        (digest, agent.own.digest),
        "on trial, a restart is a way back"
    );
    agent.shared.clock.advance(2 * MINUTE);
    agent.judge_trial().await;
    assert_eq!(agent.runs.digest, digest, "its time is not over");
    agent.shared.clock.advance(MINUTE);
    agent.judge_trial().await;
    assert_eq!((agent.runs.digest, kept(&agent)), (agent.own.digest, agent.own.digest));
    assert_eq!(agent.uplinks.borrow()[0].plan, agent.own.plan.uplinks[0]);
    let now_ns = agent.shared.clock.steady_ns();
    assert!(
        !agent.fetch.starts(digest, agent.own.digest, now_ns + MINUTE.as_nanos() as u64),
        "not at once again"
    );
}

#[tokio::test]
async fn orders_whose_uplinks_are_those_in_use_are_kept_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut agent = agent(dir.path());
    let orders = orders(None);
    agent.fetched(Ok(orders.clone())).await;
    assert!(agent.trial.is_none());
    assert_eq!(kept(&agent), PlanDigest::of(&orders));
}

#[tokio::test]
async fn a_batch_carried_by_new_uplinks_ends_their_trial() {
    let dir = tempfile::tempdir().unwrap();
    let mut agent = agent(dir.path());
    let orders = orders(Some("127.0.0.9"));
    agent.fetched(Ok(orders.clone())).await;
    agent.uplinks.borrow()[0].carried();
    agent.judge_trial().await;
    assert!(agent.trial.is_none());
    assert_eq!((kept(&agent), agent.runs.digest), (PlanDigest::of(&orders), PlanDigest::of(&orders)));
}

#[tokio::test]
async fn a_check_at_which_the_agent_ended_rests_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let faulty = *good().checks.keys().next().unwrap();
    std::fs::write(dir.path().join("faults"), format!("{}\n", At::Check(faulty))).unwrap();
    let mut agent = agent(dir.path());
    agent.shared.clock.advance(2 * MINUTE);
    agent.start_due();
    assert!(agent.running.len() > 1, "others are asked beside it");
    let mut resting = Vec::new();
    while let Some(run) = agent.under_way.join_next().await {
        let outcome = run.unwrap();
        resting.extend((outcome.result == Err(Failure::Resting)).then_some(outcome.check));
    }
    assert_eq!(resting, [faulty]);
}

#[test]
fn a_trial_lasts_until_batches_were_due_and_counts_what_came_in_it_alone() {
    let begin = |flush: Duration| Trial::begin(Bytes::new(), good(), flush, 7, 0);
    let at = |duration: Duration| duration.as_nanos() as u64;
    assert_eq!(begin(MINUTE).end(7, at(3 * MINUTE) - 1), None);
    assert_eq!(begin(MINUTE).end(7, at(3 * MINUTE)), Some(End::Silent));
    assert_eq!(begin(5 * MINUTE).end(7, at(9 * MINUTE)), None);
    assert_eq!(begin(MINUTE).end(8, 0), Some(End::Carried));
}
