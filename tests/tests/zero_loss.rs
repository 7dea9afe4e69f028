//! A day without a line, with kills at any byte and power cuts that take what was not synced, loses nothing and
//! doubles nothing.
#![allow(clippy::unwrap_used)]

use haidang_tests::zero_loss::{Script, rehearse};
use std::time::Duration;

/// Where nobody gives another: `HAIDANG_SEED=7 cargo test -p haidang-tests --test zero_loss`.
const SEED: u64 = 20_261_122;

fn seed() -> u64 {
    std::env::var("HAIDANG_SEED").map_or(SEED, |seed| seed.parse().unwrap())
}

fn day() -> Script {
    Script { seed: seed(), outage: Duration::from_secs(86_400), falls: 20, lying: false, raw: None }
}

fn hour(seed: u64) -> Script {
    Script { seed, outage: Duration::from_secs(3_600), falls: 8, lying: false, raw: None }
}

#[test]
fn zero_loss_in_a_day_of_outage_with_kills_and_power_cuts() {
    let script = day();
    let counts = rehearse(&script).unwrap();
    println!("seed {}: {counts}", script.seed);
    assert!(counts.whole(), "seed {}: {counts}", script.seed);
    assert_eq!((counts.kills, counts.cuts), (20, 20), "seed {}: {counts}", script.seed);
    assert!(counts.numbered > 2_800, "{counts}");
}

#[test]
fn zero_loss_where_an_outage_is_longer_than_runs_are_kept() {
    let (hours, raw) = (Duration::from_secs(6 * 3_600), Duration::from_secs(3_600));
    // Without a fall the agent knows by itself what it sent; after one by what it announced.
    for falls in [8, 0] {
        let script = Script { outage: hours, raw: Some(raw), falls, ..hour(seed()) };
        let counts = rehearse(&script).unwrap();
        println!("seed {}: {counts}", script.seed);
        assert!(counts.whole() && counts.replaced >= 256, "seed {}: {counts}", script.seed);
    }
}

#[test]
fn zero_loss_whatever_the_seed() {
    let hours =
        Script { outage: Duration::from_secs(4 * 3_600), raw: Some(Duration::from_secs(1_800)), ..hour(0) };
    for seed in seed()..seed() + 8 {
        for script in [Script { seed, ..hours }, hour(seed)] {
            let counts = rehearse(&script).unwrap();
            assert!(counts.whole(), "{script:?}: {counts}");
        }
    }
}

#[test]
fn zero_loss_is_played_the_same_by_the_same_seed() {
    assert_eq!(rehearse(&hour(seed())).unwrap(), rehearse(&hour(seed())).unwrap());
}

/// The proof itself: where nothing is synced before it is acknowledged, it must say so.
#[test]
fn zero_loss_is_not_claimed_of_disks_that_do_not_sync() {
    let caught = (seed()..seed() + 4).filter(|seed| {
        let counts = rehearse(&Script { lying: true, ..hour(*seed) });
        counts.map_or(true, |counts| !counts.whole())
    });
    assert_eq!(caught.count(), 4);
}
