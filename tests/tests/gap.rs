//! A gap of the network loses nothing, also when the agent is killed -9 in the middle of it.
#![allow(clippy::unwrap_used)]

use haidang_tests::gap;

/// Seconds the line is held.
const GAP: u64 = 20;

#[test]
fn every_sample_of_a_gap_arrives_and_none_twice() {
    let counts = gap::rehearse(5, GAP, 1).unwrap();
    println!("{counts}");
    assert!(counts.whole(), "{counts}");
    assert!(counts.numbered_before <= counts.asked_before, "{counts}");
    // What tells a cause later was asked at its pace while nothing answered, on one boot's clock, and came as backlog.
    // Until a batch has failed to arrive nobody knows of the gap, and a kill takes a few seconds of a check.
    assert!(counts.least_of_gap >= GAP / 2, "{counts}");
    assert_eq!(counts.boots_of_gap, 1, "{counts}");
    assert!(counts.backlog_of_gap > 0, "{counts}");
}
