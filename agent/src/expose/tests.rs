use super::*;
use crate::schedule::{Holds, Pace};
use haidang_daemon::metrics::Metrics;
use haidang_probe::metric::Metric;
use haidang_probe::moment::Moment;
use haidang_probe::outcome::Failure;

fn check<'a>(name: &'a str, target: &'a str) -> (CheckId, &'a str, &'a str) {
    (CheckId::of_name(name), name, target)
}

fn ran(name: &str, result: Result<Duration, Failure>, samples: Vec<Sample>) -> Outcome {
    Outcome { check: CheckId::of_name(name), sent: Moment::default(), result, samples }
}

fn text(board: &Board) -> String {
    let metrics = Metrics::new();
    board.register(&metrics);
    metrics.text().unwrap()
}

#[test]
fn checks_show_under_the_names_people_know() {
    let board = Board::default();
    board.plan([check("portal", "portal.example:443"), check("lan", "*")], &["any/2".into()]);
    board.outcome(&ran("portal", Ok(Duration::from_millis(12)), Vec::new()));
    let octets = Sample { metric: Metric::IfInOctets, part: "eth0".into(), value: 7e12 };
    board.outcome(&ran("lan", Ok(Duration::ZERO), vec![octets]));
    let text = text(&board);
    for line in [
        "probe_success{check=\"portal\",target=\"portal.example:443\"} 1",
        "probe_duration_seconds{check=\"portal\",target=\"portal.example:443\"} 0.012",
        "ifHCInOctets{check=\"lan\",target=\"*\",part=\"eth0\"} 7000000000000",
    ] {
        assert!(
            text.lines().any(|found| found == line || found == format!("{line}.0")),
            "no {line} in\n{text}"
        );
    }
}

#[test]
fn the_last_run_alone_is_shown_however_its_samples_come() {
    let board = Board::default();
    board.plan([check("lan", "*")], &[]);
    let sample = |metric, part: &str, value| Sample { metric, part: part.into(), value };
    let (octets, state) = (Metric::IfInOctets, Metric::IfOperStatus);
    let first = vec![sample(state, "a", 1.0), sample(octets, "a", 5.0), sample(octets, "b", 6.0)];
    board.outcome(&ran("lan", Ok(Duration::ZERO), first));
    let second = vec![sample(octets, "c", 7.0), sample(state, "c", 2.0)];
    board.outcome(&ran("lan", Ok(Duration::ZERO), second));
    let text = text(&board);
    let of_parts: Vec<&str> = text.lines().filter(|line| line.contains("part=")).collect();
    assert_eq!(
        of_parts,
        [
            "ifHCInOctets{check=\"lan\",target=\"*\",part=\"c\"} 7.0",
            "ifOperStatus{check=\"lan\",target=\"*\",part=\"c\"} 2.0",
        ]
    );
}

#[test]
fn unknown_is_not_down() {
    let board = Board::default();
    board.plan([check("a", "a:1"), check("b", "b:1")], &[]);
    board.outcome(&ran("a", Err(Failure::NotPermitted), Vec::new()));
    board.outcome(&ran("b", Err(Failure::Refused), Vec::new()));
    let text = text(&board);
    assert!(!text.contains("probe_success{check=\"a\""), "{text}");
    assert!(text.contains("probe_unknown{check=\"a\",target=\"a:1\",failure=\"not-permitted\"} 1"), "{text}");
    assert!(text.contains("probe_success{check=\"b\",target=\"b:1\"} 0"), "{text}");
}

#[test]
fn a_removed_check_loses_its_series_and_a_kept_one_keeps_them() {
    let board = Board::default();
    board.plan([check("a", "a:1"), check("b", "b:1")], &["x/2".into()]);
    board.outcome(&ran("a", Ok(Duration::ZERO), Vec::new()));
    board.outcome(&ran("b", Ok(Duration::ZERO), Vec::new()));
    board.batch("x/2", true);
    board.plan([check("b", "b:1")], &["y/4".into()]);
    board.outcome(&ran("a", Ok(Duration::ZERO), Vec::new()));
    let text = text(&board);
    assert!(!text.contains("check=\"a\"") && text.contains("probe_success{check=\"b\""), "{text}");
    assert!(!text.contains("x/2") && text.contains("uplink=\"y/4\""), "{text}");
}

#[test]
fn how_late_runs_start_shows() {
    let (board, mut schedule) = (Board::default(), Schedule::default());
    let pace = Pace { every: Duration::from_secs(1), length: Duration::ZERO, holds: Holds::Task };
    schedule.set(CheckId(1), pace, 0);
    let due = schedule.next_ns().unwrap();
    assert!(schedule.due(due + 30_000_000).is_some());
    board.schedule(&schedule);
    let text = text(&board);
    for line in [
        "haidang_agent_run_lateness_seconds_bucket{le=\"0.025\"} 0",
        "haidang_agent_run_lateness_seconds_bucket{le=\"0.05\"} 1",
        "haidang_agent_run_lateness_seconds_bucket{le=\"+Inf\"} 1",
        "haidang_agent_run_lateness_seconds_count 1",
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
}

#[test]
fn the_plan_that_runs_and_what_became_of_others_shows() {
    let board = Board::default();
    board.runs(PlanDigest([0xab; 8]), true);
    board.plan_taken(false);
    board.plan_refused();
    let text = text(&board);
    for line in [
        "haidang_agent_plan{digest=\"abababababababab\",source=\"collector\"} 1",
        "haidang_agent_plans_taken_total 1",
        "haidang_agent_plans_refused_total 1",
        "haidang_agent_plans_unkept_total 1",
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
}
