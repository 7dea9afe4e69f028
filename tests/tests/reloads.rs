//! Reloads of real programs. `HAIDANG_RELOADS=1000` makes more of them than a test run needs.

use haidang_tests::reloads::rehearse;

/// Connections that collector and agent may keep between them, more or less than at the beginning.
const CONNECTIONS: u64 = 5;
/// Memory that two hundred edits, or a thousand, may leave behind, MiB: caches fill, a leak of a record each would not
/// fit.
const GROWTH_MIB: f64 = 24.0;

#[test]
fn no_edit_is_missed_none_leaks_and_a_bad_one_never_replaces_a_good_one() {
    let edits = std::env::var("HAIDANG_RELOADS").ok().and_then(|edits| edits.parse().ok()).unwrap_or(200);
    let told = rehearse(11, edits).unwrap();
    println!("{told}");
    assert_eq!(told.edits.iter().sum::<u64>(), edits);
    assert!(told.edits.iter().all(|edits| *edits > 0), "every kind was tried");
    for (before, after) in &told.holds {
        assert_eq!(before.series, after.series, "{told}");
        assert!(after.files <= before.files + CONNECTIONS, "{told}");
        assert!(after.rss_mib <= before.rss_mib + GROWTH_MIB, "{told}");
    }
}
