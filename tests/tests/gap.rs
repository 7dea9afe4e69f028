//! A gap of the network loses nothing, also when the agent is killed -9 in the middle of it.
#![allow(clippy::unwrap_used)]

use haidang_tests::gap;

#[test]
fn every_sample_of_a_gap_arrives_and_none_twice() {
    let counts = gap::rehearse(5, 20, 1).unwrap();
    println!("{counts}");
    assert!(counts.whole(), "{counts}");
    assert!(counts.numbered_before <= counts.asked_before, "{counts}");
}
